/** The profile's folder is an older copy: it signs nothing, in whose hands ever; its owner gets a new share in it and pays. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, PASSWORD, receiveAddress, unlock } from '../../scripts/person.ts';
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

await describeReal('the profile is set back', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: ContactWorld;
  let elsewhere: Elsewhere;
  let words: string[];
  let address: string;
  let backup: string;
  let page: Page;

  beforeAll(async () => {
    world = await openContactWorld();
    elsewhere = await openElsewhere();
    const born = await fundedWallet(world, COIN, 1_000_000n, CONTACT);
    words = born.words;
    address = await receiveAddress(born.page);
    backup = await mkdtemp(join(tmpdir(), 'hoarfrost-backup-'));
    await world.restartBrowser(() => cp(world.profile, backup, { recursive: true }));
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
    if (backup !== undefined) await rm(backup, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Another browser with the backup in it, and the password. */
  async function asThief(work: (theirs: Page) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-thief-'));
    await cp(backup, folder, { recursive: true });
    const browser = await launchChromium({ profile: folder, spkiHash: world.tls.spkiHash });
    try {
      const theirs = await browser.open('popup.html');
      await unlock(theirs, PASSWORD);
      await work(theirs);
    } finally {
      await browser.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  test('after the backup the wallet goes on: new shares, and a payment', async () => {
    const wallet = await openWallet(world.chromium.open);
    const safety = await world.chromium.open('safety.html');
    await press(safety, 'Refresh now');
    await safety.getByText(/^Last refresh: no\. 1,/).waitFor();
    await ownerSpends(world, wallet, 40_000n);
  });

  test('who has the backup and the password spends nothing with it', async () => {
    await asThief(async (theirs) => {
      await heading(theirs, 'This browser was set back').waitFor();
      await press(theirs, 'Look at the wallet');
      await theirs.getByText('This browser was set back.').waitFor();
      await thiefIsRefused(world, theirs, 'EpochStale');
      expect(await askDevice(theirs, 'refreshShares')).toMatchObject({ error: { code: 'EpochStale' } });
    });
  });

  test('restored by its owner it says so, shows the wallet, and leads to a new share', async () => {
    await world.restartBrowser(async () => {
      await rm(world.profile, { recursive: true, maxRetries: 5 });
      await cp(backup, world.profile, { recursive: true });
    });
    page = await world.chromium.open('popup.html');
    await unlock(page, PASSWORD);
    await heading(page, 'This browser was set back').waitFor();
    await page.getByText('Your money is safe.').waitFor();
    await press(page, 'Look at the wallet');
    await page.getByRole('region', { name: 'Balance' }).waitFor();
    await page.goto(page.url().replace('popup', 'safety'));
    await heading(page, 'This browser was set back').waitFor();
    await press(page, 'Replace this device');
    await page.waitForURL(/#replace$/);
  });

  test('words and contact ask, cosigner and words make the share, and the owner spends', async () => {
    await makeKeys(page, world.pairing, NEW_PASSWORD);
    await letWordsAsk(page, elsewhere.paper, words);
    await heading(page, 'Now it waits').waitFor();
    await contactAgrees(world);
    // On a slow line there is a wallet for some time before the page hears so: it must not begin anew in between.
    world.proxy.onFrame = async () => {
      await sleep(400);
      return 'pass' as const;
    };
    await makeShare(page, elsewhere.paper, words, NEW_PASSWORD);
    world.proxy.onFrame = () => 'pass';
    await press(page, 'Open the wallet');
    await page.setViewportSize({ width: 400, height: 720 });
    await page.getByRole('region', { name: 'Balance' }).waitFor();
    expect(await receiveAddress(page)).toBe(address);
    await ownerSpends(world, page, 50_000n);
  });

  test('from then on the backup is of a device that is struck off', async () => {
    await asThief(async (theirs) => {
      await theirs.getByRole('region', { name: 'Balance' }).waitFor();
      await thiefIsRefused(world, theirs, 'NotEnrolled');
    });
  });
});
