/**
 * What a signature of a Taproot input signs (BIP-341, "Common signature message"), computed from the PSBT alone. What all
 * inputs share is hashed once, so that the work grows with the transaction and not with its square.
 */
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import { sha256, taggedHash } from '../protocol/sha256.ts';
import type { Curve } from './curve.ts';
import {
  type Account,
  type DerivedKey,
  deriveAhead,
  deriveKey,
  masterFingerprint,
  type OwnPath,
} from './descriptor.ts';
import type { ParsedPsbt, TapPath } from './psbt.ts';
import { type TxOutput, writeOutpoint, writeOutput } from './transaction.ts';
import { WireWriter } from './wire.ts';

export const SIGHASH_DEFAULT = 0x00;
export const SIGHASH_ALL = 0x01;
const NONE = 0x02;
const SINGLE = 0x03;
const ANYONE_CAN_PAY = 0x80;
/** Types under which a signature covers the whole transaction: the only ones that may be signed unless a policy says more. */
export const WHOLE_TRANSACTION: readonly number[] = [SIGHASH_DEFAULT, SIGHASH_ALL];
/** With these the transaction may be completed by others: ALL and SINGLE, each with ANYONECANPAY. */
export const COMPLETED_BY_OTHERS: readonly number[] = [...WHOLE_TRANSACTION, 0x81, 0x83];
const TYPES = [SIGHASH_DEFAULT, SIGHASH_ALL, NONE, SINGLE, 0x81, 0x82, 0x83];

/** Everything that a signature of one input covers but its own key. */
export interface InputToSign {
  index: number;
  /** 32 bytes. */
  sighash: Uint8Array;
  key: DerivedKey;
  /** `KeyTweak` of crypto/signer: a BIP-86 key path. */
  tweak: { derivation: Uint8Array; path: 'key'; merkleRoot: Uint8Array };
  /** x of the key that the signature must verify under. */
  expectedKey: Uint8Array;
}

/** The parts of a transaction that the message is made of. */
interface Spend {
  version: number;
  locktime: number;
  inputs: readonly { outpoint: { txid: string; vout: number }; sequence: number }[];
  outputs: readonly TxOutput[];
}

/** SHA-256 of what `write` says of each item. */
function hashEach<T>(items: readonly T[], write: (w: WireWriter, item: T) => void): Uint8Array {
  const w = new WireWriter();
  for (const item of items) write(w, item);
  return sha256(w.finish());
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/**
 * Key-path signature hashes of a transaction whose spent outputs are `spent`, in input order. A type that BIP-341 does not
 * define, or SINGLE without its output, is `SighashRefused`.
 */
export function keyPathSighash(
  tx: Spend,
  spent: readonly TxOutput[],
): (index: number, type: number) => Uint8Array {
  ensure(spent.length === tx.inputs.length, 'BadPsbt', { detail: 'spent outputs' });
  const prevouts = once(() => hashEach(tx.inputs, (w, { outpoint }) => writeOutpoint(w, outpoint)));
  const amounts = once(() => hashEach(spent, (w, { value }) => w.u64(value)));
  const scripts = once(() => hashEach(spent, (w, { script }) => w.blob(script)));
  const sequences = once(() => hashEach(tx.inputs, (w, { sequence }) => w.u32(sequence)));
  const outputs = once(() => hashEach(tx.outputs, writeOutput));

  return (index, type) => {
    ensure(TYPES.includes(type), 'SighashRefused');
    const input = tx.inputs[index];
    const output = spent[index];
    ensure(input !== undefined && output !== undefined, 'BadPsbt', { detail: 'input index' });
    const anyone = (type & ANYONE_CAN_PAY) !== 0;
    const covers = type & 3;
    // Epoch 0 stands before the message (BIP-341, footnote on the epoch).
    const w = new WireWriter().u8(0).u8(type).u32(tx.version).u32(tx.locktime);
    if (!anyone) w.put(prevouts()).put(amounts()).put(scripts()).put(sequences());
    if (covers !== NONE && covers !== SINGLE) w.put(outputs());
    // Spend type: key path, no annex.
    w.u8(0);
    if (anyone) {
      writeOutpoint(w, input.outpoint);
      writeOutput(w, output);
      w.u32(input.sequence);
    } else {
      w.u32(index);
    }
    if (covers === SINGLE) {
      const same = tx.outputs[index];
      ensure(same !== undefined, 'SighashRefused', { detail: 'no output of that index' });
      w.put(hashEach([same], writeOutput));
    }
    return taggedHash('TapSighash', w.finish());
  };
}

/** Where the PSBT says that an own key comes from, if it could; an index from `limit` on is not looked at. */
function claimedPath(account: Account, claim: TapPath | null, limit: Record<0 | 1, number>): OwnPath | null {
  if (claim === null || claim.path.length !== 3 || claim.fingerprint !== masterFingerprint(account))
    return null;
  const [top, branch, index] = claim.path as [number, number, number];
  if (top !== account.account || (branch !== 0 && branch !== 1) || index >= limit[branch]) return null;
  return { branch, index };
}

/** The own key behind a script, rederived from where the PSBT claims it to be; null if that is not where it comes from. */
export function ownKey(
  account: Account,
  script: Uint8Array,
  claim: TapPath | null,
  limit: Record<0 | 1, number>,
): DerivedKey | null {
  const path = claimedPath(account, claim, limit);
  if (path === null) return null;
  const key = deriveKey(account, path.branch, path.index);
  return equalVar(script, key.script) ? key : null;
}

/** Derives in bulk, by a faster curve, all keys that reading this PSBT will ask for. */
export function deriveClaimed(curve: Curve, psbt: ParsedPsbt, account: Account): void {
  const claims = [...psbt.inputs, ...psbt.outputs].map(({ tapPath }) =>
    claimedPath(account, tapPath, ANY_INDEX),
  );
  deriveAhead(
    curve,
    account,
    claims.filter((path) => path !== null),
  );
}

/** Any unhardened index: what is spent is charged wherever it lies. */
export const ANY_INDEX: Record<0 | 1, number> = { 0: 0x8000_0000, 1: 0x8000_0000 };

export function pathOf(key: DerivedKey | null): OwnPath | null {
  return key === null ? null : { branch: key.branch, index: key.index };
}

/**
 * All inputs of a PSBT, ready to sign. An input whose script does not rederive from the account is `ForeignInput`, a type
 * that is not `allowed` `SighashRefused`, an input that does not say what it spends `BadPsbt`. All inputs or none.
 */
export function sighashes(psbt: ParsedPsbt, account: Account, allowed = WHOLE_TRANSACTION): InputToSign[] {
  ensure(psbt.inputs.length > 0, 'BadPsbt', { detail: 'no inputs' });
  const spent = psbt.inputs.map(({ witnessUtxo }, i) => {
    ensure(witnessUtxo !== null, 'BadPsbt', { detail: `input ${i} spends something unknown` });
    return witnessUtxo;
  });
  const sighash = keyPathSighash(psbt, spent);
  return psbt.inputs.map(({ tapPath, sighashType }, index) => {
    const key = ownKey(account, spent[index]!.script, tapPath, ANY_INDEX);
    ensure(key !== null, 'ForeignInput', { detail: `input ${index}` });
    ensure(allowed.includes(sighashType), 'SighashRefused', { detail: `input ${index}` });
    return {
      index,
      sighash: sighash(index, sighashType),
      key,
      tweak: { derivation: key.derivation, path: 'key', merkleRoot: new Uint8Array() },
      expectedKey: key.outputKey,
    };
  });
}
