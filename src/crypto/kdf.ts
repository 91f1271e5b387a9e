/** Password to key: Argon2id (RFC 9106) in WebAssembly. */
import { argon2id } from 'hash-wasm';
import { ensure } from '../protocol/errors.ts';
import { Secret } from './secret.ts';

/** Stored beside what the key wraps, and bound to it as AAD. */
export interface KdfParameters {
  readonly version: 1;
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
  /** 16 random bytes. */
  readonly salt: Uint8Array<ArrayBuffer>;
}

/** Nothing weaker is ever read or written. */
export const KDF_FLOOR = { version: 1, memory: 64 * 1024, passes: 3, lanes: 1 } as const;
/** A stored record may not make the browser run out of memory or time. */
const KDF_CEILING = { memory: 1024 * 1024, passes: 16, lanes: 4 } as const;

/** Throws `VaultDamaged` if the parameters are below the floor (a downgrade) or absurd. */
export function checkKdfParameters(p: KdfParameters): void {
  const sane =
    p.version === 1 &&
    p.memory >= KDF_FLOOR.memory &&
    p.passes >= KDF_FLOOR.passes &&
    p.lanes >= KDF_FLOOR.lanes &&
    p.memory <= KDF_CEILING.memory &&
    p.passes <= KDF_CEILING.passes &&
    p.lanes <= KDF_CEILING.lanes &&
    p.salt.length === 16;
  ensure(sane, 'VaultDamaged', { detail: 'kdf parameters' });
}

/** Non-extractable AES-256-GCM key. About 0.3 s at the floor. */
export async function deriveKek(password: string, parameters: KdfParameters): Promise<CryptoKey> {
  checkKdfParameters(parameters);
  const raw = Secret.take(
    await argon2id({
      password: password.normalize('NFKC'),
      salt: parameters.salt,
      memorySize: parameters.memory,
      iterations: parameters.passes,
      parallelism: parameters.lanes,
      hashLength: 32,
      outputType: 'binary',
    }),
  );
  try {
    return await crypto.subtle.importKey('raw', raw.expose(), 'AES-GCM', false, ['encrypt', 'decrypt']);
  } finally {
    raw.wipe();
  }
}
