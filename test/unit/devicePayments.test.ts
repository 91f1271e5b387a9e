import { hex } from '@scure/base';
import { describe, expect, test, vi } from 'vitest';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { receiptHash } from '../../src/frost/proofs.ts';
import { decode, encode, type TypeOf } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { type Answer, receiptBody } from '../../src/protocol/messages.ts';
import { databaseOf, Worker } from '../support/deviceHost.ts';

import {
  COIN,
  coins,
  draft,
  onWire,
  payee,
  profile,
  receiptCount,
  running,
  settled,
  useThreeCoins,
  verifyPaid,
} from '../support/payingDevice.ts';

const code = (name: string) => expect.objectContaining({ code: name });

useThreeCoins();

test('draft, evaluate, press, broadcast: one signature an input, the amount shown', async () => {
  const worker = await Worker.start(profile);
  const review = await draft(worker, 1_200_000n);
  expect(review).toMatchObject({ address: payee, amount: 1_200_000n, firstTime: true, verdict: null });
  expect(review.inputs).toHaveLength(3);
  expect(review.leaves).toBe(1_200_000n + review.fee);
  expect(review.change).toBe(3n * COIN - review.leaves);
  expect(review.balanceAfter).toBe(3n * COIN - review.leaves);
  expect(await worker.call('evaluate', { request: review.request })).toMatchObject({
    verdict: { kind: 'refuses' },
  });
  await worker.call('discard', { request: review.request });

  const smaller = await draft(worker, 900_000n);
  const { request } = smaller;
  expect(await worker.call('evaluate', { request })).toMatchObject({
    verdict: { kind: 'signs' },
    verdictError: null,
  });
  expect(running.chain.sent).toHaveLength(0);
  expect(await worker.call('press', { request })).toMatchObject({ state: 'pressed' });
  await worker.call('press', { request });
  const done = await settled(worker, request);
  expect(done).toMatchObject({ state: 'broadcast', error: null, verdict: { kind: 'signs' } });
  expect(running.chain.sent).toHaveLength(1);
  expect(verifyPaid(running.chain.sent[0]!)).toBe(900_000n);
  expect(done.txid).toBe(hex.encode(txidOf(parseTransaction(running.chain.sent[0]!))));
  expect(await receiptCount()).toBe(1);

  const state = await worker.call('state', null);
  if (state.phase !== 'unlocked') throw new Error(state.phase);
  expect(state.wallet.activity).toMatchObject([{ id: request, state: 'broadcast', amount: 900_000n }]);
  expect(state.wallet.receiptsBroken).toBe(false);
  const detail = await worker.call('activityDetail', { id: request });
  expect(detail.transaction).toEqual(running.chain.sent[0]);
  expect((await draft(worker, 100n * 1000n)).firstTime).toBe(false);
  worker.kill();
});

test('send all leaves nothing, and coins under way are not spent twice', async () => {
  const worker = await Worker.start(profile);
  const { request, amount, fee, change } = await draft(worker, 'all');
  expect(amount + fee).toBe(3n * COIN);
  expect(change).toBe(0n);
  const rival = await draft(worker, 'all');
  const bodies = onWire((answer, asked) => {
    if (asked.kind === 'sign') throw new HoarfrostError('ChannelClosed');
    return answer;
  });
  await worker.call('press', { request });
  await vi.waitFor(() => expect(bodies.length).toBeGreaterThan(0));
  await expect(draft(worker, 1000n)).rejects.toEqual(code('InsufficientFunds'));
  await expect(worker.call('press', { request: rival.request })).rejects.toEqual(code('InsufficientFunds'));
  worker.kill();
});

