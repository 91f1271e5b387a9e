/**
 * Recovery's part when device and recovery sign alone (DESIGN section 5): a payment without the cosigner, or the drill. Two
 * messages: the device's with its commitments, recovery's with its own and its signature shares. Recovery's nonces are made,
 * used and gone within one call of the signer, so nothing of them can outlive a reload, and the same request answered twice
 * is two unrelated answers, of which the device can use one.
 */
import { type ReadTask, readTask } from '../bitcoin/task.ts';
import type { Random } from '../crypto/random.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { offlineRequestHash } from '../frost/proofs.ts';
import { answerAll, checkCommitments } from '../frost/signing.ts';
import { decode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { type OfflineOf, type OfflineSignBody, offlineSignBody } from '../protocol/offline.ts';
import { type KnownWallet, openBundle, shareFromWords } from './bundle.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const RECOVERY = 3;

/** A request that is the device's own and says what it does: what is shown before a word is typed. */
export interface OpenedRequest {
  readonly wallet: KnownWallet;
  readonly body: OfflineSignBody;
  readonly read: ReadTask;
  readonly hash: Bytes;
}

/**
 * Throws `BadSignature` unless the device of the wallet's present epoch signed this request, `EpochStale` if it signs with
 * another epoch's share, `AttemptReused` or `BadEncoding` for its commitments, and what `openBundle` and `readTask` throw.
 */
export function openRequest(signer: SignerModule, message: OfflineOf<'sign'>): OpenedRequest {
  const body = decode(offlineSignBody, message.body);
  const wallet = openBundle(signer, body.bundle);
  const hash = offlineRequestHash(message.body);
  const hostKey = wallet.epoch.hostKeys[DEVICE - 1]!;
  ensure(signer.schnorrVerify(hostKey, hash, message.signature), 'BadSignature', { detail: 'request' });
  ensure(body.epoch === wallet.epoch.number, 'EpochStale', { culprit: DEVICE });
  const read = readTask(body.task, wallet.account);
  ensure(body.commitments.length === read.inputs.length, 'BadEncoding', {
    detail: 'one commitment pair an input',
    culprit: DEVICE,
  });
  checkCommitments(signer, body.commitments);
  return { wallet, body, read, hash };
}

/** The answer, by the words' encryption key. Throws `BadWords`, `RecordsCorrupt`, `EpochStale`. */
export async function answerRequest(
  signer: SignerModule,
  encryption: CryptoKey,
  { wallet, body, read, hash }: OpenedRequest,
  random: Random,
): Promise<OfflineOf<'signed'>> {
  const { attempt, commitments } = body;
  const { groupKey, number: epoch } = wallet.epoch;
  const share = await shareFromWords(signer, encryption, wallet);
  const answer = withSecrets([share], () =>
    answerAll(
      signer,
      RECOVERY,
      share,
      { groupKey, handshakeHash: hash, attempt, epoch },
      read.inputs,
      { id: DEVICE, commitments },
      random,
    ),
  );
  return {
    kind: 'signed',
    attempt,
    digest: read.digest,
    commitments: answer.commitments.map((pair) => Uint8Array.from(pair)),
    shares: answer.shares.map((share) => Uint8Array.from(share)),
  };
}
