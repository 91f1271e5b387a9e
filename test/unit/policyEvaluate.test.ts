import { expect, test } from 'vitest';
import type { Summary } from '../../src/bitcoin/summary.ts';
import { firstPolicy, type Policy } from '../../src/policy/document.ts';
import { evaluate, type Spent, windowsSince } from '../../src/policy/evaluate.ts';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const policy = (change: Partial<Policy> = {}): Policy => ({
  ...firstPolicy('regtest', 100_000n, NOW - 10 * DAY),
  feeAbsolute: 5_000n,
  feeRate: 20_000n,
  ...change,
});
const fresh: Spent = { inWindows: [0n], reserved: new Map() };

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
  const full: Spent = { inWindows: [150_000n], reserved: new Map([[`${'aa'.repeat(32)}:0`, 60_000n]]) };
  for (const loss of [60_000n, 59_000n]) {
    expect(evaluate(policy(), full, summaryOf(loss))).toEqual({
      verdict: { kind: 'signs', leftInWindow: 0n },
      raises: [],
      charge: 0n,
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
