/**
 * PedPop keygen with t = 2 over ids 1..3 (DESIGN section 2): polynomials, proofs of knowledge, sub-shares, and what
 * every party derives from the three commitments.
 */
import { baseMultiply, baseMultiplyPair } from './comb';
import { ONE } from './constants.generated';
import { linearVar } from './ecmult';
import {
  BAD_ENCODING,
  BAD_IDENTIFIER,
  BAD_PROOF,
  BAD_SHARE,
  blame,
  OK,
  TRANSCRIPT_MISMATCH,
} from './errors';
import { blend, bytesBelowP, copy, dup0, dup1, equal, FE, mul } from './field';
import { decodePairVar, encode, liftXVar, oddMask, rememberVar, sameBytesVar, xToBytes } from './encoding';
import { addLanes, isInfinity, LANES, lanesToAffineVar, manyToAffine, swapLanes } from './group';
import { enter, IN, leave, OUT } from './memory';
import { SC, scAdd, scFromBytes, scIsZero, scMul, scNeg, scNegIf, scToBytes, scZero } from './scalar';
import { fieldHashFinal, fieldHashInit, SHA, shaUpdate } from './sha256';
import {
  close,
  COMMITMENT,
  findFree,
  FIRST,
  indexOf,
  open,
  OWNER,
  POLYNOMIALS,
  POLYNOMIALS_END,
  SECOND,
  slotAt,
} from './slots';
import { DKG, DKG_LENGTH } from './texts.generated';

/** c = hash_to_field(id || phi0 || 02 || x(R)), DST SUITE + 'dkg' + lowercase hex(session). */
function proofChallenge(c: usize, id: i32, session: usize, phi0: usize, rx: usize): void {
  const frame = enter(SHA + 112 + 72);
  const ctx = frame;
  const dst = frame + SHA;
  const head = dst + 112;
  memory.copy(dst, DKG, DKG_LENGTH);
  for (let i: usize = 0; i < 32; i++) {
    const byte = load<u8>(session + i);
    store<u8>(dst + DKG_LENGTH + 2 * i, hexDigit(byte >> 4));
    store<u8>(dst + DKG_LENGTH + 2 * i + 1, hexDigit(byte & 15));
  }
  memory.fill(head, 0, 31);
  store<u8>(head, <u8>id, 31);
  store<u8>(head, 2, 32);
  fieldHashInit(ctx);
  shaUpdate(ctx, head, 32);
  shaUpdate(ctx, phi0, 33);
  shaUpdate(ctx, head + 32, 1);
  shaUpdate(ctx, rx, 32);
  fieldHashFinal(c, ctx, dst, DKG_LENGTH + 64);
  leave(frame);
}

function hexDigit(value: u8): u8 {
  return value < 10 ? 48 + value : 87 + value;
}

/**
 * Session at IN, 96 random bytes at IN + 32 -> commitment (66) and proof (64) at OUT; returns the polynomial's handle.
 */
export function keygenCommit(id: i32): i32 {
  if (id < 1 || id > 3) return BAD_IDENTIFIER;
  const frame = enter(4 * SC + 3 * LANES + 3 * FE);
  const f0 = frame;
  const f1 = f0 + SC;
  const k = f1 + SC;
  const c = k + SC;
  const lanes = c + SC;
  const point = lanes + 3 * LANES;
  for (let i: usize = 0; i < 3; i++) {
    scFromBytes(f0 + i * SC, IN + 32 + 32 * i);
    if (scIsZero(f0 + i * SC)) return BAD_ENCODING;
  }
  const index = findFree(POLYNOMIALS, POLYNOMIALS_END);
  if (index < 0) return index;
  baseMultiplyPair(lanes, f0, f1);
  swapLanes(lanes + LANES, lanes);
  baseMultiply(lanes + 2 * LANES, k);
  manyToAffine(point, lanes, 3);
  encode(OUT, point);
  encode(OUT + 33, point + FE);
  rememberVar(OUT, point);
  rememberVar(OUT + 33, point + FE);
  scNegIf(k, k, oddMask(point + 2 * FE));
  xToBytes(OUT + 66, point + 2 * FE);
  proofChallenge(c, id, IN, OUT, OUT + 66);
  scMul(c, c, f0);
  scAdd(c, c, k);
  scToBytes(OUT + 98, c);
  const slot = slotAt(index);
  scToBytes(slot + FIRST, f0);
  scToBytes(slot + SECOND, f1);
  memory.copy(slot + COMMITMENT, OUT, 66);
  store<u8>(slot + OWNER, <u8>id);
  leave(frame);
  return open(index);
}

