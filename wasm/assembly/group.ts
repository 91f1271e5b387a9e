/**
 * Points of y^2 = x^3 + 7. Three forms:
 * - *affine pair* (80 bytes): x in lane 0, y in lane 1 of one field pair, magnitude 1. Never infinity.
 * - *projective lanes* (240 bytes): field pairs X, Y, Z, magnitude 1: two independent points (X:Y:Z), one a lane;
 *   infinity is (0:1:0). The formulas are those of Renes, Costello and Batina ("Complete addition formulas for
 *   prime order elliptic curves", EUROCRYPT 2016, algorithms 7, 8 and 9): no exceptional case, no branch.
 * - *Jacobian* (160 bytes): (x, y) = (X/Z^2, Y/Z^3), X and Y in lanes 0 and 1 of one pair, Z in lane 1 of a second,
 *   magnitude 1. For public data: each formula pairs its own products. The formulas do not know infinity, equal or
 *   opposite points; but each of those makes Z zero, and Z stays zero in all later steps, so one look at the last Z
 *   tells whether any step was exceptional (ecmult.ts then computes again with the complete formulas).
 */
import { BETA_ONE, ONE } from './constants.generated';
import {
  add,
  blend,
  blendV,
  bytesBelowP,
  copy,
  curveRhs,
  dup0,
  dup1,
  equal,
  FE,
  fromBytes,
  isOdd,
  isZero,
  laneMask,
  mul,
  mulAdd,
  neg,
  negIf,
  norm,
  setZero,
  shl,
  sqr,
  sqrtCandidate,
  sub,
  swap,
  swapV,
  times21,
  toBytes,
  triple,
} from './field';
import { inverse, inverseVar } from './fieldInverse';
import { enter, leave, POINT_CACHE } from './memory';

/** Bytes of projective lanes, and of a Jacobian point. */
// @ts-ignore: decorator
@inline
export const LANES: usize = 240;
// @ts-ignore: decorator
@inline
export const JACOBIAN: usize = 160;

// Projective lanes: constant time, complete.

/** Infinity in both lanes. */
export function setInfinity(r: usize): void {
  setZero(r);
  copy(r + FE, ONE);
  setZero(r + 2 * FE);
}

/** The point of lane 0 of both affine coordinates into both lanes: (x : y : 1). */
export function lanesFromAffine(r: usize, a: usize): void {
  dup0(r, a);
  dup1(r + FE, a);
  copy(r + 2 * FE, ONE);
}

/** The last six products of the complete additions, as three sums of two. Arguments by magnitude, see below. */
// @ts-ignore: decorator
@inline
function completeTail(r: usize, t0: usize, t1: usize, t3: usize, t4: usize, y3: usize, z3: usize): void {
  const n = enter(FE);
  neg(n, y3);
  // 3*2 + 3*1, 2*2 + 1*3 and 2*3 + 3*3: at most 15.
  mulAdd(r, t3, t1, t4, n);
  mulAdd(r + FE, t1, z3, y3, t0);
  mulAdd(r + 2 * FE, z3, t4, t0, t3);
  leave(n);
}

/** r = p + q in each lane: algorithm 7. May alias. */
export function addLanes(r: usize, p: usize, q: usize): void {
  const frame = enter(7 * FE);
  const t0 = frame;
  const t1 = frame + FE;
  const t2 = frame + 2 * FE;
  const t3 = frame + 3 * FE;
  const t4 = frame + 4 * FE;
  const y3 = frame + 5 * FE;
  const s = frame + 6 * FE;
  const px = p;
  const py = p + FE;
  const pz = p + 2 * FE;
  const qx = q;
  const qy = q + FE;
  const qz = q + 2 * FE;
  mul(t0, px, qx);
  mul(t1, py, qy);
  mul(t2, pz, qz);
  add(t3, px, py);
  add(s, qx, qy);
  mul(t3, t3, s);
  sub(t3, t3, t0);
  sub(t3, t3, t1); // X1 Y2 + X2 Y1, magnitude 3
  add(t4, py, pz);
  add(s, qy, qz);
  mul(t4, t4, s);
  sub(t4, t4, t1);
  sub(t4, t4, t2); // Y1 Z2 + Y2 Z1, magnitude 3
  add(y3, px, pz);
  add(s, qx, qz);
  mul(y3, y3, s);
  sub(y3, y3, t0);
  sub(y3, y3, t2);
  norm(y3, y3);
  times21(y3, y3); // b3 (X1 Z2 + X2 Z1), magnitude 1
  triple(t0, t0);
  times21(t2, t2);
  add(s, t1, t2); // magnitude 2
  sub(t1, t1, t2); // magnitude 2
  completeTail(r, t0, t1, t3, t4, y3, s);
  leave(frame);
}

