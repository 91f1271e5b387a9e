/** Time, handed in. Windows and receipts use the wall clock; deadlines use the one that cannot jump. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment, never going back. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** How much faster or slower than the monotonic clock time may go while it follows the wall clock. */
const SLEW = 0.01;

export interface SteadyClock extends Clock {
  /** Milliseconds that the wall clock is ahead of this one; negative behind. */
  ahead(): number;
}

/**
 * The wall clock as it was at the start, carried on by the monotonic one. It follows the wall clock by small steps only, so that a
 * jump of a day forward frees no window and one back stops none; when the wall clock comes back, nothing has happened.
 */
export function steadyClock({ now, monotonic }: Clock): SteadyClock {
  let time = now();
  let read = monotonic();
  const steady = (): number => {
    const elapsed = monotonic() - read;
    const slack = elapsed * SLEW;
    const next = Math.min(Math.max(now(), time + elapsed - slack), time + elapsed + slack);
    time = next;
    read += elapsed;
    return Math.round(next);
  };
  return { now: steady, monotonic, ahead: () => now() - steady() };
}
