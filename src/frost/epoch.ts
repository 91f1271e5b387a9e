/**
 * The public state between two changes of the shares, and the chain of certified records that leads to it
 * (DESIGN section 5). The group key never changes; Y_i = K0 + i*F_e, so one point is an epoch's whole state.
 *
 * A change is certified in two stages. `certifyChange` gives what its party must make durable *before* the message leaves:
 * until then it may forget the change, from then on it keeps the states on both sides of it and asks the others.
 * `completeRecord` makes the record from everybody's certificates; only `advance` by such a record names a new epoch.
 */
import type { Random } from '../crypto/random.ts';
import type { Secret } from '../crypto/secret.ts';
import { type PartyId, type SignerModule, SUITE } from '../crypto/signer.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { type EpochBody, epochBody, epochCertify, epochRecord } from '../protocol/epoch.ts';
import { ensure } from '../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/keygen.ts';
import { taggedHash } from '../protocol/sha256.ts';
import type { KeyRecord } from './keygen.ts';
import { checkVersion, openFrom, signBody, u32Bytes } from './signedBody.ts';
import type { InputToSign } from './signing.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Three = readonly [Uint8Array, Uint8Array, Uint8Array];

export interface Epoch {
  /** The wallet's name between its parties: 32 bytes. */
  readonly wallet: Bytes;
  /** K0, 33 bytes. */
  readonly groupKey: Uint8Array;
  /** e; 0 is what keygen made. */
  readonly number: number;
  /** F_e, 33 bytes. */
  readonly slope: Uint8Array;
  /** Y1, Y2, Y3. */
  readonly verifyingShares: Three;
  /** Hash of the last record's body; the wallet's name before the first. Equal at all parties that are not in doubt. */
  readonly head: Bytes;
  readonly hostKeys: Three;
  /** X25519 statics of device and cosigner. */
  readonly noiseKeys: readonly [Uint8Array, Uint8Array];
  /** X25519 key from the words that are valid now. */
  readonly recoveryKey: Bytes;
}

/** A change that this party has certified and that is not yet complete: public, and all that a restart needs. */
export interface PendingChange {
  readonly id: PartyId;
  readonly session: Bytes;
  readonly body: Bytes;
  /** This party's signature over the body: 64 bytes. */
  readonly certificate: Bytes;
  /** Of a refresh, this party's own ciphertext of 3a; or else empty. */
  readonly sealed: Bytes;
}

const CERTIFY = 'hoarfrost/epoch-certify';

/** The epoch that keygen made. Throws `BadCertificate` if the verifying shares are not on one line through K0. */
export function firstEpoch(signer: SignerModule, record: KeyRecord): Epoch {
  const { groupKey, verifyingShares } = record;
  const slope = signer.sumPointsVar([verifyingShares[0], negated(groupKey)]);
  const line = signer.verifyingSharesVar(groupKey, slope);
  ensure(
    line.every((y, i) => equalVar(y, verifyingShares[i]!)),
    'BadCertificate',
    { detail: 'verifying shares' },
  );
  return {
    wallet: record.wallet,
    groupKey,
    number: 0,
    slope,
    verifyingShares,
    head: record.wallet,
    hostKeys: record.hostKeys,
    noiseKeys: [record.deviceNoiseKey, record.cosignerNoiseKey],
    recoveryKey: record.recoveryEncryptionKey,
  };
}

/** A body that follows `epoch`. */
export function bodyAfter(epoch: Epoch, change: EpochBody['change']): Bytes {
  return encode(epochBody, {
    suite: SUITE,
    version: PROTOCOL_VERSION,
    wallet: epoch.wallet,
    previous: epoch.head,
    epoch: numberAfter(epoch, change),
    change,
  });
}

/**
 * What `body` makes of `epoch`, whoever certified it. Throws `RefreshInvalid` for another wallet, a record that does not
 * follow the last one, another number than the next, or a slope that stands still; `BadIdentifier` for a new holder that is
 * none.
 */
