/** A new kit, and another cosigner, from the device's side: real cosigners over TLS, the recovery page's own steps, and workers that die. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { retireChannelKeys, rotateChannelKey } from '../../src/cosigner/channelKeys.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Connection } from '../../src/device/connection.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochBody, epochRecord } from '../../src/protocol/epoch.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { newWords } from '../../src/recovery/words.ts';
import { type Running, removeFolder, START, startCosigner, testFolder } from '../support/cosigner.ts';
import { type Death, databaseOf, Killed, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { askForKit, askToReturn, MovedClock, Page, replaceKit, takePlace } from '../support/returning.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const DAY = 86_400_000;

let folders: [string, string];
let clock: MovedClock;
let running: Running;
let next: Running;
let words: string[];
let profile: Profile;
let address: string;

beforeEach(async () => {
  folders = [testFolder(), testFolder()];
  clock = new MovedClock(START);
  running = await startCosigner({ folder: folders[0], clock });
  next = await startCosigner({ folder: folders[1], clock });
  await freshWallet();
});
afterEach(async () => {
  await running.stop();
  await next.stop();
  for (const folder of folders) removeFolder(folder);
});

async function freshWallet(): Promise<void> {
  words = newWords();
  profile = newProfile();
  profile.clock.wall = clock.time;
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running), words);
  ({ address } = await worker.call('receiveAddress', null));
  worker.kill();
}

/** Null for a worker that died; what else went wrong is told. */
function unlessKilled(e: unknown): null {
  if (e instanceof Killed) return null;
  throw e;
}

/** A life of the worker, unlocked. */
async function awake(death?: Death): Promise<Worker> {
  profile.clock.wall = clock.time;
  const worker = await Worker.start(profile, death === undefined ? {} : { death });
  if ((await worker.call('state', null)).phase === 'locked')
    await worker.call('unlock', { password: PASSWORD });
  return worker;
}

/** In step with its cosigner, in this epoch or a later one. */
async function ensureWell(worker: Worker, epoch: number): Promise<void> {
  await worker.call('refresh', null);
  await vi.waitFor(
    async () => {
      const state = await worker.call('state', null);
      expect(state).toMatchObject({ phase: 'unlocked', wallet: { syncError: null } });
      if (state.phase !== 'unlocked') return;
      expect(state.wallet.epoch.number).toBeGreaterThanOrEqual(epoch);
    },
    { timeout: 60_000 },
  );
  expect((await worker.call('receiveAddress', null)).address).toBe(address);
}

async function drill(worker: Worker, by: readonly string[]): Promise<unknown> {
  const { message } = await worker.call('drillRequest', null);
  return worker.call('drillFinish', { message: await new Page(by).answer(message) });
}

/** What changed the shares, by the device's records; whose shares are here; what the cosigner signs in; keys that it has. */
async function standing() {
  const db = await databaseOf(profile);
  const [records, shares] = [await db.all('records'), await db.all('shares')];
  const { wallet } = (await db.get('vault', 'vault'))!;
  db.close();
  return {
    changes: records.map(({ record }) => decode(epochBody, decode(epochRecord, record).body).change.kind),
    shares: shares.map(({ epoch }) => epoch),
    theirs: await running.cosigner.store.viewWallet(wallet, async (view) => view.wallet.epoch),
    keys: keysIn(folders[0]).length,
  };
}
const keysIn = (folder: string) => readdirSync(join(folder, 'epoch-keys'));

/** The repair is over, and this epoch comes by itself: no page asks for anything but the state. */
async function follows(worker: Worker, number = 1): Promise<void> {
  await vi.waitFor(
    async () => {
      const state = await worker.call('state', null);
      expect(state).toMatchObject({ wallet: { epoch: { number, underWay: false, unfinished: false } } });
    },
    { timeout: 60_000 },
  );
}

describe('a lost device', () => {
  test('new shares follow at once, without anybody asking for them', async () => {
    profile = newProfile();
    const worker = await awake();
    await askToReturn(worker, running, words);
    await clock.pass(running, 7 * DAY);
    profile.clock.wall = clock.time;
    await takePlace(worker, words);
    await follows(worker);
    expect(await standing()).toMatchObject({ changes: ['repair', 'refresh'], shares: [1], theirs: 1 });
    worker.kill();
  });
});

