/**
 * The store in PostgreSQL, for several instances beside each other. The wallet's row, taken FOR UPDATE, covers all of the
 * wallet; a commit is on the primary's disk (`synchronous_commit=on`, and on its synchronous standbys where it has any)
 * before it is reported; a server in recovery is refused, and so is an old primary. What fails in passing is tried again within
 * a bound, and where the answer to a COMMIT was lost it is looked for the mark that each transaction leaves: the server's own
 * number of one that a crash has undone is given to another one, so `pg_xact_status` may speak of that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToHex } from '@noble/hashes/utils.js';
import { DatabaseError, Pool, type PoolClient, type QueryResult, types } from 'pg';
import { type Random, systemRandom } from '../../crypto/random.ts';
import { ensure, HoarfrostError } from '../../protocol/errors.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Bytes, Store, Value } from '../store.ts';
import type { Fence } from './fence.ts';
import { type PostgresSetting, parsePostgresUrl } from './postgresUrl.ts';
import { MIGRATIONS, spell } from './schema.ts';
import { type Database, declareLoss, type Sql, SqlStore } from './sql.ts';

const CONNECTIONS = 16;
const CONNECT_DEADLINE_MS = 3000;
const STATEMENT_DEADLINE_MS = 5000;
/** Of a client that says nothing inside a transaction: then its locks are free again. */
const IDLE_DEADLINE_MS = 10_000;
/** How long what fails in passing is tried again. */
const RETRY_MS = 12_000;
const BACKOFF_MS = { first: 20, most: 500 };
/** Within this long each instance knows of a newer timeline that another one has taken up. */
export const FENCE_MS = 1000;
const PAGE = 500;
/** Statements with more values than this are not kept prepared: there would be one for every number of inputs. */
const PREPARED_VALUES = 32;
/** The oldest that the tests take, too. */
const OLDEST_SERVER = 130_000;
/** Any number, but one: instances that migrate wait for each other. */
const MIGRATION_LOCK = 0x686f6172;
export const POSTGRES_WORDS = {
  BYTES: 'bytea',
  INT: 'bigint',
  SERIAL: 'bigserial',
  CLUSTERED: '',
  STRICT: '',
};

export interface PostgresParts {
  random?: Random;
  clock?: Pick<Clock, 'now'>;
  /** Without one, an old primary cannot be told from the new. */
  fence?: Fence;
}

/** Connects, and makes or migrates the tables. Throws `BadConfiguration` or `StoreUnavailable`. */
export async function openPostgres(url: string, parts: PostgresParts = {}): Promise<Store> {
  const db = new Postgres(parsePostgresUrl(url), parts);
  try {
    await db.open();
    return new SqlStore(db);
  } catch (e) {
    await db.close();
    throw e;
  }
}

/** A row of this store's own and what a transaction writes there: it is there exactly if the transaction was committed. */
interface Mark {
  readonly slot: Bytes;
  readonly number: number;
}

const MARKS = `CREATE TABLE IF NOT EXISTS commit_mark
  (slot bytea PRIMARY KEY, number bigint NOT NULL, at timestamptz NOT NULL)`;
/** Of a store that is gone: nobody asks after a mark for longer than `RETRY_MS`. */
const OLD_MARKS = `DELETE FROM commit_mark WHERE at < now() - interval '1 day'`;
const SET_MARK = `INSERT INTO commit_mark VALUES (?, ?, now())
  ON CONFLICT (slot) DO UPDATE SET number = excluded.number, at = excluded.at`;
/** Nothing while the transaction that sets it is under way. */
const GET_MARK = 'SELECT number FROM commit_mark WHERE slot = ? FOR UPDATE SKIP LOCKED';

/** The answer to a COMMIT was lost: whether it is `mark` that stands there, only a server of the same timeline knows. */
class CommitUnknown extends Error {
  readonly mark: Mark;
  readonly timeline: number;
  readonly value: unknown;
  constructor(mark: Mark, timeline: number, value: unknown, cause: unknown) {
    super('commit', { cause });
    this.mark = mark;
    this.timeline = timeline;
    this.value = value;
  }
}

