/**
 * The policy: a canonical document with a rising version (DESIGN section 4). Amounts in sats, times in milliseconds.
 */
import { schnorr } from '@noble/curves/secp256k1.js';
import {
  decode,
  encode,
  list,
  oneOf,
  option,
  struct,
  type TypeOf,
  time,
  u8,
  u32,
  u64,
} from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { POLICY_MAX, WINDOWS_MAX } from '../protocol/limits.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';

/** At most `limit` sats of loss in any `interval`, of which nothing before `start` counts. */
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

const FORMAT = 1;
const DAY_MS = 86_400_000n;

/** What a wallet is born with unless its owner says otherwise: 0.01 BTC a day. */
export function firstPolicy(network: Network, dailyLimit: bigint, now: number): Policy {
  return {
    format: FORMAT,
    network,
    version: 1,
    perTransaction: null,
    windows: [{ limit: dailyLimit, start: now, interval: DAY_MS }],
    feeAbsolute: 200_000n,
    feeRate: 500_000n,
  };
}

export function encodePolicy(policy: Policy): Uint8Array<ArrayBuffer> {
  return encode(policyDocument, policy);
}

/** `TooLarge`, `BadEncoding`; `WrongVersion` for a format of later. */
export function decodePolicy(bytes: Uint8Array): Policy {
  ensure(bytes.length <= POLICY_MAX, 'TooLarge', { detail: 'policy' });
  ensure(bytes[0] === FORMAT, 'WrongVersion', { detail: 'policy' });
  const policy = decode(policyDocument, bytes);
  ensure(policy.version >= 1, 'BadEncoding', { detail: 'policy version' });
  ensure(
    policy.windows.every(({ interval }) => interval > 0n),
    'BadEncoding',
    { detail: 'policy window' },
  );
  return policy;
}

/** What the parties sign: 32 bytes over the canonical encoding. */
export function policyHash(policy: Policy): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(schnorr.utils.taggedHash('hoarfrost/policy', encodePolicy(policy)));
}
