/**
 * Who this cosigner is: the BIP-340 host key that signs certificates and receipts, and the Noise static that devices pin.
 * Both live in files of the data folder, never in the database or its backups.
 */
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { taggedHash } from '../crypto/hash.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { ensure } from '../protocol/errors.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';
import { readKeyFile, writeKeyFile } from './keyFile.ts';
import { noiseKeyPair } from './noisePrimitives.ts';
import type { Bytes } from './store.ts';

export interface Identity {
  readonly host: Secret;
  /** x-only, 32 bytes. */
  readonly hostKey: Bytes;
  readonly noise: NoiseKeyPair<KeyObject>;
  /** Marks what only this cosigner can have said or stored: codes for contacts, ceremonies in the database. Of the host key. */
  readonly stamp: Secret;
}

/**
 * Reads both keys, or makes them where `mayCreate`: a cosigner that lost its keys but not its wallets must say so, not
 * quietly become somebody else.
 */
export async function openIdentity(
  folder: string,
  mayCreate: boolean,
  signer: Signer,
  random: Random,
): Promise<Identity> {
  const host = await keyFile(join(folder, 'host.key'), mayCreate, random);
  const noise = await keyFile(join(folder, 'noise.key'), mayCreate, random);
  try {
    return {
      host,
      stamp: await stampOf(host),
      hostKey: Uint8Array.from(signer.publicKey(host).subarray(1)),
      noise: noiseKeyPair(noise),
    };
  } finally {
    noise.wipe();
  }
}

/** Both keys in one hash: whose a store or a backup is. */
export function identityName({ hostKey, noise }: Pick<Identity, 'hostKey' | 'noise'>): Bytes {
  return taggedHash('hoarfrost/cosigner', hostKey, noise.publicKey);
}

/** HKDF-SHA256, so that no use of it says anything about the host key. */
async function stampOf(host: Secret): Promise<Secret> {
  const base = await crypto.subtle.importKey('raw', host.expose(), 'HKDF', false, ['deriveBits']);
  const info = new TextEncoder().encode('hoarfrost/cosigner/stamp');
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info };
  return Secret.own(new Uint8Array(await crypto.subtle.deriveBits(algorithm, base, 256)));
}

async function keyFile(path: string, mayCreate: boolean, random: Random): Promise<Secret> {
  const existing = await readKeyFile(path);
  if (existing !== null) return existing;
  ensure(mayCreate, 'BadConfiguration', { detail: 'data: the folder has wallets but lacks its key files' });
  const made = Secret.own(random(32));
  try {
    await writeKeyFile(path, made);
    return made;
  } catch (e) {
    made.wipe();
    // Another command of this cosigner was faster.
    if ((e as NodeJS.ErrnoException).code === 'EEXIST') return keyFile(path, false, random);
    throw e;
  }
}
