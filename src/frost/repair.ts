/**
 * A lost share from the other two (DESIGN section 5): repairable threshold scheme of Laing-Stinson 2018 (enrolment variant,
 * as ZF's `repair_share_step_1..3`) with t = 2. Helper i splits lambda_i*s_i into a random summand for the other helper and
 * the rest; each adds what it kept to what it got; the new holder adds both sums. A summand is uniform and so says nothing
 * of the share, and the one sum that would need it to say something is sealed to the new holder.
 *
 *   new holder  openRepair -> hello                                       finishRepair -> certificate
 *   helpers     joinRepair -> open   splitRepair -> summand   sumRepair -> sum   approveRepair -> certificate
 *   epoch.ts completeRecord -> the record that puts the new holder's keys in place
 *
 * A refresh follows a new device or cosigner at once. A new kit is made of shares that are new already and have not begun to
 * sign (refresh.ts `renewShare`), so that its one record begins their epoch too, in which the old paper's share fits nothing.
 *
 * The two helpers exchange opens and summands; both sums go to the new holder and, sealed as they are, to the other helper.
 * A helper that saw another new holder than its peer stands in another session. A step that throws has wiped what it held.
 */
import type { Random } from '../crypto/random.ts';
import { openSealed, sealTo } from '../crypto/seal.ts';
import { Secret, withSecrets } from '../crypto/secret.ts';
import { type PartyId, type SignerModule, SUITE } from '../crypto/signer.ts';
import { importX25519, x25519PublicKey } from '../crypto/x25519.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import type { EpochBody } from '../protocol/epoch.ts';
import { ensure } from '../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/keygen.ts';
import { type RepairHello, repairDelta, repairHello, repairOpen, repairSum } from '../protocol/repair.ts';
import { taggedHash } from '../protocol/sha256.ts';
import {
  bodyAfter,
  certifyChange,
  type Epoch,
  epochAfter,
  type PendingChange,
  readCertify,
} from './epoch.ts';
import { checkVersion, delimited, openBody, openFrom, signBody } from './signedBody.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** The new holder of share `id` and the keys that shall stand for it. */
export interface RepairTarget {
  readonly id: PartyId;
  /** BIP-340 host key. */
  readonly host: Secret;
  /** X25519: one-time for device and cosigner, from the words for recovery. */
  readonly encryption: { readonly privateKey: CryptoKey; readonly publicKey: Bytes };
  /** Noise static; empty for recovery. */
  readonly noiseKey: Bytes;
  /** 32 bytes that name the ceremony. */
  readonly ceremony: Bytes;
}

export interface RepairHelper {
  readonly id: PartyId;
  readonly host: Secret;
  /** By this helper's own (for recovery: its partner's, verified) chain of records. */
  readonly epoch: Epoch;
  readonly ceremony: Bytes;
  /**
   * Which share is made, and the new holder's host key as this helper itself learnt it: scanned, pinned by the pairing
   * link, or shown on its own screen; never as the other helper claims it, or that one would get the share.
   */
  readonly target: RepairTargetKey;
}

export type RepairTargetKey =
  | { readonly id: 1 | 2; readonly hostKey: Bytes }
  /** `slope`: F of the epoch that the new kit begins, as this helper itself knows it from the refresh. */
  | { readonly id: 3; readonly hostKey: Bytes; readonly slope: Bytes };

export interface AwaitingSums {
  readonly self: RepairTarget;
  readonly hello: Bytes;
}

export interface AwaitingRepairOpen {
  readonly self: RepairHelper;
  readonly hello: Bytes;
  readonly body: Bytes;
  /** X25519, for this repair only. */
  readonly encryption: CryptoKey;
}

export interface AwaitingDelta extends AwaitingRepairOpen {
  readonly session: Bytes;
  readonly kept: Secret;
  /** Recovery's share, sealed to itself; empty from the others. */
  readonly recovery: Bytes[];
}

export interface AwaitingRepairCertify extends Omit<AwaitingDelta, 'kept'> {
  readonly sum: Bytes;
}

/** What the new holder must make durable before its certify message leaves. */
export interface RepairFinished {
  readonly pending: PendingChange;
  /** The repaired share; the caller's to store and wipe. */
  readonly share: Secret;
  readonly next: Epoch;
}

