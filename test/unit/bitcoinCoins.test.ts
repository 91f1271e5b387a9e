import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import { selectCoins, sendAll } from '../../src/bitcoin/coins.ts';
import { dustThreshold, feeFor, paymentVsize } from '../../src/bitcoin/fees.ts';
import { coinAt, strangerScript } from '../support/payments.ts';

const height = 1_000;
const feeRate = 1_000n;
const pay = (value: bigint) => [{ script: strangerScript, value }];
const coins = [coinAt('a', 10_000n), coinAt('b', 20_000n), coinAt('c', 50_000n)];

test('the smallest coin that pays alone is taken, or else the largest ones', () => {
  const values = (amount: bigint) =>
    selectCoins({ coins, outputs: pay(amount), feeRate, height }).inputs.map(({ value }) => value);
  expect(values(9_000n)).toEqual([10_000n]);
  expect(values(15_000n)).toEqual([20_000n]);
  expect(values(60_000n)).toEqual([50_000n, 20_000n]);
});

test('insufficient funds are InsufficientFunds, with the sats that are missing', () => {
  const missing = (amount: bigint, from = coins): bigint => {
    try {
      selectCoins({ coins: from, outputs: pay(amount), feeRate, height });
    } catch (e) {
      const { code, detail } = e as { code: string; detail: string };
      expect(code).toBe('InsufficientFunds');
      return BigInt(/^missing (\d+) sats$/.exec(detail)![1]!);
    }
    return 0n;
  };
  const fee = feeFor(feeRate, paymentVsize(3, [34]));
  expect(missing(80_000n)).toBe(fee);
  expect(missing(80_000n - fee)).toBe(0n);
  expect(missing(80_001n - fee)).toBe(1n);
  expect(missing(1_000n, [])).toBe(1_000n + feeFor(feeRate, paymentVsize(1, [34])));
});

test('what is missing is enough: that many sats more, in the coin that is there, pay', () => {
  const one = [coinAt('a', 10_000n)];
  let detail = '';
  try {
    selectCoins({ coins: one, outputs: pay(12_000n), feeRate, height });
  } catch (e) {
    detail = (e as { detail: string }).detail;
  }
  const more = BigInt(detail.replace(/\D/g, ''));
  const at = (value: bigint) =>
    selectCoins({ coins: [coinAt('a', value)], outputs: pay(12_000n), feeRate, height });
  expect(at(10_000n + more).change).toBe(0n);
  expect(() => at(10_000n + more - 1n)).toThrow('InsufficientFunds');
});

test.each([
  ['p2tr', strangerScript, 330n],
  ['p2wpkh', hex.decode(`0014${'00'.repeat(20)}`), 294n],
  ['p2wsh', hex.decode(`0020${'00'.repeat(32)}`), 330n],
  ['p2pkh', hex.decode(`76a914${'00'.repeat(20)}88ac`), 546n],
  ['p2sh', hex.decode(`a914${'00'.repeat(20)}87`), 540n],
  ['p2a', hex.decode('51024e73'), 240n],
  ['OP_RETURN', hex.decode('6a0100'), 0n],
])('an output below the dust threshold of %s is Dust', (_, script, least) => {
  expect(dustThreshold(script)).toBe(least);
  const at = (value: bigint) => selectCoins({ coins, outputs: [{ script, value }], feeRate, height });
  if (least > 0n) expect(() => at(least - 1n)).toThrow('Dust');
  expect(at(least || 1n).inputs).toHaveLength(1);
});

test('nothing, less than nothing and more than there ever will be are BadAmount', () => {
  for (const value of [0n, -1n, 21n * 10n ** 14n + 1n]) {
    expect(() => selectCoins({ coins, outputs: pay(value), feeRate, height })).toThrow('BadAmount');
  }
});

test('a fee rate outside of what anyone means is BadFee', () => {
  for (const rate of [0n, 99n, 10_000_001n, -1_000n]) {
    expect(() => selectCoins({ coins, outputs: pay(1_000n), feeRate: rate, height })).toThrow('BadFee');
  }
});

