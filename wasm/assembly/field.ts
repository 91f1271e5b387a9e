/**
 * The field of p = 2^256 - 2^32 - 977, two elements at a time.
 *
 * A *field pair* is 80 bytes: nine limbs of 29 bits for two lanes, limb i of lane l a signed 32-bit integer at
 * 8i + 4l, and eight zero bytes. Value = sum of limb_i * 2^(29 i), mod p. A pair has *magnitude* m when every limb is
 * at most m * (2^28 + 2^13) and limb 8 at most m * (2^23 + 2^10) in absolute value. Products take magnitude 3 and
 * return 1; sums add magnitudes; up to 7 fits in the 32 bits. Signed limbs make subtraction as cheap as addition.
 *
 * Every function is constant time unless its name ends in Var, works on both lanes, and allows aliasing.
 */
import { SEVEN } from './constants.generated';
import { mul, sqr, sqrN } from './fieldProduct.generated';
import { check, checkMagnitude } from './invariants';
import { enter, leave } from './memory';

export { mul, mulAdd, sqr } from './fieldProduct.generated';

/** 29 bits. */
// @ts-ignore: decorator
@inline
const MASK: i64 = 0x1fffffff;

/** Bytes of a field pair. */
// @ts-ignore: decorator
@inline
export const FE: usize = 80;

// @ts-ignore: decorator
@inline
export function copy(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) v128.store(r + i, v128.load(a + i));
}

// @ts-ignore: decorator
@inline
export function setZero(r: usize): void {
  memory.fill(r, 0, FE);
}

export function add(r: usize, a: usize, b: usize): void {
  v128.store(r, i32x4.add(v128.load(a), v128.load(b)));
  v128.store(r, i32x4.add(v128.load(a, 16), v128.load(b, 16)), 16);
  v128.store(r, i32x4.add(v128.load(a, 32), v128.load(b, 32)), 32);
  v128.store(r, i32x4.add(v128.load(a, 48), v128.load(b, 48)), 48);
  v128.store(r, i32x4.add(v128.load(a, 64), v128.load(b, 64)), 64);
}

export function sub(r: usize, a: usize, b: usize): void {
  v128.store(r, i32x4.sub(v128.load(a), v128.load(b)));
  v128.store(r, i32x4.sub(v128.load(a, 16), v128.load(b, 16)), 16);
  v128.store(r, i32x4.sub(v128.load(a, 32), v128.load(b, 32)), 32);
  v128.store(r, i32x4.sub(v128.load(a, 48), v128.load(b, 48)), 48);
  v128.store(r, i32x4.sub(v128.load(a, 64), v128.load(b, 64)), 64);
}

export function neg(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) v128.store(r + i, i32x4.neg(v128.load(a + i)));
}

/** r = a * 2^k, k at most 2. */
// @ts-ignore: decorator
@inline
export function shl(r: usize, a: usize, k: i32): void {
  for (let i: usize = 0; i < FE; i += 16) v128.store(r + i, i32x4.shl(v128.load(a + i), k));
}

/** r = 3a. */
// @ts-ignore: decorator
@inline
export function triple(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(a + i);
    v128.store(r + i, i32x4.add(i32x4.add(v, v), v));
  }
}

/** (lane 1, lane 0) of one vector. */
// @ts-ignore: decorator
@inline
export function swapV(a: v128): v128 {
  return v128.shuffle<i32>(a, a, 1, 0, 3, 2);
}
/** (lane 0 of a, lane 1 of b) of one vector. */
// @ts-ignore: decorator
@inline
export function blendV(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 5, 2, 7);
}

/** r = (lane 1 of a, lane 0 of a). */
// @ts-ignore: decorator
@inline
export function swap(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) v128.store(r + i, swapV(v128.load(a + i)));
}

/** r = (lane 0 of a, lane 1 of b). */
// @ts-ignore: decorator
@inline
export function blend(r: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < FE; i += 16) v128.store(r + i, blendV(v128.load(a + i), v128.load(b + i)));
}

