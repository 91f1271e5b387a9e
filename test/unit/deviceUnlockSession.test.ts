import { beforeEach, expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import type { Database } from '../../src/device/database.ts';
import { UnlockSession } from '../../src/device/unlockSession.ts';
import { databaseOf, environmentOf, newProfile, type Profile } from '../support/deviceHost.ts';

const KEY = new Uint8Array(32).fill(0x77);
const dataKey = () => Secret.own(KEY.slice());

let profile: Profile;
let db: Database;
const worker = () => new UnlockSession(db, environmentOf(profile));
const resumed = async () => (await worker().resume())?.expose() ?? null;

beforeEach(async () => {
  profile = newProfile();
  db = await databaseOf(profile);
});

test('the next worker resumes', async () => {
  await worker().start(dataKey(), 15);
  expect(await resumed()).toEqual(KEY);
});

test('audit-10: neither half holds the data key, and the wrapping key cannot be exported', async () => {
  await worker().start(dataKey(), 15);
  const inMemory = [...profile.session.values()].join();
  const encodings = [KEY, KEY.slice().reverse()].flatMap((k) => [
    Buffer.from(k).toString('base64').slice(0, 40),
    Buffer.from(k).toString('hex'),
    Buffer.from(k).toString('latin1'),
  ]);
  for (const text of encodings) expect(inMemory).not.toContain(text);
  const wrapping = await db.get('session', 'key');
  expect(wrapping?.extractable).toBe(false);
  await expect(crypto.subtle.exportKey('raw', wrapping!)).rejects.toThrow();
});

test('ending clears both halves', async () => {
  await worker().start(dataKey(), 15);
  await worker().end();
  expect(profile.session.size).toBe(0);
  expect(await db.get('session', 'key')).toBeNull();
  expect(await resumed()).toBeNull();
});

test('the browser was closed: the half in IndexedDB opens nothing and goes', async () => {
  await worker().start(dataKey(), 15);
  profile.session.clear();
  expect(await resumed()).toBeNull();
  expect(await db.get('session', 'key')).toBeNull();
});

test('autoLockAt is absolute, and passing it locks at the next wake', async () => {
  await worker().start(dataKey(), 15);
  profile.clock.pass(15 * 60_000 - 1);
  expect(await resumed()).toEqual(KEY);
  profile.clock.pass(1);
  expect(await worker().autoLockAt()).toBeNull();
  expect(await resumed()).toBeNull();
  expect(await db.get('session', 'key')).toBeNull();
});

test('the user at work puts it off, but brings nothing back', async () => {
  await worker().start(dataKey(), 15);
  profile.clock.pass(10 * 60_000);
  await worker().extend(15);
  profile.clock.pass(10 * 60_000);
  expect(await resumed()).toEqual(KEY);
  profile.clock.pass(10 * 60_000);
  await worker().extend(15);
  expect(await resumed()).toBeNull();
});

test('a clock set back locks instead of giving time', async () => {
  await worker().start(dataKey(), 15);
  profile.clock.skew = -60_000;
  expect(await resumed()).toBeNull();
});

test('halves of two unlocks do not fit', async () => {
  await worker().start(dataKey(), 15);
  const first = new Map(profile.session);
  await worker().start(dataKey(), 15);
  for (const [key, value] of first) profile.session.set(key, value);
  expect(await resumed()).toBeNull();
});

test('a clock set back by less than an unlock ago is noticed too, by when anybody last looked', async () => {
  await worker().start(dataKey(), 15);
  profile.clock.pass(10 * 60_000);
  expect(await worker().autoLockAt()).not.toBeNull();
  profile.clock.skew = -9 * 60_000;
  expect(await resumed()).toBeNull();
});

test('a clock that is corrected by a moment locks nobody out', async () => {
  await worker().start(dataKey(), 15);
  profile.clock.skew = -2_000;
  expect(await resumed()).toEqual(KEY);
});

test('an extension under way when it ended brings nothing back', async () => {
  const session = worker();
  await session.start(dataKey(), 15);
  const extended = session.extend(15);
  await session.end();
  await extended;
  expect(profile.session.size).toBe(0);
});
