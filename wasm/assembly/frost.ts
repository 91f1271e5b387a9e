/**
 * FROST-secp256k1-SHA256-TR-v1, signing (RFC 9591 section 5, with the BIP-340/341 changes of DESIGN section 2) by two
 * of the ids 1..3: commit, signature share, its verification, aggregation.
 *
 * A signing package at IN + PACKAGE: the tweak's input (99 bytes), the expected x of the key (32), and twice
 * id (1) || hiding (33) || binding (33), ids ascending; the message of 32 bytes. The host checks the lengths; ids are
 * checked here again. What a package leads to is public and kept until another one comes.
 */
import { baseMultiply, baseMultiplyPair } from './comb';
import { linearVar, multiplyVar } from './ecmult';
import {
  BAD_ENCODING,
  BAD_IDENTIFIER,
  BAD_SHARE,
  BAD_SIGNATURE,
  blame,
  KEY_MISMATCH,
  NONCE_CONSUMED,
  OK,
  TRANSCRIPT_MISMATCH,
} from './errors';
import { copy, FE } from './field';
import {
  decodePairVar,
  decodeVar,
  encode,
  negateAffineIf,
  oddMask,
  sameBytesVar,
  xToBytes,
} from './encoding';
import { addLanes, bothLanesToAffine, isInfinity, JACOBIAN, LANES, lanesEqualAffine, manyToAffine } from './group';
import { addAffineVar, isExceptional, jacobianToAffine, lanesFromJacobian } from './jacobian';
import { enter, IN, leave, OUT } from './memory';
import { SC, scAdd, scFromBytes, scHalf, scIsZero, scMul, scNeg, scNegIf, scSetInt, scSub, scToBytes } from './scalar';
import { challenge } from './schnorr';
import { fieldHashFinal, fieldHashInit, SHA, shaFinal, shaInit, shaUpdate } from './sha256';
import { close, COMMITMENT, findFree, FIRST, indexOf, NONCES, NONCES_END, open, SECOND, slotAt } from './slots';
import { COM, COM_LENGTH, MSG, MSG_LENGTH, NONCE, NONCE_LENGTH, RHO, RHO_LENGTH } from './texts.generated';
import { prepareTweak, TWEAK_A, TWEAK_B, TWEAK_CACHE_END, TWEAK_KEY, TWEAK_X } from './tweak';

// @ts-ignore: decorator
@inline
const PACKAGE: usize = IN + 256;
// @ts-ignore: decorator
@inline
const EXPECTED: usize = 99;
/** Offset of the first member; the second follows. */
// @ts-ignore: decorator
@inline
const MEMBERS: usize = 131;
// @ts-ignore: decorator
@inline
const MEMBER: usize = 67;
// @ts-ignore: decorator
@inline
const MESSAGE: usize = 265;
// @ts-ignore: decorator
@inline
const PACKAGE_BYTES: usize = 297;

// The cached session.
// @ts-ignore: decorator
@inline
const SESSION: usize = TWEAK_CACHE_END;
// @ts-ignore: decorator
@inline
const SESSION_INPUT: usize = SESSION + 16;
/** Hiding and binding commitments of both members: four affine pairs. */
// @ts-ignore: decorator
@inline
const POINTS: usize = SESSION_INPUT + 304;
/** Binding factors of both members. */
// @ts-ignore: decorator
@inline
const RHOS: usize = POINTS + 4 * FE;
// @ts-ignore: decorator
@inline
const CHALLENGE: usize = RHOS + 2 * SC;
/** D + rho*E of both members, and their sum R as computed: affine pairs. The first two only when SPLIT says so. */
// @ts-ignore: decorator
@inline
const NONCE_SUMS: usize = CHALLENGE + SC + 8;
// @ts-ignore: decorator
@inline
const R: usize = NONCE_SUMS + 2 * FE;
/** x of R; -1 where R is odd, so g3 = -1. */
// @ts-ignore: decorator
@inline
const R_X: usize = R + FE;
// @ts-ignore: decorator
@inline
const R_ODD: usize = R_X + 32;
/** 1 when D + rho*E are known apart. */
// @ts-ignore: decorator
@inline
const SPLIT: usize = R_ODD + 4;

