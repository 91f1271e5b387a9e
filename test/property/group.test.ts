import { schnorr } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUILDS, LANES, mod, N, P } from '../support/wasmArithmetic.ts';

const { Point } = schnorr;
type Point = typeof Point.BASE;
const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n;

const times = (k: bigint): Point => (mod(k, N) === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(mod(k, N)));
const EDGES = [
  1n,
  2n,
  3n,
  4n,
  15n,
  16n,
  17n,
  N - 1n,
  N - 2n,
  (N - 1n) / 2n,
  LAMBDA,
  N - LAMBDA,
  2n ** 128n,
  2n ** 128n - 1n,
  2n ** 132n,
  2n ** 255n,
];
const nonzero = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 1n, max: N - 1n }));
const any = fc.oneof(fc.constant(0n), nonzero);

describe.each(BUILDS)('group, %s build', (_, load) => {
  const w = load();
  const c = w.call;
  const [p, q, r, t] = [w.at(0), w.at(2), w.at(4), w.at(6)] as const;
  const points = w.at(8);
  const scalars = w.at(12);

  const setAffine = (at: number, point: Point) => {
    const { x, y } = point.toAffine();
    w.setField(at, [x, y]);
  };
  /** One point in both lanes, with a Z that is not 1. */
  const setLanes = (at: number, point: Point, z = 7n) => {
    if (point.is0()) {
      c.setInfinity!(at);
      return;
    }
    const { x, y } = point.toAffine();
    [x, y, 1n].forEach((value, i) => {
      w.setField(at + 80 * i, [(value * z) % P, (value * z) % P]);
    });
  };
  const getLane = (at: number, lane: number): Point => {
    if (c.isInfinity!(at, lane)) return Point.ZERO;
    const [x, y, z] = [0, 1, 2].map((i) => w.getField(at + 80 * i)[lane]!) as [bigint, bigint, bigint];
    return new Point(x, y, z);
  };
  const same = (a: Point, b: Point) => expect(a.equals(b)).toBe(true);

  test('complete addition and doubling: infinity, equal, opposite, two different pairs side by side', () => {
    fc.assert(
      fc.property(any, any, fc.constantFrom('free', 'equal', 'opposite', 'infinity'), (x, y, kind) => {
        const second = kind === 'equal' ? x : kind === 'opposite' ? N - x : kind === 'infinity' ? 0n : y;
        setLanes(p, times(x), 3n);
        setLanes(q, times(second), 11n);
        c.addLanes!(r, p, q);
        same(getLane(r, 0), times(x + second));
        same(getLane(r, 1), times(x + second));
        c.doubleLanes!(r, p);
        same(getLane(r, 0), times(2n * x));
        // Lanes are independent: (P, Q) + (Q, Q).
        c.joinLanes!(t, p, q);
        c.addLanes!(r, t, q);
        same(getLane(r, 0), times(x + second));
        same(getLane(r, 1), times(2n * second));
        c.addLanes!(p, p, p);
        same(getLane(p, 0), times(2n * x));
      }),
      { numRuns: 60 },
    );
  });

  test('addition of an affine point: from infinity, equal, opposite', () => {
    fc.assert(
      fc.property(any, nonzero, fc.constantFrom('free', 'equal', 'opposite'), (x, y, kind) => {
        const second = kind === 'free' || x === 0n ? y : kind === 'equal' ? x : N - x;
        setLanes(p, times(x), 5n);
        setLanes(q, times(second), 1n);
        c.addAffineLanes!(r, p, q, q + 80);
        same(getLane(r, 0), times(x + second));
        same(getLane(r, 1), times(x + second));
      }),
      { numRuns: 60 },
    );
  });

  test('the fast Jacobian addition tells by Z that it met an equal or opposite point, and for ever after', () => {
    for (const k of [1n, 2n, 12345n]) {
      for (const other of [k, N - k]) {
        setAffine(q, times(k));
        c.jacobianFromAffine!(p, q);
        expect(c.isExceptional!(p)).toBe(0);
        setAffine(q, times(other));
        c.addAffineVar!(p, q, t);
        expect(c.isExceptional!(p)).toBe(1);
        c.doubleVar!(p);
        setAffine(q, times(77n));
        c.addAffineVar!(p, q, t);
        expect(c.isExceptional!(p)).toBe(1);
      }
    }
  });

  test('k*G by the comb, single and in pairs, k = 0 included', () => {
    fc.assert(
      fc.property(any, any, (x, y) => {
        w.setScalar(scalars, x);
        w.setScalar(scalars + 40, y);
        c.baseMultiply!(r, scalars);
        same(getLane(r, 0), times(x));
        same(getLane(r, 1), times(x));
        c.baseMultiplyVar!(r, scalars);
        same(getLane(r, 0), times(x));
        c.baseMultiplyPair!(r, scalars, scalars + 40);
        same(getLane(r, 0), times(x));
        same(getLane(r, 1), times(y));
      }),
      { numRuns: 60 },
    );
  });

  test('k*P in constant time', () => {
    fc.assert(
      fc.property(any, nonzero, (k, x) => {
        w.setScalar(scalars, k);
        setAffine(q, times(x));
        c.multiplyConst!(r, scalars, q);
        same(getLane(r, 0), times(k * x));
      }),
      { numRuns: 40 },
    );
  });

  const multiply = (g: bigint | undefined, terms: readonly (readonly [k: bigint, x: bigint])[]) => {
    terms.forEach(([k, x], i) => {
      w.setScalar(scalars + 40 * i, k);
      setAffine(points + 80 * i, times(x));
    });
    const want = times(terms.reduce((sum, [k, x]) => sum + k * x, g ?? 0n));
    if (g !== undefined) {
      w.setScalar(t, g);
      c.linearVar!(r, t, scalars, points, terms.length);
      same(getLane(r, 0), want);
      same(getLane(r, 1), want);
      return;
    }
    const finite = c.multiplyVar!(r, scalars, points, terms.length);
    expect(finite).toBe(want.is0() ? 0 : 1);
    if (!finite) return;
    c.jacobianToAffine!(q, r);
    const [x, y] = w.getField(q);
    expect({ x, y }).toEqual(want.toAffine());
  };

  test('sums of multiples in variable time', () => {
    fc.assert(
      fc.property(
        fc.option(any, { nil: undefined }),
        fc.array(fc.tuple(any, nonzero), { maxLength: 4 }),
        (g, terms) => {
          multiply(g, terms);
        },
      ),
      { numRuns: 80 },
    );
  });

  test('sums of multiples whose additions meet infinity, equal and opposite points on the way', () => {
    for (const k of [1n, 2n, 3n, 5n, 15n, 17n, LAMBDA, 2n ** 128n, N - 1n]) {
      multiply(k, [[N - k, 1n]]); // infinity
      multiply(k, [[k, 1n]]);
      multiply(undefined, [
        [k, 1n],
        [k, 1n],
      ]); // equal
      multiply(undefined, [
        [k, 3n],
        [k, N - 3n],
      ]); // infinity
      multiply(1n, [
        [k, 2n],
        [k, N - 2n],
        [k, 2n],
      ]); // infinity on the way
      multiply(undefined, [
        [k, 1n],
        [1n, LAMBDA],
      ]);
      multiply(0n, [[0n, 5n]]);
    }
  });

  /** The equation of BIP-340 by noble, from bytes that need be no x of a point. */
  const holds = (rx: bigint, s: bigint, e: bigint, px: bigint): boolean => {
    if (rx >= P || px >= P) return false;
    let key: Point;
    try {
      key = schnorr.utils.lift_x(px) as Point;
    } catch {
      return false;
    }
    const sum = times(s).subtract(mod(e, N) === 0n ? Point.ZERO : key.multiplyUnsafe(mod(e, N)));
    if (sum.is0()) return false;
    const { x, y } = sum.toAffine();
    return x === rx && y % 2n === 0n;
  };
  const ask = (rx: bigint, s: bigint, e: bigint, px: bigint): boolean => {
    w.setBytes(points, rx);
    w.setBytes(points + 32, px);
    w.setScalar(scalars, s);
    w.setScalar(scalars + 40, e);
    return c.holdsVar!(points, scalars, scalars + 40, points + 32) === 1;
  };
  /** The even-Y secret key of d, its x, and x of s*G - e*P; 1 where that is infinity. */
  const equationOf = (s: bigint, e: bigint, d: bigint) => {
    const even = times(d).toAffine().y % 2n === 0n ? d : N - d;
    const sum = times(s - e * even);
    return { even, px: times(d).toAffine().x, rx: sum.is0() ? 1n : sum.toAffine().x };
  };

  test('the equation of BIP-340 without a square root: true exactly where R has even y', () => {
    let even = 0;
    fc.assert(
      fc.property(nonzero, nonzero, nonzero, nonzero, (s, e, d, other) => {
        const { px, rx } = equationOf(s, e, d);
        const want = holds(rx, s, e, px);
        even += Number(want);
        expect(ask(rx, s, e, px)).toBe(want);
        for (const [a, b, f, g] of [
          [mod(rx + 1n, P), s, e, px],
          [rx, mod(s + other, N), e, px],
          [rx, s, other, px],
          [rx, s, N - e, px],
          [rx, s, e, mod(px + 1n, P)],
          [other, s, e, px],
          [rx, s, e, other],
          [rx + P < 2n ** 256n ? rx + P : P, s, e, px],
          [rx, s, e, px + P < 2n ** 256n ? px + P : P],
        ] as const) {
          expect(ask(a, b, f, g)).toBe(holds(a, b, f, g));
        }
      }),
      { numRuns: 40 },
    );
    expect(even).toBeGreaterThan(5);
  });

  test('the equation of BIP-340 where s*G and e*P are infinity, equal, opposite, or R is', () => {
    let even = 0;
    for (const d of [1n, 2n, 5n, 7n, LAMBDA, N - LAMBDA, 12345678901234567890n]) {
      for (const [s, e] of [
        [0n, 1n],
        [0n, 0n],
        [3n, 0n],
        [0n, 77n],
        [1n, 1n],
        [15n, 17n],
      ] as const) {
        const { even: k, px, rx } = equationOf(s, e, d);
        for (const [s2, e2, rx2] of [
          [s, e, rx],
          [mod(e * k, N), e, 1n], // R is infinity
          [mod(-e * k, N), e, equationOf(mod(-e * k, N), e, d).rx], // s*G = -e*P
        ] as const) {
          const want = holds(rx2, s2, e2, px);
          even += Number(want);
          expect(ask(rx2, s2, e2, px)).toBe(want);
        }
      }
    }
    expect(even).toBeGreaterThan(20);
  });

  test('decoding agrees with noble, both parities', () => {
    fc.assert(
      fc.property(nonzero, (k) => {
        const bytes = times(k).toBytes(true);
        w.bytes.set(bytes, t);
        expect(c.decodeVar!(q, t)).toBe(1);
        const [x, y] = w.getField(q);
        expect({ x, y }).toEqual(times(k).toAffine());
        c.encode!(t + 64, q);
        expect(w.bytes.slice(t + 64, t + 97)).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
    expect(LANES).toBe(240);
  });
});