test('right after a payment the next one waits for the look that shows its change, and spends that', async () => {
  const worker = await Worker.start(profile);
  const { request } = await draft(worker, 100_000n);
  const told = Promise.withResolvers<void>();
  const { chain } = running;
  const scan = chain.scan.bind(chain);
  chain.scan = async (...asked) => {
    if (chain.sent.length > 0) await told.promise;
    return scan(...asked);
  };
  await worker.call('press', { request });
  const { txid } = await settled(worker, request);
  const next = draft(worker, 'all');
  const outpoint = { txid: txid!, vout: 1 };
  const change = { outpoint, value: 399_000n, branch: 1, index: 0, height: 0, coinbase: false } as const;
  const spent = parseTransaction(chain.sent[0]!).inputs.map((input) => input.outpoint.txid);
  const left = coins.filter((coin) => !spent.includes(coin.outpoint.txid));
  chain.scanned = { ...chain.scanned, coins: [...left, change], nextChange: 1 };
  told.resolve();
  expect((await next).leaves).toBe(2n * COIN + 399_000n);
  worker.kill();
});

describe('bad input', () => {
  test.each([
    ['BadAddress', { address: 'bcrt1qnonsense' }],
    ['WrongNetwork', { address: 'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr' }],
    ['Dust', { amount: 329n }],
    ['BadAmount', { amount: 0n }],
    ['BadAmount', { amount: -1n }],
    ['InsufficientFunds', { amount: 3n * COIN }],
    ['BadFee', { feeRate: 0 }],
    ['BadFee', { feeRate: 1e9 }],
  ] as const)('%s: %o, and nothing is kept', async (expected, change) => {
    const worker = await Worker.start(profile);
    const wanted = { address: payee, amount: 1000n, feeRate: 1000, ...change };
    await expect(worker.call('draft', wanted)).rejects.toEqual(code(expected));
    expect(await (await databaseOf(profile)).all('requests')).toEqual([]);
    worker.kill();
  });

  test('PolicyRefused: over the daily limit; the verdict is shown, nothing is signed', async () => {
    const worker = await Worker.start(profile);
    const { request } = await draft(worker, 1_200_000n);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({
      state: 'failed',
      error: 'PolicyRefused',
      verdict: { kind: 'refuses', over: expect.any(BigInt) },
    });
    expect(running.chain.sent).toHaveLength(0);
    worker.kill();
  });

  test('BroadcastRejected: the node refuses', async () => {
    running.chain.broadcast = async () => {
      throw new HoarfrostError('BroadcastRejected');
    };
    const worker = await Worker.start(profile);
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'failed', error: 'BroadcastRejected' });
    worker.kill();
  });
});

