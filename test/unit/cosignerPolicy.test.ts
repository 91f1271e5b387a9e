/** The policy in full as a device meets it: over the wire, against the real store and the real signer. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { Transaction } from '@scure/btc-signer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { COMPLETED_BY_OTHERS, sighashes } from '../../src/bitcoin/sighash.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { type Clock, steadyClock } from '../../src/cosigner/clock.ts';
import type { Limits } from '../../src/cosigner/limits.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { commitAll, finishAll } from '../../src/frost/signing.ts';
import type { Policy } from '../../src/policy/document.ts';
import { HELD_FOR_MS } from '../../src/policy/evaluate.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { HOLDS_MAX } from '../../src/protocol/limits.ts';
import { type Receipt, receiptBody, signBody } from '../../src/protocol/messages.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  Client,
  coinsOf,
  finish,
  newDevice,
  PAYEE,
  payment,
  policyOf,
  type Running,
  removeFolder,
  START,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import { changePolicy, type PolicySigner } from '../support/policyChange.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const code = (name: string) => expect.objectContaining({ code: name });
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
let now = START;
const clock: Clock = { now: () => now, monotonic: () => performance.now() };

beforeEach(() => {
  now = START;
  folder = testFolder();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});
async function born(policy: Partial<Policy> = {}, at = clock, limits: Partial<Limits> = {}): Promise<void> {
  running = await startCosigner({ folder, clock: at, limits });
  ({ device, client } = await newDevice(running, policyOf(policy)));
}
async function restart(): Promise<void> {
  await running.stop();
  running = await startCosigner({ folder, clock });
  client = await Client.connect(addressOf(running), device.noise);
}

const bodyOf = async (psbt: Bytes) => (await attemptOf(client, device, psbt)).body;
const ask = async <K extends 'signed' | 'refused' | 'deferred'>(psbt: Bytes, kind: K) =>
  client.ask(await signRequest(client, device, await bodyOf(psbt)), kind);
const pay = (amount: bigint, coins = coinsOf(1, 900_000n)) => payment(device, { amount, coins });
const evaluated = async (psbt: Bytes) => (await client.ask({ kind: 'evaluate', psbt }, 'evaluated')).verdict;
const current = async () => client.ask({ kind: 'policy' }, 'policy');
const verdictOf = ({ body }: Receipt) => decode(receiptBody, body).verdict;

const change = (previous: Policy, next: Policy, by: PolicySigner[]) =>
  changePolicy(client, device, running.cosigner.identity, previous, next, by);

describe('a payment that waits', () => {
  const hold = { above: 100_000n, delay: BigInt(DAY) };

  test('gets a ticket and no share, nothing is charged, and after the delay a fresh attempt is signed', async () => {
    await born({ hold });
    const psbt = pay(200_000n);
    expect(await evaluated(psbt)).toEqual({ kind: 'waits', until: START + DAY, rule: 'hold' });
    const attempted = await attemptOf(client, device, psbt);
    const deferred = await client.ask(await signRequest(client, device, attempted.body), 'deferred');
    expect(deferred.until).toBe(START + DAY);
    expect(verdictOf(deferred.receipt)).toEqual({ kind: 'waits', until: START + DAY, rule: 'hold' });
    expect((await current()).spentInWindows).toEqual([0n]);
    // Asked again, by a fresh attempt, after a restart: the same ticket and receipt.
    now += HOUR;
    await restart();
    expect(await ask(psbt, 'deferred')).toEqual(deferred);
    expect((await client.ask({ kind: 'holds' }, 'holds')).holds).toEqual([
      {
        ticket: deferred.ticket,
        spend: Uint8Array.from(parsePsbt(psbt).txid),
        loss: 200_500n,
        until: START + DAY,
      },
    ]);
    now = START + DAY - 1;
    expect(await ask(psbt, 'deferred')).toEqual(deferred);
    now = START + DAY;
    expect(await evaluated(psbt)).toMatchObject({ kind: 'signs' });
    const fresh = await attemptOf(client, device, psbt);
    await finish(client, device, fresh, await askToSign(client, device, fresh.body));
    expect((await current()).spentInWindows).toEqual([200_500n]);
    // Another payment of the same size waits for itself.
    await ask(pay(200_000n), 'deferred');
  });

  test('no commitment was used by waiting: the same ones may be asked with again', async () => {
    await born({ hold });
    const body = await bodyOf(pay(200_000n));
    const asked = await signRequest(client, device, body);
    await client.ask(asked, 'deferred');
    now += DAY;
    expect(decode(signBody, body).commitments).toHaveLength(1);
    await client.ask(asked, 'signed');
  });

  test('is cancelled by its ticket, and then waits from the beginning', async () => {
    await born({ hold });
    const psbt = pay(200_000n);
    const { ticket } = await ask(psbt, 'deferred');
    const other = await newDevice(running);
    const foreign = await other.client.ask({ kind: 'cancelHold', ticket }, 'done').catch((e) => e);
    const unknown = await client
      .ask({ kind: 'cancelHold', ticket: systemRandom(16) }, 'done')
      .catch((e) => e);
    expect(foreign).toEqual(code('SessionUnknown'));
    expect([unknown.code, unknown.message]).toEqual([foreign.code, foreign.message]);

    now += DAY;
    const { receipt } = await client.ask({ kind: 'cancelHold', ticket }, 'done');
    expect(verdictOf(receipt)).toEqual({ kind: 'cancelled' });
    expect((await client.ask({ kind: 'holds' }, 'holds')).holds).toEqual([]);
    const again = await ask(psbt, 'deferred');
    expect(again.until).toBe(now + DAY);
    expect(again.ticket).not.toEqual(ticket);
  });

  test('no more than a hundred wait at a time; a place is free once one is cancelled', async () => {
    await born({ hold }, clock, { refusals: { most: 1000, inMs: 1 }, decisions: { most: 1000, inMs: 1 } });
    const first = await ask(pay(200_000n), 'deferred');
    for (let i = 1; i < HOLDS_MAX; i++) await ask(pay(200_000n), 'deferred');
    const late = pay(200_000n);
    await expect(ask(late, 'deferred')).rejects.toEqual(code('RateLimited'));
    await client.ask({ kind: 'cancelHold', ticket: first.ticket }, 'done');
    await ask(late, 'deferred');
    expect((await client.ask({ kind: 'holds' }, 'holds')).holds).toHaveLength(HOLDS_MAX);
  });

  test('left for a week it waits anew; a longer delay holds for what waits already', async () => {
    await born({ hold });
    const psbt = pay(200_000n);
    const { ticket } = await ask(psbt, 'deferred');
    const longer = { ...policyOf({ hold: { ...hold, delay: BigInt(2 * DAY) } }), version: 2 };
    await change(policyOf({ hold }), longer, ['device']);
    now += DAY;
    expect(await ask(psbt, 'deferred')).toMatchObject({ ticket, until: START + 2 * DAY });
    now = START + 2 * DAY + HELD_FOR_MS;
    const anew = await ask(psbt, 'deferred');
    expect(anew.until).toBe(now + 2 * DAY);
    expect(anew.ticket).not.toEqual(ticket);
  });
});

describe('rules of the document', () => {
  test('only named payees are paid', async () => {
    await born({ payees: [] });
    expect(await ask(pay(1000n), 'refused')).toMatchObject({ verdict: { rule: 'payees', over: 1000n } });
    await change(policyOf({ payees: [] }), { ...policyOf({ payees: [PAYEE] }), version: 2 }, [
      'device',
      'recovery',
    ]);
    await ask(pay(1000n), 'signed');
  });

  test('what is signed and not seen is capped; seeing it on the chain frees the cap, and no window', async () => {
    await born({ unseen: 100_000n });
    const psbt = pay(99_500n);
    const attempted = await attemptOf(client, device, psbt);
    const signed = await finish(client, device, attempted, await askToSign(client, device, attempted.body));
    expect(await ask(pay(1n), 'refused')).toMatchObject({ verdict: { rule: 'unseen', over: 501n } });
    const txid = Buffer.from(txidOf(parseTransaction(signed.transaction))).toString('hex');
    const entry = { txid, height: 0, time: 1, received: 0n, sent: 1n, fee: null };
    running.chain.scanned.history = [
      { ...entry, txid: 'aa'.repeat(32), transaction: systemRandom(50) },
      { ...entry, transaction: signed.transaction },
    ];
    await client.ask({ kind: 'scan' }, 'scanned');
    await ask(pay(1n), 'signed');
    expect((await current()).spentInWindows).toEqual([100_000n + 501n]);
    // Gone from the chain again: reserves and windows stand where they stood.
    running.chain.scanned.history = [];
    await client.ask({ kind: 'scan' }, 'scanned');
    expect((await current()).spentInWindows).toEqual([100_501n]);
  });

  /** The input's sighash type, put into the PSBT as a field of its own. */
  function withType(psbt: Bytes, type: number): Bytes {
    const bytes = [...psbt];
    // The first input's map begins after the global one, which ends with a zero byte after the unsigned transaction.
    const unsigned = 5 + 1 + 1;
    const length = bytes[unsigned]!;
    const at = unsigned + 1 + length + 1;
    expect(length).toBeLessThan(253);
    expect(bytes[at - 1]).toBe(0);
    const end = bytes.indexOf(0x01, at);
    expect(end).toBe(at);
    const witnessUtxo = bytes[at + 2]!;
    const after = at + 3 + witnessUtxo;
    bytes.splice(after, 0, 1, 3, 4, type, 0, 0, 0);
    return Uint8Array.from(bytes);
  }

  test('attack-20 sighash NONE and bare SINGLE are refused, and ANYONECANPAY outside the policy', async () => {
    await born();
    const psbt = pay(1000n);
    expect(parsePsbt(withType(psbt, 0x83)).inputs[0]!.sighashType).toBe(0x83);
    for (const type of [0x02, 0x03, 0x82, 0x81, 0x83, 0x04, 0x80]) {
      await expect(client.ask({ kind: 'evaluate', psbt: withType(psbt, type) }, 'evaluated')).rejects.toEqual(
        code('SighashRefused'),
      );
    }
    expect(await evaluated(withType(psbt, 0x01))).toMatchObject({ kind: 'signs' });
  });

  test('attack-20 where the policy lets others complete, ALL|ANYONECANPAY is charged in full, NONE still refused', async () => {
    await born({ anyoneCanPay: true });
    const psbt = pay(1000n);
    const body = (type: number) => bodyWith(withType(psbt, type));
    async function bodyWith(typed: Bytes): Promise<Bytes> {
      return encode(signBody, { ...decode(signBody, await bodyOf(psbt)), psbt: typed });
    }
    for (const type of [0x02, 0x03, 0x82]) {
      await expect(askToSign(client, device, await body(type))).rejects.toEqual(code('SighashRefused'));
    }
    await askToSign(client, device, await body(0x81));
    expect((await current()).spentInWindows).toEqual([900_000n]);
  });

  /** Signs with a type that lets others complete; gives the input's signature and what it was made over. */
  async function signOpen(psbt: Bytes) {
    const signer = await load();
    const inputs = sighashes(parsePsbt(psbt), device.account, COMPLETED_BY_OTHERS);
    const attempt = systemRandom(16);
    const { handshakeHash } = client.transport;
    const at = { groupKey: device.keys.groupKey, handshakeHash, attempt, epoch: 0 };
    const committed = commitAll(signer, device.share, at, inputs, systemRandom);
    const commitments = committed.commitments.map((c) => Uint8Array.from(c));
    const body = encode(signBody, { attempt, epoch: 0, ledger: client.ledger, psbt, commitments });
    const answer = await askToSign(client, device, body);
    const peer = { ...answer, id: 2, verifyingShare: device.keys.verifyingShares[1] } as const;
    const [signature] = finishAll(signer, 1, device.share, at, inputs, committed, peer);
    return { signature: signature!, key: inputs[0]!.expectedKey };
  }

  /** With the change, or what is paid, as the first output: the one that goes along with the first input. */
  function inOrder(amount: bigint, coins: ReturnType<typeof coinsOf>, first: 'change' | 'paid'): Bytes {
    for (;;) {
      const psbt = pay(amount, coins);
      const paid = String(parsePsbt(psbt).outputs[0]!.script) === String(PAYEE);
      if (paid === (first === 'paid')) return psbt;
    }
  }

  test('attack-20 SINGLE|ANYONECANPAY: signed over the wire, charged what its own output does not bring back, and others complete it', async () => {
    await born({ anyoneCanPay: true });
    const coins = coinsOf(1, 900_000n);
    const psbt = inOrder(1000n, coins, 'change');
    const { signature, key } = await signOpen(withType(psbt, 0x83));
    expect((await current()).spentInWindows).toEqual([1500n]);

    // Another implementation's transaction: the input and its output as they are, and more of both behind them.
    const { inputs, outputs } = parsePsbt(psbt);
    const whole = new Transaction({ allowUnknownOutputs: true });
    const { outpoint, sequence, witnessUtxo } = inputs[0]!;
    const { value, script } = witnessUtxo!;
    whole.addInput({ txid: outpoint.txid, index: outpoint.vout, sequence });
    whole.addInput({ txid: '77'.repeat(32), index: 7 });
    whole.addOutput({ script: outputs[0]!.script, amount: outputs[0]!.value });
    whole.addOutput({ script: PAYEE, amount: 123_456n });
    const signed = (type: number) =>
      schnorr.verify(signature, whole.preimageWitnessV1(0, [script, PAYEE], type, [value, 5_000n]), key);
    expect([0x83, 0x81, 0x01, 0x00].map(signed)).toEqual([true, false, false, false]);

    // The same coin in a whole transaction costs what that loses more.
    await ask(pay(400_000n, coins), 'signed');
    expect((await current()).spentInWindows).toEqual([400_500n]);
  });

  test('attack-20 SINGLE|ANYONECANPAY beside somebody else’s output brings nothing back: all of the input is charged', async () => {
    await born({ anyoneCanPay: true });
    await signOpen(withType(inOrder(1000n, coinsOf(1, 900_000n), 'paid'), 0x83));
    expect((await current()).spentInWindows).toEqual([900_000n]);
    const more = withType(inOrder(1000n, coinsOf(1, 900_000n), 'paid'), 0x83);
    expect(await evaluated(more)).toMatchObject({ kind: 'refuses', rule: 'window:0' });
  });

  test('attack-20 a request for anything but a PSBT is refused: no hash of the asker is ever signed', async () => {
    await born();
    for (const payload of [device.keys.session, device.keys.wallet, new Uint8Array(32).fill(7)]) {
      const body = encode(signBody, {
        ...decode(signBody, await bodyOf(pay(1n))),
        psbt: Uint8Array.from(payload),
      });
      await expect(askToSign(client, device, body)).rejects.toEqual(code('BadPsbt'));
    }
  });
});

