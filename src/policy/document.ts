/**
 * The policy: a canonical document with a rising version (DESIGN section 4). Amounts in sats, times in milliseconds.
 */
import { list, oneOf, option, struct, type TypeOf, time, u8, u32, u64 } from '../protocol/codec.ts';
import { WINDOWS_MAX } from '../protocol/limits.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';

/** At most `limit` sats of loss in each `interval`, counted from `start`. */
const spendingWindow = struct({ limit: u64, start: time, interval: u64 });

export const policyDocument = struct({
  format: u8,
  network: oneOf(...NETWORKS),
  version: u32,
  perTransaction: option(u64),
  windows: list(spendingWindow, WINDOWS_MAX),
  /** Most that one transaction may pay to miners: sats, and thousandths of a sat per vbyte. */
  feeAbsolute: u64,
  feeRate: u64,
});
export type Policy = TypeOf<typeof policyDocument>;

const DAY_MS = 86_400_000n;

/** What a wallet is born with unless its owner says otherwise: 0.01 BTC a day. */
export function firstPolicy(network: Network, dailyLimit: bigint, now: number): Policy {
  return {
    format: 1,
    network,
    version: 1,
    perTransaction: null,
    windows: [{ limit: dailyLimit, start: now, interval: DAY_MS }],
    feeAbsolute: 200_000n,
    feeRate: 500_000n,
  };
}
