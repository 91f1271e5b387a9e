/** A cosigner that is told to stop, or killed, while it signs; alone over SQLite, and one of two over PostgreSQL. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import { Client, removeFolder, testFolder, testTls } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import { readPairing, type Served, serve, startStillChain, survive } from './served.ts';

const ENDS = ['SIGTERM', 'SIGKILL'] as const;

let chain: { url: string; stop(): Promise<void> };
let folder: string;
let served: Served;
beforeEach(async () => {
  chain = await startStillChain();
  folder = testFolder();
});
afterEach(async () => {
  await served?.stop();
  await chain.stop();
  removeFolder(folder);
});

const end = async (signal: (typeof ENDS)[number]) => {
  const { cosigner } = served;
  await (signal === 'SIGTERM' ? cosigner.stop() : cosigner.kill());
  expect(cosigner.log().includes('"event":"stopped"')).toBe(signal === 'SIGTERM');
};

await describeReal('the only cosigner ends', ['openssl'], () => {
  test.each(ENDS)('SQLite: %s, and it is started again', async (signal) => {
    served = await serve({ chain: chain.url, folder });
    await survive(served, { begin: () => end(signal), end: () => served.start() });
  });
});

await describeReal('one of two cosigners ends', ['postgres', 'openssl'], () => {
  let server: PostgresServer;
  let other: RunningCosigner;
  afterEach(async () => {
    await other?.stop();
    await server?.stop();
  });

  test.each(ENDS)('PostgreSQL: %s: the other one goes on, then both', async (signal) => {
    server = await startPostgres();
    await server.sql('CREATE DATABASE wallets');
    const settings = [`--store=${server.url('wallets')}`];
    served = await serve({ chain: chain.url, folder, settings });
    other = await startCosigner({
      folder,
      network: 'regtest',
      chain: chain.url,
      tls: await testTls,
      settings,
    });
    const first = served.connect;
    const second = () => Client.connect(readPairing(other.pairing), served.device.noise);
    let turn = 0;
    const both: Served = Object.create(served, {
      connect: { value: () => (turn++ % 2 === 0 ? first() : second()) },
    });
    await survive(both, {
      begin: () => end(signal),
      async meanwhile(traffic) {
        await traffic.until(traffic.answered.length + 3);
        await sleep(500);
      },
      end: () => served.start(),
    });
  });
});
