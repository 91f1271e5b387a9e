/** What a signature can cost, by what it covers (DESIGN section 4). */
import { expect, test } from 'vitest';
import type { Summary } from '../../src/bitcoin/summary.ts';
import { exposureOf } from '../../src/policy/exposure.ts';
import { raisesOfAll, totalOf } from '../../src/policy/reserves.ts';

const ALL = 0x01;
const ALL_ANYONE = 0x81;
const SINGLE_ANYONE = 0x83;
type Input = [value: bigint, sighashType: number];
type Output = [value: bigint, own: boolean];

function summary(inputs: Input[], outputs: Output[]): Summary {
  const own = { branch: 0, index: 0 } as const;
  const total = (values: bigint[]) => values.reduce((a, b) => a + b, 0n);
  const ownIn = total(inputs.map(([value]) => value));
  const ownOut = total(outputs.filter(([, mine]) => mine).map(([value]) => value));
  return {
    network: 'regtest',
    spend: new Uint8Array(32),
    inputs: inputs.map(([value, sighashType], vout) => ({
      outpoint: { txid: 'aa'.repeat(32), vout },
      value,
      own,
      sighashType,
    })),
    outputs: outputs.map(([value, mine]) => ({
      script: new Uint8Array(1),
      value,
      address: null,
      own: mine ? own : null,
    })),
    ownIn,
    ownOut,
    loss: ownIn - ownOut,
    fee: 0n,
    vsize: 100,
    feeRate: 0n,
  };
}
const name = (vout: number) => `${'aa'.repeat(32)}:${vout}`;
const lossOf = (inputs: Input[], outputs: Output[]) => exposureOf(summary(inputs, outputs)).loss;

test('whole signatures lose what leaves', () => {
  expect(
    lossOf(
      [
        [100n, 0],
        [50n, ALL],
      ],
      [
        [30n, false],
        [110n, true],
      ],
    ),
  ).toBe(40n);
  expect(lossOf([[100n, 0]], [[120n, true]])).toBe(-20n);
});

test('SINGLE|ANYONECANPAY credits the own output of the same index, up to the input, and no other', () => {
  expect(
    lossOf(
      [[100n, SINGLE_ANYONE]],
      [
        [70n, true],
        [30n, true],
      ],
    ),
  ).toBe(30n);
  expect(
    lossOf(
      [[100n, SINGLE_ANYONE]],
      [
        [70n, false],
        [30n, true],
      ],
    ),
  ).toBe(100n);
  expect(lossOf([[100n, SINGLE_ANYONE]], [[500n, true]])).toBe(0n);
  // What one input gains does not pay for what another loses: they can be spent apart.
  expect(
    lossOf(
      [
        [100n, SINGLE_ANYONE],
        [100n, SINGLE_ANYONE],
      ],
      [
        [150n, true],
        [50n, true],
      ],
    ),
  ).toBe(50n);
});

test('ALL|ANYONECANPAY credits nothing', () => {
  expect(lossOf([[100n, ALL_ANYONE]], [[100n, true]])).toBe(100n);
});

test('mixed with whole signatures, no output is credited twice', () => {
  expect(
    lossOf(
      [
        [100n, SINGLE_ANYONE],
        [200n, ALL],
      ],
      [
        [100n, true],
        [190n, true],
      ],
    ),
  ).toBe(10n);
  expect(
    lossOf(
      [
        [100n, ALL_ANYONE],
        [200n, ALL],
      ],
      [
        [150n, true],
        [150n, true],
      ],
    ),
  ).toBe(100n);
  expect(
    lossOf(
      [
        [100n, SINGLE_ANYONE],
        [200n, ALL],
      ],
      [[300n, true]],
    ),
  ).toBe(0n);
});

test('an input that can be spent alone is reserved for alone', () => {
  const { parts } = exposureOf(
    summary(
      [
        [100n, ALL_ANYONE],
        [40n, SINGLE_ANYONE],
        [200n, ALL],
      ],
      [
        [1n, false],
        [40n, true],
      ],
    ),
  );
  expect(parts.map(({ inputs, loss }) => [inputs.length, loss])).toEqual([
    [1, 100n],
    [1, 0n],
    [3, 300n],
  ]);
  const raises = raisesOfAll(new Map(), parts);
  const reserve = new Map(raises.map((raise) => [raise.outpoint, raise.reserve]));
  expect(reserve.get(name(0))).toBeGreaterThanOrEqual(100n);
  expect(totalOf(raises)).toBe(300n);
  expect([...reserve.values()].reduce((a, b) => a + b, 0n)).toBe(300n);
  // What is reserved already is not charged again.
  expect(raisesOfAll(reserve, parts)).toEqual([]);
});
