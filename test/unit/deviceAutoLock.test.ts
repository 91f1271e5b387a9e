/** The vault locks by itself, whatever the clocks and the machine do. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import { AutoLock } from '../../src/device/autoLock.ts';
import type { Database } from '../../src/device/database.ts';
import { databaseOf, environmentOf, newProfile, type Profile } from '../support/deviceHost.ts';

const MINUTE = 60_000;
const dataKey = () => Secret.own(new Uint8Array(32).fill(0x77));

let profile: Profile;
let db: Database;
let locks: AutoLock[];
/** How often it was found that nothing is unlocked any more. */
let due: number;

/** The next worker, as the device starts it. */
async function worker(): Promise<AutoLock> {
  const lock = new AutoLock({ db, env: environmentOf(profile) }, async () => {
    due++;
    await lock.end();
  });
  locks.push(lock);
  (await lock.wake())?.wipe();
  return lock;
}

beforeEach(async () => {
  profile = newProfile();
  db = await databaseOf(profile);
  locks = [];
  due = 0;
});
afterEach(() => Promise.all(locks.map((lock) => lock.end())));

const unlocked = async () => (await (await worker()).check()) !== null;

test('a machine that slept over its time wakes locked', async () => {
  const lock = await worker();
  await lock.start(dataKey());
  expect(await lock.check()).toBe(profile.clock.wall + 15 * MINUTE);
  profile.clock.pass(8 * 60 * MINUTE);
  expect(await lock.check()).toBeNull();
  expect(due).toBe(1);
  expect(profile.session.size).toBe(0);
  expect(await unlocked()).toBe(false);
});

test('what comes first after the sleep, an extension, brings nothing back', async () => {
  const lock = await worker();
  await lock.start(dataKey());
  profile.clock.pass(15 * MINUTE);
  await lock.extend();
  expect(due).toBe(1);
  expect(await unlocked()).toBe(false);
});

test.each([
  ['set back a little, again and again', -4_000],
  ['set back far', -24 * 60 * MINUTE],
])('a clock %s gives this worker no time', async (_name, skew) => {
  const lock = await worker();
  await lock.start(dataKey());
  await lock.check();
  for (let i = 0; i < 14; i++) {
    profile.clock.pass(MINUTE);
    if (skew > -5_000) {
      profile.clock.skew += skew;
      expect(await lock.check()).not.toBeNull();
    }
  }
  profile.clock.skew += skew;
  profile.clock.pass(MINUTE);
  expect(await lock.check()).toBeNull();
});

test('nor the next worker, which counts on from what is left', async () => {
  await (await worker()).start(dataKey());
  profile.clock.pass(10 * MINUTE);
  const next = await worker();
  expect(await next.check()).not.toBeNull();
  profile.clock.skew = -4_000;
  profile.clock.pass(5 * MINUTE);
  expect(await next.check()).toBeNull();
});

test('a clock set forward past its time locks', async () => {
  const lock = await worker();
  await lock.start(dataKey());
  profile.clock.skew = 16 * MINUTE;
  expect(await lock.check()).toBeNull();
});

test('activity puts it off, by the minutes that were chosen', async () => {
  const lock = await worker();
  await lock.start(dataKey());
  await lock.set(30);
  profile.clock.pass(29 * MINUTE);
  await lock.extend();
  profile.clock.pass(29 * MINUTE);
  expect(await lock.check()).toBe(profile.clock.wall + MINUTE);
  profile.clock.pass(MINUTE);
  expect(await lock.check()).toBeNull();
});

test.each([0, 0.5, 24 * 60 + 1, Number.NaN])('%s minutes are refused', async (minutes) => {
  const lock = await worker();
  await expect(lock.set(minutes)).rejects.toMatchObject({ code: 'BadConfiguration' });
  expect(lock.minutes).toBe(15);
});
