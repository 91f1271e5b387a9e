/**
 * Sums of k_i*P_i in variable time, for public data (Straus's interleaving): GLV halves of 128 bits with 5-bit wNAF digits
 * over 8 odd multiples of each point, and of lambda times it. All multiples of all points lie on one curve, isomorphic to
 * ours by the Z that the last of them has, so that they are affine there without an inversion. No formula here uses b, so
 * the points may as well lie on another curve y^2 = x^3 + b of ours up to isomorphism (equation.ts).
 */
import { baseMultiplyVar } from './comb';
import { ONE } from './constants.generated';
import { blend, copy, dup0, dup1, FE, laneMask, mul, negIf, sqr } from './field';
import { addLanes, doubleLanes, isInfinity, JACOBIAN, LANES, lanesFromAffine, setInfinity } from './group';
import {
  addAffineVar,
  applyLambda,
  doubleVar,
  isExceptional,
  jacobianFromAffine,
  jacobianFromLanes,
  lanesFromJacobian,
} from './jacobian';
import { enter, leave } from './memory';
import { glvSplit, SC, scBits, scWord } from './scalar';

/** Points in one multiplication, at most. */
// @ts-ignore: decorator
@inline
export const MAX_TERMS: usize = 33;

// @ts-ignore: decorator
@inline
const WINDOW: u32 = 5;
// @ts-ignore: decorator
@inline
const ENTRIES: usize = 8;
/** Bytes of the digits of a half: bits 0..128, two bytes each. */
// @ts-ignore: decorator
@inline
const DIGITS: usize = 272;
// One term: multiples, lambda times the multiples, digits of both halves.
// @ts-ignore: decorator
@inline
const LAMBDA_TABLE: usize = ENTRIES * FE;
// @ts-ignore: decorator
@inline
const DIGITS1: usize = 2 * ENTRIES * FE;
// @ts-ignore: decorator
@inline
const DIGITS2: usize = DIGITS1 + DIGITS;
// @ts-ignore: decorator
@inline
const TERM: usize = DIGITS2 + DIGITS;

/**
 * Width-w NAF of k below 2^128: odd digits below 2^(w-1) in absolute value, any two at least w places apart, as signed
 * 16-bit numbers; negated when `negative`.
 */
function wnafVar(digits: usize, k: usize, negative: bool): void {
  memory.fill(digits, 0, DIGITS);
  let low = scWord(k, 0);
  let high = scWord(k, 64);
  const width: u64 = WINDOW;
  const half: i32 = 1 << (WINDOW - 1);
  let at: usize = 0;
  while (low | high) {
    if (low == 0) {
      low = high;
      high = 0;
      at += 64;
    }
    const zeros = ctz<u64>(low);
    if (zeros) {
      low = (low >> zeros) | (high << (64 - zeros));
      high >>= zeros;
      at += <usize>zeros;
    }
    let digit = <i32>low & (2 * half - 1);
    low >>= width;
    low |= high << (64 - width);
    high >>= width;
    if (digit >= half) {
      // The digit becomes negative and the rest one larger.
      digit -= 2 * half;
      low++;
      if (low == 0) high++;
    }
    store<i16>(digits + 2 * at, <i16>(negative ? -digit : digit));
    at += WINDOW;
  }
}

/**
 * (2i+1)*p as affine points, each on a curve of its own: entry i on the one scaled by the product of `z` and of factors 0
 * to i, of which lane 0 counts. That product over all entries goes to z, both lanes. p is affine on the curve of `z`.
 */
function oddMultiplesVar(table: usize, factors: usize, z: usize, p: usize): void {
  const frame = enter(2 * JACOBIAN + FE);
  const twice = frame;
  const sum = frame + JACOBIAN;
  const t = frame + 2 * JACOBIAN;
  jacobianFromAffine(twice, p);
  doubleVar(twice);
  // On the curve scaled by u = Z(2p), (X, Y) of 2p is an affine point and p is (x u^2, y u^3).
  dup1(t, twice + FE);
  copy(factors, t);
  scaleAffine(sum, p, t);
  copy(sum + FE, ONE);
  copy(table, sum);
  for (let i: usize = 1; i < ENTRIES; i++) {
    addAffineVar(sum, twice, factors + i * FE);
    copy(table + i * FE, sum);
  }
  mul(z, z, t);
  dup1(t, sum + FE);
  mul(z, z, t);
  leave(frame);
}

