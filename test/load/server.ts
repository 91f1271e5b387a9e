/** A cosigner in a process of its own, as its operator would run it, and what that process costs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { removeFolder, testFolder, testTls, within } from '../support/cosigner.ts';

export interface ServerProcess {
  readonly port: number;
  readonly noiseKey: Uint8Array<ArrayBuffer>;
  /** Seconds of processor so far, user and system, all threads. */
  cpuSeconds(): number;
  /** Bytes of resident memory. */
  memory(): number;
  stop(): Promise<void>;
}

/** Linux's USER_HZ, the same on every machine that Node runs on. */
const TICKS = 100;

export async function startServer(nodeFlags: readonly string[] = []): Promise<ServerProcess> {
  const folder = testFolder();
  const tls = await testTls;
  // Signing asks no chain: this answers the height that the server watches.
  const chain = createServer((_, response) => response.end('1'));
  await new Promise<void>((resolve) => chain.listen(0, '127.0.0.1', resolve));
  const settings = {
    data: folder,
    network: 'regtest',
    port: '0',
    'tls-cert': tls.certFile,
    'tls-key': tls.keyFile,
    chain: `esplora:http://127.0.0.1:${(chain.address() as AddressInfo).port}`,
    'chain-poll': '3600',
    connections: '20000',
    'address-connections': '20000',
    'address-rate': '1000000',
    'open-enrolment': '1000000',
    'log-level': 'error',
  };
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const main = join(root, 'src/cosigner/main.ts');
  const stdout = await run(process.execPath, [main, 'init', ...flags], { cwd: root, deadlineMs: 30_000 });
  const key = /channel key ([0-9a-f]{64})/.exec(stdout)![1]!;
  const child = spawn(process.execPath, [...nodeFlags, main, ...flags], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await within('the cosigner to listen', listening(child));
  const stat = () =>
    readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  return {
    port,
    noiseKey: Uint8Array.from(Buffer.from(key, 'hex')),
    cpuSeconds: () => (Number(stat()[11]) + Number(stat()[12])) / TICKS,
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) * 1024,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await within('the cosigner to end', ended, 40_000);
      chain.close();
      chain.closeAllConnections();
      removeFolder(folder);
    },
  };
}

function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const port = /listening wss:\/\/[^:]+:(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', () => reject(new Error('the cosigner ended')));
  });
}
