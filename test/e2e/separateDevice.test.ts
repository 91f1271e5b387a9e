/** Onboarding with the words made elsewhere: this browser never sees one, and the wallet works like any other. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  openWallet,
  PASSWORD,
  pay,
  readWords,
  receiveAddress,
  waitForBalance,
} from '../../scripts/person.ts';
import { filesBelow } from '../support/forms.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  type Elsewhere,
  giveMessage,
  openElsewhere,
  takeMessage,
} from '../support/recoveryPage.ts';
import { openWorld, type World } from '../support/world.ts';

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click();

await describeReal('the words made on another device', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let elsewhere: Elsewhere;
  let paper: Page;
  let words: string[];

  beforeAll(async () => {
    world = await openWorld();
    elsewhere = await openElsewhere();
    ({ paper } = elsewhere);
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
  });

  test('five messages there, four back, and the three shares are made', async () => {
    const page = await world.chromium.open('onboarding.html');
    await page.setViewportSize({ width: 1040, height: 900 });
    await press(page, 'Create a wallet');
    await page.getByLabel(/^Pairing link/).fill(world.pairing);
    await page.getByRole('group', { name: 'Fingerprint' }).waitFor();
    const fingerprint = await page.getByRole('group', { name: 'Fingerprint' }).textContent();
    await press(page, 'Connect');
    await press(page, 'It matches, continue');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('Once more').fill(PASSWORD);
    await page.getByLabel(/^Daily limit/).fill('750000');
    await press(page, 'Continue');
    await press(page, 'Continue to the words');
    // Offered first to whoever plans to keep more.
    await page.getByRole('heading', { name: 'How much do you plan to keep here?' }).waitFor();
    expect(await page.locator('.choice').first().textContent()).toMatch(/Make the words on another device/);
    await press(page, /^More than I would carry/);
    await press(page, 'The recovery page is open');

    await page.getByText('Message 1 of 5').waitFor();
    const start = await takeMessage(page);
    await giveMessage(paper, start);
    await paper.getByRole('heading', { name: 'The words of a new wallet' }).waitFor();
    expect(await paper.getByText('750 000 sats').count()).toBe(1);
    expect(await paper.getByRole('group', { name: 'Fingerprint' }).textContent()).toBe(fingerprint);
    await press(paper, 'Make the words');
    words = await readWords(paper);
    expect(words).toHaveLength(12);

    // What prints has a place for each word, and no word.
    await paper.emulateMedia({ media: 'print' });
    const sheet = paper.locator('.kit');
    expect(await sheet.isVisible()).toBe(true);
    expect(await paper.locator('.plainpage').isVisible()).toBe(false);
    // The sentences beside use words that are in the list too, so a search would find what is none of these twelve.
    expect(await sheet.getByRole('listitem').allInnerTexts()).toEqual(words.map((_, i) => `${i + 1}`));
    const printed = (await sheet.textContent()) ?? '';
    const pairs = words.slice(1).map((word, i) => `${words[i]} ${word}`);
    expect(pairs.filter((pair) => printed.includes(pair))).toEqual([]);
    await paper.emulateMedia({ media: null });

    await press(paper, 'I have written them down');
    await paper.getByRole('heading', { name: 'Type the twelve back' }).waitFor();
    for (const [i, word] of words.entries())
      await paper.getByRole('textbox', { name: `Word ${i + 1}`, exact: true }).fill(word);
    await press(paper, 'Join with these words');

    let hello = '';
    for (let round = 1; round <= 4; round++) {
      await paper.getByRole('heading', { name: `Answer ${round} of 4` }).waitFor();
      const answer = await takeMessage(paper);
      if (round === 1) hello = answer;
      if (round === 2) {
        // An answer of before is not taken for the one that is due.
        await giveMessage(page, hello);
        await page.getByText('This is not the answer to the message beside.').waitFor();
      }
      await giveMessage(page, answer);
      await page.getByText(`Message ${round + 1} of 5`).waitFor();
      await giveMessage(paper, await takeMessage(page));
    }
    await paper.getByRole('heading', { name: 'The three shares are made' }).waitFor();
    await press(page, 'It says that the three shares are made');
    await page.getByRole('heading', { name: 'Your wallet is ready' }).waitFor();
    await page.close();
  });

  test('the wallet pays with its cosigner, and the words drill from the other device', async () => {
    const page = await openWallet(world.chromium.open);
    await world.node.fund(await receiveAddress(page), 500_000n);
    await world.node.mine(1);
    await waitForBalance(page, 500_000n);
    const payee = await world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    expect((await pay(page, { to: payee, amount: 100_000n })).txid).toMatch(/^[0-9a-f]{64}$/);
    await page.close();

    const drill = await world.chromium.open('offline.html#drill');
    await press(drill, 'Start the drill');
    await press(paper, 'Done');
    const answer = await answerOf(paper, await takeMessage(drill), words, 'Sign the note');
    await giveMessage(drill, answer);
    await drill.getByRole('heading', { name: 'The drill went well' }).waitFor();
  });

  test('no word was ever in this browser, in the cosigner or between them', async () => {
    const places = [
      ...(await filesBelow(world.profile)),
      ...(await filesBelow(world.cosignerFolder)),
      ...world.proxy.frames.map(({ index, bytes }) => ({
        name: `frame ${index}`,
        bytes: Buffer.from(bytes),
      })),
      { name: 'log', bytes: Buffer.from(world.cosigner.log()) },
    ];
    expect(places.length).toBeGreaterThan(20);
    for (const text of [words.join(' '), words.slice(0, 3).join(' '), words.slice(0, 3).join('","')]) {
      const found = places.filter(
        ({ bytes }) => bytes.includes(text) || bytes.includes(Buffer.from(text, 'utf16le')),
      );
      expect(found.map(({ name }) => name)).toEqual([]);
    }
  });
});
