/**
 * A new epoch (DESIGN section 5): device and cosigner add g(x) = a*x to the polynomial of the shares. Herzberg et al. 1995
 * with t = 2: a = a1 + a2, each chosen under commitment before either is revealed, so that neither chooses a. Both run the
 * same steps, `(state, peer's message) -> [new state, own message]`:
 *
 *   openRefresh -> commitment   revealRefresh -> contribution, sealed to the peer   finishRefresh -> certificate
 *   epoch.ts completeRecord -> the record that names the epoch
 *
 * With a new kit the rounds end in `renewShare` instead: share 3 of that epoch is made of both new shares (repair.ts), and
 * its record begins the epoch.
 *
 * Nothing need be stored before `finishRefresh`: a party that dies earlier has changed nothing, and the old epoch signs.
 * A step that throws has wiped what it held; the caller's old share is borrowed and never touched.
 */
import type { Random } from '../crypto/random.ts';
import { openSealed, sealTo } from '../crypto/seal.ts';
import { Secret, withSecrets } from '../crypto/secret.ts';
import { type SignerModule, SUITE } from '../crypto/signer.ts';
import { importX25519, x25519PublicKey } from '../crypto/x25519.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/keygen.ts';
import { refreshOpen, refreshReveal } from '../protocol/refresh.ts';
import { taggedHash } from '../protocol/sha256.ts';
import {
  bodyAfter,
  certifyChange,
  type Epoch,
  epochAfter,
  type PendingChange,
  recoveryContext,
} from './epoch.ts';
import { checkVersion, delimited, openBody, openFrom, signBody } from './signedBody.ts';

type Bytes = Uint8Array<ArrayBuffer>;
export type RefreshParty = 1 | 2;

export interface RefreshSelf {
  readonly id: RefreshParty;
  /** BIP-340 host key; the caller's. */
  readonly host: Secret;
  /** The epoch to leave, by this party's own chain of records. */
  readonly epoch: Epoch;
}

export interface AwaitingRefreshOpen {
  readonly self: RefreshSelf;
  readonly body: Bytes;
  /** X25519, for this refresh only. */
  readonly encryption: CryptoKey;
  /** a_i. */
  readonly contribution: Secret;
  /** a_i*G. */
  readonly coefficient: Bytes;
}

export interface AwaitingRefreshReveal extends AwaitingRefreshOpen {
  readonly session: Bytes;
  /** The peer's. */
  readonly commitment: Bytes;
}

/** What must be durable before the certify message leaves. */
export interface RefreshFinished {
  readonly pending: PendingChange;
  /** The new share; the caller's to store and wipe. */
  readonly share: Secret;
  /** The epoch that the complete record will name. */
  readonly next: Epoch;
}

/** Of an epoch that a new kit begins; the share is the caller's to wipe. */
export interface RenewedShare {
  readonly share: Secret;
  /** F of that epoch. */
  readonly slope: Bytes;
}

const THRESHOLD = 2;
const OPEN = 'hoarfrost/refresh-open';
const REVEAL = 'hoarfrost/refresh-reveal';

/** Message 1. Refused by the caller while an earlier change is in doubt or the peer's head differs. */
export async function openRefresh(
  signer: SignerModule,
  self: RefreshSelf,
  random: Random,
): Promise<[AwaitingRefreshOpen, Bytes]> {
  const { epoch, id } = self;
  const oneTime = Secret.own(random(32));
  const contribution = Secret.own(random(32));
  return orWipe([contribution], async () => {
    const encryption = await withSecrets([oneTime], () => importX25519(oneTime));
    const coefficient = Uint8Array.from(signer.publicKey(contribution));
    const body = encode(refreshOpen, {
      suite: SUITE,
      version: PROTOCOL_VERSION,
      threshold: THRESHOLD,
      wallet: epoch.wallet,
      epoch: epoch.number + 1,
      previous: epoch.head,
      id,
      encryptionKey: await x25519PublicKey(encryption),
      commitment: commitmentTo(epoch.head, id, coefficient),
    });
    const message = signBody(signer, self.host, OPEN, body, random);
    return [{ self, body, encryption, contribution, coefficient }, message];
  });
}

