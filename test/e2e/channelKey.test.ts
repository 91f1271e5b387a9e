/**
 * The operator changes the channel key by the guide's own commands, under wallets in real browsers. Who connects in the overlap goes
 * on as if nothing had been; who slept through it is told that another answers, and his money and his share are as they were.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWallet, openWallet, pay, unlock, waitForBalance } from '../../scripts/person.ts';
import { launchChromium } from '../support/chromium.ts';
import { describeReal } from '../support/real.ts';
import { anotherLink, fundedWallet, openWorld, operate, type World } from '../support/world.ts';

await describeReal('a new channel key', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let sleeper: string;
  beforeAll(async () => {
    world = await openWorld();
    sleeper = await mkdtemp(join(tmpdir(), 'hoarfrost-sleeper-'));
  });
  afterAll(async () => {
    await world?.close();
    await rm(sleeper, { recursive: true, force: true, maxRetries: 5 });
  });

  const keyFiles = async () =>
    (await readdir(world.cosignerFolder)).filter((name) => name.startsWith('noise'));

  test('audit-01: a wallet pays before, between and after; one that slept sees WrongCosignerKey', async () => {
    const { node } = world;
    const asleep = () => launchChromium({ profile: sleeper, spkiHash: world.tls.spkiHash });
    const before = await asleep();
    await createWallet(before.open, { pairing: await anotherLink(world) });
    await waitForBalance(await openWallet(before.open), 0n);
    await before.close();

    const { page } = await fundedWallet(world, 1_000_000n, 900_000n);
    const to = await node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' });
    const pays = async () => {
      const { txid } = await pay(page, { to, amount: 50_000n });
      expect(await node.rpc('getrawmempool')).toEqual([txid]);
      await node.mine(1);
    };
    await pays();
    await operate(world, 'rotate');
    await world.restartCosigner();
    await operate(world, 'announce');
    // Devices hear of it as they connect, as each does whose worker has slept.
    await world.chromium.killWorker();
    await pays();
    await operate(world, 'retire');
    await world.restartCosigner();
    expect(await keyFiles()).toEqual(['noise-1.key']);
    await pays();
    // What it knows of the key outlives the worker and the browser.
    await world.restartBrowser();
    const again = await world.chromium.open('popup.html');
    await unlock(again);
    const received = await node.rpc<number>('getreceivedbyaddress', [to], { wallet: 'miner' });
    expect(Math.round(received * 1e8)).toBe(150_000);
    await pay(again, { to, amount: 50_000n });

    const woken = await asleep();
    try {
      const popup = await woken.open('popup.html');
      await unlock(popup);
      await popup.locator('[data-code="WrongCosignerKey"]').first().waitFor();
      await waitForBalance(await openWallet(woken.open), 0n);
    } finally {
      await woken.close();
    }
  });
});
