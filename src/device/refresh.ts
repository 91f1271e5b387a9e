/**
 * A new epoch from the device's side (DESIGN section 5): on schedule while unlocked, after a repair, or on demand. Every
 * step that must outlive the worker is in `Epochs` before the message behind it leaves, so a run that ends anywhere is taken
 * up by the next connection: a doubt is settled first, then shares that are untested are tested, then a new epoch begins if
 * it is due. The three messages of the rounds go over one connection, and die with it.
 */
import { type Secret, withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { type Epoch, epochAfter, testSignInput } from '../frost/epoch.ts';
import { refreshVoidHash } from '../frost/proofs.ts';
import {
  type AwaitingRefreshOpen,
  type AwaitingRefreshReveal,
  dropRefresh,
  finishRefresh,
  openRefresh,
  revealRefresh,
} from '../frost/refresh.ts';
import { commitAll, dropAll, finishAll } from '../frost/signing.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { epochBody } from '../protocol/epoch.ts';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import type { AnswerOf } from '../protocol/messages.ts';
import type { Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { Environment } from './environment.ts';
import type { Epochs } from './epochs.ts';
import type { Vault } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const COSIGNER = 2;
export const REFRESH_EVERY_MS = 30 * 86_400_000;

export interface RefreshParts {
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly vault: Vault;
  readonly epochs: Epochs;
  readonly channel: Pick<Channel, 'connection'>;
}

/**
 * `EpochStale`: the cosigner has moved on without us. `HeadsDiffer`: its records are not ours. `NotEnrolled`: it knows no such
 * device, be it that another has taken its place, and to a stranger it tells of no records.
 */
export type HeadsAlert = Extract<ErrorCode, 'EpochStale' | 'HeadsDiffer' | 'NotEnrolled'>;

/** What the cosigner's hello says of its chain of records, against ours. Null if nothing is wrong. */
export function compareHeads(
  signer: SignerModule,
  { current, doubt }: Pick<Epochs, 'current' | 'doubt'>,
  { enrolled, epoch, head }: Pick<AnswerOf<'hello'>, 'enrolled' | 'epoch' | 'head'>,
): HeadsAlert | null {
  if (!enrolled) return 'NotEnrolled';
  if (equalVar(head, current.head)) return null;
  // It has completed what we do not know the end of.
  if (doubt !== null && equalVar(head, epochAfter(signer, current, doubt.body).head)) return null;
  return epoch > current.number ? 'EpochStale' : 'HeadsDiffer';
}

/**
 * Runs `work` in the epoch that signs, which nothing changes meanwhile. While a change is in doubt the cosigner is asked
 * first. Throws what `settle` and `work` throw.
 */
export async function inSigningEpoch<T>(
  parts: Omit<RefreshParts, 'vault'>,
  work: (epoch: Epoch) => Promise<T>,
): Promise<T> {
  const { epochs, channel } = parts;
  for (;;) {
    if (epochs.inTwoEpochs) await epochs.alone(async () => settle(parts, await channel.connection()));
    const done = await epochs.shared(async () =>
      epochs.inTwoEpochs ? null : { value: await work(epochs.current) },
    );
    if (done !== null) return done.value;
  }
}

/**
 * Asks what became of the change that is in doubt, and acts on it. Throws what `completeRecord` throws, or `BadSignature`
 * for a void statement that is not the cosigner's: then the doubt stays.
 */
export async function settle(
  { env, signer, epochs }: Omit<RefreshParts, 'vault' | 'channel'>,
  connection: Connection,
): Promise<void> {
  if (epochs.doubt === null) return;
  const { session, body } = epochs.doubt;
  const { change } = decode(epochBody, body);
  // Who is asked is not the one that would know: `moving.ts` asks the new one.
  ensure(change.kind !== 'repair' || change.target !== COSIGNER, 'Pending', { detail: 'another cosigner' });
  const answer = await connection.request({ kind: 'refreshStatus', session }, 'party', 'voided');
  if (answer.kind === 'party' && change.kind !== 'refresh') {
    // The new holder's certificate is in the record alone.
    const { records } = await connection.request({ kind: 'records' }, 'records');
    const record = records[epochs.records.length];
    ensure(record !== undefined, 'Pending', { detail: 'record' });
    await epochs.append(record, env.now());
    return;
  }
  if (answer.kind === 'party') {
    await epochs.complete([{ from: COSIGNER, message: answer.message }], env.now());
    return;
  }
  const { wallet, hostKeys } = epochs.current;
  const said = signer.schnorrVerify(
    hostKeys[COSIGNER - 1]!,
    refreshVoidHash(wallet, session),
    answer.signature,
  );
  ensure(said, 'BadSignature', { detail: 'void' });
  await epochs.forget();
}

/**
 * The rounds of an epoch to come, up to both contributions; what `end` makes of them is the caller's. `share` is the old one,
 * and borrowed.
 */
export async function refreshRounds<T>(
  { env, signer, vault }: Pick<RefreshParts, 'env' | 'signer' | 'vault'>,
  epoch: Epoch,
  connection: Connection,
  end: (state: AwaitingRefreshReveal, share: Secret, theirs: Bytes) => Promise<T>,
): Promise<T> {
  const { random } = env;
  const secrets: Secret[] = [await vault.host()];
  let state: AwaitingRefreshOpen | undefined;
  try {
    const [opened, open] = await openRefresh(signer, { id: DEVICE, host: secrets[0]!, epoch }, random);
    state = opened;
    const theirs = await connection.request({ kind: 'refreshOpen', message: open }, 'party');
    const [revealed, reveal] = await revealRefresh(signer, opened, theirs.message, random);
    state = revealed;
    const answer = await connection.request({ kind: 'refreshReveal', message: reveal }, 'party');
    const share = await vault.share(epoch.number);
    secrets.push(share);
    return await end(revealed, share, answer.message);
  } finally {
    if (state !== undefined) dropRefresh(state);
    for (const secret of secrets) secret.wipe();
  }
}

export class Refresher {
  readonly #parts: RefreshParts;
  /** Milliseconds since 1970. */
  readonly #bornAt: number;
  readonly #onChange: () => void;
  #alert: HeadsAlert | null = null;
  #error: ErrorCode | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: RefreshParts, bornAt: number, onChange: () => void) {
    this.#parts = parts;
    this.#bornAt = bornAt;
    this.#onChange = onChange;
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  get alert(): HeadsAlert | null {
    return this.#alert;
  }

  /** Why the last run ended early, or null. */
  get error(): ErrorCode | null {
    return this.#error;
  }

  /** When the next refresh is due by itself, milliseconds since 1970: after a repair, at once. */
  get dueAt(): number {
    const { last } = this.#parts.epochs;
    if (last?.kind === 'repair') return last.at;
    return (last?.at ?? this.#bornAt) + REFRESH_EVERY_MS;
  }

  /** At every new connection: where the cosigner stands, and on with what is unfinished or due. */
  greeted(hello: AnswerOf<'hello'>): void {
    const { signer, epochs } = this.#parts;
    this.#alert = compareHeads(signer, epochs, hello);
    void this.tend();
  }

  /** On with what is unfinished, and a new epoch if it is due. Never rejects: `error` says why it ended. */
  async tend(): Promise<void> {
    if (this.#running !== null) return this.#running.catch(() => {});
    const due = () => this.#alert === null && this.#parts.env.now() >= this.dueAt;
    const { epochs } = this.#parts;
    if (this.#stopped) return;
    if (epochs.doubt !== null || epochs.untested || due()) await this.#run(due).catch(() => {});
  }

  /** A new epoch now. Throws `HeadsDiffer`, `EpochStale` or `NotEnrolled`, and whatever keeps a run from its end. */
  async refresh(): Promise<void> {
    const { epochs } = this.#parts;
    const before = epochs.current.number;
    while (this.#running !== null) await this.#running.catch(() => {});
    ensure(!this.#stopped, 'Locked');
    // What ran may have been on its way to the same.
    if (epochs.current.number === before || epochs.untested) await this.#run(() => true);
  }

  /** From here on nothing begins; what runs ends with the channel. */
  stop(): void {
    this.#stopped = true;
  }

  #run(wanted: () => boolean): Promise<void> {
    const run = async () => {
      try {
        await this.#parts.epochs.alone(() => this.#goOn(wanted));
        this.#error = null;
      } catch (e) {
        this.#error = isHoarfrostError(e) ? e.code : 'Internal';
        throw e;
      } finally {
        this.#running = null;
        if (!this.#stopped) this.#onChange();
      }
    };
    const running = run();
    this.#running = running;
    this.#onChange();
    return running;
  }

  async #goOn(wanted: () => boolean): Promise<void> {
    const { epochs, channel } = this.#parts;
    const connection = await channel.connection();
    await settle(this.#parts, connection);
    if (epochs.untested) await this.#test(connection);
    if (!wanted()) return;
    if (this.#alert !== null) throw new HoarfrostError(this.#alert, { detail: 'refresh' });
    await this.#begin(connection);
    await this.#test(connection);
  }

  /** In the next epoch when it resolves. If it rejects, in the one before, or in doubt. */
  async #begin(connection: Connection): Promise<void> {
    const { env, signer, vault, epochs } = this.#parts;
    const [finished, message] = await refreshRounds(
      this.#parts,
      epochs.current,
      connection,
      (state, old, theirs) => finishRefresh(signer, state, old, theirs, env.random),
    );
    try {
      const share = await vault.sealShare(finished.next.number, finished.share, env.random);
      await epochs.keep(finished.pending, share);
    } finally {
      finished.share.wipe();
    }
    let answer: AnswerOf<'party'>;
    try {
      answer = await connection.request({ kind: 'refreshCertify', message }, 'party');
    } catch (e) {
      // It said no, or nothing. If it still speaks it can say which for good.
      if (connection.usable) await settle({ env, signer, epochs }, connection);
      throw e;
    }
    await epochs.complete([{ from: COSIGNER, message: answer.message }], env.now());
  }

  /** Shows that both new shares fit; then the ones before are destroyed, the cosigner's first. Safe to repeat. */
  async #test(connection: Connection): Promise<void> {
    const { env, signer, vault, epochs } = this.#parts;
    const epoch = epochs.current;
    const { number } = epoch;
    const inputs = [testSignInput(epoch)];
    const { handshakeHash } = connection;
    const attempt = { groupKey: epoch.groupKey, handshakeHash, attempt: env.random(16), epoch: number };
    const withShare = async <T>(use: (share: Secret) => T): Promise<T> => {
      const share = await vault.share(number);
      return withSecrets([share], () => use(share));
    };
    const own = await withShare((share) => commitAll(signer, share, attempt, inputs, env.random));
    let signature: Bytes;
    try {
      const commitment = Uint8Array.from(own.commitments[0]!);
      const tested = await connection.request({ kind: 'testSign', epoch: number, commitment }, 'tested');
      const verifyingShare = epoch.verifyingShares[COSIGNER - 1]!;
      const peer = {
        id: COSIGNER,
        verifyingShare,
        commitments: [tested.commitment],
        shares: [tested.share],
      } as const;
      const finish = (share: Secret) => finishAll(signer, DEVICE, share, attempt, inputs, own, peer);
      signature = Uint8Array.from((await withShare(finish))[0]!);
    } finally {
      dropAll(signer, own);
    }
    await connection.request({ kind: 'refreshDone', epoch: number, signature }, 'retired');
    await epochs.retire();
  }
}
