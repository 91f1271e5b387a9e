/**
 * When the vault locks by itself: an absolute time, kept with the unlocked session so that it outlives the worker, and
 * checked at every wake, by a timer, and by the browser's alarm.
 */
import type { Secret } from '../crypto/secret.ts';
import { ensure } from '../protocol/errors.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';
import { UnlockSession } from './unlockSession.ts';

const DEFAULT_MINUTES = 15;
const MAX_MINUTES = 24 * 60;

export class AutoLock {
  readonly #db: Database;
  readonly #env: Environment;
  readonly #session: UnlockSession;
  readonly #onDue: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #minutes = DEFAULT_MINUTES;

  /** `onDue` runs whenever a look finds that nothing is unlocked any more. */
  constructor(parts: { db: Database; env: Environment }, onDue: () => Promise<void>) {
    this.#db = parts.db;
    this.#env = parts.env;
    this.#session = new UnlockSession(parts.db, parts.env);
    this.#onDue = onDue;
  }

  get minutes(): number {
    return this.#minutes;
  }

  /** The data key if a session still stands, or null. The caller wipes it. */
  async wake(): Promise<Secret | null> {
    const settings = await this.#db.get('settings', 'settings');
    this.#minutes = settings?.autoLock ?? DEFAULT_MINUTES;
    return this.#session.resume();
  }

  /** The caller wipes `dataKey`. */
  async start(dataKey: Secret): Promise<void> {
    await this.#session.start(dataKey, this.#minutes);
  }

  /** When it locks next, or null if it is locked. */
  async check(): Promise<number | null> {
    clearTimeout(this.#timer);
    const at = await this.#session.autoLockAt();
    if (at === null) {
      await this.#onDue();
      return null;
    }
    this.#timer = setTimeout(() => void this.check(), at - this.#env.now() + 1);
    return at;
  }

  /** The user did something: the time starts again. */
  async extend(): Promise<void> {
    await this.#session.extend(this.#minutes);
    await this.check();
  }

  /** `BadConfiguration` outside of one minute to a day. */
  async set(minutes: number): Promise<void> {
    const sane = Number.isInteger(minutes) && minutes >= 1 && minutes <= MAX_MINUTES;
    ensure(sane, 'BadConfiguration', { detail: 'autoLock' });
    await this.#db.write([{ store: 'settings', key: 'settings', value: { autoLock: minutes } }]);
    this.#minutes = minutes;
    await this.extend();
  }

  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#session.end();
  }
}
