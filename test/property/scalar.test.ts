import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUILDS, mod, N } from '../support/wasmArithmetic.ts';

const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n;
const EDGES = [
  ...[0n, 1n, 2n, 3n, N - 1n, N - 2n, (N - 1n) / 2n, (N + 1n) / 2n, LAMBDA, N - LAMBDA],
  ...[2n ** 29n - 1n, 2n ** 29n, 2n ** 128n, 2n ** 128n - 1n, 2n ** 255n, 2n ** 256n - N],
];
const scalar = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: N - 1n }),
  // Limbs all zeros or all ones.
  fc.array(fc.constantFrom(0n, 1n, 2n ** 29n - 1n), { minLength: 9, maxLength: 9 }).map((limbs) =>
    mod(
      limbs.reduceRight((value, limb) => (value << 29n) + limb, 0n),
      N,
    ),
  ),
);

describe.each(BUILDS)('scalars, %s build', (_, load) => {
  const w = load();
  const [a, b, r, s] = [w.at(0), w.at(1), w.at(2), w.at(3)] as const;

  test('bytes: below n as they are, from n on reduced and reported', () => {
    const values = [...EDGES, N, N + 1n, 2n ** 256n - 1n];
    for (const value of values) {
      w.setBytes(s, value);
      expect(w.call.scFromBytes!(a, s)).toBe(value < N ? 1 : 0);
      expect(w.getScalar(a)).toBe(value % N);
    }
  });

  test('48 bytes mod n', () => {
    const wide = fc.oneof(
      fc.constantFrom(0n, N, 2n ** 384n - 1n, N * (2n ** 128n - 1n)),
      fc.bigInt({ min: 0n, max: 2n ** 384n - 1n }),
    );
    fc.assert(
      fc.property(wide, (value) => {
        w.setBytes(s, value, 48);
        w.call.scFromBytes48!(a, s);
        expect(w.getScalar(a)).toBe(value % N);
      }),
      { numRuns: 300 },
    );
  });

  test('sum, difference, product, negation, half, zero, high half', () => {
    fc.assert(
      fc.property(scalar, scalar, (x, y) => {
        w.setScalar(a, x);
        w.setScalar(b, y);
        const result = (name: string, ...args: number[]) => {
          w.call[name]!(r, ...args);
          return w.getScalar(r);
        };
        expect(result('scAdd', a, b)).toBe((x + y) % N);
        expect(result('scSub', a, b)).toBe(mod(x - y, N));
        expect(result('scMul', a, b)).toBe((x * y) % N);
        expect(result('scNeg', a)).toBe(mod(-x, N));
        expect(result('scNegIf', a, 0)).toBe(x);
        expect(result('scNegIf', a, -1)).toBe(mod(-x, N));
        expect((result('scHalf', a) * 2n) % N).toBe(x);
        expect(w.call.scIsZero!(a)).toBe(x === 0n ? 1 : 0);
        expect(w.call.scHighMask!(a)).toBe(2n * x >= N ? -1 : 0);
        w.call.scMul!(a, a, a);
        expect(w.getScalar(a)).toBe((x * x) % N);
      }),
      { numRuns: 1000 },
    );
  });

  test('GLV split: halves below 2^128, signs apart, sum right', () => {
    fc.assert(
      fc.property(scalar, (k) => {
        w.setScalar(a, k);
        const signs = w.call.glvSplit!(b, r, a);
        const [k1, k2] = [w.getScalar(b), w.getScalar(r)];
        expect(k1 < 2n ** 128n && k2 < 2n ** 128n).toBe(true);
        const value = (signs & 1 ? -k1 : k1) + (signs & 2 ? -k2 : k2) * LAMBDA;
        expect(mod(value, N)).toBe(k);
      }),
      { numRuns: 1000 },
    );
  });

  test('Lagrange coefficients of every pair of ids, at 0 and at the third', () => {
    for (const i of [1, 2, 3]) {
      for (const j of [1, 2, 3].filter((other) => other !== i)) {
        for (const x of [0, 6 - i - j]) {
          w.call.lagrange!(r, i, j, x);
          expect(mod(w.getScalar(r) * BigInt(j - i), N)).toBe(mod(BigInt(j - x), N));
        }
      }
    }
  });
});
