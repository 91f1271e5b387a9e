/**
 * k*P in constant time, for secret k: k = +-k1 +- k2 lambda, k1 P in lane 0 and k2 lambda P in lane 1, both by 32
 * windows of four bits over the complete formulas. Window 0 adds infinity like any other; the signs of the split are
 * masks. The table is read in full at every window.
 */
import { ONE } from './constants.generated';
import { blend, copy, dup0, dup1, FE, laneMask, negIf } from './field';
import { addLanes, doubleLanes, LANES, setInfinity, sumLanes } from './group';
import { applyLambda } from './jacobian';
import { enter, leave } from './memory';
import { glvSplit, SC, scBits } from './scalar';

// @ts-ignore: decorator
@inline
const ENTRIES: i32 = 16;

function lookup(r: usize, table: usize, digit0: u32, digit1: u32): void {
  const wanted = i64x2.splat((<i64>digit1 << 32) | <i64>digit0);
  for (let i: usize = 0; i < LANES; i += 48) {
    let a = i32x4.splat(0);
    let b = a;
    let c = a;
    let row = table + i;
    for (let j = 0; j < ENTRIES; j++) {
      const mask = i32x4.eq(i32x4.splat(j), wanted);
      a = v128.or(a, v128.and(v128.load(row), mask));
      b = v128.or(b, v128.and(v128.load(row, 16), mask));
      c = v128.or(c, v128.and(v128.load(row, 32), mask));
      row += LANES;
    }
    v128.store(r + i, a);
    v128.store(r + i, b, 16);
    v128.store(r + i, c, 32);
  }
}

/** r = k*p, projective, the same in both lanes; p an affine pair. */
export function multiplyConst(r: usize, k: usize, p: usize): void {
  const frame = enter(<usize>ENTRIES * LANES + LANES + 2 * SC + 2 * FE);
  const table = frame;
  const q = frame + <usize>ENTRIES * LANES;
  const k1 = q + LANES;
  const k2 = k1 + SC;
  const t = k2 + SC;
  const s = t + FE;
  const signs = glvSplit(k1, k2, k);
  applyLambda(t, p);
  const one = table + LANES;
  dup0(s, t);
  blend(one, p, s);
  dup1(s, p);
  negIf(one + FE, s, laneMask(-(signs & 1), -(signs >> 1)));
  copy(one + 2 * FE, ONE);
  setInfinity(table);
  doubleLanes(table + 2 * LANES, one);
  for (let j: usize = 3; j < <usize>ENTRIES; j++) addLanes(table + j * LANES, table + (j - 1) * LANES, one);
  lookup(r, table, scBits(k1, 124, 4), scBits(k2, 124, 4));
  for (let at: i32 = 120; at >= 0; at -= 4) {
    for (let i = 0; i < 4; i++) doubleLanes(r, r);
    lookup(q, table, scBits(k1, at, 4), scBits(k2, at, 4));
    addLanes(r, r, q);
  }
  sumLanes(r, r);
  leave(frame);
}
