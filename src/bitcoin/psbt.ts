/**
 * Partially signed transactions, version 0 (BIP-174) with the Taproot fields of BIP-371: building a payment, reading
 * anybody's, and finishing one. What is read is only ever a claim; `sighash` and `summary` rederive what they believe.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { INPUTS_MAX, OUTPUTS_MAX, PSBT_MAX } from '../protocol/limits.ts';
import { type Account, deriveKey, masterFingerprint, type OwnPath } from './descriptor.ts';
import { checkField, readTaprootKeyPath } from './psbtFields.ts';
import {
  encodeTransaction,
  MAX_MONEY,
  type Outpoint,
  outpointText,
  parseTransaction,
  readOutput,
  type Transaction,
  type TxOutput,
  txidOf,
  txidOfBare,
  vsizeOf,
  writeOutput,
} from './transaction.ts';
import { WireReader, WireWriter } from './wire.ts';

/** An unspent output of the account. */
export interface Coin {
  outpoint: Outpoint;
  /** Sats. */
  value: bigint;
  branch: 0 | 1;
  index: number;
  /** 0 while unconfirmed. */
  height: number;
  coinbase: boolean;
}

export interface PaymentOutput extends TxOutput {
  /** Set when we pay ourselves, so that the cosigner can rederive it and need not count it as lost. */
  own?: OwnPath;
}

/** Where a PSBT claims that the internal key of a script comes from. */
export interface TapPath {
  /** x-only, 32 bytes. */
  internalKey: Uint8Array;
  fingerprint: number;
  path: number[];
}

export interface ParsedInput {
  outpoint: Outpoint;
  sequence: number;
  /** The output spent, from either UTXO field; null where the PSBT does not say. */
  witnessUtxo: TxOutput | null;
  /** Absent is 0: SIGHASH_DEFAULT. */
  sighashType: number;
  tapPath: TapPath | null;
}

export interface ParsedOutput extends TxOutput {
  tapPath: TapPath | null;
}

export interface ParsedPsbt {
  version: number;
  locktime: number;
  inputs: ParsedInput[];
  outputs: ParsedOutput[];
  /** Of the unsigned transaction, in display order: the spend id. 32 bytes. */
  txid: Uint8Array;
}

const MAGIC = Uint8Array.of(0x70, 0x73, 0x62, 0x74, 0xff);
/** Opts in to replacement (BIP-125). */
export const SEQUENCE_REPLACEABLE = 0xffff_fffd;
/** Key-value pairs in a whole PSBT: far more than any payment, far fewer than a megabyte can hold. */
const FIELDS_MAX = 20_000;

// Field types (BIP-174, BIP-371)
const UNSIGNED_TX = 0x00;
const IN_NON_WITNESS_UTXO = 0x00;
const IN_WITNESS_UTXO = 0x01;
const IN_SIGHASH_TYPE = 0x03;
const IN_TAP_DERIVATION = 0x16;
const IN_TAP_INTERNAL_KEY = 0x17;
const OUT_TAP_INTERNAL_KEY = 0x05;
const OUT_TAP_DERIVATION = 0x07;

/** The fields of one map by their whole key, a character a byte. Their bytes are those of the PSBT, not copies. */
type FieldMap = Map<string, { type: number; keyData: Uint8Array; value: Uint8Array }>;

/** Longer keys than any known field has are spelt longer too, so that none is taken for another. */
function fieldName(key: Uint8Array): string {
  return key.length <= 128 ? latin1(key) : bytesToHex(key);
}

/** Spread, an array would be walked by an iterator, which costs ten times as much. */
const latin1 = (bytes: Uint8Array) => String.fromCharCode.apply(null, bytes as Iterable<number> as number[]);

class FieldReader {
  readonly #r: WireReader;
  #count = 0;

  constructor(r: WireReader) {
    this.#r = r;
  }

