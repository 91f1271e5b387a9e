/**
 * Recovery's part in the repair of a lost share (DESIGN section 5), by offline messages that whoever asks for the repair
 * relays: as a helper for a new device or cosigner, with the words of the kit; as the new holder of share 3, with new words.
 *
 *   helper       repairOffer -> openOffer … joinOffer -> repairJoined   repairDelta -> sumOffer -> repairSummed
 *                repairHeld -> approveOffer -> repairApproved
 *   new holder   kitOffer -> openKit -> kitHello                        kitSums -> finishKit -> kitHeld
 *
 * Nothing is stored: a page that is closed in between has forgotten everything, and the repair begins again. Recovery's own
 * share is not touched by a repair it helps with, so there is nothing that it would have to make durable before certifying.
 */

import type { Random } from '../crypto/random.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { PartyId, SignerModule } from '../crypto/signer.ts';
import * as repair from '../frost/repair.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { signedBody } from '../protocol/keygen.ts';
import type { OfflineOf } from '../protocol/offline.ts';
import { repairHello } from '../protocol/repair.ts';
import { type KnownWallet, openBundle, shareFromWords } from './bundle.ts';
import type { RecoveryKeys } from './words.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const RECOVERY = 3;
const NO_NOISE_KEY = new Uint8Array(0);

/** An offer as it is shown before a word is typed. */
export interface OpenedOffer {
  readonly wallet: KnownWallet;
  readonly ceremony: Bytes;
  readonly hello: Bytes;
  /** The other helper's. */
  readonly open: Bytes;
  /**
   * Who is to get the share. The person compares this host key with the new holder's own screen before going on: taken from
   * the other helper unseen, it could be that helper's, who would then have two shares.
   */
  readonly target: { readonly id: 1 | 2; readonly hostKey: Bytes };
}

export interface JoinedOffer {
  readonly state: repair.AwaitingDelta;
}

export interface SummedOffer {
  readonly state: repair.AwaitingRepairCertify;
  /** Both sums, in id order. */
  readonly sums: readonly Bytes[];
}

/** Throws `BadIdentifier` for an offer of share 3, and what `openBundle` throws. */
export function openOffer(signer: SignerModule, message: OfflineOf<'repairOffer'>): OpenedOffer {
  const { bundle, ceremony, target: id, hello, open } = message;
  ensure(id === 1 || id === 2, 'BadIdentifier', { detail: 'target' });
  const { hostKey } = decode(repairHello, decode(signedBody, hello).body);
  return { wallet: openBundle(signer, bundle), ceremony, hello, open, target: { id, hostKey } };
}

/**
 * The person has seen that the target is the new holder. `keys.host` is kept until the end and is the caller's to wipe.
 * Throws `BadWords`, `RecordsCorrupt`, and what `joinRepair` and `splitRepair` throw.
 */
export async function joinOffer(
  signer: SignerModule,
  keys: RecoveryKeys,
  offer: OpenedOffer,
  random: Random,
): Promise<[JoinedOffer, OfflineOf<'repairJoined'>]> {
  const { wallet, ceremony, target } = offer;
  const share = await shareFromWords(signer, keys.encryption.privateKey, wallet);
  return withSecrets([share], async (): Promise<[JoinedOffer, OfflineOf<'repairJoined'>]> => {
    const self = { id: RECOVERY, host: keys.host, epoch: wallet.epoch, ceremony, target } as const;
    const [joined, open] = await repair.joinRepair(signer, self, offer.hello, random);
    const [state, delta] = await repair.splitRepair(signer, joined, share, offer.open, random);
    return [{ state }, { kind: 'repairJoined', open, delta }];
  });
}

export async function sumOffer(
  signer: SignerModule,
  { state }: JoinedOffer,
  { delta, sum: theirs }: OfflineOf<'repairDelta'>,
  random: Random,
): Promise<[SummedOffer, OfflineOf<'repairSummed'>]> {
  const [next, sum] = await repair.sumRepair(signer, state, delta, random);
  return [
    { state: next, sums: [theirs, sum] },
    { kind: 'repairSummed', sum },
  ];
}

/** The new holder has the share; recovery's certificate completes the record. */
export function approveOffer(
  signer: SignerModule,
  { state, sums }: SummedOffer,
  { certify }: OfflineOf<'repairHeld'>,
  random: Random,
): OfflineOf<'repairApproved'> {
  const [, message] = repair.approveRepair(signer, state, sums, certify, random);
  return { kind: 'repairApproved', certify: message };
}

/** For a page that turns away between `joinOffer` and `sumOffer`. */
export function dropOffer({ state }: JoinedOffer): void {
  repair.dropRepair(state);
}

export interface OpenedKit {
  readonly wallet: KnownWallet;
  readonly state: repair.AwaitingSums;
}

/**
 * New words, typed back, are to open share 3 from here on. `keys.host` is the caller's to wipe, after `finishKit`. Throws
 * `BadWords` for other words than the ceremony allowed.
 */
export function openKit(
  signer: SignerModule,
  keys: RecoveryKeys,
  { bundle, ceremony, hostKey }: OfflineOf<'kitOffer'>,
  random: Random,
): [OpenedKit, OfflineOf<'kitHello'>] {
  const wallet = openBundle(signer, bundle);
  const { host, encryption } = keys;
  const known = hostKey === null || equalVar(hostKey, signer.publicKey(host).slice(1));
  ensure(known, 'BadWords', { detail: 'not the new kit' });
  const self = { id: RECOVERY as PartyId, host, encryption, noiseKey: NO_NOISE_KEY, ceremony };
  const [state, hello] = repair.openRepair(signer, self, random);
  return [
    { wallet, state },
    { kind: 'kitHello', hello },
  ];
}

/** Share 3 is made only to be checked: the record holds both sums, sealed to the new words. Throws as `finishRepair`. */
export async function finishKit(
  signer: SignerModule,
  { wallet, state }: OpenedKit,
  { opens, sums }: OfflineOf<'kitSums'>,
  random: Random,
): Promise<OfflineOf<'kitHeld'>> {
  const [finished, certify] = await repair.finishRepair(signer, state, wallet.epoch, opens, sums, random);
  finished.share.wipe();
  return { kind: 'kitHeld', certify };
}