class Postgres implements Database {
  readonly version = MIGRATIONS.length;
  readonly catalogue = `
    SELECT c.relname AS "table", a.attname AS "column"
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relname NOT IN ('schema_version', 'commit_mark')
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'wallet'::regclass)
    ORDER BY c.oid, a.attnum`;
  readonly #setting: PostgresSetting;
  readonly #random: Random;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #fence: Fence | undefined;
  /** What the fence said, and when by the monotonic clock. */
  #newest = { timeline: 0, at: Number.NEGATIVE_INFINITY };
  /** One a server. */
  readonly #pools: readonly Pool[];
  /** Which of them was the primary when last asked. */
  #primary = 0;
  /** The timeline that each checked connection's server is on. */
  readonly #checked = new WeakMap<PoolClient, number>();
  /** Last marks whose transactions have ended for certain: the next ones go on from them. */
  readonly #marks: Mark[] = [];
  /** Transactions of a wallet wait here, not on connections that other wallets need. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #timeline: number | undefined;
  #closed = false;

  constructor(
    setting: PostgresSetting,
    { random = systemRandom, clock = systemClock, fence }: PostgresParts,
  ) {
    this.#setting = setting;
    this.#random = random;
    this.#clock = clock;
    this.#fence = fence;
    const { hosts, user, password, database, ssl } = setting;
    this.#pools = hosts.map((server) => {
      const pool = new Pool({
        ...server,
        user,
        password,
        database,
        ssl,
        max: CONNECTIONS,
        connectionTimeoutMillis: CONNECT_DEADLINE_MS,
        statement_timeout: STATEMENT_DEADLINE_MS,
        lock_timeout: STATEMENT_DEADLINE_MS,
        idle_in_transaction_session_timeout: IDLE_DEADLINE_MS,
        // The server has its say first; this is for one that says nothing more.
        query_timeout: STATEMENT_DEADLINE_MS + 1000,
        keepAlive: true,
        // What is asked together goes out together, and is answered in order.
        pipeline: true,
        types: { getTypeParser },
        application_name: 'hoarfrost-cosigner',
      });
      // Of an idle connection: the pool has dropped it already.
      pool.on('error', () => {});
      return pool;
    });
  }

  async open(): Promise<void> {
    await this.#retrying(async () => {
      const client = await this.#connect();
      try {
        await migrate(client);
      } catch (e) {
        throw storeError(e);
      } finally {
        client.release(true);
      }
    });
    await this.read(async () => {});
  }

  write<T>(wallet: Bytes | null, work: (sql: Sql) => Promise<T>): Promise<T> {
    const run = () => this.#retrying(() => this.#transaction(work));
    return wallet === null ? run() : this.#inTurn(bytesToHex(wallet), run);
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#retrying(() =>
      this.#withClient(async (client) => {
        await query(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        const value = await work(sqlOn(client));
        await query(client, 'COMMIT');
        return value;
      }),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }

  /** Durable when it resolves; `CommitUnknown` if only the server knows. */
  #transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const last = this.#marks.pop() ?? { slot: this.#random(16), number: 0 };
    const mark = { ...last, number: last.number + 1 };
    return this.#withClient(
      async (client) => {
        // Committed by itself: from here on a mark that cannot be seen is one that is under way.
        if (last.number === 0) await query(client, SET_MARK, [last.slot, last.number]);
        const begun = Promise.all([
          query(client, 'BEGIN ISOLATION LEVEL READ COMMITTED'),
          query(client, SET_MARK, [mark.slot, mark.number]),
        ]);
        begun.catch(() => {});
        // What is read first goes the same way with them; nothing is written before both are done.
        const sql = sqlOn(client);
        const run: Sql['run'] = async (text, values) => {
          await begun;
          return sql.run(text, values);
        };
        const value = await work({ ...sql, run }).catch(async (e: unknown) => {
          await begun;
          throw e;
        });
        await begun;
        await this.#ensureNewest(client);
        const timeline = this.#checked.get(client)!;
        try {
          await commit(client);
        } catch (e) {
          if (isAnswer(e)) throw storeError(e);
          throw new CommitUnknown(mark, timeline, value, e);
        }
        return value;
      },
      () => this.#marks.push(mark),
    );
  }

  /** `ended`: whatever came of it, nothing of it is under way on the server any more. */
  async #withClient<T>(use: (client: PoolClient) => Promise<T>, ended = () => {}): Promise<T> {
    const client = await this.#client();
    let broken = true;
    try {
      const value = await use(client);
      broken = false;
      return value;
    } catch (e) {
      broken =
        e instanceof CommitUnknown ||
        (await client.query('ROLLBACK').then(
          () => false,
          () => true,
        ));
      throw e;
    } finally {
      client.release(broken);
      if (!broken) ended();
    }
  }

  /** Again, while the failure is one that passes; a COMMIT whose answer was lost is looked into first. */
  async #retrying<T>(run: () => Promise<T>): Promise<T> {
    const started = performance.now();
    for (let failures = 0; ; failures++) {
      let failure: unknown;
      try {
        ensure(!this.#closed, 'StoreUnavailable', { detail: 'closed' });
        return await run();
      } catch (e) {
        failure = e;
      }
      if (failure instanceof CommitUnknown) {
        if (await this.#committed(failure)) return failure.value as T;
      } else if (!passes(failure)) throw failure;
      if (performance.now() - started > RETRY_MS) throw storeError(failure);
      await this.#pause(failures);
    }
  }

  /** `StoreUnavailable` where nobody can tell any more. */
  async #committed({ mark, timeline }: CommitUnknown): Promise<boolean> {
    const started = performance.now();
    for (let failures = 0; performance.now() - started < RETRY_MS && !this.#closed; failures++) {
      try {
        const stands = await this.#withClient(async (client) => {
          if (this.#checked.get(client) !== timeline) return 'another timeline';
          await query(client, 'BEGIN');
          const { rows } = await query(client, GET_MARK, [mark.slot]);
          // A commit of ours behind that one is on disk, and on the standbys, only if that one is.
          await query(client, 'UPDATE cosigner SET timeline = $1', [timeline]);
          await commit(client);
          return rows[0] === undefined ? 'under way' : Number(rows[0].number);
        });
        if (stands === 'another timeline') break;
        if (stands !== 'under way') {
          this.#marks.push(mark);
          return stands === mark.number;
        }
      } catch (e) {
        if (!(e instanceof NotReplicated || passes(storeError(e)))) throw storeError(e);
      }
      await this.#pause(failures);
    }
    throw new HoarfrostError('StoreUnavailable', { detail: 'outcome of a commit is unknown' });
  }

  /** A checked connection to the primary, whose timeline the store has taken up. */
  async #client(): Promise<PoolClient> {
    const client = await this.#connect();
    try {
      const timeline = this.#checked.get(client)!;
      if (timeline !== this.#timeline) await this.#adopt(client, timeline);
      return client;
    } catch (e) {
      client.release(true);
      throw storeError(e);
    }
  }

  async #newestTimeline(): Promise<number> {
    const asked = performance.now();
    if (this.#fence !== undefined && asked - this.#newest.at > FENCE_MS) {
      this.#newest = { timeline: await this.#fence.newest(), at: asked };
    }
    return this.#newest.timeline;
  }

  /** Throws `StoreUnavailable`. */
  async #ensureNewest(client: PoolClient): Promise<void> {
    if (this.#checked.get(client)! < (await this.#newestTimeline())) throw storeError(new Superseded());
  }

  /** The first server that is no standby and no old primary, beginning with the one that was the primary before. */
  async #connect(): Promise<PoolClient> {
    let failure: unknown;
    for (let i = 0; i < this.#pools.length; i++) {
      const at = (this.#primary + i) % this.#pools.length;
      try {
        const client = await this.#pools[at]!.connect();
        try {
          if (!this.#checked.has(client)) {
            // What waits on the connection fails with it; the event beside that is nobody's, and would end the process.
            client.on('error', () => {});
            this.#checked.set(client, await check(client));
          }
          await this.#ensureNewest(client);
        } catch (e) {
          client.release(true);
          throw e;
        }
        this.#primary = at;
        return client;
      } catch (e) {
        failure = e;
      }
    }
    throw storeError(failure);
  }

  /**
   * Another timeline than the one last seen is the mark of a promoted standby or of a server restored to an earlier time:
   * unless the operator promotes none but synchronous standbys, commits may be missing.
   */
  async #adopt(client: PoolClient, timeline: number): Promise<void> {
    const knownBy = async (lock: string) => {
      const { rows } = await query(client, `SELECT timeline FROM cosigner${lock}`);
      return rows[0]!.timeline as bigint | null;
    };
    const before = await knownBy('');
    await this.#fence?.raise(timeline);
    // Others may still be with an old primary: the loss is declared from after they have left it.
    if (before !== null && Number(before) !== timeline && this.#fence) await sleep(2 * FENCE_MS);
    await query(client, 'BEGIN');
    const known = await knownBy(' FOR UPDATE');
    if (known === null || Number(known) !== timeline) {
      if (known !== null && !this.#setting.losesNothing) {
        await declareLoss(sqlOn(client), this.#random(16), this.#clock.now());
      }
      await query(client, 'UPDATE cosigner SET timeline = $1', [timeline]);
    }
    await commit(client);
    this.#timeline = timeline;
  }

  #inTurn<T>(key: string, run: () => Promise<T>): Promise<T> {
    const result = (this.#turns.get(key) ?? Promise.resolve()).then(run);
    const turn = result
      .catch(() => {})
      .then(() => {
        if (this.#turns.get(key) === turn) this.#turns.delete(key);
      });
    this.#turns.set(key, turn);
    return result;
  }

  #pause(failures: number): Promise<void> {
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** failures);
    return sleep(most / 2 + Math.random() * (most / 2));
  }
}

