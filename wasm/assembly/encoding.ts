/** Points as bytes: compressed SEC1 and x-only, and the points that were decoded lately. */
import {
  blend,
  bytesBelowP,
  copy,
  curveRhs,
  dup0,
  dup1,
  equal,
  FE,
  fromBytes,
  isOdd,
  laneMask,
  negIf,
  sqr,
  sqrtCandidate,
  toBytes,
} from './field';
import { enter, leave, POINT_CACHE } from './memory';

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
