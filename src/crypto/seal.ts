/**
 * A secret sealed to one X25519 key: ephemeral key (32) || AES-256-GCM ciphertext and tag. The AES key is
 * HKDF-SHA256(shared, info = 'hoarfrost/seal' || ephemeral || recipient), used once, so the nonce is zero.
 * The context goes in as AAD: opened anywhere else it is `WrongContext`.
 */

import { concat } from '../protocol/bytes.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { Secret } from './secret.ts';
import { importX25519, x25519, x25519PublicKey } from './x25519.ts';

const INFO = new TextEncoder().encode('hoarfrost/seal');
const ZERO_NONCE = new Uint8Array(12);

/** `ephemeral`: 32 fresh random bytes, wiped here. */
export async function sealTo(
  recipient: Uint8Array<ArrayBuffer>,
  plaintext: Secret,
  context: Uint8Array<ArrayBuffer>,
  ephemeral: Secret,
): Promise<Uint8Array<ArrayBuffer>> {
  const privateKey = await importX25519(ephemeral);
  ephemeral.wipe();
  const publicKey = await x25519PublicKey(privateKey);
  const key = await oneTimeKey(await x25519(privateKey, recipient), publicKey, recipient, 'encrypt');
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv: ZERO_NONCE, additionalData: context },
    key,
    plaintext.expose(),
  );
  return concat(publicKey, new Uint8Array(sealed));
}

export async function openSealed(
  recipient: CryptoKey,
  sealed: Uint8Array<ArrayBuffer>,
  context: Uint8Array<ArrayBuffer>,
): Promise<Secret> {
  ensure(sealed.length >= 32 + 16, 'BadEncoding', { detail: 'sealed' });
  const ephemeral = sealed.slice(0, 32);
  const shared = await x25519(recipient, ephemeral);
  const key = await oneTimeKey(shared, ephemeral, await x25519PublicKey(recipient), 'decrypt');
  try {
    const opened = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv: ZERO_NONCE, additionalData: context },
      key,
      sealed.subarray(32),
    );
    return Secret.own(new Uint8Array(opened));
  } catch (cause) {
    throw new HoarfrostError('WrongContext', { cause });
  }
}

async function oneTimeKey(
  shared: Secret,
  ephemeral: Uint8Array,
  recipient: Uint8Array,
  use: 'encrypt' | 'decrypt',
): Promise<CryptoKey> {
  try {
    const base = await crypto.subtle.importKey('raw', shared.expose(), 'HKDF', false, ['deriveKey']);
    return await crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: concat(INFO, ephemeral, recipient) },
      base,
      { name: 'AES-GCM', length: 256 },
      false,
      [use],
    );
  } finally {
    shared.wipe();
  }
}
