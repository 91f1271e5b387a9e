/**
 * What the three parties say to each other while the key is born (DESIGN section 2). Each message is signed by its
 * sender's host key and passes through others unread; the bodies themselves make the transcript.
 */
import { blob, bytes, list, oneOf, struct, type TypeOf, text, tuple, u8 } from './codec.ts';
import { POLICY_MAX } from './limits.ts';
import { NETWORKS } from './networks.ts';

export const PROTOCOL_VERSION = 1;

/** Who a party is, and 32 fresh bytes of its own that make the session new. */
export const keygenHello = struct({
  suite: text(64),
  version: u8,
  network: oneOf(...NETWORKS),
  id: u8,
  /** BIP-340 host identity. */
  hostKey: bytes(32),
  /** X25519: one-time for device and cosigner, from the words for recovery. */
  encryptionKey: bytes(32),
  /** Noise static (X25519); empty for recovery, which has no channel. */
  noiseKey: blob(32),
  random: bytes(32),
  /** The first policy, from the device; empty from the others. */
  policy: blob(POLICY_MAX),
});
export type KeygenHello = TypeOf<typeof keygenHello>;

/** PedPop round 1: Feldman commitment to a polynomial of degree 1, and proof of knowledge of f(0). */
export const keygenRound1 = struct({
  session: bytes(32),
  id: u8,
  /** phi0 || phi1; kept variable so that a raised or lowered degree is seen and blamed, not merely misparsed. */
  commitment: blob(33 * 8),
  proof: bytes(64),
});

/** One sealed sub-share: ephemeral X25519 key || AES-256-GCM ciphertext of 32 bytes. */
const sealedShare = struct({ to: u8, sealed: bytes(32 + 32 + 16) });

/** PedPop round 2: f(recipient), sealed for each other party (recovery also for itself, so that words and transcript suffice). */
export const keygenRound2 = struct({
  session: bytes(32),
  id: u8,
  /** Hash of all round-1 bodies as the sender saw them. */
  round1Hash: bytes(32),
  shares: list(sealedShare, 3),
});

/** A host key's signature under the transcript. */
export const keygenCertify = struct({ session: bytes(32), id: u8, signature: bytes(64) });

/** Any of the above on its way: the body, and the sender's host signature over kind, session context and body. */
export const signedBody = struct({ body: blob(16_384), signature: bytes(64) });

/** All that was said, in id order. Its tagged hash is what the three sign; another one is the chain code. */
export const keygenTranscript = struct({
  hellos: tuple(blob(8192), 3),
  round1: tuple(blob(1024), 3),
  round2: tuple(blob(1024), 3),
  groupKey: bytes(33),
  verifyingShares: tuple(bytes(33), 3),
});

/** The transcript under all three host signatures: without it there is no address. */
export const keygenCertificate = struct({ transcript: blob(32_768), signatures: tuple(bytes(64), 3) });
