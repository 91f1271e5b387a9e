/**
 * The store in one SQLite file. Each commit is on disk before it is reported (WAL, `synchronous=FULL`); writers queue in
 * this process and take `BEGIN IMMEDIATE` against others; readers have a connection of their own and never wait for them.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensure, HoarfrostError } from '../../protocol/errors.ts';
import type {
  AttemptRecord,
  Bytes,
  NewAttempt,
  NewWallet,
  Store,
  StoredReceipt,
  WalletRecord,
  WalletTx,
} from '../store.ts';
import { migrate } from './sqliteSchema.ts';

const BUSY = 5;
const BUSY_DEADLINE_MS = 5000;
const PRAGMAS = 'PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;';

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
      return new SqliteStore(new Connection(db), new Connection(reader));
    } catch (e) {
      db.close();
      throw e;
    }
  });
}

class SqliteStore implements Store {
  readonly #writer: Connection;
  readonly #reader: Connection;

  constructor(writer: Connection, reader: Connection) {
    this.#writer = writer;
    this.#reader = reader;
  }

  withWallet<T>(id: Bytes, work: (tx: WalletTx) => Promise<T>): Promise<T> {
    return this.#writer.transaction('BEGIN IMMEDIATE', (db) => work(openWallet(db, id)));
  }

  viewWallet<T>(id: Bytes, work: (view: WalletTx) => Promise<T>): Promise<T> {
    return this.#reader.transaction('BEGIN', (db) => work(openWallet(db, id)));
  }

  walletOfDevice(deviceKey: Bytes): Promise<Bytes | null> {
    return this.#read((db) => blobOf(db.get('SELECT id FROM wallet WHERE device_key = ?', deviceKey), 'id'));
  }

  certificateOfSession(session: Bytes): Promise<Bytes | null> {
    return this.#read((db) =>
      blobOf(db.get('SELECT certificate FROM wallet WHERE session = ?', session), 'certificate'),
    );
  }

  enrol(wallet: NewWallet, tokenHash: Bytes): Promise<void> {
    return this.#writer.transaction('BEGIN IMMEDIATE', async (db) => {
      checkToken(db, tokenHash, wallet.begunAt);
      const taken = db.get(
        'SELECT 1 FROM wallet WHERE id = ? OR session = ? OR device_key = ?',
        wallet.id,
        wallet.session,
        wallet.deviceKey,
      );
      ensure(taken === undefined, 'WalletExists');
      db.run(
        'INSERT INTO wallet (id, session, device_key, certificate, epoch, begun_at) VALUES (?, ?, ?, ?, ?, ?)',
        wallet.id,
        wallet.session,
        wallet.deviceKey,
        wallet.certificate,
        wallet.epoch,
        wallet.begunAt,
      );
      db.run(
        'INSERT INTO share (wallet, epoch, sealed) VALUES (?, ?, ?)',
        wallet.id,
        wallet.epoch,
        wallet.sealedShare,
      );
      db.run('UPDATE token SET wallet = ? WHERE hash = ?', wallet.id, tokenHash);
    });
  }

  addToken(hash: Bytes, expiresAt: number): Promise<void> {
    return this.#writer.transaction('BEGIN IMMEDIATE', async (db) => {
      db.run('INSERT INTO token (hash, expires_at) VALUES (?, ?)', hash, expiresAt);
    });
  }

  checkToken(hash: Bytes, now: number): Promise<void> {
    return this.#read((db) => checkToken(db, hash, now));
  }

  awaitsFirstToken(now: number): Promise<boolean> {
    return this.#read(
      (db) =>
        db.get('SELECT 1 FROM wallet LIMIT 1') === undefined &&
        db.get('SELECT 1 FROM token WHERE expires_at > ? LIMIT 1', now) === undefined,
    );
  }

  enrolledSince(since: number): Promise<number> {
    return this.#read((db) =>
      Number(db.get('SELECT count(*) AS n FROM wallet WHERE begun_at >= ?', since)!.n as bigint),
    );
  }

  async check(): Promise<void> {
    await this.#read((db) => db.get('SELECT 1 FROM wallet LIMIT 1'));
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }

  #read<T>(work: (db: Connection) => T): Promise<T> {
    return this.#reader.transaction('BEGIN', async (db) => work(db));
  }
}

/** One database connection: transactions run one after the other, and a failed one concerns nobody else. */
class Connection {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return asStoreError(() => this.#prepare(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return asStoreError(() => this.#prepare(sql).all(...values));
  }

