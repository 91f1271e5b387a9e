/** What comes along to the recovery page in every message of a living wallet: its certificate and its records. */
import type { Account } from '../bitcoin/descriptor.ts';
import type { Secret } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { type Epoch, firstEpoch } from '../frost/epoch.ts';
import { type KeyRecord, verifyCertificate } from '../frost/keygen.ts';
import { followRecords, recoverAtEpoch } from '../frost/records.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import type { OfflineBundle } from '../protocol/offline.ts';

/** A bundle that verified, before any word is typed. */
export interface KnownWallet {
  readonly bundle: OfflineBundle;
  readonly key: KeyRecord;
  readonly account: Account;
  /** By the partner's copy of the records. */
  readonly epoch: Epoch;
}

/** Throws `BadCertificate`, `RefreshInvalid`, or `BadEncoding` for a bundle without the partner's copy. */
export function openBundle(signer: SignerModule, bundle: OfflineBundle): KnownWallet {
  const key = verifyCertificate(signer, bundle.certificate);
  const [partners] = bundle.copies;
  ensure(partners !== undefined, 'BadEncoding', { detail: 'no copy of the records' });
  const epoch = followRecords(signer, key, partners).at(-1) ?? firstEpoch(signer, key);
  const { network, groupKey, chainCode } = key;
  return { bundle, key, account: { network, groupKey, chainCode, account: 0 }, epoch };
}

/**
 * Share 3 where the wallet stands; the caller wipes it. Throws as `recoverAtEpoch`: `BadWords` for the words of another
 * wallet or an older kit, `RecordsCorrupt`; `EpochStale` if only the other party's copy leads anywhere, and elsewhere.
 */
export async function shareFromWords(
  signer: SignerModule,
  encryption: CryptoKey,
  { bundle, epoch }: KnownWallet,
): Promise<Secret> {
  const recovered = await recoverAtEpoch(signer, encryption, bundle.certificate, bundle.copies);
  if (equalVar(recovered.epoch.head, epoch.head)) return recovered.share;
  recovered.share.wipe();
  ensure(false, 'EpochStale', { detail: 'copies of the records part' });
}
