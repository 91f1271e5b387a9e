/** Own payments against a real cosigner over TLS: paid once, or plainly not sent, wherever the worker dies. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import type { Coin } from '../../src/bitcoin/psbt.ts';
import { keyPathSighash } from '../../src/bitcoin/sighash.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { Connection } from '../../src/device/connection.ts';
import type { PaymentProgress } from '../../src/device/port.ts';
import { type KeyRecord, verifyCertificate } from '../../src/frost/keygen.ts';
import { decode } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { type Answer, type Request, receiptBody, signBody } from '../../src/protocol/messages.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { type Death, databaseOf, Killed, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const payee = addressOf(PAYEE, 'regtest')!;
const COIN = 500_000n;

let folder: string;
let running: Running;
let profile: Profile;
let keys: KeyRecord;
let coins: Coin[];

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

const account = () => ({
  network: keys.network,
  groupKey: keys.groupKey,
  chainCode: keys.chainCode,
  account: 0,
});
const draft = (worker: Worker, amount: bigint | 'all' = 100_000n, address = payee) =>
  worker.call('draft', { address, amount, feeRate: 2000 });

/** Until the payment rests. */
async function settled(worker: Worker, request: string): Promise<PaymentProgress> {
  const resting = ['broadcast', 'failed', 'requested'];
  const deadline = Date.now() + 20_000;
  for (;;) {
    const progress = await worker.call('payment', { request });
    if (resting.includes(progress.state)) return progress;
    if (Date.now() > deadline) throw new Error(`still ${progress.state} (${progress.error})`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What the node would check: every witness is one signature under the coin's own output key (BIP-341). */
function verifyPaid(transaction: Uint8Array): bigint {
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
function onWire(change: (answer: Answer, asked: Request) => Answer | Promise<Answer> = (a) => a) {
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

async function receiptCount(): Promise<number> {
  return running.cosigner.store.viewWallet(keys.wallet, async (view) => (await view.receipts(0, 256)).length);
}

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

  async function paid(change: (answer: Signed) => Answer) {
    const { signer, calls } = await countingSigner();
    const worker = await Worker.start(profile, { signer });
    onWire((answer) => (answer.kind === 'signed' ? change(answer) : answer));
    const { request } = await draft(worker);
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

  test('attack-21: BadShare for an invalid share; our own is never made', async () => {
    const { progress, calls } = await paid((a) => ({ ...a, shares: [flip(a.shares[0]!, 31)] }));
    expect(progress).toMatchObject({ state: 'failed', error: 'BadShare', txid: null });
    expect(calls).toEqual(['verifyShare']);
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

  test('a receipt of another payment is refused', async () => {
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

  test('a chain of receipts that was cut is shown, and blocks no payment', async () => {
    const { identity, signer } = running.cosigner;
    const { receiptHash } = await import('../../src/frost/proofs.ts');
    const { encode } = await import('../../src/protocol/codec.ts');
    const { progress, state } = await paid((a) => {
      const body = encode(receiptBody, {
        ...decode(receiptBody, a.receipt.body),
        previous: new Uint8Array(32).fill(1),
      });
      const signature = Uint8Array.from(
        signer.schnorrSign(identity.host, receiptHash(body), new Uint8Array(32)),
      );
      return { ...a, receipt: { body, signature } };
    });
    expect(progress).toMatchObject({ state: 'broadcast' });
    expect(state).toMatchObject({ wallet: { receiptsBroken: true } });
  });
});

describe('attempts', () => {
  test('AttemptBurned: the device commits afresh, and the spend is charged once', async () => {
    const worker = await Worker.start(profile);
    let burned = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || burned) return answer;
      burned = true;
      throw new HoarfrostError('AttemptBurned');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    const [first, second] = bodies.map((body) => decode(signBody, body as never));
    expect(bodies).toHaveLength(2);
    expect(second!.attempt).not.toEqual(first!.attempt);
    expect(second!.commitments).not.toEqual(first!.commitments);
    expect(second!.psbt).toEqual(first!.psbt);
    const [a, b] = await running.cosigner.store.viewWallet(keys.wallet, (view) => view.receipts(0, 9));
    const charge = ({ body }: { body: Uint8Array }) => {
      const r = decode(receiptBody, body);
      return r.after - r.before;
    };
    expect(charge(a!)).toBeGreaterThan(100_000n);
    expect(charge(b!)).toBe(0n);
    worker.kill();
  });

  test('a cosigner that was restored behind a live connection is greeted anew, and the payment goes on', async () => {
    const worker = await Worker.start(profile);
    const bodies = onWire();
    const { request } = await draft(worker);
    await worker.call('evaluate', { request });
    const { store } = running.cosigner;
    const ledger = new Uint8Array(16).fill(7);
    await store.declareLoss(ledger, 0);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    expect(bodies).toHaveLength(2);
    expect(decode(signBody, bodies[1] as never).ledger).toEqual(ledger);
    worker.kill();
  });

  test('a lost answer is asked for again, with the same nonces, and is the stored one', async () => {
    const worker = await Worker.start(profile);
    let lost = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || lost) return answer;
      lost = true;
      throw new HoarfrostError('ChannelClosed');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toEqual(bodies[0]);
    expect(await receiptCount()).toBe(1);
    worker.kill();
  });

  test.each([
    ['30 s', () => profile.clock.pass(30_000)],
    ['a clock set on', () => (profile.clock.skew = 60_000)],
    ['a clock set back', () => (profile.clock.skew = -60_000)],
  ])('attack-14: nonces do not survive %s', async (_name, happen) => {
    const worker = await Worker.start(profile);
    let lost = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || lost) return answer;
      lost = true;
      happen();
      throw new HoarfrostError('ChannelClosed');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await vi.waitFor(() => expect(lost).toBe(true), 10_000);
    await vi.waitFor(async () => {
      const [row] = await (await databaseOf(profile)).all('requests');
      expect(['broadcast', 'requested']).toContain(row?.state);
    }, 10_000);
    for (const body of bodies.slice(1)) {
      expect(decode(signBody, body as never).commitments).not.toEqual(
        decode(signBody, bodies[0] as never).commitments,
      );
    }
    worker.kill();
  });
});

describe('attack-14, audit-22: a worker killed at any boundary', () => {
  const deaths: Death[] = [];
  // Drafted, pressed, attempted, receipt followed, signed, broadcast.
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; at <= 6; at++) deaths.push({ by: 'write', at, when });
    for (let at = 1; at <= 8; at++) deaths.push({ by: 'frame', at, when });
  }

  test.each(deaths)('$when $by $at: paid once, or plainly not sent', async (death) => {
    const bodies = onWire();
    const worker = await Worker.start(profile, { death });
    let request: string | undefined;
    let pressed = false;
    try {
      ({ request } = await draft(worker));
      await worker.call('press', { request });
      pressed = true;
      await settled(worker, request);
    } catch (e) {
      expect(e).toBeInstanceOf(Killed);
    }
    worker.kill();
    const rows = await (await databaseOf(profile)).all('requests');

    const next = await Worker.start(profile);
    if (rows.length === 0 || rows[0]!.state === 'requested') {
      // Never pressed, as far as anything durable knows: rejected, and nothing was asked of anybody.
      expect(pressed).toBe(false);
      expect(await (await databaseOf(profile)).all('requests')).toEqual([]);
      if (request !== undefined) {
        await expect(next.call('payment', { request })).rejects.toEqual(code('SessionUnknown'));
      }
      expect(bodies).toEqual([]);
      expect(running.chain.sent).toEqual([]);
    } else {
      const progress = await settled(next, rows[0]!.id);
      expect(progress).toMatchObject({ state: 'broadcast', error: null });
      expect(new Set(running.chain.sent.map((tx) => hex.encode(txidOf(parseTransaction(tx)))))).toEqual(
        new Set([progress.txid]),
      );
      for (const transaction of running.chain.sent) expect(verifyPaid(transaction)).toBe(100_000n);
    }
    // No pair of commitments is ever sent for two different requests.
    const seen = new Map<string, string>();
    for (const body of bodies) {
      for (const pair of decode(signBody, body as never).commitments) {
        const name = hex.encode(pair);
        expect(seen.get(name) ?? hex.encode(body)).toBe(hex.encode(body));
        seen.set(name, hex.encode(body));
      }
    }
    next.kill();
  });

  test('the deaths above cover a whole payment', async () => {
    const worker = await Worker.start(profile);
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await settled(worker, request);
    expect(worker.life.db.writes).toBeGreaterThanOrEqual(6);
    expect(worker.life.frames).toBeGreaterThanOrEqual(8);
    worker.kill();
  });

  async function pressedAndKilled(): Promise<string> {
    const worker = await Worker.start(profile, { death: { by: 'write', at: 2, when: 'after' } });
    const { request } = await draft(worker);
    await expect(worker.call('press', { request })).rejects.toBeInstanceOf(Killed);
    return request;
  }

  test('after ten minutes a pressed payment asks again instead of going on', async () => {
    const request = await pressedAndKilled();
    profile.clock.pass(10 * 60_000);
    const worker = await Worker.start(profile);
    expect(await settled(worker, request)).toMatchObject({ state: 'requested' });
    expect(running.chain.sent).toEqual([]);
    worker.kill();
    const later = await Worker.start(profile);
    await later.call('press', { request });
    expect(await settled(later, request)).toMatchObject({ state: 'broadcast' });
    later.kill();
  });

  test('a locked wallet goes on with what was pressed once it is unlocked', async () => {
    const request = await pressedAndKilled();
    profile.session.clear();
    const worker = await Worker.start(profile);
    await expect(worker.call('payment', { request })).rejects.toEqual(code('Locked'));
    expect(running.chain.sent).toEqual([]);
    await worker.call('unlock', { password: PASSWORD });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    worker.kill();
  });

  test('auto-lock: fifteen minutes without the user, and the next wake is locked', async () => {
    profile.clock.pass(15 * 60_000);
    const worker = await Worker.start(profile);
    expect(await worker.call('state', null)).toMatchObject({ phase: 'locked' });
    expect(profile.session.size).toBe(0);
    worker.kill();
  });
});
