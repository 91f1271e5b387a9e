/**
 * Messages signed for an address: BIP-322 *simple*, Taproot key path. The message is never signed as such, only inside
 * two transactions that cannot be mined, so no signature of a message is one of a spend.
 */
import { schnorr } from '@noble/curves/secp256k1.js';
import { base64, hex } from '@scure/base';
import { ensure } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { parseAddress } from './address.ts';
import type { DerivedKey } from './descriptor.ts';
import { type InputToSign, keyPathSighash, SIGHASH_ALL, SIGHASH_DEFAULT } from './sighash.ts';
import { type Transaction, txidOf } from './transaction.ts';
import { WireReader, WireWriter } from './wire.ts';

/** `inconclusive`: an address that this file cannot speak for. */
export type MessageVerdict = 'valid' | 'invalid' | 'inconclusive';

const PREFIX = 'smp';

/** Tagged hash of the text as UTF-8. Text with half a surrogate pair has no UTF-8: `BadEncoding`. */
export function messageHash(message: string): Uint8Array {
  ensure(message.isWellFormed(), 'BadEncoding', { detail: 'message' });
  return taggedHash('BIP0322-signed-message', new TextEncoder().encode(message));
}

/** The virtual output that `script` locks and the message is woven into. */
export function toSpend(script: Uint8Array, message: string): Transaction {
  return {
    version: 0,
    inputs: [
      {
        outpoint: { txid: '00'.repeat(32), vout: 0xffff_ffff },
        scriptSig: Uint8Array.of(0x00, 0x20, ...messageHash(message)),
        sequence: 0,
        witness: [],
      },
    ],
    outputs: [{ script, value: 0n }],
    locktime: 0,
  };
}

/** The spend of `toSpend` whose witness is the signature. */
export function toSign(script: Uint8Array, message: string): Transaction {
  const txid = hex.encode(txidOf(toSpend(script, message)));
  return {
    version: 0,
    inputs: [{ outpoint: { txid, vout: 0 }, scriptSig: new Uint8Array(), sequence: 0, witness: [] }],
    outputs: [{ script: Uint8Array.of(0x6a), value: 0n }],
    locktime: 0,
  };
}

/** What two parties sign so that `encodeMessageSignature` of it proves the address: computed, never taken from a peer. */
export function messageToSign(key: DerivedKey, message: string): InputToSign {
  return {
    index: 0,
    sighash: messageSighash(key.script, message, SIGHASH_DEFAULT),
    key,
    tweak: { derivation: key.derivation, path: 'key', merkleRoot: new Uint8Array() },
    expectedKey: key.outputKey,
  };
}

/** A 64-byte BIP-340 signature (SIGHASH_DEFAULT) in the form that other wallets read. */
export function encodeMessageSignature(signature: Uint8Array): string {
  ensure(signature.length === 64, 'BadEncoding', { detail: 'signature' });
  return PREFIX + base64.encode(new WireWriter().compactSize(1).blob(signature).finish());
}

/**
 * BIP-322 verification of a simple signature, with or without its prefix (older signers wrote none). Another kind of address
 * than Taproot, or a script path, is `inconclusive`; `BadAddress` and `WrongNetwork` as `parseAddress`.
 */
export function verifyMessage(
  address: string,
  network: Network,
  message: string,
  signature: string,
): MessageVerdict {
  const { script, kind } = parseAddress(address, network);
  const witness = readWitness(signature);
  if (witness === null || witness.length === 0) return 'invalid';
  if (kind !== 'p2tr' || witness.length > 1) return 'inconclusive';
  const [item] = witness as [Uint8Array];
  const type = item.length === 64 ? SIGHASH_DEFAULT : item.length === 65 ? item[64] : undefined;
  // Of 65 bytes the last must be ALL: BIP-341 forbids DEFAULT there, BIP-322 all others.
  if (type === undefined || (item.length === 65 && type !== SIGHASH_ALL)) return 'invalid';
  const sighash = messageSighash(script, message, type);
  return schnorr.verify(item.subarray(0, 64), sighash, script.subarray(2)) ? 'valid' : 'invalid';
}

function messageSighash(script: Uint8Array, message: string, type: number): Uint8Array {
  return keyPathSighash(toSign(script, message), [{ script, value: 0n }])(0, type);
}

function readWitness(signature: string): Uint8Array[] | null {
  const text = signature.startsWith(PREFIX) ? signature.slice(PREFIX.length) : signature;
  try {
    const r = new WireReader(base64.decode(text));
    const items: Uint8Array[] = [];
    for (let i = r.count(1); i > 0; i--) items.push(r.blob());
    r.end();
    return items;
  } catch {
    // The base64 decoder's errors are its own.
    return null;
  }
}
