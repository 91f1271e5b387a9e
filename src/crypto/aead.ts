/** AES-256-GCM by WebCrypto. Sealed form: 12-byte random nonce || ciphertext || 16-byte tag. */

import { concat } from '../protocol/bytes.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { type Random, systemRandom } from './random.ts';
import { Secret } from './secret.ts';

const NONCE = 12;
const TAG = 16;

export async function importAeadKey(key: Secret): Promise<CryptoKey> {
  ensure(key.length === 32, 'BadEncoding', { detail: 'aead key' });
  return crypto.subtle.importKey('raw', key.expose(), 'AES-GCM', false, ['encrypt', 'decrypt']);
}

/** The caller keeps `plaintext` and wipes it. A key seals fewer than 2^32 messages. */
export async function aeadSeal(
  key: CryptoKey,
  plaintext: Secret,
  aad: Uint8Array<ArrayBuffer>,
  random: Random = systemRandom,
): Promise<Uint8Array<ArrayBuffer>> {
  const iv = random(NONCE);
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: aad },
    key,
    plaintext.expose(),
  );
  return concat(iv, new Uint8Array(sealed));
}

/** Throws `WrongContext` if key, AAD or ciphertext is not the one sealed: which of them, nobody can tell. */
export async function aeadOpen(
  key: CryptoKey,
  sealed: Uint8Array<ArrayBuffer>,
  aad: Uint8Array<ArrayBuffer>,
): Promise<Secret> {
  ensure(sealed.length >= NONCE + TAG, 'BadEncoding', { detail: 'sealed' });
  try {
    const opened = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv: sealed.subarray(0, NONCE), additionalData: aad },
      key,
      sealed.subarray(NONCE),
    );
    return Secret.own(new Uint8Array(opened));
  } catch (cause) {
    throw new HoarfrostError('WrongContext', { cause });
  }
}
