/** Public derivation in bulk: BIP-32 children, BIP-341 output keys, verifying shares of an epoch. Public data only. */
import { baseMultiplyPair } from './comb';
import { BAD_ENCODING, OK } from './errors';
import { FE } from './field';
import { decodePairVar, decodeVar, encode, negateAffineIf, oddMask, xToBytes } from './encoding';
import { addLanes, bothLanesToAffine, isInfinity, joinLanes, LANES, lanesFromAffine } from './group';
import { enter, IN, leave, OUT } from './memory';
import { SC, scFromBytes } from './scalar';
import { tapTweak } from './tweak';

/** OUT + 33i, OUT + 33(i+1) = p + k0*G, q + k1*G for affine pairs p, q; the second only when `both`. */
function writePair(i: usize, p: usize, q: usize, k0: usize, k1: usize, both: bool): i32 {
  const frame = enter(3 * LANES);
  const sum = frame;
  const a = frame + LANES;
  const b = a + LANES;
  baseMultiplyPair(sum, k0, k1);
  lanesFromAffine(a, p);
  lanesFromAffine(b, q);
  joinLanes(a, a, b);
  addLanes(sum, sum, a);
  const finite = 1 - (isInfinity(sum, 0) | isInfinity(sum, 1));
  if (finite) {
    bothLanesToAffine(a, b, sum);
    encode(OUT + 33 * i, a);
    if (both) encode(OUT + 33 * (i + 1), b);
  }
  leave(frame);
  return finite;
}

/** Parent (33) at IN, `count` values I_L (32 each) at IN + 33 -> parent + I_L*G, 33 bytes each, at OUT. */
export function deriveChildrenVar(count: usize): i32 {
  const parent = enter(FE + 2 * SC);
  const k0 = parent + FE;
  const k1 = k0 + SC;
  if (!decodeVar(parent, IN)) return BAD_ENCODING;
  for (let i: usize = 0; i < count; i += 2) {
    const both = i + 1 < count;
    if (!scFromBytes(k0, IN + 33 + 32 * i)) return BAD_ENCODING;
    if (!scFromBytes(k1, IN + 33 + 32 * (both ? i + 1 : i))) return BAD_ENCODING;
    if (!writePair(i, parent, parent, k0, k1, both)) return BAD_ENCODING;
  }
  leave(parent);
  return OK;
}

/** Root (32, `rootLength` 0 or 32) at IN, `count` keys (33 each) at IN + 32 -> BIP-341 output keys, 33 each, at OUT. */
export function outputKeysVar(count: usize, rootLength: usize): i32 {
  const p = enter(2 * FE + 2 * SC + 32);
  const q = p + FE;
  const k0 = q + FE;
  const k1 = k0 + SC;
  const x = k1 + SC;
  for (let i: usize = 0; i < count; i += 2) {
    const both = i + 1 < count;
    const key = IN + 32 + 33 * i;
    if (decodePairVar(p, q, key, both ? key + 33 : key) != 3) return BAD_ENCODING;
    negateAffineIf(p, p, oddMask(p));
    negateAffineIf(q, q, oddMask(q));
    xToBytes(x, p);
    if (!tapTweak(k0, x, IN, rootLength)) return BAD_ENCODING;
    xToBytes(x, q);
    if (!tapTweak(k1, x, IN, rootLength)) return BAD_ENCODING;
    if (!writePair(i, p, q, k0, k1, both)) return BAD_ENCODING;
  }
  leave(p);
  return OK;
}

/** K0 and F (33 each) at IN -> Y_i = K0 + i*F for i = 1, 2, 3, 33 bytes each, at OUT. */
export function verifyingSharesVar(): i32 {
  const p = enter(4 * FE + 4 * LANES);
  const f = p + FE;
  const a = f + FE;
  const b = a + FE;
  const sum = b + FE;
  const slope = sum + LANES;
  const second = slope + LANES;
  const pair = second + LANES;
  if (decodePairVar(p, f, IN, IN + 33) != 3) return BAD_ENCODING;
  lanesFromAffine(sum, p);
  lanesFromAffine(slope, f);
  addLanes(sum, sum, slope);
  addLanes(second, sum, slope);
  joinLanes(pair, sum, second);
  addLanes(second, second, slope);
  if (isInfinity(pair, 0) | isInfinity(pair, 1) | isInfinity(second, 0)) return BAD_ENCODING;
  bothLanesToAffine(a, b, pair);
  encode(OUT, a);
  encode(OUT + 33, b);
  bothLanesToAffine(a, b, second);
  encode(OUT + 66, a);
  leave(p);
  return OK;
}

/** `count` points (33 each) at IN -> their sum, 33 bytes, at OUT. */
export function sumPointsVar(count: usize): i32 {
  const p = enter(2 * FE + 2 * LANES);
  const sum = p + 2 * FE;
  const term = sum + LANES;
  for (let i: usize = 0; i < count; i++) {
    if (!decodeVar(p, IN + 33 * i)) return BAD_ENCODING;
    lanesFromAffine(i == 0 ? sum : term, p);
    if (i > 0) addLanes(sum, sum, term);
  }
  if (count == 0 || isInfinity(sum, 0)) return BAD_ENCODING;
  bothLanesToAffine(p, p + FE, sum);
  encode(OUT, p);
  leave(p);
  return OK;
}
