/**
 * The store in one SQLite file. Each commit is on disk before it is reported (WAL, `synchronous=FULL`); writers queue in
 * this process and take `BEGIN IMMEDIATE` against others; readers have a connection of their own and never wait for them.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { Bytes, Store, Value } from '../store.ts';
import { MIGRATIONS, spell } from './schema.ts';
import { type Database, type Sql, SqlStore } from './sql.ts';

const BUSY = 5;
const BUSY_DEADLINE_MS = 5000;
const PAGE = 500;
/** Writers that share one commit. */
const GROUP_MAX = 32;
/** The log is copied into the database every 32 MB, not every 4: each time holds everything up for some milliseconds. */
const CHECKPOINT_PAGES = 8192;
const CACHE_KIB = 16 << 10;
const PRAGMAS = `PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
  PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB};`;
export const SQLITE_WORDS = {
  BYTES: 'BLOB',
  INT: 'INTEGER',
  SERIAL: 'INTEGER',
  CLUSTERED: 'STRICT, WITHOUT ROWID',
  STRICT: 'STRICT',
};

/** Opens and migrates, or makes, the database. */
export function openSqlite(path: string): Store {
  return asStoreError(() => {
    const db = new DatabaseSync(path, { timeout: BUSY_DEADLINE_MS });
    try {
      db.exec(`PRAGMA journal_mode = WAL; ${PRAGMAS}`);
      migrate(db);
      // From here on waiting is this process's own business: SQLite would wait with the whole event loop.
      db.exec('PRAGMA busy_timeout = 0');
      const reader = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
      return new SqlStore(new Sqlite(new Connection(db), new Connection(reader)));
    } catch (e) {
      db.close();
      throw e;
    }
  });
}

/** Brings an older database up to date, each version in its own transaction; a newer one is refused untouched. */
function migrate(db: DatabaseSync): void {
  const version = () => Number(db.prepare('PRAGMA user_version').get()!.user_version);
  if (version() > MIGRATIONS.length) {
    throw new HoarfrostError('StoreUnavailable', { detail: 'database of a newer version' });
  }
  while (version() < MIGRATIONS.length) {
    db.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have migrated while this one waited for the lock.
      const at = version();
      if (at < MIGRATIONS.length) {
        db.exec(`${spell(MIGRATIONS[at]!, SQLITE_WORDS)}; PRAGMA user_version = ${at + 1}`);
      }
      db.exec('COMMIT');
    } catch (e) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw e;
    }
  }
}

class Sqlite implements Database {
  readonly version = MIGRATIONS.length;
  readonly catalogue = `
    SELECT t.name AS "table", c.name AS "column" FROM sqlite_schema t, pragma_table_info(t.name) c
    WHERE t.type = 'table' ORDER BY t.rowid, c.cid`;
  readonly #writer: Connection;
  readonly #reader: Connection;

  constructor(writer: Connection, reader: Connection) {
    this.#writer = writer;
    this.#reader = reader;
  }

  write<T>(_wallet: Bytes | null, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#writer.grouped(work);
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#reader.transaction('BEGIN', work);
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }
}

interface Waiting {
  readonly work: (sql: Sql) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (e: unknown) => void;
}

/** One database connection: transactions run one after the other, and a failed one concerns nobody else. */
class Connection implements Sql {
  /** Nobody else writes during a transaction that does. */
  readonly forUpdate = '';
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #waiting: Waiting[] = [];
  #grouping = false;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  async all(sql: string, values: readonly Value[] = []): Promise<Record<string, unknown>[]> {
    return asStoreError(() => this.#prepare(sql).all(...values));
  }

  async run(sql: string, values: readonly Value[] = []): Promise<number> {
    return asStoreError(() => Number(this.#prepare(sql).run(...values).changes));
  }

  async scan(sql: string, visit: (rows: Record<string, unknown>[]) => Promise<void>): Promise<void> {
    let page: Record<string, unknown>[] = [];
    for (const row of asStoreError(() => this.#prepare(sql).iterate())) {
      page.push(row);
      if (page.length < PAGE) continue;
      await visit(page);
      page = [];
    }
    if (page.length > 0) await visit(page);
  }

  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new HoarfrostError('StoreUnavailable', { detail: 'closed' }));
    return this.#run(begin, work);
  }

  #run<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: (sql: Sql) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      await this.#begin(begin);
      try {
        const value = await work(this);
        asStoreError(() => this.#db.exec('COMMIT'));
        return value;
      } catch (e) {
        // SQLite rolls back by itself after some errors, such as a full disk.
        if (this.#db.isTransaction) asStoreError(() => this.#db.exec('ROLLBACK'));
        throw e;
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * A writing transaction that shares its commit, which is what costs, with the others that wait: each is a savepoint of its
   * own, so that a failed one concerns nobody else, and none is answered before all are durable.
   */
  grouped<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new HoarfrostError('StoreUnavailable', { detail: 'closed' }));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#grouping) this.#group();
    });
  }

  #group(): void {
    this.#grouping = true;
    const taken: Waiting[] = [];
    const outcomes: (() => void)[] = [];
    const committed = this.#run('BEGIN IMMEDIATE', async () => {
      while (taken.length < GROUP_MAX && this.#waiting.length > 0) {
        const next = this.#waiting.shift()!;
        taken.push(next);
        outcomes.push(await this.#inSavepoint(next));
      }
    });
    const fail = (e: unknown) => {
      // Without the lock nobody's turn came, and nobody's will.
      const failed = taken.length > 0 ? taken : this.#waiting.splice(0);
      for (const { reject } of failed) reject(e);
    };
    void committed
      .then(() => outcomes.forEach((settle) => void settle()), fail)
      .then(() => {
        if (this.#waiting.length > 0) this.#group();
        else this.#grouping = false;
      });
  }

  async #inSavepoint({ work, resolve, reject }: Waiting): Promise<() => void> {
    asStoreError(() => this.#db.exec('SAVEPOINT one'));
    try {
      const value = await work(this);
      asStoreError(() => this.#db.exec('RELEASE one'));
      return () => resolve(value as never);
    } catch (e) {
      // SQLite rolls everything back by itself after some errors, such as a full disk: then all have failed.
      if (!this.#db.isTransaction) throw e;
      asStoreError(() => this.#db.exec('ROLLBACK TO one; RELEASE one'));
      return () => reject(e);
    }
  }

  /** Waits for what was asked before; what is asked after fails. Safe to repeat. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    do await this.#last;
    while (this.#grouping);
    this.#db.close();
  }

  /** Another process that holds the lock is waited for, within a bound. */
  async #begin(sql: string): Promise<void> {
    const started = performance.now();
    for (;;) {
      try {
        this.#db.exec(sql);
        return;
      } catch (e) {
        const busy = (e as { errcode?: number }).errcode === BUSY;
        if (!busy || performance.now() - started > BUSY_DEADLINE_MS) throw storeError(e);
        await sleep(5 + Math.random() * 20);
      }
    }
  }

  /** All integers come as bigint, so that no amount passes through a float. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function storeError(e: unknown): HoarfrostError {
  if (e instanceof HoarfrostError) return e;
  const { errstr } = e as { errstr?: string };
  return new HoarfrostError('StoreUnavailable', {
    ...(errstr === undefined ? {} : { detail: errstr }),
    cause: e,
  });
}

function asStoreError<T>(work: () => T): T {
  try {
    return work();
  } catch (e) {
    throw storeError(e);
  }
}
