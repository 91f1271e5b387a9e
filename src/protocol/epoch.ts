/**
 * What the parties keep of the life of the shares (DESIGN section 5): an append-only chain of records, one for each
 * refresh and each repair, whose bodies are the same bytes at every party.
 */
import { blob, bytes, list, struct, type TypeOf, text, tuple, u8, u32, union } from './codec.ts';

/** A 32-byte secret sealed to one X25519 key: ephemeral key || AES-256-GCM ciphertext || tag. */
export const sealedSecret = bytes(32 + 32 + 16);

/** What the certificates sign the tagged hash of. */
export const epochBody = struct({
  suite: text(64),
  version: u8,
  wallet: bytes(32),
  /** Hash of the body before; the wallet's name in the first record. */
  previous: bytes(32),
  /** The epoch that this record begins (refresh, kit) or in which it stands (repair). */
  epoch: u32,
  change: union({
    /** F_e: Y_i(e) = K0 + i*F_e. */
    refresh: struct({ slope: bytes(33) }),
    /** A new holder of share 1 or 2, and the keys that stand for that party from here on. */
    repair: struct({
      session: bytes(32),
      target: u8,
      hostKey: bytes(32),
      /** X25519, for the repair alone. */
      encryptionKey: bytes(32),
      noiseKey: bytes(32),
      /** Share 3 at this epoch, so that recovery needs no record before this one: sealed by recovery to itself. */
      recovery: sealedSecret,
    }),
    /** New words, and a new epoch in which the share of the old ones fits no other: both or neither. */
    kit: struct({
      session: bytes(32),
      slope: bytes(33),
      hostKey: bytes(32),
      /** X25519, from the new words. */
      encryptionKey: bytes(32),
      /** Share 3 of the new epoch, as the device's and the cosigner's sum. */
      sums: tuple(sealedSecret, 2),
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
  /** In id order: of device and cosigner for a refresh, or else of all three, the new holder's own among them. */
  certificates: list(bytes(64), 3),
  /** A refresh's 3a, sealed to recovery by this party itself and never by its peer; or else empty. */
  sealed: blob(80),
});
