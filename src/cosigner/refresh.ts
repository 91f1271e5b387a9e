/**
 * The cosigner's side of a new epoch (DESIGN section 5). The rounds live here, in the memory of one connection, and die with
 * it. The device certifies first, so the cosigner is never in doubt: its certificate leaves once new share, record and
 * signing epoch are one committed transaction. What became of a session stays known (records of kind 'refresh'): its answer
 * is given again, and a session that was asked about and never came so far is void for good.
 *
 *   refreshOpen -> refreshReveal -> refreshCertify    then testSign -> refreshDone, which dooms the share before
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { type Secret, withSecrets } from '../crypto/secret.ts';
import { completeRecord, type Epoch, testSignInput } from '../frost/epoch.ts';
import { refreshVoidHash } from '../frost/proofs.ts';
import {
  type AwaitingRefreshReveal,
  dropRefresh,
  finishRefresh,
  openRefresh,
  type RefreshFinished,
  type RenewedShare,
  renewShare,
  revealRefresh,
} from '../frost/refresh.ts';
import { answerAll, checkCommitments } from '../frost/signing.ts';
import { equalVar } from '../protocol/bytes.ts';
import { blob, decode, encode, struct, union } from '../protocol/codec.ts';
import { epochCertify } from '../protocol/epoch.ts';
import { ensure } from '../protocol/errors.ts';
import { signedBody } from '../protocol/keygen.ts';
import { REFRESH_DEADLINE_MS } from '../protocol/limits.ts';
import { type Answer, type AnswerOf, answer, type Request } from '../protocol/messages.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { isBeingReplaced } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { destroyDoomed, doomKey, reserveKey, takeKey } from './epochKeys.ts';
import { keyName } from './keywrap.ts';
import type { Bytes, WalletTx } from './store.ts';
import { recordKey } from './wallet.ts';

/** What became of a session. */
const outcome = union({ certified: struct({ message: blob(20_000) }), void: struct({}) });

/** Sessions that one epoch may leave behind void: each is a refresh whose device lost the answer to its certificate. */
const VOIDS_MAX = 1000;
const HOUR_MS = 3_600_000;
/** The test is about no payment. */
const NO_SPEND: Bytes = new Uint8Array(32);

interface Running {
  readonly wallet: Bytes;
  readonly epoch: Epoch;
  readonly state: AwaitingRefreshReveal;
  /** Ours, until the device's has come. */
  readonly reveal: Bytes;
  /** The device's. */
  revealed: Bytes | null;
  readonly timer: NodeJS.Timeout;
}

type Revealed = Running & { readonly revealed: Bytes };

/** At most one refresh a connection. */
export class Refresh {
  readonly #cosigner: Cosigner;
  #running: Running | undefined;

  constructor(cosigner: Cosigner) {
    this.#cosigner = cosigner;
  }

