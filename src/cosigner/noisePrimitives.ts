/**
 * Noise's primitives from Node's own crypto, at once and on this thread: a frame or a handshake through WebCrypto would cost
 * several times the work itself in ways to another thread and back, and a flood of handshakes would pay that with our time.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import type { Secret } from '../crypto/secret.ts';
import { x25519Pkcs8 } from '../crypto/x25519.ts';
import { concat } from '../protocol/bytes.ts';
import type { NoiseKeyPair, NoisePrimitives } from '../protocol/noise.ts';
import { aesGcm } from './aesGcm.ts';
import type { Bytes } from './store.ts';

/** RFC 8410 SubjectPublicKeyInfo up to the 32 key bytes. */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00);

function publicBytes(key: KeyObject): Bytes {
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length));
}

/** A static key from its file. The caller wipes the secret. */
export function noiseKeyPair(secret: Secret): NoiseKeyPair<KeyObject> {
  const pkcs8 = x25519Pkcs8(secret);
  try {
    const key = Buffer.from(pkcs8.expose().buffer);
    const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    return { privateKey, publicKey: publicBytes(createPublicKey(privateKey)) };
  } finally {
    pkcs8.wipe();
  }
}

export const nodePrimitives: NoisePrimitives<KeyObject> = {
  generate() {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    return { privateKey, publicKey: publicBytes(publicKey) };
  },

  x25519(privateKey, remote) {
    const key = Buffer.from(concat(SPKI_PREFIX, remote).buffer);
    const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
    return wiped(diffieHellman({ privateKey, publicKey }));
  },

  sha256: (data) => Uint8Array.from(hash('sha256', data, 'buffer')),
  hmacSha256: (key, data) => wiped(createHmac('sha256', key).update(data).digest()),

  aesGcm,
};

/** The bytes outside of any buffer that others share. */
function wiped(buffer: Buffer): Bytes {
  const out = Uint8Array.from(buffer);
  buffer.fill(0);
  return out;
}
