import { sha256 } from '@noble/hashes/sha2.js';
import { concat } from '../protocol/bytes.ts';

const utf8 = new TextEncoder();
const prefixes = new Map<string, Uint8Array>();

/**
 * BIP-340 tagged hash: SHA256(SHA256(tag) || SHA256(tag) || parts). 32 bytes. Public data only: the hash's state is
 * ordinary memory. Parts are concatenated, so a caller that joins variable-length parts must delimit them itself.
 */
export function taggedHash(tag: string, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  let prefix = prefixes.get(tag);
  if (prefix === undefined) {
    const tagHash = sha256(utf8.encode(tag));
    prefix = concat(tagHash, tagHash);
    prefixes.set(tag, prefix);
  }
  const hash = sha256.create().update(prefix);
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}

/** Equality of public bytes; not constant-time. */
export function equalVar(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
