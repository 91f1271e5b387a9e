import { DELAY_MS, type KeygenTerms } from '../../src/protocol/terms.ts';

/** What an owner lays down who chooses nothing but the daily limit, in sats. */
export function termsOf(dailyLimit: bigint): KeygenTerms {
  return { dailyLimit, delay: DELAY_MS.usual, contact: null };
}
