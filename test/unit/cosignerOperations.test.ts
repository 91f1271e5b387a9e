/** What the operator sees: metrics, the settings file, and what `doctor` says of a deployment. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';
import { freePort } from '../../scripts/setup/processes.ts';
import { networkParams } from '../../src/bitcoin/network.ts';
import { steadyClock, systemClock } from '../../src/cosigner/clock.ts';
import { readConfig } from '../../src/cosigner/config.ts';
import { checkDeployment, type Finding, reportLines } from '../../src/cosigner/doctor.ts';
import { Metrics } from '../../src/cosigner/metrics.ts';
import { serveMetrics } from '../../src/cosigner/metricsServer.ts';
import { newDevice, pay, type Running, startCosigner, testTls, within } from '../support/cosigner.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'operations-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('audit-28 metrics', () => {
  let running: Running;
  let server: Server;
  afterEach(async () => {
    server?.close();
    await running?.stop();
  });

  test('counts of requests, decisions, parts and time, and no word of any wallet', async () => {
    running = await startCosigner({ folder });
    const clock = steadyClock(systemClock);
    server = await serveMetrics(running.cosigner, running.listener, clock, { host: '127.0.0.1', port: 0 });
    const { device, client } = await newDevice(running);
    await pay(client, device, 1000n);
    running.chain.lost = true;
    const page = async (path: string) => {
      const { port } = server.address() as AddressInfo;
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(30_000) });
      return { status: answer.status, text: await answer.text() };
    };
    const { text } = await page('/metrics');
    for (const line of [
      'hoarfrost_requests_total{request="sign",answer="signed"} 1',
      'hoarfrost_request_seconds_count{request="sign"} 1',
      'hoarfrost_decisions_total{verdict="signs"} 1',
      'hoarfrost_enrolments_total 1',
      'hoarfrost_connections 1',
      'hoarfrost_half_open_connections 0',
      'hoarfrost_part_up{part="store"} 1',
      'hoarfrost_part_up{part="chain"} 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    // Every line is a comment or a sample; and nothing of the wallet is in any.
    for (const line of text.trim().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[\w.+]+",?)+\})? -?[\d.e+-]+)$/);
    }
    for (const secret of [device.keys.wallet, device.noise.publicKey, device.keys.groupKey]) {
      expect(text).not.toContain(bytesToHex(secret).slice(0, 16));
    }
    expect(text).not.toContain('127.0.0.1');
    expect((await page('/')).status).toBe(404);
  });

  test('a label that is no word of ours is no label, and series are bounded', () => {
    const metrics = new Metrics();
    metrics.count('hoarfrost_requests_total', { request: 'bc1qsecret0000', answer: 'x"}\ny 1' });
    expect(metrics.text()).toContain('hoarfrost_requests_total{request="other",answer="other"} 1');
    const word = (n: number) => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
    for (let i = 0; i < 2000; i++) {
      metrics.observe('hoarfrost_request_seconds', 1, { request: word(i) });
      metrics.count('hoarfrost_connections_total', { outcome: word(i) });
    }
    expect(metrics.text().match(/_count\{/g)).toHaveLength(500);
    expect(metrics.text().match(/^hoarfrost_connections_total\{/gm)).toHaveLength(500);
  });

  test('a histogram adds up from bucket to bucket', () => {
    const metrics = new Metrics();
    for (const seconds of [0.0005, 0.003, 0.003, 99]) metrics.observe('hoarfrost_request_seconds', seconds);
    const counts = [...metrics.text().matchAll(/_bucket\{le="([^"]+)"\} (\d+)/g)].map(([, le, n]) => [
      le,
      Number(n),
    ]);
    expect(counts).toContainEqual(['0.001', 1]);
    expect(counts).toContainEqual(['0.005', 3]);
    expect(counts.at(-1)).toEqual(['+Inf', 4]);
  });
});

describe('as a process', () => {
  const main = join(root, 'src/cosigner/main.ts');
  test('init, then doctor, which ends with 1 while anything is bad', () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [main, ...args, '--data', join(folder, 'data')], {
        encoding: 'utf8',
        timeout: 60_000,
      });
    expect(run('init').status).toBe(0);
    const { status, stdout } = run('doctor');
    expect(status).toBe(1);
    expect(stdout).toContain('tls-cert: must be set');
    expect(stdout).toMatch(/^good +keys /m);
    expect(stdout).toMatch(/^1 bad, \d doubtful, \d good$/m);
  });

  test('rotate, announce, retire: one after the other, each again if need be, and doctor says where it stands', async () => {
    const data = join(folder, 'data');
    const tls = await testTls;
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, '--data', data], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      return { status, said: stdout + stderr };
    };
    const keyIn = ({ said }: { said: string }) => /(?:channel key |[?]k=)([0-9a-f]{64})/.exec(said)?.[1];
    const ofKeys = async () => {
      const found = await checkDeployment(readConfig(['doctor', '--data', data], {}), systemClock);
      return found.filter(({ part }) => part === 'keys').map(({ state, says }) => `${state}: ${says}`);
    };
    const first = keyIn(run('init'));
    expect(await ofKeys()).toEqual(['good: 4 files and folders, for this user alone']);
    for (const _ of ['once', 'and again'])
      expect(run('rotate')).toMatchObject({ status: 0, said: expect.stringContaining('noise-1.key') });
    expect(await ofKeys()).toContain('doubtful: no device was told of noise-1.key');
    expect(keyIn(run('token'))).toBe(first);
    const second = keyIn(run('announce'));
    expect(second).not.toBe(first);
    expect(keyIn(run('announce'))).toBe(second);
    expect(keyIn(run('token'))).toBe(second);
    expect(await ofKeys()).toContain('doubtful: noise.key answered beside noise-1.key');

    const file = readFileSync(join(data, 'noise-1.key'));
    rmSync(join(data, 'noise-1.key'));
    const settings = [
      `--tls-cert=${tls.certFile}`,
      `--tls-key=${tls.keyFile}`,
      '--chain=esplora:http://127.0.0.1:1',
    ];
    for (const args of [['token'], ['retire'], ['serve', '--port=0', ...settings]]) {
      const said = expect.stringContaining('BadConfiguration: data: noise-1.key');
      expect(run(...args)).toEqual({ status: 1, said });
    }
    expect(await ofKeys()).toContain('bad: noise-1.key is not the channel key that devices were told of');
    writeFileSync(join(data, 'noise-1.key'), file, { mode: 0o600 });

    expect(run('retire')).toMatchObject({ status: 0, said: expect.stringContaining('noise.key is gone') });
    expect(readdirSync(data).filter((name) => name.startsWith('noise'))).toEqual(['noise-1.key']);
    expect(run('retire')).toMatchObject({ status: 0, said: expect.not.stringContaining('is gone') });
    expect(await ofKeys()).toEqual(['good: 4 files and folders, for this user alone']);
  }, 240_000);

  test('a folder that it may not write in, as a mounted one of another user, is named by its setting', () => {
    // Root may write anywhere, unless that is taken away from it.
    const asUser =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o500 });
    const run = (...args: string[]) => {
      const [program, ...rest] = [...asUser, process.execPath, main, ...args];
      return spawnSync(program!, rest, { encoding: 'utf8', timeout: 60_000 });
    };
    const named = 'the folder cannot be written by this user';
    for (const data of [closed, join(closed, 'data')])
      expect(run('init', '--data', data).stderr).toBe(`BadConfiguration: data: ${named}\n`);
    const open = join(folder, 'data');
    expect(run('init', '--data', open, '--keys', closed).stderr).toBe(`BadConfiguration: keys: ${named}\n`);
    const about = ['--backup', join(closed, 'backup'), '--backup-key', join(open, 'host.key')];
    expect(run('backup', '--data', open, ...about).stderr).toBe(
      'BadConfiguration: backup: cannot be written there\n',
    );
    chmodSync(closed, 0o100);
    expect(run('doctor', '--data', open, '--keys', closed).stdout).toMatch(
      /^bad +keys +this user may not read or write there\n +Give the folders/m,
    );
  });

  test('serves metrics apart from the channel, says its open link, and ends on SIGTERM', async () => {
    const tls = await testTls;
    const port = await freePort();
    const settings = [
      '--port=0',
      `--metrics=127.0.0.1:${port}`,
      '--chain=esplora:http://127.0.0.1:1',
      '--open-enrolment=1',
    ];
    const args = [
      main,
      ...settings,
      `--data=${folder}/data`,
      `--tls-cert=${tls.certFile}`,
      `--tls-key=${tls.keyFile}`,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    try {
      let said = '';
      child.stdout.on('data', (data) => {
        said += data;
      });
      await expect.poll(() => said, { timeout: 60_000 }).toMatch(/^hoarfrost:\S+&t=open&n=regtest$/m);
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(30_000) });
      const text = await answer.text();
      expect(text).toContain('hoarfrost_part_up{part="store"} 1');
      expect(text).toContain('hoarfrost_part_up{part="chain"} 0');
      expect(text).toMatch(/^hoarfrost_clock_ahead_seconds -?0(\.\d+)?$/m);
      child.kill('SIGTERM');
      expect(await within('exit', ended)).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('audit-09 the settings file', () => {
  const file = (text: string) => {
    const path = join(folder, 'cosigner.env');
    writeFileSync(path, text);
    return path;
  };

  test('comes after the environment, which comes after flags', () => {
    const config = file('# mine\nHOARFROST_PORT=1\nHOARFROST_NETWORK="signet"\nHOARFROST_LOG_LEVEL=warn\n');
    const env = { HOARFROST_CONFIG: config, HOARFROST_PORT: '2' };
    expect(readConfig([], env)).toMatchObject({ port: 2, network: 'signet', logLevel: 'warn' });
    expect(readConfig(['--port', '3', '--config', config], {})).toMatchObject({ port: 3, network: 'signet' });
  });

  test.each([
    ['HOARFROST_PORTS=1', 'config: HOARFROST_PORTS is no setting'],
    ['HOARFROST_PORT=secret', 'port: a number'],
  ])('%s is named', (text, message) => {
    expect(() => readConfig(['--config', file(text)], {})).toThrow(message);
    expect(() => readConfig(['--config', file(text)], {})).not.toThrow('secret');
  });

  test('one that is not there is named', () => {
    expect(() => readConfig(['--config', join(folder, 'none')], {})).toThrow('config: file cannot be read');
  });
});

describe('doctor', () => {
  let chain: Server;
  let date: Date | null;
  beforeEach(async () => {
    date = null;
    // As much of an Esplora as is asked here.
    chain = createServer((request, response) => {
      response.sendDate = date === null;
      if (date !== null) response.setHeader('date', date.toUTCString());
      if (request.url === '/block-height/0') response.end(networkParams('regtest').genesis);
      else response.end(request.url?.endsWith('/height') ? '812' : JSON.stringify({ 1: 3, 6: 2, 144: 1 }));
    });
    await new Promise<void>((resolve) => chain.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    chain.close();
    chain.closeAllConnections();
  });

  async function findings(change: Record<string, string> = {}, clock = systemClock): Promise<Finding[]> {
    const tls = await testTls;
    const { port } = chain.address() as AddressInfo;
    const settings = {
      data: folder,
      'tls-cert': tls.certFile,
      'tls-key': tls.keyFile,
      chain: `esplora:http://127.0.0.1:${port}`,
      ...change,
    };
    return checkDeployment(
      readConfig(['doctor', ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`)], {}),
      clock,
    );
  }
  async function deploy(): Promise<void> {
    await (await startCosigner({ folder })).stop();
    chmodSync(folder, 0o700);
  }
  const wrong = (found: Finding[], part: Finding['part']) =>
    found.filter((f) => f.part === part && f.state === 'bad').map(({ says }) => says);

  test('finds nothing bad in a good deployment', async () => {
    await deploy();
    const found = await findings();
    expect(found.filter(({ state }) => state === 'bad')).toEqual([]);
    expect(new Set(found.map(({ part }) => part)).size).toBe(7);
    expect(found).toContainEqual(
      expect.objectContaining({ part: 'chain', state: 'good', says: expect.stringContaining('812') }),
    );
    // Our own authority is none that browsers know.
    expect(found).toContainEqual(expect.objectContaining({ part: 'tls', state: 'doubtful' }));
    expect(reportLines(found).at(-1)).toMatch(/^0 bad, \d doubtful, \d good$/);
  });

  test('settings that are missing are named, and the rest is still looked at', async () => {
    await deploy();
    const found = await findings({ 'tls-cert': '/nowhere' });
    expect(wrong(found, 'settings')).toEqual(['BadConfiguration: tls-cert: file cannot be read']);
    expect(found.some(({ part }) => part === 'store')).toBe(true);
  });

  test('a certificate of another name, another key, no certificate, one that ended', async () => {
    await deploy();
    expect(wrong(await findings({ public: 'elsewhere.example:1' }), 'tls')).toEqual([
      'the certificate does not name the host of the pairing link',
    ]);
    const tls = await testTls;
    expect(wrong(await findings({ 'tls-key': tls.certFile }), 'tls')).toEqual([
      'tls-key does not fit tls-cert',
    ]);
    expect(wrong(await findings({ 'tls-cert': tls.keyFile }), 'tls')).toEqual([
      'tls-cert holds no certificate',
    ]);
    const century = { ...systemClock, now: () => Date.now() + 100 * 365 * 86_400_000 };
    expect(wrong(await findings({}, century), 'tls')[0]).toContain('the certificate ended');
    const past = { ...systemClock, now: () => 0 };
    expect(wrong(await findings({}, past), 'tls')[0]).toContain('the certificate begins');
  });

  test('keys that are missing or that others may read', async () => {
    await deploy();
    chmodSync(join(folder, 'host.key'), 0o644);
    expect(wrong(await findings(), 'keys')).toEqual(['host.key is open to other users']);
    rmSync(join(folder, 'noise.key'));
    chmodSync(join(folder, 'host.key'), 0o600);
    expect(wrong(await findings(), 'keys')).toEqual(['noise.key is missing']);
  });

  test('no database yet is said; one of another cosigner is bad', async () => {
    expect(await findings()).toContainEqual(expect.objectContaining({ part: 'store', state: 'doubtful' }));
    await deploy();
    const other = readFileSync(join(folder, 'host.key')).map((byte) => byte ^ 1);
    writeFileSync(join(folder, 'host.key'), other);
    expect(wrong(await findings(), 'store')).toEqual(['another cosigner’s']);
  });

  test('a chain source that does not answer, and a clock that is off', async () => {
    await deploy();
    expect(wrong(await findings({ chain: 'esplora:http://127.0.0.1:1' }), 'chain')[0]).toContain(
      'ChainUnavailable',
    );
    date = new Date(Date.now() - 3_600_000);
    expect(wrong(await findings(), 'clock')[0]).toMatch(/^3(59\d|60\d) s ahead of/);
    date = new Date();
    expect(wrong(await findings(), 'clock')).toEqual([]);
  });
});
