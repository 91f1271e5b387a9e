import { expect, test } from 'vitest';
import type { Summary } from '../../src/bitcoin/summary.ts';
import { firstPolicy, type Policy } from '../../src/policy/document.ts';
import { evaluate as evaluateAt, HELD_FOR_MS, type Spent, windowsSince } from '../../src/policy/evaluate.ts';
import { termsOf } from '../support/terms.ts';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const policy = (change: Partial<Policy> = {}): Policy => ({
  ...firstPolicy('regtest', termsOf(100_000n), NOW - 10 * DAY),
  feeAbsolute: 5_000n,
  feeRate: 20_000n,
  ...change,
});
const fresh: Spent = { inWindows: [0n], reserved: new Map(), unseen: 0n, contested: false, heldSince: null };
const evaluate = (policy: Policy, spent: Spent, summary: Summary, now = NOW) =>
  evaluateAt(policy, spent, summary, now);

/** One own input that loses `loss` of which `fee` goes to miners, in 150 vbytes. */
function summaryOf(loss: bigint, fee = 500n): Summary {
  return {
    network: 'regtest',
    spend: new Uint8Array(32),
    inputs: [
      {
        outpoint: { txid: 'aa'.repeat(32), vout: 0 },
        value: 10n ** 9n,
        own: { branch: 0, index: 0 },
        sighashType: 0,
      },
      { outpoint: { txid: 'bb'.repeat(32), vout: 1 }, value: 5n, own: null, sighashType: 0 },
    ],
    outputs: [],
    ownIn: 10n ** 9n,
    ownOut: 10n ** 9n - loss,
    loss,
    fee,
    vsize: 150,
    feeRate: (fee * 1000n) / 150n,
  };
}

test('within the limits it signs, and says what is left in the window', () => {
  const { verdict, charge, raises } = evaluate(
    policy(),
    { ...fresh, inWindows: [30_000n] },
    summaryOf(60_000n),
  );
  expect(verdict).toEqual({ kind: 'signs', leftInWindow: 10_000n });
  expect(charge).toBe(60_000n);
  // Only own inputs hold reserves.
  expect(raises).toEqual([{ outpoint: `${'aa'.repeat(32)}:0`, raise: 60_000n, reserve: 60_000n }]);
  expect(evaluate(policy({ windows: [] }), { ...fresh, inWindows: [] }, summaryOf(1n)).verdict).toEqual({
    kind: 'signs',
    leftInWindow: null,
  });
});

test('over the daily limit it refuses by how much', () => {
  const at = (loss: bigint) =>
    evaluate(policy(), { ...fresh, inWindows: [30_000n] }, summaryOf(loss)).verdict;
  expect(at(70_000n)).toEqual({ kind: 'signs', leftInWindow: 0n });
  expect(at(70_001n)).toEqual({ kind: 'refuses', rule: 'window:0', over: 1n });
});

test('of several windows the one furthest over is named', () => {
  const window = (limit: bigint) => ({ limit, start: NOW - DAY, interval: BigInt(DAY) });
  const windows = [window(50_000n), window(10_000n), window(90_000n)];
  const spent = { ...fresh, inWindows: [45_000n, 9_000n, 0n] };
  expect(evaluate(policy({ windows }), spent, summaryOf(8_000n)).verdict).toEqual({
    kind: 'refuses',
    rule: 'window:1',
    over: 7_000n,
  });
  expect(() => evaluate(policy({ windows }), fresh, summaryOf(1n))).toThrow('Internal');
});

test('the limit of one transaction counts its whole loss, also on a retry', () => {
  const limited = policy({ perTransaction: 10_000n });
  const reserved = new Map([[`${'aa'.repeat(32)}:0`, 20_000n]]);
  expect(evaluate(limited, fresh, summaryOf(10_000n)).verdict.kind).toBe('signs');
  for (const spent of [fresh, { ...fresh, reserved }]) {
    expect(evaluate(limited, spent, summaryOf(10_004n)).verdict).toEqual({
      kind: 'refuses',
      rule: 'perTransaction',
      over: 4n,
    });
  }
});

