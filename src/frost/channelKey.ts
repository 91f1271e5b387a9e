/**
 * The one way in which the channel key of a cosigner changes for a device that has a wallet: a statement of the signing key
 * that stands in the wallet's certificate. What carries it proves nothing, so it may come over a channel made with the old key.
 */

import type { Random } from '../crypto/random.ts';
import type { Secret } from '../crypto/secret.ts';
import { type Signer, SUITE } from '../crypto/signer.ts';
import { equalVar } from '../protocol/bytes.ts';
import { type ChannelKeyBody, channelKeyBody } from '../protocol/channelKey.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { PROTOCOL_VERSION, signedBody } from '../protocol/keygen.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { checkVersion, signBody } from './signedBody.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Whose key, which of them, and the key. */
export type ChannelKey = Pick<ChannelKeyBody, 'cosigner' | 'number' | 'noiseKey'>;

const TAG = 'hoarfrost/channel-key';

/** By the cosigner: `host` is the secret of `key.cosigner`. */
export function sayChannelKey(signer: Signer, host: Secret, key: ChannelKey, random: Random): Bytes {
  const body = encode(channelKeyBody, { suite: SUITE, version: PROTOCOL_VERSION, ...key });
  return signBody(signer, host, TAG, body, random);
}

/** Throws `ChannelKeyRefused` unless it is what the signing key `cosigner` (x-only) says of itself. */
export function readChannelKey(signer: Signer, cosigner: Uint8Array, statement: Bytes): ChannelKey {
  const { body, signature } = decode(signedBody, statement);
  const said = decode(channelKeyBody, body);
  checkVersion(said);
  ensure(equalVar(said.cosigner, cosigner), 'ChannelKeyRefused', { detail: 'another cosigner' });
  const signed = signer.schnorrVerify(cosigner, taggedHash(TAG, body), signature);
  ensure(signed, 'ChannelKeyRefused', { detail: 'signature' });
  return said;
}

/**
 * By the device: what to pin after hearing `statement`; the very `pinned` if that is said again. `ChannelKeyRefused` also for
 * one that does not rise, so that no copy of an old statement brings an old key back.
 */
export function nextChannelKey(signer: Signer, pinned: ChannelKey, statement: Bytes): ChannelKey {
  const said = readChannelKey(signer, pinned.cosigner, statement);
  if (said.number === pinned.number && equalVar(said.noiseKey, pinned.noiseKey)) return pinned;
  ensure(said.number > pinned.number, 'ChannelKeyRefused', { detail: 'not newer' });
  return said;
}
