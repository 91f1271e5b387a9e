/** What device and words say of ceremonies, as the extension and the recovery page would, to a real cosigner. */
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { ceremonyId, deviceActHash, wordsActHash } from '../../src/policy/ceremony.ts';
import {
  type CeremonyAct,
  type CeremonyPurpose,
  type CeremonyView,
  ceremonyAct,
  wordsAct,
} from '../../src/protocol/ceremony.ts';
import { encode } from '../../src/protocol/codec.ts';
import type { Answer } from '../../src/protocol/messages.ts';
import type { Bytes, Client, TestDevice } from './cosigner.ts';

export const newDeviceKeys = (): CeremonyPurpose => ({
  kind: 'replaceDevice',
  hostKey: systemRandom(32),
  noiseKey: systemRandom(32),
});
export const newKitKeys = (): CeremonyPurpose => ({
  kind: 'replaceKit',
  hostKey: systemRandom(32),
  encryptionKey: systemRandom(32),
});

export function opening(purpose: CeremonyPurpose, wallet: Bytes | null = null): CeremonyAct {
  return { kind: 'open', network: 'regtest', wallet, purpose, random: systemRandom(16) };
}

/** As the recovery page signs it. */
export async function signedByWords(
  words: Pick<TestDevice, 'recoveryHost'>,
  act: CeremonyAct,
): Promise<Bytes> {
  const signer = await load();
  const body = encode(ceremonyAct, act);
  const signature = signer.schnorrSign(words.recoveryHost, wordsActHash(body), systemRandom(32));
  const hostKey = Uint8Array.from(signer.publicKey(words.recoveryHost).subarray(1));
  return encode(wordsAct, { hostKey, act: body, signature: Uint8Array.from(signature) });
}

/** Through any connection: `client` need not have a wallet. */
export async function byWords<K extends 'ceremony' | 'frozen' = 'ceremony'>(
  client: Client,
  words: Pick<TestDevice, 'recoveryHost'>,
  act: CeremonyAct,
  kind: K = 'ceremony' as K,
): Promise<Extract<Answer, { kind: K }>> {
  return client.ask({ kind: 'actByWords', message: await signedByWords(words, act) }, kind);
}

export async function byDevice(client: Client, { share }: Pick<TestDevice, 'share'>, act: CeremonyAct) {
  const signer = await load();
  const body = encode(ceremonyAct, act);
  const hash = deviceActHash(client.transport.handshakeHash, body);
  const proof = Uint8Array.from(signer.schnorrSign(share, hash, systemRandom(32)));
  return (await client.ask({ kind: 'actByDevice', act: body, proof }, 'ceremony')).ceremony;
}

export const idOf = (act: CeremonyAct): Bytes => ceremonyId(encode(ceremonyAct, act));

export const saying = (
  { id }: Pick<CeremonyView, 'id'>,
  says: 'approve' | 'contest',
  at: number,
): CeremonyAct => ({ kind: 'say', ceremony: id, says, at });
