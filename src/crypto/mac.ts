import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat } from '../protocol/bytes.ts';
import type { Secret } from './secret.ts';

/**
 * HMAC-SHA256 (RFC 2104) over a tag and parts, each after its 4-byte length, so that they can be read in one way only. The hash's
 * state is ordinary memory: `key` must be one that does nothing else.
 */
export function mac(key: Secret, tag: string, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = [new TextEncoder().encode(tag), ...parts].flatMap((part) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length);
    return [length, part];
  });
  return Uint8Array.from(hmac(sha256, key.expose(), concat(...all)));
}