/** Message 2, once the peer is bound to its own contribution. Throws `RefreshInvalid` for another threshold or epoch. */
export async function revealRefresh(
  signer: SignerModule,
  state: AwaitingRefreshOpen,
  message: Bytes,
  random: Random,
): Promise<[AwaitingRefreshReveal, Bytes]> {
  return orWipe([state.contribution], async () => {
    const { self, body, contribution, coefficient } = state;
    const { epoch, id } = self;
    const peer = peerOf(self);
    const theirs = openBody(signer, message, peer.hostKey, OPEN);
    const said = decode(refreshOpen, theirs);
    checkVersion(said);
    ensure(said.id === peer.id, 'BadIdentifier', { culprit: peer.id });
    ensure(said.threshold === THRESHOLD, 'RefreshInvalid', { culprit: peer.id, detail: 'threshold' });
    ensure(equalVar(said.wallet, epoch.wallet), 'RefreshInvalid', { culprit: peer.id, detail: 'wallet' });
    // Either side may be the stale one, so nobody is blamed.
    ensure(said.epoch === epoch.number + 1, 'RefreshInvalid', { detail: 'stale epoch' });
    ensure(equalVar(said.previous, epoch.head), 'RefreshInvalid', { detail: 'heads differ' });
    const session = taggedHash(
      'hoarfrost/refresh-session',
      ...(id === 1 ? [body, theirs] : [theirs, body]).map(delimited),
    );
    const ephemeral = Secret.own(random(32));
    const sealed = await sealTo(
      said.encryptionKey,
      contribution,
      concat(session, Uint8Array.of(id, peer.id)),
      ephemeral,
    );
    const reveal = encode(refreshReveal, {
      session,
      id,
      coefficients: [new Uint8Array(0), coefficient],
      contribution: sealed,
    });
    const reply = signBody(signer, self.host, REVEAL, reveal, random);
    return [{ ...state, session, commitment: said.commitment }, reply];
  });
}

/**
 * Message 3: the new share, the record's body and this party's own ciphertext for recovery; a is gone when it returns.
 * The caller makes all of it durable, beside the old share, before the message leaves. Before that it may drop it; after, it
 * keeps both epochs and asks, and begins no other refresh.
 * Throws `RefreshInvalid` (blaming the peer where its signed words prove it), `WrongSession`, `WrongContext`; `BadShare`
 * without blame if `share` is not this epoch's.
 */
export async function finishRefresh(
  signer: SignerModule,
  state: AwaitingRefreshReveal,
  share: Secret,
  message: Bytes,
  random: Random,
): Promise<[RefreshFinished, Bytes]> {
  const { self, session } = state;
  const { epoch, id, host } = self;
  const { share: made, slope, recoveryDelta } = await renew(signer, state, share, message);
  return orWipe([made], () =>
    withSecrets([recoveryDelta], async (): Promise<[RefreshFinished, Bytes]> => {
      const body = bodyAfter(epoch, { kind: 'refresh', slope });
      const next = epochAfter(signer, epoch, body);
      const ephemeral = Secret.own(random(32));
      const context = recoveryContext(next.wallet, next.number, next.slope);
      const sealed = await sealTo(next.recoveryKey, recoveryDelta, context, ephemeral);
      const [pending, reply] = certifyChange(signer, host, { id, session, body, sealed }, random);
      return [{ pending, share: made, next }, reply];
    }),
  );
}

/**
 * In the place of message 3, for a new kit: nothing is sealed to recovery, whose share of that epoch is made anew, and nothing
 * has begun yet. Throws as `finishRefresh`.
 */
export async function renewShare(
  signer: SignerModule,
  state: AwaitingRefreshReveal,
  share: Secret,
  message: Bytes,
): Promise<RenewedShare> {
  const { recoveryDelta, ...renewed } = await renew(signer, state, share, message);
  recoveryDelta.wipe();
  return renewed;
}

