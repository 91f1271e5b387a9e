/**
 * The device in its browser: everything that wakes the worker is listened to in its first turn, the device is built from
 * what was stored, and the worker is kept alive only while money or a key is on its way.
 */
import browser from 'webextension-polyfill';
import { load } from '../crypto/load.ts';
import { systemRandom } from '../crypto/random.ts';
import { ensure } from '../protocol/errors.ts';
import { badgeOf } from './badge.ts';
import { type Database, openDatabase } from './database.ts';
import { Device } from './device.ts';
import type { Environment, SessionStore, Socket } from './environment.ts';
import { openGenerations, sessionOf } from './generations.ts';
import type { Succession } from './handlers/subject.ts';
import type { DeviceState, Generation } from './port.ts';
import { connectPort, PortServer } from './portServer.ts';

const AUTO_LOCK_ALARM = 'auto-lock';
/** An idle worker dies at 30 s; a call of the extension's API counts as work. */
const KEEP_ALIVE_MS = 20_000;
/** The least that the browser takes. */
const IDLE_MIN_S = 15;
const GENERATIONS = ['current', 'next', 'former'] as const;

const session: SessionStore = {
  async get(key) {
    const value = (await browser.storage.session.get(key))[key];
    return typeof value === 'string' ? value : null;
  },
  set: (key, value) => browser.storage.session.set({ [key]: value }),
  remove: (key) => browser.storage.session.remove(key),
};

const environment: Environment = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: systemRandom,
  openSocket: (url, subprotocol) => new WebSocket(url, subprotocol) as Socket,
  session,
};

/** One wallet of the profile. All but the one in use sleep until a page asks for them. */
class Home {
  readonly server: PortServer;
  readonly #generation: Generation;
  readonly #homes: Homes;
  #device: Promise<Device> | null = null;
  #db: Database | null = null;
  /** Rises when another wallet takes this place: what the one before still says, nobody hears. */
  #life = 0;

  constructor(generation: Generation, homes: Homes) {
    this.#generation = generation;
    this.#homes = homes;
    const self = { id: browser.runtime.id, origin: browser.runtime.getURL('') };
    this.server = new PortServer(self, generation, () => this.device());
  }

  /** Null while it sleeps. */
  get awake(): Promise<Device> | null {
    return this.#device;
  }

  device(): Promise<Device> {
    this.#device ??= this.#wake();
    return this.#device;
  }

  async #wake(): Promise<Device> {
    const { signer } = this.#homes;
    const generations = await this.#homes.generations;
    const name = generations.databaseOf(this.#generation);
    ensure(name !== null, 'NoWallet');
    const life = this.#life;
    const [db, loaded] = await Promise.all([openDatabase(name), signer]);
    this.#db = db;
    return Device.wake({
      db,
      env: { ...environment, session: sessionOf(session, name) },
      signer: loaded,
      generations: this.#succession(generations.hasFormer),
      emit: (event) => {
        if (this.#life !== life) return;
        this.server.push(event);
        void this.checkAutoLock();
        if (event.kind === 'state' && this.#generation === 'current') void showBadge(event.state);
      },
    });
  }

  #succession(hasFormer: boolean): Succession {
    const inUse = () => ensure(this.#generation === 'current', 'NoWallet', { detail: 'not in use' });
    return {
      hasFormer,
      successor: async () => {
        inUse();
        return (await this.#homes.next.device()).certificate();
      },
      bequeath: async (route) => {
        inUse();
        await (await this.#homes.next.device()).inherit(route);
      },
      succeed: async () => {
        inUse();
        await this.#homes.succeed();
      },
    };
  }

  /** A sleeping one that was left unlocked has its alarm standing. */
  async lock(): Promise<void> {
    if (this.#device === null && (await browser.alarms.get(this.alarm)) === undefined) return;
    await (await this.device()).lock();
  }

  /** After a lock, and before another database has this place. */
  end(): void {
    this.#life += 1;
    this.#device = null;
    this.#db?.close();
    this.#db = null;
  }

  get alarm(): string {
    return `${AUTO_LOCK_ALARM}/${this.#generation}`;
  }

  async checkAutoLock(): Promise<void> {
    const device = await this.device();
    const at = await device.checkAutoLock();
    if (this.#generation === 'current') {
      browser.idle.setDetectionInterval(Math.max(IDLE_MIN_S, device.autoLockMinutes * 60));
    }
    if (at === null) await browser.alarms.clear(this.alarm);
    else browser.alarms.create(this.alarm, { when: at + 1000 });
  }
}

async function showBadge(state: DeviceState): Promise<void> {
  const text = badgeOf(state);
  // Firefox, with its second manifest version, has it by the older name.
  if (text !== null) await (browser.action ?? browser.browserAction).setBadgeText({ text });
}

class Homes {
  readonly generations = openGenerations();
  readonly signer = load();
  readonly current = new Home('current', this);
  readonly next = new Home('next', this);
  readonly former = new Home('former', this);

  get all(): Home[] {
    return GENERATIONS.map((generation) => this[generation]);
  }

  async lock(): Promise<void> {
    await Promise.all(this.all.map((home) => home.lock()));
  }

  async checkAutoLock(): Promise<void> {
    await Promise.all(this.all.map((home) => home.awake !== null && home.checkAutoLock()));
  }

  /** Every place begins anew, locked, with the wallet that has it now. */
  async succeed(): Promise<void> {
    await this.lock();
    for (const home of this.all) home.end();
    await (await this.generations).succeed();
    await Promise.all(this.all.map(({ server }) => server.restart()));
  }
}

export function startBackground(): void {
  const homes = new Homes();
  browser.runtime.onConnect.addListener((port) => {
    const servers = homes.all.map(({ server }) => server);
    connectPort(servers, port);
  });
  browser.alarms.onAlarm.addListener(({ name }) => {
    for (const home of homes.all) if (home.alarm === name) void home.checkAutoLock();
  });
  browser.idle.onStateChanged.addListener((state) => {
    // Active again: perhaps the machine slept, and the alarm is still to come.
    void (state === 'active' ? homes.checkAutoLock() : homes.lock());
  });
  setInterval(async () => {
    const awake = await Promise.all(homes.all.map((home) => home.awake));
    if (awake.some((device) => device?.busy)) await browser.runtime.getPlatformInfo();
  }, KEEP_ALIVE_MS);
  void homes.current.checkAutoLock().catch(() => {});
}
