/** The store over any SQL database: the statements are the same, and so is what they mean; an adapter brings transactions. */
import { equalVar } from '../../protocol/bytes.ts';
import { ensure, isHoarfrostError } from '../../protocol/errors.ts';
import type {
  AnnouncedKey,
  Bytes,
  NewWallet,
  RecordKind,
  Rows,
  Store,
  StoredRecord,
  Value,
  WalletTx,
  WalletView,
} from '../store.ts';
import { NOT_BACKED_UP, NUMBERED } from './schema.ts';
import { blobOf, bytesOf, ledgerOf, NOTHING, openWallet, putRecord, tuples } from './sqlWallet.ts';

/** One transaction. Statements name their values `?`, in order; integers come as bigint. */
export interface Sql {
  all(sql: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>;
  /** Rows changed. */
  run(sql: string, values?: readonly Value[]): Promise<number>;
  /** All rows, a page at a time, however many there are. */
  scan(sql: string, visit: (rows: Record<string, unknown>[]) => Promise<void>): Promise<void>;
  /** Behind a SELECT: keeps the rows from everybody else until the end of a writing transaction. */
  readonly forUpdate: string;
}

/** Errors: what `work` throws, else `StoreUnavailable`. */
export interface Database {
  /**
   * Serialised with every other one of the same `wallet`, or if there is none only by the rows it locks. Durable when it
   * resolves. `work` may run again where a first run has left nothing behind.
   */
  write<T>(wallet: Bytes | null, work: (sql: Sql) => Promise<T>): Promise<T>;
  /** One consistent look, at what is committed. */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Rows of `table` and `column`: all there are, those that are referred to first. */
  readonly catalogue: string;
  readonly version: number;
  close(): Promise<void>;
}

/** How long a write that failed, or was done, speaks for the next one. */
const FAILED_LATELY_MS = 2000;
const WROTE_LATELY_MS = 5000;

export class SqlStore implements Store {
  readonly #db: Database;
  /** By the monotonic clock. */
  #wroteAt = Number.NEGATIVE_INFINITY;
  #failed: { at: number; failure: unknown } | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  withWallet<T>(id: Bytes, work: (tx: WalletTx) => Promise<T>): Promise<T> {
    return this.#write(id, async (sql) => work(await openWallet(sql, id, sql.forUpdate)));
  }

  viewWallet<T>(id: Bytes, work: (view: WalletView) => Promise<T>): Promise<T> {
    return this.#db.read(async (sql) => work(await openWallet(sql, id, '')));
  }