/** id as a scalar of 32 bytes. */
function hashId(ctx: usize, id: u8): void {
  const b = enter(32);
  memory.fill(b, 0, 31);
  store<u8>(b, id, 31);
  shaUpdate(ctx, b, 32);
  leave(b);
}

/**
 * Binding factors (RFC 9591 section 4.4), with the tweaked even-Y key as the group public key:
 * rho_i = H1(02 || x(Q) || H4(message) || H5(commitments) || id).
 */
function bindingFactors(input: usize): void {
  const frame = enter(2 * SHA + 97);
  const ctx = frame;
  const common = frame + SHA;
  const prefix = common + SHA;
  store<u8>(prefix, 2);
  memory.copy(prefix + 1, TWEAK_X, 32);
  shaInit(ctx);
  shaUpdate(ctx, MSG, MSG_LENGTH);
  shaUpdate(ctx, input + MESSAGE, 32);
  shaFinal(prefix + 33, ctx);
  shaInit(ctx);
  shaUpdate(ctx, COM, COM_LENGTH);
  for (let i: usize = 0; i < 2; i++) {
    const member = input + MEMBERS + i * MEMBER;
    hashId(ctx, load<u8>(member));
    shaUpdate(ctx, member + 1, 66);
  }
  shaFinal(prefix + 65, ctx);
  fieldHashInit(common);
  shaUpdate(common, prefix, 97);
  for (let i: usize = 0; i < 2; i++) {
    memory.copy(ctx, common, SHA);
    hashId(ctx, load<u8>(input + MEMBERS + i * MEMBER));
    fieldHashFinal(RHOS + i * SC, ctx, RHO, RHO_LENGTH);
  }
  // @ts-ignore: defined by the build of the test in which commitments can cancel, which takes a broken hash otherwise
  if (isDefined(EQUAL_FACTORS)) memory.copy(RHOS + SC, RHOS, SC);
  leave(frame);
}

/** R = D1 + D2 + rho1*E1 + rho2*E2; 0 when it is infinity. */
function groupCommitment(): i32 {
  const frame = enter(JACOBIAN + 2 * FE + 3 * SC + 4 * FE);
  const sum = frame;
  const h = sum + JACOBIAN;
  let finite = multiplyVar(sum, RHOS, POINTS + 2 * FE, 2);
  if (finite) {
    addAffineVar(sum, POINTS, h);
    addAffineVar(sum, POINTS + FE, h);
    finite = 1 - isExceptional(sum);
  }
  if (!finite) {
    // An addition met an exceptional case: once more over four points, where multiplyVar takes care of it.
    const scalars = h;
    scSetInt(scalars, 1);
    scSetInt(scalars + SC, 1);
    memory.copy(scalars + 2 * SC, RHOS, 2 * SC);
    finite = multiplyVar(sum, scalars, POINTS, 4);
  }
  if (finite) jacobianToAffine(R, sum);
  leave(frame);
  return finite;
}

/**
 * The same for a signer, whose own D + rho*E is (d + rho*e)*G: a constant-time multiplication of the generator instead
 * of the own half of R, and both halves known apart. 0 when a half or R is infinity.
 */
function splitCommitment(own: usize, nonces: usize): i32 {
  const frame = enter(3 * LANES + JACOBIAN + FE + 2 * SC);
  const lanes = frame;
  const sum = frame + 3 * LANES;
  const h = sum + JACOBIAN;
  const d = h + FE;
  const e = d + SC;
  const other: usize = 1 - own;
  let finite = multiplyVar(sum, RHOS + other * SC, POINTS + (2 + other) * FE, 1);
  if (finite) {
    addAffineVar(sum, POINTS + other * FE, h);
    lanesFromJacobian(lanes + other * LANES, sum);
    nonceOf(d, e, own, nonces);
    baseMultiply(lanes + own * LANES, d);
    addLanes(lanes + 2 * LANES, lanes, lanes + LANES);
    finite = 1 - (isExceptional(sum) | isInfinity(lanes + own * LANES, 0) | isInfinity(lanes + 2 * LANES, 0));
    if (finite) manyToAffine(NONCE_SUMS, lanes, 3);
  }
  leave(frame);
  return finite;
}