/** r = (lane 0 of a, lane 0 of a). */
// @ts-ignore: decorator
@inline
export function dup0(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(a + i);
    v128.store(r + i, v128.shuffle<i32>(v, v, 0, 0, 2, 2));
  }
}

/** r = (lane 1 of a, lane 1 of a). */
// @ts-ignore: decorator
@inline
export function dup1(r: usize, a: usize): void {
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(a + i);
    v128.store(r + i, v128.shuffle<i32>(v, v, 1, 1, 3, 3));
  }
}

/** Mask vector from two 32-bit masks (0 or -1), one a lane. */
// @ts-ignore: decorator
@inline
export function laneMask(mask0: i32, mask1: i32): v128 {
  return i64x2.splat((<i64>mask1 << 32) | <i64>(<u32>mask0));
}

/** r = a where the mask is 0, -a where it is -1. */
// @ts-ignore: decorator
@inline
export function negIf(r: usize, a: usize, mask: v128): void {
  for (let i: usize = 0; i < FE; i += 16) {
    v128.store(r + i, i32x4.sub(v128.xor(v128.load(a + i), mask), mask));
  }
}

/** Rounded quotient by 2^29 without overflow at the ends of the 32-bit range. */
// @ts-ignore: decorator
@inline
function carryOf(v: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.shr_s(v, 28), i32x4.splat(1)), 1);
}
/** (high half of a, low half of b): carries move up by one limb. */
// @ts-ignore: decorator
@inline
function upV(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 3, 4, 5);
}

/** Brings a pair of magnitude at most 7 back to magnitude 1. */
export function norm(r: usize, a: usize): void {
  checkMagnitude(a, 7);
  const a0 = v128.load(a);
  const a1 = v128.load(a, 16);
  const a2 = v128.load(a, 32);
  const a3 = v128.load(a, 48);
  const a4 = v128.load(a, 64);
  const c0 = carryOf(a0);
  const c1 = carryOf(a1);
  const c2 = carryOf(a2);
  const c3 = carryOf(a3);
  // What exceeds 24 bits in limb 8 is worth 2^256 = 2^32 + 977: 977 to limb 0, 8 to limb 1.
  const over = i32x4.shr_s(i32x4.add(i32x4.shr_s(a4, 23), i32x4.splat(1)), 1);
  const fold = v128.shuffle<i32>(i32x4.mul(over, i32x4.splat(977)), i32x4.shl(over, 3), 0, 1, 4, 5);
  const zero = i32x4.splat(0);
  v128.store(
    r,
    i32x4.add(i32x4.add(i32x4.sub(a0, i32x4.shl(c0, 29)), v128.shuffle<i32>(zero, c0, 0, 1, 4, 5)), fold),
  );
  v128.store(r, i32x4.add(i32x4.sub(a1, i32x4.shl(c1, 29)), upV(c0, c1)), 16);
  v128.store(r, i32x4.add(i32x4.sub(a2, i32x4.shl(c2, 29)), upV(c1, c2)), 32);
  v128.store(r, i32x4.add(i32x4.sub(a3, i32x4.shl(c3, 29)), upV(c2, c3)), 48);
  v128.store(r, i32x4.add(i32x4.sub(a4, i32x4.shl(over, 24)), upV(c3, zero)), 64);
  checkMagnitude(r, 1);
}

/** r = 21a, a of magnitude at most 2: 21 is 3b of the curve. */
export function times21(r: usize, a: usize): void {
  triple(r, a);
  norm(r, r);
  for (let i: usize = 0; i < FE; i += 16) {
    const v = v128.load(r + i);
    // @ts-ignore: defined by a build of the tests, whose curve has b = 4 and points of order 199
    v128.store(r + i, isDefined(SMALL_CURVE) ? i32x4.shl(v, 2) : i32x4.sub(i32x4.shl(v, 3), v));
  }
  norm(r, r);
}

// One lane in canonical form: nine limbs of 29 bits, unsigned, value below p.

