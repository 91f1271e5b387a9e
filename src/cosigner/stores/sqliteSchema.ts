import type { DatabaseSync } from 'node:sqlite';
import { HoarfrostError } from '../../protocol/errors.ts';

/**
 * What each version adds to the one before; append-only once released. Times are milliseconds since 1970, amounts sats
 * (all money there is fits 51 bits), and every key begins with the wallet.
 */
const MIGRATIONS = [
  `
  CREATE TABLE token (
    hash BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    wallet BLOB REFERENCES wallet (id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE wallet (
    id BLOB PRIMARY KEY,
    session BLOB NOT NULL UNIQUE,
    device_key BLOB NOT NULL UNIQUE,
    certificate BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    next_receive INTEGER NOT NULL DEFAULT 0,
    next_change INTEGER NOT NULL DEFAULT 0,
    begun_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE share (
    wallet BLOB NOT NULL REFERENCES wallet (id),
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (wallet, epoch)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE attempt (
    wallet BLOB NOT NULL REFERENCES wallet (id),
    epoch INTEGER NOT NULL,
    request BLOB NOT NULL,
    spend BLOB NOT NULL,
    at INTEGER NOT NULL,
    answer BLOB,
    PRIMARY KEY (wallet, epoch, request)
  ) STRICT;

  CREATE TABLE commitment (
    wallet BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    request BLOB NOT NULL,
    PRIMARY KEY (wallet, epoch, hash),
    FOREIGN KEY (wallet, epoch, request) REFERENCES attempt (wallet, epoch, request)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE reserve (
    wallet BLOB NOT NULL REFERENCES wallet (id),
    outpoint TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (wallet, outpoint)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE charge (
    id INTEGER PRIMARY KEY,
    wallet BLOB NOT NULL REFERENCES wallet (id),
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX charge_by_time ON charge (wallet, at, amount);

  CREATE TABLE receipt (
    wallet BLOB NOT NULL REFERENCES wallet (id),
    sequence INTEGER NOT NULL,
    body BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (wallet, sequence)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE record (
    wallet BLOB NOT NULL REFERENCES wallet (id),
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (wallet, kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX wallet_by_birth ON wallet (begun_at);
  `,
] as const;

/** Brings an older database up to date, each version in its own transaction; a newer one is refused untouched. */
export function migrate(db: DatabaseSync): void {
  const version = () => Number(db.prepare('PRAGMA user_version').get()!.user_version);
  if (version() > MIGRATIONS.length) {
    throw new HoarfrostError('StoreUnavailable', { detail: 'database of a newer version' });
  }
  while (version() < MIGRATIONS.length) {
    db.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have migrated while this one waited for the lock.
      const at = version();
      if (at < MIGRATIONS.length) db.exec(`${MIGRATIONS[at]}; PRAGMA user_version = ${at + 1}`);
      db.exec('COMMIT');
    } catch (e) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw e;
    }
  }
}
