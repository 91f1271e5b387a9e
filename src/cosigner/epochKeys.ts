/**
 * Keys of epochs on their way in and out. A share whose key outlives it could be opened from an old copy of the database, so
 * each key is known before it is made and until it is destroyed, through whatever crash (records of kind 'destroy'):
 *
 *   reserveKey (a transaction of its own) -> keyWrap.seal -> takeKey in the transaction that stores the share
 *   doomKey in the transaction that forgets a share -> destroyDoomed, at once and again until it succeeds
 *
 * What was reserved and never taken is doomed after a while, by then or before: `takeKey` refuses a doomed one.
 */
import { decode, encode, oneOf, struct, time } from '../protocol/codec.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { REFRESH_DEADLINE_MS } from '../protocol/limits.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes, WalletTx } from './store.ts';

const waiting = struct({ state: oneOf('reserved', 'doomed'), since: time });

/** In one look. */
const MOST = 1000;

/** Before the key of that name is made. */
export async function reserveKey(tx: WalletTx, name: Bytes, now: number): Promise<void> {
  await tx.putRecord('destroy', name, encode(waiting, { state: 'reserved', since: now }));
}

/** With the share that is sealed under it. `StoreUnavailable` if that took so long that the key was given up. */
export async function takeKey(tx: WalletTx, name: Bytes): Promise<void> {
  const row = await tx.record('destroy', name);
  const kept = row !== null && decode(waiting, row).state === 'reserved';
  ensure(kept, 'StoreUnavailable', { detail: 'epoch key given up' });
  await tx.deleteRecord('destroy', name);
}

/** In the transaction that forgets the last share under it. */
export async function doomKey(tx: WalletTx, name: Bytes, now: number): Promise<void> {
  await tx.putRecord('destroy', name, encode(waiting, { state: 'doomed', since: now }));
}

/**
 * Destroys what is doomed, of all wallets. What fails stays in the queue and is told to the log alone: the next run tries
 * again. Answers how many keys are gone.
 */
export async function destroyDoomed({ store, keyWrap, clock, log }: Cosigner): Promise<number> {
  let gone = 0;
  try {
    for (const { wallet, key: name, body } of await store.recordsEverywhere('destroy', MOST)) {
      const { state, since } = decode(waiting, body);
      const now = clock.now();
      if (state === 'reserved') {
        if (Math.abs(now - since) < 2 * REFRESH_DEADLINE_MS) continue;
        const doomed = await store.withWallet(wallet, async (tx) => {
          if ((await tx.record('destroy', name)) === null) return false;
          await doomKey(tx, name, now);
          return true;
        });
        if (!doomed) continue;
      }
      await keyWrap.destroy(wallet, name);
      await store.withWallet(wallet, (tx) => tx.deleteRecord('destroy', name));
      gone++;
    }
  } catch (e) {
    const code = isHoarfrostError(e) ? e.code : 'Internal';
    log.error('epoch key not destroyed', { code });
  }
  return gone;
}
