/**
 * What the words say of a ceremony (DESIGN section 5): signed here, offline, for whoever carries it to the cosigner. What is
 * signed is what was read from the act itself and shown; the person's own eyes tell whose fingerprint it names.
 */
import type { Random } from '../crypto/random.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { wordsActHash } from '../policy/ceremony.ts';
import { type CeremonyAct, ceremonyAct, wordsAct } from '../protocol/ceremony.ts';
import { decode, encode } from '../protocol/codec.ts';
import type { OfflineOf } from '../protocol/offline.ts';
import { keysFromWords } from './words.ts';

export interface OpenedAct {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly act: CeremonyAct;
}

/** Throws `BadEncoding`. */
export function openAct({ act: bytes }: OfflineOf<'act'>): OpenedAct {
  return { bytes, act: decode(ceremonyAct, bytes) };
}

/** Throws `BadWords`. */
export async function signAct(
  signer: Signer,
  words: readonly string[],
  { bytes: act }: OpenedAct,
  random: Random,
): Promise<OfflineOf<'acted'>> {
  const { host } = await keysFromWords(words);
  return withSecrets([host], () => {
    const hostKey = Uint8Array.from(signer.publicKey(host).slice(1));
    const signature = Uint8Array.from(signer.schnorrSign(host, wordsActHash(act), random(32)));
    return { kind: 'acted', message: encode(wordsAct, { hostKey, act, signature }) };
  });
}
