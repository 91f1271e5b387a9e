/**
 * Constant-time inversion mod p by the division steps of Bernstein and Yang ("Fast constant-time gcd computation and
 * modular inversion", TCHES 2019), in the half-delta form: 590 steps suffice for 256 bits, done here as 20 batches of
 * 30. Numbers are nine signed limbs of 30 bits (eight in [0, 2^30), the last carries the sign), value in (-2p, p).
 */
import { FE, limbsToBytes, setLane, norm, toBytes } from './field';
import { check } from './invariants';
import { enter, leave } from './memory';

// @ts-ignore: decorator
@inline
const M30: i64 = 0x3fffffff;
/** p^-1 mod 2^30. */
// @ts-ignore: decorator
@inline
const P_INVERSE30: u32 = 0x2ddacacf;
/** p = -977 - 4 * 2^30 + 65536 * 2^240: limbs 2..7 are zero. */
// @ts-ignore: decorator
@inline
const P0: i64 = -977;
// @ts-ignore: decorator
@inline
const P1: i64 = -4;
// @ts-ignore: decorator
@inline
const P8: i64 = 65536;

/**
 * 30 division steps on the low bits of f and g; their transition matrix, scaled by 2^30, goes to t (u, v, q, r). A row
 * of the matrix is one number u + 2^32 v, since the steps only add, negate and double rows.
 */
function divsteps30(start: i64, f0: i64, g0: i64, t: usize): i64 {
  let zeta = start;
  let top: i64 = 1;
  let bottom: i64 = 1 << 32;
  let f = f0;
  let g = g0;
  for (let i = 0; i < 30; i++) {
    // Masks: zeta < 0, and g odd.
    let m1 = zeta >> 63;
    const m2 = -(g & 1);
    g += ((f ^ m1) - m1) & m2;
    bottom += ((top ^ m1) - m1) & m2;
    m1 &= m2;
    zeta = (zeta ^ m1) - 1;
    f += g & m1;
    top += bottom & m1;
    g >>= 1;
    top <<= 1;
  }
  storeRow(t, top);
  storeRow(t + 8, bottom);
  return zeta;
}

/** The same in variable time, with delta = 1 at the start: steps that only halve g, and up to six at once. */
function divsteps30Var(start: i64, f0: i64, g0: i64, t: usize): i64 {
  let eta = start;
  let top: i64 = 1;
  let bottom: i64 = 1 << 32;
  let f = f0;
  let g = g0;
  let left: i64 = 30;
  while (true) {
    const zeros = ctz<i64>(g | (-1 << left));
    g >>= zeros;
    top <<= zeros;
    eta -= zeros;
    left -= zeros;
    if (left == 0) break;
    if (eta < 0) {
      eta = -eta;
      const oldF = f;
      f = g;
      g = -oldF;
      const oldTop = top;
      top = bottom;
      bottom = -oldTop;
    }
    // f (f^2 - 2) = -1/f mod 64: as many low bits of g vanish as steps may be taken without another exchange.
    const limit = min<i64>(eta + 1, left);
    const w = (f * g * (f * f - 2)) & (<i64>(<u64>-1 >> <u64>(64 - limit)) & 63);
    g += f * w;
    bottom += top * w;
  }
  storeRow(t, top);
  storeRow(t + 8, bottom);
  return eta;
}

function isZero30(a: usize): bool {
  let any: i32 = 0;
  for (let i: usize = 0; i < 36; i += 4) any |= load<i32>(a + i);
  return any == 0;
}

// @ts-ignore: decorator
@inline
function storeRow(t: usize, row: i64): void {
  const left = <i64>(<i32>row);
  store<i32>(t, <i32>left);
  store<i32>(t, <i32>((row - left) >> 32), 4);
}

// @ts-ignore: decorator
@inline
function orderLimb(i: usize): i64 {
  return i == 0 ? P0 : i == 4 ? P1 : i == 32 ? P8 : 0;
}

/** (d, e) = matrix * (d, e) / 2^30 mod p. */
function updateDE(d: usize, e: usize, t: usize): void {
  const u: i64 = load<i32>(t);
  const v: i64 = load<i32>(t, 4);
  const q: i64 = load<i32>(t, 8);
  const r: i64 = load<i32>(t, 12);
  const sd: i64 = load<i32>(d, 32) >> 31;
  const se: i64 = load<i32>(e, 32) >> 31;
  let md = (u & sd) + (v & se);
  let me = (q & sd) + (r & se);
  let di: i64 = load<i32>(d);
  let ei: i64 = load<i32>(e);
  let cd = u * di + v * ei;
  let ce = q * di + r * ei;
  // Multiples of p that make the low 30 bits vanish.
  md -= <i64>((P_INVERSE30 * <u32>cd + <u32>md) & <u32>M30);
  me -= <i64>((P_INVERSE30 * <u32>ce + <u32>me) & <u32>M30);
  cd += P0 * md;
  ce += P0 * me;
  check((cd & M30) == 0 && (ce & M30) == 0);
  cd >>= 30;
  ce >>= 30;
  for (let i: usize = 4; i < 36; i += 4) {
    di = load<i32>(d + i);
    ei = load<i32>(e + i);
    cd += u * di + v * ei;
    ce += q * di + r * ei;
    // p has two more limbs than the lowest.
    if (i == 4) {
      cd += P1 * md;
      ce += P1 * me;
    } else if (i == 32) {
      cd += P8 * md;
      ce += P8 * me;
    }
    store<i32>(d + i - 4, <i32>(cd & M30));
    store<i32>(e + i - 4, <i32>(ce & M30));
    cd >>= 30;
    ce >>= 30;
  }
  store<i32>(d, <i32>cd, 32);
  store<i32>(e, <i32>ce, 32);
}

