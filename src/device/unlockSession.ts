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
  /** The latest time at which anybody looked: a clock that shows less was set back. */
  seen: number;
}

/** What a clock may be corrected by without anybody having to unlock again. */
const CORRECTION_MS = 5_000;
/** How exactly `seen` is kept. */
const SEEN_MS = 20_000;

export class UnlockSession {
  readonly #db: Database;
  readonly #env: Environment;
  /** Rises at every end: what was read before it is not written after it. */
  #life = 0;

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
    const life = this.#life;
    const unlocked = await this.#get();
    if (unlocked === null) return null;
    const now = this.#env.now();
    if (now - unlocked.seen >= SEEN_MS && life === this.#life) await this.#set({ ...unlocked, seen: now });
    return unlocked.autoLockAt;
  }

  /** The user did something: the time starts again. Never brings back what has run out. */
  async extend(minutes: number): Promise<void> {
    const life = this.#life;
    const unlocked = await this.#get();
    if (unlocked !== null && life === this.#life) await this.#put(unlocked.sealed, minutes);
  }

  async end(): Promise<void> {
    this.#life++;
    await this.#env.session.remove(KEY);
    await this.#db.write([{ store: 'session', key: 'key', value: null }]);
  }

  async #put(sealed: Uint8Array<ArrayBuffer>, minutes: number): Promise<void> {
    const now = this.#env.now();
    await this.#set({ sealed, autoLockAt: now + minutes * 60_000, minutes, seen: now });
  }

  async #set(unlocked: Unlocked): Promise<void> {
    await this.#env.session.set(KEY, encodePort(unlocked));
  }

  async #get(): Promise<Unlocked | null> {
    const text = await this.#env.session.get(KEY);
    if (text === null) return null;
    const unlocked = decodePort(text) as Unlocked;
    const now = this.#env.now();
    return now < unlocked.autoLockAt && now >= unlocked.seen - CORRECTION_MS ? unlocked : null;
  }
}
