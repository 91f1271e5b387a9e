import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { type Summary, summarise, summaryDigest } from '../../src/bitcoin/summary.ts';
import { GAP_OWN_OUTPUT } from '../../src/protocol/limits.ts';
import { claimOf, coinAt, edited, paymentOf, strangerScript } from '../support/payments.ts';
import { wholeKey } from '../support/wholeKey.ts';

const { account } = wholeKey('summary');
const { account: other } = wholeKey('summary, another');
const used = { receive: 5, change: 3 };
const of = (psbt: Uint8Array): Summary => summarise(parsePsbt(psbt), account, used);

test('a payment with change: what leaves is the amount and the fee', () => {
  const summary = of(paymentOf(account));
  expect(summary).toMatchObject({
    ownIn: 100_000n,
    ownOut: 39_000n,
    loss: 61_000n,
    fee: 1_000n,
    network: 'regtest',
  });
  expect(summary.outputs.map(({ own }) => own)).toEqual([null, { branch: 1, index: 0 }]);
  expect(summary.vsize).toBe(154);
  expect(summary.feeRate).toBe(6_493n);
});

test('change claimed by position, or without a derivation, is not credited', () => {
  const { script } = deriveKey(account, 1, 0);
  // Last place, own script, but nothing to rederive it from: lost, as far as anyone can tell.
  const silent = paymentOf(account, {
    outputs: [
      { script: strangerScript, value: 60_000n },
      { script, value: 39_000n },
    ],
    change: null,
  });
  expect(of(silent)).toMatchObject({ ownOut: 0n, loss: 100_000n });
  const named = paymentOf(account, {
    outputs: [
      { script: strangerScript, value: 60_000n },
      { script, value: 39_000n, own: { branch: 1, index: 0 } },
    ],
    change: null,
  });
  expect(of(named).loss).toBe(61_000n);
});

test("a stranger's output that claims our derivation is not credited", () => {
  const psbt = edited(paymentOf(account), (raw) => {
    Object.assign(raw.outputs[0]!, claimOf(account, { branch: 1, index: 1 }));
  });
  expect(of(psbt)).toMatchObject({ ownOut: 39_000n, loss: 61_000n });
});

test("an output of another account, or ours under another's fingerprint, is not credited", () => {
  const theirs = edited(paymentOf(account), (raw) => {
    Object.assign(raw.outputs[1]!, claimOf(other, { branch: 1, index: 0 }));
  });
  expect(of(theirs).ownOut).toBe(0n);
  const forged = edited(paymentOf(account), (raw) => {
    raw.outputs[1]!.tapBip32Derivation![0]![1].der.fingerprint ^= 1;
  });
  expect(of(forged).ownOut).toBe(0n);
  const branch = edited(paymentOf(account), (raw) => {
    raw.outputs[1]!.tapBip32Derivation![0]![1].der.path[1] = 2;
  });
  expect(of(branch).ownOut).toBe(0n);
  const deeper = edited(paymentOf(account), (raw) => {
    raw.outputs[1]!.tapBip32Derivation![0]![1].der.path.push(0);
  });
  expect(of(deeper).ownOut).toBe(0n);
});

test('an own output further than the gap past the last used index is not credited', () => {
  for (const [branch, count] of [
    [0, used.receive],
    [1, used.change],
  ] as const) {
    const last = count - 1 + GAP_OWN_OUTPUT;
    const at = (index: number) =>
      of(paymentOf(account, { change: { path: { branch, index }, value: 39_000n } })).ownOut;
    expect([at(last), at(last + 1)]).toEqual([39_000n, 0n]);
  }
});

test('what is spent is charged wherever it lies', () => {
  const far = coinAt('far', 100_000n, { branch: 0, index: 0x7fff_ffff });
  expect(of(paymentOf(account, { coins: [far] })).ownIn).toBe(100_000n);
});

test('a gift to us is a negative loss, and outputs over inputs are refused', () => {
  const gift = edited(paymentOf(account), (raw) => {
    raw.inputs[0]!.witnessUtxo = { amount: 100_000n, script: Uint8Array.from(strangerScript) };
  });
  expect(of(gift)).toMatchObject({ ownIn: 0n, loss: -39_000n });
  const over = edited(paymentOf(account), (raw) => {
    raw.inputs[0]!.witnessUtxo!.amount = 98_999n;
  });
  expect(() => of(over)).toThrow('BadPsbt');
});

test('the digest tells apart whatever differs, and nothing else', () => {
  const base = paymentOf(account);
  const digest = (summary: Summary) => hex.encode(summaryDigest(summary));
  expect(digest(of(base))).toBe(digest(of(Uint8Array.from(base))));
  const summary = of(base);
  const [input] = summary.inputs;
  const [first, second] = summary.outputs;
  const variants: Summary[] = [
    { ...summary, network: 'signet' },
    { ...summary, spend: Uint8Array.from(summary.spend).reverse() },
    { ...summary, inputs: [{ ...input!, value: input!.value + 1n }] },
    { ...summary, inputs: [{ ...input!, sighashType: 1 }] },
    { ...summary, inputs: [{ ...input!, own: null }] },
    { ...summary, inputs: [{ ...input!, outpoint: { ...input!.outpoint, vout: 1 } }] },
    { ...summary, outputs: [second!, first!] },
    { ...summary, outputs: [first!, { ...second!, own: null }] },
    { ...summary, outputs: [{ ...first!, value: first!.value + 1n }, second!] },
    { ...summary, outputs: [{ ...first!, script: second!.script }, second!] },
  ];
  expect(new Set([summary, ...variants].map(digest)).size).toBe(variants.length + 1);
});
