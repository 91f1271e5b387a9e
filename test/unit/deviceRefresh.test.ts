/**
 * New shares from the device's side, against a real cosigner over TLS: whoever dies wherever, one epoch signs, coins stay
 * spendable at the same addresses, and the shares of before are gone.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import { destroyDoomed } from '../../src/cosigner/epochKeys.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { Connection } from '../../src/device/connection.ts';
import { REFRESH_EVERY_MS } from '../../src/device/refresh.ts';
import { type KeyRecord, verifyCertificate } from '../../src/frost/keygen.ts';
import { followRecords } from '../../src/frost/records.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import type { Answer, Request } from '../../src/protocol/messages.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { openSitting } from '../../src/recovery/sitting.ts';
import { newWords } from '../../src/recovery/words.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import {
  copyOf,
  type Death,
  databaseOf,
  Killed,
  newProfile,
  type Profile,
  Worker,
} from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const payee = addressOf(PAYEE, 'regtest')!;

let signer: SignerModule;
let folder: string;
let running: Running;
let profile: Profile;
let keys: KeyRecord;
let address: string;
let words: string[];
const workers: Worker[] = [];
/** Added to the cosigner's wall clock. */
let later = 0;
const clock = { ...systemClock, now: () => systemClock.now() + later };

beforeEach(async () => {
  later = 0;
  signer = await load();
  folder = testFolder();
  running = await startCosigner({ folder, clock });
  profile = newProfile();
  profile.clock.wall = Date.now();
  const worker = await start();
  words = newWords();
  keys = verifyCertificate(signer, await onboard(worker, await linkOf(running), words));
  const coins = Array.from({ length: 9 }, (_, index) => ({
    outpoint: { txid: `${index + 1}`.repeat(64), vout: index },
    value: 500_000n,
    branch: 0 as const,
    index: 0,
    height: 10 + index,
    coinbase: false,
  }));
  running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 3 };
  running.chain.broadcast = async (transaction) => {
    running.chain.sent.push(transaction);
    return hex.encode(txidOf(parseTransaction(transaction)));
  };
  await worker.call('refresh', null);
  address = (await worker.call('receiveAddress', null)).address;
  worker.kill();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const worker of workers.splice(0)) worker.kill();
  await running.stop();
  removeFolder(folder);
});

async function start(options: Parameters<typeof Worker.start>[1] = {}, of = profile): Promise<Worker> {
  const worker = await Worker.start(of, options);
  workers.push(worker);
  return worker;
}

async function epochOf(worker: Worker) {
  const state = await worker.call('state', null);
  if (state.phase !== 'unlocked') throw new Error(state.phase);
  return state.wallet.epoch;
}

/** Drafts, presses, and waits for the end. */
async function pay(worker: Worker, amount = 1000n) {
  const { request } = await worker.call('draft', { address: payee, amount, feeRate: 2000 });
  await worker.call('press', { request });
  return vi.waitFor(
    async () => {
      const payment = await worker.call('payment', { request });
      if (payment.state !== 'broadcast' && payment.state !== 'failed') throw new Error(payment.state);
      return payment;
    },
    { timeout: 60_000, interval: 20 },
  );
}

const view = <T>(look: Parameters<Store['viewWallet']>[1]) =>
  running.cosigner.store.viewWallet(keys.wallet, look) as Promise<T>;
const signingEpoch = () => view<number>(async ({ wallet }) => wallet.epoch);
const keyFiles = () => readdirSync(join(folder, 'epoch-keys'));

async function rows(of = profile) {
  const db = await databaseOf(of);
  return {
    shares: (await db.all('shares')).map(({ epoch }) => epoch),
    records: (await db.all('records')).length,
    change: await db.get('change', 'change'),
  };
}

/** Whatever happened before: the next worker ends in one epoch with the cosigner, with one share each, and pays. */
async function ensureWhole(of = profile): Promise<number> {
  const worker = await start({}, of);
  const state = await worker.call('state', null);
  if (state.phase === 'locked') await worker.call('unlock', { password: PASSWORD });
  expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
  await vi.waitFor(
    async () => {
      expect(await epochOf(worker)).toMatchObject({ unfinished: false, underWay: false, alert: null });
    },
    { timeout: 60_000, interval: 20 },
  );
  const { number } = await epochOf(worker);
  expect(await signingEpoch()).toBe(number);
  expect(await rows(of)).toEqual({ shares: [number], records: number, change: null });
  // A key that was made for a refresh that never came about goes with the next look at the queue.
  later += 3_600_000;
  await destroyDoomed(running.cosigner);
  expect(keyFiles()).toHaveLength(1);
  expect((await worker.call('receiveAddress', null)).address).toBe(address);
  const records = await view<{ body: Uint8Array<ArrayBuffer> }[]>((v) => v.records('epoch'));
  const epochs = followRecords(
    signer,
    keys,
    records.map(({ body }) => body),
  );
  if (number > 0) expect(epochs.at(-1)).toMatchObject({ number, groupKey: keys.groupKey });
  worker.kill();
  return number;
}