/** Nine 64-bit limbs at w. Every step is written out: rolled, it takes three times as long. */
export function canonical(w: usize, a: usize, lane: usize): void {
  const t = enter(FE);
  // Of magnitude 1, the value lies within 2^255.1 of 0: below 0, p is added, and that is all.
  norm(t, a);
  const at = t + 4 * lane;
  let x0: i64 = load<i32>(at);
  let x1: i64 = load<i32>(at, 8);
  let x2: i64 = load<i32>(at, 16);
  let x3: i64 = load<i32>(at, 24);
  let x4: i64 = load<i32>(at, 32);
  let x5: i64 = load<i32>(at, 40);
  let x6: i64 = load<i32>(at, 48);
  let x7: i64 = load<i32>(at, 56);
  let x8: i64 = load<i32>(at, 64);
  x1 += x0 >> 29;
  x2 += x1 >> 29;
  x3 += x2 >> 29;
  x4 += x3 >> 29;
  x5 += x4 >> 29;
  x6 += x5 >> 29;
  x7 += x6 >> 29;
  x8 += x7 >> 29;
  const below = x8 >> 63;
  x0 = (x0 & MASK) - (977 & below);
  x1 = (x1 & MASK) - (8 & below) + (x0 >> 29);
  x2 = (x2 & MASK) + (x1 >> 29);
  x3 = (x3 & MASK) + (x2 >> 29);
  x4 = (x4 & MASK) + (x3 >> 29);
  x5 = (x5 & MASK) + (x4 >> 29);
  x6 = (x6 & MASK) + (x5 >> 29);
  x7 = (x7 & MASK) + (x6 >> 29);
  x8 += (below & 0x1000000) + (x7 >> 29);
  check(<u64>x8 >> 24 == 0);
  store<i64>(w, x0 & MASK);
  store<i64>(w, x1 & MASK, 8);
  store<i64>(w, x2 & MASK, 16);
  store<i64>(w, x3 & MASK, 24);
  store<i64>(w, x4 & MASK, 32);
  store<i64>(w, x5 & MASK, 40);
  store<i64>(w, x6 & MASK, 48);
  store<i64>(w, x7 & MASK, 56);
  store<i64>(w, x8, 64);
  leave(t);
}

/** 32 bytes big-endian of one lane. */
export function toBytes(out: usize, a: usize, lane: usize): void {
  const w = enter(80);
  canonical(w, a, lane);
  limbsToBytes(out, w);
  leave(w);
}

/** Nine 64-bit limbs of 29 bits to 32 bytes big-endian. */
function limbsToBytes(out: usize, w: usize): void {
  const x2 = load<u64>(w, 16);
  const x4 = load<u64>(w, 32);
  const x6 = load<u64>(w, 48);
  store<u64>(out, bswap<u64>((x6 >> 18) | (load<u64>(w, 56) << 11) | (load<u64>(w, 64) << 40)));
  store<u64>(out, bswap<u64>((x4 >> 12) | (load<u64>(w, 40) << 17) | (x6 << 46)), 8);
  store<u64>(out, bswap<u64>((x2 >> 6) | (load<u64>(w, 24) << 23) | (x4 << 52)), 16);
  store<u64>(out, bswap<u64>(load<u64>(w) | (load<u64>(w, 8) << 29) | (x2 << 58)), 24);
}

/** 32 bytes big-endian to nine 32-bit limbs of 29 bits, `stride` bytes apart. */
export function bytesToLimbs(r: usize, src: usize, stride: usize): void {
  const w0 = bswap<u64>(load<u64>(src, 24));
  const w1 = bswap<u64>(load<u64>(src, 16));
  const w2 = bswap<u64>(load<u64>(src, 8));
  const w3 = bswap<u64>(load<u64>(src));
  store<u32>(r, <u32>(w0 & MASK));
  store<u32>(r + stride, <u32>((w0 >> 29) & MASK));
  store<u32>(r + 2 * stride, <u32>(((w0 >> 58) | (w1 << 6)) & MASK));
  store<u32>(r + 3 * stride, <u32>((w1 >> 23) & MASK));
  store<u32>(r + 4 * stride, <u32>(((w1 >> 52) | (w2 << 12)) & MASK));
  store<u32>(r + 5 * stride, <u32>((w2 >> 17) & MASK));
  store<u32>(r + 6 * stride, <u32>(((w2 >> 46) | (w3 << 18)) & MASK));
  store<u32>(r + 7 * stride, <u32>((w3 >> 11) & MASK));
  store<u32>(r + 8 * stride, <u32>(w3 >> 40));
}

