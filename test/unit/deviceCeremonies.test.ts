/** The device's part in ceremonies, behind its port, against a real cosigner: it hears of them, contests, and changes the rules. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addressOf as addressOfScript } from '../../src/bitcoin/address.ts';
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import type { Clock } from '../../src/cosigner/clock.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Rules } from '../../src/device/port.ts';
import { STEP_MAX_MS } from '../../src/policy/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { DELAY_MS } from '../../src/protocol/terms.ts';
import { openSitting } from '../../src/recovery/sitting.ts';
import { keysFromWords, newWords, type RecoveryKeys } from '../../src/recovery/words.ts';
import { byWords, newDeviceKeys, opening, saying } from '../support/ceremonies.ts';
import {
  addressOf,
  Client,
  PAYEE,
  type Running,
  removeFolder,
  startCosigner,
  testFolder,
  within,
} from '../support/cosigner.ts';
import { newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { DAILY_LIMIT, linkOf, onboard } from '../support/onboard.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const words = newWords();
let recovery: RecoveryKeys;
let folder: string;
let running: Running;
let profile: Profile;
let worker: Worker;
/** Who has the words and another browser. */
let thief: Client;
let now: number;
const clock: Clock = { now: () => now, monotonic: () => performance.now() };

beforeEach(async () => {
  now = Date.now();
  folder = testFolder();
  running = await startCosigner({ folder, clock });
  profile = newProfile();
  profile.clock.wall = now;
  worker = await Worker.start(profile);
  recovery = await keysFromWords(words);
  await onboard(worker, await linkOf(running), words);
  thief = await Client.connect(addressOf(running), await generateNoiseKeyPair());
});
afterEach(async () => {
  worker.kill();
  await running.stop();
  removeFolder(folder);
});

async function pass(ms: number): Promise<void> {
  const until = now + ms;
  while (now < until) {
    now = Math.min(until, now + STEP_MAX_MS);
    await lookAtAll(running.cosigner);
  }
}
const begin = async () =>
  (await byWords(thief, { recoveryHost: recovery.host }, opening(newDeviceKeys()))).ceremony;
const listed = async () => (await worker.call('ceremonies', null)).ceremonies;
const pending = async () => {
  const state = await worker.call('state', null);
  return state.phase === 'unlocked' ? state.wallet.ceremonies : null;
};
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  await within(
    what,
    (async () => {
      while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
    })(),
  );
}

test('is shown what another of the three asks for, without asking, and contests it as one of them', async () => {
  // Connected, as with an open page.
  worker.device.pageOpened();
  await worker.call('refresh', null);
  expect(await pending()).toEqual([]);
  const { id } = await begin();
  await until('shown', async () => (await pending())?.length === 1);
  const [shown] = (await pending())!;
  expect(shown).toMatchObject({
    purpose: 'replaceDevice',
    openedBy: 'words',
    phase: 'waiting',
    leftMs: DELAY_MS.usual,
  });

  const said = await worker.call('sayCeremony', { id: shown!.id, says: 'contest' });
  expect(said).toMatchObject({ phase: 'contested', contests: ['device'] });
  expect((await pending())![0]).toMatchObject({ phase: 'contested' });
  // Withdrawn by the words: it has ended, and is listed as that, but pending no more.
  await byWords(thief, { recoveryHost: recovery.host }, saying({ id }, 'contest', now));
  expect((await listed())[0]).toMatchObject({ id: shown!.id, phase: 'void', leftMs: 0 });
  expect(await pending()).toEqual([]);
  await expect(worker.call('sayCeremony', { id: shown!.id, says: 'approve' })).rejects.toEqual(
    code('CeremonyEnded'),
  );
  for (const id_ of ['ab'.repeat(32), 'no', ''])
    await expect(worker.call('sayCeremony', { id: id_, says: 'approve' })).rejects.toEqual(
      code('SessionUnknown'),
    );
});

test('what was missed while the worker was dead shows after its next connection', async () => {
  worker.kill();
  await begin();
  worker = await Worker.start(profile);
  worker.device.pageOpened();
  await until('shown', async () => (await pending())?.length === 1);
});