describe('a refresh', () => {
  test('on demand: both shares are new, the old ones are gone, the same addresses are paid from', async () => {
    const worker = await start();
    expect(await epochOf(worker)).toMatchObject({ number: 0, changedAt: null, alert: null });
    await worker.call('refreshShares', null);
    expect(await epochOf(worker)).toMatchObject({
      number: 1,
      changedAt: profile.clock.wall,
      dueAt: profile.clock.wall + REFRESH_EVERY_MS,
      unfinished: false,
      alert: null,
      error: null,
    });
    expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
    await worker.call('refreshShares', null);
    expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
    worker.kill();
    expect(await ensureWhole()).toBe(2);
  });

  test('on schedule: not before thirty days, then with the next connection, and not again', async () => {
    profile.clock.pass(REFRESH_EVERY_MS - 3_600_000);
    let worker = await start();
    await worker.call('unlock', { password: PASSWORD });
    await worker.call('fees', null);
    expect(await epochOf(worker)).toMatchObject({ number: 0, underWay: false });
    worker.kill();
    profile.clock.pass(7_200_000);
    for (const again of [false, true]) {
      worker = await start();
      if (!again) await worker.call('unlock', { password: PASSWORD });
      await worker.call('fees', null);
      await vi.waitFor(async () =>
        expect(await epochOf(worker)).toMatchObject({ number: 1, underWay: false }),
      );
      worker.kill();
    }
    expect(await ensureWhole()).toBe(1);
  });

  test('two at once are one, and payments meanwhile are signed in one epoch or the other', async () => {
    const worker = await start();
    const [, , paid] = await Promise.all([
      worker.call('refreshShares', null),
      worker.call('refreshShares', null),
      pay(worker),
    ]);
    expect(paid).toMatchObject({ state: 'broadcast' });
    expect(await epochOf(worker)).toMatchObject({ number: 1 });
    worker.kill();
    expect(await ensureWhole()).toBe(1);
  });

  test.each([
    ['a payment is under way', 'sign first'],
    ['a refresh is under way', 'refresh first'],
  ])('nobody is left without a share where %s and the other begins', async (_, order) => {
    const worker = await start();
    const original = Connection.prototype.request;
    const asked = Promise.withResolvers<void>();
    const refreshed = Promise.withResolvers<void>();
    /** The other has had its chance. */
    const orSoon = (event: Promise<void>) => Promise.race([event, new Promise((r) => setTimeout(r, 500))]);
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      message: Request,
      ...kinds
    ) {
      if (message.kind === 'refreshReveal' && order === 'refresh first') await orSoon(asked.promise);
      if (message.kind === 'sign') asked.resolve();
      const answer = await original.call(this, message, ...kinds);
      if (message.kind === 'sign') await orSoon(refreshed.promise);
      return answer as never;
    });
    const refreshing = async () => {
      if (order === 'sign first') await asked.promise;
      await worker.call('refreshShares', null);
      refreshed.resolve();
    };
    const [, paid] = await Promise.all([refreshing(), pay(worker)]);
    expect(paid).toMatchObject({ state: 'broadcast', error: null });
    vi.restoreAllMocks();
    worker.kill();
    expect(await ensureWhole()).toBe(1);
  });

  test('a request to the recovery page of before is answered no more, and one of after is', async () => {
    const worker = await start();
    const draft = () => worker.call('draft', { address: payee, amount: 1000n, feeRate: 2000 });
    const answerTo = async (request: string) => {
      const { message } = await worker.call('offlineRequest', { request });
      const sitting = openSitting(signer, decode(offlineMessage, message), systemRandom);
      return encode(offlineMessage, await sitting.begin(words));
    };
    const first = await draft();
    const old = await answerTo(first.request);
    await worker.call('refreshShares', null);
    await expect(worker.call('offlineFinish', { request: first.request, message: old })).rejects.toEqual(
      code('NonceConsumed'),
    );
    const fresh = await answerTo(first.request);
    const { transaction } = await worker.call('offlineFinish', { request: first.request, message: fresh });
    expect(hex.encode(txidOf(parseTransaction(transaction)))).toMatch(/^[0-9a-f]{64}$/);
  });

  test('Locked in the middle of it: the next unlock goes on', async () => {
    const worker = await start();
    await worker.call('fees', null);
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      asked: Request,
      ...kinds
    ) {
      if (asked.kind === 'refreshCertify') {
        expect((await rows()).change).not.toBeNull();
        await worker.call('lock', null);
      }
      return original.call(this, asked, ...kinds) as never;
    });
    await expect(worker.call('refreshShares', null)).rejects.toMatchObject({
      code: expect.stringMatching(/Locked|ChannelClosed/),
    });
    vi.restoreAllMocks();
    worker.kill();
    await ensureWhole();
  });
});

