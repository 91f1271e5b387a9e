/** The last look before a payment counts as signed: the finished transaction is the one that was shown and pressed. */
import { afterEach, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { PAYEE, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { databaseOf, newProfile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';

const finished = vi.hoisted(() => ({ txid: undefined as string | undefined }));
vi.mock('../../src/bitcoin/psbt.ts', async (original) => {
  const psbt = await original<typeof import('../../src/bitcoin/psbt.ts')>();
  return {
    ...psbt,
    finalize: (...args: Parameters<typeof psbt.finalize>) => {
      const made = psbt.finalize(...args);
      return { ...made, txid: finished.txid ?? made.txid };
    },
  };
});
afterEach(() => {
  finished.txid = undefined;
});

test.each([
  [undefined, { state: 'broadcast', error: null }],
  ['ab'.repeat(32), { state: 'failed', error: 'Internal', txid: null }],
])('Internal: a transaction of another txid is neither kept nor sent (%s)', async (txid, expected) => {
  const folder = testFolder();
  const running = await startCosigner({ folder });
  try {
    const profile = newProfile();
    profile.clock.wall = Date.now();
    const worker = await Worker.start(profile);
    await onboard(worker, await linkOf(running));
    const outpoint = { txid: '1'.repeat(64), vout: 0 };
    const coins = [{ outpoint, value: 50_000n, branch: 0 as const, index: 0, height: 10, coinbase: false }];
    running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 1 };
    running.chain.broadcast = async (transaction) => {
      running.chain.sent.push(transaction);
      return (await (await databaseOf(profile)).all('requests'))[0]!.txid;
    };
    await worker.call('refresh', null);
    const address = addressOf(PAYEE, 'regtest')!;
    const { request } = await worker.call('draft', { address, amount: 10_000n, feeRate: 2000 });
    finished.txid = txid;
    await worker.call('press', { request });
    await vi.waitFor(async () => {
      expect(await worker.call('payment', { request })).toMatchObject(expected);
    }, 60_000);
    expect(running.chain.sent).toHaveLength(txid === undefined ? 1 : 0);
    const [row] = await (await databaseOf(profile)).all('requests');
    expect(row!.transaction === null).toBe(txid !== undefined);
    worker.kill();
  } finally {
    await running.stop();
    removeFolder(folder);
  }
});
