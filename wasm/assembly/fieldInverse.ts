/**
 * Constant-time inversion mod p by the division steps of Bernstein and Yang ("Fast constant-time gcd computation and
 * modular inversion", TCHES 2019), in the half-delta form: 590 steps suffice for 256 bits, done here as 20 batches of
 * 30. Numbers are nine signed limbs of 30 bits (eight in [0, 2^30), the last carries the sign), value in (-2p, p).
 */
import { canonical, norm } from './field';
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
const P0: i32 = -977;
// @ts-ignore: decorator
@inline
const P1: i32 = -4;
// @ts-ignore: decorator
@inline
const P8: i32 = 65536;

/** 2^62 - 2^32 and 2^62, twice each, and four times 30 bits. */
const BIAS: usize = memory.data<i64>(
  [(1 << 62) - (1 << 32), (1 << 62) - (1 << 32), 1 << 62, 1 << 62, 0x3fffffff3fffffff, 0x3fffffff3fffffff],
  16,
);

/** Limbs of d, e, f and g, side by side: nine vectors. */
// @ts-ignore: decorator
@inline
const STATE: usize = 144;
/** Offsets of f and g in a vector. */
// @ts-ignore: decorator
@inline
const F: usize = 8;
// @ts-ignore: decorator
@inline
const G: usize = 12;

/**
 * Runs the division steps on (f, g) until g is 0, 30 at a time on their low bits. The transition matrix of a batch, scaled
 * by 2^30, is (u, v; q, r); each of its rows is one number u + 2^32 v, since the steps only add, negate and double rows.
 *
 * The steps wait for each other and use no vector; the update by the matrix of the batch before runs between them. The
 * first batch updates by a matrix that changes nothing, and the steps of the last one count for nothing.
 */
function divsteps(state: usize): void {
  let zeta: i64 = -1;
  let f = lowBits(state + F);
  let g = lowBits(state + G);
  let ur = i32x4.splat(1 << 30);
  let vq = i32x4.splat(0);
  for (let batch = 0; batch < 21; batch++) {
    let top: i64 = 1;
    let bottom: i64 = 1 << 32;
    const m = multiples(state, ur, vq);
    let fg = firstFG(state, ur, vq);
    let de = firstDE(state, ur, vq, m);
    for (let i: usize = 0; i < 160; i += 16) {
      for (let step = 0; step < 3; step++) {
        // Masks: g odd; and, with zeta < 0, the rows change places. What follows waits for neither sum.
        const odd = -(g & 1);
        const minus = zeta >> 63;
        const exchange = minus & odd;
        const fOrG = f ^ ((f ^ g) & exchange);
        const topOrBottom = top ^ ((top ^ bottom) & exchange);
        g = (g + (((f ^ minus) - minus) & odd)) >> 1;
        bottom += ((top ^ minus) - minus) & odd;
        f = fOrG;
        top = topOrBottom << 1;
        zeta = (zeta ^ exchange) - 1;
      }
      if (i < 128) {
        fg = nextFG(state + i, ur, vq, fg);
        de = nextDE(state, i, ur, vq, m, de);
        v128.store(state + i, v128.and(pack(de, fg), v128.load(BIAS, 32)));
      }
    }
    v128.store(state, pack(carried(de), carried(fg)), 128);
    f = times(state, top);
    g = times(state, bottom);
    const rows = i64x2.replace_lane(i64x2.splat(apart(top)), 1, apart(bottom));
    ur = v128.shuffle<i32>(rows, rows, 0, 3, 0, 3);
    vq = v128.shuffle<i32>(rows, rows, 1, 2, 1, 2);
  }
}

/** The same in variable time, with delta = 1 at the start: steps that only halve g, and up to six at once. */
function divstepsVar(state: usize): void {
  let eta: i64 = -1;
  let rest = 0;
  do {
    let top: i64 = 1;
    let bottom: i64 = 1 << 32;
    let f: i64 = load<i32>(state, F);
    let g: i64 = load<i32>(state, G);
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
    rest = update(state, top, bottom);
  } while (rest);
}