/** r = (x z^2, y z^3) for an affine pair p and z in both lanes. */
function scaleAffine(r: usize, p: usize, z: usize): void {
  const t = enter(2 * FE);
  const s = t + FE;
  sqr(t, z);
  blend(s, ONE, z);
  mul(t, t, s);
  mul(r, p, t);
  leave(t);
}

/** Brings the multiples of a point to the curve of the last point's last, which has `ratio` times their last's Z. */
function alignVar(table: usize, factors: usize, ratio: usize): void {
  for (let i = <isize>ENTRIES - 1; i >= 0; i--) {
    const entry = table + <usize>i * FE;
    scaleAffine(entry, entry, ratio);
    applyLambda(entry + LAMBDA_TABLE, entry);
    const t = enter(FE);
    dup0(t, factors + <usize>i * FE);
    mul(ratio, ratio, t);
    leave(t);
  }
}

/**
 * r (Jacobian) = sum of scalars[i]*points[i], points as affine pairs. Returns 1; 0 when the sum is infinity or any step
 * met equal or opposite points, and r is not set then.
 */
export function multiplyIncompleteVar(r: usize, scalars: usize, points: usize, count: usize): i32 {
  const frame = enter(count * (TERM + ENTRIES * FE) + 4 * FE + 2 * SC);
  const terms = frame;
  const factors = terms + count * TERM;
  const z = factors + count * ENTRIES * FE;
  const q = z + FE;
  const h = q + FE;
  const ratio = h + FE;
  const k1 = ratio + FE;
  const k2 = k1 + SC;

  copy(z, ONE);
  for (let i: usize = 0; i < count; i++) {
    const term = terms + i * TERM;
    const signs = glvSplit(k1, k2, scalars + i * SC);
    wnafVar(term + DIGITS1, k1, (signs & 1) != 0);
    wnafVar(term + DIGITS2, k2, (signs & 2) != 0);
    scaleAffine(q, points + i * FE, z);
    oddMultiplesVar(term, factors + i * ENTRIES * FE, z, q);
  }
  copy(ratio, ONE);
  for (let i = count; i > 0; i--) alignVar(terms + (i - 1) * TERM, factors + (i - 1) * ENTRIES * FE, ratio);

  let started = false;
  for (let at = 128; at >= 0; at--) {
    if (started) doubleVar(r);
    for (let i: usize = 0; i < count; i++) {
      const term = terms + i * TERM;
      for (let half: usize = 0; half < 2; half++) {
        const digit: i32 = load<i16>(term + half * DIGITS + 2 * at, DIGITS1);
        if (digit == 0) continue;
        const sign = digit >> 31;
        const index = <usize>(((digit ^ sign) - sign) >> 1);
        negIf(q, term + half * LAMBDA_TABLE + index * FE, laneMask(0, sign));
        if (started) addAffineVar(r, q, h);
        else jacobianFromAffine(r, q);
        started = true;
      }
    }
  }
  const finite = started && !isExceptional(r) ? 1 : 0;
  // Back to our curve.
  if (finite) mul(r + FE, r + FE, z);
  leave(frame);
  return finite;
}

/** The same for points of our curve, and 0 for infinity only. */
export function multiplyVar(r: usize, scalars: usize, points: usize, count: usize): i32 {
  if (multiplyIncompleteVar(r, scalars, points, count)) return 1;
  const frame = enter(2 * LANES);
  const sum = frame;
  const p = frame + LANES;
  setInfinity(sum);
  for (let at: i32 = 255; at >= 0; at--) {
    doubleLanes(sum, sum);
    for (let i: usize = 0; i < count; i++) {
      if (scBits(scalars + i * SC, at, 1)) {
        lanesFromAffine(p, points + i * FE);
        addLanes(sum, sum, p);
      }
    }
  }
  const finite = 1 - isInfinity(sum, 0);
  jacobianFromLanes(r, sum);
  leave(frame);
  return finite;
}

/** r (projective, the same in both lanes) = g*G + sum of scalars[i]*points[i]. */
export function linearVar(r: usize, g: usize, scalars: usize, points: usize, count: usize): void {
  const frame = enter(JACOBIAN + LANES);
  const rest = frame + JACOBIAN;
  baseMultiplyVar(r, g);
  if (multiplyVar(frame, scalars, points, count)) {
    lanesFromJacobian(rest, frame);
    addLanes(r, r, rest);
  }
  leave(frame);
}
