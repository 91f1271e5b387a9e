import type { FeeRates } from './source.ts';

/** Blocks to wait for: next block, about half an hour, about two hours. */
export const TARGETS = { fast: 1, medium: 3, slow: 12 } as const;

/** Where nobody knows better: an empty or new chain. */
const UNKNOWN = { fast: 3000, medium: 2000, slow: 1000 };
/** What a server may claim at most: 1,000 sat/vB, and 100 sat/vB for the least that is relayed. */
const CEILING = 1_000_000;
const FLOOR = { least: 100, most: 100_000 };

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);

/**
 * Estimates within sane bounds and in order, whatever the server said; null is "no estimate". In and out in thousandths
 * of a sat per vbyte.
 */
export function boundRates(said: Record<keyof typeof TARGETS, number | null>, relayFloor: number): FeeRates {
  const floor = clamp(Math.ceil(relayFloor), FLOOR.least, FLOOR.most);
  const within = (name: keyof typeof TARGETS, most: number) =>
    clamp(Math.ceil(said[name] ?? UNKNOWN[name]), floor, most);
  const fast = within('fast', CEILING);
  const medium = within('medium', fast);
  const slow = within('slow', medium);
  return { fast, medium, slow, floor };
}