export function epochAfter(signer: SignerModule, epoch: Epoch, body: Bytes): Epoch {
  const said = decode(epochBody, body);
  checkVersion(said);
  const { change } = said;
  ensure(equalVar(said.wallet, epoch.wallet), 'RefreshInvalid', { detail: 'wallet' });
  ensure(equalVar(said.previous, epoch.head), 'RefreshInvalid', { detail: 'previous record' });
  ensure(said.epoch === numberAfter(epoch, change), 'RefreshInvalid', { detail: 'epoch' });
  const head = recordHash(body);
  switch (change.kind) {
    case 'refresh':
      return { ...renewed(signer, epoch, change.slope), head };
    case 'repair': {
      const { target, noiseKey } = change;
      ensure(target === 1 || target === 2, 'BadIdentifier', { detail: 'target' });
      const [device, cosigner] = epoch.noiseKeys;
      const noiseKeys = [target === 1 ? noiseKey : device, target === 2 ? noiseKey : cosigner] as const;
      return { ...epoch, head, hostKeys: hostKeysAfter(epoch, target, change.hostKey), noiseKeys };
    }
    case 'kit': {
      const { slope, hostKey, encryptionKey: recoveryKey } = change;
      ensure(!equalVar(recoveryKey, epoch.recoveryKey), 'BadIdentifier', { detail: 'recovery key not new' });
      const hostKeys = hostKeysAfter(epoch, 3, hostKey);
      return { ...renewed(signer, epoch, slope), head, hostKeys, recoveryKey };
    }
  }
}

function numberAfter({ number }: Epoch, { kind }: EpochBody['change']): number {
  return kind === 'repair' ? number : number + 1;
}

/** Another line through K0: no share of it fits one of the line before. */
function renewed(signer: SignerModule, epoch: Epoch, slope: Bytes): Epoch {
  ensure(!equalVar(slope, epoch.slope), 'RefreshInvalid', { detail: 'slope unchanged' });
  const verifyingShares = signer.verifyingSharesVar(epoch.groupKey, slope);
  return { ...epoch, number: epoch.number + 1, slope, verifyingShares };
}

function hostKeysAfter({ hostKeys }: Epoch, target: PartyId, hostKey: Bytes): Three {
  ensure(!hostKeys.some((old) => equalVar(old, hostKey)), 'BadIdentifier', { detail: 'host key not new' });
  return hostKeys.map((old, i) => (i === target - 1 ? hostKey : old)) as [Bytes, Bytes, Bytes];
}

/** The epoch after a complete record. Throws `RefreshInvalid` as `epochAfter`, `BadCertificate` for a missing or bad signature. */
export function advance(signer: SignerModule, epoch: Epoch, record: Bytes): Epoch {
  const { body, certificates, sealed } = decode(epochRecord, record);
  const { kind } = decode(epochBody, body).change;
  const after = epochAfter(signer, epoch, body);
  const certifiers = certifiersOf(epoch, body);
  ensure(certificates.length === certifiers.length, 'BadCertificate', { detail: 'signatures' });
  ensure(sealed.length === (kind === 'refresh' ? 80 : 0), 'BadEncoding', { detail: 'sealed' });
  for (const [i, { hostKey }] of certifiers.entries())
    ensure(signer.schnorrVerify(hostKey, recordHash(body), certificates[i]!), 'BadCertificate', {
      detail: 'signature',
    });
  return after;
}

/** This party's certificate over a change that it has checked. The caller stores the result before the message leaves. */
export function certifyChange(
  signer: SignerModule,
  host: Secret,
  change: Omit<PendingChange, 'certificate'>,
  random: Random,
): [PendingChange, Bytes] {
  const { id, session, body } = change;
  const certificate = Uint8Array.from(signer.schnorrSign(host, recordHash(body), random(32)));
  const said = encode(epochCertify, { session, id, record: body, certificate });
  return [{ ...change, certificate }, signBody(signer, host, CERTIFY, said, random)];
}

