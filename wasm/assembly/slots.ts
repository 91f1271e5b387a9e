/**
 * Secrets that outlive a call: nonce pairs and keygen polynomials. A slot is two scalars of 32 bytes, the commitment
 * of 66 that was published for them, the party id and a generation. A handle is generation * 4096 + slot and is good
 * for the generation that opened it only, so a consumed or dropped handle never finds another's secrets.
 */
import { NONCE_CONSUMED, SLOTS_FULL } from './errors';
import { SLOTS } from './memory';

/** Offsets in a slot. */
// @ts-ignore: decorator
@inline
export const FIRST: usize = 0;
// @ts-ignore: decorator
@inline
export const SECOND: usize = 32;
// @ts-ignore: decorator
@inline
export const COMMITMENT: usize = 64;
// @ts-ignore: decorator
@inline
export const OWNER: usize = 130;
/** The generation while the slot is open, else its negative. */
// @ts-ignore: decorator
@inline
const GENERATION: usize = 132;
// @ts-ignore: decorator
@inline
export const SLOT: usize = 136;

// @ts-ignore: decorator
@inline
export const NONCES: i32 = 0;
// @ts-ignore: decorator
@inline
export const NONCES_END: i32 = 2048;
// @ts-ignore: decorator
@inline
export const POLYNOMIALS: i32 = NONCES_END;
// @ts-ignore: decorator
@inline
export const POLYNOMIALS_END: i32 = 2304;
// @ts-ignore: decorator
@inline
const LAST_GENERATION: i32 = (1 << 19) - 1;

/** Where the search for a free slot goes on. */
let next: i32 = 0;

// @ts-ignore: decorator
@inline
export function slotAt(index: i32): usize {
  return SLOTS + <usize>index * SLOT;
}

/** A free slot of [from, to): its index, or SLOTS_FULL. The caller fills it, then calls `open`. */
export function findFree(from: i32, to: i32): i32 {
  const count = to - from;
  for (let i = 0; i < count; i++) {
    const index = from + ((next + i) % count);
    const generation = load<i32>(slotAt(index), GENERATION);
    // A slot whose generations are used up is never opened again.
    if (generation <= 0 && generation > -LAST_GENERATION) {
      next = index - from + 1;
      return index;
    }
  }
  return SLOTS_FULL;
}

/** Opens a filled slot and returns its handle. */
export function open(index: i32): i32 {
  const generation = 1 - load<i32>(slotAt(index), GENERATION);
  store<i32>(slotAt(index), generation, GENERATION);
  return (generation << 12) | index;
}

/** The slot of a live handle of [from, to), or NONCE_CONSUMED. */
export function indexOf(handle: i32, from: i32, to: i32): i32 {
  const index = handle & 4095;
  if (handle < 0 || index < from || index >= to) return NONCE_CONSUMED;
  const generation = load<i32>(slotAt(index), GENERATION);
  return generation > 0 && generation == handle >> 12 ? index : NONCE_CONSUMED;
}

/** Overwrites a slot; its handle is dead from here on. */
export function close(index: i32): void {
  const slot = slotAt(index);
  const generation = load<i32>(slot, GENERATION);
  memory.fill(slot, 0, GENERATION);
  store<i32>(slot, generation > 0 ? -generation : generation, GENERATION);
}
