import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { helpText, readConfig } from '../../src/cosigner/config.ts';
import { createLog, type LogFields } from '../../src/cosigner/log.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
  writeFileSync(join(folder, 'cert.pem'), 'cert');
  writeFileSync(join(folder, 'key.pem'), 'key');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('ways to a contact', () => {
  const contacts = (...args: string[]) =>
    readConfig(
      [
        `--tls-cert=${folder}/cert.pem`,
        `--tls-key=${folder}/key.pem`,
        '--chain=esplora:http://127.0.0.1',
        ...args,
      ],
      {},
    ).serve().contacts;

  test('are none unless they are set', () => {
    expect(contacts()).toEqual({ smtp: null, webhooks: null });
  });

  test('are a server with TLS or STARTTLS, its name and password as they are, and the hosts of webhooks', () => {
    expect(
      contacts('--smtp=smtps://me:p%40ss%3A@mail.example.org', '--smtp-from=cosigner@Example.org'),
    ).toMatchObject({
      smtp: {
        host: 'mail.example.org',
        port: 465,
        implicitTls: true,
        auth: { user: 'me', password: 'p@ss:' },
        from: 'cosigner@example.org',
      },
    });
    expect(contacts('--smtp=smtp://[::1]:2525', '--smtp-from=a@b.c').smtp).toMatchObject({
      host: '::1',
      port: 2525,
      implicitTls: false,
      auth: null,
    });
    expect(contacts('--smtp=smtp://mail.example.org', '--smtp-from=a@b.c').smtp).toMatchObject({ port: 587 });
    expect(contacts('--webhook-hosts=A.example, 10.0.0.1').webhooks).toEqual({
      hosts: ['a.example', '10.0.0.1'],
      any: false,
    });
    expect(contacts('--webhook-hosts=*').webhooks).toEqual({ hosts: [], any: true });
  });

  test.each([
    [['--smtp=mail.example.org', '--smtp-from=a@b.c'], 'smtp: smtps://'],
    [['--smtp=http://mail.example.org', '--smtp-from=a@b.c'], 'smtp: smtps://'],
    [['--smtp=smtps://secret@mail.example.org', '--smtp-from=a@b.c'], 'smtp: smtps://'],
    [['--smtp=smtps://a:%E0%A4%A@mail.example.org', '--smtp-from=a@b.c'], 'smtp: smtps://'],
    [['--smtp=smtps://mail.example.org/x', '--smtp-from=a@b.c'], 'smtp: smtps://'],
    [['--smtp=smtps://mail.example.org'], 'smtp-from: must be set'],
    [['--smtp=smtps://mail.example.org', '--smtp-from=https://a.b/'], 'smtp-from: an e-mail address'],
    [['--webhook-hosts=https://example.org'], 'webhook-hosts: names of hosts'],
    [['--webhook-hosts='], 'webhook-hosts: names of hosts'],
  ])('%j: %s, and no secret is repeated', (args, complaint) => {
    expect(() => contacts(...args)).toThrow(complaint);
    expect(() => contacts(...args)).not.toThrow('secret');
  });
});

