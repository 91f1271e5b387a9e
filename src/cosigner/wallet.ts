/**
 * What is known of a wallet, read from its certificate and nowhere else: whoever writes to the database cannot make a key
 * or a policy that the three parties did not sign.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Account } from '../bitcoin/descriptor.ts';
import { equalVar } from '../crypto/hash.ts';
import { type KeyRecord, verifyCertificate } from '../frost/keygen.ts';
import { decodePolicy, type Policy } from '../policy/document.ts';
import { ensure } from '../protocol/errors.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes, WalletRecord } from './store.ts';

export interface Wallet {
  readonly keys: KeyRecord;
  readonly account: Account;
  /** Y1 of the signing epoch: share 1 proves itself under it. */
  readonly deviceShareKey: Bytes;
  /** What later versions follow (`policies.ts`). */
  readonly firstPolicy: Policy;
}

const CACHED = 1000;

/** Verifies certificates; remembers which bytes were verified, never which wallet. */
export class Wallets {
  readonly #verified = new Map<string, Wallet>();

  /** Throws `BadCertificate` unless this record's certificate is of this very wallet, network and cosigner. */
  read({ signer, identity, network }: Cosigner, record: WalletRecord): Wallet {
    const hash = bytesToHex(sha256(record.certificate));
    let wallet = this.#verified.get(hash);
    if (wallet === undefined) {
      const keys = verifyCertificate(signer, record.certificate);
      wallet = {
        keys,
        account: { network: keys.network, groupKey: keys.groupKey, chainCode: keys.chainCode, account: 0 },
        deviceShareKey: keys.verifyingShares[0],
        firstPolicy: decodePolicy(keys.policy),
      };
      if (this.#verified.size >= CACHED) this.#verified.delete(this.#verified.keys().next().value!);
      this.#verified.set(hash, wallet);
    }
    ensure(
      equalVar(wallet.keys.wallet, record.id) &&
        equalVar(wallet.keys.hostKeys[1], identity.hostKey) &&
        wallet.keys.network === network,
      'BadCertificate',
    );
    return wallet;
  }
}
