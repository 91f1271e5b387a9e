/** A message between parties: a body, and its sender's host signature over the tagged hash of it. */
import type { Random } from '../crypto/random.ts';
import type { Secret } from '../crypto/secret.ts';
import { type PartyId, type Signer, SUITE } from '../crypto/signer.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import { type Codec, decode, encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { PROTOCOL_VERSION, signedBody } from '../protocol/keygen.ts';
import { taggedHash } from '../protocol/sha256.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** `tag` names protocol and step, so that no message can stand in for one of another step. */
export function signBody(signer: Signer, host: Secret, tag: string, body: Bytes, random: Random): Bytes {
  const signature = signer.schnorrSign(host, taggedHash(tag, body), random(32));
  return encode(signedBody, { body, signature: Uint8Array.from(signature) });
}

/** A bad signature proves nothing about its supposed author, so `BadSignature` blames nobody. */
export function openBody(signer: Signer, message: Bytes, hostKey: Uint8Array, tag: string): Bytes {
  const { body, signature } = decode(signedBody, message);
  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');
  return body;
}

/** The signed body of `from`, of this session. */
export function openFrom<T extends { session: Bytes; id: number }>(
  signer: Signer,
  message: Bytes,
  sender: { id: PartyId; hostKey: Uint8Array; session: Bytes; tag: string },
  codec: Codec<T>,
): T {
  const said = decode(codec, openBody(signer, message, sender.hostKey, sender.tag));
  ensure(equalVar(said.session, sender.session), 'WrongSession', { culprit: sender.id });
  ensure(said.id === sender.id, 'BadIdentifier', { culprit: sender.id });
  return said;
}

export function checkVersion({ suite, version }: { suite: string; version: number }): void {
  ensure(suite === SUITE, 'WrongSuite');
  ensure(version === PROTOCOL_VERSION, 'WrongVersion');
}

/** Bytes after their 4-byte length, so that a hash of several bodies can be read in one way only. */
export function delimited(body: Bytes): Bytes {
  return concat(u32Bytes(body.length), body);
}

export function u32Bytes(value: number): Bytes {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}
