/**
 * How the signing key descends from K0 (DESIGN section 2, "Tweaks"): K = K0 + T*G, P = g1*K even, and for the key path
 * Q = P + tau*G made even by g2. A share s becomes a*s + b with a = g1*g2, b = g2*(g1*T + tau); for a leaf key a = g1,
 * b = g1*T. All of it is public. The last result is kept, since all signatures of a key share it.
 *
 * The input, 99 bytes: K0 (33), T (32), path (1: 0 key, 1 leaf), length of the root (1), root (32).
 */
import { baseMultiply } from './comb';
import { BAD_ENCODING, OK } from './errors';
import { copy, dup0, dup1, FE } from './field';
import { decodeVar, negateAffineIf, oddMask, sameBytesVar, xToBytes } from './encoding';
import { addAffineLanes, isInfinity, LANES, lanesToAffine } from './group';
import { CACHE, enter, leave } from './memory';
import { SC, scAdd, scFromBytes, scNegIf } from './scalar';
import { SHA, shaFinal, shaUpdate, taggedInit } from './sha256';
import { TAG_TAPTWEAK } from './texts.generated';

// @ts-ignore: decorator
@inline
export const TWEAK_INPUT: usize = 99;

// The cached result.
// @ts-ignore: decorator
@inline
const CACHED: usize = CACHE;
// @ts-ignore: decorator
@inline
const CACHED_INPUT: usize = CACHE + 16;
/** Scalar b. */
// @ts-ignore: decorator
@inline
export const TWEAK_B: usize = CACHE + 128;
/** -1 for a = -1, 0 for a = 1. */
// @ts-ignore: decorator
@inline
export const TWEAK_A: usize = CACHE + 168;
/** x of the key, 32 bytes. */
// @ts-ignore: decorator
@inline
export const TWEAK_X: usize = CACHE + 176;
/** The even key, an affine pair. */
// @ts-ignore: decorator
@inline
export const TWEAK_KEY: usize = CACHE + 208;
// @ts-ignore: decorator
@inline
export const TWEAK_CACHE_END: usize = CACHE + 288;

/** r = p + k*G for affine p, as an affine pair; 0 when that is infinity. */
export function addBaseMultiple(r: usize, p: usize, k: usize): i32 {
  const frame = enter(LANES + 2 * FE);
  const x = frame + LANES;
  const y = x + FE;
  baseMultiply(frame, k);
  dup0(x, p);
  dup1(y, p);
  addAffineLanes(frame, frame, x, y);
  const finite = 1 - isInfinity(frame, 0);
  if (finite) lanesToAffine(r, frame);
  leave(frame);
  return finite;
}

/** tau = H_TapTweak(x || root); 0 when it is not below n. */
export function tapTweak(tau: usize, x: usize, root: usize, rootLength: usize): i32 {
  const ctx = enter(SHA + 32);
  taggedInit(ctx, TAG_TAPTWEAK);
  shaUpdate(ctx, x, 32);
  shaUpdate(ctx, root, rootLength);
  shaFinal(ctx + SHA, ctx);
  const below = scFromBytes(tau, ctx + SHA);
  leave(ctx);
  return below;
}

/** Computes the tweak of the input into the cache. */
export function prepareTweak(input: usize): i32 {
  if (load<u32>(CACHED) && sameBytesVar(input, CACHED_INPUT, TWEAK_INPUT)) return OK;
  store<u32>(CACHED, 0);
  const leaf = load<u8>(input, 65);
  const rootLength = <usize>load<u8>(input, 66);
  if (leaf > 1 || (rootLength != 0 && (rootLength != 32 || leaf))) return BAD_ENCODING;
  const frame = enter(2 * SC + FE + 32);
  const t = frame;
  const tau = t + SC;
  const point = tau + SC;
  const x = point + FE;
  let error = BAD_ENCODING;
  do {
    if (!decodeVar(point, input)) break;
    if (!scFromBytes(t, input + 33)) break;
    if (!addBaseMultiple(point, point, t)) break;
    const g1 = oddMask(point);
    negateAffineIf(point, point, g1);
    scNegIf(t, t, g1);
    let a = g1;
    if (!leaf) {
      xToBytes(x, point);
      if (!tapTweak(tau, x, input + 67, rootLength)) break;
      if (!addBaseMultiple(point, point, tau)) break;
      const g2 = oddMask(point);
      negateAffineIf(point, point, g2);
      scAdd(t, t, tau);
      scNegIf(t, t, g2);
      a = g1 ^ g2;
    }
    memory.copy(TWEAK_B, t, SC);
    store<i32>(TWEAK_A, a);
    xToBytes(TWEAK_X, point);
    copy(TWEAK_KEY, point);
    memory.copy(CACHED_INPUT, input, TWEAK_INPUT);
    store<u32>(CACHED, 1);
    error = OK;
  } while (false);
  leave(frame);
  return error;
}
