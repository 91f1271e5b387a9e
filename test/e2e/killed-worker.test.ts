/**
 * Chromium's service worker stopped at every message between device and cosigner, by the browser's own means. The relay
 * holds the message until the worker is dead, then lets it pass: what the device sent arrives, what it was sent does not.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  holdToSend,
  openWallet,
  prepareWallet,
  receiveAddress,
  reviewPayment,
  sent,
} from '../../scripts/person.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import type { Fate } from '../support/frameProxy.ts';
import { describeReal } from '../support/real.ts';
import { anotherLink, fundedWallet, openWorld, type World } from '../support/world.ts';

await describeReal('killed worker', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.close());

  /** Kills at the n-th message counted from the last kill, for each n in turn. Answers how many came to pass. */
  function killAt(chromium: TestChromium, ...counts: number[]): () => number {
    const due = [...counts];
    let count = 0;
    world.proxy.restart();
    world.proxy.onFrame = async (): Promise<Fate> => {
      if (due.length === 0 || count++ < due[0]!) return 'pass';
      due.shift();
      count = 0;
      await chromium.killWorker();
      return 'pass';
    };
    return () => counts.length - due.length;
  }

  // Handshake 0 and 1, hello 2 and 3, then four rounds of two. A session that began anew counts from 0 again. From the
  // certificate on (10) the next worker fetches it, over a connection that is cut as well.
  test.each([
    ['handshake, hello and round 0', [0, 1, 2, 3, 4, 5]],
    ['rounds 1 and 2, and the certificate signature', [6, 7, 8, 9, 10]],
    ['the certificate, and its being fetched', [11, 2, 5]],
  ])('keygen: at %s', { timeout: 180_000 }, async (_name, counts) => {
    const chromium = await launchChromium({ spkiHash: world.tls.spkiHash });
    try {
      const { page } = await prepareWallet(chromium.open, { pairing: await anotherLink(world) });
      const kills = killAt(chromium, ...counts);
      await page.getByRole('button', { name: 'Form the three shares', exact: true }).click();
      await page.getByRole('heading', { name: 'Your wallet is ready' }).waitFor({ timeout: 120_000 });
      expect(kills()).toBe(counts.length);
      world.proxy.restart();
      const wallet = await openWallet(chromium.open);
      expect(await receiveAddress(wallet)).toMatch(/^bcrt1p/);
    } finally {
      await chromium.close();
    }
  });

  test('signing: each payment is paid once, wherever the worker died', { timeout: 240_000 }, async () => {
    const { node, chromium } = world;
    const { page } = await fundedWallet(world, 5_000_000n, 4_000_000n);
    const amount = 100_000n;
    const txids: string[] = [];
    let killed = 0;
    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    // Request and shares, transaction and its txid, and the look that follows; and a worker that dies again and again.
    for (const counts of [[0], [1], [2], [3], [4], [0, 0, 1]]) {
      await reviewPayment(page, { to: payee, amount });
      await page.locator('[data-verdict="signs"]').waitFor();
      const kills = killAt(chromium, ...counts);
      await holdToSend(page);
      txids.push((await sent(page)).txid);
      killed += kills();
      world.proxy.restart();
    }
    expect(killed).toBeGreaterThanOrEqual(6);
    expect(new Set(txids).size).toBe(txids.length);
    await node.mine(1);
    for (const txid of txids) {
      const { confirmations } = await node.rpc<{ confirmations: number }>('getrawtransaction', [txid, true]);
      expect(confirmations).toBe(1);
    }
    const received = await node.rpc<number>('getreceivedbyaddress', [payee], { wallet: 'miner' });
    expect(BigInt(Math.round(received * 1e8))).toBe(amount * BigInt(txids.length));
  });
});
