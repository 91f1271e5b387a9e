/**
 * The store in one SQLite file. Each commit is on disk before it is reported (`sqliteLog.ts`); writers queue in this process and
 * take `BEGIN IMMEDIATE` against others; readers have a connection of their own and never wait for their locks.
 */
import { DatabaseSync } from 'node:sqlite';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { Bytes, Store } from '../store.ts';
import { MIGRATIONS, spell } from './schema.ts';
import { type Database, type Sql, SqlStore } from './sql.ts';
import { asStoreError, Connection, Writer } from './sqliteConnection.ts';
import { Checkpoints, WriteAheadLog } from './sqliteLog.ts';

/** Another process that holds the lock, at the start. */
const BUSY_DEADLINE_MS = 5000;
/** 64 MB: only where the thread that keeps the log short (`Checkpoints`) does not get on. */
const CHECKPOINT_PAGES = 16_384;
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
      // So is flushing a commit: without the log's flush the order of writes is still SQLite's, and it waits for no disk.
      db.exec('PRAGMA synchronous = NORMAL');
      const reader = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
      const writer = new Writer(db, new WriteAheadLog(path), new Checkpoints(path));
      return new SqlStore(new Sqlite(writer, new Connection(reader)));
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
  readonly #writer: Writer;
  readonly #reader: Connection;

  constructor(writer: Writer, reader: Connection) {
    this.#writer = writer;
    this.#reader = reader;
  }

  write<T>(_wallet: Bytes | null, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#writer.grouped(work);
  }

  async read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const value = await this.#reader.transaction('BEGIN', work);
    // It may have seen what is committed and not yet on disk: nobody is told of what a power cut could still take back.
    await this.#writer.flushed;
    return value;
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }
}