describe('attack-16: a worker killed at every write and every frame of a refresh', () => {
  const deaths: Death[] = [];
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; at <= 6; at++) deaths.push({ by: 'write', at, when });
    for (let at = 1; at <= 20; at++) deaths.push({ by: 'frame', at, when });
  }

  test('the deaths cover all of it', async () => {
    const worker = await start();
    await worker.call('refreshShares', null);
    // The change beside both shares; the record; the old share's end. A look at the chain comes in between.
    expect(worker.life.db.writes).toBeGreaterThanOrEqual(3);
    expect(worker.life.db.writes).toBeLessThanOrEqual(6);
    // Handshake, hello, three rounds, test and its end, and the look.
    expect(worker.life.frames).toBeGreaterThanOrEqual(14);
    expect(worker.life.frames).toBeLessThanOrEqual(20);
  });

  test.each(deaths)('$when $by $at: rolls forward or back, never in between', async (death) => {
    const worker = await start({ death });
    await worker.call('refreshShares', null).catch((e: unknown) => expect(e).toBeInstanceOf(Killed));
    worker.kill();
    const { shares, records, change } = await rows();
    // The share of the epoch that the cosigner signs in is here, whatever else is.
    expect(shares).toContain(await signingEpoch());
    expect(change === null ? shares.includes(records) : shares.length === 2).toBe(true);
    await ensureWhole();
  });

  test('the browser closed in between too: the password and the cosigner bring the end', async () => {
    const worker = await start({ death: { by: 'frame', at: 10, when: 'before' } });
    await expect(worker.call('refreshShares', null)).rejects.toBeInstanceOf(Killed);
    profile.session.clear();
    await ensureWhole();
  });
});

/** The worker is gone before that request leaves, or before it hears its answer. */
async function dieAt(kind: Request['kind'], when: 'before' | 'after'): Promise<void> {
  const worker = await start();
  const original = Connection.prototype.request;
  vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
    this: Connection,
    asked: Request,
    ...kinds
  ) {
    if (asked.kind !== kind) return original.call(this, asked, ...kinds) as never;
    if (when === 'after') await original.call(this, asked, ...kinds);
    worker.kill();
    throw new Killed();
  });
  await expect(worker.call('refreshShares', null)).rejects.toBeInstanceOf(Killed);
  vi.restoreAllMocks();
}

describe('attack-16: a cosigner that fails at each step of a refresh', () => {
  type Steps = 'refreshOpen' | 'refreshReveal' | 'refreshCertify' | 'testSign' | 'refreshDone';
  const steps: Steps[] = ['refreshOpen', 'refreshReveal', 'refreshCertify', 'testSign', 'refreshDone'];

  /** Once: before it hears that request, or after it has acted on it. */
  function cutOnce(step: Steps, when: 'before' | 'after') {
    const original = Connection.prototype.request;
    let done = false;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      asked: Request,
      ...kinds
    ) {
      if (done || asked.kind !== step) return original.call(this, asked, ...kinds) as never;
      done = true;
      if (when === 'after') await original.call(this, asked, ...kinds);
      await running.stop();
      running = { ...(await startCosigner({ folder, clock })), chain: running.chain };
      this.close();
      throw new HoarfrostError('ChannelClosed');
    });
  }

  test.each(
    steps.flatMap((step) => [
      [step, 'before'],
      [step, 'after'],
    ]) as [Steps, 'before' | 'after'][],
  )('gone at %s, %s acting: one epoch signs, and the next run ends it', async (step, when) => {
    const { port } = running.listener;
    const worker = await start();
    cutOnce(step, when);
    await expect(worker.call('refreshShares', null)).rejects.toEqual(code('ChannelClosed'));
    vi.restoreAllMocks();
    worker.kill();
    await moveTo(port);
    const expected = when === 'after' && steps.indexOf(step) >= 2 ? 1 : steps.indexOf(step) > 2 ? 1 : 0;
    expect(await ensureWhole()).toBe(expected);
  });

  /** A restarted cosigner has another port; its owner would have given it the same. */
  async function moveTo(before: number) {
    const db = await databaseOf(profile);
    const wallet = (await db.get('wallet', 'wallet'))!;
    expect(wallet.port).toBe(before);
    const { port } = running.listener;
    running.chain.broadcast = async (transaction) => hex.encode(txidOf(parseTransaction(transaction)));
    Object.assign(running.cosigner.chain, running.chain);
    await db.write([{ store: 'wallet', key: 'wallet', value: { ...wallet, port } }]);
  }
});

