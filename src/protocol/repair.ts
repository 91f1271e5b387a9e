/**
 * What two helpers and the new holder of a lost share say to each other (DESIGN section 5). All bodies are signed by host
 * keys and pass through others unread.
 */
import { blob, bytes, list, struct, type TypeOf, text, u8, u32 } from './codec.ts';
import { sealedSecret } from './epoch.ts';

/** The new holder, with the keys that shall stand for it. */
export const repairHello = struct({
  suite: text(64),
  version: u8,
  /** Which ceremony this belongs to: 32 random bytes that all three know. */
  ceremony: bytes(32),
  target: u8,
  hostKey: bytes(32),
  /** X25519: one-time for device and cosigner, from the words for recovery. */
  encryptionKey: bytes(32),
  /** Empty for recovery. */
  noiseKey: blob(32),
  random: bytes(32),
});
export type RepairHello = TypeOf<typeof repairHello>;

/** A helper: where it stands, and which new holder it was shown. */
export const repairOpen = struct({
  suite: text(64),
  version: u8,
  epoch: u32,
  /** Head of the chain of records, which names the wallet too. */
  previous: bytes(32),
  ceremony: bytes(32),
  id: u8,
  /** F of the epoch that a new kit begins, which the helpers have agreed on before; or else empty. */
  slope: blob(33),
  /** Hash of the new holder's hello as this helper saw it. */
  hello: bytes(32),
  /** X25519, for this repair only. */
  encryptionKey: bytes(32),
});

/** One summand of lambda*share, sealed to the other helper. */
export const repairDelta = struct({ session: bytes(32), id: u8, sealed: sealedSecret });

/** The helper's sum, sealed to the new holder. */
export const repairSum = struct({
  session: bytes(32),
  id: u8,
  sealed: sealedSecret,
  /** Recovery's own share, sealed to itself; empty from the others. */
  recovery: list(sealedSecret, 1),
});