/** Session at IN, commitment (66) at IN + 32, proof (64) at IN + 98: mu*G - c*phi0 = R. */
export function keygenVerifyProof(id: i32): i32 {
  if (id < 1 || id > 3) return BAD_IDENTIFIER;
  const frame = enter(2 * SC + 3 * FE + LANES + 32);
  const mu = frame;
  const c = mu + SC;
  const phis = c + SC;
  const r = phis + 2 * FE;
  const sum = r + FE;
  const x = sum + LANES;
  const proof = IN + 98;
  if (decodePairVar(phis, phis + FE, IN + 32, IN + 65) != 3) return blame(BAD_ENCODING, id);
  if (!bytesBelowP(proof) || !scFromBytes(mu, proof + 32)) return blame(BAD_ENCODING, id);
  proofChallenge(c, id, IN, IN + 32, proof);
  scNeg(c, c);
  let right = false;
  linearVar(sum, mu, c, phis, 1);
  if (!isInfinity(sum, 0)) {
    lanesToAffineVar(r, sum);
    xToBytes(x, r);
    right = oddMask(r) == 0 && sameBytesVar(x, proof, 32);
  }
  // Only a refusal asks whether the proof's R is a point at all.
  const error = right ? OK : blame(liftXVar(r, proof, 0) ? BAD_PROOF : BAD_ENCODING, id);
  leave(frame);
  return error;
}

/** r = f(at) of the polynomial in the slot. */
function evaluate(r: usize, slot: usize, at: i32): void {
  const f1 = enter(SC);
  scFromBytes(r, slot + FIRST);
  scFromBytes(f1, slot + SECOND);
  for (let i = 0; i < at; i++) scAdd(r, r, f1);
  leave(f1);
}

/** f(recipient), 32 bytes at OUT. */
export function keygenShareFor(handle: i32, recipient: i32): i32 {
  const index = indexOf(handle, POLYNOMIALS, POLYNOMIALS_END);
  if (index < 0) return index;
  if (recipient < 1 || recipient > 3) return BAD_IDENTIFIER;
  const f = enter(SC);
  evaluate(f, slotAt(index), recipient);
  scToBytes(OUT, f);
  leave(f);
  return OK;
}

export function dropPolynomial(handle: i32): void {
  const index = indexOf(handle, POLYNOMIALS, POLYNOMIALS_END);
  if (index >= 0) close(index);
}

/** r = p + at*q in each lane, at = 1..3. */
function lineAt(r: usize, p: usize, q: usize, at: i32): void {
  addLanes(r, p, q);
  for (let i = 1; i < at; i++) addLanes(r, r, q);
}

/** Bit 0: points of lane 0 are equal, or both infinity; bit 1: the same of lane 1. */
function equalLanes(p: usize, q: usize): i32 {
  const frame = enter(2 * FE);
  const a = frame;
  const b = frame + FE;
  let same = 3;
  for (let lane: usize = 0; lane < 2; lane++) {
    if (isInfinity(p, lane) != isInfinity(q, lane)) same &= ~(1 << <i32>lane);
  }
  for (let i: usize = 0; i < 2 * FE; i += FE) {
    mul(a, p + i, q + 2 * FE);
    mul(b, q + i, p + 2 * FE);
    same &= equal(a, b, 0) | (equal(a, b, 1) << 1);
  }
  leave(frame);
  return same;
}

/** r = (p, q), one a lane, for affine pairs. */
function lanesFromPair(r: usize, p: usize, q: usize): void {
  const t = enter(FE);
  dup0(t, q);
  blend(r, p, t);
  dup1(t, p);
  blend(r + FE, t, q);
  copy(r + 2 * FE, ONE);
  leave(t);
}

