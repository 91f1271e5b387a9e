/**
 * One profile, one wallet, except around a sweep to a new key: then its successor is born beside it, and once the coins have
 * moved the successor is the wallet in use and the old one goes on being watched. Each generation has a database and an
 * unlock session of its own, so nothing of one can be mistaken for the other's; which is in use is a single number.
 */
import { type DBSchema, openDB } from 'idb';
import { ensure } from '../protocol/errors.ts';
import type { SessionStore } from './environment.ts';
import type { Generation } from './port.ts';

interface Schema extends DBSchema {
  inUse: { key: 'inUse'; value: number };
}

const NAME = 'hoarfrost-generations';
const OFFSET: Record<Generation, number> = { former: -1, current: 0, next: 1 };

export interface Generations {
  readonly hasFormer: boolean;
  /** The name of its database, or null for a former one where there was none. */
  databaseOf(generation: Generation): string | null;
  /** The next one is the current one from here on; durable when it resolves. */
  succeed(): Promise<void>;
}

export async function openGenerations(): Promise<Generations> {
  const db = await openDB<Schema>(NAME, 1, {
    upgrade(opened) {
      opened.createObjectStore('inUse');
    },
  });
  let inUse = (await db.get('inUse', 'inUse')) ?? 0;
  ensure(Number.isSafeInteger(inUse) && inUse >= 0, 'VaultDamaged', { detail: 'generation' });
  return {
    get hasFormer() {
      return inUse > 0;
    },
    databaseOf(generation) {
      const number = inUse + OFFSET[generation];
      if (number < 0) return null;
      return number === 0 ? 'hoarfrost' : `hoarfrost-${number}`;
    },
    async succeed() {
      const tx = db.transaction('inUse', 'readwrite', { durability: 'strict' });
      await Promise.all([tx.store.put(inUse + 1, 'inUse'), tx.done]);
      inUse += 1;
    },
  };
}

/** What this generation keeps of the browser's session: the same keys as any other, apart. */
export function sessionOf(store: SessionStore, database: string): SessionStore {
  const own = (key: string) => `${database}/${key}`;
  return {
    get: (key) => store.get(own(key)),
    set: (key, value) => store.set(own(key), value),
    remove: (key) => store.remove(own(key)),
  };
}
