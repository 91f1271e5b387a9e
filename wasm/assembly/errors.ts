/**
 * What exported calls return: 0 or a positive value on success, -(code + 16 * culprit) on refusal, culprit being a
 * party id or 0. src/crypto/wasmSigner.ts holds the same list.
 */

// @ts-ignore: decorator
@inline
export const OK: i32 = 0;
// @ts-ignore: decorator
@inline
export const BAD_ENCODING: i32 = -1;
// @ts-ignore: decorator
@inline
export const BAD_IDENTIFIER: i32 = -2;
// @ts-ignore: decorator
@inline
export const BAD_PROOF: i32 = -3;
// @ts-ignore: decorator
@inline
export const BAD_SHARE: i32 = -4;
// @ts-ignore: decorator
@inline
export const BAD_SIGNATURE: i32 = -5;
// @ts-ignore: decorator
@inline
export const NONCE_CONSUMED: i32 = -6;
// @ts-ignore: decorator
@inline
export const KEY_MISMATCH: i32 = -7;
// @ts-ignore: decorator
@inline
export const TRANSCRIPT_MISMATCH: i32 = -8;
// @ts-ignore: decorator
@inline
export const REPAIRED_SHARE_MISMATCH: i32 = -9;
/** Every slot holds a live handle. */
// @ts-ignore: decorator
@inline
export const SLOTS_FULL: i32 = -10;

// @ts-ignore: decorator
@inline
export function blame(error: i32, culprit: i32): i32 {
  return error - 16 * culprit;
}
