/** Password to key: Argon2id (RFC 9106) in WebAssembly, and on request a security key's secret mixed in. */
import { argon2id } from 'hash-wasm';
import { concat } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import { Secret } from './secret.ts';

/** What a derivation costs. */
export interface KdfCost {
  readonly version: 1;
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Stored beside what the key wraps, and bound to it as AAD. */
export interface KdfParameters extends KdfCost {
  /** 16 random bytes. */
  readonly salt: Uint8Array<ArrayBuffer>;
}

/** Nothing weaker is ever read or written. */
export const KDF_FLOOR: KdfCost = { version: 1, memory: 64 * 1024, passes: 3, lanes: 1 };
/** What new passwords get, and old ones at their next unlock. Only ever rises. */
export const KDF_CURRENT: KdfCost = { ...KDF_FLOOR };
/** A stored record may not make the browser run out of memory or time. */
const KDF_CEILING = { memory: 1024 * 1024, passes: 16, lanes: 4 } as const;

/** Throws `VaultDamaged` if the parameters are below the floor (a downgrade) or absurd. */
export function checkKdfParameters(p: KdfParameters): void {
  const sane =
    p.version === 1 &&
    isInside(p.memory, KDF_FLOOR.memory, KDF_CEILING.memory) &&
    isInside(p.passes, KDF_FLOOR.passes, KDF_CEILING.passes) &&
    isInside(p.lanes, KDF_FLOOR.lanes, KDF_CEILING.lanes) &&
    p.salt.length === 16;
  ensure(sane, 'VaultDamaged', { detail: 'kdf parameters' });
}

/** Whether `p` costs an attacker less than `wanted` in any respect. */
export function isWeakerThan(p: KdfCost, wanted: KdfCost): boolean {
  return p.memory < wanted.memory || p.passes < wanted.passes || p.lanes < wanted.lanes;
}

/**
 * Non-extractable AES-256-GCM key. About 0.3 s at the floor. `factor`, 32 bytes, is mixed in after Argon2id by HKDF: neither
 * it nor the password is of use without the other. The caller wipes it.
 */
export async function deriveKek(
  password: string,
  parameters: KdfParameters,
  factor: Secret | null = null,
): Promise<CryptoKey> {
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
    if (factor !== null) return await mixed(raw, factor, parameters.salt);
    return await crypto.subtle.importKey('raw', raw.expose(), 'AES-GCM', false, ['encrypt', 'decrypt']);
  } finally {
    raw.wipe();
  }
}

const MIXED = new TextEncoder().encode('hoarfrost/password-and-security-key');

async function mixed(raw: Secret, factor: Secret, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const both = Secret.own(concat(raw.expose(), factor.expose()));
  try {
    const base = await crypto.subtle.importKey('raw', both.expose(), 'HKDF', false, ['deriveKey']);
    const how = { name: 'HKDF', hash: 'SHA-256', salt, info: MIXED };
    const aes = { name: 'AES-GCM', length: 256 };
    return await crypto.subtle.deriveKey(how, base, aes, false, ['encrypt', 'decrypt']);
  } finally {
    both.wipe();
  }
}

/** False for what is no number at all. */
function isInside(n: number, min: number, max: number): boolean {
  return Number.isInteger(n) && n >= min && n <= max;
}
