import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';

const LATER = 2_000_000_000_000;
const hash = (n: number) => new Uint8Array(32).fill(n);

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hoarfrost-sqlite-'));
  path = join(folder, 'cosigner.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tokens = () => {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db
      .prepare('SELECT hash FROM token ORDER BY hash')
      .all()
      .map((row) => (row.hash as Uint8Array)[0]);
  } finally {
    db.close();
  }
};

test('audit-08: of writers that share a commit, one that fails takes nobody with it', async () => {
  const store = openSqlite(path);
  const unknownToken = () =>
    store.enrol(
      {
        id: hash(1),
        session: hash(2),
        deviceKey: hash(3),
        recoveryKey: hash(6),
        certificate: hash(4),
        epoch: 0,
        sealedShare: hash(5),
        begunAt: 0,
      },
      hash(99),
    );
  // All are asked for in one turn of the loop, so they wait together and share what follows.
  const outcomes = await Promise.allSettled([
    store.addToken(hash(10), LATER),
    unknownToken(),
    store.addToken(hash(11), LATER),
    unknownToken(),
    store.addToken(hash(12), LATER),
  ]);
  expect(outcomes.map((o) => (o.status === 'fulfilled' ? 'done' : o.reason.code))).toEqual([
    'done',
    'TokenUnknown',
    'done',
    'TokenUnknown',
    'done',
  ]);
  expect(tokens()).toEqual([10, 11, 12]);
  await expect(store.walletOfDevice(hash(3))).resolves.toBeNull();
  await store.close();
});

test('what was asked for before close is durable, what comes after is refused', async () => {
  const store = openSqlite(path);
  const before = Array.from({ length: 100 }, (_, i) => store.addToken(hash(i), LATER));
  const closed = store.close();
  await expect(store.addToken(hash(200), LATER)).rejects.toMatchObject({ code: 'StoreUnavailable' });
  await Promise.all(before);
  await closed;
  expect(tokens()).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test('nobody of a group is answered when its commit fails', async () => {
  const store = openSqlite(path);
  await store.addToken(hash(1), LATER);
  // Another process holds the lock for longer than anybody waits.
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const outcomes = Promise.allSettled([store.addToken(hash(2), LATER), store.addToken(hash(3), LATER)]);
  for (const { status } of await outcomes) expect(status).toBe('rejected');
  other.exec('ROLLBACK');
  other.close();
  expect(tokens()).toEqual([1]);
  await store.addToken(hash(4), LATER);
  expect(tokens()).toEqual([1, 4]);
  await store.close();
});
