import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, PASSWORD, pay } from '../../scripts/person.ts';
import { openKeyFolder } from '../../src/cosigner/keywrap.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import type { Epoch } from '../../src/frost/epoch.ts';
import { type KeyRecord, recoverShare, verifyCertificate } from '../../src/frost/keygen.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import { encode } from '../../src/protocol/codec.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { readOffline } from '../../src/protocol/offlineText.ts';
import { keysFromWords } from '../../src/recovery/words.ts';
import { filesBelow, type Haystack, search } from '../support/forms.ts';
import { describeReal } from '../support/real.ts';
import { takeExport } from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const ORDER = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;
/** 1/3 mod n. */
const THIRD = (2n * ORDER + 1n) / 3n;
const number = (b: Uint8Array) => BigInt(`0x${Buffer.from(b).toString('hex')}`);
const scalar = (n: bigint) =>
  Uint8Array.from(Buffer.from((((n % ORDER) + ORDER) % ORDER).toString(16).padStart(64, '0'), 'hex'));

await describeReal('audit-10: no share outside the vault', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let words: string[];
  let record: KeyRecord;
  let shares: Uint8Array[];
  /** The three before the refresh, 3a and a. */
  let old: Uint8Array[];
  let epoch: Epoch;
  let signer: SignerModule;
  /** The file of public records. */
  let saved: string;
  const planted = randomBytes(32);
  const passwords = [PASSWORD, 'evening ferry lantern moss'] as const;

  beforeAll(async () => {
    world = await openWorld();
    const born = await fundedWallet(world, 1_000_000n);
    words = born.words;
    const payee = await world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    await pay(born.page, { to: payee, amount: 100_000n });
    const refreshing = await world.chromium.open('safety.html');
    await refreshing.getByRole('button', { name: 'Refresh now', exact: true }).click();
    await refreshing.getByText(/^Last refresh: no\. 1,/).waitFor();
    await refreshing.getByRole('button', { name: 'Refresh now', exact: true }).waitFor();
    await refreshing.close();
    await pay(born.page, { to: payee, amount: 100_000n });

    const exporting = await world.chromium.open('safety.html#export');
    saved = await takeExport(exporting);
    await exporting.close();

    // A change of the password opens the old lock and makes a new one: neither may leave a trace.
    const safety = await world.chromium.open('safety.html#password');
    await safety.getByLabel('Password now').fill(passwords[0]);
    await safety.getByLabel('New password').fill(passwords[1]);
    await safety.getByLabel('Once more').fill(passwords[1]);
    await safety.getByRole('button', { name: 'Change the password' }).click();
    await safety.getByRole('heading', { name: 'The password is changed' }).waitFor();
    await safety.close();

    // The positive control: bytes laid where a careless wallet would lay a share, in the shapes it would use.
    await born.page.evaluate(async (hex) => {
      const bytes = Uint8Array.from(hex.match(/../g)!, (h) => Number.parseInt(h, 16));
      const open = indexedDB.open('control', 1);
      open.onupgradeneeded = () => open.result.createObjectStore('control');
      await new Promise((done) => (open.onsuccess = done));
      const tx = open.result.transaction('control', 'readwrite');
      // Twice: where a block of the database's log ends, one is cut in two.
      for (const key of ['share', 'again']) tx.objectStore('control').put({ bytes, hex }, key);
      await new Promise((done) => (tx.oncomplete = done));
      open.result.close();
    }, planted.toString('hex'));

    // The three shares, from what only this test has together: share 2 by the cosigner's own key, share 3 by the words,
    // and share 1 on the line through both.
    signer = await load();
    const store = openSqlite(join(world.cosignerFolder, 'cosigner.sqlite'));
    const [id] = await walletIds(world);
    const { certificate, sealed, records } = await store.viewWallet(id!, async (view) => ({
      certificate: view.wallet.certificate,
      records: (await view.records('epoch')).map(({ body }) => body),
      sealed: await view.sealedShare(),
    }));
    await store.close();
    record = verifyCertificate(signer, certificate);
    const keys = await openKeyFolder(join(world.cosignerFolder, 'epoch-keys'), systemRandom);
    const { privateKey } = (await keysFromWords(words)).encryption;
    const recovered = await recoverAtEpoch(signer, privateKey, certificate, [records]);
    epoch = recovered.epoch;
    const [two, three] = [await keys.open(id!, epoch.number, sealed), recovered.share];
    const one = scalar(2n * number(two.expose()) - number(three.expose()));
    shares = [one, two.expose(), three.expose()];
    // Of the epoch before: recovery's from the words alone, and 3a by which it moved, and a.
    const before = (await recoverShare(signer, privateKey, certificate)).share.expose();
    const moved = number(three.expose()) - number(before);
    const slope = moved * THIRD;
    old = [
      scalar(number(one) - slope),
      scalar(number(two.expose()) - 2n * slope),
      before,
      scalar(moved),
      scalar(slope),
    ];
  });
  afterAll(() => world?.close());

  test('the test holds the real three shares, and those before the refresh', () => {
    for (const [i, share] of shares.entries())
      expect(signer.publicKey(Secret.own(Uint8Array.from(share)))).toEqual(epoch.verifyingShares[i]);
    expect(epoch.number).toBe(1);
    for (const [i, y] of record.verifyingShares.entries())
      expect(signer.publicKey(Secret.own(Uint8Array.from(old[i]!)))).toEqual(y);
  });

  const places = async (): Promise<Haystack[]> => [
    ...(await filesBelow(world.profile)).map((f) => ({ ...f, name: `profile/${f.name}` })),
    ...(await filesBelow(world.cosignerFolder)).map((f) => ({ ...f, name: `cosigner/${f.name}` })),
    { name: 'export', bytes: Buffer.from(saved) },
    { name: 'export, decoded', bytes: Buffer.from(encode(offlineMessage, readOffline(saved))) },
    { name: 'cosigner log', bytes: Buffer.from(world.cosigner.log()) },
    ...world.proxy.frames.map((f) => ({
      name: `frame ${f.index} ${f.direction}`,
      bytes: Buffer.from(f.bytes),
    })),
  ];

  test('control: what was planted in IndexedDB is found, and what must be public is found in its place', async () => {
    const all = await places();
    const hits = search(all, planted);
    expect(hits).toEqual(expect.arrayContaining([expect.stringMatching(/^profile\/.*IndexedDB.*: raw$/)]));
    expect(hits).toEqual(expect.arrayContaining([expect.stringMatching(/^profile\/.*IndexedDB.*: hex$/)]));
    expect(search(all, record.groupKey)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^cosigner\/.*sqlite/)]),
    );
    expect(search(all, record.groupKey)).toContain('export, decoded: raw');
    expect(world.proxy.frames.length).toBeGreaterThan(10);
    expect(world.cosigner.log().length).toBeGreaterThan(100);
  });

  test('no share while unlocked: profile, database, key store, log, frames', async () => {
    const all = await places();
    for (const share of [...shares, ...old]) expect(search(all, share)).toEqual([]);
  });

  test('nor the words, nor a password: the one before its change, or the one after', async () => {
    const all = await places();
    for (const text of [...passwords, words.join(' '), words.slice(0, 4).join(' ')]) {
      const found = all.filter(
        ({ bytes }) => bytes.includes(text) || bytes.includes(Buffer.from(text, 'utf16le')),
      );
      expect(found.map(({ name }) => name)).toEqual([]);
    }
  });

  test('no share after lock, nor after the browser was closed', async () => {
    const page = await openWallet(world.chromium.open);
    await page.getByRole('button', { name: 'Lock now' }).click();
    await page.getByRole('heading', { name: 'Locked' }).waitFor();
    for (const share of [...shares, ...old]) expect(search(await places(), share)).toEqual([]);
    await world.chromium.close();
    for (const share of [...shares, ...old]) expect(search(await places(), share)).toEqual([]);
    expect(search(await places(), planted).length).toBeGreaterThan(0);
  });
});

async function walletIds(world: World): Promise<Uint8Array<ArrayBuffer>[]> {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(join(world.cosignerFolder, 'cosigner.sqlite'), { readOnly: true });
  try {
    return db
      .prepare('SELECT id FROM wallet')
      .all()
      .map((row) => Uint8Array.from(row.id as Uint8Array));
  } finally {
    db.close();
  }
}
