/** The press that moves money, by keyboard alone: Enter never sends, a held Space does, and under reduced motion two presses. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reviewPayment, sent } from '../../scripts/person.ts';
import { describeReal } from '../support/real.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const AMOUNT = 50_000n;

await describeReal('keyboard', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let page: Page;
  let own: string;
  beforeAll(async () => {
    world = await openWorld();
    ({ page, address: own } = await fundedWallet(world, 1_000_000n));
  });
  afterAll(() => world?.close());

  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');

  /** On Review, with the armed button under the focus, by Tab alone. */
  async function atTheButton(to: string): Promise<void> {
    await reviewPayment(page, { to, amount: AMOUNT });
    expect(await focused()).toBe('Review');
    await page.locator('[data-verdict="signs"]').waitFor();
    await page.locator('.end-of-request').scrollIntoViewIfNeeded();
    await page.locator('button[data-armed="true"]').waitFor();
    for (let i = 0; i < 6 && !/to send/.test(await focused()); i++) await page.keyboard.press('Tab');
    await page.locator('button[data-armed="true"]:focus').waitFor();
  }
  /** Both ends at once: a press of which one end waits for a busy machine is a hold. */
  const tap = (key: string) => Promise.all([page.keyboard.down(key), page.keyboard.up(key)]);
  const stillAsked = async (armed = 1) => {
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Review');
    expect(await page.locator('button[data-armed="true"]').count()).toBe(armed);
  };

  test('a pressed Enter or Space sends nothing, Escape goes back, a held Space sends', async () => {
    const payee = await world.node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' });
    await atTheButton(payee);
    await tap('Enter');
    await stillAsked();
    await tap('Space');
    await stillAsked();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Send', exact: true }).waitFor();
    expect(await page.getByLabel(/^Amount/).inputValue()).toBe(AMOUNT.toString());
    await page.getByRole('button', { name: 'Back' }).click();
    await atTheButton(payee);
    await page.keyboard.down('Space');
    await page.getByRole('heading', { name: /^(Sending|Sent)$/ }).waitFor();
    await page.keyboard.up('Space');
    expect((await sent(page)).txid).toMatch(/^[0-9a-f]{64}$/);
    await world.node.mine(1);
  });

  test('a payment to oneself says that only its fee leaves; under reduced motion it takes two presses', async () => {
    await page.locator('.amount--balance data:not([value="0"])').waitFor();
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await atTheButton(own);
    expect(await page.getByText('Your own address').count()).toBe(1);
    const leaves = page.getByRole('region', { name: 'Leaves your wallet' }).locator('data');
    expect(BigInt((await leaves.getAttribute('value')) ?? AMOUNT)).toBeLessThan(AMOUNT);
    await tap('Space');
    await page.getByRole('button', { name: /^Press again to send/ }).waitFor();
    await stillAsked();
    await tap('Space');
    expect((await sent(page)).txid).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a second press that comes right after what it was for has changed sends nothing', async () => {
    await reviewPayment(page, { to: own, amount: 400n });
    const fee = page.getByLabel(/^Type the fee/);
    await fee.fill(
      (await page.locator('dt', { hasText: /^Fee/ }).locator('+ dd data').getAttribute('value'))!,
    );
    await page.locator('.end-of-request').scrollIntoViewIfNeeded();
    await page.locator('button[data-armed="true"]').press('Space');
    await page.getByRole('button', { name: /^Press again to send/ }).waitFor();
    await page.evaluate(async () => {
      const typed = document.querySelector<HTMLInputElement>('#typed-fee')!;
      typed.value = '0';
      typed.dispatchEvent(new InputEvent('input', { bubbles: true }));
      // The change is on the page, the next picture not yet drawn.
      for (let i = 0; i < 10; i++) await null;
      document.querySelector<HTMLButtonElement>('.actions .btn--primary')!.click();
    });
    await page.locator('button[aria-disabled="true"]', { hasText: 'send' }).waitFor();
    await stillAsked(0);
    await page.keyboard.press('Escape');
  });
});