test('fee caps, absolute and by rate', () => {
  const wide = policy({ feeRate: 1_000_000n });
  expect(evaluate(wide, fresh, summaryOf(10_000n, 5_000n)).verdict.kind).toBe('signs');
  expect(evaluate(wide, fresh, summaryOf(10_000n, 5_001n)).verdict).toEqual({
    kind: 'refuses',
    rule: 'feeAbsolute',
    over: 1n,
  });
  // 20 sat/vB times 150 vB is 3,000 sats.
  expect(evaluate(policy(), fresh, summaryOf(10_000n, 3_000n)).verdict.kind).toBe('signs');
  expect(evaluate(policy(), fresh, summaryOf(10_000n, 3_001n)).verdict).toEqual({
    kind: 'refuses',
    rule: 'feeRate',
    over: 7n,
  });
});

test('a retry and a cheaper replacement cost nothing, even in a window that is full', () => {
  const full: Spent = {
    ...fresh,
    inWindows: [150_000n],
    reserved: new Map([[`${'aa'.repeat(32)}:0`, 60_000n]]),
  };
  for (const loss of [60_000n, 59_000n]) {
    expect(evaluate(policy(), full, summaryOf(loss))).toEqual({
      verdict: { kind: 'signs', leftInWindow: 0n },
      raises: [],
      charge: 0n,
      loss,
    });
  }
  expect(evaluate(policy(), full, summaryOf(60_001n)).verdict).toMatchObject({
    kind: 'refuses',
    over: 50_001n,
  });
});

test('a payment that gains costs nothing', () => {
  expect(evaluate(policy(), fresh, summaryOf(-5n))).toMatchObject({
    verdict: { kind: 'signs' },
    charge: 0n,
    raises: [],
  });
});

test('a policy of another network is WrongNetwork', () => {
  expect(() => evaluate(policy({ network: 'signet' }), fresh, summaryOf(1n))).toThrow('WrongNetwork');
});

test('windows roll, forget what was before their start, and hold before it too', () => {
  const since = (start: number, interval: number, now = NOW) =>
    windowsSince(policy({ windows: [{ limit: 1n, start, interval: BigInt(interval) }] }), now)[0];
  expect(since(NOW - 10 * DAY, DAY)).toBe(NOW - DAY + 1);
  expect(since(NOW - 1_000, DAY)).toBe(NOW - 1_000);
  // A clock that is behind the policy's start: what is charged now still counts.
  expect(since(NOW + 1_000, DAY)).toBe(NOW - DAY + 1);
  expect(since(0, 10 * NOW)).toBe(0);
  expect(
    windowsSince(policy({ windows: [{ limit: 1n, start: 0, interval: (1n << 64n) - 1n }] }), NOW),
  ).toEqual([0]);
});

test('frozen comes first, whatever else would be said', () => {
  const frozen = policy({ frozen: true, perTransaction: 0n, hold: { above: 0n, delay: 1n } });
  expect(evaluate(frozen, fresh, summaryOf(5n)).verdict).toEqual({
    kind: 'refuses',
    rule: 'frozen',
    over: 5n,
  });
  expect(evaluate(frozen, fresh, summaryOf(-5n)).verdict).toEqual({
    kind: 'refuses',
    rule: 'frozen',
    over: 0n,
  });
});