/** The low 60 bits of the number whose limbs begin at `a`. */
// @ts-ignore: decorator
@inline
function lowBits(a: usize): i64 {
  return <i64>load<i32>(a) + (<i64>load<i32>(a, 16) << 30);
}

/** The low 34 bits of (u f + v g) / 2^30, before `update` has run. */
// @ts-ignore: decorator
@inline
function times(state: usize, row: i64): i64 {
  const u = <i64>(<i32>row);
  return (u * lowBits(state + F) + ((row - u) >> 32) * lowBits(state + G)) >> 30;
}

/** (u, v) as two numbers of 32 bits: where u is negative, it has borrowed from v. */
// @ts-ignore: decorator
@inline
function apart(row: i64): i64 {
  return row + ((row & 0x80000000) << 1);
}

// @ts-ignore: decorator
@inline
function swapPairs(a: v128): v128 {
  return v128.shuffle<i32>(a, a, 1, 0, 3, 2);
}
// @ts-ignore: decorator
@inline
function pack(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}
/** (u d + v e, q d + r e) of one limb. */
// @ts-ignore: decorator
@inline
function productDE(limb: v128, other: v128, ur: v128, vq: v128): v128 {
  return i64x2.add(i64x2.extmul_low_i32x4_s(limb, ur), i64x2.extmul_low_i32x4_s(other, vq));
}
/** (u f + v g, q f + r g) of one limb. */
// @ts-ignore: decorator
@inline
function productFG(limb: v128, other: v128, ur: v128, vq: v128): v128 {
  return i64x2.add(i64x2.extmul_high_i32x4_s(limb, ur), i64x2.extmul_high_i32x4_s(other, vq));
}
/** `m` times limb `k` of p, k being 0, 1 or 8. */
// @ts-ignore: decorator
@inline
function timesOrder(m: v128, limb: i32): v128 {
  return i64x2.extmul_low_i32x4_s(m, i32x4.splat(limb));
}

// The update: (d, e) = matrix * (d, e) / 2^30 mod p and (f, g) = matrix * (f, g) / 2^30, exactly, limb by limb upwards. A
// sum of products becomes positive by 2^62, so that a logical shift carries it, 2^32 too much.

/** Multiples of p that make the low 30 bits of d and e vanish; none for f and g, whose own vanish. */
// @ts-ignore: decorator
@inline
function multiples(state: usize, ur: v128, vq: v128): v128 {
  const sign = v128.and(i32x4.shr_s(v128.load(state, 128), 31), i64x2(-1, 0));
  const m = i32x4.add(v128.and(ur, sign), v128.and(vq, swapPairs(sign)));
  const a = v128.load(state);
  const low = v128.shuffle<i32>(productDE(a, swapPairs(a), ur, vq), i32x4.splat(0), 0, 2, 4, 4);
  const over = i32x4.add(i32x4.mul(low, i32x4.splat(P_INVERSE30)), m);
  return i32x4.sub(m, v128.and(over, i32x4.splat(<i32>M30)));
}

/** Lowest sums, of which nothing but the carry is left. */
// @ts-ignore: decorator
@inline
function firstDE(state: usize, ur: v128, vq: v128, m: v128): v128 {
  const a = v128.load(state);
  const de = i64x2.add(productDE(a, swapPairs(a), ur, vq), timesOrder(m, P0));
  check(!v128.any_true(v128.and(de, i64x2.splat(M30))));
  return i64x2.add(de, v128.load(BIAS, 16));
}
// @ts-ignore: decorator
@inline
function firstFG(state: usize, ur: v128, vq: v128): v128 {
  const a = v128.load(state);
  const fg = productFG(a, swapPairs(a), ur, vq);
  check(!v128.any_true(v128.and(fg, i64x2.splat(M30))));
  return i64x2.add(fg, v128.load(BIAS, 16));
}

