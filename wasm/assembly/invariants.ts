/**
 * Run-time checks of the invariants that the comments state. They exist only in the debug build, which
 * defines CHECKS (`asc --use CHECKS=1`); in the product every call compiles to nothing.
 */

/** Limbs after a product lie in [-2^28, 2^28) but for a late carry of at most 2^13. */
// @ts-ignore: decorator
@inline
const UNIT: i32 = (1 << 28) + (1 << 13);
/** The same for limb 8, which holds 24 bits. */
// @ts-ignore: decorator
@inline
const TOP_UNIT: i32 = (1 << 23) + (1 << 10);

/** Traps unless every limb of the field pair at `a` is at most `magnitude` * UNIT and the padding is zero. */
// @ts-ignore: decorator
@inline
export function checkMagnitude(a: usize, magnitude: i32): void {
  // @ts-ignore: defined by the build
  if (isDefined(CHECKS)) {
    for (let i: usize = 0; i < 72; i += 4) {
      const limb: i64 = load<i32>(a + i);
      const unit: i64 = i < 64 ? UNIT : TOP_UNIT;
      if (limb > <i64>magnitude * unit || limb < -(<i64>magnitude * unit)) unreachable();
    }
    if (load<u64>(a, 72) != 0) unreachable();
  }
}

// @ts-ignore: decorator
@inline
export function check(condition: bool): void {
  // @ts-ignore: defined by the build
  if (isDefined(CHECKS)) {
    if (!condition) unreachable();
  }
}
