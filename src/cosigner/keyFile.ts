/** Secret keys as files of their own: 32 raw bytes, for this user alone, on disk before anyone relies on them. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, link, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';

const LENGTH = 32;

/** Makes the folder of that setting for this user alone, if it is not there. `BadConfiguration` if it is another user's. */
export async function ownFolder(setting: 'data' | 'keys', folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new HoarfrostError('BadConfiguration', {
      detail: `${setting}: the folder cannot be written by this user`,
      cause,
    });
  }
}

/** The file appears whole or not at all. `EEXIST` rather than replace a key. */
export async function writeKeyFile(path: string, key: Secret): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    {
      await using file = await open(draft, 'wx', 0o600);
      await file.write(key.expose());
      await file.sync();
    }
    await link(draft, path);
  } finally {
    await unlink(draft).catch(() => {});
  }
  await syncFolder(dirname(path));
}

/** Null if there is none. `BadConfiguration`, in the name of the setting, if this user may not read it, others may, or it is not a key. */
export async function readKeyFile(
  path: string,
  setting: 'data' | 'keys' | 'backup-key',
): Promise<Secret | null> {
  const bad = (detail: string, cause?: unknown) =>
    new HoarfrostError('BadConfiguration', { detail: `${setting}: ${detail}`, cause });
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw bad('a key file cannot be read', cause);
  }
  await using _ = file;
  const { mode, size } = await file.stat();
  if ((mode & 0o077) !== 0) throw bad('a key file is open to other users');
  if (size !== LENGTH) throw bad('a key file is damaged');
  const bytes = new Uint8Array(LENGTH);
  const { bytesRead } = await file.read(bytes, 0, LENGTH, 0);
  const key = Secret.own(bytes);
  if (bytesRead === LENGTH) return key;
  key.wipe();
  throw bad('a key file is damaged');
}

/** The key at `path`, made first if it is not there and `mayCreate`. `BadConfiguration` if it is missing. */
export async function openKeyFile(path: string, mayCreate: boolean, random: Random): Promise<Secret> {
  const existing = await readKeyFile(path, 'data');
  if (existing !== null) return existing;
  ensure(mayCreate, 'BadConfiguration', { detail: 'data: the folder has wallets but lacks its key files' });
  const made = Secret.own(random(LENGTH));
  try {
    await writeKeyFile(path, made);
    return made;
  } catch (e) {
    made.wipe();
    // Another command of this cosigner was faster.
    if ((e as NodeJS.ErrnoException).code === 'EEXIST') return openKeyFile(path, false, random);
    throw e;
  }
}

/** A new or removed name is durable only once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