/** d = d + rho*e of the member's nonces; e is overwritten. */
function nonceOf(d: usize, e: usize, member: usize, nonces: usize): void {
  scFromBytes(d, nonces + FIRST);
  scFromBytes(e, nonces + SECOND);
  scMul(e, e, RHOS + member * SC);
  scAdd(d, d, e);
}

/**
 * Everything public that follows from the package, into the cache. A signer passes its id and nonces, which saves
 * work when they are of this package; anybody else 0.
 */
function prepare(id: i32, nonces: usize): i32 {
  const input = PACKAGE;
  if (load<u32>(SESSION) && sameBytesVar(input, SESSION_INPUT, PACKAGE_BYTES)) return OK;
  store<u32>(SESSION, 0);
  const error = prepareTweak(input);
  if (error) return error;
  const member0 = input + MEMBERS;
  const member1 = member0 + MEMBER;
  const id0 = load<u8>(member0);
  const id1 = load<u8>(member1);
  if (id0 < 1 || id1 > 3 || id0 >= id1) return BAD_IDENTIFIER;
  const own: usize = id == id1 ? 1 : 0;
  const split =
    nonces && (id == id0 || id == id1) && sameBytesVar(nonces + COMMITMENT, input + MEMBERS + own * MEMBER + 1, 66);
  let valid = 3;
  if (split) {
    const other: usize = 1 - own;
    const commitment = input + MEMBERS + other * MEMBER + 1;
    const points = POINTS + other * FE;
    if (decodePairVar(points, points + 2 * FE, commitment, commitment + 33) != 3) valid = other ? 1 : 2;
  } else {
    valid = decodeMembers();
  }
  if (valid != 3) return blame(BAD_ENCODING, valid & 1 ? id1 : id0);
  if (!sameBytesVar(TWEAK_X, input + EXPECTED, 32)) return KEY_MISMATCH;
  bindingFactors(input);
  store<i32>(SPLIT, split && splitCommitment(own, nonces) ? 1 : 0);
  if (!load<i32>(SPLIT)) {
    if (split && decodeMembers() != 3) return BAD_ENCODING;
    if (!groupCommitment()) return BAD_ENCODING;
  }
  store<i32>(R_ODD, oddMask(R));
  xToBytes(R_X, R);
  challenge(CHALLENGE, R_X, TWEAK_X, input + MESSAGE, 32);
  memory.copy(SESSION_INPUT, input, PACKAGE_BYTES);
  store<u32>(SESSION, 1);
  return OK;
}

/** D1 and D2, then E1 and E2, side by side. Returns the mask of members whose points are valid. */
function decodeMembers(): i32 {
  const commitment0 = PACKAGE + MEMBERS + 1;
  const commitment1 = commitment0 + MEMBER;
  const hiding = decodePairVar(POINTS, POINTS + FE, commitment0, commitment1);
  return hiding & decodePairVar(POINTS + 2 * FE, POINTS + 3 * FE, commitment0 + 33, commitment1 + 33);
}

/** Index (0, 1) of the id in the package, or BAD_IDENTIFIER. */
function memberOf(id: i32): i32 {
  if (load<u8>(PACKAGE + MEMBERS) == id) return 0;
  return load<u8>(PACKAGE + MEMBERS + MEMBER) == id ? 1 : BAD_IDENTIFIER;
}

/**
 * r = (j - x) / (j - i) mod n: the Lagrange coefficient of i at x for the pair i, j of ids, x an id or 0.
 * Differences of ids are at most 2 in size, so division is at most a halving.
 */
export function lagrange(r: usize, i: i32, j: i32, x: i32): void {
  const num = j - x;
  const den = j - i;
  scSetInt(r, num < 0 ? -num : num);
  if (den == 2 || den == -2) scHalf(r, r);
  scNegIf(r, r, (num < 0) != (den < 0) ? -1 : 0);
}

