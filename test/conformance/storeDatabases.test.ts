/** What is each database's own: data of older versions, locks that are never given back, servers that fail or do not keep their word. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import type { Store } from '../../src/cosigner/store.ts';
import type { Fence } from '../../src/cosigner/stores/fence.ts';
import { FENCE_MS, openPostgres, POSTGRES_WORDS } from '../../src/cosigner/stores/postgres.ts';
import { MIGRATIONS, spell } from '../../src/cosigner/stores/schema.ts';
import { openSqlite, SQLITE_WORDS } from '../../src/cosigner/stores/sqlite.ts';
import { describeReal } from '../support/real.ts';
import { bytes, code, NOW, walletOf } from '../support/stores.ts';

/** Of each version of the schema: a new one is added here, an old one never changes. */
const PRINTS = [
  '5dd44e55025d5b2e',
  '3a0a27f32e28656b',
  '9e818e7a9ca9c160',
  '484e3f12b8de1f9e',
  '1d2fe6b2382edc1c',
  '781f2937298db25a',
  'ca776a99d2c007a0',
];
/** The schema as it was at a version, with one wallet in it. */
const atVersion = (version: number, words: Parameters<typeof spell>[1], blob: (n: number) => string) =>
  [
    ...MIGRATIONS.slice(0, version).map((migration) => spell(migration, words)),
    `INSERT INTO wallet (id, session, device_key, certificate, epoch, begun_at)
       VALUES (${[10, 11, 12, 13].map(blob).join(', ')}, 3, ${NOW});`,
    `INSERT INTO share (wallet, epoch, sealed) VALUES (${blob(10)}, 3, ${blob(14)});`,
    `INSERT INTO attempt (wallet, epoch, request, spend, at, answer)
       VALUES (${blob(10)}, 3, ${blob(1)}, ${blob(2)}, ${NOW}, ${blob(3)});`,
    `INSERT INTO commitment (wallet, epoch, hash, request) VALUES (${blob(10)}, 3, ${blob(4)}, ${blob(1)});`,
    `INSERT INTO charge (wallet, at, amount) VALUES (${blob(10)}, ${NOW}, 7);`,
    version < 3 ? '' : `UPDATE cosigner SET identity = ${blob(15)}, ledger = ${blob(17)};`,
  ].join('\n');

async function checkOld(store: Store): Promise<void> {
  expect(await store.bound()).toBe(true);
  await store.withWallet(bytes(10), async (tx) => {
    expect(tx.wallet).toMatchObject({ epoch: 3, bornAt: NOW, lostAt: null });
    expect(await tx.sealedShare()).toEqual(bytes(14));
    expect(await tx.attempt(bytes(1))).toEqual({ answer: bytes(3) });
    expect(await tx.commitmentsUsed([bytes(4)])).toBe(true);
    expect(await tx.chargedSince(0)).toBe(7n);
    await tx.putRecord('policy', bytes(1), bytes(2));
    await tx.charge(1n, NOW);
  });
  const { ledger } = await store.greeting();
  await store.bind(bytes(15), bytes(6, 16), { number: 0, noiseKey: bytes(7) });
  // A ledger that had a name keeps it: what was asked under it is not void.
  const named = ledger.some((byte) => byte !== 0) ? ledger : bytes(6, 16);
  expect(await store.greeting()).toMatchObject({ ledger: named });
  await store.close();
}
const VERSIONS = MIGRATIONS.map((_, i) => i + 1);

test('audit-23 no version of the schema that was ever used changes any more', () => {
  const prints = MIGRATIONS.map((text) => createHash('sha256').update(text).digest('hex').slice(0, 16));
  expect(prints).toEqual(PRINTS);
});

describe('sqlite', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'store-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each(VERSIONS)('audit-23 data of version %i opens', async (version) => {
    const path = join(folder, 'old.sqlite');
    const db = new DatabaseSync(path);
    db.exec(atVersion(version, SQLITE_WORDS, (n) => `X'${Buffer.from(bytes(n)).toString('hex')}'`));
    db.exec(`PRAGMA user_version = ${version}`);
    db.close();
    await checkOld(openSqlite(path));
  });

  test('audit-23 a database of a newer version is refused and left alone', async () => {
    const path = join(folder, 'new.sqlite');
    await openSqlite(path).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openSqlite(path)).toThrow(code('StoreUnavailable'));
    const again = new DatabaseSync(path);
    expect(again.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 99 });
    again.close();
  });

  test('readers do not wait for writers: write-ahead log', async () => {
    const path = join(folder, 'test.sqlite');
    const store = openSqlite(path);
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    db.close();
    await store.close();
  });

  test('a lock that another process never gives back is StoreUnavailable, in bounded time', async () => {
    const path = join(folder, 'test.sqlite');
    const store = openSqlite(path);
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.addToken(bytes(1), NOW)).rejects.toEqual(code('StoreUnavailable'));
    other.exec('ROLLBACK');
    other.close();
    await store.addToken(bytes(1), NOW);
    await store.close();
  });
});

