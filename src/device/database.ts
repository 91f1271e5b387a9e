/**
 * The device's IndexedDB. Every write of the house goes through `write`: a list of changes that becomes durable as one,
 * or not at all. Each store has one writer (named beside it); the background is the only process that opens it.
 */
import { type DBSchema, type IDBPDatabase, openDB, type StoreKey, type StoreValue } from 'idb';
import type { PendingChange } from '../frost/epoch.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import { withDeadline } from './deadline.ts';
import type { RecordRow } from './epochs.ts';
import type { PendingKey } from './keygen.ts';
import type { MoveRecord } from './moving.ts';
import type { NewcomerRecord } from './newcomer.ts';
import type { DrillRecord } from './offline.ts';
import type { PaymentRecord } from './payments.ts';
import type { PolicyRecord } from './policies.ts';
import type { KitRecord } from './repairKit.ts';
import type { RouteRecord } from './route.ts';
import type { SweepRecord } from './sweep.ts';
import type { SealedShare, VaultRecord } from './vault.ts';
import type { VaultVersion1 } from './vaultVersion1.ts';
import type { HistoryRecord, WalletRecord } from './wallet.ts';

export interface Settings {
  /** Minutes. */
  autoLock: number;
}

interface Schema extends DBSchema {
  /** `vault`: host and channel key, under the password; of version 1 until its first unlock. */
  vault: { key: 'vault'; value: VaultRecord | VaultVersion1 };
  /** `vault` the first, `epochs` all others: share 1 by epoch, under the vault's data key. */
  shares: { key: number; value: SealedShare };
  /** `epochs`: changes of the shares, by their place in the chain. */
  records: { key: number; value: RecordRow };
  /** `epochs`: a change that we certified and whose end we do not know. */
  change: { key: 'change'; value: PendingChange };
  /** `unlockSession`: the key that wraps the data key while unlocked; cannot be exported, gone on lock. */
  session: { key: 'key'; value: CryptoKey };
  /** `keygen`: between this device's certificate signature and the full certificate. */
  pending: { key: 'pending'; value: PendingKey };
  /** `wallet`: what is public of the one wallet, and the last look at its coins. */
  wallet: { key: 'wallet'; value: WalletRecord };
  /** `policies`: the signed versions by their number. */
  policies: { key: number; value: PolicyRecord };
  /** `payments`: own payments by id. */
  requests: { key: string; value: PaymentRecord };
  /** `wallet`: history by txid, re-diffed at every look. */
  transactions: { key: string; value: HistoryRecord };
  /** `sweep`: the wallet that the coins move to. */
  sweep: { key: 'sweep'; value: SweepRecord };
  /** `offline`: the last drill that was verified. */
  drill: { key: 'drill'; value: DrillRecord };
  /** `repairDevice`: a device that is to take the place of a lost one. */
  newcomer: { key: 'newcomer'; value: NewcomerRecord };
  /** `repairs`: new words that a ceremony is to allow. */
  kit: { key: 'kit'; value: KitRecord };
  /** `moving`: the way to another cosigner. */
  move: { key: 'move'; value: MoveRecord };
  /** `route`: a server of the user's own that transactions are sent by. */
  route: { key: 'route'; value: RouteRecord };
  /** `device`. */
  settings: { key: 'settings'; value: Settings };
}

type StoreName =
  | 'vault'
  | 'shares'
  | 'records'
  | 'change'
  | 'session'
  | 'pending'
  | 'wallet'
  | 'policies'
  | 'requests'
  | 'transactions'
  | 'sweep'
  | 'drill'
  | 'newcomer'
  | 'kit'
  | 'move'
  | 'route'
  | 'settings';

/** One row put, or deleted where `value` is null. */
export type Change = {
  [S in StoreName]: { store: S; key: StoreKey<Schema, S>; value: StoreValue<Schema, S> | null };
}[StoreName];

export interface Database {
  get<S extends StoreName>(store: S, key: StoreKey<Schema, S>): Promise<StoreValue<Schema, S> | null>;
  all<S extends StoreName>(store: S): Promise<StoreValue<Schema, S>[]>;
  write(changes: Change[]): Promise<void>;
  close(): void;
}

const NAME = 'hoarfrost';
const DEADLINE_MS = 10_000;

/** Step i brings a database of version i to version i + 1. Released steps never change. */
const MIGRATIONS: ((db: IDBPDatabase<Schema>) => void)[] = [
  (db) => {
    db.createObjectStore('vault');
    db.createObjectStore('session');
    db.createObjectStore('pending');
    db.createObjectStore('wallet');
    db.createObjectStore('requests');
    db.createObjectStore('transactions');
    db.createObjectStore('settings');
  },
  (db) => {
    db.createObjectStore('policies');
    db.createObjectStore('sweep');
    db.createObjectStore('shares');
    db.createObjectStore('records');
    db.createObjectStore('change');
    db.createObjectStore('drill');
    db.createObjectStore('newcomer');
    db.createObjectStore('kit');
    db.createObjectStore('move');
  },
  (db) => {
    db.createObjectStore('route');
  },
];

export async function openDatabase(name = NAME): Promise<Database> {
  const db = await guarded(
    openDB<Schema>(name, MIGRATIONS.length, {
      upgrade(opened, oldVersion) {
        for (const migrate of MIGRATIONS.slice(oldVersion)) migrate(opened);
      },
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    }),
  );
  return {
    async get(store, key) {
      return (await guarded(db.get(store, key))) ?? null;
    },
    all: (store) => guarded(db.getAll(store)),
    async write(changes) {
      const stores = [...new Set(changes.map((c) => c.store))];
      if (stores.length === 0) return;
      const commit = async () => {
        const tx = db.transaction(stores, 'readwrite', { durability: 'strict' });
        const puts = changes.map(({ store, key, value }) => {
          const rows = tx.objectStore(store);
          return value === null ? rows.delete(key) : rows.put(value, key);
        });
        await Promise.all([...puts, tx.done]);
      };
      await guarded(commit());
    },
    close: () => db.close(),
  };
}

async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await withDeadline(work, DEADLINE_MS, 'database');
  } catch (cause) {
    if (cause instanceof HoarfrostError) throw cause;
    throw new HoarfrostError('StoreUnavailable', { cause });
  }
}
