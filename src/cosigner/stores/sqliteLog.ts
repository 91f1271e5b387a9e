/**
 * The write-ahead log of a SQLite database. Under `synchronous=NORMAL` SQLite appends a commit without waiting for the disk; here it
 * is flushed, on another thread, before anybody is told of it: as durable as `synchronous=FULL`, and the event loop goes on.
 * Another thread too copies what is committed into the database, so that the log stays short.
 */
import { closeSync, fdatasync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ensure } from '../../protocol/errors.ts';

const dataSync = promisify(fdatasync);
const CHUNK = 1 << 20;
/** Commits between two checkpoints: some 4 to 16 MB of log. */
const COMMITS = 256;

export class WriteAheadLog {
  readonly #fd: number;
  #lost = false;

  /** Of a database that is open, and stays open for longer. */
  constructor(database: string) {
    this.#fd = openSync(`${database}-wal`, 'r+');
  }

  /** Resolves when everything committed before the call is on disk. After a failure nothing is, until `restore`. */
  async flush(): Promise<void> {
    ensure(!this.#lost, 'StoreUnavailable', { detail: 'flush failed' });
    try {
      await dataSync(this.#fd);
    } catch (e) {
      this.#lost = true;
      throw e;
    }
  }

  /**
   * After a failed flush the kernel may take for clean what never reached the disk: then no later flush would bring it there. So all
   * of the log is written once more. To be called with the lock that keeps others from appending.
   */
  restore(): void {
    if (!this.#lost) return;
    const chunk = new Uint8Array(CHUNK);
    const { size } = fstatSync(this.#fd);
    for (let at = 0; at < size; at += CHUNK) {
      const length = readSync(this.#fd, chunk, 0, CHUNK, at);
      writeSync(this.#fd, chunk, 0, length, at);
    }
    this.#lost = false;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Copies the log into the database now and again, in a thread with a connection of its own. */
export class Checkpoints {
  readonly #database: string;
  #commits = 0;
  #thread: Worker | undefined;
  #working = false;

  constructor(database: string) {
    this.#database = database;
  }

  /** Begins the thread with the first work there is: most stores that are opened never see so many commits. */
  committed(): void {
    this.#commits++;
    if (this.#commits < COMMITS || this.#working) return;
    this.#commits = 0;
    this.#working = true;
    this.#thread ??= this.#begin();
    this.#thread.postMessage('checkpoint');
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    thread.ref();
    thread.postMessage('close');
    await ended;
  }

  #begin(): Worker {
    const file = new URL('./sqliteCheckpoints.ts', import.meta.url);
    const thread = new Worker(file, { workerData: this.#database, execArgv: [] });
    thread.on('message', () => {
      this.#working = false;
    });
    // Another is begun with the next work; until then SQLite sees to it by itself (`wal_autocheckpoint`).
    thread.on('error', () => {});
    thread.on('exit', () => {
      this.#thread = undefined;
      this.#working = false;
    });
    thread.unref();
    return thread;
  }
}
