/**
 * The life of three shares in one process: who holds what, and honest runs of refresh and repair that a test may spoil on
 * the way. A party here is what a room makes durable, and no more.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { vi } from 'vitest';
import type { Random } from '../../src/crypto/random.ts';
import { Secret, withSecrets } from '../../src/crypto/secret.ts';
import type { PartyId, SignerModule } from '../../src/crypto/signer.ts';
import { importX25519, x25519PublicKey } from '../../src/crypto/x25519.ts';
import { advance, completeRecord, type Epoch, firstEpoch, testSignInput } from '../../src/frost/epoch.ts';
import type { KeygenSelf } from '../../src/frost/keygen.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import * as refresh from '../../src/frost/refresh.ts';
import * as repair from '../../src/frost/repair.ts';
import { signBody } from '../../src/frost/signedBody.ts';
import { answerAll, commitAll, finishAll, type InputToSign } from '../../src/frost/signing.ts';
import { type Codec, decode, encode } from '../../src/protocol/codec.ts';
import { signedBody } from '../../src/protocol/keygen.ts';
import { type Born, runKeygen, seededRandom } from './parties.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface Holder {
  readonly id: PartyId;
  readonly host: Secret;
  readonly share: Secret;
}

/** All three after keygen or any change. Copies of records: device's, cosigner's. */
export interface Life {
  readonly born: Born;
  readonly epoch: Epoch;
  readonly holders: readonly [Holder, Holder, Holder];
  /** From the words that are valid now. */
  readonly words: KeygenSelf['encryption'];
  readonly records: { readonly 1: readonly Bytes[]; readonly 2: readonly Bytes[] };
}

/** What a test changes: a message as it is delivered. */
export type Spoil<Kind extends string> = Partial<
  Record<Kind, (message: Bytes, from: PartyId, to: PartyId) => Bytes>
>;

