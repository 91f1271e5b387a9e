/**
 * k*G in constant time, for secret k: a signed comb (Hamburg, "Fast and compact elliptic-curve cryptography", section
 * 3.3) of 22 blocks with 6 teeth, 11 blocks in each lane. With e = (k + 2^264 - 1) / 2 mod n,
 * k = sum of (2 e_i - 1) 2^i: every digit is +1 or -1, so no k, not even 0, is special. Each lookup reads its whole
 * block under a mask.
 */
import { copy, FE, laneMask, mul, mulAdd, neg, negIf, norm, shl, sqr, sub, triple } from './field';
import { addLanes, joinLanes, LANES, sumLanes, swapLanes } from './group';
import { enter, leave } from './memory';
import { SC, scAdd, scBits, scHalf } from './scalar';
import { COMB, COMB_BLOCKS, COMB_OFFSET, COMB_SPACING, COMB_TEETH } from './tables.generated';

// @ts-ignore: decorator
@inline
const ENTRIES: i32 = 1 << (<i32>COMB_TEETH - 1);
// @ts-ignore: decorator
@inline
const BLOCK_BYTES: usize = 72 * <usize>ENTRIES;

/** The bits of e under the teeth of a block: every other one of twelve. */
function teethBits(e: usize, block: u32, offset: u32): u32 {
  let bits = (scBits(e, 12 * block, 12) >> offset) & 0x555;
  bits |= bits >> 1;
  return (bits & 3) | ((bits >> 2) & 12) | ((bits >> 4) & 48);
}

/**
 * Affine lanes (qx, qy): the entry of block `block` for bits0, of block `block + 11` for bits1, with their signs. By its
 * address when `variable`.
 */
function lookup(qx: usize, qy: usize, block: u32, bits0: u32, bits1: u32, variable: bool): void {
  // The top tooth is the sign: minus flips all lower teeth.
  const minus0 = <i32>(bits0 >> (COMB_TEETH - 1)) - 1;
  const minus1 = <i32>(bits1 >> (COMB_TEETH - 1)) - 1;
  const place0 = <i32>((bits0 ^ minus0) & (ENTRIES - 1));
  const place1 = <i32>((bits1 ^ minus1) & (ENTRIES - 1));
  const index0 = i32x4.splat(place0);
  const index1 = i32x4.splat(place1);
  let row = COMB + BLOCK_BYTES * block;
  let a0 = i32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let a4 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  let b4 = a0;
  if (variable) {
    const row0 = row + 72 * <usize>place0;
    const row1 = row + 11 * BLOCK_BYTES + 72 * <usize>place1;
    a0 = v128.load(row0);
    a1 = v128.load(row0, 16);
    a2 = v128.load(row0, 32);
    a3 = v128.load(row0, 48);
    a4 = v128.load(row0, 64);
    b0 = v128.load(row1);
    b1 = v128.load(row1, 16);
    b2 = v128.load(row1, 32);
    b3 = v128.load(row1, 48);
    b4 = v128.load(row1, 64);
  } else {
    for (let j: i32 = 0; j < ENTRIES; j++) {
      const at = i32x4.splat(j);
      const m0 = i32x4.eq(at, index0);
      const m1 = i32x4.eq(at, index1);
      a0 = v128.or(a0, v128.and(v128.load(row), m0));
      a1 = v128.or(a1, v128.and(v128.load(row, 16), m0));
      a2 = v128.or(a2, v128.and(v128.load(row, 32), m0));
      a3 = v128.or(a3, v128.and(v128.load(row, 48), m0));
      a4 = v128.or(a4, v128.and(v128.load(row, 64), m0));
      b0 = v128.or(b0, v128.and(v128.load(row, 11 * BLOCK_BYTES), m1));
      b1 = v128.or(b1, v128.and(v128.load(row, 11 * BLOCK_BYTES + 16), m1));
      b2 = v128.or(b2, v128.and(v128.load(row, 11 * BLOCK_BYTES + 32), m1));
      b3 = v128.or(b3, v128.and(v128.load(row, 11 * BLOCK_BYTES + 48), m1));
      b4 = v128.or(b4, v128.and(v128.load(row, 11 * BLOCK_BYTES + 64), m1));
      row += 72;
    }
  }
  // An entry ends in the middle of its fifth vector.
  const half = i64x2(-1, 0);
  a4 = v128.and(a4, half);
  b4 = v128.and(b4, half);
  v128.store(qx, v128.shuffle<i32>(a0, b0, 0, 4, 2, 6));
  v128.store(qx, v128.shuffle<i32>(a1, b1, 0, 4, 2, 6), 16);
  v128.store(qx, v128.shuffle<i32>(a2, b2, 0, 4, 2, 6), 32);
  v128.store(qx, v128.shuffle<i32>(a3, b3, 0, 4, 2, 6), 48);
  v128.store(qx, v128.shuffle<i32>(a4, b4, 0, 4, 2, 6), 64);
  v128.store(qy, v128.shuffle<i32>(a0, b0, 1, 5, 3, 7));
  v128.store(qy, v128.shuffle<i32>(a1, b1, 1, 5, 3, 7), 16);
  v128.store(qy, v128.shuffle<i32>(a2, b2, 1, 5, 3, 7), 32);
  v128.store(qy, v128.shuffle<i32>(a3, b3, 1, 5, 3, 7), 48);
  v128.store(qy, v128.shuffle<i32>(a4, b4, 1, 5, 3, 7), 64);
  negIf(qy, qy, laneMask(minus0, minus1));
}

