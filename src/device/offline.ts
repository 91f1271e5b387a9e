/**
 * Signing with the recovery page in the cosigner's place (DESIGN section 5): a payment while the cosigner is gone, or the
 * drill. The nonces of the one request that is open live in the signer, for an hour at most, through no restart, no lock and
 * no jump of the clock; whatever first answers that request consumes them.
 */
import { encodeMessageSignature, verifyMessage } from '../bitcoin/message.ts';
import { finalize } from '../bitcoin/psbt.ts';
import { type ReadTask, readTask } from '../bitcoin/task.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { offlineRequestHash } from '../frost/proofs.ts';
import { type Attempt, type Committed, commitAll, dropAll, finishAll } from '../frost/signing.ts';
import { equalVar } from '../protocol/bytes.ts';
import { encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { OFFLINE_NONCE_LIFETIME_MS } from '../protocol/limits.ts';
import { type OfflineOf, type OfflineTask, offlineSignBody } from '../protocol/offline.ts';
import { ensureFresh } from './attempt.ts';
import type { Environment } from './environment.ts';
import type { Vault } from './vault.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const RECOVERY = 3;

export interface OfflineParts {
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly vault: Vault;
  readonly wallet: Wallet;
}

/** A drill that was signed and verified: BIP-322, so that anybody can verify it again. */
export interface DrillRecord {
  /** Milliseconds since 1970, as the message names it. */
  readonly at: number;
  readonly message: string;
  readonly address: string;
  readonly signature: string;
}

interface Pending {
  readonly task: OfflineTask;
  readonly read: ReadTask;
  readonly attempt: Attempt;
  readonly committed: Committed;
  /** Y3 of the epoch that the request names. */
  readonly verifyingShare: Uint8Array;
  readonly since: { readonly now: number; readonly monotonic: number };
}

export type OfflineResult =
  | { kind: 'payment'; transaction: Bytes; txid: string }
  | { kind: 'drill'; drill: DrillRecord };

export class OfflineSigning {
  readonly #parts: OfflineParts;
  #pending: Pending | null = null;

  constructor(parts: OfflineParts) {
    this.#parts = parts;
  }

  /** Whether nonces wait for an answer, so that the worker must not be let go. */
  get waiting(): boolean {
    return this.#pending !== null;
  }

  /** A new request ends the one before. Throws what `readTask` throws. */
  async request(task: OfflineTask): Promise<OfflineOf<'sign'>> {
    const { env, signer, vault, wallet } = this.#parts;
    this.drop();
    const { current: epoch, records } = wallet.epochs;
    const read = readTask(task, wallet.account);
    const attempt: Attempt & { attempt: Bytes } = {
      groupKey: epoch.groupKey,
      handshakeHash: env.random(32),
      attempt: env.random(16),
      epoch: epoch.number,
    };
    const share = await vault.share(epoch.number);
    return withSecrets([share], async () => {
      const host = await vault.host();
      return withSecrets([host], () => {
        // Another request may have come while the vault was open.
        this.drop();
        const committed = commitAll(signer, share, attempt, read.inputs, env.random);
        const since = { now: env.now(), monotonic: env.monotonic() };
        const verifyingShare = epoch.verifyingShares[RECOVERY - 1]!;
        this.#pending = { task, read, attempt, committed, verifyingShare, since };
        const body = encode(offlineSignBody, {
          bundle: { certificate: wallet.certificate, copies: [records] },
          epoch: epoch.number,
          attempt: attempt.attempt,
          task,
          commitments: committed.commitments.map((pair) => Uint8Array.from(pair)),
        });
        const signature = signer.schnorrSign(host, offlineRequestHash(body), env.random(32));
        return { kind: 'sign', body, signature: Uint8Array.from(signature) };
      });
    });
  }

  /**
   * The finished signatures, verified under BIP-340. An answer to another request is `WrongSession` and leaves this one as it
   * is; any other consumes the nonces. Throws `NonceConsumed` without a request or with one that is too old, `MessageMismatch` if
   * recovery read something else, `BadShare`.
   */
  async finish(answer: OfflineOf<'signed'>): Promise<OfflineResult> {
    const { signer, vault, wallet } = this.#parts;
    const pending = this.#pending;
    ensure(pending !== null, 'NonceConsumed', { detail: 'no request' });
    ensure(equalVar(answer.attempt, pending.attempt.attempt), 'WrongSession', { detail: 'offline answer' });
    // From here on nobody else answers it, whatever happens while the share is opened.
    this.#pending = null;
    const { read, attempt, committed } = pending;
    try {
      ensureFresh(this.#parts.env, pending.since, OFFLINE_NONCE_LIFETIME_MS);
      const current = attempt.epoch === wallet.epochs.current.number;
      ensure(current, 'NonceConsumed', { detail: 'the shares have changed' });
      ensure(equalVar(answer.digest, read.digest), 'MessageMismatch', { culprit: RECOVERY });
      const { verifyingShare } = pending;
      const peer = { id: RECOVERY, verifyingShare, ...answer } as const;
      const share = await vault.share(attempt.epoch);
      const signatures = withSecrets([share], () =>
        finishAll(signer, DEVICE, share, attempt, read.inputs, committed, peer),
      );
      return resultOf(pending, signatures, wallet);
    } finally {
      dropAll(signer, committed);
    }
  }

  drop(): void {
    if (this.#pending !== null) dropAll(this.#parts.signer, this.#pending.committed);
    this.#pending = null;
  }
}

function resultOf({ task, read }: Pending, signatures: Uint8Array[], wallet: Wallet): OfflineResult {
  if (task.kind === 'payment') {
    const { transaction, txid } = finalize(task.psbt, signatures);
    return { kind: 'payment', transaction, txid };
  }
  ensure(read.effect.kind === 'drill', 'Internal', { detail: 'task' });
  const { at, message, address } = read.effect;
  const signature = encodeMessageSignature(signatures[0]!);
  const verdict = verifyMessage(address, wallet.account.network, message, signature);
  ensure(verdict === 'valid', 'BadSignature', { detail: 'drill' });
  return { kind: 'drill', drill: { at, message, address, signature } };
}
