/** Words that may have been seen: a new key is made, every coin goes there, and the old words are worth nothing. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWallet, holdToSend, openWallet, sent, unlock, waitForBalance } from '../../scripts/person.ts';
import { startEsploraBridge } from '../support/esploraBridge.ts';
import { describeReal } from '../support/real.ts';
import { anotherLink, fundedWallet, openWorld, type World } from '../support/world.ts';

const OLD = 2_000_000n;
const LATE = 150_000n;
const NEW_PASSWORD = 'another five quiet frosty words';

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

async function openSweep(page: Page): Promise<void> {
  await page.getByRole('navigation').getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: /^(Move to a new key|See how far it is)$/ }).click();
  await page.getByRole('heading', { name: 'Move to a new key' }).waitFor();
}

/** One payment of the sweep, and the block that it is in. Gives its fee. */
async function move({ node }: World, page: Page): Promise<bigint> {
  const left = page.getByRole('region', { name: 'Still on the old key' }).locator('data').first();
  const before = BigInt((await left.getAttribute('value')) ?? 0);
  await press(page, 'Review');
  await page.getByRole('heading', { name: 'Review' }).waitFor();
  await holdToSend(page);
  const { txid } = await sent(page);
  await node.mine(1);
  const { vout, vin } = await node.rpc<{ vin: object[]; vout: { value: number }[] }>('getrawtransaction', [
    txid,
    true,
  ]);
  expect(vin).toHaveLength(1);
  expect(vout).toHaveLength(1);
  return before - BigInt(Math.round(vout[0]!.value * 1e8));
}

await describeReal('moving to a new key', ['bitcoind', 'chromium', 'openssl'], () => {
  const ended = new AsyncDisposableStack();
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(async () => {
    await world?.close();
    await ended.disposeAsync();
  });

  test('new words, every coin, then the new key is in use; what still comes to the old one follows', async () => {
    const { node, chromium } = world;
    const { page, address } = await fundedWallet(world, OLD, 10_000_000n);
    const esplora = await startEsploraBridge(node);
    ended.defer(esplora.stop);
    const route = await chromium.open('safety.html#route');
    await press(route, 'A server that you name');
    await route.getByLabel(/^Its address/).fill(esplora.url);
    await press(route, 'Send through this server');
    await route.getByText('In use.').waitFor();
    await route.close();
    const before = await openWallet(chromium.open);
    await openSweep(before);
    await press(before, 'It is made: go on');
    await before.getByText('The new wallet is not made yet.').waitFor();
    await before.close();

    const link = await anotherLink(world);
    const setup = async () => {
      await openSweep(page);
      const opened = chromium.context.waitForEvent('page');
      await press(page, 'Make the new key');
      return opened;
    };
    const born = await createWallet(setup, {
      pairing: link,
      password: NEW_PASSWORD,
      dailyLimit: 10_000_000n,
    });
    await press(born.page, 'Go on with moving the coins');
    const old = born.page;
    await waitForBalance(old, OLD);
    await openSweep(old);

    // Locked in between: it says so and says what to do.
    const next = await chromium.open('popup.html?wallet=next');
    await next.getByText('This is the new key.').waitFor();
    await next.getByRole('button', { name: 'Lock now' }).first().click();
    await next.getByRole('heading', { name: 'Locked' }).waitFor();
    await press(old, 'It is made: go on');
    await old.getByText('The new wallet is locked.').waitFor();
    await unlock(next, NEW_PASSWORD);
    await next.getByRole('region', { name: 'Balance' }).waitFor();
    await next.close();
    await press(old, 'It is made: go on');

    esplora.asked();
    const fee = await move(world, old);
    expect(esplora.asked()).toContain('/tx');
    // The worker dies in between, and it goes on where it was.
    await chromium.killWorker();
    await old.getByText('The coins move to a new key.').waitFor();
    await waitForBalance(old, 0n);
    await press(old, 'See how far it is');
    await old.getByText('Every coin has left the old key.').waitFor();
    await press(old, 'Use the new key');
    await old.getByRole('heading', { name: 'Locked' }).waitFor();
    await unlock(old, NEW_PASSWORD);
    const now = old;
    await waitForBalance(now, OLD - fee);

    // Somebody pays to the old key's address once more.
    await node.fund(address, LATE);
    await node.mine(1);
    await now.getByRole('navigation').getByRole('button', { name: 'Settings' }).click();
    await press(now, 'Open the key before this one');
    await unlock(now);
    await waitForBalance(now, LATE);
    await openSweep(now);
    const lateFee = await move(world, now);
    await waitForBalance(now, 0n);
    await now.close();
    const again = await openWallet(chromium.open, NEW_PASSWORD);
    await waitForBalance(again, OLD - fee + LATE - lateFee);
    // Who sends was chosen for the old key; the new one has not gone back to the cosigner unasked.
    await again.getByRole('navigation').getByRole('button', { name: 'Settings' }).click();
    await again.getByRole('button', { name: `Who sends payments ${new URL(esplora.url).host}` }).waitFor();
  });
});
