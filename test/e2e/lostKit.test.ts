/** The paper is lost: its owner makes new words, and whoever found the old ones has twelve words of nobody. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, readWords, waitForBalance } from '../../scripts/person.ts';
import { launchChromium } from '../support/chromium.ts';
import { CONTACT, type ContactWorld, contactAgrees, openContactWorld } from '../support/contactWorld.ts';
import { askDevice, mempoolOf, ownerSpends } from '../support/endings.ts';
import { letWordsAsk, makeKeys, untilRipe } from '../support/newShare.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  type Elsewhere,
  giveMessage,
  openElsewhere,
  relay,
  takeMessage,
  typeFromPaper,
} from '../support/recoveryPage.ts';
import { fundedWallet } from '../support/world.ts';

const COIN = 2_000_000n;

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-23: the kit is lost', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: ContactWorld;
  let words: string[];
  let kit: string[];
  let elsewhere: Elsewhere;
  let paper: Page;

  beforeAll(async () => {
    world = await openContactWorld();
    const born = await fundedWallet(world, COIN, 1_000_000n, CONTACT);
    words = born.words;
    await born.page.close();
    elsewhere = await openElsewhere();
    ({ paper } = elsewhere);
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
  });

  const offline = async (hash: string) => {
    const page = await world.chromium.open(`offline.html${hash}`);
    await page.setViewportSize({ width: 1100, height: 900 });
    return page;
  };

  test('new words, with the contact at once: written, typed twice, in place', async () => {
    const page = await offline('#kit');
    await press(page, 'Make new words');
    await giveMessage(paper, await takeMessage(page));
    await press(paper, 'Make the words');
    kit = await readWords(paper);
    await press(paper, 'I have written them down');
    await typeFromPaper(paper, kit, 'Make the kit');
    await giveMessage(page, await takeMessage(paper));
    await press(paper, 'Done, forget everything');
    await heading(page, 'Now it waits').waitFor();

    await contactAgrees(world);
    await untilRipe(page, 'Put the new words in place');
    await press(page, 'I have the new paper');
    await relay(page, paper, kit, 'Make the kit', 2);
    await heading(page, 'The new words are in place').waitFor();
    // A new epoch came with them: no other share of the old paper's is left.
    const epoch = { number: 1, alert: null, unfinished: false };
    expect(await askDevice(page, 'state')).toMatchObject({ result: { wallet: { epoch } } });
    await page.close();
  });

  test('the old words sign nothing any more, even beside the owner’s browser, and the new ones do', async () => {
    const page = await offline('#drill');
    await press(page, 'Start the drill');
    const request = await takeMessage(page);
    await giveMessage(paper, request);
    await press(paper, 'Type the words');
    await typeFromPaper(paper, words, 'Sign the note');
    await paper.locator('[data-code="BadWords"]').waitFor();
    await press(paper, 'Stop and forget');
    await giveMessage(page, await answerOf(paper, request, kit, 'Sign the note'));
    await heading(page, 'The drill went well').waitFor();
    await page.close();
  });

  test('who found the old paper asks in vain to become the device, and stops nobody’s payments', async () => {
    const thief = await launchChromium({ spkiHash: world.tls.spkiHash });
    try {
      const page = await thief.open('onboarding.html');
      await press(page, 'I have a wallet and lost its browser');
      await makeKeys(page, world.pairing, 'a thief of four words');
      await letWordsAsk(page, paper, words);
      await page.locator('[data-code="SessionUnknown"]').first().waitFor();
      await heading(page, 'Nothing was asked for').waitFor();
      expect(await page.getByText('Make the new share').count()).toBe(0);
      await press(page, 'Stop all payments');
      await giveMessage(page, await answerOf(paper, await takeMessage(page), words, 'Sign with these words'));
      await page.locator('[data-code="SessionUnknown"]').nth(1).waitFor();
      expect(await page.getByText('All payments are stopped.').count()).toBe(0);
      expect(await mempoolOf(world)).toEqual([]);
    } finally {
      await thief.close();
    }
  });

  test('nothing is asked of the owner, who spends', async () => {
    const wallet = await openWallet(world.chromium.open);
    await waitForBalance(wallet, COIN);
    expect(await wallet.getByText('This device is being replaced').count()).toBe(0);
    await ownerSpends(world, wallet, 50_000n);
  });
});