const paid = addressOfScript(PAYEE, 'regtest')!;
describe('the rules', () => {
  const rules = () => worker.call('rules', null);
  const set = async (change: Partial<Rules>) =>
    (await worker.call('setRules', { ...(await rules()), ...change })).ceremony;

  test('are tightened at once: freeze, hold, payees, limits', async () => {
    expect(await rules()).toEqual({
      dailyLimit: DAILY_LIMIT,
      perTransaction: null,
      hold: null,
      payees: null,
      frozen: false,
      delayMs: DELAY_MS.usual,
      contact: null,
    });
    const tighter: Partial<Rules> = {
      dailyLimit: 1000n,
      perTransaction: 500n,
      hold: { above: 100n, delayMs: 3_600_000 },
      payees: [paid, paid],
      frozen: true,
    };
    expect(await set(tighter)).toBeNull();
    expect(await rules()).toMatchObject({ ...tighter, payees: [paid] });
    expect(await listed()).toEqual([]);
  });

  test('make a payment wait, which is listed with whom it pays, and cancelled', async () => {
    await set({ hold: { above: 0n, delayMs: 3_600_000 } });
    const coin = {
      outpoint: { txid: '1'.repeat(64), vout: 0 },
      value: 500_000n,
      branch: 0,
      index: 0,
      height: 10,
      coinbase: false,
    } as const;
    running.chain.scanned = { ...running.chain.scanned, coins: [coin], nextReceive: 1 };
    await worker.call('refresh', null);
    const { request } = await worker.call('draft', { address: paid, amount: 1000n, feeRate: 2000 });
    await worker.call('press', { request });
    const holds = async () => (await worker.call('holds', null)).holds;
    await until('held', async () => (await holds()).length === 1);
    const [held] = await holds();
    expect(held).toMatchObject({ address: paid, until: now + 3_600_000 });
    expect(held!.loss).toBeGreaterThan(1000n);
    expect(await worker.call('cancelHold', { ticket: held!.ticket })).toBe(true);
    expect(await holds()).toEqual([]);
    for (const ticket of [held!.ticket, 'no'])
      await expect(worker.call('cancelHold', { ticket })).rejects.toEqual(code('SessionUnknown'));
  });

  test('are loosened by a ceremony that waits, and carried out when it is ripe', async () => {
    await set({ frozen: true });
    const asked = (await set({ frozen: false }))!;
    expect(asked).toMatchObject({ purpose: 'loosenPolicy', openedBy: 'device', phase: 'waiting' });
    expect((await rules()).frozen).toBe(true);
    await expect(worker.call('carryOut', { id: asked.id })).rejects.toEqual(code('CeremonyWaits'));
    await pass(DELAY_MS.usual);
    await worker.call('carryOut', { id: asked.id });
    expect((await rules()).frozen).toBe(false);
    await expect(worker.call('carryOut', { id: asked.id })).rejects.toEqual(code('CeremonyEnded'));
    expect((await listed())[0]).toMatchObject({ phase: 'done' });
  });

  test('are loosened at once where the words agree, through this very browser', async () => {
    const asked = (await set({ dailyLimit: DAILY_LIMIT * 2n }))!;
    const { message } = await worker.call('askWords', { id: asked.id, says: 'approve' });
    expect((await worker.call('bringWords', { message: await typed(message) })).ceremony).toMatchObject({
      phase: 'ripe',
      approvals: ['device', 'words'],
    });
    await worker.call('carryOut', { id: asked.id });
    expect((await rules()).dailyLimit).toBe(DAILY_LIMIT * 2n);
    // What is no answer of the recovery page goes nowhere.
    await expect(worker.call('bringWords', { message })).rejects.toEqual(code('WrongSession'));
  });

  test('freeze at once by the words, through this browser or any', async () => {
    const { message } = await worker.call('askWords', { id: '', says: 'freeze' });
    expect(await worker.call('bringWords', { message: await typed(message) })).toEqual({ ceremony: null });
    expect((await rules()).frozen).toBe(true);
  });

  test('that came between make a ripe ceremony about the ones before them useless', async () => {
    const asked = (await set({ dailyLimit: DAILY_LIMIT * 2n }))!;
    await pass(DELAY_MS.usual);
    await set({ perTransaction: 7n });
    await expect(worker.call('carryOut', { id: asked.id })).rejects.toEqual(code('WrongVersion'));
    expect(await rules()).toMatchObject({ dailyLimit: DAILY_LIMIT, perTransaction: 7n });
  });

  test.each<[string, Partial<Rules>, string]>([
    [
      'an address of another network',
      { payees: ['bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4'] },
      'WrongNetwork',
    ],
    ['no address', { payees: ['x'] }, 'BadAddress'],
    ['a negative limit', { dailyLimit: -1n }, 'BadAmount'],
    ['a delay out of bounds', { delayMs: 1000 }, 'BadEncoding'],
    ['no contact', { contact: 'somebody' }, 'BadEncoding'],
    ['a contact that the cosigner cannot tell', { contact: 'me@example.org' }, 'ContactUnavailable'],
  ])('refuse %s', async (_, change, error) => {
    await expect(set(change)).rejects.toEqual(code(error));
    expect(await listed()).toEqual([]);
  });
});

/** The recovery page: shows what it is asked, and answers once the words are typed. */
async function typed(message: Uint8Array): Promise<Uint8Array> {
  const said = decode(offlineMessage, message);
  if (said.kind !== 'act') throw new Error(said.kind);
  const sitting = openSitting(await load(), said, systemRandom);
  const answer = await sitting.begin(words);
  sitting.wipe();
  return encode(offlineMessage, answer!);
}