/** r = p + (qx, qy) in each lane, q affine lanes of magnitude 1: algorithm 8. May alias. */
export function addAffineLanes(r: usize, p: usize, qx: usize, qy: usize): void {
  const frame = enter(7 * FE);
  const t0 = frame;
  const t1 = frame + FE;
  const t2 = frame + 2 * FE;
  const t3 = frame + 3 * FE;
  const t4 = frame + 4 * FE;
  const y3 = frame + 5 * FE;
  const z3 = frame + 6 * FE;
  const px = p;
  const py = p + FE;
  const pz = p + 2 * FE;
  mul(t0, px, qx);
  mul(t1, py, qy);
  add(t3, px, py);
  add(t4, qx, qy);
  mul(t3, t3, t4);
  sub(t3, t3, t0);
  sub(t3, t3, t1); // magnitude 3
  mul(t4, qy, pz);
  add(t4, t4, py); // magnitude 2
  mul(y3, qx, pz);
  add(y3, y3, px);
  times21(y3, y3);
  triple(t0, t0);
  times21(t2, pz);
  add(z3, t1, t2);
  sub(t1, t1, t2);
  completeTail(r, t0, t1, t3, t4, y3, z3);
  leave(frame);
}

/** r = 2p in each lane: algorithm 9. May alias. */
export function doubleLanes(r: usize, p: usize): void {
  const frame = enter(5 * FE);
  const t0 = frame;
  const t1 = frame + FE;
  const t2 = frame + 2 * FE;
  const u = frame + 3 * FE;
  const s = frame + 4 * FE;
  sqr(t0, p + FE);
  sqr(t2, p + 2 * FE);
  times21(t2, t2);
  mul(t1, p + FE, p + 2 * FE);
  mul(s, p, p + FE);
  shl(u, t0, 2);
  norm(u, u);
  shl(u, u, 1); // 8 Y^2, magnitude 2
  mul(r + 2 * FE, t1, u);
  add(t1, t0, t2); // magnitude 2
  triple(r, t2);
  sub(t0, t0, r);
  norm(t0, t0); // Y^2 - 3 b3 Z^2
  mulAdd(r + FE, t0, t1, t2, u); // 2 + 2
  shl(t0, t0, 1);
  mul(r, t0, s);
  leave(frame);
}

/** -p where the lane's mask is -1. */
export function negateLanesIf(r: usize, p: usize, mask0: i32, mask1: i32): void {
  copy(r, p);
  negIf(r + FE, p + FE, laneMask(mask0, mask1));
  copy(r + 2 * FE, p + 2 * FE);
}

/** Both lanes become lane 0 + lane 1. */
export function sumLanes(r: usize, p: usize): void {
  const q = enter(LANES);
  swapLanes(q, p);
  addLanes(r, p, q);
  leave(q);
}

/** r = (lane 0 of p, lane 0 of q). */
export function joinLanes(r: usize, p: usize, q: usize): void {
  const t = enter(FE);
  for (let i: usize = 0; i < LANES; i += FE) {
    dup0(t, q + i);
    blend(r + i, p + i, t);
  }
  leave(t);
}

/** 1 when the lane is infinity. */
export function isInfinity(p: usize, lane: usize): i32 {
  return isZero(p + 2 * FE, lane);
}

/** Affine pair of lane 0; (0, 0) for infinity. One inversion. */
export function lanesToAffine(r: usize, p: usize): void {
  const frame = enter(2 * FE);
  const t = frame + FE;
  inverse(frame, p + 2 * FE, 0);
  dup0(t, p + FE);
  blend(t, p, t);
  mul(r, t, frame);
  leave(frame);
}

/**
 * Affine pairs of `count` points, each in lane 0 of its projective lanes and none of them infinity, with one inversion
 * (Montgomery's trick).
 */
