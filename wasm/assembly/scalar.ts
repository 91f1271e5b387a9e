/**
 * Scalars mod n, the order of the group. A scalar is 40 bytes: nine limbs of 29 bits (36 bytes) and padding, always in
 * [0, n). Constant time unless the name ends in Var; arguments may alias the result.
 */
import { GLV_G1, GLV_G2, GLV_MINUS_B1, GLV_MINUS_B2, LAMBDA_NEG } from './constants.generated';
import { bytesToLimbs } from './field';
import { enter, leave } from './memory';
import { mulWide, reduceWide } from './scalarProduct.generated';

/** Bytes of a scalar. */
// @ts-ignore: decorator
@inline
export const SC: usize = 40;
// @ts-ignore: decorator
@inline
const MASK: i64 = 0x1fffffff;

/** Limb i of n. */
const ORDER: usize = memory.data<u32>(
  [0x10364141, 0x1e92f466, 0x12280eef, 0x1db9cd5e, 0x1fffebaa, 0x1fffffff, 0x1fffffff, 0x1fffffff, 0xffffff, 0],
  16,
);

export function scCopy(r: usize, a: usize): void {
  for (let i: usize = 0; i < SC; i += 8) store<u64>(r + i, load<u64>(a + i));
}

export function scZero(r: usize): void {
  memory.fill(r, 0, SC);
}

export function scSetInt(r: usize, value: u32): void {
  scZero(r);
  store<u32>(r, value);
}

/** r = a - n where a >= n, else a. a is below 2n. Returns -1 when a was below n, 0 otherwise. */
export function subtractOrder(r: usize, a: usize): i32 {
  let borrow: i64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    borrow += <i64>load<u32>(a + i) - <i64>load<u32>(ORDER + i);
    borrow >>= 29;
  }
  const keep = <i64>(<i32>borrow);
  const subtract = ~keep;
  let c: i64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    c += <i64>load<u32>(a + i) - (<i64>load<u32>(ORDER + i) & subtract);
    store<u32>(r + i, <u32>(c & MASK));
    c >>= 29;
  }
  store<u32>(r, 0, 36);
  return <i32>keep;
}

/** 32 bytes big-endian. Returns 1 when the value is below n; else 0, and r is the value mod n. */
export function scFromBytes(r: usize, src: usize): i32 {
  bytesToLimbs(r, src, 4);
  return -subtractOrder(r, r);
}

/** 48 bytes big-endian mod n: hash_to_field of RFC 9380 with L = 48. */
export function scFromBytes48(r: usize, src: usize): void {
  const w = enter(72);
  let acc: u64 = 0;
  let bits: u64 = 0;
  let at: usize = 48;
  for (let i: usize = 0; i < 18; i++) {
    while (bits < 29 && at > 0) {
      at--;
      acc |= <u64>load<u8>(src + at) << bits;
      bits += 8;
    }
    store<u32>(w + 4 * i, <u32>acc & 0x1fffffff);
    acc >>= 29;
    bits = bits > 29 ? bits - 29 : 0;
  }
  reduceWide(r, w);
  leave(w);
}

export function scToBytes(out: usize, a: usize): void {
  store<u64>(out, bswap<u64>(scWord(a, 192)));
  store<u64>(out, bswap<u64>(scWord(a, 128)), 8);
  store<u64>(out, bswap<u64>(scWord(a, 64)), 16);
  store<u64>(out, bswap<u64>(scWord(a, 0)), 24);
}

export function scIsZero(a: usize): i32 {
  let any: u64 = 0;
  for (let i: usize = 0; i < 36; i += 4) any |= load<u32>(a + i);
  return <i32>((any - 1) >> 63);
}

export function scAdd(r: usize, a: usize, b: usize): void {
  let c: u64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    c += <u64>load<u32>(a + i) + <u64>load<u32>(b + i);
    // Limb 8 keeps the 257th bit.
    store<u32>(r + i, i < 32 ? <u32>c & 0x1fffffff : <u32>c);
    c >>= 29;
  }
  subtractOrder(r, r);
}

/** r = -a where the mask is -1, a where it is 0. */
export function scNegIf(r: usize, a: usize, mask: i32): void {
  const zero = <i64>(scIsZero(a) - 1);
  const m = <i64>mask & zero;
  let c: i64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    const limb = <i64>load<u32>(a + i);
    // (n - a) under the mask, a elsewhere.
    c += ((<i64>load<u32>(ORDER + i) - limb) & m) | (limb & ~<i64>mask);
    store<u32>(r + i, <u32>(c & MASK));
    c >>= 29;
  }
  store<u32>(r, 0, 36);
}