describe('what the cosigner says of its records', () => {
  const answering = (change: (answer: Answer) => Answer) => {
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      asked: Request,
      ...kinds
    ) {
      return change(await original.call(this, asked, ...kinds)) as never;
    });
  };

  test('HeadsDiffer: another head alerts and blocks refresh, and payments go on', async () => {
    answering((answer) => (answer.kind === 'hello' ? { ...answer, head: new Uint8Array(32) } : answer));
    const worker = await start();
    await worker.call('fees', null);
    expect(await epochOf(worker)).toMatchObject({ alert: 'HeadsDiffer' });
    await expect(worker.call('refreshShares', null)).rejects.toEqual(code('HeadsDiffer'));
    expect(await rows()).toEqual({ shares: [0], records: 0, change: null });
    expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
    // It was due, too.
    profile.clock.pass(REFRESH_EVERY_MS);
    worker.kill();
    const later = await start();
    await later.call('unlock', { password: PASSWORD });
    await later.call('fees', null);
    expect(await epochOf(later)).toMatchObject({ number: 0, alert: 'HeadsDiffer' });
  });

  test('EpochStale: a restored old profile signs nothing, says why, and leaves the cosigner as it is', async () => {
    const old = await copyOf(profile);
    const worker = await start();
    await worker.call('refreshShares', null);
    worker.kill();
    const restored = await start({}, old);
    await restored.call('fees', null);
    expect(await epochOf(restored)).toMatchObject({ number: 0, alert: 'EpochStale' });
    await expect(restored.call('refreshShares', null)).rejects.toEqual(code('EpochStale'));
    expect(await pay(restored)).toMatchObject({ state: 'failed', error: 'EpochStale' });
    restored.kill();
    expect(await ensureWhole()).toBe(1);
  });

  test('a profile restored to the middle of a refresh that has long ended is taken to its end', async () => {
    await dieAt('refreshCertify', 'after');
    expect((await rows()).change).not.toBeNull();
    const old = await copyOf(profile);
    expect(await ensureWhole()).toBe(1);
    expect(await ensureWhole(old)).toBe(1);
  });

  test('attack-16, BadSignature: a void that the cosigner did not sign ends no doubt', async () => {
    await dieAt('refreshCertify', 'before');
    expect((await rows()).shares).toEqual([0, 1]);
    answering((answer) => (answer.kind === 'voided' ? { ...answer, signature: new Uint8Array(64) } : answer));
    const next = await start();
    expect(await pay(next)).toMatchObject({ state: 'failed', error: 'BadSignature' });
    expect((await rows()).shares).toEqual([0, 1]);
    next.kill();
    vi.restoreAllMocks();
    expect(await ensureWhole()).toBe(0);
  });

  test('attack-21 BadShare: a share that does not fit keeps the old one, and no other refresh begins', async () => {
    answering((answer) =>
      answer.kind === 'tested' ? { ...answer, share: new Uint8Array(32).fill(1) } : answer,
    );
    const worker = await start();
    for (let twice = 0; twice < 2; twice++) {
      await expect(worker.call('refreshShares', null)).rejects.toMatchObject({
        code: 'BadShare',
        culprit: 2,
      });
      expect(await epochOf(worker)).toMatchObject({ number: 1, unfinished: true, error: 'BadShare' });
      expect((await rows()).shares).toEqual([0, 1]);
    }
    worker.kill();
    vi.restoreAllMocks();
    expect(await ensureWhole()).toBe(1);
  });
});