/** r = c * lambda of the member: what the tweaked share is multiplied by. */
function shareFactor(r: usize, member: i32): void {
  const id = load<u8>(PACKAGE + MEMBERS + <usize>member * MEMBER);
  const other = load<u8>(PACKAGE + MEMBERS + <usize>(1 - member) * MEMBER);
  lagrange(r, id, other, 0);
  scMul(r, r, CHALLENGE);
}

/**
 * One nonce pair. Share at IN, 64 random bytes at IN + 32, context of `length` bytes at IN + 96 -> commitment pair at
 * OUT; returns the handle. hiding = H3(random[0..32] || share || context), binding likewise with random[32..64].
 */
export function commit(length: usize): i32 {
  const frame = enter(3 * SC + 8 + SHA + LANES + 2 * FE);
  const d = frame;
  const e = d + SC;
  const s = e + SC;
  const ctx = s + SC;
  const lanes = ctx + SHA + 8;
  const points = lanes + LANES;
  if (!scFromBytes(s, IN) | scIsZero(s)) return BAD_ENCODING;
  for (let i: usize = 0; i < 2; i++) {
    fieldHashInit(ctx);
    shaUpdate(ctx, IN + 32 + 32 * i, 32);
    shaUpdate(ctx, IN, 32);
    shaUpdate(ctx, IN + 96, length);
    fieldHashFinal(d + i * SC, ctx, NONCE, NONCE_LENGTH);
  }
  if (scIsZero(d) | scIsZero(e)) return BAD_ENCODING;
  const index = findFree(NONCES, NONCES_END);
  if (index < 0) return index;
  baseMultiplyPair(lanes, d, e);
  bothLanesToAffine(points, points + FE, lanes);
  encode(OUT, points);
  encode(OUT + 33, points + FE);
  const slot = slotAt(index);
  scToBytes(slot + FIRST, d);
  scToBytes(slot + SECOND, e);
  memory.copy(slot + COMMITMENT, OUT, 66);
  leave(frame);
  return open(index);
}

export function dropNonces(handle: i32): void {
  const index = indexOf(handle, NONCES, NONCES_END);
  if (index >= 0) close(index);
}

/** Takes a nonce pair (132 bytes: hiding, binding, commitment) out of its slot, which is empty from here on. */
function take(nonces: usize, handle: i32): i32 {
  const index = indexOf(handle, NONCES, NONCES_END);
  if (index < 0) return NONCE_CONSUMED;
  memory.copy(nonces, slotAt(index), 130);
  close(index);
  return OK;
}

/** z = g3*(d + rho*e) + c*lambda*(a*s + b) from the share at IN. */
function makeShare(z: usize, member: i32, nonces: usize): i32 {
  const frame = enter(3 * SC);
  const s = frame;
  const d = s + SC;
  const e = d + SC;
  if (!scFromBytes(s, IN) | scIsZero(s)) return BAD_ENCODING;
  if (!sameBytesVar(nonces + COMMITMENT, PACKAGE + MEMBERS + <usize>member * MEMBER + 1, 66)) return TRANSCRIPT_MISMATCH;
  nonceOf(d, e, member, nonces);
  scNegIf(d, d, load<i32>(R_ODD));
  scNegIf(s, s, load<i32>(TWEAK_A));
  scAdd(s, s, TWEAK_B);
  shareFactor(e, member);
  scMul(s, s, e);
  scAdd(z, d, s);
  leave(frame);
  return OK;
}

