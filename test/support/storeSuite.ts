/** The suite of a store, run by each adapter for real, over more than one open instance. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { openPostgres } from '../../src/cosigner/stores/postgres.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { describeReal } from './real.ts';
import { bytes, NOW, walletOf } from './stores.ts';

/** Opens the database of that name anew, as another instance would. */
type Open = (name: string) => Store | Promise<Store>;

export const LEDGER = bytes(77, 16);
/** Two wallets that are there when a test begins. */
export const a = walletOf(10);
export const b = walletOf(100);

/** Await it at the top level of a test file. */
export async function onEachStore(suite: (stores: Stores) => void): Promise<void> {
  describe('store: sqlite', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'store-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    suite(freshStores((name) => openSqlite(join(folder, name))));
  });

  await describeReal('store: postgres', ['postgres'], () => {
    let server: PostgresServer;
    const made = new Set<string>();
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server?.stop());
    suite(
      freshStores(async (name) => {
        if (!made.has(name)) await server.sql(`CREATE DATABASE ${name}`);
        made.add(name);
        return openPostgres(server.url(name));
      }),
    );
  });
}

export interface Stores {
  /** The one that each test begins with. */
  first(): Store;
  /** Another instance over the same database, or over one of another name. */
  another(of?: string): Promise<Store>;
  /** Of the database. */
  name(): string;
}

let databases = 0;

function freshStores(open: Open): Stores {
  let name: string;
  let stores: Store[];
  const another = async (of = name) => {
    const store = await open(of);
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    name = `test${++databases}`;
    stores = [];
    const store = await another();
    await store.bind(bytes(66), LEDGER, { number: 0, noiseKey: bytes(67) });
    for (const [i, wallet] of [a, b].entries()) {
      await store.addToken(bytes(i), NOW + 1);
      await store.enrol(wallet, bytes(i));
    }
  });
  afterEach(async () => {
    for (const s of stores) await s.close();
  });
  return { first: () => stores[0]!, another, name: () => name };
}
