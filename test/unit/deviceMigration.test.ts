/**
 * A profile of an older version opens. `data/` holds the rows of each as its own version wrote them, as the port's text; the
 * certificate in them is of the present format, since its older ones were never released.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IDBFactory } from 'fake-indexeddb';
import { deleteDB, openDB } from 'idb';
import { beforeEach, expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import { openDatabase } from '../../src/device/database.ts';
import { Vault } from '../../src/device/vault.ts';
import type { WalletRecord } from '../../src/device/wallet.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import { decodePort } from '../../src/protocol/portCodec.ts';
import { databaseOf, MortalDatabase, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { PASSWORD } from '../support/onboard.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const text = readFileSync(join(import.meta.dirname, 'data/database1.txt'), 'utf8').trim();
const rows = decodePort(text) as Record<string, unknown[]>;
/** All of version 1's stores with one row have their own name for its key. */
const ONE_ROW = ['vault', 'pending', 'wallet', 'settings'];

let profile: Profile;
beforeEach(async () => {
  profile = { ...newProfile(), indexedDB: new IDBFactory() };
  globalThis.indexedDB = profile.indexedDB;
  const db = await openDB('hoarfrost', 1, {
    upgrade(opened) {
      for (const store of [...Object.keys(rows), 'session']) opened.createObjectStore(store);
    },
  });
  for (const store of ONE_ROW) for (const row of rows[store]!) await db.put(store, row, store);
  db.close();
});

test('version 1: locked, then unlocked with its password, the same wallet with the same share', async () => {
  const worker = await Worker.start(profile);
  expect(await worker.call('state', null)).toMatchObject({
    phase: 'locked',
    network: 'regtest',
    securityKey: null,
  });
  await worker.call('unlock', { password: PASSWORD });
  const key = verifyCertificate(await load(), (rows.wallet![0] as WalletRecord).certificate);
  const { address } = deriveKey({ ...key, account: 0 }, 0, 0);
  expect(await worker.call('receiveAddress', null)).toMatchObject({ address });
  expect(await worker.call('state', null)).toMatchObject({
    phase: 'unlocked',
    wallet: { autoLockMinutes: 30, route: null },
  });
  await worker.call('setRoute', { url: 'https://esplora.example/api' });
  await worker.call('lock', null);

  const db = await databaseOf(profile);
  expect(await db.get('vault', 'vault')).toMatchObject({ version: 2 });
  expect(await db.all('shares')).toMatchObject([{ epoch: 0 }]);
  const next = await Worker.start(profile);
  await next.call('unlock', { password: PASSWORD });
  expect(await next.call('state', null)).toMatchObject({ wallet: { route: { ours: true } } });
  await next.call('lock', null);
});

test('the share that comes out is the one that was put in', async () => {
  const worker = await Worker.start(profile);
  const opened: Vault[] = [];
  const { open } = Vault;
  Vault.open = async (...args) => {
    const vault = await open.apply(Vault, args);
    opened.push(vault);
    return vault;
  };
  try {
    await worker.call('unlock', { password: PASSWORD });
  } finally {
    Vault.open = open;
  }
  const signer = await load();
  const key = verifyCertificate(signer, (rows.wallet![0] as WalletRecord).certificate);
  const vault = opened[0]!;
  const [share, host] = [await vault.share(0), await vault.host()];
  expect(signer.publicKey(share)).toEqual(key.verifyingShares[0]);
  expect(signer.publicKey(host).slice(1)).toEqual(key.hostKeys[0]);
  expect((await vault.channel()).publicKey).toEqual(key.deviceNoiseKey);
  await worker.call('lock', null);
});

test('a wrong password upgrades nothing', async () => {
  const worker = await Worker.start(profile);
  await expect(worker.call('unlock', { password: `${PASSWORD}!` })).rejects.toEqual(code('WrongPassword'));
  expect(await (await databaseOf(profile)).get('vault', 'vault')).toEqual(rows.vault![0]);
});

test.each(['before', 'after'] as const)(
  'the worker dies %s the one write of the upgrade: the password still opens',
  async (when) => {
    const dying = await Worker.start(profile, { death: { by: 'write', at: 1, when } });
    await expect(dying.call('unlock', { password: PASSWORD })).rejects.toThrow();
    expect(dying.life.db).toBeInstanceOf(MortalDatabase);
    const worker = await Worker.start(profile);
    await worker.call('unlock', { password: PASSWORD });
    expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
    await worker.call('lock', null);
  },
);

test.each([
  [
    'parameters under the floor',
    (v: { kdf: object }) => ({ ...v, kdf: { ...v.kdf, memory: 1024 } }),
    'VaultDamaged',
  ],
  ['another epoch', (v: object) => ({ ...v, epoch: 1 }), 'WrongPassword'],
  ['another network', (v: object) => ({ ...v, network: 'mainnet' }), 'WrongPassword'],
] as const)('version 1 with %s does not open', async (_name, change, error) => {
  const db = await databaseOf(profile);
  await db.write([{ store: 'vault', key: 'vault', value: change(rows.vault![0] as never) as never }]);
  const worker = await Worker.start(profile);
  await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code(error));
});

test('a database of a later version is left alone', async () => {
  await deleteDB('later');
  (await openDB('later', 1000)).close();
  await expect(openDatabase('later')).rejects.toEqual(code('StoreUnavailable'));
});
