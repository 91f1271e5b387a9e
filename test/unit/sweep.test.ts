/** The sweep to a new key against a real cosigner: every coin, to nobody else, wherever the worker dies. */
import { hex } from '@scure/base';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import type { Coin } from '../../src/bitcoin/psbt.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import { openGenerations, sessionOf } from '../../src/device/generations.ts';
import type { Succession } from '../../src/device/handlers/subject.ts';
import type { RouteView } from '../../src/device/port.ts';
import { type KeyRecord, verifyCertificate } from '../../src/frost/keygen.ts';
import { type Bytes, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import {
  type Death,
  databaseOf,
  environmentOf,
  Killed,
  newProfile,
  type Profile,
  Worker,
} from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const COIN = 300_000n;
const FEE_RATE = 2000;

let folder: string;
let running: Running;
let profile: Profile;
let successor: Bytes;
let succeeded: number;
let inherited: RouteView[];
let generations: Succession;

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  const next = await Worker.start(newProfile());
  successor = await onboard(next, await linkOf(running));
  next.kill();
  succeeded = 0;
  inherited = [];
  generations = {
    hasFormer: false,
    successor: async () => successor,
    bequeath: async (route) => void inherited.push(route),
    succeed: async () => void succeeded++,
  };
  const worker = await start();
  await onboard(worker, await linkOf(running));
  hold([coin(0), coin(1)]);
  running.chain.broadcast = async (transaction) => {
    running.chain.sent.push(transaction);
    return hex.encode(txidOf(parseTransaction(transaction)));
  };
  await worker.call('refresh', null);
  worker.kill();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

const start = (death?: Death) =>
  Worker.start(profile, { generations, ...(death === undefined ? {} : { death }) });
const coin = (index: number, height = 10): Coin => ({
  outpoint: { txid: `${index + 1}`.repeat(64), vout: 0 },
  value: COIN,
  branch: 0,
  index,
  height,
  coinbase: false,
});

/** What the chain says from now on: these coins, and everything sent so far in a block. */
function hold(coins: Coin[]): void {
  const history = running.chain.sent.map((transaction) => ({
    txid: hex.encode(txidOf(parseTransaction(transaction))),
    height: 20,
    time: 1_790_000_000_000,
    received: 0n,
    sent: COIN,
    fee: 500n,
    transaction,
  }));
  running.chain.scanned = { ...running.chain.scanned, coins, history, nextReceive: 3 };
}

async function scriptOfSuccessor(index: number): Promise<string> {
  const key: KeyRecord = verifyCertificate(await load(), successor);
  const { network, groupKey, chainCode } = key;
  return hex.encode(deriveKey({ network, groupKey, chainCode, account: 0 }, 0, index).script);
}

async function send(worker: Worker): Promise<void> {
  const { request } = await worker.call('sweepDraft', { feeRate: FEE_RATE });
  await worker.call('press', { request });
  await settled(worker, request);
}

async function settled(worker: Worker, request: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { state, error } = await worker.call('payment', { request });
    if (state === 'broadcast') return;
    if (state === 'failed' || Date.now() > deadline) throw new Error(`${state} ${error}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('every coin goes to the new key, each payment to an address of its own, and only then is it in use', async () => {
  const worker = await start();
  expect(await worker.call('sweep', null)).toBeNull();
  await expect(worker.call('sweepDraft', { feeRate: FEE_RATE })).rejects.toEqual(code('SessionUnknown'));
  expect(await worker.call('sweepAdopt', null)).toEqual({
    stage: 'move',
    coins: 2,
    left: 2n * COIN,
    underWay: 0,
    moved: 0n,
  });
  const state = await worker.call('state', null);
  expect(state.phase === 'unlocked' && state.wallet.sweeping).toBe(true);

  await send(worker);
  const [first] = running.chain.sent.map((tx) => parseTransaction(tx));
  expect(first!.inputs).toHaveLength(2);
  expect(first!.outputs.map(({ script }) => hex.encode(script))).toEqual([await scriptOfSuccessor(0)]);
  expect(await worker.call('sweep', null)).toMatchObject({ stage: 'wait', coins: 0, left: 0n, underWay: 1 });
  await expect(worker.call('sweepFinish', null)).rejects.toEqual(code('Pending'));
  expect(succeeded).toBe(0);

  // Somebody still pays to the old key, and it is not in a block.
  hold([coin(2, 0)]);
  await worker.call('refresh', null);
  expect(await worker.call('sweep', null)).toMatchObject({ stage: 'wait', coins: 1 });
  hold([coin(2)]);
  await expect(worker.call('sweepFinish', null)).rejects.toEqual(code('Pending'));
  await send(worker);
  expect(parseTransaction(running.chain.sent[1]!).outputs.map(({ script }) => hex.encode(script))).toEqual([
    await scriptOfSuccessor(1),
  ]);

  // What is worth less than its own fee stays and keeps nobody.
  hold([{ ...coin(3), value: 300n }]);
  await worker.call('refresh', null);
  expect(await worker.call('sweep', null)).toMatchObject({ stage: 'done', coins: 1, underWay: 0 });
  await worker.call('sweepFinish', null);
  expect(succeeded).toBe(1);
});

test('the route that the user chose goes along to the new key', async () => {
  const worker = await start();
  await worker.call('sweepAdopt', null);
  expect(inherited).toEqual([]);
  await worker.call('setRoute', { url: 'https://esplora.example/api' });
  await worker.call('sweepAdopt', null);
  const first = { url: 'https://esplora.example/api', ours: true };
  expect(inherited).toEqual([first]);
  // Hours pass until the coins have moved, and so may the user's mind.
  hold([]);
  await worker.call('refresh', null);
  const url = 'https://later.example/api';
  await worker.call('setRoute', { url });
  await worker.call('sweepFinish', null);
  expect(inherited).toEqual([first, { url, ours: true }]);
  expect(succeeded).toBe(1);
});

test('the key itself is not its own successor', async () => {
  const worker = await start();
  const wallet = await (await databaseOf(profile)).get('wallet', 'wallet');
  successor = wallet!.certificate;
  await expect(worker.call('sweepAdopt', null)).rejects.toEqual(code('WalletExists'));
  expect(await worker.call('sweep', null)).toBeNull();
});

test('a successor that somebody wrote into the profile gets nothing', async () => {
  const worker = await start();
  await worker.call('sweepAdopt', null);
  const db = await databaseOf(profile);
  const { seal } = (await db.get('sweep', 'sweep'))!;
  const thief = await Worker.start(newProfile());
  const certificate = await onboard(thief, await linkOf(running));
  await db.write([{ store: 'sweep', key: 'sweep', value: { certificate, seal } }]);
  await expect(worker.call('sweep', null)).rejects.toEqual(code('VaultDamaged'));
  await expect(worker.call('sweepDraft', { feeRate: FEE_RATE })).rejects.toEqual(code('VaultDamaged'));
  await expect(worker.call('sweepFinish', null)).rejects.toEqual(code('VaultDamaged'));
  expect(succeeded).toBe(0);
});

describe('a worker killed at any write', () => {
  for (const when of ['before', 'after'] as const)
    for (const at of [1, 2, 3, 4, 5])
      test(`${when} write ${at}: it goes on, and every coin moves once`, async () => {
        const dying = await start({ by: 'write', at, when });
        const road = async () => {
          await dying.call('sweepAdopt', null);
          await send(dying);
        };
        await road().catch((e) => expect(e).toBeInstanceOf(Killed));
        dying.kill();

        const worker = await start();
        if ((await worker.call('sweep', null)) === null) await worker.call('sweepAdopt', null);
        // What was pressed goes on by itself; what was not is pressed now.
        const deadline = Date.now() + 60_000;
        while (running.chain.sent.length === 0 && Date.now() < deadline) {
          const view = await worker.call('sweep', null);
          if (view?.stage === 'move') await send(worker);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        hold([]);
        await worker.call('refresh', null);
        expect(await worker.call('sweep', null)).toMatchObject({ stage: 'done', coins: 0 });
        const sent = new Set(running.chain.sent.map((tx) => hex.encode(txidOf(parseTransaction(tx)))));
        expect(sent.size).toBe(1);
        worker.kill();
      });
});

test('generations: one number says which wallet is in use, and it is durable', async () => {
  globalThis.indexedDB = new IDBFactory();
  const first = await openGenerations();
  expect(first.hasFormer).toBe(false);
  const names = (of: typeof first) => [
    of.databaseOf('former'),
    of.databaseOf('current'),
    of.databaseOf('next'),
  ];
  expect(names(first)).toEqual([null, 'hoarfrost', 'hoarfrost-1']);
  await first.succeed();
  expect(names(first)).toEqual(['hoarfrost', 'hoarfrost-1', 'hoarfrost-2']);
  const again = await openGenerations();
  expect(again.hasFormer).toBe(true);
  expect(names(again)).toEqual(names(first));
});

test('generations: what one keeps of the session another does not see', async () => {
  const { session } = environmentOf(newProfile());
  const old = sessionOf(session, 'hoarfrost');
  const young = sessionOf(session, 'hoarfrost-1');
  await old.set('unlocked', 'a');
  expect(await young.get('unlocked')).toBeNull();
  await young.set('unlocked', 'b');
  await young.remove('unlocked');
  expect(await old.get('unlocked')).toBe('a');
});
