/** Thefts of device and cosigner in different epochs: a real cosigner's stale backup and the device's old share. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackupParts, backup, restore } from '../../src/cosigner/backup.ts';
import { keyName, openKeyFolder } from '../../src/cosigner/keywrap.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import {
  type Bytes,
  type Client,
  newDevice,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import { refreshedFully } from '../support/refreshing.ts';
import { interpolate, numberOf, opens } from '../support/shares.ts';

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  ({ device, client } = await newDevice(running));
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

const idOf = ({ keys }: TestDevice) => keys.wallet as Bytes;
const view = <T>(look: Parameters<Store['viewWallet']>[1]) =>
  running.cosigner.store.viewWallet(idOf(device), look) as Promise<T>;

describe('a stale backup of the cosigner and an old share of the device', () => {
  /** All that a thief may try: every key that the folder holds now, on every sealed share that the copy holds. */
  async function tryToOpen(copy: Store, keys: string): Promise<Secret | null> {
    const wrap = await openKeyFolder(keys, systemRandom);
    const { sealed, epoch } = await copy.viewWallet(idOf(device), async (v) => ({
      sealed: await v.sealedShare(),
      epoch: v.wallet.epoch,
    }));
    const names = readdirSync(keys);
    for (const name of names) {
      // Each key under the name that the old share asks for.
      const bare = join(folder, `thief-${name}`);
      mkdirSync(bare);
      const wanted = `${Buffer.from(idOf(device)).toString('hex')}-${Buffer.from(keyName(sealed)).toString('hex')}.key`;
      copyFileSync(join(keys, name), join(bare, wanted));
      const share = await (await openKeyFolder(bare, systemRandom))
        .open(idOf(device), epoch, sealed)
        .catch(() => null);
      rmSync(bare, { recursive: true });
      if (share !== null) return share;
    }
    return wrap.open(idOf(device), epoch, sealed).catch(() => null);
  }

  const key = (device1: Secret, cosigner2: Secret) =>
    interpolate({ id: 1, share: numberOf(device1) }, { id: 2, share: numberOf(cosigner2) });

  test('together with all of the cosigner as it is now do not give the key; one epoch’s pair would', async () => {
    const path = { kind: 'keyFile', path: join(folder, 'backup.key') } as const;
    writeFileSync(path.path, systemRandom(32), { mode: 0o600 });
    const parts: BackupParts = { ...running.cosigner, now: Date.now };
    const file = join(folder, 'stale');
    await backup(running.cosigner.store, parts, file, path);
    const restored = async () => {
      rmSync(join(folder, 'copy'), { force: true });
      const copy = openSqlite(join(folder, 'copy'));
      await restore(copy, parts, file, path);
      return copy;
    };
    const keys = join(folder, 'epoch-keys');

    // Control: before the refresh the very same thief has it.
    let copy = await restored();
    const stolen = (await tryToOpen(copy, keys))!;
    expect(opens(device.keys.groupKey, key(device.share, stolen))).toBe(true);
    await copy.close();

    const next = await refreshedFully(client, device);
    copy = await restored();
    expect(await tryToOpen(copy, keys)).toBeNull();
    await copy.close();

    // All that is left to pair: the old share of the device and the new one of the cosigner, and the other way round.
    const sealed = await view<Bytes>((v) => v.sealedShare());
    const now = await running.cosigner.keyWrap.open(idOf(device), 1, sealed);
    expect(opens(device.keys.groupKey, key(device.share, now))).toBe(false);
    expect(opens(device.keys.groupKey, key(next.share, stolen))).toBe(false);
    expect(opens(device.keys.groupKey, key(next.share, now))).toBe(true);
    // And no file of the database itself still opens with what is here.
    for (const name of readdirSync(folder).filter((n) => n.startsWith('cosigner.sqlite')))
      expect(readFileSync(join(folder, name)).includes(Buffer.from(stolen.expose()))).toBe(false);
  });
});
