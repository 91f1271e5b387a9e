/**
 * AES-256-GCM from Node's own crypto, at once and on this thread: through WebCrypto the way to another thread and back costs
 * several times the work itself.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { concat } from '../protocol/bytes.ts';
import type { NoiseCipher } from '../protocol/noise.ts';
import type { Bytes } from './store.ts';

const NAME = 'aes-256-gcm';
const TAG = 16;

export interface AesGcm extends NoiseCipher {
  encrypt(iv: Bytes, ad: Bytes, plaintext: Bytes): Bytes;
  /** Throws unless the tag is right. */
  decrypt(iv: Bytes, ad: Bytes, ciphertext: Bytes): Bytes;
}

/** The key is held outside of JavaScript's memory and cannot be printed. Wipes `raw`. */
export function aesGcm(raw: Bytes): AesGcm {
  const key: KeyObject = createSecretKey(raw);
  raw.fill(0);
  return {
    encrypt(iv, ad, plaintext) {
      const cipher = createCipheriv(NAME, key, iv).setAAD(ad);
      const ciphertext = cipher.update(plaintext);
      cipher.final();
      return concat(ciphertext, cipher.getAuthTag());
    },
    decrypt(iv, ad, ciphertext) {
      if (ciphertext.length < TAG) throw new RangeError('no tag');
      const decipher = createDecipheriv(NAME, key, iv, { authTagLength: TAG });
      decipher.setAAD(ad).setAuthTag(ciphertext.subarray(-TAG));
      const plaintext = decipher.update(ciphertext.subarray(0, -TAG));
      try {
        decipher.final();
        return new Uint8Array(plaintext);
      } finally {
        plaintext.fill(0);
      }
    },
  };
}
