/** What a cosigner's engine does beside the requests leaves the core to its loop. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { removeFolder, testFolder, testTls } from '../support/cosigner.ts';

const linux = process.platform === 'linux';

/** Of each thread, by what the system calls it. */
function nicenessOf(pid: number): { name: string; nice: number; first: boolean }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [, name, rest] = /\((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))!;
    return { name: name!, nice: Number(rest!.split(' ')[16]), first: Number(thread) === pid };
  });
}

let folder: string;
let chain: Server;
beforeEach(async () => {
  folder = testFolder();
  chain = createServer((_, response) => response.end('1'));
  await new Promise<void>((resolve) => chain.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  chain.close();
  removeFolder(folder);
});

/** A server in a process of its own. */
async function served(nodeFlags: readonly string[], look: (cosigner: RunningCosigner) => unknown) {
  const { port } = chain.address() as AddressInfo;
  const cosigner = await startCosigner({
    folder,
    network: 'regtest',
    chain: `esplora:http://127.0.0.1:${port}`,
    tls: await testTls,
    nodeFlags,
  });
  try {
    await look(cosigner);
  } finally {
    await cosigner.stop();
  }
}

test.runIf(linux)('threads that compile and collect stand back behind the one that serves', () =>
  served([], ({ pid }) => {
    const threads = nicenessOf(pid);
    const serving = threads.find(({ first }) => first)!;
    const helpers = threads.filter(({ name }) => name === 'V8Worker');
    expect(helpers.length).toBeGreaterThan(0);
    for (const { nice } of helpers) expect(nice).toBe(Math.min(19, serving.nice + 10));
    // What waits for the disk is not among them.
    for (const { nice } of threads.filter(({ name }) => name.startsWith('libuv')))
      expect(nice).toBe(serving.nice);
  }),
);

test('what is old is collected when it has doubled', () => {
  // Enough that what V8 adds for the young, here 1 MB of them, is small beside it.
  const kept = 'globalThis.kept = Array.from({ length: 1_500_000 }, (_, i) => ({ i }))';
  const collecting = `data:text/javascript,${kept}; setInterval(gc, 200).unref()`;
  const flags = [
    '--trace-gc',
    '--trace-gc-verbose',
    '--expose-gc',
    '--max-semi-space-size=1',
    `--import=${collecting}`,
  ];
  return served(flags, async ({ log }) => {
    const before = log().length;
    const growths = () =>
      [
        ...log()
          .slice(before)
          .matchAll(/\[HeapController\] .*old size: (\d+) KB, new limit: (\d+) KB/g),
      ].map(([, old, limit]) => Number(limit) / Number(old));
    await vi.waitFor(() => expect(growths().length).toBeGreaterThan(1), 60_000);
    for (const growth of growths()) expect(growth).toBeCloseTo(2, 1);
  });
});