const HELLO = 'hoarfrost/repair-hello';
const OPEN = 'hoarfrost/repair-open';
const DELTA = 'hoarfrost/repair-delta';
const SUM = 'hoarfrost/repair-sum';
const NO_SLOPE: Bytes = new Uint8Array(0);

/** The two that are left. */
export function helpersOf(target: PartyId): [PartyId, PartyId] {
  return ([1, 2, 3] as const).filter((id) => id !== target) as [PartyId, PartyId];
}

/** New holder, step 1. Nothing is stored. */
export function openRepair(signer: SignerModule, self: RepairTarget, random: Random): [AwaitingSums, Bytes] {
  const hello = encode(repairHello, {
    suite: SUITE,
    version: PROTOCOL_VERSION,
    ceremony: self.ceremony,
    target: self.id,
    hostKey: signer.publicKey(self.host).slice(1) as Bytes,
    encryptionKey: self.encryption.publicKey,
    noiseKey: self.noiseKey,
    random: random(32),
  });
  return [{ self, hello }, signBody(signer, self.host, HELLO, hello, random)];
}

/** Helper, step 1. `BadSignature` if the hello is not from the new holder that this helper was shown. */
export async function joinRepair(
  signer: SignerModule,
  self: RepairHelper,
  message: Bytes,
  random: Random,
): Promise<[AwaitingRepairOpen, Bytes]> {
  const { id, epoch, ceremony, target } = self;
  ensure(helpersOf(target.id).includes(id), 'BadIdentifier', { detail: 'helper' });
  const hello = openBody(signer, message, target.hostKey, HELLO);
  readHello(hello, target, ceremony);
  const oneTime = Secret.own(random(32));
  const encryption = await withSecrets([oneTime], () => importX25519(oneTime));
  const body = encode(repairOpen, {
    suite: SUITE,
    version: PROTOCOL_VERSION,
    epoch: epoch.number,
    previous: epoch.head,
    ceremony,
    id,
    slope: slopeOf(target),
    hello: helloHash(hello),
    encryptionKey: await x25519PublicKey(encryption),
  });
  return [{ self, hello, body, encryption }, signBody(signer, self.host, OPEN, body, random)];
}

/**
 * Helper, step 2. `share` is borrowed: for a new kit, of the epoch to come. Nothing is stored: what is split dies with the
 * ceremony.
 */
export async function splitRepair(
  signer: SignerModule,
  state: AwaitingRepairOpen,
  share: Secret,
  message: Bytes,
  random: Random,
): Promise<[AwaitingDelta, Bytes]> {
  const { self, hello, body } = state;
  const { id, epoch, target } = self;
  const peer = peerOf(self);
  const theirs = openBody(signer, message, epoch.hostKeys[peer - 1]!, OPEN);
  const { encryptionKey, slope } = readOpen(theirs, peer, self, hello);
  ensure(equalVar(slope, slopeOf(target)), 'RefreshInvalid', { detail: 'slopes differ' });
  const session = sessionOf(hello, id < peer ? [body, theirs] : [theirs, body]);
  const randomness = random(32);
  const { kept, sent } = signer.repairSplit({ id, helper: peer, target: target.id, share, randomness });
  randomness.fill(0);
  try {
    const sealed = await seal(encryptionKey, sent, session, id, peer, random);
    const recovery = id === 3 ? [await seal(epoch.recoveryKey, share, session, 3, 3, random)] : [];
    const delta = encode(repairDelta, { session, id, sealed });
    const reply = signBody(signer, self.host, DELTA, delta, random);
    return [{ ...state, session, kept, recovery }, reply];
  } catch (e) {
    kept.wipe();
    throw e;
  } finally {
    sent.wipe();
  }
}

/** Helper, step 3: its sum, sealed to the new holder. Sent to the other helper too, which needs it for the record. */
export async function sumRepair(
  signer: SignerModule,
  state: AwaitingDelta,
  message: Bytes,
  random: Random,
): Promise<[AwaitingRepairCertify, Bytes]> {
  const { kept, ...rest } = state;
  const secrets = [kept];
  try {
    const { self, session, recovery } = state;
    const { id, epoch, host, target } = self;
    const peer = peerOf(self);
    const sender = { id: peer, hostKey: epoch.hostKeys[peer - 1]!, session, tag: DELTA };
    const { sealed } = openFrom(signer, message, sender, repairDelta);
    const got = await openSealed(state.encryption, sealed, sealContext(session, peer, id));
    secrets.push(got);
    const total = signer.sumSecrets([kept, got]);
    secrets.push(total);
    const { encryptionKey } = decode(repairHello, state.hello);
    const sum = encode(repairSum, {
      session,
      id,
      sealed: await seal(encryptionKey, total, session, id, target.id, random),
      recovery,
    });
    const reply = signBody(signer, host, SUM, sum, random);
    return [{ ...rest, sum: reply }, reply];
  } finally {
    for (const secret of secrets) secret.wipe();
  }
}

