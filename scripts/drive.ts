/**
 * `npm start -- --headless`: the whole road once, as a person goes it; each screen is kept in light and in dark.
 */
import type { Page } from 'playwright-core';
import { type Chromium, screenshot } from './chromium.ts';
import type { RunningCosigner } from './cosigner.ts';
import type { Money } from './money.ts';
import { createWallet, openWallet, pay, receiveAddress, waitForCoins } from './person.ts';
import { step } from './progress.ts';

export interface Paid {
  txid: string;
  height: number;
  keygenMs: number;
  signMs: number;
}

interface Scene {
  money: Money;
  cosigner: Pick<RunningCosigner, 'pairing'>;
  chromium: Chromium;
}

export const lastLine = ({ txid, height, keygenMs, signMs }: Paid): string =>
  `paid ${txid} block ${height} keygen ${Math.round(keygenMs)} ms sign ${Math.round(signMs)} ms`;

export async function drive({ money, cosigner, chromium }: Scene): Promise<Paid> {
  const { keygenMs } = await step('create a wallet', () =>
    createWallet(chromium.open, { pairing: cosigner.pairing, look }),
  );
  const page = await step('open it', () => openWallet(chromium.open, undefined, look));
  await look(page, '09-empty');
  const address = await step('receive', () => receiveAddress(page, look), String);
  const coins = await step(
    'fund it and confirm',
    async () => {
      await money.fund(address);
      return waitForCoins(page, money.deadlineMs);
    },
    (sats) => `${sats} sats`,
  );
  await look(page, '11-home');
  const to = (await money.payee()) ?? (await receiveAddress(page));
  const paid = await step(
    'pay',
    () => pay(page, { to, amount: coins / 8n, look }),
    ({ txid }) => txid,
  );
  const height = await step(
    'confirm',
    () => confirm(money, page, paid.txid),
    (h) => `block ${h}`,
  );
  await look(page, '15-paid');
  for (const [place, name] of [
    ['Activity', '16-activity'],
    ['Settings', '17-settings'],
  ] as const) {
    await page.getByRole('navigation').getByRole('button', { name: place }).click();
    await look(page, name);
  }
  return { ...paid, height, keygenMs };
}

/** Until chain and wallet both say that it is in a block. Gives the block's height. */
async function confirm(money: Money, page: Page, txid: string): Promise<number> {
  const height = await money.mined(txid);
  const waiting = page.getByRole('region', { name: 'Activity' }).getByText('Not in a block yet');
  await waiting.waitFor({ state: 'detached', timeout: money.deadlineMs });
  return height;
}

async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(settled);
    await screenshot(page, `${name}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** In the page: until what fades or moves over to the new colours has arrived there. What pulses for ever is not waited for. */
async function settled(): Promise<void> {
  // Transitions begin in the first frame that has the new colours, which need not be the next one.
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  const moving = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  await Promise.allSettled(moving.map((transition) => transition.finished));
}
