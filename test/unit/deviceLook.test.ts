/** What the device knows of the chain, against a real cosigner whose chain source the test holds back. */
import { expect, test, vi } from 'vitest';
import { removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { newProfile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';

test('a look asked for while another is on its way is one of its own: what came in between is not missed', async () => {
  const folder = testFolder();
  const running = await startCosigner({ folder });
  try {
    const profile = newProfile();
    profile.clock.wall = Date.now();
    const worker = await Worker.start(profile);
    await onboard(worker, await linkOf(running));
    await worker.call('refresh', null);

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
    worker.kill();
  } finally {
    await running.stop();
    removeFolder(folder);
  }
});

test('audit-25: a page that only waits is told that the cosigner is away, and why, and when it is back', async () => {
  const folder = testFolder();
  let running = await startCosigner({ folder });
  const { port } = running.listener;
  try {
    const profile = newProfile();
    profile.clock.wall = Date.now();
    const first = await Worker.start(profile);
    await onboard(first, await linkOf(running));
    await first.call('refresh', null);
    first.kill();
    await running.stop();

    const worker = await Worker.start(profile);
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
    worker.kill();
  } finally {
    await running.stop();
    removeFolder(folder);
  }
});
