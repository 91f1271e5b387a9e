/** `/livez`: the process answers. `/readyz`: it may be given work (AUDIT 13): database, key store and chain are there. */
import { isHoarfrostError } from '../protocol/errors.ts';
import type { Cosigner } from './cosigner.ts';

/** Part -> 'ok' or the code of what is wrong. */
export type Health = Record<'store' | 'keys' | 'chain' | 'serving', string>;

const OK = 'ok';

export async function checkHealth(
  { store, keyWrap, chain }: Pick<Cosigner, 'store' | 'keyWrap' | 'chain'>,
  draining: boolean,
): Promise<{ ready: boolean; health: Health }> {
  const [storeState, keys, chainState] = await Promise.all([
    stateOf(store.check()),
    stateOf(keyWrap.check()),
    stateOf(chain.height()),
  ]);
  const health = { store: storeState, keys, chain: chainState, serving: draining ? 'draining' : OK };
  return { ready: Object.values(health).every((state) => state === OK), health };
}

async function stateOf(check: Promise<unknown>): Promise<string> {
  try {
    await check;
    return OK;
  } catch (e) {
    return isHoarfrostError(e) ? e.code : 'Internal';
  }
}