  recordsEverywhere(kind: RecordKind, max: number): Promise<(StoredRecord & { readonly wallet: Bytes })[]> {
    return this.#db.read(async (sql) => {
      // Said in the statement itself, or a database could not know that the index of this kind will do.
      const text = `SELECT wallet, key, body FROM record WHERE kind = '${kind}' LIMIT ?`;
      const rows = await sql.all(text, [max]);
      return rows.map(({ wallet, key, body }) => ({
        wallet: bytesOf(wallet),
        key: bytesOf(key),
        body: bytesOf(body),
      }));
    });
  }

  walletsOfRecord(kind: RecordKind, key: Bytes): Promise<Bytes[]> {
    return this.#db.read(async (sql) => {
      const text =
        `SELECT record.wallet AS id FROM record JOIN wallet ON wallet.id = record.wallet ` +
        `WHERE kind = '${kind}' AND key = ? ORDER BY wallet.begun_at DESC, wallet.id`;
      return (await sql.all(text, [key])).map((row) => bytesOf(row.id));
    });
  }

  walletOfDevice(deviceKey: Bytes): Promise<Bytes | null> {
    return this.#blob('SELECT id AS value FROM wallet WHERE device_key = ?', deviceKey);
  }

  certificateOfSession(session: Bytes): Promise<Bytes | null> {
    return this.#blob('SELECT certificate AS value FROM wallet WHERE session = ?', session);
  }

  enrol(wallet: NewWallet, tokenHash: Bytes, furnish?: (tx: WalletTx) => Promise<void>): Promise<void> {
    const { id, session, deviceKey, recoveryKey, certificate, epoch, sealedShare, begunAt, before } = wallet;
    return this.#write(null, async (sql) => {
      await checkToken(sql, tokenHash, begunAt, sql.forUpdate);
      const taken =
        'SELECT CASE WHEN id = ? AND device_key = id THEN 1 ELSE 0 END AS back FROM wallet ' +
        'WHERE id = ? OR session = ? OR device_key = ?';
      const found = await sql.all(`${taken}${sql.forUpdate}`, [id, id, session, deviceKey]);
      const back = before !== undefined && found.length === 1 && Number(found[0]!.back) === 1;
      ensure(back || found.length === 0, 'WalletExists');
      // Its receipts, reserves and charges are here as they were; what waited, or was asked for, is not.
      if (back) {
        await sql.run(`DELETE FROM record WHERE wallet = ? AND kind IN ${tuples(1, 4)}`, [
          id,
          ...['hold', 'ceremony', 'notice', 'recovery'],
        ]);
      }
      await sql.run(
        `INSERT INTO wallet (id, session, device_key, certificate, epoch, begun_at, born_at, lost_at) VALUES ${tuples(1, 8)} ` +
          'ON CONFLICT (id) DO UPDATE SET device_key = excluded.device_key, epoch = excluded.epoch, ' +
          'begun_at = excluded.begun_at, lost_at = excluded.lost_at',
        [id, session, deviceKey, certificate, epoch, begunAt, before?.bornAt ?? null, before?.lostAt ?? 0],
      );
      await sql.run('INSERT INTO share (wallet, epoch, sealed) VALUES (?, ?, ?)', [id, epoch, sealedShare]);
      await putRecord(sql, id, 'recovery', recoveryKey, NOTHING);
      await sql.run('UPDATE token SET wallet = ? WHERE hash = ?', [id, tokenHash]);
      await sql.run('DELETE FROM takeover WHERE device_key = ?', [deviceKey]);
      await furnish?.(await openWallet(sql, id, sql.forUpdate));
    });
  }

  takeover(deviceKey: Bytes): Promise<Bytes | null> {
    return this.#blob('SELECT body AS value FROM takeover WHERE device_key = ?', deviceKey);
  }

  async putTakeover(deviceKey: Bytes, body: Bytes): Promise<void> {
    const text =
      'INSERT INTO takeover (device_key, body) VALUES (?, ?) ' +
      'ON CONFLICT (device_key) DO UPDATE SET body = excluded.body';
    await this.#write(null, (sql) => sql.run(text, [deviceKey, body]));
  }

  async addToken(hash: Bytes, expiresAt: number): Promise<void> {
    await this.#write(null, (sql) =>
      sql.run('INSERT INTO token (hash, expires_at) VALUES (?, ?)', [hash, expiresAt]),
    );
  }

  checkToken(hash: Bytes, now: number): Promise<void> {
    return this.#db.read((sql) => checkToken(sql, hash, now, ''));
  }

  awaitsFirstToken(now: number): Promise<boolean> {
    return this.#db.read(
      async (sql) =>
        (await sql.all('SELECT 1 FROM wallet LIMIT 1')).length === 0 &&
        (await sql.all('SELECT 1 FROM token WHERE expires_at > ? LIMIT 1', [now])).length === 0,
    );
  }

  enrolledSince(since: number): Promise<number> {
    return this.#db.read(async (sql) =>
      Number((await sql.all('SELECT count(*) AS n FROM wallet WHERE begun_at >= ?', [since]))[0]!.n),
    );
  }

  bound(): Promise<boolean> {
    return this.#db.read(async (sql) => {
      const bound = 'SELECT 1 FROM cosigner WHERE identity IS NOT NULL';
      // A store of before it was written down.
      return (await sql.all(`${bound} UNION ALL SELECT 1 FROM wallet LIMIT 1`)).length > 0;
    });
  }

  bind(identity: Bytes, ledger: Bytes, { number, noiseKey }: AnnouncedKey): Promise<void> {
    return this.#write(null, async (sql) => {
      const [row] = await sql.all(`SELECT identity FROM cosigner${sql.forUpdate}`);
      const known = blobOf(row?.identity);
      const text =
        'UPDATE cosigner SET identity = ?, ledger = coalesce(ledger, ?), channel = ?, channel_key = ?';
      if (known === null) await sql.run(text, [identity, ledger, number, noiseKey]);
      else
        ensure(equalVar(known, identity), 'BadConfiguration', { detail: 'data: keys of another cosigner' });
    });
  }

  greeting(): Promise<{ ledger: Bytes; channelKey: AnnouncedKey | null }> {
    return this.#db.read(async (sql) => {
      const [row] = await sql.all('SELECT ledger, channel, channel_key FROM cosigner');
      const noiseKey = blobOf(row?.channel_key);
      const channelKey = noiseKey === null ? null : { number: Number(row!.channel), noiseKey };
      return { ledger: ledgerOf(row), channelKey };
    });
  }

  async announce({ number, noiseKey }: AnnouncedKey): Promise<void> {
    const text = 'UPDATE cosigner SET channel = ?, channel_key = ? WHERE channel < ?';
    await this.#write(null, (sql) => sql.run(text, [number, noiseKey, number]));
  }

  declareLoss(ledger: Bytes, at: number): Promise<void> {
    return this.#write(null, (sql) => declareLoss(sql, ledger, at));
  }

  dump(visit: (rows: Rows) => Promise<void>): Promise<number> {
    return this.#db.read(async (sql) => {
      for (const [table, columns] of await this.#backedUp(sql)) {
        await sql.scan(`SELECT ${columns.join(', ')} FROM ${table}`, (rows) =>
          visit({ table, columns, rows: rows.map((row) => columns.map((column) => row[column] as Value)) }),
        );
      }
      return this.#db.version;
    });
  }

  fill(rows: () => AsyncIterable<Rows>, ledger: Bytes, at: number): Promise<void> {
    return this.#write(null, async (sql) => {
      ensure((await sql.all('SELECT 1 FROM wallet LIMIT 1')).length === 0, 'WalletExists', {
        detail: 'store: not empty',
      });
      const tables = await this.#backedUp(sql);
      for await (const { table, columns, rows: page } of rows()) {
        const known = tables.get(table);
        ensure(known !== undefined && columns.every((column) => known.includes(column)), 'BadEncoding', {
          detail: 'backup: unknown column',
        });
        const insert = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${tuples(1, columns.length)}`;
        for (const row of page) await sql.run(insert, row);
      }
      await declareLoss(sql, ledger, at);
    });
  }

  /**
   * A disk that is full or takes no writes still reads well, and a full one takes what is small: a write that failed lately counts,
   * whatever was done since, and where none was done lately one is tried.
   */
  async check(): Promise<void> {
    await this.#db.read((sql) => sql.all('SELECT 1 FROM wallet LIMIT 1'));
    const now = performance.now();
    if (this.#failed !== undefined && now - this.#failed.at < FAILED_LATELY_MS) throw this.#failed.failure;
    if (now - this.#wroteAt < WROTE_LATELY_MS) return;
    await this.#db.write(null, async (sql) => {
      const name = globalThis.crypto.getRandomValues(new Uint8Array(32));
      await sql.run('INSERT INTO token (hash, expires_at) VALUES (?, 0)', [name]);
      await sql.run('DELETE FROM token WHERE hash = ?', [name]);
    });
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  /** Columns by table: a new table is in the backup unless it is left out by name. */
  async #backedUp(sql: Sql): Promise<Map<string, string[]>> {
    const columns = new Map<string, string[]>();
    for (const { table, column } of (await sql.all(this.#db.catalogue)) as Record<string, string>[]) {
      if (NOT_BACKED_UP.includes(table!) || `${table}.${column}` === NUMBERED) continue;
      columns.set(table!, [...(columns.get(table!) ?? []), column!]);
    }
    return columns;
  }

  async #write<T>(wallet: Bytes | null, work: (sql: Sql) => Promise<T>): Promise<T> {
    try {
      const value = await this.#db.write(wallet, work);
      this.#wroteAt = performance.now();
      return value;
    } catch (e) {
      if (isHoarfrostError(e) && e.code === 'StoreUnavailable')
        this.#failed = { at: performance.now(), failure: e };
      throw e;
    }
  }

  #blob(sql: string, key: Bytes): Promise<Bytes | null> {
    return this.#db.read(async (db) => blobOf((await db.all(sql, [key]))[0]?.value));
  }
}

/** What was forgotten can be neither told from what never was nor counted: see `Store.declareLoss`. */
export async function declareLoss(sql: Sql, ledger: Bytes, at: number): Promise<void> {
  await sql.run('UPDATE cosigner SET ledger = ?, lost_at = ?', [ledger, at]);
  await sql.run('DELETE FROM token WHERE wallet IS NULL');
  await sql.run('DELETE FROM record WHERE kind = ?', ['hold']);
}

/** A used token answers as one that never was. */
async function checkToken(sql: Sql, hash: Bytes, now: number, lock: string): Promise<void> {
  const [token] = await sql.all(`SELECT expires_at, wallet FROM token WHERE hash = ?${lock}`, [hash]);
  ensure(token !== undefined && token.wallet === null, 'TokenUnknown');
  ensure(Number(token.expires_at) > now, 'TokenExpired');
}
