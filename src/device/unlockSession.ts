/**
 * Staying unlocked across the deaths of the worker (DESIGN section 6): `storage.session` holds the data key under a key of
 * this one unlock, which lives in IndexedDB and cannot be exported. Either half alone opens nothing, and locking clears both.
 */
import { aeadOpen, aeadSeal } from '../crypto/aead.ts';
import type { Secret } from '../crypto/secret.ts';
import { decodePort, encodePort } from '../protocol/portCodec.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';

const KEY = 'unlocked';
const AAD = new TextEncoder().encode('hoarfrost/unlock-session');

interface Unlocked {
  sealed: Uint8Array<ArrayBuffer>;
  /** Absolute, milliseconds since 1970. */
  autoLockAt: number;
  minutes: number;
}

export class UnlockSession {
  readonly #db: Database;
  readonly #env: Environment;

  constructor(db: Database, env: Environment) {
    this.#db = db;
    this.#env = env;
  }

  /** The caller wipes `dataKey`. */
  async start(dataKey: Secret, minutes: number): Promise<void> {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]);
    const sealed = await aeadSeal(key, dataKey, AAD, this.#env.random);
    await this.#db.write([{ store: 'session', key: 'key', value: key }]);
    await this.#put(sealed, minutes);
  }

  /** The data key, or null if locked. A time that has passed, or that a clock set back made too far, locks here and now. */
  async resume(): Promise<Secret | null> {
    const unlocked = await this.#get();
    const key = await this.#db.get('session', 'key');
    if (key === null && (await this.#env.session.get(KEY)) === null) return null;
    if (unlocked !== null && key !== null) {
      try {
        return await aeadOpen(key, unlocked.sealed, AAD);
      } catch {
        // The halves of two different unlocks: as good as locked.
      }
    }
    await this.end();
    return null;
  }

  /** When it will lock, or null if it is locked. */
  async autoLockAt(): Promise<number | null> {
    return (await this.#get())?.autoLockAt ?? null;
  }

  /** The user did something: the time starts again. Never brings back what has run out. */
  async extend(minutes: number): Promise<void> {
    const unlocked = await this.#get();
    if (unlocked !== null) await this.#put(unlocked.sealed, minutes);
  }

  async end(): Promise<void> {
    await this.#env.session.remove(KEY);
    await this.#db.write([{ store: 'session', key: 'key', value: null }]);
  }

  async #put(sealed: Uint8Array<ArrayBuffer>, minutes: number): Promise<void> {
    const autoLockAt = this.#env.now() + minutes * 60_000;
    await this.#env.session.set(KEY, encodePort({ sealed, autoLockAt, minutes } satisfies Unlocked));
  }

  async #get(): Promise<Unlocked | null> {
    const text = await this.#env.session.get(KEY);
    if (text === null) return null;
    const unlocked = decodePort(text) as Unlocked;
    const left = unlocked.autoLockAt - this.#env.now();
    return left > 0 && left <= unlocked.minutes * 60_000 ? unlocked : null;
  }
}
