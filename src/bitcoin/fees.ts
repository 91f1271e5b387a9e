/**
 * What a payment from Taproot key-path inputs weighs and costs. A fee rate is thousandths of a sat per vbyte, as bigint:
 * 1 sat/vB is 1000n, which is also bitcoind's sat per kvB.
 */
import { ensure } from '../protocol/errors.ts';
import { compactSizeLength } from './wire.ts';

export type FeeRate = bigint;

/** Below this no node relays, above it nobody means it. */
export const FEE_RATE_MIN: FeeRate = 100n;
export const FEE_RATE_MAX: FeeRate = 10_000_000n;

/** Outpoint, empty scriptSig and sequence at four units a byte; one 64-byte signature with its two lengths at one. */
const KEY_PATH_INPUT = 4 * 41 + 66;

export function outputWeight(scriptLength: number): number {
  return 4 * (8 + compactSizeLength(scriptLength) + scriptLength);
}

/** Virtual size of the finished transaction, exactly: every input is signed with SIGHASH_DEFAULT. */
export function paymentVsize(inputs: number, scriptLengths: readonly number[]): number {
  const base = 4 * (8 + compactSizeLength(inputs) + compactSizeLength(scriptLengths.length)) + 2;
  const outputs = scriptLengths.reduce((sum, length) => sum + outputWeight(length), 0);
  return Math.ceil((base + inputs * KEY_PATH_INPUT + outputs) / 4);
}

/** Sats, rounded up. */
export function feeFor(rate: FeeRate, vsize: number): bigint {
  ensure(rate >= FEE_RATE_MIN && rate <= FEE_RATE_MAX, 'BadFee', { detail: 'fee rate' });
  return (rate * BigInt(vsize) + 999n) / 1000n;
}

/** The rate that a fee amounts to, rounded down. */
export function feeRateOf(fee: bigint, vsize: number): FeeRate {
  return (fee * 1000n) / BigInt(vsize);
}

/**
 * The least that an output of this script may hold to be relayed: what spending it would cost at 3 sat/vB
 * (Bitcoin Core, GetDustThreshold). 330 for Taproot.
 */
export function dustThreshold(script: Uint8Array): bigint {
  if (script[0] === 0x6a) return 0n;
  const witness = script.length >= 4 && script.length <= 42 && isWitnessProgram(script);
  return 3n * BigInt(outputWeight(script.length) / 4 + (witness ? 67 : 148));
}

function isWitnessProgram(script: Uint8Array): boolean {
  const version = script[0]!;
  return (version === 0 || (version >= 0x51 && version <= 0x60)) && script[1] === script.length - 2;
}
