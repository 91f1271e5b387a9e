/**
 * The shape of every known field of a version-0 PSBT (BIP-174, BIP-371), so that a malformed one is refused even where
 * nobody here reads it. Keys are not checked to be points: that costs a square root each, and no key is believed anyway.
 */
import { ensure } from '../protocol/errors.ts';
import { parseTransaction, readOutput } from './transaction.ts';
import { WireReader } from './wire.ts';

type Rule = (bytes: Uint8Array) => boolean;
interface Field {
  /** Of what follows the type byte. */
  readonly key: Rule;
  readonly value: Rule;
}

const size =
  (...lengths: number[]): Rule =>
  (bytes) =>
    lengths.includes(bytes.length);
const nothing = size(0);
const anything: Rule = () => true;
/** Throws where it cannot be read. */
const reads =
  (read: (r: WireReader) => unknown): Rule =>
  (bytes) => {
    const r = new WireReader(bytes);
    read(r);
    r.end();
    return true;
  };

const ecdsaKey: Rule = (key) =>
  key.length === 33 ? key[0] === 2 || key[0] === 3 : key.length === 65 && key[0] === 4;
const keyPath: Rule = (value) => value.length >= 4 && value.length % 4 === 0;
const schnorrSignature = size(64, 65);
const controlBlock: Rule = (key) =>
  key.length >= 33 && key.length <= 33 + 32 * 128 && (key.length - 33) % 32 === 0;

const witness = reads((r) => {
  for (let i = r.count(1); i > 0; i--) r.blob();
});

const taprootKeyPath: Rule = (value) => {
  readTaprootKeyPath(value);
  return true;
};

/** Depth first: depth, leaf version, script; the depths must fill one binary tree. */
const tapTree: Rule = (value) => {
  const r = new WireReader(value);
  let filled = 0n;
  const whole = 1n << 128n;
  while (r.left > 0) {
    const depth = r.u8();
    const leafVersion = r.u8();
    if (depth > 128 || (leafVersion & 1) !== 0) return false;
    r.blob();
    filled += whole >> BigInt(depth);
  }
  return filled === whole;
};

/** A field of version 2 (BIP-370) has no place in version 0. */
const versionTwo: Field = { key: () => false, value: anything };

const GLOBAL: Record<number, Field> = {
  0: { key: nothing, value: anything },
  1: { key: size(78), value: keyPath },
  2: versionTwo,
  3: versionTwo,
  4: versionTwo,
  5: versionTwo,
  6: versionTwo,
  251: { key: nothing, value: (v) => v.length === 4 && v.every((byte) => byte === 0) },
};

const INPUT: Record<number, Field> = {
  0: { key: nothing, value: (v) => parseTransaction(v) !== null },
  1: { key: nothing, value: reads(readOutput) },
  2: { key: ecdsaKey, value: anything },
  3: { key: nothing, value: size(4) },
  4: { key: nothing, value: anything },
  5: { key: nothing, value: anything },
  6: { key: ecdsaKey, value: keyPath },
  7: { key: nothing, value: anything },
  8: { key: nothing, value: witness },
  9: { key: nothing, value: anything },
  10: { key: size(20), value: anything },
  11: { key: size(32), value: anything },
  12: { key: size(20), value: anything },
  13: { key: size(32), value: anything },
  14: versionTwo,
  15: versionTwo,
  16: versionTwo,
  17: versionTwo,
  18: versionTwo,
  19: { key: nothing, value: schnorrSignature },
  20: { key: size(64), value: schnorrSignature },
  21: { key: controlBlock, value: (v) => v.length > 0 },
  22: { key: size(32), value: taprootKeyPath },
  23: { key: nothing, value: size(32) },
  24: { key: nothing, value: size(32) },
};

const OUTPUT: Record<number, Field> = {
  0: { key: nothing, value: anything },
  1: { key: nothing, value: anything },
  2: { key: ecdsaKey, value: keyPath },
  3: versionTwo,
  4: versionTwo,
  5: { key: nothing, value: size(32) },
  6: { key: nothing, value: tapTree },
  7: { key: size(32), value: taprootKeyPath },
};

const FIELDS = { global: GLOBAL, input: INPUT, output: OUTPUT } as const;

/** `BadEncoding` unless a known field has its shape; unknown ones pass (BIP-174, "Handling Duplicated Keys" and types). */
export function checkField(
  map: keyof typeof FIELDS,
  type: number,
  keyData: Uint8Array,
  value: Uint8Array,
): void {
  const field = FIELDS[map][type];
  if (field === undefined) return;
  ensure(field.key(keyData) && field.value(value), 'BadEncoding', { detail: `${map} field ${type}` });
}

/** PSBT_IN_TAP_BIP32_DERIVATION's value (BIP-371), without the hashes of the leaves that use the key too. */
export function readTaprootKeyPath(value: Uint8Array): { fingerprint: number; path: number[] } {
  const r = new WireReader(value);
  r.take(32 * r.count(32));
  const fingerprint = r.take(4).reduce((number, byte) => number * 256 + byte, 0);
  const path: number[] = [];
  while (r.left > 0) path.push(r.u32());
  return { fingerprint, path };
}
