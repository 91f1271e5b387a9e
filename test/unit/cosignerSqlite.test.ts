import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { Writer } from '../../src/cosigner/stores/sqliteConnection.ts';
import { Checkpoints, WriteAheadLog } from '../../src/cosigner/stores/sqliteLog.ts';

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

/** A log whose flushes end when the test says so. */
class SlowLog extends WriteAheadLog {
  readonly flushes: { done: () => void; fail: () => void }[] = [];
  restored = 0;

  override flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.flushes.push({ done: resolve, fail: () => reject(new Error('EIO')) });
    });
  }

  override restore(): void {
    this.restored++;
  }
}

test('nobody is answered before the log is flushed, and a reader waits for what it has seen', async () => {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER) STRICT; PRAGMA synchronous = NORMAL');
  const log = new SlowLog(path);
  const writer = new Writer(db, log, new Checkpoints(path));
  const heard: string[] = [];
  const write = (n: number) =>
    writer
      .grouped((sql) => sql.run('INSERT INTO t (n) VALUES (?)', [n]))
      .then(
        () => heard.push(`${n} done`),
        (e: { code: string }) => heard.push(`${n} ${e.code}`),
      );
  const flushing = (count: number) => expect.poll(() => log.flushes.length).toBe(count);
  const committed = () => db.prepare('SELECT count(*) AS n FROM t').get()!.n;

  void write(1);
  await flushing(1);
  void writer.flushed.then(() => heard.push('reader'));
  // Worked on meanwhile, flushed after it; the one behind that waits.
  void write(2);
  await expect.poll(committed).toBe(2);
  void write(3);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([committed(), log.flushes.length, heard]).toEqual([2, 1, []]);

  log.flushes[0]!.done();
  await flushing(2);
  expect(heard.sort()).toEqual(['1 done', 'reader']);
  await expect.poll(committed).toBe(3);
  log.flushes[1]!.fail();
  await flushing(3);
  expect(heard).toContain('2 StoreUnavailable');
  log.flushes[2]!.done();
  void write(4);
  await flushing(4);
  log.flushes[3]!.done();
  await expect.poll(() => heard).toContain('4 done');
  // With the lock of each group, so that what a failed flush may have lost is written again first.
  expect(log.restored).toBe(4);
  await writer.close();
});

test('what a failed flush may have lost is written again before anything else is flushed', async () => {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER) STRICT; INSERT INTO t VALUES (1)');
  const log = new WriteAheadLog(path);
  await log.flush();
  const before = readFileSync(`${path}-wal`);
  log.close();
  // A descriptor that is closed: the kernel fails this flush as it would fail one on a broken disk.
  await expect(log.flush()).rejects.toMatchObject({ code: 'EBADF' });
  await expect(log.flush()).rejects.toMatchObject({ code: 'StoreUnavailable' });
  expect(() => log.restore()).toThrow('EBADF');
  expect(readFileSync(`${path}-wal`)).toEqual(before);
  db.close();
});

test('the log is copied into the database by a thread of its own', async () => {
  const store = openSqlite(path);
  const size = () => statSync(path).size;
  const before = size();
  // Each in a commit of its own.
  for (let i = 0; i < 300; i++) {
    const name = hash(0);
    new DataView(name.buffer).setUint32(0, i);
    await store.addToken(name, LATER);
  }
  await expect.poll(size).toBeGreaterThan(before);
  await store.close();
  expect(tokens()).toHaveLength(300);
});
