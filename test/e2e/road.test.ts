import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, pay, receiveAddress, waitForBalance } from '../../scripts/person.ts';
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
});
