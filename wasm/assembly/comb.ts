/**
 * k*G in constant time, for secret k: a signed comb (Hamburg, "Fast and compact elliptic-curve cryptography", section
 * 3.3) of 22 blocks with 6 teeth, 11 blocks in each lane. With e = (k + 2^264 - 1) / 2 mod n,
 * k = sum of (2 e_i - 1) 2^i: every digit is +1 or -1, so no k, not even 0, is special, and the complete additions
 * need no proof that partial sums differ. Each lookup reads its whole block under a mask.
 */
import { ONE } from './constants.generated';
import { copy, FE, laneMask, negIf, swap } from './field';
import { addAffineLanes, addLanes, doubleLanes, joinLanes, LANES, sumLanes } from './group';
import { enter, leave } from './memory';
import { SC, scAdd, scBits, scHalf } from './scalar';
import { COMB, COMB_BLOCKS, COMB_OFFSET, COMB_SPACING, COMB_TEETH } from './tables.generated';

// @ts-ignore: decorator
@inline
const ENTRIES: i32 = 1 << (<i32>COMB_TEETH - 1);
// @ts-ignore: decorator
@inline
const BLOCK_BYTES: usize = 72 * <usize>ENTRIES;

/** The bits of e under the teeth of a block. */
// @ts-ignore: decorator
@inline
function teethBits(e: usize, block: u32, offset: u32): u32 {
  let bits: u32 = 0;
  const first = block * COMB_TEETH * COMB_SPACING + offset;
  for (let t: u32 = 0; t < COMB_TEETH; t++) bits |= scBits(e, first + t * COMB_SPACING, 1) << t;
  return bits;
}

/** Affine lanes (qx, qy): the entry of block `block` for bits0, of block `block + 11` for bits1, with their signs. */
function lookup(qx: usize, qy: usize, block: u32, bits0: u32, bits1: u32): void {
  // The top tooth is the sign: minus flips all lower teeth.
  const minus0 = <i32>(bits0 >> (COMB_TEETH - 1)) - 1;
  const minus1 = <i32>(bits1 >> (COMB_TEETH - 1)) - 1;
  const index0 = i32x4.splat(<i32>((bits0 ^ minus0) & (ENTRIES - 1)));
  const index1 = i32x4.splat(<i32>((bits1 ^ minus1) & (ENTRIES - 1)));
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

/** Two points whose sum is k*G, one a lane. */
function combLanes(r: usize, k: usize): void {
  const frame = enter(SC + 8 + 2 * FE);
  const e = frame;
  const qx = frame + SC + 8;
  const qy = qx + FE;
  scAdd(e, k, COMB_OFFSET);
  scHalf(e, e);
  for (let offset = <i32>COMB_SPACING - 1; offset >= 0; offset--) {
    for (let block: u32 = 0; block < COMB_BLOCKS / 2; block++) {
      lookup(qx, qy, block, teethBits(e, block, offset), teethBits(e, block + COMB_BLOCKS / 2, offset));
      if (block == 0 && offset == <i32>COMB_SPACING - 1) {
        copy(r, qx);
        copy(r + FE, qy);
        copy(r + 2 * FE, ONE);
      } else {
        addAffineLanes(r, r, qx, qy);
      }
    }
    if (offset > 0) doubleLanes(r, r);
  }
  leave(frame);
}

/** r = k*G, projective, the same in both lanes; infinity for k = 0. */
export function baseMultiply(r: usize, k: usize): void {
  combLanes(r, k);
  sumLanes(r, r);
}

/** r = (k0*G, k1*G), one a lane. */
export function baseMultiplyPair(r: usize, k0: usize, k1: usize): void {
  const frame = enter(2 * LANES);
  const p = frame;
  const q = frame + LANES;
  combLanes(p, k0);
  combLanes(q, k1);
  // (p0, q0) + (p1, q1)
  joinLanes(r, p, q);
  for (let i: usize = 0; i < LANES; i += FE) {
    swap(p + i, p + i);
    swap(q + i, q + i);
  }
  joinLanes(p, p, q);
  addLanes(r, r, p);
  leave(frame);
}