/** For a refresh that ends before `finishRefresh`. */
export function dropRefresh(state: AwaitingRefreshOpen): void {
  state.contribution.wipe();
}

/** a is gone when it returns. */
async function renew(
  signer: SignerModule,
  state: AwaitingRefreshReveal,
  share: Secret,
  message: Bytes,
): Promise<RenewedShare & { recoveryDelta: Secret }> {
  const { contribution, self } = state;
  const { id, epoch } = self;
  return withSecrets([contribution], async () => {
    const theirs = await readReveal(signer, state, message);
    return withSecrets([theirs], async () => {
      const { delta, recoveryDelta, slope: grown } = slopeOf(signer, [contribution, theirs]);
      return withSecrets([delta], () =>
        orWipe([recoveryDelta], async () => {
          const slope = Uint8Array.from(signer.sumPointsVar([epoch.slope, grown]));
          const made = signer.refreshShare({ id, share, delta });
          return orWipe([made.share], async () => {
            const fits = signer.verifyingSharesVar(epoch.groupKey, slope)[id - 1]!;
            ensure(equalVar(made.verifyingShare, fits), 'BadShare', { detail: 'own share' });
            return { share: made.share, slope, recoveryDelta };
          });
        }),
      );
    });
  });
}

/** a_j, as committed. */
async function readReveal(
  signer: SignerModule,
  state: AwaitingRefreshReveal,
  message: Bytes,
): Promise<Secret> {
  const { self, session } = state;
  const peer = peerOf(self);
  const culprit = peer.id;
  const said = openFrom(signer, message, { ...peer, session, tag: REVEAL }, refreshReveal);
  ensure(said.coefficients.length === THRESHOLD, 'RefreshInvalid', { culprit, detail: 'threshold' });
  const [constant, coefficient] = said.coefficients as [Bytes, Bytes];
  ensure(constant.length === 0, 'RefreshInvalid', { culprit, detail: 'constant term' });
  ensure(equalVar(commitmentTo(self.epoch.head, peer.id, coefficient), state.commitment), 'RefreshInvalid', {
    culprit,
    detail: 'commitment',
  });
  const context = concat(session, Uint8Array.of(peer.id, self.id));
  const contribution = await openSealed(state.encryption, said.contribution, context);
  return orWipe([contribution], async () => {
    ensure(equalVar(publicKeyOf(signer, contribution), coefficient), 'RefreshInvalid', {
      culprit,
      detail: 'contribution',
    });
    return contribution;
  });
}

/** No bytes for a scalar that has no point, such as zero: it fits no coefficient. */
function publicKeyOf(signer: SignerModule, secret: Secret): Uint8Array {
  try {
    return signer.publicKey(secret);
  } catch {
    return new Uint8Array(1);
  }
}

/** a = a1 + a2; a sum of zero would leave every share as it was. */
function slopeOf(signer: SignerModule, contributions: readonly [Secret, Secret]) {
  try {
    return signer.refreshDelta(contributions);
  } catch (cause) {
    throw new HoarfrostError('RefreshInvalid', { detail: 'zero slope', cause });
  }
}

function peerOf({ id, epoch }: RefreshSelf): { id: RefreshParty; hostKey: Uint8Array } {
  return id === 1 ? { id: 2, hostKey: epoch.hostKeys[1] } : { id: 1, hostKey: epoch.hostKeys[0] };
}

/** Of the point and not of the scalar: only public data passes through ordinary hashing. */
function commitmentTo(previous: Bytes, id: RefreshParty, coefficient: Uint8Array): Bytes {
  return taggedHash('hoarfrost/refresh-commitment', previous, Uint8Array.of(id), coefficient);
}

async function orWipe<T>(secrets: readonly Secret[], step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (e) {
    for (const secret of secrets) secret.wipe();
    throw e;
  }
}
