/** The recovery page as a person uses it: a file on the disk, a message in by paste, an answer out as a file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { root } from '../../scripts/setup/paths.ts';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';

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

export interface Elsewhere {
  paper: Page;
  close(): Promise<void>;
}

/** The recovery page in another browser, that has no network and no extension. */
export async function openElsewhere(): Promise<Elsewhere> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(60_000);
    await context.setOffline(true);
    return { paper: await openRecoveryPage(context), close: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
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

/** The file that the export's screen saves. */
export async function takeExport(page: Page): Promise<string> {
  const download = page.waitForEvent('download');
  await press(page, 'Save the file');
  const file = await readFile(await (await download).path(), 'utf8');
  await page.getByText(/^Saved as hoarfrost-public-/).waitFor();
  return file;
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

/** All rounds of a sitting: the words are typed once, after `look`, and messages carried to and fro. */
export async function relay(
  page: Page,
  paper: Page,
  words: readonly string[],
  action: string,
  rounds: number,
  look: () => Promise<void> = async () => {},
): Promise<void> {
  const heading = (on: Page, name: string) => on.getByRole('heading', { name, exact: true });
  await heading(page, `Message 1 of ${rounds}`).waitFor();
  await giveMessage(paper, await takeMessage(page));
  await look();
  await press(paper, 'Type the words');
  await typeFromPaper(paper, words, action);
  for (let round = 1; round < rounds; round++) {
    await heading(paper, `Answer ${round} of ${rounds}`).waitFor();
    await giveMessage(page, await takeMessage(paper));
    await heading(page, `Message ${round + 1} of ${rounds}`).waitFor();
    await giveMessage(paper, await takeMessage(page));
  }
  await heading(paper, `Answer ${rounds} of ${rounds}`).waitFor();
  await giveMessage(page, await takeMessage(paper));
  await press(paper, 'Done, forget everything');
}

/** Holds the button that moves money, once it is armed, until `heading` is there. */
export async function holdUntil(page: Page, button: RegExp, heading: string): Promise<void> {
  await page.locator('button[data-armed="true"]').waitFor();
  await page.getByRole('button', { name: button }).hover();
  await page.mouse.down();
  await page.getByRole('heading', { name: heading, exact: true }).waitFor();
  await page.mouse.up();
}
