/** The exported calls and, for the tests, the arithmetic below them. Never in the product. */
export * from './index';
export {
  add,
  equal,
  isOdd,
  isZero,
  mul,
  mulAdd,
  norm,
  setLane,
  sqr,
  sqrtCandidate,
  sub,
  times21,
  toBytes,
} from './field';
export { inverse, inverseVar } from './fieldInverse';
export { decodeVar, encode } from './encoding';
export {
  addAffineLanes,
  addLanes,
  bothLanesToAffine,
  doubleLanes,
  isInfinity,
  joinLanes,
  lanesFromAffine,
  lanesToAffine,
  setInfinity,
} from './group';
export { addAffineVar, doubleVar, isExceptional, jacobianFromAffine, jacobianToAffine, lanesFromJacobian } from './jacobian';
export { baseMultiply, baseMultiplyPair, baseMultiplyVar } from './comb';
export { linearVar, multiplyVar } from './ecmult';
export { holdsVar } from './equation';
export { multiplyConst } from './ecmultConst';
export { lagrange } from './frost';
export {
  glvSplit,
  scAdd,
  scFromBytes,
  scFromBytes48,
  scHalf,
  scHighMask,
  scIsZero,
  scMul,
  scNeg,
  scNegIf,
  scSub,
  scToBytes,
} from './scalar';
export { shaFinal, shaInit, shaUpdate } from './sha256';
export { enter, wipe } from './memory';
