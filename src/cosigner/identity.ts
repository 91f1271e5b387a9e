/**
 * Who this cosigner is: the BIP-340 host key that signs certificates and receipts, and the Noise statics that devices pin.
 * All live in files of the data folder, never in the database or its backups.
 */
import { join } from 'node:path';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { sayChannelKey } from '../frost/channelKey.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { type ChannelKey, channelKeyFile, openChannelKeys } from './channelKeys.ts';
import { openKeyFile } from './keyFile.ts';
import type { AnnouncedKey, Bytes, Store } from './store.ts';

/** A Noise static of ours, and what the host key says of it; the first needs no word but the certificates'. */
export interface OwnChannelKey extends ChannelKey {
  readonly statement: Bytes | null;
}

export interface Identity {
  readonly host: Secret;
  /** x-only, 32 bytes. */
  readonly hostKey: Bytes;
  /** All that are answered, in the order of their numbers; at least one. */
  readonly channelKeys: readonly OwnChannelKey[];
  /** Marks what only this cosigner can have said or stored: codes for contacts, ceremonies in the database. Of the host key. */
  readonly stamp: Secret;
}

/**
 * Reads the keys, or makes them where `mayCreate`: a cosigner that lost its keys but not its wallets must say so, not
 * quietly become somebody else.
 */
export async function openIdentity(
  folder: string,
  mayCreate: boolean,
  signer: Signer,
  random: Random,
): Promise<Identity> {
  const host = await openKeyFile(join(folder, 'host.key'), mayCreate, random);
  const hostKey = Uint8Array.from(signer.publicKey(host).subarray(1));
  const keys = await openChannelKeys(folder, mayCreate, random);
  const channelKeys = keys.map(({ number, noise }): OwnChannelKey => {
    const said = { cosigner: hostKey, number, noiseKey: noise.publicKey };
    return { number, noise, statement: number === 0 ? null : sayChannelKey(signer, host, said, random) };
  });
  return { host, stamp: await stampOf(host), hostKey, channelKeys };
}

/**
 * The key that devices are told to pin: the store says which, or of one of before that was written down the first. Its file
 * may be missing in the folder of one instance, or made there a second time: `BadConfiguration`.
 */
export function announcedKey(
  { channelKeys }: Pick<Identity, 'channelKeys'>,
  announced: AnnouncedKey | null,
): OwnChannelKey {
  const key = channelKeys.find(({ number }) => number === (announced?.number ?? 0));
  const same = key !== undefined && (announced === null || equalVar(key.noise.publicKey, announced.noiseKey));
  ensure(same, 'BadConfiguration', {
    detail: `data: ${channelKeyFile(announced?.number ?? 0)} is not the one that devices were told of`,
  });
  return key;
}

/** Whose a store or a backup is: the host key's, whatever channel keys come and go. */
export function identityName({ hostKey }: Pick<Identity, 'hostKey'>): Bytes {
  return taggedHash('hoarfrost/cosigner', hostKey);
}

/** A store that is nobody's yet takes up the newest channel key: devices may have been told of it before the store was lost. */
export function bindStore(
  store: Store,
  identity: Pick<Identity, 'hostKey' | 'channelKeys'>,
  random: Random,
): Promise<void> {
  const { number, noise } = identity.channelKeys.at(-1)!;
  return store.bind(identityName(identity), random(16), { number, noiseKey: noise.publicKey });
}

/** HKDF-SHA256, so that no use of it says anything about the host key. */
async function stampOf(host: Secret): Promise<Secret> {
  const base = await crypto.subtle.importKey('raw', host.expose(), 'HKDF', false, ['deriveBits']);
  const info = new TextEncoder().encode('hoarfrost/cosigner/stamp');
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info };
  return Secret.own(new Uint8Array(await crypto.subtle.deriveBits(algorithm, base, 256)));
}