/** 1 when the 32 bytes big-endian are below p. */
export function bytesBelowP(src: usize): i32 {
  // p = 2^256 - 2^32 - 977: the sum with 2^32 + 977 overflows exactly for values >= p.
  let c: u64 = 0x1000003d1;
  for (let i: usize = 32; i > 0; i -= 8) {
    const w = bswap<u64>(load<u64>(src + i - 8));
    const s = w + c;
    c = s < w ? 1 : 0;
  }
  return 1 - <i32>c;
}

/** Writes 32 bytes big-endian, taken mod 2^256, into one lane; the other lane keeps its value. Call `norm` after. */
export function setLane(r: usize, lane: usize, src: usize): void {
  bytesToLimbs(r + 4 * lane, src, 8);
}

/** Two values of 32 bytes each into the lanes, magnitude 1. The caller has checked them against p. */
export function fromBytes(r: usize, src0: usize, src1: usize): void {
  setLane(r, 0, src0);
  setLane(r, 1, src1);
  store<u64>(r, 0, 72);
  // Limbs of 29 unsigned bits have magnitude 2.
  norm(r, r);
}

/** 1 when the lane is 0 mod p. */
export function isZero(a: usize, lane: usize): i32 {
  const w = enter(80);
  canonical(w, a, lane);
  let any: u64 = 0;
  for (let i: usize = 0; i < 72; i += 8) any |= load<u64>(w + i);
  leave(w);
  return <i32>((any - 1) >> 63) & <i32>((~any) >> 63);
}

/** Low bit of the canonical value of the lane. */
export function isOdd(a: usize, lane: usize): i32 {
  const w = enter(80);
  canonical(w, a, lane);
  const odd = <i32>load<u32>(w) & 1;
  leave(w);
  return odd;
}

/** 1 when the lanes of a and b are equal mod p; magnitudes sum to at most 7. */
export function equal(a: usize, b: usize, lane: usize): i32 {
  const d = enter(FE);
  sub(d, a, b);
  const same = isZero(d, lane);
  leave(d);
  return same;
}

/**
 * r = a^((p+1)/4) in both lanes: a square root where a is a square, to be checked by the caller.
 * The exponent is 223 ones, 0, 22 ones, 0000, 11, 00: blocks of ones of length 2, 22 and 223.
 */
export function sqrtCandidate(r: usize, a: usize): void {
  const frame = enter(8 * FE);
  const x2 = frame;
  const x3 = frame + FE;
  const x6 = frame + 2 * FE;
  const x11 = frame + 3 * FE;
  const x22 = frame + 4 * FE;
  const x44 = frame + 5 * FE;
  const t = frame + 6 * FE;
  const x88 = frame + 7 * FE;
  sqr(t, a);
  mul(x2, t, a);
  sqr(t, x2);
  mul(x3, t, a);
  sqrN(t, x3, 3);
  mul(x6, t, x3);
  sqrN(t, x6, 3);
  mul(t, t, x3);
  sqrN(t, t, 2);
  mul(x11, t, x2);
  sqrN(t, x11, 11);
  mul(x22, t, x11);
  sqrN(t, x22, 22);
  mul(x44, t, x22);
  sqrN(t, x44, 44);
  mul(x88, t, x44);
  sqrN(t, x88, 88);
  mul(t, t, x88);
  sqrN(t, t, 44);
  mul(t, t, x44);
  sqrN(t, t, 3);
  mul(t, t, x3);
  sqrN(t, t, 23);
  mul(t, t, x22);
  sqrN(t, t, 6);
  mul(t, t, x2);
  sqrN(r, t, 2);
  leave(frame);
}

/** r = x^3 + 7 in both lanes, magnitude 2. */
export function curveRhs(r: usize, x: usize): void {
  const t = enter(FE);
  sqr(t, x);
  mul(t, t, x);
  add(r, t, SEVEN);
  leave(t);
}
