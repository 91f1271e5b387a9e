/** A cosigner's own helpers leave the core to its loop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';
import { removeFolder, testFolder, testTls, within } from '../support/cosigner.ts';

const linux = process.platform === 'linux';

/** Of each thread, by what the system calls it. */
function nicenessOf(pid: number): { name: string; nice: number; first: boolean }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [, name, rest] = /\((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))!;
    return { name: name!, nice: Number(rest!.split(' ')[16]), first: Number(thread) === pid };
  });
}

test.runIf(linux)('threads that compile and collect stand back behind the one that serves', async () => {
  const folder = testFolder();
  const tls = await testTls;
  const chain = createServer((_, response) => response.end('1'));
  await new Promise<void>((resolve) => chain.listen(0, '127.0.0.1', resolve));
  const flags = [
    `--data=${folder}`,
    '--network=regtest',
    '--port=0',
    `--tls-cert=${tls.certFile}`,
    `--tls-key=${tls.keyFile}`,
    `--chain=esplora:http://127.0.0.1:${(chain.address() as AddressInfo).port}`,
  ];
  const child: ChildProcess = spawn(process.execPath, [
    join(root, 'src/cosigner/main.ts'),
    'serve',
    ...flags,
  ]);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    await within(
      'the cosigner to listen',
      new Promise<void>((resolve) => {
        child.stdout!.on('data', (text: Buffer) => String(text).includes('listening') && resolve());
      }),
    );
    const threads = nicenessOf(child.pid!);
    const serving = threads.find(({ first }) => first)!;
    const helpers = threads.filter(({ name }) => name === 'V8Worker');
    expect(helpers.length).toBeGreaterThan(0);
    for (const { nice } of helpers) expect(nice).toBe(Math.min(19, serving.nice + 10));
    // What waits for the disk is not among them.
    for (const { nice } of threads.filter(({ name }) => name.startsWith('libuv')))
      expect(nice).toBe(serving.nice);
  } finally {
    child.kill('SIGTERM');
    await ended;
    chain.close();
    removeFolder(folder);
  }
});
