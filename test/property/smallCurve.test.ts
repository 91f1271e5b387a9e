/**
 * The group law on all pairs of points of a subgroup of order 199, where infinity, equal and opposite points are not rare.
 * It lies on y^2 = x^3 + 4 over the same field; only the complete formulas know b, and this build gives them that one.
 */
import { describe, expect, test } from 'vitest';
import { buildVariant } from '../../wasm/build.ts';
import { Arithmetic, FE, mod, P, power } from '../support/wasmArithmetic.ts';

type Affine = readonly [x: bigint, y: bigint];

const ORDER = 199;
/** Of the curve: 3 * 199 * 18979 * ..., odd, so that the complete formulas are complete on all of it. */
const CURVE_ORDER = 0x100000000000000000000000000000000b3bcacb4593a1c5a86e7eec3783af5ddn;

const inverse = (a: bigint): bigint => power(mod(a, P), P - 2n, P);

function add(p: Affine | undefined, q: Affine | undefined): Affine | undefined {
  if (!p || !q) return p ?? q;
  if (p[0] === q[0] && p[1] !== q[1]) return undefined;
  const slope = p[0] === q[0] ? 3n * p[0] * p[0] * inverse(2n * p[1]) : (q[1] - p[1]) * inverse(q[0] - p[0]);
  const x = mod(slope * slope - p[0] - q[0], P);
  return [x, mod(slope * (p[0] - x) - p[1], P)];
}

/** A point of order 199: the cofactor's multiple of the first x that has one. */
function generator(): Affine {
  for (let x = 1n; ; x++) {
    const y = power(x ** 3n + 4n, (P + 1n) / 4n, P);
    if ((y * y) % P !== (x ** 3n + 4n) % P) continue;
    let sum: Affine | undefined;
    for (const bit of (CURVE_ORDER / BigInt(ORDER)).toString(2)) {
      sum = add(sum, sum);
      if (bit === '1') sum = add(sum, [x, y]);
    }
    if (sum) return sum;
  }
}

describe('group law, exhaustively, on a subgroup of order 199', () => {
  const bytes = buildVariant({ name: 'small', entry: 'testing.ts', define: ['SMALL_CURVE', 'CHECKS'] });
  const w = new Arithmetic(bytes);
  const c = w.call;
  const [p, q, r, t] = [w.at(0), w.at(2), w.at(4), w.at(6)] as const;
  const points: (Affine | undefined)[] = [undefined];
  for (let i = 1; i < ORDER; i++) points.push(add(points[i - 1], points[1] ?? generator()));

  /** Field pairs of every point, written once and copied from there: (x, x), (y, y), (x, y), and projective with Z = i. */
  const kept = points.map((point, i) => {
    if (!point) {
      c.setInfinity!(t);
      return {
        affine: new Uint8Array(2 * FE),
        pair: new Uint8Array(FE),
        lanes: w.bytes.slice(t, t + 3 * FE),
      };
    }
    const [x, y] = point;
    const z = BigInt(i);
    const pair = (a: bigint, b: bigint) => {
      w.setField(t, [a % P, b % P]);
      return [...w.bytes.slice(t, t + FE)];
    };
    return {
      affine: Uint8Array.from([...pair(x, x), ...pair(y, y)]),
      pair: Uint8Array.from(pair(x, y)),
      lanes: Uint8Array.from([...pair(x * z, x * z), ...pair(y * z, y * z), ...pair(z, z)]),
    };
  });

  /** Both lanes of r are k times the generator. */
  const isMultiple = (k: number): boolean => {
    const at = k % ORDER;
    if (at === 0) return (c.isInfinity!(r, 0) & c.isInfinity!(r, 1)) === 1;
    w.bytes.set(kept[at]!.affine, t);
    c.mul!(t, t, r + 2 * FE);
    c.mul!(t + FE, t + FE, r + 2 * FE);
    const same = (lane: number) => c.equal!(t, r, lane) & c.equal!(t + FE, r + FE, lane);
    return (same(0) & same(1) & (1 - c.isInfinity!(r, 0)) & (1 - c.isInfinity!(r, 1))) === 1;
  };

  test('the generator has order 199', () => {
    expect(add(points[ORDER - 1], points[1])).toBeUndefined();
  });

  test('complete additions of all pairs, and doublings', () => {
    const wrong: [number, number, string][] = [];
    for (let i = 0; i < ORDER; i++) {
      w.bytes.set(kept[i]!.lanes, p);
      c.doubleLanes!(r, p);
      if (!isMultiple(2 * i)) wrong.push([i, i, 'doubleLanes']);
      for (let j = 0; j < ORDER; j++) {
        w.bytes.set(kept[j]!.lanes, q);
        c.addLanes!(r, p, q);
        if (!isMultiple(i + j)) wrong.push([i, j, 'addLanes']);
        if (j === 0) continue;
        w.bytes.set(kept[j]!.affine, q);
        c.addAffineLanes!(r, p, q, q + FE);
        if (!isMultiple(i + j)) wrong.push([i, j, 'addAffineLanes']);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('fast additions of all pairs are right or tell that they are not, and doublings', () => {
    const wrong: [number, number][] = [];
    const isRight = (k: number): boolean => {
      c.lanesFromJacobian!(r, p);
      return isMultiple(k);
    };
    for (let i = 1; i < ORDER; i++) {
      for (let j = 1; j < ORDER; j++) {
        // 2i in Jacobian form, its Z not 1, and j added to it.
        w.bytes.set(kept[i]!.pair, q);
        c.jacobianFromAffine!(p, q);
        c.doubleVar!(p);
        if (j === 1 && !isRight(2 * i)) wrong.push([i, i]);
        w.bytes.set(kept[j]!.pair, q);
        c.addAffineVar!(p, q, t);
        const exceptional = (2 * i) % ORDER === j || (2 * i + j) % ORDER === 0;
        if (c.isExceptional!(p) !== Number(exceptional) || (!exceptional && !isRight(2 * i + j)))
          wrong.push([i, j]);
      }
    }
    expect(wrong).toEqual([]);
  });
});
