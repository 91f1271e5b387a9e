/**
 * What the parties keep of the life of the shares (DESIGN section 5): an append-only chain of records, one for each
 * refresh and each repair, whose bodies are the same bytes at every party.
 */
import { blob, bytes, list, struct, type TypeOf, text, u8, u32, union } from './codec.ts';

/** A 32-byte secret sealed to one X25519 key: ephemeral key || AES-256-GCM ciphertext || tag. */
export const sealedSecret = bytes(32 + 32 + 16);

/** What the certificates sign the tagged hash of. */
export const epochBody = struct({
  suite: text(64),
  version: u8,
  wallet: bytes(32),
  /** Hash of the body before; the wallet's name in the first record. */
  previous: bytes(32),
  /** The epoch that this record begins (refresh) or in which it stands (repair). */
  epoch: u32,
  change: union({
    /** F_e: Y_i(e) = K0 + i*F_e. */
    refresh: struct({ slope: bytes(33) }),
    /** A new holder of share `target`, and the keys that stand for that party from here on. */
    repair: struct({
      session: bytes(32),
      target: u8,
      hostKey: bytes(32),
      /** X25519: for the repair alone, or for a new kit from its words. */
      encryptionKey: bytes(32),
      /** Empty for recovery, which has no channel. */
      noiseKey: blob(32),
      /**
       * Share 3 at this epoch, so that recovery needs no record before this one: sealed by recovery to itself, or for a new
       * kit as the two sums that it was made of.
       */
      recovery: list(sealedSecret, 2),
    }),
  }),
});
export type EpochBody = TypeOf<typeof epochBody>;

/** A host key's signature over a record's body; its sender has made durable what the body speaks of. */
export const epochCertify = struct({
  session: bytes(32),
  id: u8,
  record: blob(1024),
  certificate: bytes(64),
});

/** One link as one party keeps it. */
export const epochRecord = struct({
  body: blob(1024),
  /** In id order: of device and cosigner for a refresh, of all three for a repair, the new holder's own among them. */
  certificates: list(bytes(64), 3),
  /** A refresh's 3a, sealed to recovery by this party itself and never by its peer; empty for a repair. */
  sealed: blob(80),
});
