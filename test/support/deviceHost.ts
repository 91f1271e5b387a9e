/** A browser profile in memory: what outlives a worker, and what a test may do to it. */
import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { IDBFactory } from 'fake-indexeddb';
import { WebSocket } from 'ws';
import { load } from '../../src/crypto/load.ts';
import { type Random, systemRandom } from '../../src/crypto/random.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { type Change, type Database, openDatabase } from '../../src/device/database.ts';
import { Device } from '../../src/device/device.ts';
import type { Environment, SessionStore, Socket } from '../../src/device/environment.ts';
import type { Caller, Succession } from '../../src/device/handlers/subject.ts';
import type { PortEvent, PortMethod, PortMethods } from '../../src/device/port.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { testTls } from './cosigner.ts';

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

/** As a backup of the profile's folder has it: what happens to one does not happen to the other. */
export async function copyOf({ clock, session, indexedDB }: Profile): Promise<Profile> {
  const copy = newProfile();
  Object.assign(copy.clock, clock);
  for (const [key, value] of session) copy.session.set(key, value);
  for (const { name, version } of await indexedDB.databases()) {
    const from = await opened(indexedDB.open(name!));
    const to = await opened(copy.indexedDB.open(name!, version), (made) => {
      for (const store of from.objectStoreNames) made.createObjectStore(store);
    });
    for (const store of from.objectStoreNames) {
      const rows = from.transaction(store).objectStore(store);
      const [keys, values] = [await settled(rows.getAllKeys()), await settled(rows.getAll())];
      const tx = to.transaction(store, 'readwrite');
      for (const [i, key] of keys.entries()) await settled(tx.objectStore(store).put(values[i], key));
    }
    from.close();
    to.close();
  }
  return copy;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function opened(request: IDBOpenDBRequest, make: (db: IDBDatabase) => void = () => {}): Promise<IDBDatabase> {
  request.onupgradeneeded = () => make(request.result);
  return settled(request);
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
  readonly #onDeath: () => void;
  writes = 0;
  dead = false;

  constructor(
    db: Database,
    death: { at: number; when: 'before' | 'after' } | null,
    onDeath: () => void = () => {},
  ) {
    this.#db = db;
    this.#death = death;
    this.#onDeath = onDeath;
  }

  get: Database['get'] = (store, key) => this.#living(() => this.#db.get(store, key));
  all: Database['all'] = (store) => this.#living(() => this.#db.all(store));

  async write(changes: Change[]): Promise<void> {
    if (this.dead) throw new Killed();
    this.writes++;
    const last = this.#death?.at === this.writes;
    if (!(last && this.#death?.when === 'before')) await this.#db.write(changes);
    if (last) this.#onDeath();
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

/** Where a worker dies: at its n-th write, or at its n-th frame to or from the cosigner, just before or just after. */
export interface Death {
  by: 'write' | 'frame';
  at: number;
  when: 'before' | 'after';
}

const NO_SUCCESSOR: Succession = {
  hasFormer: false,
  successor: () => Promise.reject(new HoarfrostError('NoWallet')),
  bequeath: () => Promise.reject(new HoarfrostError('NoWallet')),
  succeed: () => Promise.reject(new HoarfrostError('NoWallet')),
};

/** One life of the service worker over a profile. */
export class Worker {
  readonly device: Device;
  readonly events: PortEvent[];
  readonly page: Caller = {};
  readonly life: Life;

  private constructor(device: Device, events: PortEvent[], life: Life) {
    this.device = device;
    this.events = events;
    this.life = life;
  }

  /** Throws `Killed` if it dies while waking. */
  static async start(
    profile: Profile,
    options: { death?: Death; signer?: SignerModule; generations?: Succession; random?: Random } = {},
  ): Promise<Worker> {
    const ca = readFileSync((await testTls).caFile);
    const life = new Life(await databaseOf(profile), options.death ?? null, ca);
    const env = environmentOf(profile, (url, protocol) => life.openSocket(url, protocol));
    const { session } = env;
    const mortal: SessionStore = {
      get: (key) => life.living(() => session.get(key)),
      set: (key, value) => life.living(() => session.set(key, value)),
      remove: (key) => life.living(() => session.remove(key)),
    };
    const events: PortEvent[] = [];
    const device = await Device.wake({
      db: life.db,
      env: { ...env, session: mortal, random: options.random ?? env.random },
      signer: { ...(await load()), ...options.signer },
      generations: options.generations ?? NO_SUCCESSOR,
      emit: (event) => void events.push(event),
    });
    return new Worker(device, events, life);
  }

  /** As the page would; a dead worker never answers, which here is `Killed`. */
  async call<M extends PortMethod>(method: M, argument: PortMethods[M][0], page = this.page) {
    const answer = this.device.call(method, argument, page);
    const died = this.life.died.then(() => {
      throw new Killed();
    });
    died.catch(() => {});
    const got = await Promise.race([answer, died]);
    if (this.life.dead) throw new Killed();
    return got;
  }

  kill(): void {
    this.life.end();
  }
}

/** What a worker does to the world, all of which stops at once. */
class Life {
  readonly db: MortalDatabase;
  readonly died: Promise<void>;
  readonly #death: Death | null;
  readonly #ca: Buffer;
  readonly #sockets = new Set<WebSocket>();
  readonly #resolveDied: () => void;
  frames = 0;
  dead = false;

  constructor(db: Database, death: Death | null, ca: Buffer) {
    const atWrite = death?.by === 'write' ? death : null;
    this.db = new MortalDatabase(db, atWrite, () => this.end());
    this.#death = death?.by === 'frame' ? death : null;
    this.#ca = ca;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.died = promise;
    this.#resolveDied = resolve;
  }

  async living<T>(work: () => Promise<T>): Promise<T> {
    if (this.dead) throw new Killed();
    return work();
  }

  end(): void {
    this.dead = true;
    this.db.dead = true;
    for (const ws of this.#sockets) ws.terminate();
    this.#resolveDied();
  }

  openSocket(url: string, protocol: string): Socket {
    if (this.dead) throw new Killed();
    const ws = new WebSocket(url, protocol, { ca: this.#ca, perMessageDeflate: false });
    this.#sockets.add(ws);
    const socket: Socket = {
      get binaryType() {
        return ws.binaryType;
      },
      set binaryType(type) {
        ws.binaryType = type as 'arraybuffer';
      },
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      send: (frame) => this.#pass(() => ws.send(frame)),
      close: (code) => ws.close(code),
    };
    ws.onopen = () => this.dead || socket.onopen?.();
    ws.onmessage = ({ data }) => this.#pass(() => socket.onmessage?.({ data }));
    ws.onclose = ({ code }) => this.dead || socket.onclose?.({ code });
    ws.onerror = () => this.dead || socket.onerror?.();
    return socket;
  }

  #pass(frame: () => void): void {
    if (this.dead) return;
    const last = ++this.frames === this.#death?.at;
    if (!(last && this.#death?.when === 'before')) frame();
    // What was sent is on its way before the worker is gone.
    if (last && this.#death?.when === 'after') setImmediate(() => this.end());
    else if (last) this.end();
  }
}
