/**
 * One attempt at signing (DESIGN section 3): commit in the signer, ask, compare what the cosigner read with what was
 * shown, check its shares, finish. The nonces live in the signer, survive a reconnect of this worker for a while, and are
 * consumed by the first answer.
 */
import { hex } from '@scure/base';
import { finalize, parsePsbt } from '../bitcoin/psbt.ts';
import { sighashes } from '../bitcoin/sighash.ts';
import { type Secret, withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import type { Epoch } from '../frost/epoch.ts';
import { signProofHash } from '../frost/proofs.ts';
import { commitAll, dropAll, finishAll } from '../frost/signing.ts';
import { equalVar } from '../protocol/bytes.ts';
import { encode } from '../protocol/codec.ts';
import { type ErrorCode, ensure, isHoarfrostError } from '../protocol/errors.ts';
import { NONCE_LIFETIME_MS } from '../protocol/limits.ts';
import { type AnswerOf, type Receipt, signBody, type WireVerdict } from '../protocol/messages.ts';
import type { Channel } from './channel.ts';
import type { Environment } from './environment.ts';
import { followReceipts, readReceipt } from './receipts.ts';
import { inSigningEpoch } from './refresh.ts';
import type { Vault } from './vault.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const COSIGNER = 2;
/** Wall clock and monotonic clock may part by this much; by more, the nonces are given up. */
const CLOCK_JUMP_MS = 5_000;

export interface SigningParts {
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly vault: Vault;
  readonly wallet: Wallet;
  readonly channel: Channel;
}

/** What is to be signed, as it was shown. */
export interface Shown {
  readonly psbt: Bytes;
  /** Our own digest of what the PSBT does. */
  readonly digest: Bytes;
  /** Display hex of the txid, the same before and after signing. */
  readonly txid: string;
}

export type Outcome =
  | { kind: 'signed'; transaction: Bytes; verdict: WireVerdict }
  | { kind: 'undecided'; verdict: WireVerdict }
  | { kind: 'refused'; verdict: WireVerdict };

/** Codes after which the very same thing may succeed a moment later. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CosignerUnreachable',
  'ChannelClosed',
  'DeadlineExceeded',
  'RateLimited',
  'ChainUnavailable',
  'StoreUnavailable',
]);

export function mayPass(e: unknown): boolean {
  return isHoarfrostError(e) && PASSING.has(e.code);
}

/**
 * `onAttempt` runs after the commitments are made and before they leave: what it throws ends the attempt unsent. Throws
 * `AttemptBurned` or `NonceConsumed` where a fresh attempt is due, `MessageMismatch` if the cosigner read another payment.
 */
export function attemptToSign(
  parts: SigningParts,
  shown: Shown,
  onAttempt: (attempt: Bytes) => Promise<void>,
): Promise<Outcome> {
  const { env, signer, wallet, channel } = parts;
  const { epochs } = wallet;
  return inSigningEpoch({ env, signer, epochs, channel }, (epoch) =>
    attemptIn(epoch, parts, shown, onAttempt),
  );
}

async function attemptIn(
  epoch: Epoch,
  parts: SigningParts,
  shown: Shown,
  onAttempt: (attempt: Bytes) => Promise<void>,
): Promise<Outcome> {
  const { env, signer, vault, wallet, channel } = parts;
  const { groupKey, number } = epoch;
  const inputs = sighashes(parsePsbt(shown.psbt), wallet.account);
  const { handshakeHash, ledger } = await channel.connection();
  const attempt = { groupKey, handshakeHash, attempt: env.random(16), epoch: number };
  const committed = await withShare(vault, number, (share) =>
    commitAll(signer, share, attempt, inputs, env.random),
  );
  try {
    const since = { now: env.now(), monotonic: env.monotonic() };
    await onAttempt(attempt.attempt);
    const body = encode(signBody, {
      attempt: attempt.attempt,
      epoch: number,
      ledger,
      psbt: shown.psbt,
      commitments: committed.commitments.map((c) => Uint8Array.from(c)),
    });
    const answer = await ask(parts, number, body, since);
    const verdict = await judge(parts, shown, answer);
    if (answer.kind === 'deferred') return { kind: 'undecided', verdict };
    if (answer.kind === 'refused') return { kind: 'refused', verdict };
    const peer = {
      id: COSIGNER,
      verifyingShare: epoch.verifyingShares[COSIGNER - 1]!,
      commitments: answer.commitments,
      shares: answer.shares,
    } as const;
    const signatures = await withShare(vault, number, (share) =>
      finishAll(signer, DEVICE, share, attempt, inputs, committed, peer),
    );
    const { transaction, txid } = finalize(shown.psbt, signatures);
    ensure(txid === shown.txid, 'Internal', { detail: 'txid' });
    return { kind: 'signed', transaction: Uint8Array.from(transaction), verdict };
  } finally {
    dropAll(signer, committed);
  }
}

/** The share is in the clear for one synchronous call of the signer at a time, never across a wait. */
async function withShare<T>(vault: Vault, epoch: number, use: (share: Secret) => T): Promise<T> {
  const share = await vault.share(epoch);
  return withSecrets([share], () => use(share));
}

type SignAnswer = AnswerOf<'signed' | 'deferred' | 'refused'>;

/** Asks; over a broken connection once more with the same nonces, as long as they may live. */
async function ask(
  { env, signer, vault, channel }: SigningParts,
  epoch: number,
  body: Bytes,
  since: { now: number; monotonic: number },
): Promise<SignAnswer> {
  for (let failures = 0; ; failures++) {
    try {
      const connection = await channel.connection();
      ensureFresh(env, since, NONCE_LIFETIME_MS);
      const proof = await withShare(vault, epoch, (share) =>
        Uint8Array.from(
          signer.schnorrSign(share, signProofHash(connection.handshakeHash, body), env.random(32)),
        ),
      );
      return await connection
        .request({ kind: 'sign', body, proof }, 'signed', 'deferred', 'refused')
        .catch((e) => {
          // After a restore the cosigner has another ledger, and a new hello names it.
          if (isHoarfrostError(e) && e.code === 'AttemptBurned') connection.retire();
          throw e;
        });
    } catch (e) {
      if (!mayPass(e)) throw e;
      await channel.pause(e, failures);
      ensureFresh(env, since, NONCE_LIFETIME_MS);
    }
  }
}

/** Nonces die of age, and of a clock that jumped: the machine may have slept, or been restored from a snapshot. */
export function ensureFresh(
  env: Environment,
  since: { readonly now: number; readonly monotonic: number },
  lifetimeMs: number,
): void {
  const age = env.monotonic() - since.monotonic;
  const jump = Math.abs(env.now() - since.now - age);
  ensure(age < lifetimeMs && jump < CLOCK_JUMP_MS, 'NonceConsumed', { detail: 'too old' });
}

/** The cosigner's reading against ours, and its receipt, before any share is looked at. */
async function judge(parts: SigningParts, shown: Shown, answer: SignAnswer): Promise<WireVerdict> {
  if (answer.kind !== 'deferred') {
    ensure(equalVar(answer.digest, shown.digest), 'MessageMismatch', { culprit: COSIGNER });
  }
  const { signer, wallet } = parts;
  const receipt = readReceipt(signer, answer.receipt, wallet.cosigner.hostKey, wallet.key.wallet);
  ensure(equalVar(receipt.spend, hex.decode(shown.txid)), 'MessageMismatch', {
    detail: 'receipt',
    culprit: COSIGNER,
  });
  const expected: Record<SignAnswer['kind'], WireVerdict['kind']> = {
    signed: 'signs',
    deferred: 'waits',
    refused: 'refuses',
  };
  ensure(receipt.verdict.kind === expected[answer.kind], 'MessageMismatch', {
    detail: 'receipt verdict',
    culprit: COSIGNER,
  });
  await follow(parts, answer.receipt);
  return receipt.verdict as WireVerdict;
}

/**
 * Follows the chain to `receipt`, fetching what answers were lost in between. A chain that breaks is remembered and
 * shown; it blocks no payment, or a cosigner restored from a backup would lock the wallet.
 */
async function follow({ signer, wallet, channel }: SigningParts, receipt: Receipt) {
  if (wallet.receiptsBroken) return;
  const chain = {
    signer,
    hostKey: wallet.cosigner.hostKey,
    wallet: wallet.key.wallet,
    fetch: async (from: number) =>
      (await (await channel.connection()).request({ kind: 'receipts', from }, 'receipts')).receipts,
  };
  try {
    await wallet.keepReceipts(await followReceipts(chain, wallet.receiptHead, receipt));
  } catch (e) {
    if (mayPass(e)) return;
    if (isHoarfrostError(e) && e.code !== 'Locked') await wallet.breakReceipts();
    else throw e;
  }
}
