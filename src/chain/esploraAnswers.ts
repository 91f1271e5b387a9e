/** Esplora's JSON, read field by field. A transaction is put together from its parts and must hash to its txid. */
import { hex } from '@scure/base';
import {
  encodeTransaction,
  type Outpoint,
  outpointText,
  type Transaction,
  type TxOutput,
  txidOf,
} from '../bitcoin/transaction.ts';
import * as json from './json.ts';

export interface EsploraTx {
  txid: string;
  /** 0 while unconfirmed. */
  height: number;
  /** Milliseconds; 0 while unconfirmed. */
  time: number;
  transaction: Uint8Array;
  parsed: Transaction;
  /** What the server says its inputs spend, by `txid:vout`. */
  spent: Map<string, TxOutput>;
}

export interface Utxo {
  outpoint: Outpoint;
  value: bigint;
  height: number;
}

const U32 = 0xffff_ffff;
const SCRIPT_MAX = 10_000;
/** What a block can hold (BIP-141). */
const ITEM_MAX = 4_000_000;
const INPUTS_MAX = 25_000;
const OUTPUTS_MAX = 120_000;

/** `stats` changes whenever the address does. */
export function readStats(answer: unknown): { stats: string; used: boolean } {
  const address = json.object(answer);
  const counts = [address.chain_stats, address.mempool_stats].map((part) => {
    const stats = json.object(part, 'stats');
    return ['tx_count', 'funded_txo_count', 'spent_txo_count'].map((name) =>
      json.integer(stats[name], Number.MAX_SAFE_INTEGER, name),
    );
  });
  return { stats: counts.join(), used: counts.some(([transactions]) => transactions! > 0) };
}

function readStatus(answer: unknown): { height: number; time: number } {
  const status = json.object(answer, 'status');
  if (!json.bool(status.confirmed)) return { height: 0, time: 0 };
  const height = json.height(status.block_height);
  return { height, time: 1000 * json.integer(status.block_time, 2 ** 40, 'time') };
}

export function readUtxo(answer: unknown): Utxo {
  const utxo = json.object(answer);
  return {
    outpoint: { txid: json.hash(utxo.txid), vout: json.integer(utxo.vout, U32) },
    value: json.sats(utxo.value),
    height: readStatus(utxo.status).height,
  };
}

function readOutput(answer: unknown): TxOutput {
  const output = json.object(answer);
  return {
    script: json.hexBytes(output.scriptpubkey, SCRIPT_MAX, 'script'),
    value: json.sats(output.value),
  };
}

export function readTx(answer: unknown): EsploraTx {
  const tx = json.object(answer);
  const spent = new Map<string, TxOutput>();
  const inputs = json.array(tx.vin, INPUTS_MAX, 'inputs').map((item) => {
    const input = json.object(item);
    const outpoint = { txid: json.hash(input.txid), vout: json.integer(input.vout, U32) };
    if (input.prevout !== null && input.prevout !== undefined) {
      spent.set(outpointText(outpoint), readOutput(input.prevout));
    }
    const witness = json.array(input.witness ?? [], ITEM_MAX, 'witness');
    return {
      outpoint,
      scriptSig: json.hexBytes(input.scriptsig, SCRIPT_MAX, 'script'),
      sequence: json.integer(input.sequence, U32),
      witness: witness.map((part) => json.hexBytes(part, ITEM_MAX, 'witness')),
    };
  });
  const parsed: Transaction = {
    // Signed where it is written as a number.
    version: json.number(tx.version, 'version') >>> 0,
    inputs,
    outputs: json.array(tx.vout, OUTPUTS_MAX, 'outputs').map(readOutput),
    locktime: json.integer(tx.locktime, U32),
  };
  const txid = json.hash(tx.txid);
  if (hex.encode(txidOf(parsed)) !== txid) json.refuse('transaction');
  return { txid, ...readStatus(tx.status), transaction: encodeTransaction(parsed), parsed, spent };
}
