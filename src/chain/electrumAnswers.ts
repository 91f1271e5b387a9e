/** The Electrum protocol's results (1.4 to 1.6), read field by field. */
import { hex } from '@scure/base';
import { parseTransaction, type Transaction, txidOf } from '../bitcoin/transaction.ts';
import { sha256 } from '../protocol/sha256.ts';
import type { Version } from './electrumRpc.ts';
import * as json from './json.ts';

export interface Header {
  height: number;
  /** Display hex. */
  hash: string;
  previous: string;
  /** Milliseconds. */
  time: number;
}

/** One transaction that touches a script. */
export interface Touch {
  txid: string;
  /** 0 while unconfirmed. */
  height: number;
}

export interface RawTransaction {
  bytes: Uint8Array;
  parsed: Transaction;
}

/** Of an 80-byte header (`nVersion`, previous, Merkle root, `nTime`, `nBits`, `nNonce`). */
const HEADER_BYTES = 80;
export const HEADERS_MAX = 2016;
const TOUCHES_MAX = 10_000;
const TRANSACTION_MAX = 4_000_000;

const display = (hash: Uint8Array): string => hex.encode(Uint8Array.from(hash).reverse());

/** SHA-256 of a script, as the protocol writes it. */
export const scriptHash = (script: Uint8Array): string => display(sha256(script));

export function readHeader(answer: unknown, height: number): Header {
  const bytes = json.hexBytes(answer, HEADER_BYTES, 'header');
  if (bytes.length !== HEADER_BYTES) json.refuse('header');
  return {
    height,
    hash: display(sha256(sha256(bytes))),
    previous: display(bytes.subarray(4, 36)),
    time: 1000 * new DataView(bytes.buffer).getUint32(68, true),
  };
}

export function readTip(answer: unknown): Header {
  const tip = json.object(answer, 'tip');
  return readHeader(tip.hex, json.height(tip.height));
}

/** Linked to each other; one run of hex before 1.6, a list since. */
export function readHeaders(answer: unknown, from: number, version: Version): Header[] {
  const chunk = json.object(answer, 'headers');
  const listed =
    version[1] >= 6
      ? json.array(chunk.headers, HEADERS_MAX, 'headers')
      : (json.string(chunk.hex, 2 * HEADER_BYTES * HEADERS_MAX, 'headers').match(/.{1,160}/g) ?? []);
  if (listed.length !== json.integer(chunk.count, HEADERS_MAX, 'headers')) json.refuse('headers');
  const headers = listed.map((header, i) => readHeader(header, from + i));
  if (headers.some(({ previous }, i) => i > 0 && previous !== headers[i - 1]!.hash)) json.refuse('headers');
  return headers;
}

/** Null for a script that nothing touches. */
export function readStatus(answer: unknown): string | null {
  return answer === null ? null : json.hash(answer);
}

export function readHistory(answer: unknown): Touch[] {
  const touches = json.array(answer, TOUCHES_MAX, 'history').map((item) => {
    const { tx_hash, height } = json.object(item);
    // -1 where an input is itself unconfirmed.
    return { txid: json.hash(tx_hash), height: height === -1 ? 0 : json.height(height) };
  });
  if (new Set(touches.map(({ txid }) => txid)).size !== touches.length) json.refuse('a transaction twice');
  return touches;
}

export function readTransaction(answer: unknown, txid: string): RawTransaction {
  const bytes = json.hexBytes(answer, TRANSACTION_MAX, 'transaction');
  const parsed = parseTransaction(bytes);
  if (hex.encode(txidOf(parsed)) !== txid) json.refuse('transaction');
  return { bytes, parsed };
}

/** BTC per kvB as thousandths of a sat per vB; null where the node has no estimate. */
export function readRate(answer: unknown): number | null {
  const rate = json.number(answer, 'fee rate');
  return rate < 0 ? null : rate * 1e8;
}

/** Why a package was refused, or null if it was not. */
export function readPackage(answer: unknown): string | null {
  const result = json.object(answer, 'package');
  if (json.bool(result.success)) return null;
  const errors = json.array(result.errors ?? [], 100, 'errors').map((e) => json.object(e).error);
  return errors
    .map((e) => json.string(e, 10_000, 'error'))
    .join('; ')
    .slice(0, 200);
}
