/** The password is forgotten: in the same browser its owner gets a new share and pays, and the old password is worth nothing to anybody. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, PASSWORD, receiveAddress, unlock, waitForBalance } from '../../scripts/person.ts';
import { launchChromium } from '../support/chromium.ts';
import { CONTACT, type ContactWorld, contactAgrees, openContactWorld } from '../support/contactWorld.ts';
import { askDevice, ownerSpends, thiefIsRefused } from '../support/endings.ts';
import { letWordsAsk, makeKeys, makeShare } from '../support/newShare.ts';
import { describeReal } from '../support/real.ts';
import { type Elsewhere, openElsewhere } from '../support/recoveryPage.ts';
import { fundedWallet } from '../support/world.ts';

const COIN = 2_000_000n;
const NEW_PASSWORD = 'autumn harbour lantern';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-23: the password is forgotten', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: ContactWorld;
  let elsewhere: Elsewhere;
  let words: string[];
  let address: string;
  /** The profile's folder as somebody copied it while the old password was the one. */
  let copied: string;
  let page: Page;

  beforeAll(async () => {
    world = await openContactWorld();
    elsewhere = await openElsewhere();
    const born = await fundedWallet(world, COIN, 1_000_000n, CONTACT);
    words = born.words;
    address = await receiveAddress(born.page);
    copied = await mkdtemp(join(tmpdir(), 'hoarfrost-copied-'));
    await world.restartBrowser(() => cp(world.profile, copied, { recursive: true }));
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
    if (copied !== undefined) await rm(copied, { recursive: true, force: true, maxRetries: 5 });
  });

  test('nobody resets it: the wallet says what is safe, what is needed, and leads to a new share', async () => {
    page = await world.chromium.open('popup.html');
    await heading(page, 'Locked').waitFor();
    await unlock(page, 'what I think it was');
    await page.locator('[data-code="WrongPassword"]').waitFor();
    await press(page, 'Forgotten?');
    await heading(page, 'Forgotten password').waitFor();
    await page.getByText('Your money is safe.').waitFor();
    await page.getByText('It is the same as a lost device.').waitFor();
    await page.keyboard.press('Escape');
    await heading(page, 'Locked').waitFor();
    await press(page, 'Forgotten?');
    await press(page, 'Replace this device');
    await page.waitForURL(/#replace$/);
  });

  test('its words ask for this browser, as they would for any other', async () => {
    await makeKeys(page, world.pairing, NEW_PASSWORD);
    await letWordsAsk(page, elsewhere.paper, words);
    await heading(page, 'Now it waits').waitFor();
    await page.getByText(/^Ready in/).waitFor();
  });

  test('meanwhile nothing is lost: remembered after all, the old password opens the old wallet', async () => {
    const popup = await openWallet(world.chromium.open);
    await press(popup, 'Lock now');
    await heading(popup, 'Locked').waitFor();
    await popup.close();
  });

  test('the contact agrees: cosigner and words make the new share in the place of the old', async () => {
    await contactAgrees(world);
    await makeShare(page, elsewhere.paper, words, NEW_PASSWORD);
  });

  test('the owner spends from the same wallet, under the new password alone', async () => {
    await press(page, 'Open the wallet');
    await page.setViewportSize({ width: 400, height: 720 });
    await waitForBalance(page, COIN);
    expect(await receiveAddress(page)).toBe(address);
    await ownerSpends(world, page, 50_000n);
    await press(page, 'Lock now');
    await heading(page, 'Locked').waitFor();
    await unlock(page, PASSWORD);
    await page.locator('[data-code="WrongPassword"]').waitFor();
    await unlock(page, NEW_PASSWORD);
    await page.getByRole('region', { name: 'Balance' }).waitFor();
  });

  test('who copied the profile before, and learns the old password now, has a device that is struck off', async () => {
    const thief = await launchChromium({ profile: copied, spkiHash: world.tls.spkiHash });
    try {
      const theirs = await openWallet(thief.open, PASSWORD);
      await thiefIsRefused(world, theirs, 'NotEnrolled');
      // Nor does it hear what is asked of this wallet, or contest it.
      expect(await askDevice(theirs, 'ceremonies')).toMatchObject({ error: { code: 'NotEnrolled' } });
    } finally {
      await thief.close();
    }
    await ownerSpends(world, page, 60_000n);
  });
});