// The sums of a lane are kept as (X, Y, ZZ, ZZZ), x = X/ZZ, y = Y/ZZZ, ZZ^3 = ZZZ^2 (Sutherland's "XYZZ" coordinates,
// EFD shortw-xyzz): the cheapest additions of an affine point, in formulas that do not know infinity, equal or opposite
// points. None of these occurs, whatever e is. In lane 0 the entry of block b is v*G with
// v = sum over t < 6 of +-4^(6b+t), and the sum so far s*G:
// - offset 1: |s| <= sum of 4^i over i < 6b, that is below 4^(6b)/3, and |v| > 4^(6b+5) * 2/3, so 0 < |s| < |v|;
// - offset 0 begins with twice that sum of 66 terms, |s| >= 2 (4^65 - (4^65-1)/3) = (4^66 + 2)/3, and the entries before
//   the last change it by at most (4^60 - 1)/3, so |s| stays above every |v| <= (4^66 - 4^60)/3.
// No number here reaches n, so what differs as an integer differs mod n. Lane 1 is the same times 4^66.

/** Bytes of (X, Y, ZZ, ZZZ). */
// @ts-ignore: decorator
@inline
const XYZZ: usize = 4 * FE;

/** p = p + (qx, qy) in each lane; see above for the points that it must not meet. `affine`: ZZ and ZZZ of p are 1. */
function addEntry(p: usize, qx: usize, qy: usize, affine: bool): void {
  const frame = enter(6 * FE);
  const u = frame;
  const s = frame + FE;
  const pp = frame + 2 * FE;
  const ppp = frame + 3 * FE;
  const q = frame + 4 * FE;
  const y = frame + 5 * FE;
  const px = p;
  const py = p + FE;
  const zz = p + 2 * FE;
  const zzz = p + 3 * FE;
  if (affine) {
    sub(u, qx, px); // P, magnitude 2
    sub(s, qy, py); // R, magnitude 2
  } else {
    mul(u, qx, zz);
    mul(s, qy, zzz);
    sub(u, u, px);
    sub(s, s, py);
  }
  sqr(pp, u);
  mul(ppp, u, pp);
  mul(q, px, pp);
  neg(y, py);
  sqr(px, s);
  if (affine) {
    copy(zz, pp);
    copy(zzz, ppp);
  } else {
    mul(zz, zz, pp);
    mul(zzz, zzz, ppp);
  }
  sub(px, px, ppp);
  sub(px, px, q);
  sub(px, px, q);
  norm(px, px); // R^2 - P^3 - 2Q
  sub(q, q, px);
  mulAdd(py, s, q, y, ppp); // 2*2 + 1*1
  leave(frame);
}

/** p = 2p in each lane, for points that are not infinity. */
function doubleSum(p: usize): void {
  const frame = enter(5 * FE);
  const u = frame;
  const v = frame + FE;
  const w = frame + 2 * FE;
  const s = frame + 3 * FE;
  const m = frame + 4 * FE;
  const px = p;
  const py = p + FE;
  const zz = p + 2 * FE;
  const zzz = p + 3 * FE;
  shl(u, py, 1);
  sqr(v, u);
  mul(w, u, v);
  mul(s, px, v);
  sqr(m, px);
  triple(m, m);
  sqr(px, m);
  sub(px, px, s);
  sub(px, px, s);
  norm(px, px);
  sub(s, s, px);
  mul(zz, zz, v);
  mul(zzz, zzz, w);
  neg(w, w);
  mulAdd(py, m, s, w, py); // 3*2 + 1*1
  leave(frame);
}

/** Two points whose sum is k*G, one a lane. */
function combLanes(r: usize, k: usize, variable: bool): void {
  const frame = enter(SC + 8 + 2 * FE + XYZZ);
  const e = frame;
  const qx = frame + SC + 8;
  const qy = qx + FE;
  const sum = qy + FE;
  scAdd(e, k, COMB_OFFSET);
  scHalf(e, e);
  for (let offset = <i32>COMB_SPACING - 1; offset >= 0; offset--) {
    for (let block: u32 = 0; block < COMB_BLOCKS / 2; block++) {
      const bits0 = teethBits(e, block, offset);
      const bits1 = teethBits(e, block + COMB_BLOCKS / 2, offset);
      lookup(qx, qy, block, bits0, bits1, variable);
      const first = offset == <i32>COMB_SPACING - 1;
      if (first && block == 0) {
        copy(sum, qx);
        copy(sum + FE, qy);
      } else {
        addEntry(sum, qx, qy, first && block == 1);
      }
    }
    if (offset > 0) doubleSum(sum);
  }
  // (X ZZZ : Y ZZ : ZZ ZZZ)
  mul(r, sum, sum + 3 * FE);
  mul(r + FE, sum + FE, sum + 2 * FE);
  mul(r + 2 * FE, sum + 2 * FE, sum + 3 * FE);
  leave(frame);
}

/** r = k*G, projective, the same in both lanes; infinity for k = 0. */
export function baseMultiply(r: usize, k: usize): void {
  combLanes(r, k, false);
  sumLanes(r, r);
}

/** The same in variable time. */
export function baseMultiplyVar(r: usize, k: usize): void {
  combLanes(r, k, true);
  sumLanes(r, r);
}

/** r = (k0*G, k1*G), one a lane. */
export function baseMultiplyPair(r: usize, k0: usize, k1: usize): void {
  const frame = enter(2 * LANES);
  const p = frame;
  const q = frame + LANES;
  combLanes(p, k0, false);
  combLanes(q, k1, false);
  // (p0, q0) + (p1, q1)
  joinLanes(r, p, q);
  swapLanes(p, p);
  swapLanes(q, q);
  joinLanes(p, p, q);
  addLanes(r, r, p);
  leave(frame);
}
