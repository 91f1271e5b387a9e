/**
 * The device in its browser: everything that wakes the worker is listened to in its first turn, the device is built from
 * what was stored, and the worker is kept alive only while money or a key is on its way.
 */
import browser from 'webextension-polyfill';
import { load } from '../crypto/load.ts';
import { systemRandom } from '../crypto/random.ts';
import { openDatabase } from './database.ts';
import { Device } from './device.ts';
import type { Environment, SessionStore, Socket } from './environment.ts';
import { PortServer } from './portServer.ts';

const AUTO_LOCK_ALARM = 'auto-lock';
/** An idle worker dies at 30 s; a call of the extension's API counts as work. */
const KEEP_ALIVE_MS = 20_000;

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

export function startBackground(): void {
  const woken = Promise.withResolvers<Device>();
  const self = { id: browser.runtime.id, origin: browser.runtime.getURL('') };
  const server = new PortServer(self, woken.promise);
  browser.runtime.onConnect.addListener((port) => server.connect(port));

  const checkAutoLock = async () => {
    const at = await (await woken.promise).checkAutoLock();
    if (at === null) await browser.alarms.clear(AUTO_LOCK_ALARM);
    else browser.alarms.create(AUTO_LOCK_ALARM, { when: at + 1000 });
  };
  browser.alarms.onAlarm.addListener(({ name }) => {
    if (name === AUTO_LOCK_ALARM) void checkAutoLock();
  });
  browser.idle.onStateChanged.addListener((state) => {
    if (state === 'locked') void woken.promise.then((device) => device.lock());
  });
  setInterval(async () => {
    if ((await woken.promise).busy) await browser.runtime.getPlatformInfo();
  }, KEEP_ALIVE_MS);

  const start = async () => {
    const [db, signer] = await Promise.all([openDatabase(), load()]);
    return Device.wake({
      db,
      env: environment,
      signer,
      emit: (event) => {
        server.push(event);
        void checkAutoLock();
      },
    });
  };
  woken.resolve(start());
}
