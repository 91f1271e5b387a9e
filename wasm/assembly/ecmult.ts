/**
 * g*G + sum of k_i*P_i in variable time, for public data (Straus's interleaving): GLV halves of 128 bits with 5-bit
 * wNAF digits over 8 odd multiples of each point, and of lambda times it; 9-bit digits over the stored multiples of G
 * and 2^128 G.
 */
import { ONE } from './constants.generated';
import { blend, copy, dup0, dup1, FE, laneMask, mul } from './field';
import { inverseVar } from './fieldInverse';
import { addLanes, doubleLanes, isInfinity, JACOBIAN, LANES, lanesFromAffine, setInfinity } from './group';
import {
  addAffineVar,
  applyLambda,
  doubleVar,
  isExceptional,
  jacobianFromAffine,
  jacobianFromLanes,
} from './jacobian';
import { enter, leave } from './memory';
import { glvSplit, SC, scBits, scWord } from './scalar';
import { ODD, ODD_WINDOW } from './tables.generated';

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
 * Width-w NAF of bits [from, from + 128) of k: odd digits below 2^(w-1) in absolute value, any two at least w places
 * apart, as signed 16-bit numbers; negated when `negative`.
 */
function wnafVar(digits: usize, k: usize, from: u32, w: u32, negative: bool): void {
  memory.fill(digits, 0, DIGITS);
  let low = scWord(k, from);
  let high = scWord(k, from + 64);
  const width = <u64>w;
  const half: i32 = 1 << <i32>(w - 1);
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
    at += w;
  }
}

/** (2i+1)*p in Jacobian form on the curve scaled by the Z of 2p, the factors of Z in `factors`; Z of all in z. */
function oddMultiplesVar(table: usize, factors: usize, z: usize, p: usize): void {
  const frame = enter(2 * JACOBIAN + FE);
  const twice = frame;
  const sum = frame + JACOBIAN;
  const t = frame + 2 * JACOBIAN;
  jacobianFromAffine(twice, p);
  doubleVar(twice);
  // On the curve scaled by u = Z(2p), (X, Y) of 2p is an affine point and p is (x u^2, y u^3).
  dup1(t, twice + FE);
  mul(z, t, t);
  blend(sum, ONE, t);
  mul(z, z, sum);
  mul(sum, p, z);
  copy(sum + FE, ONE);
  copy(table, sum);
  for (let i: usize = 1; i < ENTRIES; i++) {
    addAffineVar(sum, twice, factors + i * FE);
    copy(table + i * FE, sum);
  }
  dup1(z, sum + FE);
  mul(z, z, t);
  leave(frame);
}

/** Makes the multiples of p affine, given 1/z; fills in the table of lambda times them. */
function affineMultiplesVar(table: usize, factors: usize, zInverse: usize, p: usize): void {
  const t = enter(2 * FE);
  const s = t + FE;
  for (let i = ENTRIES - 1; i > 0; i--) {
    // Lanes (1/Z, 1/Z) times (1/Z, factor): (1/Z^2, 1/Z of the entry before).
    dup0(t, factors + i * FE);
    blend(t, zInverse, t);
    mul(t, zInverse, t);
    dup0(s, t);
    // (1/Z^2, 1/Z^3)
    const ones = enter(FE);
    blend(ones, ONE, zInverse);
    dup1(zInverse, t);
    mul(s, s, ones);
    leave(ones);
    mul(table + i * FE, table + i * FE, s);
    applyLambda(table + LAMBDA_TABLE + i * FE, table + i * FE);
  }
  copy(table, p);
  applyLambda(table + LAMBDA_TABLE, p);
  leave(t);
}

/** q = digit * (base of the table), as an affine pair. Entries are `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function pick(q: usize, table: usize, stride: usize, digit: i32): void {
  const sign = digit >> 31;
  const index = <usize>(((digit ^ sign) - sign) >> 1);
  const entry = table + index * stride;
  const mask = laneMask(0, sign);
  for (let i: usize = 0; i < 64; i += 16) {
    v128.store(q + i, i32x4.sub(v128.xor(v128.load(entry + i), mask), mask));
  }
  v128.store(q, i32x4.sub(v128.xor(v128.load64_zero(entry, 64), mask), mask), 64);
  store<u64>(q, 0, 72);
}

/**
 * r (Jacobian) = g*G + sum of scalars[i]*points[i], points as affine pairs. g may be 0 (the pointer) for none.
 * Returns 0 when the result is infinity, and r is not set then.
 */
