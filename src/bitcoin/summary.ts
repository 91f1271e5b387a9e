/**
 * What a PSBT does to the account. Device and cosigner both call this and compare digests: what was shown is what is
 * signed. Nothing is believed but amounts and scripts, which the signature covers, and what rederives from the group key.
 */
import { hexToBytes } from '@noble/hashes/utils.js';
import { blob, bytes, encode, list, oneOf, option, struct, u8, u32, u64 } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { GAP_OWN_OUTPUT, INPUTS_MAX, OUTPUTS_MAX, PSBT_MAX } from '../protocol/limits.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { addressOf } from './address.ts';
import type { Account, OwnPath } from './descriptor.ts';
import { type FeeRate, feeRateOf, paymentVsize } from './fees.ts';
import type { ParsedPsbt } from './psbt.ts';
import { ANY_INDEX, ownKey, pathOf } from './sighash.ts';
import type { Outpoint } from './transaction.ts';

export interface SummaryInput {
  outpoint: Outpoint;
  value: bigint;
  own: OwnPath | null;
  sighashType: number;
}

export interface SummaryOutput {
  script: Uint8Array;
  value: bigint;
  readonly address: string | null;
  own: OwnPath | null;
}

/** Amounts in sats. */
export interface Summary {
  network: Network;
  /** Unsigned txid, 32 bytes in display order: the spend id. */
  spend: Uint8Array;
  inputs: SummaryInput[];
  outputs: SummaryOutput[];
  ownIn: bigint;
  ownOut: bigint;
  /** All own inputs minus own outputs, the fee included (DESIGN section 4). Negative where the account gains. */
  loss: bigint;
  fee: bigint;
  /** Of the finished transaction, if all inputs are key-path spends. */
  vsize: number;
  feeRate: FeeRate;
}

/** Next unused index of each branch, which is how many were used. */
export interface UsedIndices {
  receive: number;
  change: number;
}

const ANYONECANPAY = 0x80;

const total = (items: readonly { value: bigint }[]) => items.reduce((sum, { value }) => sum + value, 0n);

/**
 * Reads what a PSBT does. An output is own only if its script rederives on branch 0 or 1 at an index of at most the last
 * used plus GAP_OWN_OUTPUT: never by its position or by what the PSBT says of it. `BadPsbt` if an input does not say what
 * it spends, or more is paid out than comes in.
 */
export function summarise(psbt: ParsedPsbt, account: Account, used: UsedIndices): Summary {
  const inputs = psbt.inputs.map(({ outpoint, witnessUtxo, sighashType, tapPath }, i): SummaryInput => {
    ensure(witnessUtxo !== null, 'BadPsbt', { detail: `input ${i} spends something unknown` });
    const own = pathOf(ownKey(account, witnessUtxo.script, tapPath, ANY_INDEX));
    return { outpoint, value: witnessUtxo.value, own, sighashType };
  });
  const near = { 0: used.receive + GAP_OWN_OUTPUT, 1: used.change + GAP_OWN_OUTPUT };
  const outputs = psbt.outputs.map(({ script, value, tapPath }): SummaryOutput => {
    const own = pathOf(ownKey(account, script, tapPath, near));
    return {
      script,
      value,
      own,
      // Asked for where somebody looks, and not where a cosigner signs.
      get address() {
        return addressOf(script, account.network);
      },
    };
  });
  const left = total(inputs) - total(outputs);
  // A transaction that others complete may still lack the inputs that pay for its outputs.
  const complete = inputs.every(({ sighashType }) => (sighashType & ANYONECANPAY) === 0);
  ensure(left >= 0n || !complete, 'BadPsbt', { detail: 'outputs over inputs' });
  const fee = left < 0n ? 0n : left;
  const ownIn = total(inputs.filter(({ own }) => own !== null));
  const ownOut = total(outputs.filter(({ own }) => own !== null));
  const vsize = paymentVsize(
    inputs.length,
    outputs.map(({ script }) => script.length),
  );
  return {
    network: account.network,
    spend: psbt.txid,
    inputs,
    outputs,
    ownIn,
    ownOut,
    loss: ownIn - ownOut,
    fee,
    vsize,
    feeRate: feeRateOf(fee, vsize),
  };
}

const ownPath = option(struct({ branch: u8, index: u32 }));
/** All the rest of a summary follows from these. */
const canonical = struct({
  network: oneOf(...NETWORKS),
  spend: bytes(32),
  inputs: list(
    struct({ txid: bytes(32), vout: u32, value: u64, own: ownPath, sighashType: u32 }),
    INPUTS_MAX,
  ),
  outputs: list(struct({ script: blob(PSBT_MAX), value: u64, own: ownPath }), OUTPUTS_MAX),
});

/** Tagged SHA-256 over the canonical encoding. 32 bytes. */
export function summaryDigest(summary: Summary): Uint8Array<ArrayBuffer> {
  const inputs = summary.inputs.map(({ outpoint, ...input }) => ({
    ...input,
    txid: hexToBytes(outpoint.txid),
    vout: outpoint.vout,
  }));
  const outputs = summary.outputs.map(({ script, value, own }) => ({
    script: Uint8Array.from(script),
    value,
    own,
  }));
  const { network } = summary;
  const encoded = encode(canonical, { network, spend: Uint8Array.from(summary.spend), inputs, outputs });
  return taggedHash('hoarfrost/summary', encoded);
}
