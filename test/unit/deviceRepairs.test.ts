/** A new kit, and another cosigner, from the device's side: real cosigners over TLS, the recovery page's own steps, and workers that die. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { decode, encode } from '../../src/protocol/codec.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { newWords } from '../../src/recovery/words.ts';
import { type Running, removeFolder, START, startCosigner, testFolder } from '../support/cosigner.ts';
import { type Death, Killed, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { askToReturn, MovedClock, Page } from '../support/returning.ts';

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
  words = newWords();
  profile = newProfile();
  profile.clock.wall = START;
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running), words);
  ({ address } = await worker.call('receiveAddress', null));
  worker.kill();
});
afterEach(async () => {
  await running.stop();
  await next.stop();
  for (const folder of folders) removeFolder(folder);
});

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
    { timeout: 15_000 },
  );
  expect((await worker.call('receiveAddress', null)).address).toBe(address);
}

async function drill(worker: Worker, by: readonly string[]): Promise<unknown> {
  const { message } = await worker.call('drillRequest', null);
  return worker.call('drillFinish', { message: await new Page(by).answer(message) });
}

describe('a lost kit', () => {
  /** New words are made, and the device asks for them. */
  async function ask(worker: Worker, kit: readonly string[]): Promise<void> {
    const { message } = await worker.call('kitWords', null);
    const { phase } = await worker.call('kitAsk', { message: await new Page(kit).answer(message) });
    expect(phase).toBe('waiting');
  }
  async function replace(worker: Worker, kit: readonly string[]): Promise<void> {
    const page = new Page(kit);
    let { message }: { message: Uint8Array | null } = await worker.call('kitStart', null);
    while (message !== null) {
      ({ message } = await worker.call('kitAnswer', { message: await page.answer(message) }));
    }
  }

  test('attack-23 device and cosigner make a new one after the delay; the old words can do nothing', async () => {
    const kit = newWords();
    let worker = await awake();
    await drill(worker, words);
    await ask(worker, kit);
    await expect(replace(worker, kit)).rejects.toEqual(code('CeremonyWaits'));
    worker.kill();
    await clock.pass(running, 7 * DAY);
    worker = await awake();
    expect(await worker.call('kit', null)).toMatchObject({ ceremony: { phase: 'ripe' } });
    await expect(replace(worker, newWords())).rejects.toEqual(code('BadWords'));
    await replace(worker, kit);
    expect(await worker.call('kit', null)).toEqual({ ceremony: null });
    await ensureWell(worker, 1);

    await drill(worker, kit);
    await expect(drill(worker, words)).rejects.toEqual(code('BadWords'));
    worker.kill();
    const thief = await Worker.start(newProfile());
    await expect(askToReturn(thief, running, words)).rejects.toEqual(code('SessionUnknown'));
    thief.kill();
  });

  test('attack-18 a worker killed at any write or frame leaves one kit that opens, and never two', {
    timeout: 300_000,
  }, async () => {
    const kit = newWords();
    let worker = await awake();
    await ask(worker, kit);
    worker.kill();
    await clock.pass(running, 7 * DAY);
    const deaths: Death[] = [
      { by: 'write', at: 1, when: 'before' },
      { by: 'write', at: 1, when: 'after' },
      ...Array.from(
        { length: 14 },
        (_, i): Death => ({ by: 'frame', at: i + 3, when: i % 2 ? 'before' : 'after' }),
      ),
    ];
    let replaced = false;
    for (const death of deaths) {
      const dying = await awake(death).catch((e) => {
        if (e instanceof Killed) return null;
        throw e;
      });
      if (dying === null) continue;
      try {
        await replace(dying, kit);
        replaced = true;
      } catch (e) {
        // The life before may have done it, and the answer was lost.
        if (!(e instanceof Killed) && !/CeremonyEnded|SessionUnknown|Pending|ChannelClosed/.test(String(e)))
          throw e;
      }
      dying.kill();
      if (replaced) break;
    }
    worker = await awake();
    await ensureWell(worker, 0);
    if (!replaced) await replace(worker, kit).catch(() => {});
    await ensureWell(worker, 1);
    await drill(worker, kit);
    await expect(drill(worker, words)).rejects.toEqual(code('BadWords'));
    worker.kill();
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
  const keysIn = (folder: string) => readdirSync(join(folder, 'epoch-keys'));

  test('attack-23 device and words move to another one; the old one is told and forgets its share', async () => {
    const worker = await awake();
    await move(worker);
    expect(await worker.call('state', null)).toMatchObject({
      wallet: { cosignerHost: `127.0.0.1:${next.listener.port}` },
    });
    await ensureWell(worker, 1);
    await vi.waitFor(() => expect(keysIn(folders[0])).toEqual([]), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await worker.call('moving', null)).toEqual({ to: null }));
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
    await ensureWell(worker, 1);
    await drill(worker, words);
    worker.kill();
  });

  test('attack-23 from a dead one, and its policy comes along as the device holds it', async () => {
    const worker = await awake();
    const rules = await worker.call('rules', null);
    await worker.call('setRules', { ...((rules as any).rules ?? rules), perTransaction: 5000n } as any);
    await worker.call('refresh', null);
    await running.stop();
    await move(worker);
    await ensureWell(worker, 1);
    const after = await worker.call('rules', null);
    expect(JSON.stringify(after, (_, v) => (typeof v === 'bigint' ? `${v}` : v))).toContain(
      '"perTransaction":"5000"',
    );
    expect(await worker.call('moving', null)).toEqual({ to: `127.0.0.1:${next.listener.port}` });
    worker.kill();
    // It comes back: at the next unlock it hears of it.
    running = await startCosigner({ folder: folders[0], clock });
    expect(keysIn(folders[0])).toHaveLength(1);
  });

  test('attack-18 a worker killed at any write or frame has one cosigner afterwards, which signs', {
    timeout: 300_000,
  }, async () => {
    const deaths: Death[] = [
      ...[1, 2, 3, 4, 5].flatMap((at) => [
        { by: 'write', at, when: 'before' } as const,
        { by: 'write', at, when: 'after' } as const,
      ]),
      ...[5, 8, 11, 12, 13, 14].map((at) => ({ by: 'frame', at, when: 'after' }) as const),
    ];
    for (const death of deaths) {
      const dying = await awake(death).catch((e) => {
        if (e instanceof Killed) return null;
        throw e;
      });
      const there = (await stateOf()) === next.listener.port;
      const [to, from] = there ? [running, next] : [next, running];
      if (dying !== null) {
        await move(dying, await linkOf(to)).catch((e) => {
          if (!(e instanceof Killed) && !/WalletExists|AlreadyPaired|Pending|ChannelClosed/.test(String(e)))
            throw e;
        });
        dying.kill();
      }
      expect(from).toBeDefined();
      const worker = await awake();
      await worker.call('moveResume', null).catch(() => {});
      await ensureWell(worker, 0);
      worker.kill();
      if ((await stateOf()) === next.listener.port) break;
    }
    const worker = await awake();
    if ((await stateOf(worker)) !== next.listener.port) await move(worker);
    await ensureWell(worker, 1);
    worker.kill();
  });

  async function stateOf(worker?: Worker): Promise<number> {
    const own = worker ?? (await awake());
    const state = await own.call('state', null);
    if (worker === undefined) own.kill();
    return state.phase === 'unlocked' ? Number(state.wallet.cosignerHost.split(':')[1]) : 0;
  }

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