/** Checks z (scalar) of the member against the verifying share Y (33 bytes): z*G = g3*(D + rho*E) + c*lambda*Y*. */
function checkShare(z: usize, member: i32, verifyingShare: usize): i32 {
  const frame = enter(3 * SC + 8 + LANES + 3 * FE);
  const g = frame;
  const scalars = g + SC;
  const sum = scalars + 2 * SC + 8;
  const points = sum + LANES;
  const d = points + 2 * FE;
  const id: i32 = load<u8>(PACKAGE + MEMBERS + <usize>member * MEMBER);
  if (!decodeVar(points + FE, verifyingShare)) return BAD_ENCODING;
  // (z - c lambda b)*G - c lambda a Y = g3 (D + rho E), or with g3 rho E on the left
  const factor = scalars + SC;
  shareFactor(factor, member);
  scMul(g, factor, TWEAK_B);
  scSub(g, z, g);
  scNegIf(factor, factor, ~load<i32>(TWEAK_A));
  const odd = load<i32>(R_ODD);
  if (load<i32>(SPLIT)) {
    negateAffineIf(d, NONCE_SUMS + <usize>member * FE, odd);
    linearVar(sum, g, factor, points + FE, 1);
  } else {
    negateAffineIf(d, POINTS + <usize>member * FE, odd);
    copy(points, POINTS + (2 + <usize>member) * FE);
    scNegIf(scalars, RHOS + <usize>member * SC, ~odd);
    linearVar(sum, g, scalars, points, 2);
  }
  const right = lanesEqualAffine(sum, d);
  leave(frame);
  return right ? OK : blame(BAD_SHARE, id);
}

/** Signature x(R) || z to OUT if it verifies: z*G - c*Q = g3*R. */
function finishSignature(z: usize): i32 {
  const frame = enter(SC + 8 + LANES + FE);
  const c = frame;
  const sum = c + SC + 8;
  const r = sum + LANES;
  scNeg(c, CHALLENGE);
  negateAffineIf(r, R, load<i32>(R_ODD));
  linearVar(sum, z, c, TWEAK_KEY, 1);
  const right = lanesEqualAffine(sum, r);
  leave(frame);
  if (!right) return BAD_SIGNATURE;
  memory.copy(OUT, R_X, 32);
  scToBytes(OUT + 32, z);
  return OK;
}

/** Share at IN, package -> z of 32 bytes at OUT. Consumes the handle whatever happens. */
export function signShare(id: i32, handle: i32): i32 {
  const frame = enter(SC + 136);
  const nonces = frame + SC;
  if (take(nonces, handle)) return NONCE_CONSUMED;
  let error = prepare(id, nonces);
  if (error) return error;
  const member = memberOf(id);
  if (member < 0) return member;
  error = makeShare(frame, member, nonces);
  if (error) return error;
  scToBytes(OUT, frame);
  leave(frame);
  return OK;
}

/** Verifying share (33) at IN, z (32) at IN + 33, package. */
export function verifyShare(id: i32): i32 {
  const error = prepare(0, 0);
  if (error) return error;
  const member = memberOf(id);
  if (member < 0) return member;
  const z = enter(SC);
  if (!scFromBytes(z, IN + 33)) return blame(BAD_ENCODING, id);
  return checkShare(z, member, IN);
}

/** z of the lower id at IN, of the higher at IN + 32, package -> signature of 64 bytes at OUT. */
export function aggregate(): i32 {
  const error = prepare(0, 0);
  if (error) return error;
  const z0 = enter(2 * SC);
  const z1 = z0 + SC;
  if (!scFromBytes(z0, IN)) return blame(BAD_ENCODING, load<u8>(PACKAGE + MEMBERS));
  if (!scFromBytes(z1, IN + 32)) return blame(BAD_ENCODING, load<u8>(PACKAGE + MEMBERS + MEMBER));
  scAdd(z0, z0, z1);
  return finishSignature(z0);
}

/**
 * The asking party's last step: own share at IN, the peer's verifying share at IN + 32 and z at IN + 65, package ->
 * signature at OUT. The peer's share is checked before the own one is made, which never leaves alone.
 */
export function finish(id: i32, peer: i32, handle: i32): i32 {
  const frame = enter(2 * SC + 136);
  const z = frame;
  const own = frame + SC;
  const nonces = frame + 2 * SC;
  if (take(nonces, handle)) return NONCE_CONSUMED;
  let error = prepare(id, nonces);
  if (error) return error;
  const member = memberOf(id);
  const other = memberOf(peer);
  if (member < 0 || other < 0 || member == other) return BAD_IDENTIFIER;
  if (!scFromBytes(z, IN + 65)) return blame(BAD_ENCODING, peer);
  error = checkShare(z, other, IN + 32);
  if (error) return error;
  error = makeShare(own, member, nonces);
  if (error) return error;
  scAdd(z, z, own);
  return finishSignature(z);
}
