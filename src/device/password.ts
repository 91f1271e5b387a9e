/**
 * The lock of the stored vault: opened, brought up to date, changed. A change is one write of one row after the old lock was
 * opened, so that whatever dies in between leaves a vault which opens with exactly one of the two passwords.
 */

import { KDF_CURRENT, type KdfCost } from '../crypto/kdf.ts';
import type { Secret } from '../crypto/secret.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';
import {
  type Credentials,
  ensureStrong,
  isOutdated,
  relock,
  type SecurityKey,
  unlockVault,
  type VaultRecord,
  vaultChanges,
} from './vault.ts';
import { upgradeVersion1 } from './vaultVersion1.ts';

interface Opened {
  readonly record: VaultRecord;
  readonly dataKey: Secret;
}

export class PasswordLock {
  readonly #db: Database;
  readonly #env: Environment;
  readonly #cost: KdfCost;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: { db: Database; env: Environment }, cost: KdfCost = KDF_CURRENT) {
    this.#db = parts.db;
    this.#env = parts.env;
    this.#cost = cost;
  }

  /**
   * The data key, which the caller wipes. A lock that cost less than today's is replaced before it opens. Throws `NoWallet`,
   * `WrongPassword`, `SecurityKeyNeeded`, `VaultDamaged`.
   */
  open(credentials: Credentials): Promise<Secret> {
    return this.#alone(async () => {
      const { record, dataKey } = await this.#open(credentials);
      if (!isOutdated(record, this.#cost)) return dataKey;
      return this.#unlessItFails(dataKey, async () => {
        const { securityKey } = record.lock;
        await this.#keep(
          await relock(record, dataKey, credentials, securityKey, this.#env.random, this.#cost),
        );
        return dataKey;
      });
    });
  }

  /**
   * From here on the next password opens, and no other. Throws as `open`, and `WeakPassword`; then nothing has changed. As the
   * next one, a change that was made already stays made: a page asks again when the worker died under its question.
   */
  async changePassword(current: Credentials, next: string): Promise<void> {
    ensureStrong(next);
    await this.#change(current, ({ lock }) => [{ ...current, password: next }, lock.securityKey]);
  }

  /** The same password, from here on with this security key, whose `factor` the caller wipes; or, with null, alone. */
  async changeSecurityKey(
    current: Credentials,
    next: (SecurityKey & { factor: Secret }) | null,
  ): Promise<void> {
    const securityKey = next === null ? null : { credential: next.credential, salt: next.salt };
    const factor = next?.factor ?? null;
    await this.#change(current, () => [{ ...current, factor }, securityKey]);
  }

  #change(
    current: Credentials,
    to: (record: VaultRecord) => [Credentials, SecurityKey | null],
  ): Promise<void> {
    return this.#alone(async () => {
      const { record, dataKey } = await this.#open(current).catch((e) => this.#ifMade(e, to));
      try {
        const [credentials, securityKey] = to(record);
        await this.#keep(
          await relock(record, dataKey, credentials, securityKey, this.#env.random, this.#cost),
        );
      } finally {
        dataKey.wipe();
      }
    });
  }

  /** Rethrows `e` unless the lock is already what it was to become. */
  async #ifMade(e: unknown, to: (record: VaultRecord) => [Credentials, SecurityKey | null]): Promise<Opened> {
    const record = await this.#db.get('vault', 'vault');
    if (record === null || record.version === 1) throw e;
    const [credentials, securityKey] = to(record);
    const saltOf = (key: SecurityKey | null) => key?.salt ?? new Uint8Array();
    if (!equalVar(saltOf(record.lock.securityKey), saltOf(securityKey))) throw e;
    const dataKey = await unlockVault(record, credentials).catch(() => Promise.reject(e));
    return { record, dataKey };
  }

  async #open(credentials: Credentials): Promise<Opened> {
    const record = await this.#db.get('vault', 'vault');
    ensure(record !== null, 'NoWallet');
    if (record.version !== 1) return { record, dataKey: await unlockVault(record, credentials) };
    const { vault, dataKey } = await upgradeVersion1(record, credentials, this.#env.random);
    return this.#unlessItFails(dataKey, async () => {
      await this.#db.write(vaultChanges(vault));
      return { record: vault.record, dataKey };
    });
  }

  #keep(record: VaultRecord): Promise<void> {
    return this.#db.write([{ store: 'vault', key: 'vault', value: record }]);
  }

  async #unlessItFails<T>(dataKey: Secret, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (e) {
      dataKey.wipe();
      throw e;
    }
  }

  /** One at a time: two changes at once would each build on the lock that the other replaces. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => {});
    return run;
  }
}
