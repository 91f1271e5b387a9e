/**
 * What is known of a wallet, read from its certificate and the certified records after it, and nowhere else: whoever writes
 * to the database cannot make a key, a policy or an epoch that the parties did not sign.
 *
 * A record of kind 'epoch' is one `epochRecord` of protocol/epoch, as this cosigner keeps it, under its place in the chain
 * (`recordKey`). The wallet's row names the signing epoch; both change in one transaction, or the wallet does not open.
 */

import { bytesToHex } from '@noble/hashes/utils.js';
import type { Account } from '../bitcoin/descriptor.ts';
import { type Epoch, firstEpoch } from '../frost/epoch.ts';
import { type KeyRecord, verifyCertificate } from '../frost/keygen.ts';
import { followRecords } from '../frost/records.ts';
import { decodePolicy, type Policy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import type { Cosigner } from './cosigner.ts';
import { type Bytes, numberKey, type WalletRecord, type WalletView } from './store.ts';

export interface Wallet {
  /** As keygen made them: only what never changes is read from here. */
  readonly keys: KeyRecord;
  readonly account: Account;
  /** The state after keygen and after each record, oldest first. */
  readonly epochs: readonly Epoch[];
  /** The last of them: whose keys and shares hold now. */
  readonly epoch: Epoch;
  /** What later versions follow (`policies.ts`). */
  readonly firstPolicy: Policy;
}

const CACHED = 1000;

interface Verified {
  readonly certificate: Bytes;
  readonly records: readonly Bytes[];
  readonly wallet: Wallet;
}

/** Verifies certificates and records. What was verified counts for the very same bytes alone: a row that changed is verified again. */
export class Wallets {
  readonly #verified = new Map<string, Verified>();

  /**
   * Throws `BadCertificate` unless the certificate is of this very wallet and network, and this cosigner holds its share by
   * the last record; `RecordsCorrupt` unless the records lead to the epoch that the row names.
   */
  async read(cosigner: Cosigner, view: WalletView): Promise<Wallet> {
    const records = (await view.records('epoch')).map(({ body }) => body);
    return this.follow(cosigner, view.wallet, records);
  }

  /** `read`, from records that the caller has. */
  follow({ signer, identity, network }: Cosigner, record: WalletRecord, records: readonly Bytes[]): Wallet {
    const { certificate } = record;
    const name = bytesToHex(record.id);
    const known = this.#verified.get(name);
    let wallet = known?.wallet;
    if (
      wallet === undefined ||
      !sameBytes([known!.certificate, ...known!.records], [certificate, ...records])
    ) {
      wallet = walletOf(signer, certificate, records);
      this.#verified.delete(name);
      if (this.#verified.size >= CACHED) this.#verified.delete(this.#verified.keys().next().value!);
      this.#verified.set(name, { certificate, records, wallet });
    }
    const { keys, epoch } = wallet;
    ensure(
      equalVar(keys.wallet, record.id) &&
        equalVar(epoch.hostKeys[1], identity.hostKey) &&
        keys.network === network,
      'BadCertificate',
    );
    ensure(epoch.number === record.epoch, 'RecordsCorrupt', { detail: `epoch ${record.epoch}` });
    return wallet;
  }
}

function sameBytes(a: readonly Bytes[], b: readonly Bytes[]): boolean {
  return a.length === b.length && a.every((part, i) => Buffer.compare(part, b[i]!) === 0);
}

function walletOf(signer: Cosigner['signer'], certificate: Bytes, records: readonly Bytes[]): Wallet {
  const keys = verifyCertificate(signer, certificate);
  const epochs = [firstEpoch(signer, keys), ...followRecords(signer, keys, records)];
  return {
    keys,
    account: { network: keys.network, groupKey: keys.groupKey, chainCode: keys.chainCode, account: 0 },
    epochs,
    epoch: epochs.at(-1)!,
    firstPolicy: decodePolicy(keys.policy),
  };
}

/** x(Y1): share 1 of that epoch proves itself under it. */
export function deviceShareKey({ verifyingShares }: Epoch): Uint8Array {
  return verifyingShares[0].subarray(1);
}

/** Where the next record of this wallet goes. */
export function recordKey({ epochs }: Wallet): Bytes {
  return numberKey(epochs.length);
}
