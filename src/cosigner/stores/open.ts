import type { Store } from '../store.ts';
import { fenceIn } from './fence.ts';
import { openPostgres } from './postgres.ts';
import { parsePostgresUrl } from './postgresUrl.ts';
import { openSqlite } from './sqlite.ts';

/** A file, or the line that names a PostgreSQL. */
export type StoreSetting = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };

/** `sqlite`, then in the file `path`, or `postgres:URL`. Throws `BadConfiguration`, without the value. */
export function readStoreSetting(value: string, path: string): StoreSetting | null {
  if (value === 'sqlite') return { kind: 'sqlite', path };
  const url = /^(?:postgres:)?(postgres(?:ql)?:\/\/.*)$/.exec(value)?.[1];
  if (url === undefined) return null;
  parsePostgresUrl(url);
  return { kind: 'postgres', url };
}

/** `keyFolder` is what instances beside each other share besides the database. */
export async function openStore(setting: StoreSetting, keyFolder: string): Promise<Store> {
  if (setting.kind === 'sqlite') return openSqlite(setting.path);
  return openPostgres(setting.url, { fence: fenceIn(keyFolder) });
}
