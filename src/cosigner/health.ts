/** `/livez`: the process answers. `/readyz`: it may be given work (AUDIT 13): database, key store and chain are there. */
import { isHoarfrostError } from '../protocol/errors.ts';
import type { Cosigner } from './cosigner.ts';
import { announcedKey, type Identity } from './identity.ts';

/** Part -> 'ok' or the code of what is wrong. */
export type Health = Record<'store' | 'keys' | 'chain' | 'serving', string>;

const OK = 'ok';

export async function checkHealth(
  { store, keyWrap, chain, identity }: Pick<Cosigner, 'store' | 'keyWrap' | 'chain' | 'identity'>,
  draining: boolean,
): Promise<{ ready: boolean; health: Health }> {
  const [storeState, keys, chainState] = await Promise.all([
    stateOf(store.check()),
    stateOf(Promise.all([keyWrap.check(), checkChannelKey(store, identity)])),
    stateOf(chain.height()),
  ]);
  const health = { store: storeState, keys, chain: chainState, serving: draining ? 'draining' : OK };
  return { ready: Object.values(health).every((state) => state === OK), health };
}

/** An instance that lacks the key which another one tells devices to pin would turn them away. */
async function checkChannelKey(store: Cosigner['store'], identity: Identity): Promise<void> {
  announcedKey(identity, (await store.greeting()).channelKey);
}

async function stateOf(check: Promise<unknown>): Promise<string> {
  try {
    await check;
    return OK;
  } catch (e) {
    return isHoarfrostError(e) ? e.code : 'Internal';
  }
}
