/** Cosigners in processes of their own, as an operator would run them, and what those processes cost. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { onPath, run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { removeFolder, testFolder, testTls, within } from '../support/cosigner.ts';

export interface ServerProcess {
  readonly port: number;
  readonly noiseKey: Uint8Array<ArrayBuffer>;
  /** Seconds of processor so far, user and system, all threads. */
  cpuSeconds(): number;
  /** Seconds so far in which its loop had work and no core: what the machine did instead. */
  waitedSeconds(): number;
  /** Bytes of resident memory. */
  memory(): number;
  /** Those that it may run on, as Linux spells them. */
  cores(): string;
  /** Of one that is recorded: when it sent each frame since it was last asked (`steadyNow`), by the asker's end (`endName`). */
  sent(): Promise<Map<string, number[]>>;
  stop(): Promise<void>;
}

/** One cosigner's keys and settings: several processes of it run beside each other where the store allows it. */
export interface House {
  start(options?: { nodeFlags?: readonly string[]; recorded?: boolean }): Promise<ServerProcess>;
  close(): Promise<void>;
}

/** Linux's USER_HZ, the same on every machine that Node runs on. */
const TICKS = 100;

const statOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
    .map(Number);

/** Of a process, and of the children that it has outlived: seconds. */
const cpuOf = (pid: number) =>
  statOf(pid)
    .slice(11, 15)
    .reduce((sum, ticks) => sum + ticks, 0) / TICKS;

/** Of a process and all that it has begun, the ended ones too: seconds. */
export function cpuOfFamily(parent: number): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).reduce((sum, pid) => {
    try {
      return pid === parent || statOf(pid)[1] === parent ? sum + cpuOf(pid) : sum;
    } catch {
      // It ended just now.
      return sum;
    }
  }, 0);
}

/** Those that a process may run on, as Linux spells them. */
export const coresOf = (pid: number) =>
  /Cpus_allowed_list:\s+(\S+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

/**
 * This process, and what it begins, leaves the first of its cores; answered is what a command line begins with that is to have it.
 * Nothing where there is but one, or Linux does not let us.
 */
export async function leaveFirstCore(): Promise<string[]> {
  // Asked once: to who has left a core it does not count any more.
  const cores = availableParallelism();
  const taskset = await onPath('taskset');
  if (cores < 2 || taskset === undefined) return [];
  execFileSync(taskset, ['-a', '-p', '-c', `1-${cores - 1}`, String(process.pid)]);
  return [taskset, '-c', '0'];
}

export async function openHouse(options: {
  settings?: Record<string, string>;
  /** What the command line begins with. */
  under?: readonly string[];
}): Promise<House> {
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
    // A quarter of them is for those without a wallet, as the idle ones are.
    connections: '50000',
    'open-enrolment': '1000000',
    'log-level': 'error',
    ...options.settings,
  };
  // The settings of its memory are part of how it is run.
  const unit = readFileSync(join(root, 'docs/hoarfrost-cosigner.service'), 'utf8');
  const settled = [...unit.matchAll(/^Environment="?(.*?)"?$/gm)].map(([, line]) => line).join('\n');
  const env = { ...process.env, ...parseEnv(settled) };
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const main = join(root, 'src/cosigner/main.ts');
  const stdout = await run(process.execPath, [main, 'init', ...flags], { cwd: root, deadlineMs: 30_000 });
  const noiseKey = Uint8Array.from(Buffer.from(/channel key ([0-9a-f]{64})/.exec(stdout)![1]!, 'hex'));

  return {
    async start({ nodeFlags = [], recorded = false } = {}) {
      const recorder = recorded ? ['--import', join(root, 'test/load/recorder.ts')] : [];
      const node = [process.execPath, ...nodeFlags, ...recorder, main, ...flags];
      const [command, ...args] = [...(options.under ?? []), ...node];
      const child = spawn(command!, args, {
        cwd: root,
        env,
        stdio: ['ignore', 'pipe', 'inherit', ...(recorded ? (['ipc'] as const) : [])],
      });
      const port = await within('the cosigner to listen', listening(child));
      const pid = child.pid!;
      const status = () => readFileSync(`/proc/${pid}/status`, 'utf8');
      return {
        port,
        noiseKey,
        cpuSeconds: () => cpuOf(pid),
        waitedSeconds: () => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9,
        memory: () => Number(/VmRSS:\s+(\d+)/.exec(status())![1]) * 1024,
        cores: () => coresOf(pid),
        async sent() {
          const told = once(child, 'message');
          child.send('sent');
          const [frames] = (await told) as [[end: string, at: number][]];
          const byEnd = new Map<string, number[]>();
          for (const [end, at] of frames) byEnd.set(end, [...(byEnd.get(end) ?? []), at]);
          return byEnd;
        },
        async stop() {
          const ended = new Promise((resolve) => child.once('exit', resolve));
          child.kill('SIGTERM');
          await within('the cosigner to end', ended, 40_000);
        },
      };
    },
    async close() {
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

/** Floods a server (flood.ts) until it is told to stop; then says what it did. */
export async function startFlood({ port, noiseKey }: ServerProcess): Promise<{ stop(): Promise<string> }> {
  const args = [join(root, 'test/load/flood.ts'), String(port), Buffer.from(noiseKey).toString('hex')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async stop() {
      const said = once(child.stdout, 'data');
      child.kill('SIGTERM');
      return String((await said)[0]).trim();
    },
  };
}
