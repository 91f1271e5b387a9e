/** X25519 (RFC 7748) by WebCrypto, over private keys held as `Secret`. */

import { concat } from '../protocol/bytes.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { Secret } from './secret.ts';

/** RFC 8410 PrivateKeyInfo up to the 32 key bytes. */
const PKCS8_PREFIX = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x6e,
  0x04,
  0x22,
  0x04,
  0x20,
);
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/** PKCS#8 form of a 32-byte private key. The caller wipes it. */
export function x25519Pkcs8(secret: Secret): Secret {
  ensure(secret.length === 32, 'BadEncoding', { detail: 'x25519 key' });
  return Secret.own(concat(PKCS8_PREFIX, secret.expose()));
}

/** Non-extractable private key, good for `deriveBits` only. */
export async function importX25519(secret: Secret): Promise<CryptoKey> {
  const pkcs8 = x25519Pkcs8(secret);
  try {
    return await crypto.subtle.importKey('pkcs8', pkcs8.expose(), 'X25519', false, ['deriveBits']);
  } finally {
    pkcs8.wipe();
  }
}

export async function importX25519Public(publicKey: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  ensure(publicKey.length === 32, 'BadEncoding', { detail: 'x25519 public key' });
  return crypto.subtle.importKey('raw', publicKey, 'X25519', true, []);
}

/** Shared secret, 32 bytes; the all-zero result of a low-order key is refused (RFC 7748 section 6.1). */
export async function x25519(privateKey: CryptoKey, publicKey: Uint8Array<ArrayBuffer>): Promise<Secret> {
  try {
    const remote = await importX25519Public(publicKey);
    const bits = new Uint8Array(
      await crypto.subtle.deriveBits({ name: 'X25519', public: remote }, privateKey, 256),
    );
    const shared = Secret.own(bits);
    if (bits.every((b) => b === 0)) {
      shared.wipe();
      throw new HoarfrostError('BadEncoding', { detail: 'low-order x25519 key' });
    }
    return shared;
  } catch (cause) {
    if (cause instanceof HoarfrostError) throw cause;
    throw new HoarfrostError('BadEncoding', { detail: 'x25519', cause });
  }
}

/** The public key of a private one. No export is needed, so the private key need not be extractable. */
export async function x25519PublicKey(privateKey: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  const shared = await x25519(privateKey, BASE_POINT);
  const out = Uint8Array.from(shared.expose());
  shared.wipe();
  return out;
}
