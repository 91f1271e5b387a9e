import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Chromium } from '../../scripts/chromium.ts';
import {
  holdToSend,
  openWallet,
  pay,
  receiveAddress,
  reviewPayment,
  waitForBalance,
} from '../../scripts/person.ts';
import { startEsploraBridge } from '../support/esploraBridge.ts';
import { describeReal } from '../support/real.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

interface NodeTransaction {
  confirmations: number;
  blockhash: string;
  vin: { txid: string; vout: number; txinwitness: string[] }[];
  vout: { value: number; scriptPubKey: { address: string; type: string } }[];
}

await describeReal('the whole road', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.close());

  test('a key by keygen, coins from the node, a payment that the node mines', async () => {
    const { node, chromium } = world;
    const { page, address } = await fundedWallet(world, 2_000_000n, 10_000_000n);
    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const { txid, signMs } = await pay(page, { to: payee, amount: 250_000n });
    expect(signMs).toBeGreaterThan(0);
    await node.mine(1);

    // The node's own word for it.
    const mined = await node.rpc<NodeTransaction>('getrawtransaction', [txid, true]);
    const block = await node.rpc<{ tx: string[] }>('getblock', [mined.blockhash]);
    expect(block.tx).toContain(txid);
    const wallet = await node.rpc<{ confirmations: number; amount: number }>('gettransaction', [txid], {
      wallet: 'miner',
    });
    expect(wallet).toMatchObject({ confirmations: 1, amount: 0.0025 });
    for (const input of mined.vin) {
      expect(input.txinwitness).toHaveLength(1);
      expect(input.txinwitness[0]).toMatch(/^[0-9a-f]{128}$/);
    }
    expect(
      mined.vout.every(
        (o) => o.scriptPubKey.type === 'witness_v1_taproot' || o.scriptPubKey.address === payee,
      ),
    ).toBe(true);
    const spent = await node.rpc<NodeTransaction>('getrawtransaction', [mined.vin[0]!.txid, true]);
    expect(spent.vout[mined.vin[0]!.vout]!.scriptPubKey.address).toBe(address);

    // What is left comes back, and a fresh address is shown for the next payment.
    const fee = 2_000_000n - mined.vout.reduce((sum, o) => sum + BigInt(Math.round(o.value * 1e8)), 0n);
    await waitForBalance(page, 2_000_000n - 250_000n - fee);
    expect(await receiveAddress(page)).not.toBe(address);

    // Two coins in one payment: still one round trip, one signature an input.
    await node.fund(await receiveAddress(page), 300_000n);
    await node.mine(1);
    await waitForBalance(page, 2_050_000n - fee);
    world.proxy.restart();
    const second = await pay(page, { to: payee, amount: 1_900_000n - fee });
    const both = await node.rpc<NodeTransaction>('getrawtransaction', [second.txid, true]);
    expect(both.vin).toHaveLength(2);
    for (const input of both.vin)
      expect(input.txinwitness).toEqual([expect.stringMatching(/^[0-9a-f]{128}$/)]);
    await page.close();

    // Another look after the browser put the worker to sleep: the wallet is still the same wallet.
    await chromium.killWorker();
    const again = await openWallet(chromium.open);
    await again.getByRole('region', { name: 'Activity' }).getByText('Not in a block yet').waitFor();
  });

  test('payments leave by a server that the user named, and by the cosigner only at a press', async () => {
    const { node, chromium } = world;
    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const esplora = await startEsploraBridge(node);
    const posts = () => esplora.asked().filter((path) => path === '/tx').length;
    let page = await openWallet(chromium.open);
    try {
      await node.fund(await receiveAddress(page), 500_000n);
      await node.fund(await receiveAddress(page), 400_000n);
      await node.mine(1);

      const settings = await chromium.open('safety.html#route');
      await settings.setViewportSize({ width: 1040, height: 760 });
      await settings.getByRole('button', { name: 'A server that you name' }).click();
      const address = settings.getByLabel(/^Its address/);
      const press = (name: string) => settings.getByRole('button', { name, exact: true }).click();
      await address.fill('http://esplora.example/api');
      await press('Test it');
      await settings.locator('[data-code="BadConfiguration"]').waitFor();
      await address.fill(esplora.url.replace(/api$/, 'other'));
      await press('Test it');
      await settings.locator('[data-code="ChainUnavailable"]').waitFor();
      expect(posts()).toBe(0);
      // It runs, and names nobody who may read it: the way on is a press.
      esplora.letRead(false);
      await address.fill(`${esplora.url}/`);
      await press('Test it');
      await agreeBeforehand(chromium, 'http://127.0.0.1/*');
      await press('Let this browser read its answers');
      await settings.getByText(/^It works: Regtest, block /).waitFor();
      expect(posts()).toBe(1);
      await press('Send through this server');
      await settings.getByText('In use.').waitFor();
      await settings.close();

      // Over the worker's death.
      await chromium.killWorker();
      await page.close();
      page = await openWallet(chromium.open);
      const first = await pay(page, { to: payee, amount: 20_000n });
      expect(await node.rpc('getrawmempool')).toContain(first.txid);
      expect(posts()).toBe(1);

      await esplora.stop();
      await reviewPayment(page, { to: payee, amount: 30_000n });
      await holdToSend(page);
      await page.locator('[data-code="RouteUnavailable"]').waitFor();
      expect(await node.rpc('getrawmempool')).toEqual([first.txid]);
      await page.getByRole('button', { name: 'Send by the cosigner instead' }).click();
      await page.getByRole('heading', { name: 'Sent' }).waitFor();
      expect(await node.rpc('getrawmempool')).toHaveLength(2);
    } finally {
      await esplora.stop();
      await page.close();
    }
  });
});

/** Without a window nobody can press what Chromium asks about a permission: what was agreed to once it does not ask again. */
async function agreeBeforehand({ context, extensionId }: Chromium, host: string): Promise<void> {
  const page = await context.newPage();
  await page.goto('chrome://extensions');
  const asked = `chrome.developerPrivate.addHostPermission('${extensionId}', '${host}')`;
  await page.evaluate(asked);
  await page.close();
}
