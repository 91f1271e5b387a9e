/**
 * What a person does with the wallet: clicks and typing only, by the names that a screen reader would say. `npm start
 * -- --headless` and the end-to-end tests share it.
 */
import type { Page } from 'playwright-core';

/** Where the person may press and look; a page of the extension in a tab. */
type Open = (page: string) => Promise<Page>;
/** Told of each screen as it is reached. */
export type Look = (page: Page, name: string) => Promise<unknown>;

export const PASSWORD = 'four plain winter words';
/** Keygen includes the password's key derivation; a slow machine is no failure. */
const FORMING_DEADLINE = 90_000;
const SENDING_DEADLINE = 60_000;

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name });
const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click();

export interface NewWallet {
  page: Page;
  words: string[];
  /** From the last press to a finished, certified wallet. */
  keygenMs: number;
}

export interface Onboarding {
  pairing: string;
  password?: string;
  /** Sats a day. */
  dailyLimit?: bigint;
  /** Who is told of ceremonies. */
  contact?: string;
  look?: Look;
}

const nobody: Look = async () => undefined;

/** As far as the words shown and typed back: one press is missing. */
export async function prepareWallet(
  open: Open,
  options: Onboarding,
): Promise<{ page: Page; words: string[] }> {
  const { pairing, password = PASSWORD, look = nobody } = options;
  const page = await open('onboarding.html');
  await page.setViewportSize({ width: 1040, height: 720 });
  await heading(page, 'A Bitcoin key in three places').waitFor();
  await look(page, '01-welcome');
  await press(page, 'Create a wallet');

  await page.getByLabel(/^Pairing link/).fill(pairing);
  await page.getByRole('group', { name: 'Fingerprint' }).waitFor();
  await press(page, 'Connect');
  await page.getByRole('button', { name: 'It matches, continue' }).waitFor();
  await look(page, '02-cosigner');
  await press(page, 'It matches, continue');

  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Once more').fill(password);
  if (options.dailyLimit !== undefined)
    await page.getByLabel(/^Daily limit/).fill(String(options.dailyLimit));
  await look(page, '03-password');
  await press(page, 'Continue');
  if (options.contact !== undefined) await page.getByLabel(/^Contact/).fill(options.contact);
  await look(page, '04-contact');
  await press(page, 'Continue to the words');

  await press(page, /^What I would carry in a pocket/);

  const words = await readWords(page);
  await look(page, '05-words');
  await press(page, 'I have written them down');
  await typeWords(page, words);
  await look(page, '06-type-back');
  return { page, words };
}

export async function createWallet(open: Open, options: Onboarding): Promise<NewWallet> {
  const { look = nobody } = options;
  const { page, words } = await prepareWallet(open, options);
  const pressed = performance.now();
  await press(page, 'Form the three shares');
  await heading(page, 'Your shares are forming').waitFor();
  await look(page, '07-forming');
  await heading(page, 'Your wallet is ready').waitFor({ timeout: FORMING_DEADLINE });
  const keygenMs = performance.now() - pressed;
  await look(page, '08-ready');
  return { page, words, keygenMs };
}

/** The words as they stand on the page, which shows them only while it is looked at. */
export async function readWords(page: Page): Promise<string[]> {
  await heading(page, 'Write down your recovery words').waitFor();
  await page.bringToFront();
  const items = page.getByRole('list', { name: 'Recovery words' }).getByRole('listitem');
  const show = page.getByRole('button', { name: 'Show the words' });
  for (;;) {
    // A tab that comes to the front may still be told that it left.
    if (await show.isVisible()) await show.click();
    const words = await items.allInnerTexts();
    if (words.some((word) => word !== 'hidden')) return words;
  }
}

export async function typeWords(page: Page, words: readonly string[]): Promise<void> {
  await heading(page, 'Type the twelve back').waitFor();
  for (const [i, word] of words.entries()) {
    await page.getByRole('textbox', { name: `Word ${i + 1}`, exact: true }).click();
    await page.keyboard.type(word);
  }
  await page.keyboard.press('Enter');
}

