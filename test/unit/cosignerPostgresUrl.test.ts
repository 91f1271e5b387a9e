/** The line that names a PostgreSQL, and what is made of it before anything is connected to. */
import { describe, expect, test } from 'vitest';
import { readStoreSetting } from '../../src/cosigner/stores/open.ts';
import { parsePostgresUrl } from '../../src/cosigner/stores/postgresUrl.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('postgres URL', () => {
  test('user, password, server and database, percent-encoded where they must be', () => {
    expect(parsePostgresUrl('postgres://me:p%40ss@127.0.0.1:5433/wallets')).toEqual({
      hosts: [{ host: '127.0.0.1', port: 5433 }],
      user: 'me',
      password: 'p@ss',
      database: 'wallets',
      ssl: false,
      losesNothing: false,
    });
  });

  test('several servers in their order, IPv6, the usual port, a socket', () => {
    const hosts = (url: string) => parsePostgresUrl(url).hosts;
    expect(hosts('postgresql://one,two:6000,[::1]:7000/db')).toEqual([
      { host: 'one', port: 5432 },
      { host: 'two', port: 6000 },
      { host: '::1', port: 7000 },
    ]);
    expect(hosts('postgres:///db?host=/run/postgresql')).toEqual([{ host: '/run/postgresql', port: 5432 }]);
  });

  test('over a network TLS is verified unless the operator says otherwise; on this machine there is none', () => {
    const ssl = (url: string) => parsePostgresUrl(url).ssl;
    expect(ssl('postgres://db.example/w')).toMatchObject({ rejectUnauthorized: true });
    // One that is not on this machine is enough.
    expect(ssl('postgres://127.0.0.1,db.example/w')).toMatchObject({ rejectUnauthorized: true });
    expect(ssl('postgres://db.example/w?sslmode=disable')).toBe(false);
    expect(ssl('postgres:///w?host=/run/postgresql')).toBe(false);
    expect(ssl('postgres://localhost/w?sslmode=verify-full')).toMatchObject({ rejectUnauthorized: true });
  });

  test('a failover loses something unless the operator says that it cannot', () => {
    const safe = (query: string) => parsePostgresUrl(`postgres://localhost/w${query}`).losesNothing;
    expect([safe(''), safe('?failover=lossy'), safe('?failover=synchronous')]).toEqual([false, false, true]);
  });

  test.each([
    'mysql://localhost/w',
    'postgres://local host/w',
    'postgres://localhost:0/w',
    'postgres://localhost:70000/w',
    'postgres://localhost/w?sslmode=prefer',
    'postgres://localhost/w?failover=maybe',
    'postgres://db.example/w?sslrootcert=/nowhere',
    'postgres://me:%zz-secret@localhost/w',
  ])('audit-09 %s is BadConfiguration, and the complaint repeats none of it', (url) => {
    expect(() => parsePostgresUrl(url)).toThrow(code('BadConfiguration'));
    expect(() => parsePostgresUrl(url)).not.toThrow(/secret|local host|nowhere/);
  });

  test('the setting: sqlite, a URL, or nothing that is understood', () => {
    expect(readStoreSetting('sqlite', '/data/file')).toEqual({ kind: 'sqlite', path: '/data/file' });
    const url = 'postgres://localhost/w';
    for (const value of [url, `postgres:${url}`]) {
      expect(readStoreSetting(value, '')).toEqual({ kind: 'postgres', url });
    }
    expect(readStoreSetting('mongodb://localhost', '')).toBeNull();
  });
});
