import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { summarise, summaryDigest } from '../../src/bitcoin/summary.ts';
import { encodeTransaction, parseTransaction, type Transaction } from '../../src/bitcoin/transaction.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { coinAt, paymentOf, strangerScript } from '../support/payments.ts';
import { wholeKey } from '../support/wholeKey.ts';

const { account } = wholeKey('property');
const payment = paymentOf(account, {
  coins: [coinAt('a', 60_000n), coinAt('b', 40_000n, { branch: 1, index: 2 })],
});

/** What a reader may answer to bytes of a stranger. */
function readOrRefuse(bytes: Uint8Array): ReturnType<typeof parsePsbt> | null {
  try {
    return parsePsbt(bytes);
  } catch (e) {
    expect(isHoarfrostError(e) && ['BadPsbt', 'TooLarge'].includes(e.code), String(e)).toBe(true);
    return null;
  }
}

test('any bytes at all are read or refused by BadPsbt or TooLarge', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void readOrRefuse(bytes)));
  const magic = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      (bytes) => void readOrRefuse(Uint8Array.of(...magic, ...bytes)),
    ),
  );
});

test('a payment with bytes changed, cut or added is refused, or read without surprise', () => {
  const honest = summarise(parsePsbt(payment), account, { receive: 0, change: 0 });
  let read = 0;
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(payment.length - 1), to: fc.integer({ min: 0, max: 255 }) }), {
        maxLength: 3,
      }),
      fc.option(fc.nat(payment.length), { nil: null }),
      (changes, cut) => {
        const bytes = Uint8Array.from(cut === null ? payment : payment.subarray(0, cut));
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
        const parsed = readOrRefuse(bytes);
        if (parsed === null) return;
        read++;
        try {
          const summary = summarise(parsed, account, { receive: 0, change: 0 });
          sighashes(parsed, account);
          summaryDigest(summary);
          // Signed only if all inputs are ours: then nothing that goes elsewhere escapes the loss.
          const elsewhere = summary.outputs
            .filter(({ own }) => own === null)
            .reduce((n, { value }) => n + value, 0n);
          expect(summary.loss).toBe(elsewhere + summary.fee);
          expect(summary.ownIn).toBe(summary.inputs.reduce((n, { value }) => n + value, 0n));
        } catch (e) {
          expect(isHoarfrostError(e), String(e)).toBe(true);
        }
      },
    ),
    { numRuns: 1_000 },
  );
  expect(read).toBeGreaterThan(50);
  expect(honest.loss).toBe(61_000n);
});

const bytesOf = (maxLength: number) => fc.uint8Array({ maxLength });
const outpoint = fc.record({
  txid: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex')),
  vout: fc.nat(),
});
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const transaction: fc.Arbitrary<Transaction> = fc.record({
  version: u32,
  locktime: u32,
  inputs: fc.array(
    fc.record({
      outpoint,
      scriptSig: bytesOf(300),
      sequence: u32,
      witness: fc.array(bytesOf(300), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  outputs: fc.array(fc.record({ script: bytesOf(300), value: fc.bigInt(0n, 2_100_000_000_000_000n) }), {
    maxLength: 4,
  }),
});

test('BIP-144: a transaction is its bytes and back, and has no second form', () => {
  fc.assert(
    fc.property(transaction, (tx) => {
      const bytes = encodeTransaction(tx);
      expect(parseTransaction(bytes)).toEqual(tx);
      expect(() => parseTransaction(Uint8Array.of(...bytes, 0))).toThrow('BadEncoding');
      expect(() => parseTransaction(bytes.subarray(0, -1))).toThrow('BadEncoding');
    }),
  );
});

test('the digest of two payments is the same only if what they do is', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 60_000n), fc.bigInt(1n, 60_000n), (a, b) => {
      const digest = (value: bigint) => {
        const psbt = paymentOf(account, { outputs: [{ script: strangerScript, value }] });
        return Buffer.from(
          summaryDigest(summarise(parsePsbt(psbt), account, { receive: 0, change: 0 })),
        ).toString('hex');
      };
      return (digest(a) === digest(b)) === (a === b);
    }),
  );
});
