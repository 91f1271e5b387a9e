/** A lost device against a real cosigner over TLS, with the recovery page beside: who gets in, when, and who is out from then on. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { Connection } from '../../src/device/connection.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochRecord } from '../../src/protocol/epoch.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { newWords } from '../../src/recovery/words.ts';
import { type Running, removeFolder, START, startCosigner, testFolder } from '../support/cosigner.ts';
import { type Death, databaseOf, Killed, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { askToReturn, MovedClock, NEW_PASSWORD, Page, takePlace } from '../support/returning.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const DAY = 86_400_000;

let folder: string;
let running: Running;
let clock: MovedClock;
let words: string[];
let old: Profile;
let address: string;

beforeEach(async () => {
  folder = testFolder();
  clock = new MovedClock(START);
  running = await startCosigner({ folder, clock });
  words = newWords();
  old = newProfile();
  old.clock.wall = START;
  const worker = await Worker.start(old);
  await onboard(worker, await linkOf(running), words);
  ({ address } = await worker.call('receiveAddress', null));
  worker.kill();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

const fresh = (): Profile => {
  const profile = newProfile();
  profile.clock.wall = clock.time;
  return profile;
};

/** A new browser whose ceremony is ripe. */
async function ripe(profile = fresh()): Promise<Profile> {
  const worker = await Worker.start(profile);
  await askToReturn(worker, running, words);
  worker.kill();
  await clock.pass(running, 7 * DAY);
  profile.clock.wall = clock.time;
  return profile;
}

/** In the wallet, with new shares in place of the ones that were used to make it. */
async function ensureIn(worker: Worker): Promise<void> {
  expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
  expect((await worker.call('receiveAddress', null)).address).toBe(address);
  await worker.call('refresh', null);
  await vi.waitFor(
    async () => {
      expect(await worker.call('state', null)).toMatchObject({
        wallet: { syncError: null, epoch: { number: 1 } },
      });
    },
    { timeout: 60_000 },
  );
}

test('attack-23 device gone: cosigner and recovery replace it, after the delay and not before', async () => {
  const profile = fresh();
  let worker = await Worker.start(profile);
  await askToReturn(worker, running, words);
  const { fingerprint } = (await worker.call('returning', null)).view!;
  expect(await worker.call('state', null)).toMatchObject({
    phase: 'returning',
    returning: { asked: true, fingerprint, ceremony: { phase: 'waiting' } },
  });
  await expect(takePlace(worker, words)).rejects.toEqual(code('CeremonyWaits'));
  // The browser is closed for a week.
  worker.kill();
  await clock.pass(running, 7 * DAY);
  profile.clock.wall = clock.time;
  worker = await Worker.start(profile);
  await worker.call('returnLook', null);
  expect(await worker.call('returning', null)).toMatchObject({
    view: { fingerprint, ceremony: { phase: 'ripe' } },
  });
  await takePlace(worker, words);
  await ensureIn(worker);
  await worker.call('lock', null);
  await worker.call('unlock', { password: NEW_PASSWORD });
  expect(await worker.call('returning', null)).toEqual({ view: null });
  worker.kill();

  // The lost one is nobody.
  const thief = await Worker.start(old);
  expect((await thief.call('receiveAddress', null)).address).toBe(address);
  await thief.call('refresh', null);
  expect(await thief.call('state', null)).toMatchObject({
    shares: { device: 'lost' },
    wallet: { syncError: 'NotEnrolled', epoch: { alert: 'NotEnrolled' } },
  });
  await expect(thief.call('refreshShares', null)).rejects.toEqual(code('NotEnrolled'));
  thief.kill();
});

