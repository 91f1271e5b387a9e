/** What sources share that look an account's addresses up one by one. */
import { hex } from '@scure/base';
import {
  type Account,
  type Branch,
  type DerivedKey,
  deriveKey,
  type OwnPath,
} from '../bitcoin/descriptor.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import { GAP_SCAN } from '../protocol/limits.ts';

/** Addresses of one branch that a scan looks at: no server decides how many. */
const ADDRESSES_MAX = 3000;
const ATTEMPTS = 3;

/**
 * Looks at addresses until GAP_SCAN in a row are unused, `atOnce` at a time. `visit` gives null for one that nobody has paid
 * yet. Gives the next unused index.
 */
export async function scanBranch<Facts>(
  account: Account,
  branch: Branch,
  atOnce: number,
  visit: (key: DerivedKey) => Promise<Facts | null>,
  found: (path: OwnPath, key: DerivedKey, facts: Facts) => void,
): Promise<number> {
  let next = 0;
  for (let index = 0; index < next + GAP_SCAN; ) {
    if (index >= ADDRESSES_MAX)
      throw new HoarfrostError('ChainUnavailable', { detail: 'too many addresses' });
    const count = Math.min(atOnce, next + GAP_SCAN - index);
    const keys = Array.from({ length: count }, (_, i) => deriveKey(account, branch, index + i));
    const looks = await Promise.all(keys.map(visit));
    for (const [i, facts] of looks.entries()) {
      if (facts === null) continue;
      next = index + i + 1;
      found({ branch, index: index + i }, keys[i]!, facts);
    }
    index += count;
  }
  return next;
}

/** Looks again while the chain moves under the look, which then gives null. `ChainUnavailable` if it does not stand still. */
export async function untilStill<T>(look: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const seen = await look();
    if (seen !== null) return seen;
  }
  throw new HoarfrostError('ChainUnavailable', { detail: 'the chain moves', retryAfterMs: 1000 });
}

/** What is remembered of each of the last `most` accounts. */
export function perAccount<T>(most: number, fresh: () => T): (account: Account) => T {
  const known = new Map<string, T>();
  return ({ groupKey, chainCode, account }) => {
    const id = `${hex.encode(groupKey)}${hex.encode(chainCode)}${account}`;
    const found = known.get(id) ?? fresh();
    known.delete(id);
    known.set(id, found);
    if (known.size > most) known.delete(known.keys().next().value!);
    return found;
  };
}