/** Every secret that comes to be while `step` runs, whatever made it; the caller looks which are left. */
export async function secretsOf<T>(step: () => Promise<T>): Promise<{ result: T | unknown; left: Secret[] }> {
  const made: Secret[] = [];
  const record = (secret: Secret) => (made.push(secret), secret);
  const { own, take } = Secret;
  const spies = [
    vi.spyOn(Secret, 'own').mockImplementation((bytes) => record(own(bytes))),
    vi.spyOn(Secret, 'take').mockImplementation((bytes) => record(take(bytes))),
  ];
  try {
    const result = await step().catch((error: unknown) => error);
    return { result, left: made.filter(({ wiped }) => !wiped) };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A message as its sender itself might have signed it: a malicious party, not a broken wire. */
export function forged<T>(
  signer: SignerModule,
  holders: readonly { host: Secret }[],
  tag: string,
  codec: Codec<T>,
  change: (said: T) => T,
) {
  return (message: Bytes, from: PartyId): Bytes => {
    const body = encode(codec, change(decode(codec, decode(signedBody, message).body)));
    return signBody(signer, holders[from - 1]!.host, tag, body, seededRandom('forged'));
  };
}

/** The secret as a number: in tests alone, to try what a thief would. */
export function numberOf(secret: Secret): bigint {
  return BigInt(`0x${hex.encode(secret.expose())}`);
}

/** f(0) from two points of a line. */
export function interpolate(a: { id: PartyId; share: bigint }, b: { id: PartyId; share: bigint }): bigint {
  const { Fn } = secp256k1.Point;
  const lambda = (i: number, j: number) => Fn.div(BigInt(j), Fn.create(BigInt(j - i)));
  return Fn.add(Fn.mul(lambda(a.id, b.id), a.share), Fn.mul(lambda(b.id, a.id), b.share));
}

/** Whether the secret behind K0 is `key`. */
export function opens(groupKey: Uint8Array, key: bigint): boolean {
  return hex.encode(secp256k1.Point.BASE.multiply(key).toBytes(true)) === hex.encode(groupKey);
}

/** Share 3 as the person with the words gets it, from the device's copy of the records and then the cosigner's. */
export async function recovered(signer: SignerModule, life: Life): Promise<Secret> {
  const copies = [life.records[1], life.records[2]];
  return (await recoverAtEpoch(signer, life.words.privateKey, life.born.certificate, copies)).share;
}

export async function begin(
  signer: SignerModule,
  random: Random,
  recovery?: Pick<KeygenSelf, 'host' | 'encryption'>,
): Promise<Life> {
  const born = await runKeygen(signer, random, {}, recovery);
  const holders = born.finished.map(({ self, result }) => ({
    id: self.id,
    host: self.host,
    share: result.share,
  }));
  return {
    born,
    epoch: firstEpoch(signer, born.record),
    holders: holders as unknown as [Holder, Holder, Holder],
    words: born.selves[2]!.encryption,
    records: { 1: [], 2: [] },
  };
}

/** Both parties' side of a refresh, up to their certify messages. */
export function refreshBoth(
  signer: SignerModule,
  life: Pick<Life, 'epoch' | 'holders'>,
  random: Random,
  spoil: Spoil<'open' | 'reveal'> = {},
  epochs: readonly [Epoch, Epoch] = [life.epoch, life.epoch],
) {
  return endedBoth(signer, life, random, spoil, epochs, (state, share, message) =>
    refresh.finishRefresh(signer, state, share, message, random),
  );
}

/** Both parties' shares of an epoch that a new kit is to begin. */
export function renewBoth(signer: SignerModule, life: Pick<Life, 'epoch' | 'holders'>, random: Random) {
  return endedBoth(signer, life, random, {}, [life.epoch, life.epoch], (state, share, message) =>
    refresh.renewShare(signer, state, share, message),
  );
}

async function endedBoth<T>(
  signer: SignerModule,
  life: Pick<Life, 'epoch' | 'holders'>,
  random: Random,
  spoil: Spoil<'open' | 'reveal'>,
  epochs: readonly [Epoch, Epoch],
  end: (state: refresh.AwaitingRefreshReveal, share: Secret, message: Bytes) => Promise<T>,
): Promise<[T, T]> {
  const sides = ([1, 2] as const).map((id) => ({
    id,
    host: life.holders[id - 1]!.host,
    epoch: epochs[id - 1]!,
  }));
  const seen = (kind: 'open' | 'reveal', messages: Bytes[], to: 1 | 2) => {
    const from = to === 1 ? 2 : 1;
    return spoil[kind]?.(messages[from - 1]!, from, to) ?? messages[from - 1]!;
  };
  const opened = [];
  for (const self of sides) opened.push(await refresh.openRefresh(signer, self, random));
  const opens = opened.map(([, m]) => m);
  const revealed = [];
  for (const [i, [state]] of opened.entries())
    revealed.push(await refresh.revealRefresh(signer, state, seen('open', opens, sides[i]!.id), random));
  const reveals = revealed.map(([, m]) => m);
  const finished = [];
  for (const [i, [state]] of revealed.entries()) {
    const message = seen('reveal', reveals, sides[i]!.id);
    finished.push(await end(state, life.holders[i]!.share, message));
  }
  return finished as [T, T];
}

/** One whole refresh: both certify, each keeps its own record, recovery follows. */
export async function refreshed(signer: SignerModule, life: Life, random: Random): Promise<Life> {
  const [[device, fromDevice], [cosigner, fromCosigner]] = await refreshBoth(signer, life, random);
  const kept = completeRecord(signer, life.epoch, device.pending, [{ from: 2, message: fromCosigner }]);
  const theirs = completeRecord(signer, life.epoch, cosigner.pending, [{ from: 1, message: fromDevice }]);
  const next: Life = {
    ...life,
    epoch: advance(signer, life.epoch, kept),
    records: { 1: [...life.records[1], kept], 2: [...life.records[2], theirs] },
  };
  const [one, two, three] = life.holders;
  const holders = [
    { ...one, share: device.share },
    { ...two, share: cosigner.share },
    { ...three, share: await recovered(signer, next) },
  ] as const;
  return { ...next, holders };
}

export async function newHolder(
  id: PartyId,
  random: Random,
  ceremony: Bytes,
  host: Secret = Secret.own(random(32)),
): Promise<repair.RepairTarget> {
  const oneTime = Secret.own(random(32));
  const privateKey = await withSecrets([oneTime], () => importX25519(oneTime));
  return {
    id,
    host,
    encryption: { privateKey, publicKey: await x25519PublicKey(privateKey) },
    noiseKey: id === 3 ? new Uint8Array(0) : random(32),
    ceremony,
  };
}

export type RepairKind = 'hello' | 'open' | 'delta' | 'sum' | 'certify';

/**
 * A whole repair of share `target` by the other two; what the three end with. A new kit is made of the helpers' `renewed`
 * shares.
 */
export async function repairAll(
  signer: SignerModule,
  life: Life,
  target: PartyId,
  random: Random,
  spoil: Spoil<RepairKind> = {},
  epochs: (id: PartyId) => Epoch = () => life.epoch,
  host?: Secret,
  renewed?: readonly [refresh.RenewedShare, refresh.RenewedShare],
) {
  const ceremony = random(32);
  const fresh = target === 3 ? (renewed ?? (await renewBoth(signer, life, random))) : null;
  const slope = (id: PartyId) => fresh![id - 1]!.slope;
  const shareOf = (id: PartyId) => (fresh === null ? life.holders[id - 1]!.share : fresh[id - 1]!.share);
  const self = await newHolder(target, random, ceremony, host);
  const hostKey = signer.publicKey(self.host).slice(1) as Bytes;
  const ids = repair.helpersOf(target);
  const other = (id: PartyId) => ids.find((each) => each !== id)!;
  const seen = (kind: RepairKind, message: Bytes, from: PartyId, to: PartyId) =>
    spoil[kind]?.(message, from, to) ?? message;
  const at = (messages: Bytes[], id: PartyId) => messages[ids.indexOf(id)]!;

  const [waiting, hello] = repair.openRepair(signer, self, random);
  const joined = [];
  for (const id of ids) {
    const { host } = life.holders[id - 1]!;
    const shown = target === 3 ? { id: target, hostKey, slope: slope(id) } : { id: target, hostKey };
    const helper = { id, host, epoch: epochs(id), ceremony, target: shown };
    joined.push(await repair.joinRepair(signer, helper, seen('hello', hello, target, id), random));
  }
  const opens = joined.map(([, m]) => m);
  const split = [];
  for (const [i, [state]] of joined.entries()) {
    const id = ids[i]!;
    const open = seen('open', at(opens, other(id)), other(id), id);
    split.push(await repair.splitRepair(signer, state, shareOf(id), open, random));
  }
  const deltas = split.map(([, m]) => m);
  const summed = [];
  for (const [i, [state]] of split.entries()) {
    const id = ids[i]!;
    const delta = seen('delta', at(deltas, other(id)), other(id), id);
    summed.push(await repair.sumRepair(signer, state, delta, random));
  }
  const sums = summed.map(([, m]) => m);
  const [finished, certify] = await repair.finishRepair(
    signer,
    waiting,
    epochs(target),
    opens.map((m, i) => seen('open', m, ids[i]!, target)),
    sums.map((m, i) => seen('sum', m, ids[i]!, target)),
    random,
  );
  const approved = summed.map(([state], i) =>
    repair.approveRepair(
      signer,
      state,
      sums.map((m, k) => (k === i ? m : seen('sum', m, ids[k]!, ids[i]!))),
      seen('certify', certify, target, ids[i]!),
      random,
    ),
  );
  const record = completeRecord(
    signer,
    life.epoch,
    finished.pending,
    approved.map(([, message], i) => ({ from: ids[i]!, message })),
  );
  const oneTimeKeys = joined.map(([state]) => state.encryption);
  return { self, finished, record, opens, deltas, sums, oneTimeKeys, shareOf };
}

/** A whole repair, and the life after it. */
export async function repaired(
  signer: SignerModule,
  life: Life,
  target: PartyId,
  random: Random,
): Promise<Life> {
  const { self, finished, record, shareOf } = await repairAll(signer, life, target, random);
  const holders = life.holders.map((holder) =>
    holder.id === target
      ? { id: target, host: self.host, share: finished.share }
      : { ...holder, share: shareOf(holder.id) },
  );
  return {
    ...life,
    epoch: advance(signer, life.epoch, record),
    holders: holders as unknown as [Holder, Holder, Holder],
    words: target === 3 ? self.encryption : life.words,
    // A new device or cosigner is handed the records of the one that helped.
    records: {
      1: [...life.records[target === 1 ? 2 : 1], record],
      2: [...life.records[target === 2 ? 1 : 2], record],
    },
  };
}

/** One signature by two holders, as the asking and the answering party make it. Throws what signing throws. */
export function signTogether(
  signer: SignerModule,
  epoch: Pick<Epoch, 'groupKey' | 'number' | 'verifyingShares'>,
  [asking, answering]: readonly [Pick<Holder, 'id' | 'share'>, Pick<Holder, 'id' | 'share'>],
  input: InputToSign,
  random: Random,
): Uint8Array {
  const attempt = {
    groupKey: epoch.groupKey,
    handshakeHash: random(32),
    attempt: random(16),
    epoch: epoch.number,
  };
  const own = commitAll(signer, asking.share, attempt, [input], random);
  const peer = { id: asking.id, commitments: own.commitments };
  const answer = answerAll(signer, answering.id, answering.share, attempt, [input], peer, random);
  const verifyingShare = epoch.verifyingShares[answering.id - 1]!;
  const theirs = { id: answering.id, verifyingShare, ...answer };
  return finishAll(signer, asking.id, asking.share, attempt, [input], own, theirs)[0]!;
}

/** Each pair of the three signs the epoch's test message; throws if one cannot. */
export function everyPairSigns(signer: SignerModule, life: Life, random: Random): void {
  const [one, two, three] = life.holders;
  for (const pair of [
    [one, two],
    [one, three],
    [two, three],
    [two, one],
  ] as const)
    signTogether(signer, life.epoch, pair, testSignInput(life.epoch), random);
}