describe('public records that the lost device saved', () => {
  const url = 'https://esplora.example/api';
  /** What the device saved in its last days, after a refresh. */
  async function saved(): Promise<Uint8Array> {
    const worker = await Worker.start(old);
    await worker.call('setRoute', { url });
    await worker.call('refreshShares', null);
    const { message } = await worker.call('exportState', null);
    worker.kill();
    return message;
  }
  /** A cosigner that sealed something else to recovery than it should have. */
  function poison(): void {
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      ...args: unknown[]
    ) {
      const answer = await original.apply(this, args as never);
      if (answer.kind !== 'repairOpened') return answer;
      const records = answer.records.map((record) => {
        const told = decode(epochRecord, record);
        return encode(epochRecord, { ...told, sealed: told.sealed.map((b) => b ^ 1) });
      });
      return { ...answer, records };
    } as never);
  }
  afterEach(() => void vi.restoreAllMocks());

  test('make the share where the cosigner’s copy leads nowhere; its route is asked about', async () => {
    const file = await saved();
    const worker = await Worker.start(await ripe());
    poison();
    await expect(takePlace(worker, words)).rejects.toEqual(code('RecordsCorrupt'));
    await takePlace(worker, words, file);
    expect(await worker.call('state', null)).toMatchObject({
      phase: 'unlocked',
      wallet: { route: { url, ours: false } },
    });
    expect((await worker.call('receiveAddress', null)).address).toBe(address);
    worker.kill();
  });

  test('change nothing where the cosigner’s copy is good', async () => {
    const file = await saved();
    const worker = await Worker.start(await ripe());
    await takePlace(worker, words, file);
    expect((await worker.call('receiveAddress', null)).address).toBe(address);
    worker.kill();
  });

  test('of another wallet, or no such file, are refused, and the right one is taken after', async () => {
    const file = await saved();
    const another = await Worker.start(fresh());
    await onboard(another, await linkOf(running));
    const { message } = await another.call('exportState', null);
    another.kill();
    const worker = await Worker.start(await ripe());
    await expect(takePlace(worker, words, message)).rejects.toEqual(code('BadCertificate'));
    await expect(takePlace(worker, words, message.slice(1))).rejects.toEqual(code('BadEncoding'));
    const act = encode(offlineMessage, { kind: 'act', act: new Uint8Array(3) });
    await expect(takePlace(worker, words, act)).rejects.toEqual(code('WrongSession'));
    await takePlace(worker, words, file);
    worker.kill();
  });
});

test('no address is shown before the chain has told which were used', async () => {
  const worker = await Worker.start(await ripe());
  const lost = vi.spyOn(running.chain, 'scan').mockRejectedValue(new HoarfrostError('ChainUnavailable'));
  running.chain.scanned.nextReceive = 3;
  await takePlace(worker, words);
  await expect(worker.call('receiveAddress', null)).rejects.toEqual(code('ChainUnavailable'));
  lost.mockRestore();
  expect((await worker.call('receiveAddress', null)).index).toBe(3);
  worker.kill();
});

test('while it waits the words stop the lost device at once, through the new one', async () => {
  const worker = await Worker.start(fresh());
  await askToReturn(worker, running, words);
  const { message } = await worker.call('returnFreeze', null);
  await worker.call('returnAnswer', { message: await new Page(words).answer(message) });
  worker.kill();
  const lost = await Worker.start(old);
  expect(await lost.call('rules', null)).toMatchObject({ frozen: true });
  lost.kill();
});

test('a browser whose password is forgotten takes its own place, and can be unlocked until it has', async () => {
  await ripe(old);
  let worker = await Worker.start(old);
  await worker.call('lock', null);
  expect(await worker.call('state', null)).toMatchObject({ phase: 'locked', returning: true });
  expect(await worker.call('returning', null)).toMatchObject({ view: { asked: true } });
  await worker.call('unlock', { password: PASSWORD });
  await worker.call('setRoute', { url: 'https://esplora.example/api' });
  worker.kill();
  worker = await Worker.start(old);
  await takePlace(worker, words);
  await ensureIn(worker);
  // It was chosen under the old vault: neither used unasked, nor forgotten for the cosigner.
  expect(await worker.call('state', null)).toMatchObject({
    wallet: { route: { url: 'https://esplora.example/api', ours: false } },
  });
  await worker.call('lock', null);
  await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code('WrongPassword'));
  await worker.call('unlock', { password: NEW_PASSWORD });
  worker.kill();
});

describe('attack-18, audit-24: a worker killed at any boundary of the repair', () => {
  /** The person begins again wherever that is possible, and is in at last. */
  async function dieAndReturn(death: Death): Promise<'died' | 'in'> {
    const profile = await ripe();
    const dying = await Worker.start(profile, { death });
    let outcome: 'died' | 'in' = 'in';
    try {
      await takePlace(dying, words);
    } catch (e) {
      if (!(e instanceof Killed)) throw e;
      outcome = 'died';
    }
    dying.kill();
    const worker = await Worker.start(profile);
    if ((await worker.call('returning', null)).view !== null) await takePlace(worker, words);
    else await worker.call('unlock', { password: NEW_PASSWORD });
    await ensureIn(worker);
    worker.kill();
    return outcome;
  }

  for (const when of ['before', 'after'] as const) {
    test(`${when} each write`, { timeout: 240_000 }, async () => {
      let at = 1;
      while ((await dieAndReturn({ by: 'write', at, when })) === 'died') at++;
      // The share held, the wallet, the unlocked session.
      expect(at).toBeGreaterThan(3);
    });
    test(`${when} each frame`, { timeout: 240_000 }, async () => {
      let at = 1;
      while ((await dieAndReturn({ by: 'frame', at, when })) === 'died' && at < 11) at++;
      // The handshake, and a question and an answer four times.
      expect(at).toBe(11);
    });
  }
});