export function manyToAffine(r: usize, p: usize, count: usize): void {
  const frame = enter((count + 3) * FE);
  const products = frame;
  const inv = frame + count * FE;
  const z = inv + FE;
  const t = z + FE;
  copy(products, p + 2 * FE);
  for (let i: usize = 1; i < count; i++) mul(products + i * FE, products + (i - 1) * FE, p + i * LANES + 2 * FE);
  inverse(inv, products + (count - 1) * FE, 0);
  for (let i = count; i > 0; ) {
    i--;
    const point = p + i * LANES;
    if (i > 0) mul(z, inv, products + (i - 1) * FE);
    else copy(z, inv);
    mul(inv, inv, point + 2 * FE);
    dup0(z, z);
    dup0(t, point + FE);
    blend(t, point, t);
    mul(r + i * FE, t, z);
  }
  leave(frame);
}

/** The lanes change places. */
export function swapLanes(r: usize, p: usize): void {
  swap(r, p);
  swap(r + FE, p + FE);
  swap(r + 2 * FE, p + 2 * FE);
}

/** Affine pairs of lanes 0 and 1 with one inversion, for points that are not infinity. */
export function bothLanesToAffine(r0: usize, r1: usize, p: usize): void {
  const frame = enter(4 * FE);
  const z = frame;
  const zi = frame + FE;
  const t = frame + 2 * FE;
  const s = frame + 3 * FE;
  swap(t, p + 2 * FE);
  mul(z, p + 2 * FE, t);
  inverse(zi, z, 0);
  // 1/Z0 = Z1/(Z0 Z1), 1/Z1 = Z0/(Z0 Z1)
  mul(zi, zi, t);
  mul(t, p, zi);
  mul(s, p + FE, zi);
  dup0(z, s);
  blend(r0, t, z);
  dup1(z, t);
  blend(r1, z, s);
  leave(frame);
}

// Encodings.

/** x of an affine pair, 32 bytes. */
// @ts-ignore: decorator
@inline
export function xToBytes(out: usize, a: usize): void {
  toBytes(out, a, 0);
}

/** -1 when y is odd, else 0. */
// @ts-ignore: decorator
@inline
export function oddMask(a: usize): i32 {
  return -isOdd(a, 1);
}

/** Compressed SEC1, 33 bytes. */
export function encode(out: usize, a: usize): void {
  toBytes(out + 1, a, 0);
  store<u8>(out, <u8>(2 + isOdd(a, 1)));
}

/** y changes its sign under the mask. */
export function negateAffineIf(r: usize, a: usize, mask: i32): void {
  negIf(r, a, laneMask(0, mask));
}

/**
 * Two points of given x, side by side, and parity of y (0 or 1). Returns a mask of the ones that exist: bit 0 for
 * x0, bit 1 for x1. Variable time.
 */
export function liftXPairVar(r0: usize, r1: usize, x0: usize, x1: usize, odd0: i32, odd1: i32): i32 {
  const frame = enter(4 * FE);
  const x = frame;
  const rhs = frame + FE;
  const y = frame + 2 * FE;
  const t = frame + 3 * FE;
  let valid = bytesBelowP(x0) | (bytesBelowP(x1) << 1);
  fromBytes(x, x0, x1);
  curveRhs(rhs, x);
  sqrtCandidate(y, rhs);
  sqr(t, y);
  valid &= equal(t, rhs, 0) | (equal(t, rhs, 1) << 1);
  negIf(y, y, laneMask(-(isOdd(y, 0) ^ odd0), -(isOdd(y, 1) ^ odd1)));
  dup0(t, y);
  blend(r0, x, t);
  dup1(t, x);
  blend(r1, t, y);
  leave(frame);
  return valid;
}

/** One point of given x and parity. Returns 1 when it exists. Variable time. */
export function liftXVar(r: usize, x: usize, odd: i32): i32 {
  const t = enter(FE);
  const valid = liftXPairVar(r, t, x, x, odd, odd);
  leave(t);
  return valid & 1;
}

// Points that were decoded or computed lately, by their encoding: 16 places of 128 bytes, encoding at 0, affine pair at
// 48. Commitments, verifying shares and group keys come back call after call, and a square root is a tenth of each.
// Only public points get here.

