/** How a browser gets a share in the place of one that is lost, from its screens and the recovery page's. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { answerOf, giveMessage, relay, takeMessage } from './recoveryPage.ts';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

const fingerprintOn = async (page: Page) =>
  ((await page.getByRole('group', { name: 'Fingerprint' }).first().textContent()) ?? '').replace(/\s/g, '');

/** From "I have a wallet and lost its browser" to a request that the recovery page can read. */
export async function makeKeys(page: Page, link: string, password: string): Promise<void> {
  await page.setViewportSize({ width: 1100, height: 900 });
  await page.getByLabel(/^Pairing link/).fill(link);
  await page.getByRole('group', { name: 'Fingerprint' }).waitFor();
  await page.getByLabel('A password for this browser', { exact: true }).fill(password);
  await page.getByLabel('Once more').fill(password);
  await press(page, 'It matches, make this browser’s keys');
  await heading(page, 'Let your words ask').waitFor();
}

/** The recovery page shows whose share it is to be, and the words sign the request. */
export async function letWordsAsk(page: Page, paper: Page, words: readonly string[]): Promise<void> {
  const own = await fingerprintOn(page);
  const request = await takeMessage(page);
  await giveMessage(paper, request);
  await paper.getByText('Whoever has this fingerprint may become your device.').waitFor();
  expect(await fingerprintOn(paper)).toBe(own);
  await press(paper, 'Stop and forget');
  await giveMessage(page, await answerOf(paper, request, words, 'Sign with these words'));
}

/** To the heading that a ceremony has when its wait is over. The page looks by itself too: the button may be gone under the hand. */
export async function untilRipe(page: Page, title: string): Promise<void> {
  const ripe = heading(page, title);
  const again = page.getByRole('button', { name: 'Ask the cosigner again', exact: true });
  await ripe.or(again).first().waitFor();
  if (await again.isVisible()) await again.click({ timeout: 5_000 }).catch(() => {});
  await ripe.waitFor();
}

/** From a ripe ceremony to the share. `password` is the one chosen with the keys, `saved` the file of the lost browser. */
export async function makeShare(
  page: Page,
  paper: Page,
  words: readonly string[],
  password: string,
  saved: string | null = null,
): Promise<void> {
  await untilRipe(page, 'Make the new share');
  const own = await fingerprintOn(page);
  await page.getByLabel(/^The password that you chose/).fill(password);
  if (saved !== null) {
    await press(page, 'I have a file of public records from the lost browser');
    await giveMessage(page, saved);
    await page.getByText('The public records are at hand.').waitFor();
  }
  await press(page, 'I have the recovery page and the words');
  await relay(page, paper, words, 'Help with this share', 3, async () => {
    expect(await fingerprintOn(paper)).toBe(own);
  });
  await heading(page, 'You are back in your wallet').waitFor();
}
