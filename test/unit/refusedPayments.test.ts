/** attack: a cosigner, or its chain, says that it could not send, keeps the transaction, and sends it once another has paid. */
import { hex } from '@scure/base';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import type { Coin } from '../../src/bitcoin/psbt.ts';
import { outpointText, parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import type { AccountScan } from '../../src/chain/source.ts';
import type { PaymentProgress } from '../../src/device/port.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';
import { strangerScript } from '../support/payments.ts';

const payee = addressOf(PAYEE, 'regtest')!;
const other = addressOf(strangerScript, 'regtest')!;

let folder: string;
let running: Running;
let profile: Profile;
let worker: Worker;
let coins: Coin[];
/** What the cosigner kept. */
let kept: Uint8Array[];
let refusing: boolean;

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running));
  coins = [50_000n, 60_000n, 70_000n, 80_000n].map((value, index) => ({
    outpoint: { txid: `${index + 1}`.repeat(64), vout: 0 },
    value,
    branch: 0,
    index,
    height: 10,
    coinbase: false,
  }));
  kept = [];
  refusing = true;
  running.chain.broadcast = async (transaction) => {
    if (refusing) {
      kept.push(transaction);
      throw new HoarfrostError('BroadcastRejected');
    }
    running.chain.sent.push(transaction);
    return hex.encode(txidOf(parseTransaction(transaction)));
  };
  await look({ coins, nextReceive: 4 });
});
afterEach(async () => {
  worker.kill();
  await running.stop();
  removeFolder(folder);
});

async function look(change: Partial<AccountScan>): Promise<void> {
  running.chain.scanned = { ...running.chain.scanned, ...change };
  await worker.call('refresh', null);
}
const draft = (amount: bigint | 'all', address = payee) =>
  worker.call('draft', { address, amount, feeRate: 2000 });
async function pay(request: string): Promise<PaymentProgress> {
  await worker.call('press', { request });
  return vi.waitFor(async () => {
    const progress = await worker.call('payment', { request });
    expect(['broadcast', 'failed', 'requested']).toContain(progress.state);
    return progress;
  }, 60_000);
}
/** A payment that is signed and refused. */
async function refused(amount: bigint, address = payee) {
  const { request } = await draft(amount, address);
  const progress = await pay(request);
  expect(progress).toMatchObject({ state: 'failed', error: 'BroadcastRejected', txid: expect.any(String) });
  return request;
}
const spentBy = (transaction: Uint8Array) =>
  parseTransaction(transaction).inputs.map(({ outpoint }) => outpointText(outpoint));
const inputsOf = (review: { inputs: { txid: string; vout: number }[] }) => review.inputs.map(outpointText);
const shares = (a: string[], b: string[]) => a.some((outpoint) => b.includes(outpoint));

test('sent anew, it shares a coin with what was refused: only one of the two can happen', async () => {
  await refused(30_000n);
  expect(kept.map(spentBy)).toEqual([[outpointText(coins[0]!.outpoint)]]);
  // By itself each of these would take other coins.
  for (const amount of [55_000n, 65_000n, 75_000n, 150_000n, 'all'] as const) {
    for (const address of [payee, other]) {
      const review = await draft(amount, address);
      expect(inputsOf(review)).toContain(outpointText(coins[0]!.outpoint));
      expect(review.firstTime).toBe(true);
    }
  }
  refusing = false;
  expect(await pay((await draft(75_000n)).request)).toMatchObject({ state: 'broadcast' });
  expect(shares(spentBy(running.chain.sent[0]!), spentBy(kept[0]!))).toBe(true);
  // Settled by that one: a further payment is free.
  expect(inputsOf(await draft(30_000n))).not.toContain(outpointText(coins[0]!.outpoint));
});

test('refused again and again, each shares a coin with every one before it', async () => {
  await refused(30_000n);
  await refused(75_000n);
  await refused(150_000n, other);
  refusing = false;
  await pay((await draft(20_000n)).request);
  const [paid] = running.chain.sent.map(spentBy);
  expect(kept).toHaveLength(3);
  for (const transaction of kept) expect(shares(paid!, spentBy(transaction))).toBe(true);
});

test('it holds over a restart, and a refused payment cannot be discarded', async () => {
  const request = await refused(30_000n);
  await worker.call('discard', { request });
  worker.kill();
  worker = await Worker.start(profile);
  expect(inputsOf(await draft(75_000n))).toContain(outpointText(coins[0]!.outpoint));
});

test('once the chain shows one of its coins spent by another, payments are free', async () => {
  await refused(30_000n);
  const transaction = kept[0]!.slice();
  // Another locktime: another transaction that spends the same coin.
  transaction[transaction.length - 1]! ^= 1;
  const txid = hex.encode(txidOf(parseTransaction(transaction)));
  const entry = { txid, height: 11, time: 1, received: 0n, sent: 50_000n, fee: null, transaction };
  await look({ coins: coins.slice(1), history: [entry] });
  expect(inputsOf(await draft(75_000n))).toEqual([outpointText(coins[3]!.outpoint)]);
});

test('MayPayTwice: its coin is gone and nothing shows who spent it; others can be paid', async () => {
  await refused(30_000n);
  await look({ coins: coins.slice(1) });
  await expect(draft(75_000n)).rejects.toMatchObject({ code: 'MayPayTwice' });
  expect(inputsOf(await draft(75_000n, other))).toEqual([outpointText(coins[3]!.outpoint)]);
});

test('MayPayTwice: a draft from before the refusal, with other coins', async () => {
  const early = await draft(75_000n);
  const elsewhere = await draft(65_000n, other);
  await refused(30_000n);
  await expect(worker.call('press', { request: early.request })).rejects.toMatchObject({
    code: 'MayPayTwice',
  });
  refusing = false;
  expect(await pay(elsewhere.request)).toMatchObject({ state: 'broadcast' });
});
