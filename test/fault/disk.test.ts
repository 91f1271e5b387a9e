/**
 * A disk that is full, that takes no writes any more, whose fsync fails: under the cosigner's own folder (SQLite and keys), and under
 * its PostgreSQL. Nothing is signed meanwhile, and when the disk is well again so is the cosigner.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../scripts/setup/command.ts';
import { newFolder, type PostgresServer, postgresUser, startPostgres } from '../../scripts/setup/postgres.ts';
import { removeFolder, testFolder } from '../support/cosigner.ts';
import { type FaultyKernel, type KernelFault, startFaultyKernel } from '../support/faultyKernel.ts';
import { describeReal } from '../support/real.ts';
import { type SmallDisk, startSmallDisk } from '../support/smallDisk.ts';
import { type Served, serve, startStillChain, surviveWithoutStore } from './served.ts';

const FAULTS: KernelFault[] = ['readonly', 'fsync'];

let chain: { url: string; stop(): Promise<void> };
let folder: string;
let served: Served | undefined;
/** Last one first. */
let cleanups: (() => Promise<unknown>)[];
const later = (cleanup: () => Promise<unknown>) => cleanups.unshift(cleanup);

beforeEach(async () => {
  cleanups = [];
  chain = await startStillChain();
  folder = testFolder();
});
afterEach(async () => {
  await served?.stop();
  served = undefined;
  for (const cleanup of cleanups) await cleanup();
  await chain.stop();
  removeFolder(folder);
});

const smallDisk = async (options: Parameters<typeof startSmallDisk>[0]): Promise<SmallDisk> => {
  const disk = await startSmallDisk(options);
  later(() => disk.stop());
  return disk;
};
const faultyKernel = async (at: string): Promise<FaultyKernel> => {
  const kernel = await startFaultyKernel(at);
  later(() => kernel.stop());
  return kernel;
};

/** Over SQLite in the folder. */
async function serveHere(under: readonly string[]): Promise<Served> {
  served = await serve({ chain: chain.url, folder, under });
  return served;
}

async function expectWholeDatabase(under: readonly string[]): Promise<void> {
  const look = `const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(process.argv[1], { readOnly: true });
    console.log(db.prepare('PRAGMA integrity_check').get().integrity_check);`;
  const [command, ...args] = [...under, process.execPath, '--input-type=module', '-e', look];
  const said = await run(command!, [...args, join(folder, 'cosigner.sqlite')], { deadlineMs: 30_000 });
  expect(said.trim()).toBe('ok');
}

await describeReal('full disk', ['namespaces', 'openssl'], () => {
  test('SQLite and the keys of shares', async () => {
    const disk = await smallDisk({ at: folder, bytes: 4 << 20 });
    await surviveWithoutStore(await serveHere(disk.under), { begin: disk.fill, end: disk.free });
    await expectWholeDatabase(disk.under);
  });
});

await describeReal('a kernel that fails', ['compiler', 'openssl'], () => {
  test.each(FAULTS)('SQLite: %s', async (fault) => {
    const kernel = await faultyKernel(folder);
    await surviveWithoutStore(await serveHere(kernel.under), {
      begin: () => kernel.begin(fault),
      end: () => kernel.end(fault),
    });
    await expectWholeDatabase([]);
  });
});

/** What starts a server again that gave up, as its service manager does. */
function supervise(server: PostgresServer): () => Promise<void> {
  let watching = true;
  const watched = (async () => {
    while (watching) {
      if (!server.runs()) await server.restart().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  return async () => {
    watching = false;
    await watched;
  };
}

/** How long it takes to recover by itself is the database's own matter. */
async function serves(server: PostgresServer): Promise<void> {
  await expect.poll(() => server.sql('SELECT 1').catch(() => '')).toBe('1');
}

async function serveOver(server: PostgresServer): Promise<Served> {
  later(() => server.stop());
  later(supervise(server));
  await server.sql('CREATE DATABASE wallets');
  served = await serve({ chain: chain.url, folder, settings: [`--store=${server.url('wallets')}`] });
  return served;
}

await describeReal('full disk of the database', ['namespaces', 'postgres', 'openssl'], () => {
  test('PostgreSQL', async () => {
    const place = await newFolder();
    await mkdir(join(place, 'data'));
    const owner = await postgresUser();
    const disk = await smallDisk({ at: join(place, 'data'), bytes: 96 << 20, owner });
    const server = await startPostgres({ folder: place, under: disk.under });
    await surviveWithoutStore(await serveOver(server), {
      begin: disk.fill,
      end: () => disk.free().then(() => serves(server)),
    });
  });
});

await describeReal('a kernel that fails under the database', ['compiler', 'postgres', 'openssl'], () => {
  test.each(FAULTS)('PostgreSQL: %s', async (fault) => {
    const place = await newFolder();
    const kernel = await faultyKernel(place);
    const server = await startPostgres({ folder: place, under: kernel.under });
    await surviveWithoutStore(await serveOver(server), {
      begin: () => kernel.begin(fault),
      end: () => kernel.end(fault).then(() => serves(server)),
    });
  });
});
