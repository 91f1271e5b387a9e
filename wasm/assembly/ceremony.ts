/** Refresh and repair (DESIGN section 5): what happens to shares between epochs and when one is lost. */
import { baseMultiply } from './comb';
import { BAD_ENCODING, BAD_IDENTIFIER, OK, REPAIRED_SHARE_MISMATCH } from './errors';
import { lagrange } from './frost';
import { FE } from './field';
import { encode, sameBytesVar } from './encoding';
import { LANES, lanesToAffine } from './group';
import { enter, IN, leave, OUT } from './memory';
import { SC, scAdd, scFromBytes, scIsZero, scMul, scNeg, scToBytes, scZero } from './scalar';

/** k*G, compressed, for secret k. */
export function encodeMultiple(out: usize, k: usize): void {
  const lanes = enter(LANES + FE);
  baseMultiply(lanes, k);
  lanesToAffine(lanes + LANES, lanes);
  encode(out, lanes + LANES);
  leave(lanes);
}

/** Sum of `count` scalars at IN into r; each below n, the sum not zero. */
function sumOf(r: usize, count: i32): i32 {
  const s = enter(SC);
  scZero(r);
  let valid = 1;
  for (let i = 0; i < count; i++) {
    valid &= scFromBytes(s, IN + 32 * i);
    scAdd(r, r, s);
  }
  leave(s);
  return valid & (1 - scIsZero(r));
}

/** `count` scalars of 32 bytes at IN -> their sum at OUT. */
export function sumScalars(count: i32): i32 {
  const sum = enter(SC);
  if (!sumOf(sum, count)) return BAD_ENCODING;
  scToBytes(OUT, sum);
  return OK;
}

/** Both contributions to the slope at IN -> a (32), 3a (32) and a*G (33) at OUT. */
export function refreshDelta(): i32 {
  const a = enter(2 * SC);
  const three = a + SC;
  if (!sumOf(a, 2)) return BAD_ENCODING;
  scAdd(three, a, a);
  scAdd(three, three, a);
  scToBytes(OUT, a);
  scToBytes(OUT + 32, three);
  encodeMultiple(OUT + 64, a);
  return OK;
}

/** Share and slope a at IN -> share + id*a (32) and its verifying share (33) at OUT. */
export function refreshShare(id: i32): i32 {
  if (id < 1 || id > 3) return BAD_IDENTIFIER;
  const s = enter(2 * SC);
  const a = s + SC;
  const valid = scFromBytes(s, IN) & scFromBytes(a, IN + 32);
  if (!valid | scIsZero(s) | scIsZero(a)) return BAD_ENCODING;
  for (let i = 0; i < id; i++) scAdd(s, s, a);
  if (scIsZero(s)) return BAD_ENCODING;
  scToBytes(OUT, s);
  encodeMultiple(OUT + 32, s);
  return OK;
}

/**
 * First step of repair: share of `id` and 32 random bytes at IN -> two summands of lambda*s at OUT, the one that `id`
 * keeps and the one for the other helper. lambda is the Lagrange coefficient of `id` at `target`.
 */
export function repairSplit(id: i32, helper: i32, target: i32): i32 {
  if (id < 1 || id > 3 || helper < 1 || helper > 3 || target < 1 || target > 3) return BAD_IDENTIFIER;
  if (id == helper || id == target || helper == target) return BAD_IDENTIFIER;
  const s = enter(3 * SC);
  const random = s + SC;
  const lambda = random + SC;
  if (!scFromBytes(s, IN) | scIsZero(s)) return BAD_ENCODING;
  scFromBytes(random, IN + 32);
  if (scIsZero(random)) return BAD_ENCODING;
  lagrange(lambda, id, helper, target);
  scMul(s, s, lambda);
  scToBytes(OUT + 32, random);
  scNeg(random, random);
  scAdd(s, s, random);
  scToBytes(OUT, s);
  return OK;
}

/** Both helpers' sums at IN, the known verifying share (33) at IN + 64 -> the repaired share at OUT. */
export function repairFinish(): i32 {
  const s = enter(SC + 40);
  const y = s + SC;
  if (!sumOf(s, 2)) return BAD_ENCODING;
  encodeMultiple(y, s);
  if (!sameBytesVar(y, IN + 64, 33)) return REPAIRED_SHARE_MISMATCH;
  scToBytes(OUT, s);
  return OK;
}
