/** A device that can pay, with a real cosigner behind it: what tests of payments begin with. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import type { Coin } from '../../src/bitcoin/psbt.ts';
import { keyPathSighash } from '../../src/bitcoin/sighash.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import { Connection } from '../../src/device/connection.ts';
import type { PaymentProgress } from '../../src/device/port.ts';
import { type KeyRecord, verifyCertificate } from '../../src/frost/keygen.ts';
import type { Answer, Request } from '../../src/protocol/messages.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from './cosigner.ts';
import { newProfile, type Profile, Worker } from './deviceHost.ts';
import { linkOf, onboard } from './onboard.ts';

export const payee = addressOf(PAYEE, 'regtest')!;
export const COIN = 500_000n;

let folder: string;
export let running: Running;
export let profile: Profile;
export let keys: KeyRecord;
export let coins: Coin[];

/** For each test of a file a new cosigner, and a device with three coins. */
export function useThreeCoins(): void {
  beforeEach(async () => {
    folder = testFolder();
    running = await startCosigner({ folder });
    profile = newProfile();
    profile.clock.wall = Date.now();
    const worker = await Worker.start(profile);
    keys = verifyCertificate(await load(), await onboard(worker, await linkOf(running)));
    coins = [0, 1, 2].map((index) => ({
      outpoint: { txid: `${index + 1}`.repeat(64), vout: index },
      value: COIN,
      branch: 0,
      index,
      height: 10 + index,
      coinbase: false,
    }));
    running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 3 };
    running.chain.broadcast = async (transaction) => {
      running.chain.sent.push(transaction);
      return hex.encode(txidOf(parseTransaction(transaction)));
    };
    await worker.call('refresh', null);
    worker.kill();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await running.stop();
    removeFolder(folder);
  });
}

const account = () => ({
  network: keys.network,
  groupKey: keys.groupKey,
  chainCode: keys.chainCode,
  account: 0,
});
/** Of 2 sat/vB. */
export const draft = (worker: Worker, amount: bigint | 'all' = 100_000n, address = payee) =>
  worker.call('draft', { address, amount, feeRate: 2000 });

/** Until the payment rests. */
export async function settled(worker: Worker, request: string): Promise<PaymentProgress> {
  const resting = ['broadcast', 'failed', 'requested'];
  const deadline = Date.now() + 60_000;
  for (;;) {
    const progress = await worker.call('payment', { request });
    if (resting.includes(progress.state)) return progress;
    if (Date.now() > deadline) throw new Error(`still ${progress.state} (${progress.error})`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What the node would check: every witness is one signature under the coin's own output key (BIP-341). */
export function verifyPaid(transaction: Uint8Array): bigint {
  const tx = parseTransaction(transaction);
  const spent = tx.inputs.map(({ outpoint }) => {
    const coin = coins.find((c) => c.outpoint.txid === outpoint.txid && c.outpoint.vout === outpoint.vout)!;
    return { coin, key: deriveKey(account(), coin.branch, coin.index) };
  });
  const sighash = keyPathSighash(
    tx,
    spent.map(({ coin, key }) => ({ value: coin.value, script: key.script })),
  );
  for (const [i, { key }] of spent.entries()) {
    const { witness } = tx.inputs[i]!;
    expect(witness).toHaveLength(1);
    expect(schnorr.verify(witness[0]!, sighash(i, 0), key.outputKey)).toBe(true);
  }
  return tx.outputs.find(({ script }) => hex.encode(script) === hex.encode(PAYEE))!.value;
}

/** Every signing request that leaves a device, as the cosigner gets it; and a cosigner that answers otherwise. */
export function onWire(change: (answer: Answer, asked: Request) => Answer | Promise<Answer> = (a) => a) {
  const bodies: Uint8Array[] = [];
  const original = Connection.prototype.request;
  vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
    this: Connection,
    asked: Request,
    ...kinds
  ) {
    if (asked.kind === 'sign') bodies.push(asked.body);
    return (await change(await original.call(this, asked, ...kinds), asked)) as never;
  });
  return bodies;
}

export async function receiptCount(): Promise<number> {
  return running.cosigner.store.viewWallet(keys.wallet, async (view) => (await view.receipts(0, 256)).length);
}
