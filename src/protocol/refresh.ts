/** What device and cosigner say to each other to begin a new epoch (DESIGN section 5). All bodies are signed by host keys. */
import { blob, bytes, list, struct, text, u8, u32 } from './codec.ts';
import { sealedSecret } from './epoch.ts';

/** Where the sender stands, and its commitment to what it will add to the slope. */
export const refreshOpen = struct({
  suite: text(64),
  version: u8,
  threshold: u8,
  wallet: bytes(32),
  /** The epoch to begin. */
  epoch: u32,
  /** Head of the chain of records. */
  previous: bytes(32),
  id: u8,
  /** X25519, for this refresh only. */
  encryptionKey: bytes(32),
  /** Hash of (previous, id, a_i*G). */
  commitment: bytes(32),
});

/** The contribution that was committed to. */
export const refreshReveal = struct({
  session: bytes(32),
  id: u8,
  /**
   * Feldman commitment from x^0 up, infinity as no bytes. Only (infinity, a_i*G) is valid; kept variable so that another
   * threshold or a constant term is seen and blamed, not merely misparsed.
   */
  coefficients: list(blob(33), 8),
  /** a_i, sealed to the peer's key of this refresh. */
  contribution: sealedSecret,
});
