/**
 * One connection to a SQLite database: transactions run one after the other, and a failed one concerns nobody else. Those of the
 * writer share a commit, and a flush of the log, with the others that wait.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { Value } from '../store.ts';
import type { Sql } from './sql.ts';
import type { Checkpoints, WriteAheadLog } from './sqliteLog.ts';

const BUSY = 5;
const BUSY_DEADLINE_MS = 5000;
const PAGE = 500;
/** Writers that share one commit. */
const GROUP_MAX = 32;

type Begin = 'BEGIN' | 'BEGIN IMMEDIATE';

/** Its `transaction` is for readers: what is committed here is not yet on disk. */
export class Connection implements Sql {
  /** Nobody else writes during a transaction that does. */
  readonly forUpdate = '';
  protected readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(db: DatabaseSync) {
    this.db = db;
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

  async transaction<T>(begin: Begin, work: (sql: Sql) => Promise<T>): Promise<T> {
    this.ensureOpen();
    return this.inTurn(begin, work);
  }

  /** `committed` is called before anybody else can see what was. */
  protected inTurn<T>(begin: Begin, work: (sql: Sql) => Promise<T>, committed?: () => void): Promise<T> {
    const result = this.#last.then(async () => {
      await this.#begin(begin);
      try {
        const value = await work(this);
        this.execute('COMMIT');
        committed?.();
        return value;
      } catch (e) {
        // SQLite rolls back by itself after some errors, such as a full disk.
        if (this.db.isTransaction) this.execute('ROLLBACK');
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
    await this.settled();
    this.db.close();
  }

  protected async settled(): Promise<void> {
    await this.#last;
  }

  protected ensureOpen(): void {
    if (this.#closed) throw new HoarfrostError('StoreUnavailable', { detail: 'closed' });
  }

  /** A statement without values or rows, compiled once. */
  protected execute(sql: string): void {
    asStoreError(() => this.#prepare(sql).run());
  }

  /** Another process that holds the lock is waited for, within a bound. */
  async #begin(sql: Begin): Promise<void> {
    const started = performance.now();
    for (;;) {
      try {
        this.#prepare(sql).run();
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
      statement = this.db.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

interface Waiting {
  readonly work: (sql: Sql) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (e: unknown) => void;
}

/** The one that writes. While the disk takes one group, the next one is worked on. */
export class Writer extends Connection {
  readonly #log: WriteAheadLog;
  readonly #checkpoints: Checkpoints;
  readonly #waiting: Waiting[] = [];
  #serving: Promise<void> | undefined;
  #flushed: Promise<void> = Promise.resolve();

  constructor(db: DatabaseSync, log: WriteAheadLog, checkpoints: Checkpoints) {
    super(db);
    this.#log = log;
    this.#checkpoints = checkpoints;
  }

  /** Never rejects. What could be read before the call is on disk after it, or its writer was told that it may not be. */
  get flushed(): Promise<void> {
    return this.#flushed;
  }

  /**
   * A writing transaction that shares its commit with the others that wait: each is a savepoint of its own, so that a failed one
   * concerns nobody else, and none is answered before all are on disk.
   */
  grouped<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.ensureOpen();
      this.#waiting.push({ work, resolve, reject });
      this.#serving ??= this.#serve();
    });
  }

  async #serve(): Promise<void> {
    while (this.#waiting.length > 0) {
      // All that come in this turn of the loop share what follows.
      await turn();
      const before = this.#flushed;
      await this.#group();
      await before;
    }
    this.#serving = undefined;
  }

  async #group(): Promise<void> {
    const taken: Waiting[] = [];
    const outcomes: (() => void)[] = [];
    const work = async () => {
      this.#log.restore();
      while (taken.length < GROUP_MAX && this.#waiting.length > 0) {
        const next = this.#waiting.shift()!;
        taken.push(next);
        outcomes.push(await this.#inSavepoint(next));
      }
    };
    const committed = () => {
      this.#flushed = this.#flushed.then(() => this.#settle(taken, outcomes));
    };
    try {
      await this.inTurn('BEGIN IMMEDIATE', work, committed);
    } catch (e) {
      // Without the lock nobody's turn came, and nobody's will.
      for (const { reject } of taken.length > 0 ? taken : this.#waiting.splice(0)) reject(e);
    }
  }

  /** What each is told once the commit is on disk, or all if it may not be. */
  async #settle(taken: readonly Waiting[], outcomes: readonly (() => void)[]): Promise<void> {
    try {
      await this.#log.flush();
    } catch (e) {
      for (const { reject } of taken) reject(storeError(e));
      return;
    }
    for (const settle of outcomes) settle();
    this.#checkpoints.committed();
  }

  async #inSavepoint({ work, resolve, reject }: Waiting): Promise<() => void> {
    this.execute('SAVEPOINT one');
    try {
      const value = await work(this);
      this.execute('RELEASE one');
      return () => resolve(value as never);
    } catch (e) {
      // SQLite rolls everything back by itself after some errors, such as a full disk: then all have failed.
      if (!this.db.isTransaction) throw e;
      this.execute('ROLLBACK TO one');
      this.execute('RELEASE one');
      return () => reject(e);
    }
  }

  protected override async settled(): Promise<void> {
    await this.#serving;
    await this.#flushed;
    await super.settled();
    await this.#checkpoints.close();
    this.#log.close();
  }
}

function storeError(e: unknown): HoarfrostError {
  if (e instanceof HoarfrostError) return e;
  const { errstr, code } = e as { errstr?: string; code?: string };
  const detail = errstr ?? code;
  return new HoarfrostError('StoreUnavailable', { ...(detail === undefined ? {} : { detail }), cause: e });
}

export function asStoreError<T>(work: () => T): T {
  try {
    return work();
  } catch (e) {
    throw storeError(e);
  }
}
