/**
 * SHA-256 of public data, one hash object for all: a new one for each hash would cost as much as a short hash itself. A tag's
 * two blocks are hashed once and their state is kept (BIP-340, "Design": the midstate). The state is ordinary memory.
 */
import { sha256 as noble } from '@noble/hashes/sha2.js';

type State = ReturnType<typeof noble.create>;
type Bytes = Uint8Array<ArrayBuffer>;

const utf8 = new TextEncoder();
const nothing = noble.create();
const working = noble.create();
const tagged = new Map<string, State>();

/** 32 bytes. Parts are concatenated, so a caller that joins variable-length parts must delimit them itself. */
export function sha256(...parts: readonly Uint8Array[]): Bytes {
  return continued(nothing, parts);
}

/** BIP-340 tagged hash: SHA256(SHA256(tag) || SHA256(tag) || parts). 32 bytes; of the parts the same holds. */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Bytes {
  let state = tagged.get(tag);
  if (state === undefined) {
    const tagHash = sha256(utf8.encode(tag));
    state = noble.create().update(tagHash).update(tagHash);
    tagged.set(tag, state);
  }
  return continued(state, parts);
}

function continued(state: State, parts: readonly Uint8Array[]): Bytes {
  const hash = state._cloneInto(working);
  for (const part of parts) hash.update(part);
  return hash.digest() as Bytes;
}
