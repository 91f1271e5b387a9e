/** A person, their password, a security key and the safety centre, in a real Chromium. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, PASSWORD, receiveAddress, unlock } from '../../scripts/person.ts';
import { describeReal } from '../support/real.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const NEXT = 'evening ferry lantern moss';
const ANOTHER = 'slow copper meadow kite';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('the vault and its safety centre', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let wallet: Page;
  let address: string;

  beforeAll(async () => {
    world = await openWorld();
    ({ page: wallet } = await fundedWallet(world, 2_000_000n));
    address = await receiveAddress(wallet);
  });
  afterAll(() => world?.close());

  const safety = async (hash = '') => {
    const page = await world.chromium.open(`safety.html${hash}`);
    await page.setViewportSize({ width: 1040, height: 760 });
    return page;
  };

  async function changePassword(page: Page, from: string, to: string): Promise<void> {
    await page.getByLabel('Password now').fill(from);
    await page.getByLabel('New password').fill(to);
    await page.getByLabel('Once more').fill(to);
    await press(page, 'Change the password');
  }

  async function lock(): Promise<void> {
    const page = await world.chromium.open('popup.html');
    await press(page, 'Lock now');
    await heading(page, 'Locked').waitFor();
    await page.close();
  }

  /** Whether `password` opens, in a popup of its own. It was locked, and is locked again if it was the right one. */
  async function opens(password: string): Promise<boolean> {
    const page = await world.chromium.open('popup.html');
    await unlock(page, password);
    const balance = page.getByRole('region', { name: 'Balance' });
    const wrong = page.locator('[data-code="WrongPassword"]');
    await balance.or(wrong).first().waitFor();
    const opened = await balance.isVisible();
    if (opened) {
      expect(await receiveAddress(page)).toBe(address);
      await press(page, 'Lock now');
      await heading(page, 'Locked').waitFor();
    }
    await page.close();
    return opened;
  }

  test('the safety centre shows the three shares, the receipts in their row, and the way to drill', async () => {
    const page = await safety();
    await heading(page, 'All three are well').waitFor();
    for (const [name, state] of [
      ['Device', 'Ready'],
      ['Cosigner', 'Online'],
      ['Recovery', 'On paper'],
    ] as const) {
      await page.getByRole('region', { name }).getByText(state, { exact: true }).waitFor();
    }
    await page.getByText('Recovery drill: not done yet').waitFor();
    await page.getByRole('link', { name: 'Receipts' }).click();
    await heading(page, 'Receipts').waitFor();
    await page.getByText(/in an unbroken row|Nothing has been decided/).waitFor();
    await page.goBack();
    await heading(page, 'All three are well').waitFor();
    await page.close();
  });

  test('shares are refreshed at the press of a button, and sign afterwards', async () => {
    const page = await safety();
    await page.getByText('Shares as they were made').waitFor();
    await press(page, 'Refresh now');
    await page.getByText(/^Last refresh: no\. 1/).waitFor();
    await page.close();
  });

  test('frozen at one press; lifted by this browser alone only after the wait, which is shown and can be called off', async () => {
    const page = await safety();
    await press(page, 'Freeze…');
    // By the keyboard: the question has the focus, and the next stop is its answer.
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Payments are frozen' }).waitFor();
    await press(page, 'Lift it…');
    await press(page, 'Ask to lift it');
    const asked = page.getByRole('region', { name: 'Looser rules are asked for' });
    await asked.waitFor();
    expect(await asked.getByRole('timer').textContent()).toMatch(/^(7 d|6 d 23 h)/);
    await page.getByText('Lifting is asked for').waitFor();
    await asked.getByRole('button', { name: 'Call it off' }).click();
    await asked.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Lift it…' }).waitFor();
    await page.close();
  });

  test('password change: a wrong one changes nothing, and then the new one opens and the old one does not', async () => {
    const page = await safety('#password');
    await changePassword(page, `${PASSWORD}!`, NEXT);
    await page.getByText('Nothing has changed.').waitFor();
    await changePassword(page, PASSWORD, NEXT);
    await heading(page, 'The password is changed').waitFor();
    await page.close();
    await lock();
    expect(await opens(PASSWORD)).toBe(false);
    expect(await opens(NEXT)).toBe(true);
  });

  test('password change while the worker is killed again and again: one password opens, the one it says', async () => {
    await openWallet(world.chromium.open, NEXT);
    const page = await safety('#password');
    await heading(page, 'Change the password').waitFor();
    for (const [from, to, after] of [
      [NEXT, ANOTHER, 20],
      [ANOTHER, NEXT, 250],
      [NEXT, ANOTHER, 600],
    ] as const) {
      await page.reload();
      await changePassword(page, from, to);
      await page.waitForTimeout(after);
      await world.chromium.killWorker();
      await heading(page, 'The password is changed').waitFor();
      await lock();
      expect(await opens(from)).toBe(false);
      expect(await opens(to)).toBe(true);
      await (await openWallet(world.chromium.open, to)).close();
    }
    await changeBack(ANOTHER);
    await page.close();
  });

  async function changeBack(from: string): Promise<void> {
    const page = await safety('#password');
    await changePassword(page, from, PASSWORD);
    await heading(page, 'The password is changed').waitFor();
    await page.close();
  }

  test('a security key with the password: it is asked for, a wrong password beside it opens nothing, both open', async () => {
    const page = await safety('#security-key');
    await plugIn(page);
    await heading(page, 'Add a security key').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await press(page, 'Add the security key');
    await heading(page, 'Password and security key').waitFor();
    await lock();

    await page.bringToFront();
    await page.getByText('Your password and your security key wake your device share.').waitFor();
    await heading(page, 'Locked').waitFor();
    await unlock(page, NEXT);
    await page.locator('[data-code="WrongPassword"]').waitFor();
    await unlock(page);
    await heading(page, 'Password and security key').waitFor();

    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await press(page, 'Take the security key away');
    await heading(page, 'Add a security key').waitFor();
    await page.close();
    await lock();
    expect(await opens(PASSWORD)).toBe(true);
  });
});

/** A security key with the PRF extension, for this page, under a finger that always presses. */
async function plugIn(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'usb',
      hasUserVerification: true,
      isUserVerified: true,
      hasResidentKey: true,
      hasPrf: true,
      automaticPresenceSimulation: true,
    },
  });
}