  /**
   * Starts anew, whatever ran before. Answers our open message. Throws what `revealRefresh` throws; `DeviceBeingReplaced` for a
   * device that could keep its successor out for ever by beginning one epoch after the other under the repair; `TooLarge` for one
   * that has begun so many that their records would keep it out. What follows a repair is always begun.
   */
  async open(wallet: Bytes, message: Bytes): Promise<Bytes> {
    this.drop();
    const { store, wallets, signer, identity, random, limiter } = this.#cosigner;
    const epoch = await store.viewWallet(wallet, async (view) => {
      ensure(!(await isBeingReplaced(this.#cosigner, view)), 'DeviceBeingReplaced');
      const { epochs, epoch } = await wallets.read(this.#cosigner, view);
      // A repair gives a share anew and begins no epoch.
      const isRepaired = epochs.at(-2)?.number === epoch.number;
      ensure(isRepaired || epochs.length <= limiter.limits.refreshes, 'TooLarge', { detail: 'records' });
      return epoch;
    });
    const [opened, own] = await openRefresh(signer, { id: 2, host: identity.host, epoch }, random);
    const [state, reveal] = await revealRefresh(signer, opened, message, random);
    this.drop();
    const timer = setTimeout(() => this.drop(), REFRESH_DEADLINE_MS);
    timer.unref();
    this.#running = { wallet, epoch, state, reveal, revealed: null, timer };
    return own;
  }

  /** Answers our reveal message. What is wrong with the device's shows in `certify`, before anything is stored. */
  async reveal(message: Bytes): Promise<Bytes> {
    const running = this.#running;
    ensure(running !== undefined && running.revealed === null, 'SessionUnknown');
    running.revealed = message;
    return running.reveal;
  }

  /**
   * Durable when this resolves; answers our certify message. Throws what `finishRefresh` and `completeRecord` throw,
   * `EpochStale` if another change came first, `SessionUnknown` for rounds that are gone or void.
   */
  async certify(wallet: Bytes, message: Bytes): Promise<Bytes> {
    const running = this.#take();
    if (running === null) return this.#again(wallet, message);
    const { signer, random } = this.#cosigner;
    const [finished, own] = await this.#end(running, (state, share, revealed) =>
      finishRefresh(signer, state, share, revealed, random),
    );
    await withSecrets([finished.share], () => this.#commit(running, finished, message, own));
    return own;
  }

  /**
   * In the place of a certificate, for a new kit (`repair.ts`): our share of the epoch to come, which begins there or never.
   * The caller wipes it. Throws what `renewShare` throws, `SessionUnknown` without rounds.
   */
  async renew(): Promise<RenewedShare & { readonly epoch: Epoch }> {
    const running = this.#take();
    ensure(running !== null, 'SessionUnknown', { detail: 'refresh' });
    const { signer } = this.#cosigner;
    const renewed = await this.#end(running, (state, share, revealed) =>
      renewShare(signer, state, share, revealed),
    );
    return { ...renewed, epoch: running.epoch };
  }

  /** Forgets everything. */
  drop(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    dropRefresh(running.state);
  }

  /** Rounds are ended once. Null unless both contributions are here. */
  #take(): Revealed | null {
    const running = this.#running;
    if (running === undefined || running.revealed === null) return null;
    this.#running = undefined;
    clearTimeout(running.timer);
    return { ...running, revealed: running.revealed };
  }

  async #end<T>(
    { wallet, epoch, state, revealed }: Revealed,
    end: (state: AwaitingRefreshReveal, share: Secret, revealed: Bytes) => Promise<T>,
  ): Promise<T> {
    const { store, keyWrap } = this.#cosigner;
    let share: Secret;
    try {
      const sealed = await store.viewWallet(wallet, async (view) => {
        ensure(view.wallet.epoch === epoch.number, 'EpochStale');
        return view.sealedShare();
      });
      share = await keyWrap.open(wallet, epoch.number, sealed);
    } catch (e) {
      dropRefresh(state);
      throw e;
    }
    return withSecrets([share], () => end(state, share, revealed));
  }

  #commit(
    { wallet, epoch }: Revealed,
    { pending, share }: RefreshFinished,
    message: Bytes,
    certify: Bytes,
  ): Promise<void> {
    const { signer } = this.#cosigner;
    const record = completeRecord(signer, epoch, pending, [{ from: 1, message }]);
    return beginEpoch(this.#cosigner, { wallet, epoch, share, record, session: pending.session, certify });
  }

  /** To a certify message that comes again: what was answered then. */
  async #again(wallet: Bytes, message: Bytes): Promise<Bytes> {
    const { session } = decode(epochCertify, decode(signedBody, message).body);
    const { store } = this.#cosigner;
    const row = await store.viewWallet(wallet, (view) => view.record('refresh', session));
    const known = row === null ? null : decode(outcome, row);
    ensure(known?.kind === 'certified', 'SessionUnknown');
    return known.message;
  }
}

/** What begins an epoch. */
export interface NewEpoch {
  readonly wallet: Bytes;
  /** The one that it ends. */
  readonly epoch: Epoch;
  /** Ours; borrowed. */
  readonly share: Secret;
  readonly record: Bytes;
  readonly session: Bytes;
  /** Our certify message. */
  readonly certify: Bytes;
}

/**
 * Share, record and signing epoch become durable as one, with whatever `besides` does, or not at all. Throws `EpochStale` if
 * another change came first, `SessionUnknown` for a session that is void, and what `besides` throws.
 */
export async function beginEpoch(
  cosigner: Cosigner,
  { wallet, epoch, share, record, session, certify }: NewEpoch,
  besides: (tx: WalletTx) => Promise<void> = async () => {},
): Promise<void> {
  const { store, wallets, keyWrap, clock, log, metrics } = cosigner;
  const number = epoch.number + 1;
  const name = keyWrap.newName();
  await store.withWallet(wallet, (tx) => reserveKey(tx, name, clock.now()));
  const sealed = await keyWrap.seal(wallet, number, share, name);
  await store.withWallet(wallet, async (tx) => {
    const now = await wallets.read(cosigner, tx);
    ensure(equalVar(now.epoch.head, epoch.head), 'EpochStale');
    await besides(tx);
    await takeKey(tx, name);
    await tx.beginEpoch(number, sealed);
    await tx.putRecord('epoch', recordKey(now), record);
    // First: a void session is looked for among those that are then forgotten.
    await keepOutcome(tx, session, certify);
    await forgetVoids(tx);
  });
  log.info('epoch begun');
  metrics.count('hoarfrost_refreshes_total');
}