describe('a lost kit', () => {
  test('attack-23 device and cosigner make a new one after the delay; the old words can do nothing', async () => {
    const kit = newWords();
    let worker = await awake();
    await drill(worker, words);
    await askForKit(worker, kit);
    await expect(replaceKit(worker, kit)).rejects.toEqual(code('CeremonyWaits'));
    worker.kill();
    await clock.pass(running, 7 * DAY);
    worker = await awake();
    expect(await worker.call('kit', null)).toMatchObject({ ceremony: { phase: 'ripe' } });
    await expect(replaceKit(worker, newWords())).rejects.toEqual(code('BadWords'));
    expect(await standing()).toEqual({ changes: [], shares: [0], theirs: 0, keys: 1 });
    await replaceKit(worker, kit);
    expect(await worker.call('kit', null)).toEqual({ ceremony: null });
    // One commit, and the shares that the old paper fits are gone when it is done.
    expect(await standing()).toEqual({ changes: ['kit'], shares: [1], theirs: 1, keys: 1 });
    await ensureWell(worker, 1);

    await drill(worker, kit);
    await expect(drill(worker, words)).rejects.toEqual(code('BadWords'));
    worker.kill();
    const thief = await Worker.start(newProfile());
    await expect(askToReturn(thief, running, words)).rejects.toEqual(code('SessionUnknown'));
    thief.kill();
  });

  test('attack-16 a refresh that came in between is not undone: its shares stay, and the kit begins again', async () => {
    const kit = newWords();
    const asking = await awake();
    await askForKit(asking, kit);
    asking.kill();
    await clock.pass(running, 7 * DAY);
    const worker = await awake();
    const page = new Page(kit);
    const { message } = await worker.call('kitStart', null);
    const sums = await worker.call('kitAnswer', { message: await page.answer(message) });
    const held = await page.answer(sums.message!);
    await worker.call('refreshShares', null);
    expect(await standing()).toMatchObject({ changes: ['refresh'], shares: [1], theirs: 1 });
    await expect(worker.call('kitAnswer', { message: held })).rejects.toEqual(code('SessionUnknown'));
    expect(await standing()).toMatchObject({ changes: ['refresh'], shares: [1], theirs: 1 });
    await drill(worker, words);
    await replaceKit(worker, kit);
    expect(await standing()).toMatchObject({ changes: ['refresh', 'kit'], shares: [2], theirs: 2 });
    await drill(worker, kit);
    worker.kill();
  });

  for (const when of ['before', 'after'] as const)
    test(`attack-18 a worker killed ${when} any of its writes and frames: one kit opens, and it is the new one`, {
      timeout: 600_000,
    }, async () => {
      for (const by of ['write', 'frame'] as const)
        for (let at = 1, done = false; !done; at++) {
          const kit = newWords();
          await freshWallet();
          const asking = await awake();
          await askForKit(asking, kit);
          asking.kill();
          await clock.pass(running, 7 * DAY);
          const again = async (death?: Death) => {
            const worker = await awake(death);
            try {
              if ((await worker.call('kit', null)).ceremony?.phase === 'ripe') await replaceKit(worker, kit);
              return worker;
            } catch (e) {
              worker.kill();
              throw e;
            }
          };
          const first = await again({ by, at, when }).catch(unlessKilled);
          done = first !== null;
          first?.kill();
          // Whoever knows of the new kit knows of its epoch, and has its share.
          const { changes, shares, theirs } = await standing();
          expect([[], ['kit']]).toContainEqual(changes);
          expect(shares).toContain(theirs);
          expect(theirs).toBeGreaterThanOrEqual(changes.length);
          const worker = await again();
          await ensureWell(worker, 1);
          await vi.waitFor(async () =>
            expect(await standing()).toMatchObject({ changes: ['kit'], shares: [1], theirs: 1 }),
          );
          await drill(worker, kit);
          await expect(drill(worker, words)).rejects.toEqual(code('BadWords'));
          worker.kill();
        }
    });
});

