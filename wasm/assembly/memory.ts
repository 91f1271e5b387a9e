/**
 * The one linear memory: fixed size, no allocator. The host writes arguments to IN and reads results from OUT;
 * temporaries live in frames of a stack that every exported call wipes before it returns; nonces and
 * polynomials live in slots until they are used. Constants and tables lie above,
 * from MEMORY_BASE of wasm/build.ts.
 */

// @ts-ignore: decorator
@inline
export const IN: usize = 0x400;
// @ts-ignore: decorator
@inline
export const IN_SIZE: usize = 0x2400;
// @ts-ignore: decorator
@inline
export const OUT: usize = 0x2800;
// @ts-ignore: decorator
@inline
export const OUT_SIZE: usize = 0x1800;
// @ts-ignore: decorator
@inline
export const STACK: usize = 0x4000;
// @ts-ignore: decorator
@inline
export const STACK_END: usize = 0x1c000;
/** Public context that outlives a call: see tweak.ts and frost.ts. */
// @ts-ignore: decorator
@inline
export const CACHE: usize = 0x1c000;
/** See encoding.ts. */
// @ts-ignore: decorator
@inline
export const POINT_CACHE: usize = 0x1c800;
// @ts-ignore: decorator
@inline
export const SLOTS: usize = 0x1d000;

let top: usize = STACK;
let highWater: usize = STACK;

/** Reserves `bytes` (rounded up to 16) of the stack. The caller restores with `leave` of the returned address. */
export function enter(bytes: usize): usize {
  const frame = top;
  top += (bytes + 15) & ~15;
  if (top > highWater) highWater = top;
  if (top > STACK_END) unreachable();
  return frame;
}

// @ts-ignore: decorator
@inline
export function leave(frame: usize): void {
  top = frame;
}

/** Overwrites the arguments and every temporary. Runs at the end of every exported call, and on its errors. */
export function wipe(): void {
  top = STACK;
  // @ts-ignore: defined by the build of the control run, in which the search for leftovers must succeed
  if (!isDefined(KEEP_SCRATCH)) {
    memory.fill(IN, 0, IN_SIZE);
    memory.fill(STACK, 0, highWater - STACK);
  }
  highWater = STACK;
}