export function multiplyVar(r: usize, g: usize, scalars: usize, points: usize, count: usize): i32 {
  const frame = enter(count * (TERM + FE + ENTRIES * FE) + 2 * DIGITS + 4 * FE + 2 * SC);
  const terms = frame;
  const zs = terms + count * TERM;
  const factors = zs + count * FE;
  const gLow = factors + count * ENTRIES * FE;
  const gHigh = gLow + DIGITS;
  const q = gHigh + DIGITS;
  const h = q + FE;
  const inv = h + FE;
  const t = inv + FE;
  const k1 = t + FE;
  const k2 = k1 + SC;

  for (let i: usize = 0; i < count; i++) {
    const term = terms + i * TERM;
    const signs = glvSplit(k1, k2, scalars + i * SC);
    wnafVar(term + DIGITS1, k1, 0, WINDOW, (signs & 1) != 0);
    wnafVar(term + DIGITS2, k2, 0, WINDOW, (signs & 2) != 0);
    oddMultiplesVar(term, factors + i * ENTRIES * FE, zs + i * FE, points + i * FE);
  }
  if (count > 0) {
    // One inversion for all: running products go through the tables' place for lambda times entry 0.
    copy(terms + LAMBDA_TABLE, zs);
    for (let i: usize = 1; i < count; i++) {
      mul(terms + i * TERM + LAMBDA_TABLE, terms + (i - 1) * TERM + LAMBDA_TABLE, zs + i * FE);
    }
    inverseVar(inv, terms + (count - 1) * TERM + LAMBDA_TABLE, 0);
    for (let i = count - 1; i > 0; i--) {
      const term = terms + i * TERM;
      mul(t, inv, terms + (i - 1) * TERM + LAMBDA_TABLE);
      mul(inv, inv, zs + i * FE);
      affineMultiplesVar(term, factors + i * ENTRIES * FE, t, points + i * FE);
    }
    affineMultiplesVar(terms, factors, inv, points);
  }
  if (g) {
    wnafVar(gLow, g, 0, ODD_WINDOW, false);
    wnafVar(gHigh, g, 128, ODD_WINDOW, false);
  } else {
    memory.fill(gLow, 0, 2 * DIGITS);
  }

  let started = false;
  for (let at = 128; at >= 0; at--) {
    if (started) doubleVar(r);
    for (let i: usize = 0; i < count; i++) {
      const term = terms + i * TERM;
      const d1: i32 = load<i16>(term + 2 * at, DIGITS1);
      if (d1) {
        pick(q, term, FE, d1);
        started = accumulate(r, q, h, started);
      }
      const d2: i32 = load<i16>(term + 2 * at, DIGITS2);
      if (d2) {
        pick(q, term + LAMBDA_TABLE, FE, d2);
        started = accumulate(r, q, h, started);
      }
    }
    const low: i32 = load<i16>(gLow + 2 * at);
    if (low) {
      pick(q, ODD, 72, low);
      started = accumulate(r, q, h, started);
    }
    const high: i32 = load<i16>(gHigh + 2 * at);
    if (high) {
      pick(q, ODD + (72 << (ODD_WINDOW - 2)), 72, high);
      started = accumulate(r, q, h, started);
    }
  }
  let finite = started ? 1 : 0;
  if (started && isExceptional(r)) finite = multiplyCompleteVar(r, g, scalars, points, count);
  leave(frame);
  return finite;
}

// @ts-ignore: decorator
@inline
function accumulate(r: usize, q: usize, h: usize, started: bool): bool {
  if (started) addAffineVar(r, q, h);
  else jacobianFromAffine(r, q);
  return true;
}

/** The same bit by bit over the complete formulas: for the rare inputs that meet an exceptional addition. */
function multiplyCompleteVar(r: usize, g: usize, scalars: usize, points: usize, count: usize): i32 {
  const frame = enter(2 * LANES + FE);
  const sum = frame;
  const p = frame + LANES;
  const t = p + LANES;
  setInfinity(sum);
  for (let at: i32 = 255; at >= 0; at--) {
    doubleLanes(sum, sum);
    for (let i: usize = 0; i < count; i++) {
      if (scBits(scalars + i * SC, at, 1)) {
        lanesFromAffine(p, points + i * FE);
        addLanes(sum, sum, p);
      }
    }
    if (g && scBits(g, at, 1)) {
      pick(t, ODD, 72, 1);
      lanesFromAffine(p, t);
      addLanes(sum, sum, p);
    }
  }
  const finite = 1 - isInfinity(sum, 0);
  jacobianFromLanes(r, sum);
  leave(frame);
  return finite;
}
