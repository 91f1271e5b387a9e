/** How a story about the shares ends: the owner's coins move on the chain, and the thief is refused by a code. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { fillPayment, pay } from '../../scripts/person.ts';
import type { PortMethod } from '../../src/device/port.ts';
import { decodePort, encodePort } from '../../src/protocol/portCodec.ts';
import type { World } from './world.ts';

export const payeeOf = ({ node }: World) => node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
export const mempoolOf = ({ node }: World) => node.rpc<string[]>('getrawmempool');

/** A payment by the wallet in `page` and its cosigner, as far as into a block. */
export async function ownerSpends(world: World, page: Page, amount: bigint): Promise<void> {
  const { txid } = await pay(page, { to: await payeeOf(world), amount });
  expect(await mempoolOf(world)).toEqual([txid]);
  await isMined(world, txid, amount);
}

/** Mines what is in the mempool, and finds the payment to the payee in it. */
export async function isMined({ node }: World, txid: string, amount: bigint): Promise<void> {
  await node.mine(1);
  const received = await node.rpc('gettransaction', [txid], { wallet: 'miner' });
  expect(received).toMatchObject({ amount: Number(amount) / 1e8, confirmations: 1 });
}

/** Who has the wallet in `page` open pays nobody: Review says `code`, and so does the cosigner if it is pressed all the same. */
export async function thiefIsRefused(world: World, page: Page, code: string): Promise<void> {
  const address = await payeeOf(world);
  await fillPayment(page, address, 50_000n);
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  await page.locator(`[data-code="${code}"]`).first().waitFor();
  expect(await page.locator('button[data-armed="true"]').count()).toBe(0);

  const draft = { address, amount: 50_000n, feeRate: 3000 };
  const { request } = (await askDevice(page, 'draft', draft)).result as { request: string };
  await askDevice(page, 'press', { request });
  const payment = async () => (await askDevice(page, 'payment', { request })).result;
  await expect.poll(payment).toMatchObject({ state: 'failed', error: code });
  expect(await mempoolOf(world)).toEqual([]);
}

/** Asks the device behind an extension's `page` past all screens: who has the browser can. Throws if the worker dies meanwhile. */
export async function askDevice(
  page: Page,
  method: PortMethod,
  argument: unknown = null,
): Promise<{ result?: unknown; error?: { code: string } }> {
  const said = await page.evaluate(
    (request) =>
      new Promise<string>((done, fail) => {
        const port = (globalThis as any).chrome.runtime.connect({ name: 'hoarfrost' });
        port.onMessage.addListener((message: string) => {
          if (!message.startsWith('{"id":1,')) return;
          port.disconnect();
          done(message);
        });
        port.onDisconnect.addListener(() => fail(new Error('the worker is gone')));
        port.postMessage(request);
      }),
    encodePort({ id: 1, method, argument }),
  );
  return decodePort(said) as { result?: unknown; error?: { code: string } };
}
