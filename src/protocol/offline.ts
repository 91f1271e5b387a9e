/**
 * What a page of the extension and the recovery page say to each other with no network between them (DESIGN sections 2 and 5).
 * Each message answers the one before; how one travels is `offlineText`. The recovery page keeps nothing between two sittings,
 * so whatever it is to work with comes along.
 */

import { ACT_MAX, WORDS_ACT_MAX } from './ceremony.ts';
import {
  blob,
  bytes,
  list,
  oneOf,
  option,
  struct,
  type TypeOf,
  text,
  time,
  tuple,
  u8,
  u32,
  union,
} from './codec.ts';
import { INPUTS_MAX, OFFLINE_MAX, PSBT_MAX, RECORDS_MAX } from './limits.ts';
import { NETWORKS } from './networks.ts';
import { keygenTerms } from './terms.ts';

/** A signed body of keygen or repair, unread by whoever carries it. */
const opaque = blob(16_640);
const RECORD_MAX = 2048;

/** All that leads from the words to share 3: the certificate, and the records of the changes since. */
export const offlineBundle = struct({
  certificate: blob(33_280),
  /** Copies of the records, each oldest first: of the party that recovery works with, then of the other if it is at hand. */
  copies: list(list(blob(RECORD_MAX), RECORDS_MAX), 2),
});
export type OfflineBundle = TypeOf<typeof offlineBundle>;

/** What device and recovery sign together. Both compute what is signed from this; neither takes a hash from the other. */
export const offlineTask = union({
  payment: struct({
    psbt: blob(PSBT_MAX),
    /** Next unused index of each branch, as the device counts it: what is change and what is a payment depends on them. */
    receive: u32,
    change: u32,
  }),
  /** A message that names this moment and moves nothing. */
  drill: struct({ at: time }),
});
export type OfflineTask = TypeOf<typeof offlineTask>;

/** What the device's host key signs of a request. */
export const offlineSignBody = struct({
  bundle: offlineBundle,
  epoch: u32,
  /** 16 random bytes, chosen before the nonces. */
  attempt: bytes(16),
  task: offlineTask,
  /** The device's hiding || binding, one pair an input. */
  commitments: list(bytes(66), INPUTS_MAX),
});
export type OfflineSignBody = TypeOf<typeof offlineSignBody>;

export const offlineMessage = union({
  /** Device to recovery: sign this with me. */
  sign: struct({ body: blob(OFFLINE_MAX), signature: bytes(64) }),
  /** Recovery to device: one commitment pair and one signature share an input. */
  signed: struct({
    attempt: bytes(16),
    /** Of what recovery read and showed. */
    digest: bytes(32),
    commitments: list(bytes(66), INPUTS_MAX),
    shares: list(bytes(32), INPUTS_MAX),
  }),

  /** Device to recovery: a new wallet is to be made, on these terms. */
  keygenStart: struct({
    network: oneOf(...NETWORKS),
    terms: keygenTerms,
    /** The cosigner's Noise static: what the kit names. */
    cosigner: bytes(32),
    host: text(300),
  }),
  /** Recovery to device, one a round. */
  keygenSaid: struct({ round: oneOf('hello', 'round1', 'round2', 'certify'), message: opaque }),
  /** Device to recovery: all three messages of a round, in id order. */
  keygenHeard: struct({ round: oneOf('hello', 'round1', 'round2'), messages: tuple(opaque, 3) }),
  /** Device to recovery: the wallet lives. */
  keygenDone: struct({ certificate: blob(33_280) }),

  /** To recovery as a helper: a new holder of share `target`, and where the other helper stands. */
  repairOffer: struct({
    bundle: offlineBundle,
    ceremony: bytes(32),
    target: u8,
    hello: opaque,
    open: opaque,
  }),
  /** From recovery: for the other helper; the opening goes to the new holder too. */
  repairJoined: struct({ open: opaque, delta: opaque }),
  /** To recovery: the other helper's part of the share and its sum for the new holder. */
  repairDelta: struct({ delta: opaque, sum: opaque }),
  /** From recovery: its sum, for the new holder and the other helper. */
  repairSummed: struct({ sum: opaque }),
  /** To recovery: the new holder has the share. */
  repairHeld: struct({ certify: opaque }),
  /** From recovery: its certificate over the change. */
  repairApproved: struct({ certify: opaque }),

  /** To recovery as the new holder: a kit of new words is to be made. */
  kitOffer: struct({
    bundle: offlineBundle,
    ceremony: bytes(32),
    /** Of the words that the ceremony allowed: they are typed again. Without it they are made, and the ceremony is still to come. */
    hostKey: option(bytes(32)),
  }),
  kitHello: struct({ hello: opaque }),
  /** Device's and cosigner's, in this order. */
  kitSums: struct({ opens: tuple(opaque, 2), sums: tuple(opaque, 2) }),
  kitHeld: struct({ certify: opaque }),

  /** To recovery: an act of a ceremony, encoded, for the words to sign. */
  act: struct({ act: blob(ACT_MAX) }),
  /** From recovery, for the cosigner: an encoded `wordsAct`. */
  acted: struct({ message: blob(WORDS_ACT_MAX) }),

  /** What is public of a wallet, saved for the day its device is lost: a `publicState`. */
  exported: struct({ state: blob(OFFLINE_MAX) }),
});
export type OfflineMessage = TypeOf<typeof offlineMessage>;
export type OfflineOf<K extends OfflineMessage['kind']> = Extract<OfflineMessage, { kind: K }>;