/**
 * Three commitments (66 each) at IN, sub-shares of ids 1, 2, 3 (32 each) at IN + 198; `id` holds the own polynomial in
 * `slot`, whose sub-share is computed, or slot is 0 and all three are given. Checks each given sub-share against its
 * commitment, then writes share (32), K0 (33), Y1, Y2, Y3 (33 each) to OUT.
 */
function sumShares(id: i32, slot: usize): i32 {
  const frame = enter(6 * FE + 7 * LANES + 4 * FE + 4 * SC);
  const phis = frame; // phi0 and phi1 of each sender
  const left = phis + 6 * FE;
  const right = left + LANES;
  const slope = right + LANES;
  const total = slope + LANES; // phi0 and phi1 summed, one a lane; then K0, Y1, Y2, Y3 in lane 0
  const point = total + 4 * LANES;
  const s = point + 4 * FE;
  const sum = s + 3 * SC;
  for (let j: usize = 0; j < 3; j++) {
    const commitment = IN + 66 * j;
    const phi = phis + 2 * j * FE;
    if (decodePairVar(phi, phi + FE, commitment, commitment + 33) != 3) return blame(BAD_ENCODING, <i32>j + 1);
    lanesFromPair(left, phi, phi + FE);
    if (j == 0) memory.copy(total, left, LANES);
    else addLanes(total, total, left);
  }
  scZero(sum);
  for (let j: usize = 0; j < 3; j++) {
    const own = slot && <i32>j + 1 == id;
    if (own) evaluate(s + j * SC, slot, id);
    else if (!scFromBytes(s + j * SC, IN + 198 + 32 * j) | scIsZero(s + j * SC)) return blame(BAD_ENCODING, <i32>j + 1);
    scAdd(sum, sum, s + j * SC);
  }
  // Two given sub-shares are checked at once, one a lane; a third, where all are given, with the second once more.
  let a: usize = slot && id == 1 ? 1 : 0;
  while (true) {
    const b: usize = slot && id == <i32>a + 2 ? 2 : a + 1;
    baseMultiplyPair(left, s + a * SC, s + b * SC);
    lanesFromPair(right, phis + 2 * a * FE, phis + 2 * b * FE);
    lanesFromPair(slope, phis + (2 * a + 1) * FE, phis + (2 * b + 1) * FE);
    lineAt(right, right, slope, id);
    const same = equalLanes(left, right);
    if (same != 3) return blame(BAD_SHARE, same & 1 ? <i32>b + 1 : <i32>a + 1);
    if (slot || b == 2) break;
    a = 1;
  }
  swapLanes(slope, total);
  // Slopes that cancel would make every share the whole key.
  if (isInfinity(slope, 0)) return BAD_ENCODING;
  // K0, Y1, Y2, Y3
  for (let i: usize = 0; i < 4; i++) {
    if (isInfinity(total + i * LANES, 0)) return BAD_ENCODING;
    if (i < 3) addLanes(total + (i + 1) * LANES, total + i * LANES, slope);
  }
  manyToAffine(point, total, 4);
  scToBytes(OUT, sum);
  for (let i: usize = 0; i < 4; i++) encode(OUT + 32 + 33 * i, point + i * FE);
  leave(frame);
  return OK;
}

/** Consumes the polynomial whatever happens. */
export function keygenFinish(id: i32, handle: i32): i32 {
  const index = indexOf(handle, POLYNOMIALS, POLYNOMIALS_END);
  if (index < 0) return index;
  const slot = enter(136);
  memory.copy(slot, slotAt(index), 136);
  close(index);
  if (load<u8>(slot, OWNER) != id) return BAD_IDENTIFIER;
  if (!sameBytesVar(slot + COMMITMENT, IN + 66 * <usize>(id - 1), 66)) return TRANSCRIPT_MISMATCH;
  return sumShares(id, slot);
}

export function sumSubShares(id: i32): i32 {
  return id < 1 || id > 3 ? BAD_IDENTIFIER : sumShares(id, 0);
}