describe('a malicious cosigner', () => {
  /** Counts the calls that touch an answer. */
  async function countingSigner() {
    const calls: string[] = [];
    const signer = await load();
    const counted: SignerModule = { ...signer };
    for (const name of ['verifyShare', 'finish', 'signShare', 'aggregate'] as const) {
      counted[name] = ((args: never) => {
        calls.push(name);
        return signer[name](args);
      }) as never;
    }
    return { signer: counted, calls };
  }
  const flip = (bytes: Uint8Array<ArrayBuffer>, at = 0) => {
    const out = bytes.slice();
    out[at]! ^= 1;
    return out;
  };
  type Signed = Extract<Answer, { kind: 'signed' }>;

  async function paid(change: (answer: Signed) => Answer, amount = 100_000n) {
    const { signer, calls } = await countingSigner();
    const worker = await Worker.start(profile, { signer });
    onWire((answer) => (answer.kind === 'signed' ? change(answer) : answer));
    const { request } = await draft(worker, amount);
    await worker.call('press', { request });
    const progress = await settled(worker, request);
    const state = await worker.call('state', null);
    worker.kill();
    return { progress, calls, state };
  }

  test('attack-10: MessageMismatch for another digest, and zero signer calls on it', async () => {
    const { progress, calls } = await paid((a) => ({ ...a, digest: flip(a.digest) }));
    expect(progress).toMatchObject({ state: 'failed', error: 'MessageMismatch', txid: null });
    expect(calls).toEqual([]);
    expect(running.chain.sent).toHaveLength(0);
  });

  test('attack-10: the same on evaluate, before anything is signed', async () => {
    const worker = await Worker.start(profile);
    onWire((a) => (a.kind === 'evaluated' ? { ...a, digest: flip(a.digest) } : a));
    const { request } = await draft(worker);
    expect(await worker.call('evaluate', { request })).toMatchObject({
      verdict: null,
      verdictError: 'MessageMismatch',
    });
    worker.kill();
  });

  test('attack-21: BadShare for an invalid share among several; our own are never made', async () => {
    const spoil = (a: Signed) => ({ ...a, shares: [a.shares[0]!, flip(a.shares[1]!, 31)] });
    const { progress, calls } = await paid(spoil, 700_000n);
    expect(progress).toMatchObject({ state: 'failed', error: 'BadShare', txid: null });
    expect(calls).toEqual(['verifyShare', 'verifyShare']);
    expect(running.chain.sent).toHaveLength(0);
  });

  test('attack-21: BadShare for the only share, which the signer checks before it makes our own', async () => {
    const { progress, calls } = await paid((a) => ({ ...a, shares: [flip(a.shares[0]!, 31)] }));
    expect(progress).toMatchObject({ state: 'failed', error: 'BadShare', txid: null });
    expect(calls).toEqual(['finish']);
    expect(running.chain.sent).toHaveLength(0);
  });

  test('a share too few is refused', async () => {
    const { progress, calls } = await paid((a) => ({ ...a, shares: [] }));
    expect(progress).toMatchObject({ state: 'failed', error: 'BadEncoding' });
    expect(calls).toEqual([]);
  });

  test('a receipt that the cosigner did not sign is refused', async () => {
    const { progress, calls } = await paid((a) => ({
      ...a,
      receipt: { ...a.receipt, signature: flip(a.receipt.signature, 63) },
    }));
    expect(progress).toMatchObject({ state: 'failed', error: 'BadSignature' });
    expect(calls).toEqual([]);
  });

  test('attack-10: a receipt of another payment is refused', async () => {
    const first = await Worker.start(profile);
    let receipt: Signed['receipt'] | undefined;
    onWire((a) => {
      if (a.kind === 'signed') receipt = a.receipt;
      return a;
    });
    const { request } = await draft(first, 50_000n);
    await first.call('press', { request });
    await settled(first, request);
    first.kill();
    vi.restoreAllMocks();
    const { progress } = await paid((a) => ({ ...a, receipt: receipt! }));
    expect(progress).toMatchObject({ state: 'failed', error: 'MessageMismatch' });
  });

  /** Another receipt, which the cosigner did sign. */
  function rewritten({ receipt }: Signed, change: Partial<TypeOf<typeof receiptBody>>): Signed['receipt'] {
    const { identity, signer } = running.cosigner;
    const body = encode(receiptBody, { ...decode(receiptBody, receipt.body), ...change });
    const signature = signer.schnorrSign(identity.host, receiptHash(body), new Uint8Array(32));
    return { body, signature: Uint8Array.from(signature) };
  }

  test('attack-10: a receipt that says refused is none for a signature', async () => {
    const verdict = { kind: 'refuses', rule: 'frozen', over: 0n } as const;
    const { progress, calls } = await paid((a) => ({ ...a, receipt: rewritten(a, { verdict }) }));
    expect(progress).toMatchObject({ state: 'failed', error: 'MessageMismatch', txid: null });
    expect(calls).toEqual([]);
  });

  test('a chain of receipts that was cut is shown, and blocks no payment', async () => {
    const previous = new Uint8Array(32).fill(1);
    const { progress, state } = await paid((a) => ({ ...a, receipt: rewritten(a, { previous }) }));
    expect(progress).toMatchObject({ state: 'broadcast' });
    expect(state).toMatchObject({ wallet: { receiptsBroken: true } });
  });
});