/**
 * New holder, step 2: the share. `epoch` is from the certificate and chain that it was given, which `advance` has verified;
 * opens and sums are the helpers', in id order. The caller makes the result durable before the message leaves.
 * Throws `RepairedShareMismatch` if the sums are not the lost share, or for a new kit not that of the epoch to come (one of
 * the helpers lied, which one is not shown), `TranscriptMismatch` if a helper saw another hello, `RefreshInvalid` if the two
 * stand for different epochs to come, `EpochStale`, `WrongSession`, `WrongContext`.
 */
export async function finishRepair(
  signer: SignerModule,
  state: AwaitingSums,
  epoch: Epoch,
  opens: readonly Bytes[],
  sums: readonly Bytes[],
  random: Random,
): Promise<[RepairFinished, Bytes]> {
  const { self, hello } = state;
  const { id, ceremony } = self;
  const helpers = helpersOf(id);
  ensure(opens.length === 2 && sums.length === 2, 'BadEncoding', { detail: 'two helpers' });
  const slopes: Bytes[] = [];
  const bodies = opens.map((message, i) => {
    const helper = helpers[i]!;
    const body = openBody(signer, message, epoch.hostKeys[helper - 1]!, OPEN);
    slopes.push(readOpen(body, helper, { epoch, ceremony }, hello).slope);
    return body;
  });
  const [slope, other] = slopes as [Bytes, Bytes];
  ensure(equalVar(slope, other), 'RefreshInvalid', { detail: 'slopes differ' });
  const session = sessionOf(hello, bodies);
  const said = readSums(signer, epoch, session, helpers, sums);
  const body = recordBody(epoch, session, hello, slope, said);
  const next = epochAfter(signer, epoch, body);
  const opened: Secret[] = [];
  try {
    for (const [i, { sealed }] of said.entries())
      opened.push(
        await openSealed(self.encryption.privateKey, sealed, sealContext(session, helpers[i]!, id)),
      );
    const share = signer.repairFinish({
      sums: opened as [Secret, Secret],
      verifyingShare: next.verifyingShares[id - 1]!,
    });
    try {
      const change = { id, session, body, sealed: new Uint8Array(0) };
      const [pending, reply] = certifyChange(signer, self.host, change, random);
      return [{ pending, share, next }, reply];
    } catch (e) {
      share.wipe();
      throw e;
    }
  } finally {
    for (const secret of opened) secret.wipe();
  }
}

/**
 * Helper, step 4, once the new holder has certified that it holds the share. The caller stores the pending change before the
 * message leaves, keeps its share, and takes up the new keys only with the complete record.
 */
export function approveRepair(
  signer: SignerModule,
  state: AwaitingRepairCertify,
  sums: readonly Bytes[],
  certify: Bytes,
  random: Random,
): [PendingChange, Bytes] {
  const { self, session, hello } = state;
  const { id, epoch, host, target } = self;
  const helpers = helpersOf(target.id);
  ensure(sums.length === 2 && equalVar(sums[helpers.indexOf(id)]!, state.sum), 'WrongSession', {
    detail: 'own sum altered',
  });
  const said = readSums(signer, epoch, session, helpers, sums);
  const body = recordBody(epoch, session, hello, slopeOf(target), said);
  epochAfter(signer, epoch, body);
  readCertify(signer, epoch, { session, body }, target.id, certify);
  return certifyChange(signer, host, { id, session, body, sealed: new Uint8Array(0) }, random);
}

/** For a repair that ends between `splitRepair` and `sumRepair`. */
export function dropRepair(state: AwaitingDelta): void {
  state.kept.wipe();
}