describe('another cosigner', () => {
  async function move(worker: Worker, uri?: string): Promise<void> {
    const page = new Page(words);
    const begun = await worker.call('moveStart', { uri: uri ?? (await linkOf(next)) });
    let message: Uint8Array | null = begun.message;
    while (message !== null) {
      ({ message } = await worker.call('moveAnswer', { message: await page.answer(message) }));
    }
  }
  test('attack-23 device and words move to another one; the old one is told and forgets its share', async () => {
    const worker = await awake();
    await move(worker);
    expect(await worker.call('state', null)).toMatchObject({
      wallet: { cosignerHost: `127.0.0.1:${next.listener.port}` },
    });
    await ensureWell(worker, 1);
    await vi.waitFor(() => expect(keysIn(folders[0])).toEqual([]), { timeout: 60_000 });
    await oldIsTold(worker);
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
    await ensureWell(worker, 1);
    await drill(worker, words);
    worker.kill();
  });

  test('attack-23 from a dead one, and its policy comes along as the device holds it', async () => {
    const worker = await awake();
    const rules = await worker.call('rules', null);
    await worker.call('setRules', { ...rules, perTransaction: 5000n });
    await worker.call('refresh', null);
    await running.stop();
    await move(worker);
    await ensureWell(worker, 1);
    expect(await worker.call('rules', null)).toMatchObject({ perTransaction: 5000n });
    expect(await worker.call('moving', null)).toEqual({ to: `127.0.0.1:${next.listener.port}` });
    worker.kill();
    // It comes back: at the next unlock it hears of it.
    running = await startCosigner({ folder: folders[0], clock });
    expect(keysIn(folders[0])).toHaveLength(1);
  });

  test('attack-23 from a dead one to one at its very address: the receipts begin anew, and none is missed', async () => {
    const { port } = running.listener;
    let worker = await awake();
    const tighten = async (perTransaction: bigint) =>
      worker.call('setRules', { ...(await worker.call('rules', null)), perTransaction });
    await tighten(5000n);
    await tighten(4000n);
    expect(await worker.call('receipts', null)).toMatchObject({ total: 2, broken: false });
    await running.stop();
    await next.stop();
    next = await startCosigner({ folder: folders[1], clock, port });
    await move(worker);
    await follows(worker);
    await tighten(3000n);
    const anew = { total: 1, broken: false };
    expect(await worker.call('receipts', null)).toMatchObject(anew);
    worker.kill();
    // The old one was never told, so this is still known at the next start; the chain that was begun goes on.
    worker = await awake();
    await tighten(2000n);
    expect(await worker.call('receipts', null)).toMatchObject({ total: 2, broken: false });
    const db = await databaseOf(profile);
    expect(await db.get('wallet', 'wallet')).toMatchObject({ receipts: { sequence: 2 } });
    db.close();
    worker.kill();
  });

  for (const when of ['before', 'after'] as const)
    test(`attack-18 a worker killed ${when} any of its writes and frames: one cosigner has the wallet, and signs`, {
      timeout: 300_000,
    }, async () => {
      for (const by of ['write', 'frame'] as const)
        for (let at = 1, done = false; !done; at++) {
          await freshWallet();
          const again = async (death?: Death) => {
            const worker = await awake(death);
            try {
              await worker.call('moveResume', null);
              // A late word of the life before may have taken the place of this one's: the person begins again.
              if (!(await isMoved(worker)))
                await move(worker).catch((e) => {
                  if (e instanceof Killed || !/WrongSession/.test(String(e))) throw e;
                  return move(worker);
                });
              return worker;
            } catch (e) {
              worker.kill();
              throw e;
            }
          };
          const first = await again({ by, at, when }).catch(unlessKilled);
          done = first !== null;
          first?.kill();
          const worker = await again();
          expect(await isMoved(worker)).toBe(true);
          await ensureWell(worker, 1);
          await drill(worker, words);
          await oldIsTold(worker);
          worker.kill();
        }
      // Each was told in the end; the first wallet never moved.
      await vi.waitFor(() => expect(keysIn(folders[0])).toHaveLength(1), { timeout: 60_000 });
    });

  /** It answers by itself, when it gets to it. */
  async function oldIsTold(worker: Worker): Promise<void> {
    const told = async () => expect(await worker.call('moving', null)).toEqual({ to: null });
    await vi.waitFor(told, { timeout: 60_000 });
  }

  async function isMoved(worker: Worker): Promise<boolean> {
    const state = await worker.call('state', null);
    if (state.phase !== 'unlocked') throw new Error(state.phase);
    return state.wallet.cosignerHost === `127.0.0.1:${next.listener.port}`;
  }

  test('new shares follow at once, without anybody asking for them', async () => {
    const worker = await awake();
    await move(worker);
    await follows(worker);
    // Also where the move came to its end in another session than it was approved in.
    await freshWallet();
    const cut = await awake();
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      asked,
      ...kinds
    ) {
      if (asked.kind !== 'takeoverApprove') return original.call(this, asked, ...kinds) as never;
      this.close();
      throw new HoarfrostError('ChannelClosed');
    });
    await expect(move(cut)).rejects.toEqual(code('ChannelClosed'));
    vi.restoreAllMocks();
    expect(await cut.call('moveResume', null)).toEqual({ done: true });
    await follows(cut);
    for (const each of [worker, cut]) each.kill();
  });

  test('attack-23 and back again, to the one that was left, which is told of nothing but the last move', async () => {
    const worker = await awake();
    await worker.call('refreshShares', null);
    await move(worker);
    // Without new shares there it would not be taken back.
    await follows(worker, 2);
    await oldIsTold(worker);
    expect(keysIn(folders[0])).toEqual([]);
    await move(worker, await linkOf(running));
    expect(await worker.call('state', null)).toMatchObject({
      wallet: { cosignerHost: `127.0.0.1:${running.listener.port}` },
    });
    await ensureWell(worker, 3);
    await oldIsTold(worker);
    await vi.waitFor(() => expect(keysIn(folders[1])).toEqual([]), { timeout: 60_000 });
    expect(await standing()).toMatchObject({
      changes: ['refresh', 'repair', 'refresh', 'repair', 'refresh'],
      shares: [3],
      theirs: 3,
      keys: 1,
    });
    await drill(worker, words);
    worker.kill();
  });

  test('audit-01 and back to one that has changed its channel key meanwhile: what it said before counts for nothing', async () => {
    const { port } = running.listener;
    const rotate = async (number: number) => {
      expect(await rotateChannelKey(folders[0], number - 1, systemRandom)).toBe(number);
      await running.stop();
      running = await startCosigner({ folder: folders[0], clock, port });
      const { noise } = running.cosigner.identity.channelKeys.at(-1)!;
      await running.cosigner.store.announce({ number, noiseKey: noise.publicKey });
      return hex.encode(noise.publicKey);
    };
    const fingerprint = async (of = worker) => {
      const state = await of.call('state', null);
      return state.phase === 'unlocked' ? state.wallet.fingerprint : state.phase;
    };
    const first = await rotate(1);
    const worker = await awake();
    await ensureWell(worker, 0);
    expect(await fingerprint()).toBe(first);
    await move(worker);
    await follows(worker);
    await oldIsTold(worker);
    const second = await rotate(2);
    await retireChannelKeys(folders[0], 2);
    await running.stop();
    running = await startCosigner({ folder: folders[0], clock, port });
    await move(worker, await linkOf(running));
    await ensureWell(worker, 2);
    expect(await fingerprint()).toBe(second);
    worker.kill();
    const again = await awake();
    await ensureWell(again, 2);
    expect(await fingerprint(again)).toBe(second);
    again.kill();
  });

  test('only by its own link, with the words of this wallet', async () => {
    const worker = await awake();
    const used = await linkOf(next, 'never-made');
    await expect(move(worker, used)).rejects.toEqual(code('TokenUnknown'));
    await expect(move(worker, await linkOf(running))).rejects.toEqual(code('AlreadyPaired'));
    const mixed = (await linkOf(next)).replace(/h=[0-9a-f]{64}/, `h=${'5'.repeat(64)}`);
    await expect(move(worker, mixed)).rejects.toEqual(code('BadSignature'));
    const begun = await worker.call('moveStart', { uri: await linkOf(next) });
    await expect(new Page(newWords()).answer(begun.message)).rejects.toEqual(code('BadWords'));
    const junk = encode(offlineMessage, { kind: 'repairSummed', sum: new Uint8Array(3) });
    expect(decode(offlineMessage, begun.message)).toMatchObject({ kind: 'repairOffer', target: 2 });
    await expect(worker.call('moveAnswer', { message: junk })).rejects.toEqual(code('WrongSession'));
    await ensureWell(worker, 0);
    worker.kill();
  });
});