test('with payees named, only they and the account are paid', () => {
  const friend = Uint8Array.of(1, 2, 3);
  const other = Uint8Array.of(1, 2);
  const paying = (...outputs: [Uint8Array, bigint, boolean][]) => ({
    ...summaryOf(1000n),
    outputs: outputs.map(([script, value, own]) => ({
      script,
      value,
      address: null,
      own: own ? ({ branch: 1, index: 0 } as const) : null,
    })),
  });
  const named = policy({ payees: [friend] });
  expect(evaluate(named, fresh, paying([friend, 500n, false], [other, 9n, true])).verdict.kind).toBe('signs');
  expect(
    evaluate(named, fresh, paying([friend, 5n, false], [other, 7n, false], [other, 2n, false])).verdict,
  ).toEqual({
    kind: 'refuses',
    rule: 'payees',
    over: 9n,
  });
  expect(evaluate(policy({ payees: [] }), fresh, paying([friend, 0n, false])).verdict).toMatchObject({
    rule: 'payees',
  });
  expect(evaluate(policy(), fresh, paying([other, 1n, false])).verdict.kind).toBe('signs');
});

test('what is signed and not yet seen is capped; a retry is free', () => {
  const capped = policy({ unseen: 50_000n });
  const at = (unseen: bigint, loss: bigint) =>
    evaluate(capped, { ...fresh, unseen }, summaryOf(loss)).verdict;
  expect(at(30_000n, 20_000n).kind).toBe('signs');
  expect(at(30_000n, 20_001n)).toEqual({ kind: 'refuses', rule: 'unseen', over: 1n });
  const retry = { ...fresh, unseen: 60_000n, reserved: new Map([[`${'aa'.repeat(32)}:0`, 60_000n]]) };
  expect(evaluate(capped, retry, summaryOf(60_000n)).verdict.kind).toBe('signs');
});

test('above the threshold a payment waits its delay, may be signed for a week, and then waits anew', () => {
  const held = policy({ hold: { above: 10_000n, delay: BigInt(DAY) } });
  const at = (now: number, heldSince: number | null, loss = 10_001n) =>
    evaluate(held, { ...fresh, heldSince }, summaryOf(loss), now).verdict;
  const waits = (until: number) => ({ kind: 'waits', until, rule: 'hold' });
  expect(at(NOW, null, 10_000n).kind).toBe('signs');
  expect(at(NOW, null)).toEqual(waits(NOW + DAY));
  expect(at(NOW + DAY - 1, NOW)).toEqual(waits(NOW + DAY));
  expect(at(NOW + DAY, NOW).kind).toBe('signs');
  expect(at(NOW + DAY + HELD_FOR_MS - 1, NOW).kind).toBe('signs');
  expect(at(NOW + DAY + HELD_FOR_MS, NOW)).toEqual(waits(NOW + 2 * DAY + HELD_FOR_MS));
  // What waits is not charged, and what another rule refuses does not wait.
  expect(at(NOW, null, 100_001n)).toMatchObject({ kind: 'refuses', rule: 'window:0' });
});

test("the predecessor's rules: several at once, each a threshold within an interval from a start on", () => {
  const rules = [
    { limit: 50_000n, start: NOW - 40 * DAY, interval: BigInt(DAY) },
    { limit: 200_000n, start: NOW - 40 * DAY, interval: BigInt(7 * DAY) },
    { limit: 500_000n, start: NOW - 10 * DAY, interval: BigInt(30 * DAY) },
  ];
  const several = policy({ windows: rules });
  expect(windowsSince(several, NOW)).toEqual([NOW - DAY + 1, NOW - 7 * DAY + 1, NOW - 10 * DAY]);
  const at = (...inWindows: bigint[]) =>
    evaluate(several, { ...fresh, inWindows }, summaryOf(10_000n)).verdict;
  expect(at(40_000n, 150_000n, 490_000n)).toEqual({ kind: 'signs', leftInWindow: 0n });
  expect(at(40_001n, 0n, 0n)).toEqual({ kind: 'refuses', rule: 'window:0', over: 1n });
  expect(at(0n, 190_002n, 0n)).toEqual({ kind: 'refuses', rule: 'window:1', over: 2n });
  expect(at(0n, 0n, 490_003n)).toEqual({ kind: 'refuses', rule: 'window:2', over: 3n });
});