  /** Rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return asStoreError(() => Number(this.#prepare(sql).run(...values).changes));
  }

  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: (db: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new HoarfrostError('StoreUnavailable', { detail: 'closed' }));
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

  /** Waits for what was asked before; what is asked after fails. Safe to repeat. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
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

/** The wallet's row is read at once, so that an unknown one fails before `work` begins. */
function openWallet(db: Connection, id: Bytes): WalletTx {
  const row = db.get(
    'SELECT epoch, certificate, next_receive, next_change, begun_at FROM wallet WHERE id = ?',
    id,
  );
  ensure(row !== undefined, 'NotEnrolled');
  const wallet: WalletRecord = {
    id,
    epoch: Number(row.epoch),
    certificate: bytesOf(row.certificate),
    nextReceive: Number(row.next_receive),
    nextChange: Number(row.next_change),
    bornAt: Number(row.begun_at),
  };
  const { epoch } = wallet;

  return {
    wallet,

    async sealedShare() {
      const sealed = blobOf(
        db.get('SELECT sealed FROM share WHERE wallet = ? AND epoch = ?', id, epoch),
        'sealed',
      );
      ensure(sealed !== null, 'ShareUnrecoverable');
      return sealed;
    },

    async attempt(request): Promise<AttemptRecord | null> {
      const found = db.get(
        'SELECT answer FROM attempt WHERE wallet = ? AND epoch = ? AND request = ?',
        id,
        epoch,
        request,
      );
      return found === undefined ? null : { answer: blobOf(found, 'answer') };
    },

    async commitmentsUsed(commitments) {
      const sql = 'SELECT 1 FROM commitment WHERE wallet = ? AND epoch = ? AND hash = ?';
      return commitments.some((hash) => db.get(sql, id, epoch, hash) !== undefined);
    },

    async reserves(outpoints) {
      const found = new Map<string, bigint>();
      for (const outpoint of outpoints) {
        const reserve = db.get('SELECT amount FROM reserve WHERE wallet = ? AND outpoint = ?', id, outpoint);
        if (reserve !== undefined) found.set(outpoint, reserve.amount as bigint);
      }
      return found;
    },

    async chargedSince(since) {
      const sql = 'SELECT coalesce(sum(amount), 0) AS total FROM charge WHERE wallet = ? AND at >= ?';
      return db.get(sql, id, since)!.total as bigint;
    },

    async lastReceipt() {
      const last = db.get(
        'SELECT sequence, body, signature FROM receipt WHERE wallet = ? ORDER BY sequence DESC LIMIT 1',
        id,
      );
      return last === undefined ? null : receiptOf(last);
    },

    async receipts(from, max) {
      const sql =
        'SELECT sequence, body, signature FROM receipt WHERE wallet = ? AND sequence >= ? ORDER BY sequence LIMIT ?';
      return db.all(sql, id, from, max).map(receiptOf);
    },

    async record(kind, key) {
      const sql = 'SELECT body FROM record WHERE wallet = ? AND kind = ? AND key = ?';
      return blobOf(db.get(sql, id, kind, key), 'body');
    },

    async records(kind) {
      const sql = 'SELECT key, body FROM record WHERE wallet = ? AND kind = ? ORDER BY key';
      return db.all(sql, id, kind).map(({ key, body }) => ({ key: bytesOf(key), body: bytesOf(body) }));
    },

    async putRecord(kind, key, body) {
      const sql =
        'INSERT INTO record (wallet, kind, key, body) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT (wallet, kind, key) DO UPDATE SET body = excluded.body';
      db.run(sql, id, kind, key, body);
    },

    async deleteRecord(kind, key) {
      db.run('DELETE FROM record WHERE wallet = ? AND kind = ? AND key = ?', id, kind, key);
    },

    async insertAttempt({ request, commitments, spend, at }: NewAttempt) {
      const insertAttempt = 'INSERT INTO attempt (wallet, epoch, request, spend, at) VALUES (?, ?, ?, ?, ?)';
      db.run(insertAttempt, id, epoch, request, spend, at);
      const insertPair = 'INSERT INTO commitment (wallet, epoch, hash, request) VALUES (?, ?, ?, ?)';
      for (const hash of commitments) db.run(insertPair, id, epoch, hash, request);
    },

    async storeAnswer(request, answer) {
      const sql =
        'UPDATE attempt SET answer = ? WHERE wallet = ? AND epoch = ? AND request = ? AND answer IS NULL';
      ensure(db.run(sql, answer, id, epoch, request) === 1, 'Internal', { detail: 'answer stored twice' });
    },

    async setReserve(outpoint, amount) {
      const sql =
        'INSERT INTO reserve (wallet, outpoint, amount) VALUES (?, ?, ?) ' +
        'ON CONFLICT (wallet, outpoint) DO UPDATE SET amount = excluded.amount';
      db.run(sql, id, outpoint, amount);
    },

    async charge(amount, at) {
      db.run('INSERT INTO charge (wallet, at, amount) VALUES (?, ?, ?)', id, at, amount);
    },

    async appendReceipt({ sequence, body, signature }) {
      const sql = 'INSERT INTO receipt (wallet, sequence, body, signature) VALUES (?, ?, ?, ?)';
      db.run(sql, id, sequence, body, signature);
    },

    async raiseNextIndices(nextReceive, nextChange) {
      const sql =
        'UPDATE wallet SET next_receive = max(next_receive, ?), next_change = max(next_change, ?) WHERE id = ?';
      db.run(sql, nextReceive, nextChange, id);
    },
  };
}

/** A used token answers as one that never was. */
function checkToken(db: Connection, hash: Bytes, now: number): void {
  const token = db.get('SELECT expires_at, wallet FROM token WHERE hash = ?', hash);
  ensure(token !== undefined && token.wallet === null, 'TokenUnknown');
  ensure(Number(token.expires_at) > now, 'TokenExpired');
}

function receiptOf(row: Record<string, unknown>): StoredReceipt {
  return {
    sequence: Number(row.sequence),
    body: bytesOf(row.body),
    signature: bytesOf(row.signature),
  };
}

function blobOf(row: Record<string, unknown> | undefined, column: string): Bytes | null {
  const value = row?.[column];
  return value === undefined || value === null ? null : bytesOf(value);
}

function bytesOf(value: unknown): Bytes {
  return Uint8Array.from(value as Uint8Array);
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
