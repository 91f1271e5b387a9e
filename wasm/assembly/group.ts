/**
 * Points of y^2 = x^3 + 7. Three forms:
 * - *affine pair* (80 bytes): x in lane 0, y in lane 1 of one field pair, magnitude 1. Never infinity.
 * - *projective lanes* (240 bytes): field pairs X, Y, Z, magnitude 1: two independent points (X:Y:Z), one a lane;
 *   infinity is (0:1:0). The formulas are those of Renes, Costello and Batina ("Complete addition formulas for
 *   prime order elliptic curves", EUROCRYPT 2016, algorithms 7, 8 and 9): no exceptional case, no branch.
 * - *Jacobian* (160 bytes): jacobian.ts.
 */
import { ONE } from './constants.generated';
import {
  add,
  blend,
  copy,
  dup0,
  dup1,
  equal,
  FE,
  isZero,
  mul,
  mulAdd,
  neg,
  norm,
  setZero,
  shl,
  sqr,
  sub,
  swap,
  times21,
  triple,
} from './field';
import { inverse, inverseVar } from './fieldInverse';
import { enter, leave } from './memory';


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

/** 1 when lane 0 of p is the affine q. */
export function lanesEqualAffine(p: usize, q: usize): i32 {
  if (isInfinity(p, 0)) return 0;
  const t = enter(2 * FE);
  const s = t + FE;
  dup0(t, p + 2 * FE);
  mul(t, t, q); // (x Z, y Z)
  dup0(s, p + FE);
  blend(s, p, s);
  const same = equal(s, t, 0) & equal(s, t, 1);
  leave(t);
  return same;
}

/** Affine pair of lane 0; (0, 0) for infinity. One inversion. */
export function lanesToAffine(r: usize, p: usize): void {
  const z = enter(FE);
  inverse(z, p + 2 * FE, 0);
  timesInverse(r, p, z);
  leave(z);
}

/** The same in variable time. */
export function lanesToAffineVar(r: usize, p: usize): void {
  const z = enter(FE);
  inverseVar(z, p + 2 * FE, 0);
  timesInverse(r, p, z);
  leave(z);
}

/** (X z, Y z) of lane 0. */
function timesInverse(r: usize, p: usize, z: usize): void {
  const t = enter(FE);
  dup0(t, p + FE);
  blend(t, p, t);
  mul(r, t, z);
  leave(t);
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