await describeReal('postgres', ['postgres'], () => {
  let server: PostgresServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const fresh = async () => {
    const name = `alone${++databases}`;
    await server.sql(`CREATE DATABASE ${name}`);
    return name;
  };
  /** With wallet `a` in it. */
  const withWallet = async (url: string) => {
    const store = await openPostgres(url);
    await store.addToken(bytes(1), NOW + 1);
    await store.enrol(walletOf(10), bytes(1));
    return store;
  };
  const charged = (store: Store) => store.viewWallet(bytes(10), (view) => view.chargedSince(0));

  test.each(VERSIONS)('audit-23 data of version %i opens', async (version) => {
    const name = await fresh();
    const old = atVersion(version, POSTGRES_WORDS, (n) => `'\\x${Buffer.from(bytes(n)).toString('hex')}'`);
    await server.sql(
      `CREATE TABLE schema_version (version int NOT NULL); INSERT INTO schema_version VALUES (${version}); ${old}`,
      name,
    );
    // Instances that start at once migrate once.
    const [store, ...others] = await Promise.all([1, 2, 3].map(() => openPostgres(server.url(name))));
    for (const other of others) await other.close();
    await checkOld(store!);
  });

  test('audit-23 a database of a newer version is refused and left alone', async () => {
    const name = await fresh();
    await (await openPostgres(server.url(name))).close();
    await server.sql('UPDATE schema_version SET version = 99', name);
    await expect(openPostgres(server.url(name))).rejects.toEqual(code('BadConfiguration'));
    expect(await server.sql('SELECT version FROM schema_version', name)).toBe('99');
  });

  test('a server that does not keep what it says it has written is refused', async () => {
    const careless = await startPostgres({ settings: ['fsync=off'] });
    await expect(openPostgres(careless.url('postgres'))).rejects.toEqual(code('BadConfiguration'));
    await careless.stop();
  });

  test.each(['the answer to', 'the question of'] as const)(
    'audit-22 where %s a COMMIT is lost, it is still done once',
    async (lost) => {
      const name = await fresh();
      const proxy = await commitLosingProxy(server.port);
      const store = await withWallet(server.url(name).replace(`:${server.port}/`, `:${proxy.port}/`));
      let runs = 0;
      proxy.lose(lost === 'the answer to');
      const value = await store.withWallet(bytes(10), async (tx) => {
        await tx.charge(5n, NOW);
        return ++runs;
      });
      expect(proxy.lost()).toBe(1);
      expect([value, runs]).toEqual(lost === 'the answer to' ? [1, 1] : [2, 2]);
      expect(await charged(store)).toBe(5n);
      await store.close();
      proxy.close();
    },
  );

  test('audit-22 where a COMMIT is lost with a server that crashed, no later transaction is taken for it', async () => {
    // Nothing of a transaction is on the disk before its COMMIT: after the crash its number is given to another one.
    const crashing = await startPostgres({ settings: ['wal_writer_delay=10s'] });
    onTestFinished(() => crashing.stop());
    await crashing.sql('CREATE DATABASE wallets');
    const proxy = await commitLosingProxy(crashing.port);
    const store = await withWallet(crashing.url('wallets').replace(`:${crashing.port}/`, `:${proxy.port}/`));
    let runs = 0;
    proxy.lose(false, async () => {
      await crashing.kill();
      await crashing.restart();
      await crashing.sql(
        'DO $$ BEGIN FOR i IN 1..50 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$',
      );
    });
    const value = await store.withWallet(bytes(10), async (tx) => {
      await tx.charge(5n, NOW);
      return ++runs;
    });
    expect(proxy.lost()).toBe(1);
    expect([value, runs]).toEqual([2, 2]);
    expect(await charged(store)).toBe(5n);
    await store.close();
    proxy.close();
  });

  test('audit-22 where a transaction has not begun, nothing is written', async () => {
    const proxy = await commitLosingProxy(server.port);
    const store = await withWallet(server.url(await fresh()).replace(`:${server.port}/`, `:${proxy.port}/`));
    proxy.spoilBegin();
    const spoilt = store.withWallet(bytes(10), (tx) => tx.charge(5n, NOW));
    await expect(spoilt).rejects.toEqual(code('StoreUnavailable'));
    expect(await charged(store)).toBe(0n);
    await store.withWallet(bytes(10), (tx) => tx.charge(7n, NOW));
    expect(await charged(store)).toBe(7n);
    await store.close();
    proxy.close();
  });

  test.each([
    ['goes on', false],
    ['is cut short by the server', true],
  ])(
    'a commit that no synchronous standby has confirmed is not reported as one, where its wait %s',
    async (_, cut) => {
      const store = await withWallet(server.url(await fresh()));
      const standbys = (names: string) =>
        server.sql(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
      const cutAll = async () =>
        Number(
          await server.sql(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
          ),
        );
      let cuts = 0;
      let cutting: NodeJS.Timeout | undefined;
      try {
        await standbys('nobody');
        await server.sql('SELECT pg_reload_conf()');
        // The server takes it up when it comes to it: then a commit waits.
        for (let waited = 0; waited === 0; ) {
          let ended = false;
          const probe = server.sql('CREATE TABLE probe(); DROP TABLE probe').finally(() => {
            ended = true;
          });
          while (!ended) waited += await cutAll();
          await probe;
        }
        if (cut) cutting = setInterval(async () => (cuts += await cutAll()), 300);
        const lonely = store.withWallet(bytes(10), (tx) => tx.charge(5n, NOW));
        await expect(lonely).rejects.toEqual(code('StoreUnavailable'));
        expect(cuts > 0).toBe(cut);
      } finally {
        clearInterval(cutting);
        await standbys('');
        await server.sql('SELECT pg_reload_conf()');
        await store.close();
      }
    },
  );

  test('audit-22 a connection that the server ends in the middle of a transaction: it is done again, once', async () => {
    const store = await withWallet(server.url(await fresh()));
    let runs = 0;
    await store.withWallet(bytes(10), async (tx) => {
      await tx.charge(5n, NOW);
      if (++runs === 1)
        await server.sql(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'",
        );
    });
    expect(runs).toBe(2);
    expect(await charged(store)).toBe(5n);
    await store.close();
  });

  test('an old primary that others leave in the middle of a transaction is left by it too, before it commits', async () => {
    let newest = 0;
    const raised: number[] = [];
    const fence: Fence = {
      newest: async () => newest,
      raise: async (timeline) => void raised.push(timeline),
    };
    const name = await fresh();
    await (await withWallet(server.url(name))).close();
    const store = await openPostgres(server.url(name), { fence });
    expect(raised).toEqual([1]);
    let runs = 0;
    const late = store.withWallet(bytes(10), async (tx) => {
      runs++;
      await tx.charge(5n, NOW);
      // Another instance takes up the new primary here, and this one has not looked lately.
      newest = 2;
      await sleep(FENCE_MS + 100);
    });
    await expect(late).rejects.toMatchObject({ code: 'StoreUnavailable', detail: 'an old primary' });
    expect(runs).toBe(1);
    newest = 0;
    await sleep(FENCE_MS + 100);
    expect(await charged(store)).toBe(0n);
    await store.close();
  });

  test('a wallet that somebody else never gives back is StoreUnavailable, in bounded time, and concerns no other', async () => {
    const name = await fresh();
    const store = await withWallet(server.url(name));
    const other = new Client({ connectionString: server.url(name) });
    await other.connect();
    await other.query('BEGIN; SELECT 1 FROM wallet FOR UPDATE');
    const stuck = store.withWallet(bytes(10), (tx) => tx.charge(5n, NOW));
    await store.addToken(bytes(9), NOW);
    expect(await charged(store)).toBe(0n);
    await expect(stuck).rejects.toEqual(code('StoreUnavailable'));
    await other.end();
    await store.withWallet(bytes(10), (tx) => tx.charge(5n, NOW));
    expect(await charged(store)).toBe(5n);
    await store.close();
  });
});

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/**
 * Between a store and its server: loses one COMMIT, or what the server says to it, and the connection with it. Nobody gets through
 * before what comes `then` is done.
 */
async function commitLosingProxy(port: number) {
  let losing: { answer: boolean; then: () => Promise<void> } | undefined;
  let lost = 0;
  let closed = false;
  let spoiling = false;
  const proxy = createServer((client) => {
    if (closed) return void client.destroy();
    const upstream = connect(port, '127.0.0.1');
    let cut = false;
    client.on('data', (data) => {
      if (losing !== undefined && data.includes('COMMIT\0')) {
        lost++;
        const { answer, then } = losing;
        losing = undefined;
        cut = answer;
        closed = true;
        void then().finally(() => {
          closed = false;
        });
        if (!answer) return void client.destroy();
      }
      const begin = spoiling ? data.indexOf(BEGIN) : -1;
      if (begin >= 0) {
        data.write('BROKEN', begin);
        spoiling = false;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (cut) client.destroy();
      else client.write(data);
    });
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => peer.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    lose: (answer: boolean, then = async () => {}) => {
      losing = { answer, then };
    },
    /** The server does not understand the next begin of a transaction that writes. */
    spoilBegin: () => {
      spoiling = true;
    },
    lost: () => lost,
    close: () => proxy.close(),
  };
}