test("a stranger's unconfirmed coin waits; own change is spent; an immature reward is left", () => {
  const unconfirmed = coinAt('incoming', 90_000n, { branch: 0, index: 0 }, 0);
  const change = coinAt('change', 90_000n, { branch: 1, index: 0 }, 0);
  const reward = { ...coinAt('reward', 90_000n, { branch: 0, index: 0 }, 901), coinbase: true };
  const spend = (coin: typeof change, tip = height) =>
    selectCoins({ coins: [coin], outputs: pay(1_000n), feeRate, height: tip }).inputs;
  expect(() => spend(unconfirmed)).toThrow('InsufficientFunds');
  expect(spend(change)).toEqual([change]);
  // 100 confirmations by the block that would hold the payment.
  expect(spend(reward, 1_000)).toEqual([reward]);
  expect(() => spend(reward, 999)).toThrow('InsufficientFunds');
});

test('a confirmed coin goes before a smaller unconfirmed one', () => {
  const change = coinAt('change', 15_000n, { branch: 1, index: 0 }, 0);
  const { inputs } = selectCoins({ coins: [...coins, change], outputs: pay(12_000n), feeRate, height });
  expect(inputs.map(({ value }) => value)).toEqual([20_000n]);
});

test('change is made when it is worth it, and given to the miners below 1,000 sats', () => {
  const withChange = feeFor(feeRate, paymentVsize(1, [34, 34]));
  const rest = (change: bigint) => {
    const { fee, change: made } = selectCoins({
      coins: [coinAt('a', 20_000n)],
      outputs: pay(20_000n - withChange - change),
      feeRate,
      height,
    });
    return { fee, made };
  };
  expect(rest(1_000n)).toEqual({ fee: withChange, made: 1_000n });
  expect(rest(999n)).toEqual({ fee: withChange + 999n, made: 0n });
  expect(rest(329n).made).toBe(0n);
});

test('coins that cost more than they bring are left alone', () => {
  const dust = Array.from({ length: 5 }, (_, i) => coinAt(`dust ${i}`, 500n));
  const rich = 10_000n;
  expect(
    selectCoins({ coins: [...coins, ...dust], outputs: pay(60_000n), feeRate: rich, height }).inputs,
  ).toHaveLength(2);
  expect(
    sendAll({ coins: [...coins, ...dust], script: strangerScript, feeRate: rich, height }).inputs,
  ).toHaveLength(3);
});

test('everything, to one script', () => {
  const { inputs, fee, value } = sendAll({ coins, script: strangerScript, feeRate, height });
  expect([inputs.length, fee + value, fee]).toEqual([3, 80_000n, feeFor(feeRate, paymentVsize(3, [34]))]);
  for (const few of [[], [coinAt('a', 100n)], [coinAt('a', 400n)]]) {
    expect(() => sendAll({ coins: few, script: strangerScript, feeRate, height })).toThrow(
      'InsufficientFunds',
    );
  }
});

test('of more coins than a payment may have inputs, the most valuable are taken', () => {
  const many = Array.from({ length: 600 }, (_, i) => coinAt(`${i}`, 1_000n + BigInt(i)));
  expect(sendAll({ coins: many, script: strangerScript, feeRate, height }).inputs).toHaveLength(500);
  expect(() => selectCoins({ coins: many, outputs: pay(650_000n), feeRate, height })).toThrow(
    'InsufficientFunds',
  );
});

test('a coin that must be spent is among the inputs, worth its fee or not, and others only join it', () => {
  const poor = coinAt('poor', 300n);
  const values = (amount: bigint, must: typeof coins, rate = feeRate) =>
    selectCoins({ coins: [...coins, poor], must, outputs: pay(amount), feeRate: rate, height }).inputs.map(
      ({ value }) => value,
    );
  expect(values(9_000n, [coins[2]!])).toEqual([50_000n]);
  expect(values(15_000n, [coins[0]!])).toEqual([10_000n, 20_000n]);
  expect(values(60_000n, [coins[0]!])).toEqual([10_000n, 50_000n, 20_000n]);
  expect(values(9_000n, [poor], 10_000n)).toEqual([300n, 20_000n]);
  expect(() => values(81_000n, [poor])).toThrow('InsufficientFunds');
  const all = sendAll({
    coins: [...coins, poor],
    must: [poor],
    script: strangerScript,
    feeRate: 10_000n,
    height,
  });
  expect(all.inputs.map(({ value }) => value)).toEqual([300n, 50_000n, 20_000n, 10_000n]);
  const many = Array.from({ length: 600 }, (_, i) => coinAt(`${i}`, 1_000n + BigInt(i)));
  const most = sendAll({ coins: many, must: [many[0]!], script: strangerScript, feeRate, height }).inputs;
  expect([most.length, most[0], new Set(most).size]).toEqual([500, many[0], 500]);
});