/** The wallet in a tab of the popup's size, unlocked if it was not. */
export async function openWallet(open: Open, password = PASSWORD, look: Look = nobody): Promise<Page> {
  const page = await open('popup.html');
  const locked = heading(page, 'Locked');
  const balance = page.getByRole('region', { name: 'Balance' });
  await locked.or(balance).first().waitFor();
  if (await locked.isVisible()) {
    await look(page, '08-unlock');
    await unlock(page, password);
  }
  await balance.waitFor();
  return page;
}

export async function unlock(page: Page, password = PASSWORD): Promise<void> {
  await page.getByLabel('Password').fill(password);
  await press(page, 'Unlock');
}

/** Whole sats, as the page's own data says. Waits until the wallet shows exactly this balance. */
export async function waitForBalance(page: Page, sats: bigint, timeout = 60_000): Promise<void> {
  await page
    .getByRole('region', { name: 'Balance' })
    .locator(`.amount--balance data[value="${sats}"]`)
    .waitFor({ timeout });
}

/** Waits for any confirmed coins at all, and says how many sats there are. */
export async function waitForCoins(page: Page, timeout: number): Promise<bigint> {
  const shown = page
    .getByRole('region', { name: 'Balance' })
    .locator('.amount--balance data:not([value="0"])');
  await shown.waitFor({ timeout });
  return BigInt((await shown.getAttribute('value')) ?? 0);
}

export async function receiveAddress(page: Page, look: Look = nobody): Promise<string> {
  await press(page, 'Receive');
  const shown = page.getByLabel('Your address');
  await shown.waitFor();
  await look(page, '10-receive');
  const address = ((await shown.textContent()) ?? '').replace(/\s/g, '');
  await press(page, 'Back');
  return address;
}

export interface Payment {
  to: string;
  amount: bigint;
  look?: Look;
}

/** Fills Send and goes on to Review, where the cosigner's verdict is awaited. */
export async function reviewPayment(page: Page, { to, amount, look = nobody }: Payment): Promise<void> {
  await fillPayment(page, to, amount);
  await look(page, '12-send');
  await press(page, 'Review');
  const complaint = page.locator('[data-code]').first();
  await heading(page, 'Review').or(complaint).first().waitFor();
  if (await heading(page, 'Review').isVisible()) return;
  throw new Error(`no Review: ${await complaint.getAttribute('data-code')}`);
}

export async function fillPayment(page: Page, to: string, amount: bigint): Promise<void> {
  await press(page, 'Send');
  await page.getByLabel(/^To /).fill(to);
  await page.getByLabel(/^Amount/).fill(String(amount));
}

/** Scrolls to the end of what is asked once the verdict is there; only then does the button arm. */
async function readToEnd(page: Page): Promise<void> {
  await page.locator('[data-verdict="signs"], [data-verdict="waits"]').waitFor();
  await page.locator('.end-of-request').scrollIntoViewIfNeeded();
  await page.locator('button[data-armed="true"]').waitFor();
}

/** Holds the button that moves money until it has taken, however long it takes to arm. */
export async function holdToSend(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: /^Hold to (send|start the wait)/ });
  await readToEnd(page);
  await button.hover();
  await page.mouse.down();
  await heading(page, /^(Sending|Sent|Not sent( yet)?)$/).waitFor();
  await page.mouse.up();
}

export interface Sent {
  txid: string;
  /** From the press to the finished signature, as the device measured it. */
  signMs: number;
}

export async function pay(page: Page, payment: Payment): Promise<Sent> {
  const { look = nobody } = payment;
  await reviewPayment(page, payment);
  await readToEnd(page);
  await look(page, '13-review');
  await holdToSend(page);
  return sent(page, look);
}

/** Waits for the result screen and reads it. */
export async function sent(page: Page, look: Look = nobody): Promise<Sent> {
  await heading(page, 'Sent').waitFor({ timeout: SENDING_DEADLINE });
  await look(page, '14-sent');
  const txid = await page.locator('dd data.code').getAttribute('value');
  const signMs = await page.locator('data.took').getAttribute('value');
  if (txid === null || signMs === null) throw new Error('the result names no transaction or no time');
  await press(page, 'Done');
  return { txid, signMs: Number(signMs) };
}