export function scNeg(r: usize, a: usize): void {
  scNegIf(r, a, -1);
}

export function scSub(r: usize, a: usize, b: usize): void {
  const t = enter(SC);
  scNeg(t, b);
  scAdd(r, a, t);
  leave(t);
}

export function scMul(r: usize, a: usize, b: usize): void {
  const w = enter(72);
  mulWide(w, a, b);
  reduceWide(r, w);
  leave(w);
}

/** r = a / 2. */
export function scHalf(r: usize, a: usize): void {
  const odd = -<i64>(load<u32>(a) & 1);
  let c: i64 = 0;
  let previous: i64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    c += <i64>load<u32>(a + i) + (<i64>load<u32>(ORDER + i) & odd);
    const limb = i < 32 ? c & MASK : c;
    c >>= 29;
    if (i > 0) store<u32>(r + i - 4, <u32>((previous >> 1) | ((limb & 1) << 28)));
    previous = limb;
  }
  store<u32>(r, <u32>(previous >> 1), 32);
  store<u32>(r, 0, 36);
}

/** -1 when a > n/2, else 0. */
export function scHighMask(a: usize): i32 {
  // a > n/2 exactly when 2a >= n, n being odd.
  const t = enter(SC);
  let c: u64 = 0;
  for (let i: usize = 0; i < 36; i += 4) {
    c += <u64>load<u32>(a + i) << 1;
    store<u32>(t + i, i < 32 ? <u32>c & 0x1fffffff : <u32>c);
    c >>= 29;
  }
  const below = subtractOrder(t, t);
  leave(t);
  return ~below;
}

/** r = round(a * b / 2^384). */
function mulShift384(r: usize, a: usize, b: usize): void {
  const w = enter(72);
  mulWide(w, a, b);
  // Bit 384 is bit 7 of limb 13; the bit below it rounds.
  let c: u64 = (load<u32>(w, 52) >> 6) & 1;
  for (let i: usize = 0; i < 9; i++) {
    const low: u64 = i < 5 ? load<u32>(w + 52 + 4 * i) >> 7 : 0;
    const high: u64 = i < 4 ? (<u64>load<u32>(w + 56 + 4 * i) << 22) & 0x1fffffff : 0;
    c += low | high;
    store<u32>(r + 4 * i, <u32>c & 0x1fffffff);
    c >>= 29;
  }
  store<u32>(r, 0, 36);
  leave(w);
}

/**
 * k = (-1)^s1 k1 + (-1)^s2 k2 lambda with k1, k2 below 2^128 (Gallant, Lambert, Vanstone 2001). The signs come back
 * as masks in bits 0 and 1 of the result: no branch depends on them.
 */
export function glvSplit(k1: usize, k2: usize, k: usize): i32 {
  const c1 = enter(2 * SC);
  const c2 = c1 + SC;
  mulShift384(c1, k, GLV_G1);
  mulShift384(c2, k, GLV_G2);
  scMul(c1, c1, GLV_MINUS_B1);
  scMul(c2, c2, GLV_MINUS_B2);
  scAdd(c2, c1, c2);
  scMul(c1, c2, LAMBDA_NEG);
  scAdd(c1, c1, k);
  const s1 = scHighMask(c1);
  const s2 = scHighMask(c2);
  scNegIf(k1, c1, s1);
  scNegIf(k2, c2, s2);
  leave(c1);
  return (s1 & 1) | (s2 & 2);
}

/** Bits [at, at + count) of a, count at most 29; zero beyond bit 260. */
// @ts-ignore: decorator
@inline
export function scBits(a: usize, at: u32, count: u32): u32 {
  const limb = at / 29;
  const shift = at % 29;
  // The padding word above limb 8 is zero.
  const word = <u64>load<u32>(a + 4 * limb) | (<u64>load<u32>(a + 4 * limb + 4) << 29);
  return <u32>(word >> shift) & ((1 << count) - 1);
}

/** Bits [at, at + 64) of a, at 0, 64, 128 or 192. */
export function scWord(a: usize, at: u32): u64 {
  const limb = a + 4 * (at / 29);
  const shift: u64 = at % 29;
  const low = (<u64>load<u32>(limb) | (<u64>load<u32>(limb, 4) << 29)) >> shift;
  return low | (<u64>load<u32>(limb, 8) << (58 - shift));
}
