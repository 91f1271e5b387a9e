/** What `doctor` says of a store, and that it leaves it as it was: it may be of another version than what serves, and is only asked. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import { readConfig } from '../../src/cosigner/config.ts';
import { checkDeployment } from '../../src/cosigner/doctor.ts';
import { fenceIn } from '../../src/cosigner/stores/fence.ts';
import { CURRENT } from '../../src/cosigner/stores/inspect.ts';
import { openPostgres, POSTGRES_WORDS } from '../../src/cosigner/stores/postgres.ts';
import { MIGRATIONS, spell } from '../../src/cosigner/stores/schema.ts';
import { SQLITE_WORDS } from '../../src/cosigner/stores/sqlite.ts';
import { removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';

let folder: string;
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => removeFolder(folder));

/** State and words of the store alone. */
async function storeOf(store: string): Promise<[string, string]> {
  const config = readConfig(['doctor', `--data=${folder}`, `--store=${store}`], {});
  const [found] = (await checkDeployment(config, systemClock)).filter(({ part }) => part === 'store');
  return [found!.state, found!.says];
}
const olderSchema = (words: Parameters<typeof spell>[1]) =>
  MIGRATIONS.slice(0, -1)
    .map((migration) => spell(migration, words))
    .join('\n');

describe('sqlite', () => {
  const path = () => join(folder, 'cosigner.sqlite');
  const change = (sql: string) => {
    const db = new DatabaseSync(path());
    db.exec(sql);
    db.close();
  };
  const print = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => {
        const bytes = readFileSync(join(parentPath, name));
        return [name, createHash('sha256').update(bytes).digest('hex')];
      });

  test('this cosigner’s is good', async () => {
    await (await startCosigner({ folder })).stop();
    const before = print();
    expect(await storeOf('sqlite')).toEqual(['good', 'sqlite answers, and is this cosigner’s']);
    expect(print()).toEqual(before);
  });

  test('so is one that is being served', async () => {
    const running = await startCosigner({ folder });
    expect(await storeOf('sqlite')).toEqual(['good', 'sqlite answers, and is this cosigner’s']);
    await running.stop();
  });

  test('none, and one of an older or a newer version, which stays what it is', async () => {
    expect(await storeOf('sqlite')).toEqual(['doubtful', 'there is no database yet']);
    expect(print()).toEqual([]);
    change(`${olderSchema(SQLITE_WORDS)}; PRAGMA user_version = ${CURRENT - 1}`);
    const before = print();
    expect(await storeOf('sqlite')).toEqual([
      'doubtful',
      `of version ${CURRENT - 1}: serve brings it to ${CURRENT}`,
    ]);
    expect(print()).toEqual(before);
    change('PRAGMA user_version = 99');
    expect(await storeOf('sqlite')).toEqual(['bad', `of version 99, and this program knows ${CURRENT}`]);
  });

  test('what is no database', async () => {
    writeFileSync(path(), 'x'.repeat(5000));
    expect(await storeOf('sqlite')).toEqual(['bad', 'StoreUnavailable: database']);
  });
});

await describeReal('postgres', ['postgres'], () => {
  let server: PostgresServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const fresh = async () => {
    const name = `doctor${++databases}`;
    await server.sql(`CREATE DATABASE ${name}`);
    return name;
  };
  const tablesOf = (name: string) =>
    server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name);

  test('an empty database stays empty, an older one old, and this cosigner’s is good', async () => {
    const name = await fresh();
    expect(await storeOf(server.url(name))).toEqual(['doubtful', 'there is no database yet']);
    expect(await tablesOf(name)).toBe('0');

    const old = await fresh();
    await server.sql(
      `CREATE TABLE schema_version (version int NOT NULL); INSERT INTO schema_version VALUES (${CURRENT - 1});
       ${olderSchema(POSTGRES_WORDS)}`,
      old,
    );
    expect(await storeOf(server.url(old))).toEqual([
      'doubtful',
      `of version ${CURRENT - 1}: serve brings it to ${CURRENT}`,
    ]);
    expect(await server.sql('SELECT version FROM schema_version', old)).toBe(String(CURRENT - 1));

    const running = await startCosigner({ folder, store: () => openPostgres(server.url(name)) });
    await running.stop();
    expect(await storeOf(server.url(name))).toEqual(['good', 'postgres answers, and is this cosigner’s']);
    // It takes up no primary, and tells nobody of one.
    expect(await fenceIn(join(folder, 'epoch-keys')).newest()).toBe(0);
  });

  test('nobody’s, another cosigner’s, an old primary, and none that answers', async () => {
    const name = await fresh();
    await (await openPostgres(server.url(name))).close();
    expect(await storeOf(server.url(name))).toEqual(['doubtful', 'nobody’s yet']);

    const other = testFolder();
    await (await startCosigner({ folder: other, store: () => openPostgres(server.url(name)) })).stop();
    removeFolder(other);
    await (await startCosigner({ folder })).stop();
    expect(await storeOf(server.url(name))).toEqual(['bad', 'another cosigner’s']);

    await fenceIn(join(folder, 'epoch-keys')).raise(7);
    expect(await storeOf(server.url(name))).toEqual(['bad', 'StoreUnavailable: an old primary']);
    expect(await storeOf('postgres://nobody@127.0.0.1:1/none')).toEqual([
      'bad',
      'StoreUnavailable: connection',
    ]);
  });
});