/**
 * The certificate of `from` over the change that we know. Throws, blaming `from`, `RefreshInvalid` (a refresh) or
 * `TranscriptMismatch` (a repair or a kit) if it certified another, and `BadCertificate`.
 */
export function readCertify(
  signer: SignerModule,
  epoch: Epoch,
  change: Pick<PendingChange, 'session' | 'body'>,
  from: PartyId,
  message: Bytes,
): Bytes {
  const { session, body } = change;
  const hostKey = certifiersOf(epoch, body).find(({ id }) => id === from)?.hostKey;
  ensure(hostKey !== undefined, 'BadIdentifier');
  const said = openFrom(signer, message, { id: from, hostKey, session, tag: CERTIFY }, epochCertify);
  const { kind } = decode(epochBody, body).change;
  ensure(equalVar(said.record, body), kind === 'refresh' ? 'RefreshInvalid' : 'TranscriptMismatch', {
    culprit: from,
    detail: 'record',
  });
  ensure(signer.schnorrVerify(hostKey, recordHash(body), said.certificate), 'BadCertificate', {
    culprit: from,
  });
  return said.certificate;
}

/** The record as this party keeps it, from the others' certify messages. `epoch` is the one before the change. */
export function completeRecord(
  signer: SignerModule,
  epoch: Epoch,
  pending: PendingChange,
  messages: readonly { from: PartyId; message: Bytes }[],
): Bytes {
  const certificates = certifiersOf(epoch, pending.body).map(({ id }) => {
    if (id === pending.id) return pending.certificate;
    const message = messages.find(({ from }) => from === id)?.message;
    ensure(message !== undefined, 'Pending', { detail: 'certificate missing' });
    return readCertify(signer, epoch, pending, id, message);
  });
  return encode(epochRecord, { body: pending.body, certificates, sealed: pending.sealed });
}

/**
 * The one message that both sides sign before the old shares go: under K0 itself, which locks no coin, with a tag of its
 * own. Each computes it from the epoch that it is about to trust; an answer that verifies shows that the shares fit.
 */
export function testSignInput(epoch: Epoch): InputToSign {
  return {
    sighash: taggedHash('hoarfrost/test-sign', epoch.wallet, u32Bytes(epoch.number), epoch.head),
    expectedKey: epoch.groupKey.slice(1),
    tweak: { derivation: new Uint8Array(32), path: 'leaf', merkleRoot: new Uint8Array(0) },
  };
}

/** Where 3a belongs: wallet, e, F_e. 69 bytes, a length that no other sealed secret's context has. */
export function recoveryContext(wallet: Bytes, epoch: number, slope: Uint8Array): Bytes {
  return concat(wallet, u32Bytes(epoch), slope);
}

function recordHash(body: Bytes): Bytes {
  return taggedHash('hoarfrost/epoch-record', body);
}

/** A refresh concerns device and cosigner. A new holder certifies under its new key, beside both helpers. */
function certifiersOf(epoch: Epoch, body: Bytes): { id: PartyId; hostKey: Uint8Array }[] {
  const { change } = decode(epochBody, body);
  const { hostKeys } = epoch;
  const [one, two, three] = hostKeys.map((hostKey, i) => ({ id: (i + 1) as PartyId, hostKey }));
  if (change.kind === 'refresh') return [one!, two!];
  const target = change.kind === 'kit' ? 3 : change.target;
  return [one!, two!, three!].map((party) =>
    party.id === target ? { ...party, hostKey: change.hostKey } : party,
  );
}

/** -P of a compressed point: the other parity. */
function negated(point: Uint8Array): Uint8Array {
  const out = Uint8Array.from(point);
  out[0] = out[0]! ^ 1;
  return out;
}
