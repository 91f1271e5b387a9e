/**
 * The exported calls. Arguments lie at IN in the layout that the called function states, results at OUT; a call returns
 * 0, 1, a handle, or a negative code of errors.ts. On return the arguments and every temporary are overwritten; on an
 * error the results are too. The host reads OUT and overwrites it where it held a secret (`wipeOut`).
 */
import * as ceremony from './ceremony';
import * as derive from './derive';
import { BAD_ENCODING, OK } from './errors';
import * as frost from './frost';
import { FE } from './field';
import { multiplyConst } from './ecmultConst';
import { decodeVar, xToBytes } from './encoding';
import { LANES, lanesToAffine } from './group';
import * as keygen from './keygen';
import { enter, IN, OUT, OUT_SIZE, wipe } from './memory';
import { SC, scFromBytes, scIsZero } from './scalar';
import * as schnorr from './schnorr';

function end(result: i32): i32 {
  wipe();
  if (result < 0) wipeOut();
  return result;
}

export function wipeOut(): void {
  // @ts-ignore: defined by the build of the control run
  if (!isDefined(KEEP_SCRATCH)) memory.fill(OUT, 0, OUT_SIZE);
}

/** Secret key (32) at IN -> 33 bytes. */
export function publicKey(): i32 {
  const k = enter(SC);
  if (!scFromBytes(k, IN) | scIsZero(k)) return end(BAD_ENCODING);
  ceremony.encodeMultiple(OUT, k);
  return end(OK);
}

/** Secret key (32) at IN, point (33) at IN + 32 -> x of the product, 32 bytes. */
export function ecdhX(): i32 {
  const k = enter(SC + 8 + FE + LANES);
  const p = k + SC + 8;
  const product = p + FE;
  if (!scFromBytes(k, IN) | scIsZero(k)) return end(BAD_ENCODING);
  if (!decodeVar(p, IN + 32)) return end(BAD_ENCODING);
  multiplyConst(product, k, p);
  lanesToAffine(p, product);
  xToBytes(OUT, p);
  return end(OK);
}

export function schnorrSign(): i32 {
  return end(schnorr.sign());
}

/** Key (32), signature (64), message of `length` bytes from IN. */
export function schnorrVerify(length: i32): i32 {
  return end(schnorr.verifyVar(IN, IN + 32, IN + 96, length));
}

export function schnorrVerifyBatch(count: i32): i32 {
  return end(schnorr.verifyBatchVar(count));
}

export function keygenCommit(id: i32): i32 {
  return end(keygen.keygenCommit(id));
}

export function keygenVerifyProof(id: i32): i32 {
  return end(keygen.keygenVerifyProof(id));
}

export function keygenShareFor(handle: i32, recipient: i32): i32 {
  return end(keygen.keygenShareFor(handle, recipient));
}

export function keygenFinish(id: i32, handle: i32): i32 {
  return end(keygen.keygenFinish(id, handle));
}

export function sumSubShares(id: i32): i32 {
  return end(keygen.sumSubShares(id));
}

export function dropPolynomial(handle: i32): void {
  keygen.dropPolynomial(handle);
}

export function commit(contextLength: i32): i32 {
  return end(frost.commit(contextLength));
}

export function signShare(id: i32, handle: i32): i32 {
  return end(frost.signShare(id, handle));
}

export function verifyShare(id: i32): i32 {
  return end(frost.verifyShare(id));
}

export function aggregate(): i32 {
  return end(frost.aggregate());
}

export function finish(id: i32, peer: i32, handle: i32): i32 {
  return end(frost.finish(id, peer, handle));
}

export function dropNonces(handle: i32): void {
  frost.dropNonces(handle);
}

export function sumScalars(count: i32): i32 {
  return end(ceremony.sumScalars(count));
}

export function refreshDelta(): i32 {
  return end(ceremony.refreshDelta());
}

export function refreshShare(id: i32): i32 {
  return end(ceremony.refreshShare(id));
}

export function repairSplit(id: i32, helper: i32, target: i32): i32 {
  return end(ceremony.repairSplit(id, helper, target));
}

export function repairFinish(): i32 {
  return end(ceremony.repairFinish());
}

export function deriveChildrenVar(count: i32): i32 {
  return end(derive.deriveChildrenVar(count));
}

export function outputKeysVar(count: i32, rootLength: i32): i32 {
  return end(derive.outputKeysVar(count, rootLength));
}

export function verifyingSharesVar(): i32 {
  return end(derive.verifyingSharesVar());
}

export function sumPointsVar(count: i32): i32 {
  return end(derive.sumPointsVar(count));
}
