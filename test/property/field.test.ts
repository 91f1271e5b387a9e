import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUILDS, FE, type Lanes, mod, P, power } from '../support/wasmArithmetic.ts';

const EDGES = [
  0n,
  1n,
  2n,
  7n,
  P - 1n,
  P - 2n,
  (P - 1n) / 2n,
  2n ** 255n - 1n,
  2n ** 255n,
  2n ** 32n + 976n,
  2n ** 29n - 1n,
];
const element = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: P - 1n }),
  // Limbs at their bounds.
  fc
    .array(fc.constantFrom(0n, 1n, 2n ** 28n - 1n, 2n ** 28n, 2n ** 29n - 1n), { minLength: 9, maxLength: 9 })
    .map((limbs) =>
      mod(
        limbs.reduceRight((value, limb) => (value << 29n) + limb, 0n),
        P,
      ),
    ),
);
const lanes = fc.tuple(element, element);

/** Limbs of a pair at its magnitude: every corner of the range that products accept. */
const limbsOf = (magnitude: number) => {
  const bound = magnitude * (2 ** 28 + 2 ** 13);
  const top = magnitude * (2 ** 23 + 2 ** 10);
  const limb = (max: number) =>
    fc.oneof(fc.constantFrom(-max, max, max - 1, 0, 1 - max), fc.integer({ min: -max, max }));
  return fc.tuple(...Array.from({ length: 9 }, (_, i) => limb(i === 8 ? top : bound)));
};
const rawPair = (magnitude: number) => fc.tuple(limbsOf(magnitude), limbsOf(magnitude));

