/** The recovery page as a person uses it: a file on the disk, a message in by paste, an answer out as a file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { root } from '../../scripts/setup/paths.ts';

export const PAGE_PATH = join(root, '.output/hoarfrost-recovery.html');
export const PAGE_URL = pathToFileURL(PAGE_PATH).href;

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click();

/** In a tab of its own. The network is off from before it opens. */
export async function openRecoveryPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.setViewportSize({ width: 1100, height: 900 });
  await page.goto(PAGE_URL);
  await page.getByRole('heading', { name: 'Recovery page' }).waitFor();
  return page;
}

/** Pastes a message wherever a page awaits one. */
export async function giveMessage(page: Page, text: string): Promise<void> {
  await page.getByLabel('Or paste the text').fill(text);
}

/** Saves the message that a page shows, and reads the file. */
export async function takeMessage(page: Page): Promise<string> {
  const download = page.waitForEvent('download');
  await press(page, 'Save as a file');
  return readFile(await (await download).path(), 'utf8');
}

/** Types the words from the paper and presses the last button. */
export async function typeFromPaper(page: Page, words: readonly string[], action: string): Promise<void> {
  await page.getByRole('heading', { name: /^Type the/ }).waitFor();
  await page.bringToFront();
  for (const [i, word] of words.entries())
    await page.getByRole('textbox', { name: `Word ${i + 1}`, exact: true }).fill(word);
  await press(page, action);
}

/** A request in, the answer to it out. */
export async function answerOf(
  page: Page,
  request: string,
  words: readonly string[],
  action: string,
): Promise<string> {
  await giveMessage(page, request);
  await press(page, 'Type the words');
  await typeFromPaper(page, words, action);
  await page.getByRole('heading', { name: 'The answer' }).waitFor();
  const answer = await takeMessage(page);
  await press(page, 'Done, forget everything');
  return answer;
}

/** Holds the button that moves money, once it is armed, until `heading` is there. */
export async function holdUntil(page: Page, button: RegExp, heading: string): Promise<void> {
  await page.locator('button[data-armed="true"]').waitFor();
  await page.getByRole('button', { name: button }).hover();
  await page.mouse.down();
  await page.getByRole('heading', { name: heading, exact: true }).waitFor();
  await page.mouse.up();
}