// @ts-ignore: decorator
@inline
function place(encoded: usize): usize {
  return POINT_CACHE + ((<usize>load<u8>(encoded + 32) & 15) << 7);
}

/** Finds the point of a valid encoding: 1 when it is known. */
function recallVar(r: usize, encoded: usize): i32 {
  const at = place(encoded);
  if (!sameBytesVar(encoded, at, 33)) return 0;
  copy(r, at + 48);
  return 1;
}

/** Keeps a public point. */
export function rememberVar(encoded: usize, point: usize): void {
  const at = place(encoded);
  memory.copy(at, encoded, 33);
  copy(at + 48, point);
}

/** Compares public bytes. */
export function sameBytesVar(a: usize, b: usize, length: usize): bool {
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** Two points from compressed SEC1. Returns a mask as liftXPairVar does. */
export function decodePairVar(r0: usize, r1: usize, p0: usize, p1: usize): i32 {
  const h0: i32 = load<u8>(p0);
  const h1: i32 = load<u8>(p1);
  let valid = ((h0 & 0xfe) == 2 ? 1 : 0) | ((h1 & 0xfe) == 2 ? 2 : 0);
  if (valid == 3 && recallVar(r0, p0) && recallVar(r1, p1)) return 3;
  valid &= liftXPairVar(r0, r1, p0 + 1, p1 + 1, h0 & 1, h1 & 1);
  if (valid & 1) rememberVar(p0, r0);
  if (valid & 2) rememberVar(p1, r1);
  return valid;
}

/** One point from compressed SEC1. Returns 1 when it is one. */
export function decodeVar(r: usize, p: usize): i32 {
  const t = enter(FE);
  const valid = decodePairVar(r, t, p, p);
  leave(t);
  return valid & 1;
}

// Jacobian: variable-time code on public data only.

/** p = 2p. */
export function doubleVar(p: usize): void {
  const frame = enter(4 * FE);
  const s = frame;
  const l = frame + FE;
  const r = frame + 2 * FE;
  const t = frame + 3 * FE;
  const zero = i32x4.splat(0);
  sqr(s, p); // (X^2, Y^2)
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(s + i);
    const v2 = i32x4.add(v, v);
    const xy = v128.load(p + i);
    v128.store(l + i, i32x4.add(xy, xy));
    v128.store(r + i, blendV(swapV(v2), v128.load(p + FE + i)));
    v128.store(s + i, i32x4.add(v2, blendV(v, zero))); // (M, 2Y^2), M = 3X^2
  }
  mul(p + FE, l, r); // (4XY^2, 2YZ)
  sqr(t, s); // (M^2, 4Y^4)
  for (let i: usize = 0; i < FE; i += 16) {
    const u = v128.load(t + i);
    const d = v128.load(p + FE + i);
    const m = v128.load(s + i);
    const x3 = i32x4.sub(u, i32x4.add(d, d)); // M^2 - 8XY^2 in lane 0
    v128.store(l + i, v128.shuffle<i32>(m, m, 0, 0, 2, 2));
    v128.store(r + i, v128.shuffle<i32>(d, x3, 0, 4, 2, 6));
    v128.store(s + i, x3);
  }
  mul(l, l, r); // (M * 4XY^2, M * X3)
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(l + i);
    const u = v128.load(t + i);
    const y3 = i32x4.sub(i32x4.sub(swapV(v), v), i32x4.add(u, u)); // in lane 1
    v128.store(p + i, blendV(v128.load(s + i), y3));
  }
  norm(p, p);
  leave(frame);
}