/** All integers come as bigint, so that no amount passes through a float. */
const getTypeParser = ((type: number, format?: 'text') =>
  type === types.builtins.INT8 || type === types.builtins.NUMERIC
    ? BigInt
    : types.getTypeParser(type, format)) as typeof types.getTypeParser;

/** The server's timeline, once it is one to rely on. */
export async function check(client: PoolClient): Promise<number> {
  const { rows } = await query(
    client,
    `SELECT pg_is_in_recovery() AS standby, current_setting('fsync') AS fsync,
       current_setting('server_version_num')::int AS version, set_config('synchronous_commit', 'on', false),
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_walfile_name(pg_current_wal_lsn()) END AS wal`,
  );
  const { standby, fsync, version, wal } = rows[0] as Record<string, unknown>;
  ensure((version as number) >= OLDEST_SERVER, 'BadConfiguration', {
    detail: 'store: PostgreSQL 13 or newer',
  });
  ensure(fsync === 'on', 'BadConfiguration', { detail: 'store: fsync is off' });
  if (standby === true) throw new Standby();
  return Number.parseInt((wal as string).slice(0, 8), 16);
}

class Standby extends Error {}

/** It says that it is the primary, on a timeline that others have left. */
class Superseded extends Error {}

/** The wait for a synchronous standby was cut short: committed on this server, and maybe nowhere else. */
class NotReplicated extends Error {}

