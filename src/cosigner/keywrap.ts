/**
 * Envelope encryption of shares: each sealed share has a key of its own, kept outside the database and its backups, so that
 * destroying the key destroys the share in every copy (DESIGN sections 5 and 7). The sealed share begins with the random
 * name of its key, so that two tries at one epoch never write over each other's, and names wallet and epoch in the AAD.
 *
 * A key that was used stays for a minute, outside of JavaScript's memory, for a file read for every signature cost more than the
 * signature. Whoever reads this process's memory could as well read the files. Destroying a key drops it here at once, and at
 * other instances within that minute, however often it is used.
 */
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { aeadSeal, importAeadKey } from '../crypto/aead.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import { concat } from '../protocol/bytes.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { type AesGcm, aesGcm } from './aesGcm.ts';
import { ownFolder, readKeyFile, syncFolder, writeKeyFile } from './keyFile.ts';
import type { Bytes } from './store.ts';

export interface KeyWrap {
  /** For a key that is to be made. */
  newName(): Bytes;
  /** Makes a key of that name, which is durable when this resolves, and seals the share under it. */
  seal(wallet: Bytes, epoch: number, share: Secret, name?: Bytes): Promise<Bytes>;
  /** `ShareUnrecoverable` if the key is gone or does not fit. The caller wipes the share. */
  open(wallet: Bytes, epoch: number, sealed: Bytes): Promise<Secret>;
  /** Of the key of that name (`keyName`). Safe to repeat. */
  destroy(wallet: Bytes, name: Bytes): Promise<void>;
  /** Health probe. */
  check(): Promise<void>;
}

const NAME = 16;
const NONCE = 12;
const KEPT_MS = 60_000;
const KEPT_MAX = 1000;

/** Of the key that a share was sealed under: 16 bytes. */
export function keyName(sealed: Bytes): Bytes {
  return sealed.slice(0, NAME);
}

/** One file a key in `folder`. `BadConfiguration` if there can be none. */
export async function openKeyFolder(folder: string, random: Random): Promise<KeyWrap> {
  await ownFolder('keys', folder);
  const pathOf = (wallet: Bytes, name: Bytes) =>
    join(folder, `${bytesToHex(wallet)}-${bytesToHex(name)}.key`);

  const kept = new Map<string, AesGcm>();

  async function keyAt(path: string): Promise<AesGcm> {
    const known = kept.get(path);
    if (known !== undefined) return known;
    const raw = await readKeyFile(path, 'keys');
    ensure(raw !== null, 'ShareUnrecoverable', { detail: 'no key' });
    const key = aesGcm(raw.expose());
    raw.wipe();
    if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!);
    kept.set(path, key);
    setTimeout(() => kept.get(path) === key && kept.delete(path), KEPT_MS).unref();
    return key;
  }

  return {
    newName: () => random(NAME),

    async seal(wallet, epoch, share, name = random(NAME)) {
      const raw = Secret.own(random(32));
      try {
        await writeKeyFile(pathOf(wallet, name), raw);
        return concat(name, await aeadSeal(await importAeadKey(raw), share, aad(wallet, epoch), random));
      } catch (cause) {
        throw new HoarfrostError('StoreUnavailable', { detail: 'key store', cause });
      } finally {
        raw.wipe();
      }
    },

    async open(wallet, epoch, sealed) {
      try {
        const key = await keyAt(pathOf(wallet, keyName(sealed)));
        const nonce = sealed.slice(NAME, NAME + NONCE);
        return Secret.own(key.decrypt(nonce, aad(wallet, epoch), sealed.slice(NAME + NONCE)));
      } catch (cause) {
        if (isHoarfrostError(cause) && cause.code === 'ShareUnrecoverable') throw cause;
        throw new HoarfrostError('ShareUnrecoverable', { cause });
      }
    },

    async destroy(wallet, name) {
      kept.delete(pathOf(wallet, name));
      try {
        await overwrite(pathOf(wallet, name));
        await unlink(pathOf(wallet, name));
        // Whoever read it in between keeps it no longer.
        kept.delete(pathOf(wallet, name));
        await syncFolder(folder);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
        throw new HoarfrostError('StoreUnavailable', { detail: 'key store', cause });
      }
    },

    async check() {
      try {
        await syncFolder(folder);
      } catch (cause) {
        throw new HoarfrostError('StoreUnavailable', { detail: 'key store', cause });
      }
    },
  };
}

function aad(wallet: Bytes, epoch: number): Bytes {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, epoch);
  return concat(new TextEncoder().encode('hoarfrost/share'), wallet, number);
}

/** Best effort: a copying file system keeps old blocks, which is why the folder belongs on storage that does not. */
async function overwrite(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(new Uint8Array(32), 0, 32, 0);
  await file.sync();
}