/** Share 3 as the record of a repair or kit that `advance` has verified holds it. Throws `WrongContext` for another key or an altered ciphertext. */
export async function openRepairedRecovery(
  signer: SignerModule,
  encryption: CryptoKey,
  change: Exclude<EpochBody['change'], { kind: 'refresh' }>,
): Promise<Secret> {
  const parts: Secret[] = [];
  const [sealed, senders] =
    change.kind === 'kit' ? [change.sums, helpersOf(3)] : [[change.recovery], [3 as const]];
  try {
    for (const [i, each] of sealed.entries())
      parts.push(await openSealed(encryption, each, sealContext(change.session, senders[i]!, 3)));
    return signer.sumSecrets(parts);
  } finally {
    for (const part of parts) part.wipe();
  }
}

function slopeOf(target: RepairTargetKey): Bytes {
  return target.id === 3 ? target.slope : NO_SLOPE;
}

function readHello(hello: Bytes, target: { id: PartyId; hostKey: Bytes }, ceremony: Bytes): void {
  const said = decode(repairHello, hello);
  checkVersion(said);
  ensure(equalVar(said.ceremony, ceremony), 'WrongSession', { detail: 'ceremony' });
  ensure(said.target === target.id, 'BadIdentifier', { detail: 'target' });
  ensure(equalVar(said.hostKey, target.hostKey), 'BadSignature', { detail: 'host key' });
  ensure(said.noiseKey.length === (target.id === 3 ? 0 : 32), 'BadEncoding', { detail: 'noise key' });
}

function readOpen(
  body: Bytes,
  from: PartyId,
  { epoch, ceremony }: { epoch: Epoch; ceremony: Bytes },
  hello: Bytes,
): { encryptionKey: Bytes; slope: Bytes } {
  const said = decode(repairOpen, body);
  checkVersion(said);
  ensure(said.id === from, 'BadIdentifier', { culprit: from });
  ensure(equalVar(said.ceremony, ceremony), 'WrongSession', { culprit: from, detail: 'ceremony' });
  // Either side may be the stale one, so nobody is blamed.
  ensure(said.epoch === epoch.number && equalVar(said.previous, epoch.head), 'EpochStale');
  ensure(equalVar(said.hello, helloHash(hello)), 'TranscriptMismatch', { detail: 'new holder' });
  return said;
}

function readSums(
  signer: SignerModule,
  epoch: Epoch,
  session: Bytes,
  helpers: readonly PartyId[],
  sums: readonly Bytes[],
) {
  return helpers.map((id, i) => {
    const sender = { id, hostKey: epoch.hostKeys[id - 1]!, session, tag: SUM };
    const said = openFrom(signer, sums[i]!, sender, repairSum);
    ensure(said.recovery.length === (id === 3 ? 1 : 0), 'BadEncoding', { culprit: id, detail: 'recovery' });
    return said;
  });
}

/** The same bytes at all three. */
function recordBody(
  epoch: Epoch,
  session: Bytes,
  hello: Bytes,
  slope: Bytes,
  said: readonly { sealed: Bytes; recovery: Bytes[] }[],
): Bytes {
  const { target, hostKey, encryptionKey, noiseKey }: RepairHello = decode(repairHello, hello);
  const made = { session, hostKey, encryptionKey };
  if (target === 3) {
    return bodyAfter(epoch, { kind: 'kit', ...made, slope, sums: said.map(({ sealed }) => sealed) });
  }
  const [recovery] = said.flatMap((each) => each.recovery);
  return bodyAfter(epoch, { kind: 'repair', ...made, target, noiseKey, recovery: recovery! });
}

function peerOf({ id, target }: RepairHelper): PartyId {
  return helpersOf(target.id).find((other) => other !== id)!;
}

function helloHash(hello: Bytes): Bytes {
  return taggedHash(HELLO, hello);
}

/** The ceremony stands in all three bodies. */
function sessionOf(hello: Bytes, opens: readonly Bytes[]): Bytes {
  return taggedHash('hoarfrost/repair-session', ...[hello, ...opens].map(delimited));
}

function sealContext(session: Bytes, from: PartyId, to: PartyId): Bytes {
  return concat(session, Uint8Array.of(from, to));
}

async function seal(
  key: Bytes,
  secret: Secret,
  session: Bytes,
  from: PartyId,
  to: PartyId,
  random: Random,
): Promise<Bytes> {
  return sealTo(key, secret, sealContext(session, from, to), Secret.own(random(32)));
}
