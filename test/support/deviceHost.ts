/** A browser profile in memory: what outlives a worker, and what a test may do to it. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { systemRandom } from '../../src/crypto/random.ts';
import { type Change, type Database, openDatabase } from '../../src/device/database.ts';
import type { Environment, SessionStore } from '../../src/device/environment.ts';

/** A clock that tests move; durations run with it. */
export class TestClock {
  wall = 1_790_000_000_000;
  /** What the wall clock was set off by, against the time that passed. */
  skew = 0;

  pass(ms: number): void {
    this.wall += ms;
  }
}

/** The worker is gone in this very moment: nothing of it happens any more. */
export class Killed extends Error {}

export interface Profile {
  readonly clock: TestClock;
  readonly session: Map<string, string>;
  readonly indexedDB: IDBFactory;
}

export function newProfile(): Profile {
  return { clock: new TestClock(), session: new Map(), indexedDB: new IDBFactory() };
}

/** A worker's view of the profile. Without sockets unless the test brings some. */
export function environmentOf(
  { clock, session }: Profile,
  openSocket: Environment['openSocket'] = () => {
    throw new Error('no network in this test');
  },
): Environment {
  const store: SessionStore = {
    get: async (key) => session.get(key) ?? null,
    set: async (key, value) => void session.set(key, value),
    remove: async (key) => void session.delete(key),
  };
  return {
    now: () => clock.wall + clock.skew,
    monotonic: () => clock.wall,
    random: systemRandom,
    openSocket,
    session: store,
  };
}

export async function databaseOf({ indexedDB }: Profile): Promise<Database> {
  globalThis.indexedDB = indexedDB;
  return openDatabase();
}

/** Counts writes, and dies at one of them: `before` it happens, or `after` it is durable. Dead is dead: every later one fails too. */
export class MortalDatabase implements Database {
  readonly #db: Database;
  readonly #death: { at: number; when: 'before' | 'after' } | null;
  writes = 0;
  dead = false;

  constructor(db: Database, death: { at: number; when: 'before' | 'after' } | null) {
    this.#db = db;
    this.#death = death;
  }

  get: Database['get'] = (store, key) => this.#living(() => this.#db.get(store, key));
  all: Database['all'] = (store) => this.#living(() => this.#db.all(store));

  async write(changes: Change[]): Promise<void> {
    if (this.dead) throw new Killed();
    this.writes++;
    const last = this.#death?.at === this.writes;
    if (last && this.#death?.when === 'before') this.dead = true;
    else await this.#db.write(changes);
    if (last) this.dead = true;
    if (this.dead) throw new Killed();
  }

  close(): void {
    this.#db.close();
  }

  async #living<T>(read: () => Promise<T>): Promise<T> {
    if (this.dead) throw new Killed();
    return read();
  }
}
