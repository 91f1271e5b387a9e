/**
 * When the vault locks by itself: an absolute time, kept with the unlocked session so that it outlives the worker, and
 * checked at every wake and every call, by a timer, and by the browser's alarm. A machine that slept wakes past it; a clock
 * that is set back does not put it off, for while this worker lives the time is also counted by a clock that nobody sets.
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
  /** By the monotonic clock: when it locks, whatever the other clock says. */
  #until = Number.POSITIVE_INFINITY;

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
    this.#count();
  }

  /** When it locks next, or null if it is locked. */
  async check(): Promise<number | null> {
    clearTimeout(this.#timer);
    const at = await this.#session.autoLockAt();
    const left = at === null ? 0 : Math.min(at - this.#env.now(), this.#until - this.#env.monotonic());
    if (at === null || left <= 0) {
      await this.#onDue();
      return null;
    }
    this.#until = Math.min(this.#until, this.#env.monotonic() + left);
    this.#timer = setTimeout(() => void this.check(), left + 1);
    return at;
  }

  /** The user did something: the time starts again. */
  async extend(): Promise<void> {
    if ((await this.check()) === null) return;
    await this.#session.extend(this.#minutes);
    this.#count();
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

  #count(): void {
    this.#until = this.#env.monotonic() + this.#minutes * 60_000;
  }

  async end(): Promise<void> {
    this.#until = Number.POSITIVE_INFINITY;
    clearTimeout(this.#timer);
    await this.#session.end();
  }
}