// @ts-ignore: decorator
@inline
function lowBits(a: usize): i64 {
  return <i64>load<i32>(a) + (<i64>load<i32>(a, 4) << 30);
}

/** (f, g) = matrix * (f, g) / 2^30, exactly. */
function updateFG(f: usize, g: usize, t: usize): void {
  const u: i64 = load<i32>(t);
  const v: i64 = load<i32>(t, 4);
  const q: i64 = load<i32>(t, 8);
  const r: i64 = load<i32>(t, 12);
  let fi: i64 = load<i32>(f);
  let gi: i64 = load<i32>(g);
  let cf = u * fi + v * gi;
  let cg = q * fi + r * gi;
  check((cf & M30) == 0 && (cg & M30) == 0);
  cf >>= 30;
  cg >>= 30;
  for (let i: usize = 4; i < 36; i += 4) {
    fi = load<i32>(f + i);
    gi = load<i32>(g + i);
    cf += u * fi + v * gi;
    cg += q * fi + r * gi;
    store<i32>(f + i - 4, <i32>(cf & M30));
    store<i32>(g + i - 4, <i32>(cg & M30));
    cf >>= 30;
    cg >>= 30;
  }
  store<i32>(f, <i32>cf, 32);
  store<i32>(g, <i32>cg, 32);
}

/** Adds p where a is negative, negates under `sign` (0 or -1), adds p where the result is negative: [0, p). */
function normalize(a: usize, sign: i64): void {
  for (let pass = 0; pass < 2; pass++) {
    const below: i64 = load<i32>(a, 32) >> 31;
    const flip = pass == 0 ? sign : 0;
    let c: i64 = 0;
    for (let i: usize = 0; i < 36; i += 4) {
      let limb = <i64>load<i32>(a + i) + (orderLimb(i) & below);
      limb = (limb ^ flip) - flip;
      c += limb;
      store<i32>(a + i, <i32>(i < 32 ? c & M30 : c));
      c >>= 30;
    }
  }
}

/** r = 1/a of the given lane, into both lanes; 0 for 0. Magnitude of a at most 7. */
export function inverse(r: usize, a: usize, lane: usize): void {
  invert(r, a, lane, false);
}

/** The same in variable time. */
export function inverseVar(r: usize, a: usize, lane: usize): void {
  invert(r, a, lane, true);
}

function invert(r: usize, a: usize, lane: usize, variable: bool): void {
  const frame = enter(4 * 48 + 16 + 80 + 32);
  const f = frame;
  const g = frame + 48;
  const d = frame + 96;
  const e = frame + 144;
  const t = frame + 192;
  const limbs = frame + 208;
  const bytes = frame + 288;
  memory.fill(frame, 0, 208);
  store<i32>(f, <i32>P0);
  store<i32>(f, <i32>P1, 4);
  store<i32>(f, <i32>P8, 32);
  store<i32>(e, 1);
  toBytes(bytes, a, lane);
  let acc: u64 = 0;
  let bits: u64 = 0;
  let at: usize = 32;
  for (let i: usize = 0; i < 36; i += 4) {
    while (bits < 30 && at > 0) {
      at--;
      acc |= <u64>load<u8>(bytes + at) << bits;
      bits += 8;
    }
    store<i32>(g + i, <i32>(acc & M30));
    acc >>= 30;
    bits -= 30;
  }
  let state: i64 = -1;
  if (variable) {
    while (!isZero30(g)) {
      state = divsteps30Var(state, lowBits(f), lowBits(g), t);
      updateDE(d, e, t);
      updateFG(f, g, t);
    }
  } else {
    for (let i = 0; i < 20; i++) {
      // The low 60 bits; only 30 of them matter.
      state = divsteps30(state, lowBits(f), lowBits(g), t);
      updateDE(d, e, t);
      updateFG(f, g, t);
    }
  }
  // g is 0 now and f is 1 or -1 (p for a = 0, with d = 0).
  normalize(d, load<i32>(f, 32) >> 31);
  acc = 0;
  bits = 0;
  at = 0;
  for (let i: usize = 0; i < 9; i++) {
    while (bits < 29 && at < 36) {
      acc |= <u64>load<u32>(d + at) << bits;
      at += 4;
      bits += 30;
    }
    store<u64>(limbs + 8 * i, acc & 0x1fffffff);
    acc >>= 29;
    bits -= 29;
  }
  limbsToBytes(bytes, limbs);
  setLane(r, 0, bytes);
  setLane(r, 1, bytes);
  store<u64>(r, 0, FE - 8);
  norm(r, r);
  leave(frame);
}