describe('clock', () => {
  test('a forward jump of the clock frees no window and ends no wait; when it comes back nothing has happened', async () => {
    let wall = START;
    await born(
      { hold: { above: 800_000n, delay: BigInt(DAY) } },
      steadyClock({ now: () => wall, monotonic: () => 0 }),
    );
    await ask(pay(600_000n), 'signed');
    const big = pay(850_000n, coinsOf(1, 900_000n));
    wall += 2 * DAY;
    await ask(pay(600_000n), 'refused');
    expect(await evaluated(big)).toMatchObject({ kind: 'refuses' });
    wall -= 4 * DAY;
    await ask(pay(600_000n), 'refused');
    wall = START;
    await ask(pay(300_000n), 'signed');
    await ask(pay(600_000n), 'refused');
  });

  test('charges never go back in time: what was charged while the clock was ahead leaves no window early', async () => {
    await born();
    now = START + 20 * HOUR;
    await ask(pay(600_000n), 'signed');
    now = START;
    await ask(pay(300_000n), 'signed');
    now = START + 25 * HOUR;
    expect((await current()).spentInWindows).toEqual([901_000n]);
    const { receipts } = await client.ask({ kind: 'receipts', from: 1 }, 'receipts');
    const times = receipts.map(({ body }) => decode(receiptBody, body).at);
    expect(times).toEqual([START + 20 * HOUR, START + 20 * HOUR]);
  });
});
