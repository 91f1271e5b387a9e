/** What the device knows of the chain, against a real cosigner whose chain source the test holds back. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';

let folder: string;
let running: Running;
let profile: Profile;
let worker: Worker;
beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running));
  await worker.call('refresh', null);
});
afterEach(async () => {
  worker.kill();
  await running.stop();
  removeFolder(folder);
});

test('a look asked for while another is on its way is one of its own: what came in between is not missed', async () => {
  const { chain } = running;
  const before = chain.scanned;
  const coin = {
    outpoint: { txid: '1'.repeat(64), vout: 0 },
    value: 5000n,
    branch: 0,
    index: 0,
    height: 7,
  } as const;
  const after = { ...before, coins: [{ ...coin, coinbase: false }], nextReceive: 1 };
  const asked = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  let scans = 0;
  chain.scan = async () => {
    scans++;
    const seen = chain.scanned;
    if (scans === 1) {
      asked.resolve();
      await told.promise;
    }
    return seen;
  };
  const first = worker.call('refresh', null);
  await asked.promise;
  chain.scanned = after;
  const others = [worker.call('refresh', null), worker.call('refresh', null)];
  told.resolve();
  await Promise.all([first, ...others]);
  expect(await worker.call('state', null)).toMatchObject({ wallet: { confirmed: 5000n } });
  expect(scans).toBe(2);
});

test('audit-25: a page that only waits is told that the cosigner is away, and why, and when it is back', async () => {
  const { port } = running.listener;
  worker.kill();
  await running.stop();

  worker = await Worker.start(profile);
  worker.device.pageOpened();
  const told = (cosigner: string, syncError: string | null) =>
    vi.waitFor(
      () =>
        expect(worker.events.findLast(({ kind }) => kind === 'state')).toMatchObject({
          state: { shares: { cosigner }, wallet: { syncError } },
        }),
      10_000,
    );
  await told('away', 'CosignerUnreachable');
  running = await startCosigner({ folder, port });
  await told('lit', null);
});
