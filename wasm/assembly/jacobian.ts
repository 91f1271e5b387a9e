/**
 * Jacobian points (160 bytes), for public data only: (x, y) = (X/Z^2, Y/Z^3), X and Y in lanes 0 and 1 of one pair,
 * Z in lane 1 of a second, magnitude 1. Each formula pairs its own products. The formulas do not know infinity, equal
 * or opposite points; but each of those makes Z zero, and Z stays zero in all later steps, so one look at the last Z
 * tells whether any step was exceptional (ecmult.ts then computes again with the complete formulas).
 */
import { BETA_ONE, ONE } from './constants.generated';
import { blend, blendV, copy, dup0, dup1, FE, isZero, mul, norm, sqr, sub, swapV } from './field';
import { inverseVar } from './fieldInverse';
import { enter, leave } from './memory';

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
