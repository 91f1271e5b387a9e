/**
 * What a cosigner says of the Noise static that its devices are to pin (DESIGN section 6). It names the signing key and a
 * number, not the static before: whoever was away through several rotations needs the last one alone.
 */
import { bytes, struct, type TypeOf, text, u8, u32 } from './codec.ts';

/** In a `signedBody`. Its signature is by `cosigner`, over H(`hoarfrost/channel-key`, body). */
export const channelKeyBody = struct({
  suite: text(64),
  version: u8,
  /** The signing key whose channel this is: x-only. */
  cosigner: bytes(32),
  /** Rises with each rotation; what keygen pinned counts as 0. */
  number: u32,
  /** X25519. */
  noiseKey: bytes(32),
});
export type ChannelKeyBody = TypeOf<typeof channelKeyBody>;
