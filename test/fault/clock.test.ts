/** A wall clock that jumps by a day, either way, under a running cosigner: no limit is freed and none is spent by it, and signing goes on. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import { askToSign, attemptOf, payment, removeFolder, testFolder } from '../support/cosigner.ts';
import { type FaultyKernel, startFaultyKernel } from '../support/faultyKernel.ts';
import { describeReal } from '../support/real.ts';
import { type Served, serve, startStillChain, survive } from './served.ts';

const DAY_S = 86_400;
/** More than half of the limit: it does not fit a second time, and the traffic has enough for a minute. */
const MOST = 600_000n;

let chain: { url: string; stop(): Promise<void> };
let folder: string;
let kernel: FaultyKernel;
let served: Served;
beforeEach(async () => {
  chain = await startStillChain();
  folder = testFolder();
  kernel = await startFaultyKernel(folder);
});
afterEach(async () => {
  await served?.stop();
  await kernel.stop();
  await chain.stop();
  removeFolder(folder);
});

async function surviveJump(seconds: number): Promise<void> {
  const ask = async (amount: bigint) => {
    const client = await served.connect();
    const { body } = await attemptOf(client, served.device, payment(served.device, { amount }));
    await askToSign(client, served.device, body).finally(() => client.close());
  };
  const timeThere = async () => {
    const client = await served.connect();
    const { time } = await client.hello();
    await client.close();
    return time;
  };
  await ask(MOST);
  const before = await timeThere();
  await survive(served, {
    begin: () => kernel.jump(seconds),
    async meanwhile(traffic) {
      await expect(ask(MOST)).rejects.toThrow('refused');
      await traffic.until(traffic.answered.length + 3);
      expect(Math.abs((await timeThere()) - before)).toBeLessThan(300_000);
      expect(await served.ready()).toMatchObject({ status: 200 });
    },
    end: () => kernel.jump(0),
  });
  await expect(ask(MOST)).rejects.toThrow('refused');
}

await describeReal('the clock jumps', ['compiler', 'openssl'], () => {
  test.each([DAY_S, -DAY_S])('SQLite: by %i s and back', async (seconds) => {
    served = await serve({ chain: chain.url, folder, under: kernel.under });
    await surviveJump(seconds);
  });
});

await describeReal('the clock jumps beside the database', ['compiler', 'postgres', 'openssl'], () => {
  let server: PostgresServer;
  afterEach(() => server?.stop());

  test.each([DAY_S, -DAY_S])('PostgreSQL: by %i s and back', async (seconds) => {
    // One machine, one clock.
    server = await startPostgres({ under: kernel.under });
    await server.sql('CREATE DATABASE wallets');
    const settings = [`--store=${server.url('wallets')}`];
    served = await serve({ chain: chain.url, folder, under: kernel.under, settings });
    await surviveJump(seconds);
  });
});
