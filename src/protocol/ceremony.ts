/**
 * What is said about ceremonies (DESIGN section 5). An act is signed as a whole: by the words, offline, for whoever carries it to
 * the cosigner; or by share 1, for one connection. The tags are positions and so append-only.
 */
import { blob, bytes, list, oneOf, option, struct, type TypeOf, time, u64, union } from './codec.ts';
import { POLICY_MAX } from './limits.ts';
import { NETWORKS } from './networks.ts';

const hash = bytes(32);

/** Share 1, the recovery words, and the channel that was enrolled with the wallet. */
export const AUTHENTICATORS = ['device', 'words', 'contact'] as const;
export type Authenticator = (typeof AUTHENTICATORS)[number];
export const authenticator = oneOf(...AUTHENTICATORS);

/** What a ceremony would allow: the keys of the new holder, so that nobody else can make use of it. */
export const ceremonyPurpose = union({
  replaceDevice: struct({ hostKey: hash, noiseKey: hash }),
  replaceKit: struct({ hostKey: hash, encryptionKey: hash }),
  /** The whole next version, as policy/document encodes it. */
  loosenPolicy: struct({ document: blob(POLICY_MAX) }),
});
export type CeremonyPurpose = TypeOf<typeof ceremonyPurpose>;

/** `waiting` may still be contested; `contested` stops the device's signing; `ripe` may be carried out; the others have ended. */
export const PHASES = ['waiting', 'contested', 'ripe', 'done', 'void'] as const;
export type CeremonyPhase = (typeof PHASES)[number];

/** What a receipt says of a ceremony: what was said, or what it has come to. */
export const CEREMONY_EVENTS = ['opened', 'approved', 'contested', 'ripe', 'done', 'void'] as const;
export type CeremonyEvent = (typeof CEREMONY_EVENTS)[number];

export const ceremonyAct = union({
  /** Its ceremony's id is a hash of these bytes, and `random`, 16 bytes, makes it new. No wallet: the youngest one of these words. */
  open: struct({
    network: oneOf(...NETWORKS),
    wallet: option(hash),
    purpose: ceremonyPurpose,
    random: bytes(16),
  }),
  /** `at`, by the speaker's clock, only rises: an older one that is brought again says nothing. */
  say: struct({ ceremony: hash, says: oneOf('approve', 'contest'), at: time }),
  /** Of the words alone: every wallet of these words signs nothing from now on. */
  freeze: struct({ network: oneOf(...NETWORKS), random: bytes(16) }),
});
export type CeremonyAct = TypeOf<typeof ceremonyAct>;

/** Longest encoded act: the purpose that carries a policy. */
export const ACT_MAX = POLICY_MAX + 128;

export const WORDS_ACT_MAX = ACT_MAX + 128;

/** What the recovery page gives out: an act under recovery's host key, x-only. The signature is over `wordsActHash`. */
export const wordsAct = struct({ hostKey: hash, act: blob(ACT_MAX), signature: bytes(64) });

/** How a ceremony stands. */
export const ceremonyView = struct({
  id: hash,
  purpose: ceremonyPurpose,
  openedBy: authenticator,
  openedAt: time,
  approvals: list(authenticator, AUTHENTICATORS.length),
  contests: list(authenticator, AUTHENTICATORS.length),
  phase: oneOf(...PHASES),
  /** Milliseconds of the cosigner's own time until the phase ends by itself; 0 once it has ended for good. */
  leftMs: u64,
  /** Of a ripe `loosenPolicy`: the cosigner's signature over `policyCeremonyHash`, for its wallet's device. */
  statement: option(bytes(64)),
});
export type CeremonyView = TypeOf<typeof ceremonyView>;
