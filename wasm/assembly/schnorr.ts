/** BIP-340: signing with a host key, verification, batch verification. */
import { BAD_ENCODING, OK } from './errors';
import { FE } from './field';
import { baseMultiply } from './comb';
import { MAX_TERMS, linearVar } from './ecmult';
import { holdsVar } from './equation';
import { liftXPairVar, oddMask, xToBytes } from './encoding';
import { isInfinity, LANES, lanesToAffine } from './group';
import { IN, OUT, enter, leave } from './memory';
import { SC, scAdd, scCopy, scFromBytes, scIsZero, scMul, scNeg, scNegIf, scSetInt, scToBytes, scZero } from './scalar';
import { SHA, shaFinal, shaInit, shaUpdate, taggedInit } from './sha256';
import { TAG_AUX, TAG_BATCH, TAG_CHALLENGE, TAG_NONCE } from './texts.generated';

/** e = H_challenge(r || key || message) mod n. */
export function challenge(e: usize, r: usize, key: usize, message: usize, length: usize): void {
  const ctx = enter(SHA + 32);
  const digest = ctx + SHA;
  taggedInit(ctx, TAG_CHALLENGE);
  shaUpdate(ctx, r, 32);
  shaUpdate(ctx, key, 32);
  shaUpdate(ctx, message, length);
  shaFinal(digest, ctx);
  scFromBytes(e, digest);
  leave(ctx);
}

/** Secret key at IN, aux at IN + 32, message of 32 bytes at IN + 64 -> signature of 64 bytes at OUT. */
export function sign(): i32 {
  const frame = enter(3 * SC + LANES + FE + SHA + 128);
  const d = frame;
  const k = d + SC;
  const e = k + SC;
  const lanes = e + SC + 8;
  const point = lanes + LANES;
  const ctx = point + FE;
  const t = ctx + SHA;
  const key = t + 32;
  const r = key + 32;
  const message = IN + 64;
  if (!scFromBytes(d, IN) | scIsZero(d)) return BAD_ENCODING;
  baseMultiply(lanes, d);
  lanesToAffine(point, lanes);
  scNegIf(d, d, oddMask(point));
  xToBytes(key, point);
  taggedInit(ctx, TAG_AUX);
  shaUpdate(ctx, IN + 32, 32);
  shaFinal(r, ctx);
  scToBytes(t, d);
  for (let i: usize = 0; i < 32; i += 8) store<u64>(t + i, load<u64>(t + i) ^ load<u64>(r + i));
  taggedInit(ctx, TAG_NONCE);
  shaUpdate(ctx, t, 32);
  shaUpdate(ctx, key, 32);
  shaUpdate(ctx, message, 32);
  shaFinal(t, ctx);
  scFromBytes(k, t);
  if (scIsZero(k)) return BAD_ENCODING;
  baseMultiply(lanes, k);
  lanesToAffine(point, lanes);
  scNegIf(k, k, oddMask(point));
  xToBytes(r, point);
  challenge(e, r, key, message, 32);
  scMul(e, e, d);
  scAdd(e, e, k);
  memory.copy(OUT, r, 32);
  scToBytes(OUT + 32, e);
  leave(frame);
  return OK;
}

/** Signature (64 bytes) of a message under the x-only key. Public data. Returns 1 or 0. */
export function verifyVar(key: usize, signature: usize, message: usize, length: usize): i32 {
  const frame = enter(2 * SC);
  const s = frame;
  const e = s + SC;
  let valid = 0;
  if (scFromBytes(s, signature + 32)) {
    challenge(e, signature, key, message, length);
    valid = holdsVar(signature, s, e, key);
  }
  leave(frame);
  return valid;
}

/** Most signatures of one batch: two points each. */
// @ts-ignore: decorator
@inline
export const MAX_BATCH: usize = MAX_TERMS / 2;

/**
 * `count` times key (32), signature (64), message (32) from IN: 1 when all are valid, by one multiplication of
 * sum a_i s_i * G - sum a_i R_i - sum a_i e_i P_i (BIP-340, "Batch Verification"). The a_i of 128 bits come from a hash
 * of the whole input: they are not known before the signatures are fixed.
 */
export function verifyBatchVar(count: usize): i32 {
  if (count == 0) return 1;
  if (count > MAX_BATCH) return 0;
  const frame = enter(2 * count * (SC + FE) + 3 * SC + SHA + 80 + LANES);
  const sum = frame;
  const points = sum + LANES;
  const scalars = points + 2 * count * FE;
  const g = scalars + 2 * count * SC;
  const a = g + SC;
  const s = a + SC;
  const ctx = s + SC;
  const seed = ctx + SHA;
  taggedInit(ctx, TAG_BATCH);
  shaUpdate(ctx, IN, count * 128);
  shaFinal(seed, ctx);
  scZero(g);
  let valid = 1;
  for (let i: usize = 0; i < count && valid; i++) {
    const key = IN + i * 128;
    const signature = key + 32;
    const e = scalars + (2 * i + 1) * SC;
    const lifted = liftXPairVar(points + 2 * i * FE, points + (2 * i + 1) * FE, signature, key, 0, 0);
    if (lifted != 3 || !scFromBytes(s, signature + 32)) {
      valid = 0;
      break;
    }
    challenge(e, signature, key, signature + 64, 32);
    if (i == 0) {
      scSetInt(a, 1);
    } else {
      store<u32>(seed, <u32>i, 32);
      shaInit(ctx);
      shaUpdate(ctx, seed, 36);
      shaFinal(seed + 40, ctx);
      memory.fill(seed + 40, 0, 16);
      scFromBytes(a, seed + 40);
    }
    scMul(s, s, a);
    scAdd(g, g, s);
    scMul(e, e, a);
    scNeg(e, e);
    scNeg(a, a);
    scCopy(scalars + 2 * i * SC, a);
  }
  if (valid) {
    linearVar(sum, g, scalars, points, 2 * count);
    valid = isInfinity(sum, 0);
  }
  leave(frame);
  return valid;
}
