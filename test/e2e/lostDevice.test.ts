/** The browser is lost, with the wallet open in it: its owner is back in an hour, and whoever has it spends nothing. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, PASSWORD, waitForBalance } from '../../scripts/person.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import {
  CONTACT,
  type ContactWorld,
  contactAgrees,
  contactPage,
  openContactWorld,
} from '../support/contactWorld.ts';
import { ownerSpends, thiefIsRefused } from '../support/endings.ts';
import { letWordsAsk, makeKeys, makeShare } from '../support/newShare.ts';
import { describeReal } from '../support/real.ts';
import { type Elsewhere, openElsewhere, takeExport } from '../support/recoveryPage.ts';
import { fundedWallet } from '../support/world.ts';

const COIN = 2_000_000n;
const NEW_PASSWORD = 'autumn harbour lantern';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('audit-07 attack-23: the device is lost', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: ContactWorld;
  let words: string[];
  /** The public records, from before. */
  let saved: string;
  /** Of the thief, open. */
  let lost: Page;
  let fresh: TestChromium;
  let elsewhere: Elsewhere;
  let page: Page;

  beforeAll(async () => {
    world = await openContactWorld();
    ({ page: lost, words } = await fundedWallet(world, COIN, 1_000_000n, CONTACT));
    const safety = await world.chromium.open('safety.html#export');
    saved = await takeExport(safety);
    await safety.close();
    fresh = await launchChromium({ spkiHash: world.tls.spkiHash });
    elsewhere = await openElsewhere();
  });
  afterAll(async () => {
    await fresh?.close();
    await elsewhere?.close();
    await world?.close();
  });

  test('the words ask from a new browser; the recovery page shows whose share it is to be', async () => {
    page = await fresh.open('onboarding.html');
    await press(page, 'I have a wallet and lost its browser');
    await makeKeys(page, world.pairing, NEW_PASSWORD);
    await letWordsAsk(page, elsewhere.paper, words);
    await heading(page, 'Now it waits').waitFor();
    await page.getByText(/^Ready in/).waitFor();
  });

  test('alone they wait, over a browser that is closed and a cosigner that is killed', async () => {
    await (await contactPage(world)).close();
    await world.restartCosigner();
    await page.close();
    await fresh.killWorker();
    page = await fresh.open('onboarding.html');
    await page.setViewportSize({ width: 1100, height: 900 });
    await heading(page, 'Now it waits').waitFor();
    await page.getByText(/^Ready in 6 d 23 h|^Ready in 7 d/).waitFor();
  });

  test('the owner’s contact agrees: at once cosigner and words make the new share', async () => {
    await contactAgrees(world);
    await makeShare(page, elsewhere.paper, words, NEW_PASSWORD, saved);
  });

  test('the old browser spends nothing and sees nothing, with its password and its share', async () => {
    await thiefIsRefused(world, lost, 'NotEnrolled');
    const again = await openWallet(world.chromium.open, PASSWORD);
    await again.getByText('To be replaced').waitFor();
    await thiefIsRefused(world, again, 'NotEnrolled');
    await again.close();
  });

  test('the owner spends from the new one, in a new epoch', async () => {
    await press(page, 'Open the wallet');
    await page.setViewportSize({ width: 400, height: 720 });
    await waitForBalance(page, COIN);
    await ownerSpends(world, page, 50_000n);
    await expect.poll(() => world.cosigner.log()).toContain('epoch begun');
    const locked = await fresh.open('popup.html');
    await press(locked, 'Lock now');
    await heading(locked, 'Locked').waitFor();
    await locked.close();
    await (await openWallet(fresh.open, NEW_PASSWORD)).close();
  });
});