describe('what a run refuses', () => {
  test('another password, another act, an answer that is not due, and another page', async () => {
    const profile = await ripe();
    const worker = await Worker.start(profile);
    await expect(worker.call('returnStart', { password: PASSWORD, saved: null })).rejects.toEqual(
      code('WrongPassword'),
    );
    const page = new Page(words);
    const { message } = await worker.call('returnStart', { password: NEW_PASSWORD, saved: null });
    const joined = await page.answer(message!);
    await expect(worker.call('returnAnswer', { message: joined }, {})).rejects.toEqual(code('OtherTab'));
    const summed = encode(offlineMessage, { kind: 'repairSummed', sum: new Uint8Array(3) });
    await expect(worker.call('returnAnswer', { message: summed })).rejects.toEqual(code('WrongSession'));
    const other = await Worker.start(fresh());
    await askToReturn(other, running, words);
    const acted = await new Page(words).answer((await other.call('returnQuestion', null)).message);
    await expect(worker.call('returnAnswer', { message: acted })).rejects.toEqual(code('WrongSession'));
    other.kill();
    page.close();
    worker.kill();
  });

  test('a page that closes ends its run, and the next one begins again', async () => {
    const worker = await Worker.start(await ripe());
    worker.device.pageOpened();
    const page = new Page(words);
    const { message } = await worker.call('returnStart', { password: NEW_PASSWORD, saved: null });
    const joined = await page.answer(message!);
    worker.device.pageClosed(worker.page);
    await expect(worker.call('returnAnswer', { message: joined })).rejects.toEqual(code('SessionUnknown'));
    page.close();
    await takePlace(worker, words);
    await ensureIn(worker);
    worker.kill();
  });

  test('a cosigner that tells another of its wallets is not believed', async () => {
    const theirs = newWords();
    const worker = await Worker.start(newProfile());
    await onboard(worker, await linkOf(running), theirs);
    worker.kill();
    const profile = await ripe();
    const db = await databaseOf(profile);
    const record = (await db.get('newcomer', 'newcomer'))!;
    // As if the words that signed were those of the other wallet.
    const other = await Worker.start(fresh());
    await askToReturn(other, running, theirs);
    const { message } = await other.call('returnQuestion', null);
    const acted = decode(offlineMessage, await new Page(theirs).answer(message));
    other.kill();
    if (acted.kind !== 'acted') throw new Error('acted');
    await db.write([{ store: 'newcomer', key: 'newcomer', value: { ...record, request: acted.message } }]);
    const again = await Worker.start(profile);
    await expect(takePlace(again, words)).rejects.toEqual(code('BadWords'));
    again.kill();
  });

  test('WalletExists: a browser with another wallet keeps it, and the share of it', async () => {
    const profile = fresh();
    let worker = await Worker.start(profile);
    await onboard(worker, await linkOf(running));
    const { address: theirs } = await worker.call('receiveAddress', null);
    worker.kill();
    worker = await Worker.start(await ripe(profile));
    await expect(takePlace(worker, words)).rejects.toEqual(code('WalletExists'));
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
    expect(await worker.call('receiveAddress', null)).toMatchObject({ address: theirs });
    worker.kill();
  });

  test('keys at rest are under the password: the row holds none of their bytes', async () => {
    const signer = await load();
    const made: Uint8Array[] = [];
    const own = Secret.own;
    const spy = vi.spyOn(Secret, 'own').mockImplementation((bytes) => {
      made.push(Uint8Array.from(bytes));
      return own(bytes);
    });
    const profile = fresh();
    const worker = await Worker.start(profile);
    await askToReturn(worker, running, words);
    worker.kill();
    spy.mockRestore();
    const row = await (await databaseOf(profile)).get('newcomer', 'newcomer');
    const at = made.findIndex(
      (bytes) =>
        bytes.length === 32 &&
        String(signer.publicKey(own(Uint8Array.from(bytes))).slice(1)) === String(row!.hostKey),
    );
    expect(at).toBeGreaterThanOrEqual(0);
    const text = Object.values(row!)
      .filter((value) => value instanceof Uint8Array)
      .map(String)
      .join('|');
    expect(text).not.toContain(String(made[at]));
  });
});
