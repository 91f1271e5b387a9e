/** What the signer's module exports, as wasm/assembly declares it. */
import type { ErrorCode } from '../protocol/errors.ts';

/** The calls of wasm/assembly/index.ts. */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  wipeOut(): void;
  publicKey(): number;
  ecdhX(): number;
  schnorrSign(): number;
  schnorrVerify(messageLength: number): number;
  schnorrVerifyBatch(count: number): number;
  keygenCommit(id: number): number;
  keygenVerifyProof(id: number): number;
  keygenShareFor(handle: number, recipient: number): number;
  keygenFinish(id: number, handle: number): number;
  sumSubShares(id: number): number;
  dropPolynomial(handle: number): void;
  commit(contextLength: number): number;
  signShare(id: number, handle: number): number;
  verifyShare(id: number): number;
  aggregate(): number;
  finish(id: number, peer: number, handle: number): number;
  dropNonces(handle: number): void;
  sumScalars(count: number): number;
  refreshDelta(): number;
  refreshShare(id: number): number;
  repairSplit(id: number, helper: number, target: number): number;
  repairFinish(): number;
  deriveChildrenVar(count: number): number;
  outputKeysVar(count: number, rootLength: number): number;
  verifyingSharesVar(): number;
  sumPointsVar(count: number): number;
}

/** Codes of wasm/assembly/errors.ts, from 1. */
export const ERRORS: readonly ErrorCode[] = [
  'BadEncoding',
  'BadIdentifier',
  'BadProof',
  'BadShare',
  'BadSignature',
  'NonceConsumed',
  'KeyMismatch',
  'TranscriptMismatch',
  'RepairedShareMismatch',
  'TooLarge',
];