/** p = p + q, q an affine pair. Lane 0 of the pair at `h` becomes the factor that Z was multiplied by. */
export function addAffineVar(p: usize, q: usize, h: usize): void {
  const frame = enter(5 * FE);
  const a = frame;
  const b = frame + FE;
  const u = frame + 2 * FE;
  const w = frame + 3 * FE;
  const d = frame + 4 * FE;
  const z = p + FE;
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(z + i);
    const zz = v128.shuffle<i32>(v, v, 1, 1, 3, 3);
    v128.store(a + i, zz);
    v128.store(b + i, blendV(zz, v128.load(q + i)));
  }
  mul(u, a, b); // (Z^2, y2 Z)
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(u + i);
    v128.store(w + i, blendV(v128.load(q + i), v));
    v128.store(u + i, v128.shuffle<i32>(v, v, 0, 0, 2, 2));
  }
  mul(w, w, u); // (U2 = x2 Z^2, S2 = y2 Z^3)
  sub(d, w, p); // (H, R), magnitude 2
  copy(h, d);
  sqr(u, d); // (H^2, R^2)
  dup0(w, d);
  mul(z, a, w); // (Z H, Z H): nothing below waits for it
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(u + i);
    v128.store(a + i, blendV(v128.load(d + i), swapV(v128.load(p + i)))); // (H, X1)
    v128.store(b + i, v128.shuffle<i32>(v, v, 0, 0, 2, 2)); // (H^2, H^2)
  }
  mul(w, a, b); // (H^3, V = X1 H^2)
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(w + i);
    // V - X3 = 3V + H^3 - R^2 in lane 1, magnitude 5
    const v3 = i32x4.add(i32x4.add(v, v), v);
    v128.store(a + i, i32x4.sub(i32x4.add(v3, swapV(v)), v128.load(u + i)));
  }
  norm(a, a);
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(w + i);
    const e = v128.load(a + i);
    v128.store(u + i, i32x4.sub(v, e)); // X3 in lane 1, magnitude 2
    v128.store(b + i, blendV(v, e)); // (H^3, V - X3)
    v128.store(a + i, blendV(swapV(v128.load(p + i)), v128.load(d + i))); // (Y1, R)
  }
  mul(a, a, b); // (Y1 H^3, R (V - X3))
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(a + i);
    v128.store(p + i, blendV(swapV(v128.load(u + i)), i32x4.sub(v, swapV(v))));
  }
  norm(p, p);
  leave(frame);
}

/** r = q with Z = 1. */
export function jacobianFromAffine(r: usize, q: usize): void {
  copy(r, q);
  copy(r + FE, ONE);
}

/** Affine pair of a Jacobian point that is not infinity, with a given 1/Z in both lanes. */
export function jacobianToAffineBy(r: usize, p: usize, zInverse: usize): void {
  const t = enter(2 * FE);
  const s = t + FE;
  sqr(t, zInverse);
  blend(s, ONE, zInverse);
  mul(t, t, s); // (Z^-2, Z^-3)
  mul(r, p, t);
  leave(t);
}

/** (X Z : Y : Z^3) in both lanes. */
export function lanesFromJacobian(r: usize, p: usize): void {
  const z = enter(3 * FE);
  const x = z + FE;
  const t = x + FE;
  dup1(z, p + FE);
  dup0(x, p);
  dup1(r + FE, p);
  sqr(t, z);
  mul(r, x, z);
  mul(r + 2 * FE, t, z);
  leave(z);
}

/** (X Z, Y Z^2, Z) of lane 0, for lanes that hold the same point. */
export function jacobianFromLanes(r: usize, p: usize): void {
  const t = enter(2 * FE);
  const s = t + FE;
  sqr(t, p + 2 * FE);
  blend(s, p + 2 * FE, t);
  blend(t, p, p + FE);
  mul(r, t, s);
  copy(r + FE, p + 2 * FE);
  leave(t);
}

/** 1 when the point is infinity or any step on the way was exceptional. */
// @ts-ignore: decorator
@inline
export function isExceptional(p: usize): i32 {
  return isZero(p + FE, 1);
}

/** 1 when the Jacobian p is the affine q, without an inversion. */
export function jacobianEquals(p: usize, q: usize): i32 {
  if (isExceptional(p)) return 0;
  const z = enter(2 * FE);
  const t = z + FE;
  dup1(z, p + FE);
  sqr(t, z);
  mul(z, z, q);
  blend(z, q, z);
  mul(t, t, z); // (x, y Z) Z^2
  const same = equal(t, p, 0) & equal(t, p, 1);
  leave(z);
  return same;
}

/** Affine pair of a Jacobian point that is not infinity. */
export function jacobianToAffine(r: usize, p: usize): void {
  const z = enter(FE);
  inverseVar(z, p + FE, 1);
  jacobianToAffineBy(r, p, z);
  leave(z);
}

/** lambda * q for an affine pair. */
export function applyLambda(r: usize, q: usize): void {
  mul(r, q, BETA_ONE);
}