async function commit(client: PoolClient): Promise<void> {
  let warned = false;
  const warn = () => {
    warned = true;
  };
  client.on('notice', warn);
  try {
    const { command } = await client.query('COMMIT');
    ensure(command === 'COMMIT', 'StoreUnavailable', { detail: 'rolled back' });
    if (warned) throw new NotReplicated();
  } finally {
    client.off('notice', warn);
  }
}

/** All versions that are missing in one transaction; a newer database is refused untouched. */
async function migrate(client: PoolClient): Promise<void> {
  await client.query('BEGIN');
  await client.query(`SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = '60s'`);
  await client.query({
    text: `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`,
    query_timeout: 61_000,
  } as never);
  await client.query('CREATE TABLE IF NOT EXISTS schema_version (version int NOT NULL)');
  await client.query(`${MARKS}; ${OLD_MARKS}`);
  const { rows } = await client.query<{ version: number }>('SELECT version FROM schema_version');
  const at = rows[0]?.version ?? 0;
  if (at > MIGRATIONS.length) {
    throw new HoarfrostError('BadConfiguration', { detail: 'store: database of a newer version' });
  }
  for (const migration of MIGRATIONS.slice(at)) await client.query(spell(migration, POSTGRES_WORDS));
  await client.query('DELETE FROM schema_version');
  await client.query('INSERT INTO schema_version VALUES ($1)', [MIGRATIONS.length]);
  await client.query('COMMIT');
}

