/**
 * What a store is, seen without changing anything of it: opening one makes its tables, brings them up to date and takes up a new
 * primary, none of which is a question's business. `doctor` may even be of another version than what serves.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'pg';
import { ensure, HoarfrostError } from '../../protocol/errors.ts';
import type { AnnouncedKey, Bytes } from '../store.ts';
import { fenceIn } from './fence.ts';
import type { StoreSetting } from './open.ts';
import { check, storeError } from './postgres.ts';
import { parsePostgresUrl } from './postgresUrl.ts';
import { MIGRATIONS } from './schema.ts';
import { blobOf } from './sqlWallet.ts';

export interface StoreState {
  /** Of its schema; `CURRENT` is this program's. */
  readonly version: number;
  /** Whose it is (`identityName`): null for nobody's, or one of another version, which is not read. */
  readonly owner: Bytes | null;
  readonly channelKey: AnnouncedKey | null;
}

export const CURRENT = MIGRATIONS.length;

const DEADLINE_MS = 3000;
const OWNER = 'SELECT identity, channel, channel_key FROM cosigner';

/** Null where there is none yet. `StoreUnavailable`, also for an old primary; `BadConfiguration` for a server that cannot be relied on. */
export async function inspectStore(setting: StoreSetting, keyFolder: string): Promise<StoreState | null> {
  return setting.kind === 'sqlite' ? inspectFile(setting.path) : inspectServer(setting.url, keyFolder);
}

async function inspectFile(path: string): Promise<StoreState | null> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw e;
  }
  try {
    // Not opened `readOnly`, which leaves a log beside the file that may be another user's.
    using db = new DatabaseSync(path, { timeout: DEADLINE_MS });
    db.exec('PRAGMA query_only = ON');
    const version = Number(db.prepare('PRAGMA user_version').get()!.user_version);
    return stateOf(version, version === CURRENT ? db.prepare(OWNER).get() : undefined);
  } catch (cause) {
    throw new HoarfrostError('StoreUnavailable', { detail: 'database', cause });
  }
}

/** The first server that is no standby, as the store would take it. */
async function inspectServer(url: string, keyFolder: string): Promise<StoreState | null> {
  const { hosts, user, password, database, ssl } = parsePostgresUrl(url);
  let failure: unknown;
  for (const server of hosts) {
    const pool = new Pool({
      ...server,
      user,
      password,
      database,
      ssl,
      max: 1,
      connectionTimeoutMillis: DEADLINE_MS,
      query_timeout: DEADLINE_MS,
      application_name: 'hoarfrost-doctor',
    });
    pool.on('error', () => {});
    try {
      const client = await pool.connect();
      try {
        const timeline = await check(client);
        ensure(timeline >= (await fenceIn(keyFolder).newest()), 'StoreUnavailable', {
          detail: 'an old primary',
        });
        const [table] = (await client.query("SELECT to_regclass('schema_version') AS name")).rows;
        if (table.name === null) return null;
        const [row] = (await client.query('SELECT version FROM schema_version')).rows;
        const version = Number(row?.version ?? 0);
        return stateOf(version, version === CURRENT ? (await client.query(OWNER)).rows[0] : undefined);
      } finally {
        client.release(true);
      }
    } catch (e) {
      failure = e;
    } finally {
      await pool.end();
    }
  }
  throw storeError(failure);
}

function stateOf(version: number, row: Record<string, unknown> | undefined): StoreState | null {
  if (version === 0) return null;
  const noiseKey = blobOf(row?.channel_key);
  const channelKey = noiseKey === null ? null : { number: Number(row!.channel), noiseKey };
  return { version, owner: blobOf(row?.identity), channelKey };
}
