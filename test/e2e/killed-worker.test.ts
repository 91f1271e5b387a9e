/**
 * Chromium's service worker stopped at every message between device and cosigner, by the browser's own means. The relay
 * holds the message until the worker is dead, then lets it pass: what the device sent arrives, what it was sent does not.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  holdToSend,
  openWallet,
  prepareWallet,
  receiveAddress,
  reviewPayment,
  sent,
} from '../../scripts/person.ts';
import { keyName } from '../../src/cosigner/keywrap.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import { askDevice } from '../support/endings.ts';
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
  ])('keygen: at %s', async (_name, counts) => {
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

  test('signing: each payment is paid once, wherever the worker died', async () => {
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

  test('attack-16 refresh: wherever the worker died, it is taken to its end, and the wallet pays', async () => {
    const { node, chromium, cosignerFolder } = world;
    const wallet = await openWallet(chromium.open);
    const safety = await chromium.open('safety.html');
    const button = safety.getByRole('button', { name: 'Refresh now', exact: true });
    /** As the page shows it, once nothing is under way any more. */
    const rested = async () => {
      await safety.getByText('The last one is not finished').waitFor({ state: 'detached' });
      await button.and(safety.locator('[aria-disabled="false"]')).waitFor();
    };
    const epoch = async () =>
      ((await askDevice(safety, 'state')) as { result: { wallet: { epoch: object } } }).result.wallet.epoch;
    const refresh = async () => {
      await rested();
      await button.click();
      await button.waitFor();
      // Until the worker is back, the page may still show what was before.
      await expect.poll(() => epoch().catch(String)).toMatchObject({ underWay: false, unfinished: false });
      await rested();
    };
    let killed = 0;
    // Three rounds, the test and its end, each sent and answered; then twice in one, and while the next worker goes on.
    for (const counts of [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9], [4, 3], [5, 5]]) {
      const kills = killAt(chromium, ...counts);
      await refresh();
      killed += kills();
      world.proxy.restart();
    }
    expect(killed).toBeGreaterThanOrEqual(11);
    await refresh();
    const title = await safety.getByText(/^Last refresh: no\. \d+/).textContent();
    const number = Number(/no\. (\d+)/.exec(title!)![1]);
    expect(number).toBeGreaterThan(4);

    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    await reviewPayment(wallet, { to: payee, amount: 100_000n });
    await wallet.locator('[data-verdict="signs"]').waitFor();
    await holdToSend(wallet);
    const { txid } = await sent(wallet);
    await node.mine(1);
    const { confirmations } = await node.rpc<{ confirmations: number }>('getrawtransaction', [txid, true]);
    expect(confirmations).toBe(1);

    const store = openSqlite(join(cosignerFolder, 'cosigner.sqlite'));
    const waiting = await store.recordsEverywhere('destroy', 100);
    const [record] = await store.recordsEverywhere('epoch', 100);
    const view = await store.viewWallet(record!.wallet, async (v) => ({
      epoch: v.wallet.epoch,
      share: keyName(await v.sealedShare()),
    }));
    await store.close();
    expect(view.epoch).toBe(number);
    // Of this wallet: the one key that opens, and those of rounds that never ended, which are queued.
    const own = hex.encode(record!.wallet);
    const keys = (await readdir(join(cosignerFolder, 'epoch-keys'))).filter((name) => name.startsWith(own));
    const named = [view.share, ...waiting.map(({ key }) => key)].map((name) => hex.encode(name));
    expect(keys.filter((key) => !named.some((name) => key.includes(name)))).toEqual([]);
    expect(keys.filter((key) => key.includes(hex.encode(view.share)))).toHaveLength(1);
  });
});