function sqlOn(client: PoolClient): Sql {
  return {
    forUpdate: ' FOR UPDATE',
    all: async (sql, values = []) => (await query(client, sql, values)).rows,
    run: async (sql, values = []) => (await query(client, sql, values)).rowCount ?? 0,
    async scan(sql, visit) {
      await query(client, `DECLARE scan NO SCROLL CURSOR FOR ${sql}`);
      for (;;) {
        const { rows } = await query(client, `FETCH ${PAGE} FROM scan`);
        if (rows.length === 0) break;
        await visit(rows);
      }
      await query(client, 'CLOSE scan');
    },
  };
}

const names = new Map<string, { name: string; text: string }>();

/** `?` in order, or `$1` as they are. */
async function query(
  client: PoolClient,
  sql: string,
  values: readonly Value[] = [],
): Promise<QueryResult<Record<string, unknown>>> {
  try {
    if (values.length === 0) return await client.query(sql);
    return await client.query({ ...statement(sql, values.length), values: [...values] });
  } catch (e) {
    throw storeError(e);
  }
}

function statement(sql: string, values: number): { name?: string; text: string } {
  const known = names.get(sql);
  if (known !== undefined) return known;
  let n = 0;
  const text = sql.replace(/\?/g, () => `$${++n}`);
  if (values > PREPARED_VALUES) return { text };
  const made = { name: `hoarfrost_${names.size}`, text };
  names.set(sql, made);
  return made;
}

/** The server itself said no; the connection lives, and nothing was committed. */
function isAnswer(e: unknown): boolean {
  return e instanceof HoarfrostError || (e instanceof DatabaseError && e.severity === 'ERROR');
}

/**
 * Lost connections (08), conflicts (40), too little of something (53) but of disk (53100), a server that stops, starts or crashes
 * (57P), I/O (58), a primary that no longer is one (25006); and whatever is no answer of a server at all.
 */
function passes(e: unknown): boolean {
  if (!(e instanceof HoarfrostError) || e.code !== 'StoreUnavailable') return false;
  const { cause } = e;
  if (cause instanceof DatabaseError) return /^(08|40|53(?!100)|57P|58|25006)/.test(cause.code ?? '');
  return cause instanceof Error;
}

export function storeError(e: unknown): HoarfrostError {
  if (e instanceof HoarfrostError) return e;
  let detail = 'connection';
  if (e instanceof Standby) detail = 'in recovery';
  else if (e instanceof Superseded) detail = 'an old primary';
  else if (e instanceof DatabaseError) detail = `SQLSTATE ${e.code}`;
  return new HoarfrostError('StoreUnavailable', { detail, cause: e });
}
