/**
 * The equation of BIP-340, R = s*G - e*P for points of which only x is given and y is even, without a square root.
 *
 * With w = x^3 + 7 = y^2, P is mapped to (x w, w^2) by the isomorphism (x, y) -> (x y^2, y^3 y) onto y^2 = x^3 + 7 w^3,
 * whose coordinates need no y. There e*P is computed; back on our curve it is (X/ZZ, y * Y/(w ZZZ)) with ZZ = w Z^2 and
 * ZZZ = w Z^3. So of A = s*G and B = e*P all is known but the factor y of B's, and that A - B has the given x,
 *   (y_A + y_B)^2 = (x_R + x_A + x_B) (x_A - x_B)^2,
 * is linear in y, for y_B^2 is known. The y that solves it is checked: the square of an even number, and w. Where w is no
 * square, P does not exist, the multiplication went over another curve, and no y passes.
 */
import { ONE, SEVEN } from './constants.generated';
import { baseMultiplyVar } from './comb';
import { multiplyIncompleteVar, linearVar } from './ecmult';
import { liftXVar, oddMask, sameBytesVar, xToBytes } from './encoding';
import {
  add,
  blend,
  bytesBelowP,
  dup0,
  dup1,
  equal,
  FE,
  fromBytes,
  isOdd,
  isZero,
  mul,
  sqr,
  sub,
  swap,
} from './field';
import { inverseVar } from './fieldInverse';
import { isInfinity, JACOBIAN, LANES, lanesToAffineVar } from './group';
import { jacobianFromLanes } from './jacobian';
import { enter, leave } from './memory';
import { SC, scNeg } from './scalar';

/** 1 when s*G - e*P = R, P and R being the points of even y whose x (32 bytes) are given; 0 also when there are none. */
export function holdsVar(rx: usize, s: usize, e: usize, px: usize): i32 {
  if (!bytesBelowP(rx) || !bytesBelowP(px)) return 0;
  const frame = enter(14 * FE + LANES + 2 * JACOBIAN);
  const r = frame;
  const w = r + FE;
  // Lane 0 of these belongs to A, lane 1 to B.
  const x = w + FE;
  const y = x + FE;
  const z = y + FE;
  const zz = z + FE;
  const zzz = zz + FE;
  const h = zzz + FE;
  const k = h + FE;
  const t = k + FE;
  const u = t + FE;
  const m = u + FE;
  const n = m + FE;
  const both = n + FE;
  const lanes = both + FE;
  const a = lanes + LANES;
  const b = a + JACOBIAN;

  fromBytes(r, rx, rx);
  fromBytes(x, px, px);
  sqr(w, x);
  mul(w, w, x);
  add(w, w, SEVEN);
  blend(t, x, w);
  mul(t, t, w);
  let known = multiplyIncompleteVar(b, e, t, 1);
  baseMultiplyVar(lanes, s);
  jacobianFromLanes(a, lanes);
  dup0(t, b);
  blend(x, a, t);
  dup1(t, a);
  blend(y, t, b);
  dup1(t, a + FE);
  blend(z, t, b + FE);

  blend(t, ONE, w);
  sqr(zz, z);
  mul(zz, zz, t); // (Z_A^2, w Z_B^2)
  mul(zzz, zz, z); // (Z_A^3, w Z_B^3)
  swap(t, zz);
  mul(both, zz, t);
  mul(u, x, t);
  swap(h, u);
  add(k, u, h);
  sub(h, u, h);
  dup0(h, h); // x_A - x_B, times `both`
  known &= 1 - (isInfinity(lanes, 0) | isZero(h, 0));
  if (!known) {
    leave(frame);
    return holdsByRootVar(rx, s, e, px);
  }

  // k = (x_R + x_A + x_B) (x_A - x_B)^2 - y_A^2 - y_B^2 times the cube of `both`, and n y is 2 y_A y_B times the same.
  mul(t, r, both);
  add(k, k, t);
  sqr(t, h);
  mul(k, k, t);
  sqr(t, zz);
  mul(t, t, zz);
  swap(t, t);
  sqr(u, y);
  mul(u, u, t);
  sub(k, k, u);
  swap(u, u);
  sub(k, k, u);
  swap(t, y);
  mul(m, y, t);
  add(m, m, m);
  swap(u, zzz);
  mul(t, zzz, u);
  mul(n, m, t);

  // One inversion for 1/n, 1/k and 1/h.
  mul(t, n, h);
  mul(zzz, t, k);
  inverseVar(zzz, zzz, 0);
  mul(t, t, zzz);
  mul(zz, h, k);
  mul(zz, zz, zzz);
  mul(n, n, k);
  mul(h, n, zzz);
  mul(n, k, zz);
  sqr(k, n);
  let valid = equal(k, w, 0) & (1 - isOdd(n, 0));

  // (y_A, y_B), the slope from -B to A, and y_R.
  blend(t, zz, t);
  mul(t, t, m);
  mul(t, t, u); // 1/Z_A^3 in lane 0
  mul(y, y, t);
  mul(x, x, z);
  mul(x, x, t);
  sub(x, x, r);
  swap(t, y);
  add(t, t, y);
  mul(t, t, both);
  mul(t, t, h);
  mul(t, t, x);
  sub(t, t, y);
  valid &= 1 - isOdd(t, 0);
  leave(frame);
  return valid;
}

/** The same by a square root, for the rare inputs of which the way above meets equal points or infinity. */
function holdsByRootVar(rx: usize, s: usize, e: usize, px: usize): i32 {
  const frame = enter(FE + SC + 8 + LANES + 32);
  const p = frame;
  const minus = p + FE;
  const sum = minus + SC + 8;
  const x = sum + LANES;
  let holds = 0;
  if (liftXVar(p, px, 0)) {
    scNeg(minus, e);
    linearVar(sum, s, minus, p, 1);
    if (!isInfinity(sum, 0)) {
      lanesToAffineVar(p, sum);
      xToBytes(x, p);
      holds = sameBytesVar(x, rx, 32) && oddMask(p) == 0 ? 1 : 0;
    }
  }
  leave(frame);
  return holds;
}
