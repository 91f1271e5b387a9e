/** One-time enrolment tokens. The store knows them by hash; the text is shown once, inside a pairing link. */

import { bytesToHex } from '@noble/hashes/utils.js';
import { base64urlnopad } from '@scure/base';
import type { Random } from '../crypto/random.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import type { Clock } from './clock.ts';
import type { Bytes, Store } from './store.ts';

/** Keygens that may run on one token at a time: a device that lost its connection starts anew beside its own ghost. */
const USES_AT_ONCE = 4;
/** Keygens that may run at all: each holds a polynomial in the signer. */
const KEYGENS_AT_ONCE = 256;

/** Stands in the pairing link of a cosigner that enrols without tokens. */
export const OPEN_TOKEN = 'open';

export function tokenHash(token: string): Bytes {
  return taggedHash('hoarfrost/token', new TextEncoder().encode(token));
}

export async function issueToken(
  store: Store,
  random: Random,
  clock: Clock,
  lifetimeMs: number,
): Promise<{ token: string; expiresAt: number }> {
  const token = base64urlnopad.encode(random(16));
  const expiresAt = clock.now() + lifetimeMs;
  await store.addToken(tokenHash(token), expiresAt);
  return { token, expiresAt };
}

/** What the owner types, pastes or scans into the device: where, whom to expect, and the right to enrol once. */
export function pairingUri(
  address: { host: string; port: number },
  cosigner: { hostKey: Bytes; noiseKey: Bytes },
  token: string,
  network: Network,
): string {
  const query = new URLSearchParams({
    k: bytesToHex(cosigner.noiseKey),
    h: bytesToHex(cosigner.hostKey),
    t: token,
    n: network,
  });
  return `hoarfrost:${address.host}:${address.port}?${query}`;
}

/** Counts the keygens in flight on each token of this process. */
export class TokenUse {
  readonly #uses = new Map<string, number>();
  #all = 0;

  /** Returns what gives the use back, safe to call twice. `RateLimited` beyond the bound. */
  begin(hash: Bytes): () => void {
    const key = bytesToHex(hash);
    const uses = this.#uses.get(key) ?? 0;
    if (uses >= USES_AT_ONCE) {
      throw new HoarfrostError('RateLimited', { detail: 'token in use', retryAfterMs: 10_000 });
    }
    if (this.#all >= KEYGENS_AT_ONCE) {
      throw new HoarfrostError('RateLimited', { detail: 'keygens', retryAfterMs: 10_000 });
    }
    this.#uses.set(key, uses + 1);
    this.#all++;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#all--;
      const left = this.#uses.get(key)! - 1;
      if (left === 0) this.#uses.delete(key);
      else this.#uses.set(key, left);
    };
  }
}