/** Our certify message of that session, or from now on never one: `voided`. `RateLimited` after too many of those. */
export async function refreshStatus(
  { store, signer, identity, random }: Cosigner,
  wallet: Bytes,
  session: Bytes,
): Promise<Answer> {
  const known = await store.withWallet(wallet, async (tx) => {
    const row = await tx.record('refresh', session);
    if (row !== null) return decode(outcome, row);
    const voids = (await tx.records('refresh')).filter(({ body }) => decode(outcome, body).kind === 'void');
    ensure(voids.length < VOIDS_MAX, 'RateLimited', { detail: 'void sessions', retryAfterMs: HOUR_MS });
    const never = { kind: 'void' } as const;
    await tx.putRecord('refresh', session, encode(outcome, never));
    return never;
  });
  if (known.kind === 'certified') return { kind: 'party', message: known.message };
  const signature = signer.schnorrSign(identity.host, refreshVoidHash(wallet, session), random(32));
  return { kind: 'voided', signature: Uint8Array.from(signature) };
}

/** With a change of the shares: our certify message of that session, for good. `SessionUnknown` for one that is void. */
export async function keepOutcome(tx: WalletTx, session: Bytes, message: Bytes): Promise<void> {
  ensure((await tx.record('refresh', session)) === null, 'SessionUnknown', { detail: 'void' });
  await tx.putRecord('refresh', session, encode(outcome, { kind: 'certified', message }));
}

/** Rounds that began at the epoch before cannot complete any more, void or not. */
async function forgetVoids(tx: WalletTx): Promise<void> {
  for (const { key, body } of await tx.records('refresh'))
    if (decode(outcome, body).kind === 'void') await tx.deleteRecord('refresh', key);
}

/**
 * Our share of the signature that shows both new shares to fit: kept in the ledger as any other, so that no commitment is
 * ever answered twice. `EpochStale`, `AttemptReused`, `AttemptBurned`, `RateLimited`, `BadEncoding`.
 */
export async function testSign(
  cosigner: Cosigner,
  id: Bytes,
  handshakeHash: Bytes,
  { epoch: number, commitment }: Extract<Request, { kind: 'testSign' }>,
): Promise<Answer> {
  const { store, wallets, keyWrap, signer, random, clock, limiter } = cosigner;
  const request = taggedHash('hoarfrost/test-request', commitment);
  checkCommitments(signer, [commitment]);
  const { epoch, sealed, before } = await store.withWallet(id, async (tx) => {
    const { epoch } = await wallets.read(cosigner, tx);
    ensure(epoch.number === number, 'EpochStale');
    const before = await tx.attempt(request);
    if (before === null) {
      const commitments = [taggedHash('hoarfrost/commitment', commitment)];
      ensure(!(await tx.commitmentsUsed(commitments)), 'AttemptReused');
      // No policy is asked and no receipt given, so nothing else counts them; each row stays as long as the epoch.
      limiter.tests.take(bytesToHex(id));
      await tx.insertAttempt({ request, commitments, spend: NO_SPEND, at: clock.now() });
    }
    return { epoch, sealed: await tx.sealedShare(), before };
  });
  if (before !== null) {
    ensure(before.answer !== null, 'AttemptBurned');
    return decode(answer, before.answer);
  }
  const attempt = { groupKey: epoch.groupKey, handshakeHash, attempt: request.slice(0, 16), epoch: number };
  const peer = { id: 1, commitments: [commitment] } as const;
  const share = await keyWrap.open(id, number, sealed);
  let tested: AnswerOf<'tested'>;
  try {
    const signed = answerAll(signer, 2, share, attempt, [testSignInput(epoch)], peer, random);
    const [own, part] = [signed.commitments[0]!, signed.shares[0]!];
    tested = { kind: 'tested', commitment: Uint8Array.from(own), share: Uint8Array.from(part) };
  } finally {
    share.wipe();
  }
  await store.withWallet(id, async (tx) => {
    ensure(tx.wallet.epoch === number, 'EpochStale');
    await tx.storeAnswer(request, encode(answer, tested));
  });
  return tested;
}

/** Safe to repeat. `EpochStale` for another epoch than the signing one, `BadSignature`. */
export async function refreshDone(
  cosigner: Cosigner,
  id: Bytes,
  { epoch: number, signature }: Extract<Request, { kind: 'refreshDone' }>,
): Promise<Answer> {
  const { store, wallets, signer, clock } = cosigner;
  const doomed = await store.withWallet(id, async (tx) => {
    const { epoch } = await wallets.read(cosigner, tx);
    ensure(epoch.number === number, 'EpochStale');
    const { sighash, expectedKey } = testSignInput(epoch);
    ensure(signer.schnorrVerify(expectedKey, sighash, signature), 'BadSignature', { detail: 'test' });
    const old = await tx.dropOldEpochs();
    for (const sealed of old) await doomKey(tx, keyName(sealed), clock.now());
    return old.length;
  });
  if (doomed > 0) await destroyDoomed(cosigner);
  return { kind: 'retired', epoch: number };
}