describe.each(BUILDS)('field, %s build', (_, load) => {
  const w = load();
  const [a, b, c, d, r] = [0, 1, 2, 3, 4].map((i) => w.at(i)) as [number, number, number, number, number];
  const put = (at: number, limbs: readonly (readonly number[])[]) => {
    limbs.forEach((lane, i) => {
      w.setLimbs(at, i, lane);
    });
  };
  const raws = (at: number) => [w.raw(at, 0), w.raw(at, 1)] as const;
  const canonical = ([x, y]: Lanes): Lanes => [mod(x, P), mod(y, P)];

  test('products and their sums, limbs at the bounds of magnitude 3', () => {
    fc.assert(
      fc.property(rawPair(3), rawPair(3), (x, y) => {
        put(a, x);
        put(b, y);
        const [u, v] = [raws(a), raws(b)];
        w.call.mul!(r, a, b);
        expect(w.getField(r)).toEqual(canonical([u[0] * v[0], u[1] * v[1]]));
        w.call.sqr!(r, a);
        expect(w.getField(r)).toEqual(canonical([u[0] ** 2n, u[1] ** 2n]));
      }),
      { numRuns: 400 },
    );
    fc.assert(
      // 3*3 + 3*2 = 15, the largest sum of products that one reduction holds.
      fc.property(rawPair(3), rawPair(3), rawPair(3), rawPair(2), (x, y, z, t) => {
        [x, y, z, t].forEach((limbs, i) => {
          put([a, b, c, d][i]!, limbs);
        });
        const [k, l, m, n] = [a, b, c, d].map(raws) as [Lanes, Lanes, Lanes, Lanes];
        w.call.mulAdd!(r, a, b, c, d);
        expect(w.getField(r)).toEqual(canonical([k[0] * l[0] + m[0] * n[0], k[1] * l[1] + m[1] * n[1]]));
      }),
      { numRuns: 400 },
    );
  });

  test('every limb at the same bound, all signs', () => {
    const max = 3 * (2 ** 28 + 2 ** 13);
    const top = 3 * (2 ** 23 + 2 ** 10);
    for (const x of [max, -max]) {
      for (const y of [max, -max]) {
        for (const alternate of [1, -1]) {
          const limbs = Array.from(
            { length: 9 },
            (_, i) => (i === 8 ? Math.sign(x) * top : x) * alternate ** i,
          );
          put(a, [limbs, limbs.map((l) => -l)]);
          put(b, [Array.from({ length: 9 }, (_, i) => (i === 8 ? Math.sign(y) * top : y)), limbs]);
          const [u, v] = [raws(a), raws(b)];
          w.call.mul!(r, a, b);
          expect(w.getField(r)).toEqual(canonical([u[0] * v[0], u[1] * v[1]]));
          w.call.sqr!(r, a);
          expect(w.getField(r)).toEqual(canonical([u[0] ** 2n, u[1] ** 2n]));
        }
      }
    }
  });

  test('norm and encoding, limbs at the bounds of magnitude 7; 21a at magnitude 2', () => {
    fc.assert(
      fc.property(rawPair(7), (x) => {
        put(a, x);
        const u = raws(a);
        expect(w.getField(a)).toEqual(canonical(u));
        w.call.norm!(r, a);
        expect(w.getField(r)).toEqual(canonical(u));
        for (let i = 0; i < 18; i++) {
          const unit = i < 16 ? 2 ** 28 + 2 ** 13 : 2 ** 23 + 2 ** 10;
          expect(Math.abs(w.memory.getInt32(r + 4 * i, true))).toBeLessThanOrEqual(unit);
        }
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(rawPair(2), (x) => {
        put(a, x);
        const u = raws(a);
        w.call.times21!(r, a);
        expect(w.getField(r)).toEqual(canonical([21n * u[0], 21n * u[1]]));
      }),
      { numRuns: 200 },
    );
  });

  test('sum, difference, parity, zero, on edges and at random', () => {
    fc.assert(
      fc.property(lanes, lanes, (x, y) => {
        w.setField(a, x);
        w.setField(b, y);
        expect(w.getField(a)).toEqual(x);
        w.call.add!(r, a, b);
        expect(w.getField(r)).toEqual(canonical([x[0] + y[0], x[1] + y[1]]));
        w.call.sub!(r, a, b);
        expect(w.getField(r)).toEqual(canonical([x[0] - y[0], x[1] - y[1]]));
        expect([w.call.isZero!(r, 0), w.call.isZero!(r, 1)]).toEqual(x.map((v, i) => Number(v === y[i])));
        expect([w.call.isOdd!(a, 0), w.call.isOdd!(a, 1)]).toEqual(x.map((v) => Number(v & 1n)));
      }),
      { numRuns: 300 },
    );
  });

  test('zero under every multiple of p that fits the limbs', () => {
    for (let k = -8n; k <= 8n; k++) {
      let rest = k * P;
      const limbs = Array.from({ length: 9 }, (_, i) => {
        if (i === 8) return Number(rest);
        let limb = BigInt.asUintN(29, rest);
        if (limb >= 2n ** 28n) limb -= 2n ** 29n;
        rest = (rest - limb) >> 29n;
        return Number(limb);
      });
      if (Math.abs(limbs[8]!) > 7 * 2 ** 23) continue;
      w.setLimbs(a, 0, limbs);
      w.setLimbs(a, 1, limbs);
      expect([k, w.call.isZero!(a, 0), w.call.isOdd!(a, 1)]).toEqual([k, 1, 0]);
      expect(w.getField(a)).toEqual([0n, 0n]);
    }
  });

  test('inverse, in both lanes, of either lane; 0 for 0', () => {
    fc.assert(
      fc.property(lanes, fc.constantFrom(0, 1), (x, lane) => {
        w.setField(a, x);
        w.call.inverse!(r, a, lane);
        const want = power(x[lane]!, P - 2n, P);
        expect(w.getField(r)).toEqual([want, want]);
        w.call.inverseVar!(r, a, lane);
        expect(w.getField(r)).toEqual([want, want]);
      }),
      { numRuns: 150 },
    );
  });

  test('square roots', () => {
    fc.assert(
      fc.property(lanes, (x) => {
        w.setField(a, x);
        w.call.sqrtCandidate!(r, a);
        expect(w.getField(r)).toEqual(x.map((v) => power(v, (P + 1n) / 4n, P)));
      }),
      { numRuns: 30 },
    );
  });

  test('a result may be an argument', () => {
    fc.assert(
      fc.property(lanes, lanes, (x, y) => {
        for (const [target, other] of [
          [a, b],
          [b, a],
        ] as const) {
          w.setField(a, x);
          w.setField(b, y);
          w.call.mul!(target, a, b);
          expect(w.getField(target)).toEqual(canonical([x[0] * y[0], x[1] * y[1]]));
          expect(w.getField(other)).toEqual(target === a ? y : x);
        }
      }),
      { numRuns: 50 },
    );
    expect(FE).toBe(80);
  });
});

test('the checked build refuses a pair over its magnitude', () => {
  const w = BUILDS[1][1]();
  const at = w.at(0);
  w.setLimbs(at, 0, Array(9).fill(0));
  w.setLimbs(at, 1, [4 * 2 ** 28, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(() => w.call.sqr!(w.at(1), at)).toThrow(WebAssembly.RuntimeError);
});