describe('audit-09 configuration', () => {
  const tls = () => [`--tls-cert=${folder}/cert.pem`, `--tls-key=${folder}/key.pem`];
  const serve = (args: string[], env: NodeJS.ProcessEnv = {}) => readConfig(args, env).serve();
  const chainOf = (chain: string) => serve([...tls(), '--chain', chain]).chain;

  test('flags come before the environment, the environment before what is usual', () => {
    expect(readConfig([], {})).toMatchObject({ command: 'serve', host: '127.0.0.1', port: 9737 });
    const env = { HOARFROST_PORT: '1', HOARFROST_TOKEN_LIFETIME: '2' };
    expect(readConfig([], env)).toMatchObject({ port: 1, tokenLifetimeMs: 120_000 });
    expect(readConfig(['token', '--port', '3'], env)).toMatchObject({ command: 'token', port: 3 });
  });

  test.each([
    [['--port', '70000'], 'port: a number'],
    [['--port', '1e3'], 'port: a number'],
    [['--network', 'mars'], 'network: one of'],
    [['--log-level', 'loud'], 'log-level: one of'],
    [['--public', 'nowhere'], 'public: HOST:PORT'],
    [['--data', ''], 'data: must be set'],
    [['--colour', 'red'], '--colour: not understood'],
    [['fly'], 'command: one of'],
    [['constructor'], 'command: one of'],
    [['token', 'twice'], 'command: one of'],
  ])('%j is BadConfiguration and names the setting', (args, message) => {
    expect(() => readConfig(args, {})).toThrow(
      expect.objectContaining({ code: 'BadConfiguration', message: expect.stringContaining(message) }),
    );
  });

  test.each([
    [() => serve([]), 'tls-cert: must be set'],
    [() => serve(['--tls-cert', '/nowhere/cert.pem']), 'tls-cert: file cannot be read'],
    [() => serve(tls()), 'chain: must be set'],
    [() => serve([...tls(), '--chain', 'esplora:http://x', '--chain-poll', '0']), 'chain-poll: a number'],
    [() => chainOf('neutrino:http://x'), 'chain: bitcoind'],
    [() => chainOf('electrum:http://x:1'), 'chain: electrum'],
    [() => chainOf('electrum:tcp://x'), 'chain: electrum'],
    [() => chainOf(`electrum:tcp://x:1?sha256=${'ab'.repeat(32)}`), 'chain: electrum'],
    [() => chainOf('electrum:tls://x:1?sha256=ab'), 'chain: electrum'],
    [() => chainOf('bitcoind:ftp://x'), 'chain: bitcoind'],
    [() => chainOf('bitcoind:http://127.0.0.1:1'), 'chain: bitcoind needs'],
    [() => chainOf('bitcoind:http://alice:100%@127.0.0.1:1'), 'chain: bitcoind'],
  ])('what serve needs is checked before it starts (%#)', (read, message) => {
    expect(read).toThrow(
      expect.objectContaining({ code: 'BadConfiguration', message: expect.stringContaining(message) }),
    );
  });

  test('a chain source is read from its address, and a complaint never repeats its password', () => {
    expect(chainOf('esplora:https://mutinynet.com/api')).toEqual({
      kind: 'esplora',
      url: 'https://mutinynet.com/api',
    });
    expect(chainOf('bitcoind:http://al%40ice:s3cr%3At@127.0.0.1:18443')).toEqual({
      kind: 'bitcoind',
      url: 'http://127.0.0.1:18443',
      auth: { user: 'al@ice', password: 's3cr:t' },
    });
    expect(chainOf('bitcoind:http://127.0.0.1:18443?cookie=/x/.cookie')).toEqual({
      kind: 'bitcoind',
      url: 'http://127.0.0.1:18443',
      auth: { cookieFile: '/x/.cookie' },
    });
    expect(chainOf('electrum:tcp://127.0.0.1:50001')).toEqual({
      kind: 'electrum',
      address: { host: '127.0.0.1', port: 50001, tls: null },
    });
    expect(chainOf('electrum:tls://[::1]:50002')).toEqual({
      kind: 'electrum',
      address: { host: '::1', port: 50002, tls: { fingerprint: null } },
    });
    expect(chainOf(`electrum:tls://electrum.example:50002?sha256=${'AB:'.repeat(31)}AB`)).toMatchObject({
      address: { host: 'electrum.example', tls: { fingerprint: 'ab'.repeat(32) } },
    });
    try {
      chainOf('bitcoind:gopher://alice:s3cret@127.0.0.1');
      expect.unreachable();
    } catch (e) {
      expect(String(e)).not.toContain('s3cret');
    }
  });

  test('the help names every setting', () => {
    for (const name of ['data', 'network', 'port', 'tls-cert', 'chain', 'token-lifetime', 'print-pairing']) {
      expect(helpText()).toContain(`--${name}`);
    }
  });
});

describe('audit-27 log', () => {
  const lines: string[] = [];
  const clock = { now: () => 0, monotonic: () => 0 };
  const log = createLog('info', clock, (line) => lines.push(line));

  test('a line is JSON of the listed fields, and nothing else gets in', () => {
    lines.length = 0;
    const smuggled = { code: 'TooLarge', count: 3, address: 'bc1q', share: 'ff' } as LogFields;
    log.info('refused', smuggled);
    const bytes = { detail: new Uint8Array(2), request: 'a\nb', ms: '7' } as unknown as LogFields;
    log.info('odd', bytes);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { time: '1970-01-01T00:00:00.000Z', level: 'info', event: 'refused', code: 'TooLarge', count: 3 },
      { time: '1970-01-01T00:00:00.000Z', level: 'info', event: 'odd' },
    ]);
  });

  test('audit-29 the level changes while it runs', () => {
    lines.length = 0;
    log.debug('unheard');
    log.level = 'debug';
    log.debug('heard');
    log.level = 'error';
    log.warn('unheard');
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['heard']);
  });
});