  map(kind: 'global' | 'input' | 'output'): FieldMap {
    const fields: FieldMap = new Map();
    for (;;) {
      const key = this.#r.view(this.#r.compactSize());
      if (key.length === 0) return fields;
      ensure(++this.#count <= FIELDS_MAX, 'TooLarge', { detail: 'fields' });
      const value = this.#r.view(this.#r.compactSize());
      // Types above 0xfc are spelt with more bytes; none of them is known, so only the first byte is told apart.
      const type = key[0]!;
      const keyData = key.subarray(1);
      checkField(kind, type, keyData, value);
      const id = fieldName(key);
      ensure(!fields.has(id), 'BadEncoding', { detail: 'duplicate key' });
      fields.set(id, { type, keyData, value });
    }
  }
}

function single(fields: FieldMap, type: number): Uint8Array | undefined {
  return fields.get(String.fromCharCode(type))?.value;
}

function tapPathOf(fields: FieldMap, keyType: number, derivationType: number): TapPath | null {
  const internalKey = single(fields, keyType);
  if (internalKey === undefined) return null;
  const value = fields.get(String.fromCharCode(derivationType) + latin1(internalKey))?.value;
  if (value === undefined) return null;
  return { internalKey: internalKey.slice(), ...readTaprootKeyPath(value) };
}

function spentOutput(fields: FieldMap, outpoint: Outpoint): TxOutput | null {
  const whole = single(fields, IN_NON_WITNESS_UTXO);
  const claimed = single(fields, IN_WITNESS_UTXO);
  const output = claimed === undefined ? null : readOutput(new WireReader(claimed));
  if (whole === undefined) return output;
  const tx = parseTransaction(whole);
  ensure(bytesToHex(txidOf(tx)) === outpoint.txid, 'BadEncoding', { detail: 'previous transaction' });
  const real = tx.outputs[outpoint.vout];
  ensure(real !== undefined, 'BadEncoding', { detail: 'previous output' });
  ensure(
    output === null || (output.value === real.value && bytesToHex(output.script) === bytesToHex(real.script)),
    'BadEncoding',
    { detail: 'previous outputs disagree' },
  );
  return real;
}

function sighashTypeOf(fields: FieldMap): number {
  const value = single(fields, IN_SIGHASH_TYPE);
  return value === undefined ? 0 : new WireReader(value).u32();
}

function readUnsigned(bytes: Uint8Array): Transaction {
  const tx = parseTransaction(bytes, 'bare', { inputs: INPUTS_MAX, outputs: OUTPUTS_MAX });
  ensure(
    tx.inputs.every((input) => input.scriptSig.length === 0),
    'BadEncoding',
    { detail: 'signed already' },
  );
  return tx;
}

function readPsbt(bytes: Uint8Array): { tx: Transaction; parsed: ParsedPsbt } {
  const r = new WireReader(bytes);
  const magic = r.take(MAGIC.length);
  ensure(
    MAGIC.every((byte, i) => byte === magic[i]),
    'BadEncoding',
    { detail: 'magic' },
  );
  const reader = new FieldReader(r);
  const unsigned = single(reader.map('global'), UNSIGNED_TX);
  ensure(unsigned !== undefined, 'BadEncoding', { detail: 'no unsigned transaction' });
  const tx = readUnsigned(unsigned);
  const inputs = tx.inputs.map(({ outpoint, sequence }): ParsedInput => {
    const fields = reader.map('input');
    return {
      outpoint,
      sequence,
      witnessUtxo: spentOutput(fields, outpoint),
      sighashType: sighashTypeOf(fields),
      tapPath: tapPathOf(fields, IN_TAP_INTERNAL_KEY, IN_TAP_DERIVATION),
    };
  });
  const outputs = tx.outputs.map((output): ParsedOutput => {
    const fields = reader.map('output');
    return { ...output, tapPath: tapPathOf(fields, OUT_TAP_INTERNAL_KEY, OUT_TAP_DERIVATION) };
  });
  r.end();
  const spent = new Set(inputs.map(({ outpoint }) => outpointText(outpoint)));
  ensure(spent.size === inputs.length, 'BadEncoding', { detail: 'an input twice' });
  const { version, locktime } = tx;
  // What was read strictly is what would be written.
  return { tx, parsed: { version, locktime, inputs, outputs, txid: txidOfBare(unsigned) } };
}

function read(bytes: Uint8Array): { tx: Transaction; parsed: ParsedPsbt } {
  ensure(bytes.length <= PSBT_MAX, 'TooLarge', { detail: 'PSBT' });
  try {
    return readPsbt(bytes);
  } catch (e) {
    if (e instanceof HoarfrostError && e.code === 'BadEncoding') {
      throw new HoarfrostError('BadPsbt', {
        ...(e.detail === undefined ? {} : { detail: e.detail }),
        cause: e,
      });
    }
    throw e;
  }
}

/**
 * Reads a PSBT of version 0 strictly: known fields in their shape, no key twice, no trailing bytes, no input twice.
 * `TooLarge` over the limits of protocol/limits, `BadPsbt` for everything else that is wrong.
 */
export function parsePsbt(bytes: Uint8Array): ParsedPsbt {
  return read(bytes).parsed;
}

function writeField(w: WireWriter, key: Uint8Array, value: Uint8Array): void {
  w.blob(key).blob(value);
}

/** Internal key and derivation of an own script, in the two field types of its map. */
function writeOwn(
  w: WireWriter,
  account: Account,
  own: OwnPath,
  types: { key: number; derivation: number },
): void {
  const { internalKey } = deriveKey(account, own.branch, own.index);
  const path = new WireWriter().compactSize(0);
  const fingerprint = new Uint8Array(4);
  new DataView(fingerprint.buffer).setUint32(0, masterFingerprint(account));
  path.put(fingerprint).u32(account.account).u32(own.branch).u32(own.index);
  const fields: [Uint8Array, Uint8Array][] = [
    [Uint8Array.of(types.key), internalKey],
    [Uint8Array.of(types.derivation, ...internalKey), path.finish()],
  ];
  for (const [key, value] of fields.sort((a, b) => a[0][0]! - b[0][0]!)) writeField(w, key, value);
}

export interface PaymentPlan {
  account: Account;
  /** All inputs, in the order wanted. */
  coins: readonly Coin[];
  outputs: readonly PaymentOutput[];
  /** Null when nothing comes back. */
  change: { path: OwnPath; value: bigint } | null;
  /** Four random bytes or more: where the change stands among the outputs must say nothing. */
  randomness: Uint8Array;
  locktime?: number;
}

/**
 * The unsigned payment, with all that a signer needs to rederive what is ours. `BadAmount` if the outputs are worth more
 * than the coins; sizes are checked where it is read.
 */
export function buildPayment(plan: PaymentPlan): Uint8Array<ArrayBuffer> {
  const { account, coins, change } = plan;
  const outputs: PaymentOutput[] = [...plan.outputs];
  if (change !== null) {
    ensure(plan.randomness.length >= 4, 'BadEncoding', { detail: 'randomness' });
    const random = new DataView(plan.randomness.buffer, plan.randomness.byteOffset).getUint32(0);
    const { script } = deriveKey(account, change.path.branch, change.path.index);
    outputs.splice(random % (outputs.length + 1), 0, { script, value: change.value, own: change.path });
  }
  const total = (values: readonly { value: bigint }[]) => values.reduce((sum, { value }) => sum + value, 0n);
  ensure(coins.length > 0 && outputs.length > 0, 'BadAmount', { detail: 'empty payment' });
  ensure(total(coins) <= MAX_MONEY && outputs.every(({ value }) => value >= 0n), 'BadAmount');
  ensure(total(coins) >= total(outputs), 'BadAmount', { detail: 'outputs over inputs' });
  const tx: Transaction = {
    version: 2,
    inputs: coins.map(({ outpoint }) => ({
      outpoint,
      scriptSig: new Uint8Array(),
      sequence: SEQUENCE_REPLACEABLE,
      witness: [],
    })),
    outputs,
    locktime: plan.locktime ?? 0,
  };
  const w = new WireWriter().put(MAGIC);
  writeField(w, Uint8Array.of(UNSIGNED_TX), encodeTransaction(tx, 'bare'));
  w.u8(0);
  for (const coin of coins) {
    const spent = new WireWriter();
    writeOutput(spent, { value: coin.value, script: deriveKey(account, coin.branch, coin.index).script });
    writeField(w, Uint8Array.of(IN_WITNESS_UTXO), spent.finish());
    writeOwn(w, account, coin, { key: IN_TAP_INTERNAL_KEY, derivation: IN_TAP_DERIVATION });
    w.u8(0);
  }
  for (const { own } of outputs) {
    if (own) writeOwn(w, account, own, { key: OUT_TAP_INTERNAL_KEY, derivation: OUT_TAP_DERIVATION });
    w.u8(0);
  }
  return w.finish();
}

/** Puts one 64-byte signature into each input. The signatures are verified where they are made, not here. */
export function finalize(
  psbtBytes: Uint8Array,
  signatures: readonly Uint8Array[],
): { transaction: Uint8Array<ArrayBuffer>; txid: string; vsize: number } {
  const { tx, parsed } = read(psbtBytes);
  ensure(signatures.length === tx.inputs.length, 'BadPsbt', { detail: 'signatures' });
  for (const [i, input] of tx.inputs.entries()) {
    const signature = signatures[i]!;
    ensure(signature.length === 64, 'BadEncoding', { detail: 'signature' });
    const { sighashType } = parsed.inputs[i]!;
    // BIP-341: SIGHASH_DEFAULT is left out, any other type stands after the signature.
    input.witness = [sighashType === 0 ? signature : Uint8Array.of(...signature, sighashType)];
  }
  return { transaction: encodeTransaction(tx), txid: bytesToHex(parsed.txid), vsize: vsizeOf(tx) };
}
