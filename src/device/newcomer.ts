/**
 * A device that is to take the place of a lost one, before it has a share (DESIGN section 5). Its keys are made once and wait
 * under the password, for days if the ceremony must: the ceremony names them, so no other device can be let in by it. The
 * share that it is given waits in the same row until the wallet is known to be its own.
 */
import { aeadOpen, aeadSeal } from '../crypto/aead.ts';
import { deriveKek, type KdfParameters } from '../crypto/kdf.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { bytes, encode, struct, text } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../protocol/noise.ts';
import type { Cosigner } from './pairing.ts';
import { derivePasswordKey, type PasswordKey, type SealedVault } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface NewcomerRecord {
  readonly version: 1;
  readonly cosigner: Cosigner;
  readonly network: Network;
  readonly kdf: KdfParameters;
  /** BIP-340 host key and Noise static: their secret halves, under the password. */
  readonly host: Bytes;
  readonly hostKey: Bytes;
  /** PKCS#8. */
  readonly channel: Bytes;
  readonly noiseKey: Bytes;
  /** The encoded act that opens the ceremony. */
  readonly act: Bytes;
  /** The same under the words' signature (`wordsAct`), once the recovery page has given it. */
  readonly request: Bytes | null;
  /** The vault that this device will have, durable before its certificate leaves. */
  readonly held: SealedVault | null;
}

/** Opened for one run. The caller wipes `host`. */
export interface Newcomer {
  readonly record: NewcomerRecord;
  readonly password: PasswordKey;
  readonly host: Secret;
  /** Can be exported, into the vault to come. */
  readonly channel: NoiseKeyPair;
}

/** Makes the keys; `act` names them. Throws `WeakPassword`. */
export async function newNewcomer(
  signer: Signer,
  args: { cosigner: Cosigner; network: Network; password: string; random: Random },
  act: (keys: { hostKey: Bytes; noiseKey: Bytes }) => Bytes,
): Promise<NewcomerRecord> {
  const { random, network } = args;
  const { kek, kdf } = await derivePasswordKey(args.password, random);
  const pair = await generateNoiseKeyPair(true);
  const exported = await crypto.subtle.exportKey('pkcs8', pair.privateKey);
  const channel = Secret.own(new Uint8Array(exported));
  const host = Secret.own(random(32));
  try {
    const hostKey = Uint8Array.from(signer.publicKey(host).slice(1));
    const noiseKey = pair.publicKey;
    const { host: name, port, noiseKey: cosignerNoise, hostKey: cosignerHost } = args.cosigner;
    return {
      version: 1,
      cosigner: { host: name, port, noiseKey: cosignerNoise, hostKey: cosignerHost },
      network,
      kdf,
      host: await aeadSeal(kek, host, aad('host', { hostKey, noiseKey }), random),
      hostKey,
      channel: await aeadSeal(kek, channel, aad('channel', { hostKey, noiseKey }), random),
      noiseKey,
      act: act({ hostKey, noiseKey }),
      request: null,
      held: null,
    };
  } finally {
    host.wipe();
    channel.wipe();
  }
}

/** Throws `WrongPassword`, or `VaultDamaged` before deriving anything if the parameters were lowered. */
export async function openNewcomer(record: NewcomerRecord, password: string): Promise<Newcomer> {
  ensure(record.version === 1, 'WrongVersion', { detail: 'newcomer' });
  const kek = await deriveKek(password, record.kdf, null);
  let host: Secret;
  try {
    host = await aeadOpen(kek, record.host, aad('host', record));
  } catch (cause) {
    throw new HoarfrostError('WrongPassword', { cause });
  }
  try {
    const channel = await aeadOpen(kek, record.channel, aad('channel', record));
    try {
      const raw = channel.expose();
      const privateKey = await crypto.subtle.importKey('pkcs8', raw, 'X25519', true, ['deriveBits']);
      const passwordKey = { kek, kdf: record.kdf };
      return { record, password: passwordKey, host, channel: { privateKey, publicKey: record.noiseKey } };
    } finally {
      channel.wipe();
    }
  } catch (cause) {
    host.wipe();
    throw new HoarfrostError('VaultDamaged', { detail: 'newcomer', cause });
  }
}

const label = struct({ protocol: text(32), what: text(16), hostKey: bytes(32), noiseKey: bytes(32) });

function aad(what: 'host' | 'channel', { hostKey, noiseKey }: { hostKey: Bytes; noiseKey: Bytes }): Bytes {
  return encode(label, { protocol: 'hoarfrost/newcomer', what, hostKey, noiseKey });
}
