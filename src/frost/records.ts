/**
 * Recovery's way back to share 3 at the present epoch (DESIGN section 5): from the words' key, the certificate and the
 * records that its partner and, if need be, the third party kept. Device and cosigner each sealed every 3a themselves, so a
 * poisoned copy harms only the pairing with the one who poisoned it, and there the other's copy helps.
 */
import { openSealed } from '../crypto/seal.ts';
import type { Secret } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { x25519PublicKey } from '../crypto/x25519.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { epochBody, epochRecord } from '../protocol/epoch.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { advance, type Epoch, firstEpoch, recoveryContext } from './epoch.ts';
import { type KeyRecord, recoverShare, verifyCertificate } from './keygen.ts';
import { openRepairedRecovery } from './repair.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** All records that one party kept, oldest first. */
export type RecordCopy = readonly Bytes[];

export interface RecoveredShare {
  readonly share: Secret;
  readonly epoch: Epoch;
}

/** The state after each record, oldest first. Throws what `firstEpoch` and `advance` throw. */
export function followRecords(signer: SignerModule, key: KeyRecord, copy: RecordCopy): Epoch[] {
  let epoch = firstEpoch(signer, key);
  return copy.map((record) => (epoch = advance(signer, epoch, record)));
}

/**
 * Share 3 at the last epoch of the partner's records, or of the first copy that leads anywhere; `s3*G = K0 + 3*F_e` holds
 * after every step. `copies`: the partner's first. Throws `BadWords` if a copy that verifies is sealed to other words,
 * such as a new kit's, and no other copy helps; `RecordsCorrupt` if no copy or mixture of copies leads to a share that fits.
 */
export async function recoverAtEpoch(
  signer: SignerModule,
  encryption: CryptoKey,
  certificate: Bytes,
  copies: readonly RecordCopy[],
): Promise<RecoveredShare> {
  const key = verifyCertificate(signer, certificate);
  const ownKey = await x25519PublicKey(encryption);
  const causes: HoarfrostError[] = [];
  for (const copy of copies) {
    try {
      const epochs = followRecords(signer, key, copy);
      const epoch = epochs.at(-1) ?? firstEpoch(signer, key);
      ensure(equalVar(ownKey, epoch.recoveryKey), 'BadWords', { detail: 'not the kit of this epoch' });
      return { share: await walk(signer, encryption, certificate, copy, epochs, copies), epoch };
    } catch (e) {
      if (!isHoarfrostError(e)) throw e;
      causes.push(e);
    }
  }
  const replaced = causes.find((cause) => cause.code === 'BadWords');
  throw replaced ?? new HoarfrostError('RecordsCorrupt', { cause: causes[0] });
}

/** From the last record that holds share 3 itself, or else from keygen, through every refresh after it. */
async function walk(
  signer: SignerModule,
  encryption: CryptoKey,
  certificate: Bytes,
  copy: RecordCopy,
  epochs: readonly Epoch[],
  copies: readonly RecordCopy[],
): Promise<Secret> {
  const bodies = copy.map((record) => decode(epochRecord, record).body);
  const changes = bodies.map((body) => decode(epochBody, body).change);
  const base = changes.findLastIndex(({ kind }) => kind !== 'refresh');
  const made = changes[base];
  let share =
    made === undefined || made.kind === 'refresh'
      ? (await recoverShare(signer, encryption, certificate)).share
      : await openRepairedRecovery(signer, encryption, made);
  try {
    if (made !== undefined) ensureFits(signer, share, epochs[base]!);
    for (let i = base + 1; i < copy.length; i++) {
      const sealed = copies.flatMap((each) => sealedFor(bodies[i]!, each[i]));
      const next = await firstThatFits(signer, encryption, share, epochs[i]!, sealed);
      share.wipe();
      share = next;
    }
    return share;
  } catch (e) {
    share.wipe();
    throw e;
  }
}

/** share + 3a by the first ciphertext that opens to the right 3a. Throws `RecordsCorrupt`. */
async function firstThatFits(
  signer: SignerModule,
  encryption: CryptoKey,
  share: Secret,
  epoch: Epoch,
  sealed: readonly Bytes[],
): Promise<Secret> {
  const context = recoveryContext(epoch.wallet, epoch.number, epoch.slope);
  for (const ciphertext of sealed) {
    const secrets: Secret[] = [];
    try {
      secrets.push(await openSealed(encryption, ciphertext, context));
      const sum = signer.sumSecrets([share, secrets[0]!]);
      secrets.push(sum);
      ensureFits(signer, sum, epoch);
      secrets.pop();
      return sum;
    } catch (e) {
      if (!isHoarfrostError(e)) throw e;
    } finally {
      for (const secret of secrets) secret.wipe();
    }
  }
  throw new HoarfrostError('RecordsCorrupt', { detail: `epoch ${epoch.number}` });
}

function ensureFits(signer: SignerModule, share: Secret, epoch: Epoch): void {
  ensure(equalVar(signer.publicKey(share), epoch.verifyingShares[2]), 'RecordsCorrupt', {
    detail: `epoch ${epoch.number}`,
  });
}

/** The ciphertext of a record that says the same; a copy may be shorter, longer or broken. */
function sealedFor(body: Bytes, record: Bytes | undefined): Bytes[] {
  try {
    const other = record === undefined ? undefined : decode(epochRecord, record);
    return other !== undefined && equalVar(other.body, body) ? [other.sealed] : [];
  } catch {
    return [];
  }
}
