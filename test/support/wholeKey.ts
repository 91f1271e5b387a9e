/** An account whose key is whole, for tests of what is not the signer: one party signs what two would. */
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8 } from '@scure/base';
import type { Account } from '../../src/bitcoin/descriptor.ts';
import type { InputToSign } from '../../src/bitcoin/sighash.ts';
import type { Network } from '../../src/protocol/networks.ts';

const { Fn, BASE } = secp256k1.Point;

export interface WholeKey {
  account: Account;
  sign(input: InputToSign): Uint8Array;
}

export function wholeKey(seed: string, network: Network = 'regtest'): WholeKey {
  const secret = Fn.fromBytes(sha256(utf8.decode(`key ${seed}`)));
  const account: Account = {
    network,
    groupKey: BASE.multiply(secret).toBytes(true),
    chainCode: sha256(utf8.decode(`chain code ${seed}`)),
    account: 0,
  };
  return {
    account,
    sign({ sighash, key }) {
      const child = Fn.create(secret + Fn.fromBytes(key.derivation));
      const internal = BASE.multiply(child).toAffine().y % 2n === 0n ? child : Fn.neg(child);
      const tweak = Fn.fromBytes(schnorr.utils.taggedHash('TapTweak', key.internalKey));
      return schnorr.sign(sighash, Fn.toBytes(Fn.create(internal + tweak)), new Uint8Array(32));
    },
  };
}