/** What the next sum begins with: the carry of the one below, and its own bias less what that carry is too large by. */
// @ts-ignore: decorator
@inline
function carried(below: v128): v128 {
  return i64x2.add(i64x2.shr_u(below, 30), v128.load(BIAS));
}
/** The sum above the limb at offset i. */
// @ts-ignore: decorator
@inline
function nextDE(state: usize, i: usize, ur: v128, vq: v128, m: v128, below: v128): v128 {
  const a = v128.load(state + i, 16);
  let sum = productDE(a, swapPairs(a), ur, vq);
  // p has two more limbs than the lowest.
  if (i == 0) sum = i64x2.add(sum, timesOrder(m, P1));
  if (i == 112) sum = i64x2.add(sum, timesOrder(m, P8));
  return i64x2.add(sum, carried(below));
}
// @ts-ignore: decorator
@inline
function nextFG(limb: usize, ur: v128, vq: v128, below: v128): v128 {
  const a = v128.load(limb, 16);
  return i64x2.add(productFG(a, swapPairs(a), ur, vq), carried(below));
}

/** The whole update at once. Returns 0 when g is 0. */
function update(state: usize, top: i64, bottom: i64): i32 {
  const rows = i64x2.replace_lane(i64x2.splat(apart(top)), 1, apart(bottom));
  const ur = v128.shuffle<i32>(rows, rows, 0, 3, 0, 3);
  const vq = v128.shuffle<i32>(rows, rows, 1, 2, 1, 2);
  const m = multiples(state, ur, vq);
  let fg = firstFG(state, ur, vq);
  let de = firstDE(state, ur, vq, m);
  let any = i32x4.splat(0);
  for (let i: usize = 0; i < 128; i += 16) {
    fg = nextFG(state + i, ur, vq, fg);
    de = nextDE(state, i, ur, vq, m, de);
    const limb = v128.and(pack(de, fg), v128.load(BIAS, 32));
    any = v128.or(any, limb);
    v128.store(state + i, limb);
  }
  // Bias and what a carry is too large by lie above its 32 bits.
  const last = pack(carried(de), carried(fg));
  v128.store(state, last, 128);
  return i32x4.extract_lane(v128.or(any, last), 3);
}

/** Adds p where d is negative, negates under `sign` (0 or -1), adds p where the result is negative: [0, p). */
function normalize(d: usize, sign: i64): void {
  for (let pass = 0; pass < 2; pass++) {
    const below: i64 = load<i32>(d, 128) >> 31;
    const flip = pass == 0 ? sign : 0;
    let c: i64 = 0;
    for (let i: usize = 0; i <= 128; i += 16) {
      const order: i64 = i == 0 ? P0 : i == 16 ? P1 : i == 128 ? P8 : 0;
      c += ((<i64>load<i32>(d + i) + (order & below)) ^ flip) - flip;
      store<i32>(d + i, <i32>(i < 128 ? c & M30 : c));
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
  const state = enter(STATE + 80);
  const limbs = state + STATE;
  memory.fill(state, 0, STATE);
  store<i32>(state, 1, 4);
  store<i32>(state, P0, F);
  store<i32>(state, P1, 16 + F);
  store<i32>(state, P8, 128 + F);
  canonical(limbs, a, lane);
  store<u64>(limbs, 0, 72);
  for (let i: usize = 0; i < 9; i++) {
    const bits = (load<u64>(limbs + 8 * i) >> i) | (load<u64>(limbs + 8 * i, 8) << (29 - i));
    store<u32>(state + 16 * i + G, <u32>bits & <u32>M30);
  }
  if (variable) divstepsVar(state);
  else divsteps(state);
  // g is 0 now and f is 1 or -1 (p for a = 0, with d = 0).
  normalize(state, load<i32>(state, 128 + F) >> 31);
  let below: u64 = 0;
  for (let i: usize = 0; i < 9; i++) {
    const limb = <u64>load<u32>(state + 16 * i);
    const bits = ((limb << i) | (below >> (30 - i))) & 0x1fffffff;
    store<u64>(r + 8 * i, bits | (bits << 32));
    below = limb;
  }
  store<u64>(r, 0, 72);
  norm(r, r);
  leave(state);
}
