/** The cosigner changes, from one real process to another: the one before is out, with all that it can be asked for. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainOf, type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { openWallet, PASSWORD, reviewPayment, waitForBalance } from '../../scripts/person.ts';
import { launchChromium } from '../support/chromium.ts';
import { isMined, mempoolOf, payeeOf, thiefIsRefused } from '../support/endings.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  type Elsewhere,
  giveMessage,
  holdUntil,
  openElsewhere,
  relay,
  takeMessage,
} from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const COIN = 2_000_000n;

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-23: the cosigner is replaced', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let words: string[];
  let next: RunningCosigner;
  let folder: string;
  /** The profile as it was with the cosigner before. */
  let copied: string;
  let elsewhere: Elsewhere;

  beforeAll(async () => {
    world = await openWorld();
    const born = await fundedWallet(world, COIN, 1_000_000n);
    words = born.words;
    copied = await mkdtemp(join(tmpdir(), 'hoarfrost-copied-'));
    await world.restartBrowser(() => cp(world.profile, copied, { recursive: true }));
    folder = await mkdtemp(join(tmpdir(), 'hoarfrost-next-'));
    const { node, tls } = world;
    next = await startCosigner({ folder, network: 'regtest', chain: chainOf(node), tls });
    elsewhere = await openElsewhere();
  });
  afterAll(async () => {
    await elsewhere?.close();
    await next?.stop();
    await world?.close();
    for (const each of [folder, copied])
      if (each !== undefined) await rm(each, { recursive: true, maxRetries: 5 });
  });

  const offline = async (hash: string) => {
    const page = await world.chromium.open(`offline.html${hash}`);
    await page.setViewportSize({ width: 1100, height: 900 });
    return page;
  };

  test('device and words move to another cosigner, and the one before destroys its share', async () => {
    const before = await readdir(join(world.cosignerFolder, 'epoch-keys'));
    expect(before).not.toEqual([]);
    await (await openWallet(world.chromium.open)).close();
    const page = await offline('#move');
    await page.getByLabel(/^Pairing link/).fill(next.pairing);
    await press(page, 'It matches, begin the move');
    const own = page
      .getByRole('region', { name: 'The new cosigner' })
      .getByRole('group', { name: 'Fingerprint' });
    expect(((await own.textContent()) ?? '').replace(/\s/g, '').toLowerCase()).toContain(
      /h=([0-9a-f]{64})/.exec(next.pairing)![1]!.slice(0, 8),
    );
    await relay(page, elsewhere.paper, words, 'Help with this share', 3);
    await heading(page, / is your cosigner now$/).waitFor();
    await page.close();
    await expect.poll(() => readdir(join(world.cosignerFolder, 'epoch-keys'))).toEqual([]);
    await expect.poll(() => next.log()).toContain('epoch begun');
  });

  test('who has the browser as it was before, its password, and the old cosigner running, spends nothing', async () => {
    const thief = await launchChromium({ profile: copied, spkiHash: world.tls.spkiHash });
    try {
      await thiefIsRefused(world, await openWallet(thief.open, PASSWORD), 'NotEnrolled');
    } finally {
      await thief.close();
    }
  });

  test('with the old one dead the coins are there, and the new one answers, whose limits begin full', async () => {
    await world.cosigner.kill();
    const wallet = await openWallet(world.chromium.open);
    await waitForBalance(wallet, COIN);
    await reviewPayment(wallet, { to: await payeeOf(world), amount: 50_000n });
    await wallet
      .locator('[data-verdict="refuses"]')
      .getByText(/daily limit/)
      .waitFor();
    await wallet.close();
  });

  test('meanwhile device and words spend, and the node mines it', async () => {
    const page = await offline('');
    await page.getByLabel(/^To /).fill(await payeeOf(world));
    await page.getByLabel(/^Amount/).fill('1500000');
    await page.getByLabel(/^Fee rate/).fill('3');
    await press(page, 'Make the request');
    const { paper } = elsewhere;
    await giveMessage(page, await answerOf(paper, await takeMessage(page), words, 'Sign this payment'));
    await holdUntil(page, /^Hold to send/, 'Signed');
    const shown = page.getByRole('region', { name: 'The signed transaction' }).locator('.message-box');
    const signed = (await shown.textContent()) ?? '';
    const txid = await world.node.rpc<string>('sendrawtransaction', [signed]);
    expect(await mempoolOf(world)).toEqual([txid]);
    await isMined(world, txid, 1_500_000n);
    await page.close();
  });
});
