/** Transactions as bytes (BIP-144), their ids and weights (BIP-141). */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { ensure } from '../protocol/errors.ts';
import { sha256 } from '../protocol/sha256.ts';
import { WireReader, WireWriter } from './wire.ts';

export interface Outpoint {
  /** Display hex, 64 lower-case characters: the hash's bytes reversed. */
  txid: string;
  vout: number;
}

export interface TxInput {
  outpoint: Outpoint;
  scriptSig: Uint8Array;
  sequence: number;
  witness: Uint8Array[];
}

export interface TxOutput {
  script: Uint8Array;
  /** Sats. */
  value: bigint;
}

export interface Transaction {
  version: number;
  inputs: TxInput[];
  outputs: TxOutput[];
  locktime: number;
}

export const MAX_MONEY = 21_000_000n * 100_000_000n;

const INPUT_MIN = 41;
const OUTPUT_MIN = 9;

export function outpointText(outpoint: Outpoint): string {
  return `${outpoint.txid}:${outpoint.vout}`;
}

export function writeOutpoint(w: WireWriter, outpoint: Outpoint): void {
  w.put(hexToBytes(outpoint.txid).reverse()).u32(outpoint.vout);
}

function readInput(r: WireReader): TxInput {
  const txid = bytesToHex(r.take(32).reverse());
  return { outpoint: { txid, vout: r.u32() }, scriptSig: r.blob(), sequence: r.u32(), witness: [] };
}

export function readOutput(r: WireReader): TxOutput {
  const value = r.u64();
  ensure(value <= MAX_MONEY, 'BadEncoding', { detail: 'value' });
  return { value, script: r.blob() };
}

export function writeOutput(w: WireWriter, output: TxOutput): void {
  w.u64(output.value).blob(output.script);
}

/**
 * `bare`: the form without witnesses, in which a transaction of no inputs is not ambiguous (BIP-174). More inputs or
 * outputs than `most` are `TooLarge` before the first of them is read.
 */
export function parseTransaction(
  bytes: Uint8Array,
  form: 'any' | 'bare' = 'any',
  most: { inputs: number; outputs: number } = { inputs: Infinity, outputs: Infinity },
): Transaction {
  const r = new WireReader(bytes);
  const version = r.u32();
  let count = r.count(INPUT_MIN);
  const segwit = form === 'any' && count === 0;
  if (segwit) {
    ensure(r.u8() === 1, 'BadEncoding', { detail: 'segwit flag' });
    count = r.count(INPUT_MIN);
  }
  ensure(count <= most.inputs, 'TooLarge', { detail: 'inputs' });
  const inputs: TxInput[] = [];
  for (let i = 0; i < count; i++) inputs.push(readInput(r));
  const outputs: TxOutput[] = [];
  count = r.count(OUTPUT_MIN);
  ensure(count <= most.outputs, 'TooLarge', { detail: 'outputs' });
  for (let i = 0; i < count; i++) outputs.push(readOutput(r));
  if (segwit) {
    for (const input of inputs) for (let i = r.count(1); i > 0; i--) input.witness.push(r.blob());
    ensure(
      inputs.some((input) => input.witness.length > 0),
      'BadEncoding',
      { detail: 'superfluous witness' },
    );
  }
  const locktime = r.u32();
  r.end();
  return { version, inputs, outputs, locktime };
}

/** `bare` leaves the witnesses out: what the txid is the hash of. */
export function encodeTransaction(tx: Transaction, form: 'full' | 'bare' = 'full'): Uint8Array<ArrayBuffer> {
  const segwit = form === 'full' && tx.inputs.some((input) => input.witness.length > 0);
  const w = new WireWriter().u32(tx.version);
  if (segwit) w.u8(0).u8(1);
  w.compactSize(tx.inputs.length);
  for (const input of tx.inputs) {
    writeOutpoint(w, input.outpoint);
    w.blob(input.scriptSig).u32(input.sequence);
  }
  w.compactSize(tx.outputs.length);
  for (const output of tx.outputs) writeOutput(w, output);
  if (segwit) {
    for (const input of tx.inputs) {
      w.compactSize(input.witness.length);
      for (const item of input.witness) w.blob(item);
    }
  }
  return w.u32(tx.locktime).finish();
}

/** 32 bytes in the order that is displayed, so that its hex is the txid people see. */
export function txidOf(tx: Transaction): Uint8Array<ArrayBuffer> {
  return txidOfBare(encodeTransaction(tx, 'bare'));
}

/** The same of a transaction that is encoded without witnesses. */
export function txidOfBare(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(sha256(bytes)).reverse();
}

/** Weight units (BIP-141). */
export function weightOf(tx: Transaction): number {
  return 3 * encodeTransaction(tx, 'bare').length + encodeTransaction(tx).length;
}

export function vsizeOf(tx: Transaction): number {
  return Math.ceil(weightOf(tx) / 4);
}
