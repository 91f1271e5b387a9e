import fc from 'fast-check';
import { expect, test } from 'vitest';
import { selectCoins, sendAll } from '../../src/bitcoin/coins.ts';
import { dustThreshold, feeFor } from '../../src/bitcoin/fees.ts';
import { buildPayment, type Coin, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { summarise } from '../../src/bitcoin/summary.ts';
import { parseTransaction } from '../../src/bitcoin/transaction.ts';
import { coinAt, strangerScript } from '../support/payments.ts';
import { wholeKey } from '../support/wholeKey.ts';

const key = wholeKey('coins');
const HEIGHT = 1_000;

/** Few paths, so that derivation is paid once. */
const coins = fc
  .array(
    fc.record({
      value: fc.bigInt(1n, 300_000n),
      branch: fc.constantFrom(0 as const, 1 as const),
      index: fc.nat(3),
      height: fc.constantFrom(0, 10, 950),
      coinbase: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((list): Coin[] => list.map((coin, i) => ({ ...coin, outpoint: coinAt(`${i}`, 1n).outpoint })));
const scripts = fc.constantFrom(
  strangerScript,
  Uint8Array.of(0x00, 0x14, ...new Uint8Array(20)),
  Uint8Array.of(0x76, 0xa9, 0x14, ...new Uint8Array(20), 0x88, 0xac),
  Uint8Array.of(0x6a, 0x04, 1, 2, 3, 4),
);
const outputs = fc.array(fc.record({ script: scripts, value: fc.bigInt(1_000n, 400_000n) }), {
  minLength: 1,
  maxLength: 4,
});
const feeRate = fc.bigInt(100n, 60_000n);
const total = (items: readonly { value: bigint }[]) => items.reduce((sum, { value }) => sum + value, 0n);

function isRefusal(e: unknown): boolean {
  const { code, detail } = e as { code?: string; detail?: string };
  return code === 'InsufficientFunds' && /^missing [1-9]\d* sats$/.test(detail ?? '');
}

test('coin selection conserves value, makes no dust, and pays at least the rate of the finished transaction', () => {
  let paid = 0;
  fc.assert(
    fc.property(
      coins,
      outputs,
      feeRate,
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      (all, wanted, rate, randomness) => {
        let chosen: ReturnType<typeof selectCoins>;
        try {
          chosen = selectCoins({ coins: all, outputs: wanted, feeRate: rate, height: HEIGHT });
        } catch (e) {
          return isRefusal(e);
        }
        paid++;
        const { inputs, fee, change } = chosen;
        expect(total(inputs)).toBe(total(wanted) + fee + change);
        expect(new Set(inputs).size).toBe(inputs.length);
        expect(inputs.every((coin) => all.includes(coin))).toBe(true);
        expect(inputs.every(({ height, branch }) => height > 0 || branch === 1)).toBe(true);
        expect(
          inputs.every(({ coinbase, height }) => !coinbase || (height > 0 && HEIGHT - height + 1 >= 100)),
        ).toBe(true);
        const psbt = buildPayment({
          account: key.account,
          coins: inputs,
          outputs: wanted,
          change: change > 0n ? { path: { branch: 1, index: 0 }, value: change } : null,
          randomness,
        });
        const parsed = parsePsbt(psbt);
        const { transaction, vsize } = finalize(
          psbt,
          inputs.map(() => new Uint8Array(64).fill(7)),
        );
        expect(fee >= feeFor(rate, vsize)).toBe(true);
        expect(fee * 1000n >= rate * BigInt(vsize)).toBe(true);
        const mined = parseTransaction(transaction);
        expect(mined.outputs.every(({ script, value }) => value >= dustThreshold(script))).toBe(true);
        expect(mined.outputs).toHaveLength(wanted.length + (change > 0n ? 1 : 0));
        const summary = summarise(parsed, key.account, { receive: 0, change: 0 });
        expect(summary).toMatchObject({ fee, vsize, ownOut: change, loss: total(wanted) + fee });
        return true;
      },
    ),
    { numRuns: 200 },
  );
  expect(paid).toBeGreaterThan(40);
});

test('sending everything leaves nothing that was worth its fee', () => {
  let paid = 0;
  fc.assert(
    fc.property(coins, scripts, feeRate, (all, script, rate) => {
      let chosen: ReturnType<typeof sendAll>;
      try {
        chosen = sendAll({ coins: all, script, feeRate: rate, height: HEIGHT });
      } catch (e) {
        return isRefusal(e);
      }
      paid++;
      const { inputs, fee, value } = chosen;
      expect(total(inputs)).toBe(value + fee);
      expect(value >= dustThreshold(script)).toBe(true);
      const psbt = buildPayment({
        account: key.account,
        coins: inputs,
        outputs: [{ script, value }],
        change: null,
        randomness: new Uint8Array(4),
      });
      const { vsize } = finalize(
        psbt,
        inputs.map(() => new Uint8Array(64)),
      );
      expect(fee).toBe(feeFor(rate, vsize));
      expect(sighashes(parsePsbt(psbt), key.account)).toHaveLength(inputs.length);
      // Whatever is left out costs more than it is worth, or may not be spent yet.
      const spendable = (c: Coin) => (c.height > 0 || c.branch === 1) && (!c.coinbase || c.height === 10);
      const left = all.filter((coin) => !inputs.includes(coin) && spendable(coin));
      expect(left.every((coin) => coin.value * 1000n <= rate * 58n + 1000n)).toBe(true);
      return true;
    }),
    { numRuns: 100 },
  );
  expect(paid).toBeGreaterThan(30);
});
