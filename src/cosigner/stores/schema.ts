/**
 * What each version adds to the one before, for every database alike; append-only once released. Times are milliseconds
 * since 1970, amounts sats (all money there is fits 51 bits), and every key begins with the wallet. BYTES, INT, SERIAL and
 * CLUSTERED are the words that databases spell differently.
 */
export const MIGRATIONS = [
  `
  CREATE TABLE wallet (
    id BYTES PRIMARY KEY,
    session BYTES NOT NULL UNIQUE,
    device_key BYTES NOT NULL UNIQUE,
    certificate BYTES NOT NULL,
    epoch INT NOT NULL,
    next_receive INT NOT NULL DEFAULT 0,
    next_change INT NOT NULL DEFAULT 0,
    begun_at INT NOT NULL
  ) STRICT;

  CREATE TABLE token (
    hash BYTES PRIMARY KEY,
    expires_at INT NOT NULL,
    wallet BYTES REFERENCES wallet (id)
  ) CLUSTERED;

  CREATE TABLE share (
    wallet BYTES NOT NULL REFERENCES wallet (id),
    epoch INT NOT NULL,
    sealed BYTES NOT NULL,
    PRIMARY KEY (wallet, epoch)
  ) CLUSTERED;

  CREATE TABLE attempt (
    wallet BYTES NOT NULL REFERENCES wallet (id),
    epoch INT NOT NULL,
    request BYTES NOT NULL,
    spend BYTES NOT NULL,
    at INT NOT NULL,
    answer BYTES,
    PRIMARY KEY (wallet, epoch, request)
  ) STRICT;

  CREATE TABLE commitment (
    wallet BYTES NOT NULL,
    epoch INT NOT NULL,
    hash BYTES NOT NULL,
    request BYTES NOT NULL,
    PRIMARY KEY (wallet, epoch, hash),
    FOREIGN KEY (wallet, epoch, request) REFERENCES attempt (wallet, epoch, request)
  ) CLUSTERED;

  CREATE TABLE reserve (
    wallet BYTES NOT NULL REFERENCES wallet (id),
    outpoint TEXT NOT NULL,
    amount INT NOT NULL,
    PRIMARY KEY (wallet, outpoint)
  ) CLUSTERED;

  CREATE TABLE charge (
    id SERIAL PRIMARY KEY,
    wallet BYTES NOT NULL REFERENCES wallet (id),
    at INT NOT NULL,
    amount INT NOT NULL
  ) STRICT;
  CREATE INDEX charge_by_time ON charge (wallet, at, amount);

  CREATE TABLE receipt (
    wallet BYTES NOT NULL REFERENCES wallet (id),
    sequence INT NOT NULL,
    body BYTES NOT NULL,
    signature BYTES NOT NULL,
    PRIMARY KEY (wallet, sequence)
  ) CLUSTERED;
  `,
  `
  CREATE TABLE record (
    wallet BYTES NOT NULL REFERENCES wallet (id),
    kind TEXT NOT NULL,
    key BYTES NOT NULL,
    body BYTES NOT NULL,
    PRIMARY KEY (wallet, kind, key)
  ) CLUSTERED;
  CREATE INDEX wallet_by_birth ON wallet (begun_at);
  `,
  // One row: whose store this is, the name of its ledger, when a part of it was last lost, and which of the database
  // server's timelines it was last seen on.
  `
  CREATE TABLE cosigner (
    single INT PRIMARY KEY DEFAULT 1 CHECK (single = 1),
    identity BYTES,
    ledger BYTES,
    lost_at INT NOT NULL DEFAULT 0,
    timeline INT
  ) STRICT;
  INSERT INTO cosigner (single) VALUES (1);
  `,
  // Keys that wait for their destruction are looked for over all wallets.
  `
  CREATE INDEX record_to_destroy ON record (kind) WHERE kind = 'destroy';
  `,
  // Whoever has lost the device names no wallet: it is found by the words' key, or by a ceremony. Time goes by for all of them.
  `
  CREATE INDEX record_of_recovery ON record (key) WHERE kind = 'recovery';
  CREATE INDEX record_of_ceremony ON record (key) WHERE kind = 'ceremony';
  CREATE INDEX record_of_past_ceremony ON record (key) WHERE kind = 'pastCeremony';
  CREATE INDEX record_of_notice ON record (key) WHERE kind = 'notice';
  `,
  // Of a wallet that another cosigner had before: when its key was made, and until when others charged it. And one that is
  // about to be taken over: durable, and nobody's until device and recovery have approved.
  `
  ALTER TABLE wallet ADD COLUMN born_at INT;
  ALTER TABLE wallet ADD COLUMN lost_at INT NOT NULL DEFAULT 0;
  CREATE TABLE takeover (
    device_key BYTES PRIMARY KEY,
    body BYTES NOT NULL
  ) CLUSTERED;
  `,
  // Which of the cosigner's channel keys devices are told to pin: instances beside each other tell the same. Whose the store is
  // was said by both keys before, and is said anew by the one that stays.
  `
  UPDATE cosigner SET identity = NULL;
  ALTER TABLE cosigner ADD COLUMN channel INT NOT NULL DEFAULT 0;
  ALTER TABLE cosigner ADD COLUMN channel_key BYTES;
  `,
] as const;

type Word = 'BYTES' | 'INT' | 'SERIAL' | 'CLUSTERED' | 'STRICT';

/** A migration in the words of one database. */
export function spell(migration: string, words: Record<Word, string>): string {
  return migration.replace(/\b(BYTES|INT|SERIAL|CLUSTERED|STRICT)\b/g, (word) => words[word as Word]);
}

/** Tables that a backup leaves out: what a restore must void, and what is about this very server. */
export const NOT_BACKED_UP: readonly string[] = ['token', 'cosigner', 'takeover'];
/** Columns that the database fills by itself and nothing refers to. */
export const NUMBERED = 'charge.id';
