/**
 * `npm start -- --headless`: the whole road once, as a person goes it, in light; then each screen again in dark.
 */
import type { Page } from 'playwright-core';
import { type Chromium, screenshot } from './chromium.ts';
import type { RunningCosigner } from './cosigner.ts';
import { createWallet, openWallet, pay, receiveAddress, waitForBalance } from './person.ts';
import { step } from './progress.ts';
import type { Regtest } from './setup/regtest.ts';

export interface Paid {
  txid: string;
  height: number;
  keygenMs: number;
  signMs: number;
}

interface Scene {
  node?: Regtest;
  cosigner: RunningCosigner;
  chromium: Chromium;
}

const FUNDED = 2_000_000n;
const AMOUNT = 250_000n;
const CONFIRM_DEADLINE = 60_000;

export const lastLine = ({ txid, height, keygenMs, signMs }: Paid): string =>
  `paid ${txid} block ${height} keygen ${Math.round(keygenMs)} ms sign ${Math.round(signMs)} ms`;

export async function drive({ node, cosigner, chromium }: Scene): Promise<Paid> {
  if (node === undefined)
    throw new Error('a payment needs coins, and only a node of its own gives them: use regtest');
  const { keygenMs } = await step('create a wallet', () =>
    createWallet(chromium.open, { pairing: cosigner.pairing, look }),
  );
  const page = await step('open it', () => openWallet(chromium.open, undefined, look));
  await look(page, '09-empty');
  const address = await step('receive', () => receiveAddress(page, look), String);
  await step('fund it and confirm', async () => {
    await node.fund(address, FUNDED);
    await node.mine(1);
    await waitForBalance(page, FUNDED);
  });
  await look(page, '11-home');
  const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
  const paid = await step(
    'pay',
    () => pay(page, { to: payee, amount: AMOUNT, look }),
    ({ txid }) => txid,
  );
  const height = await step(
    'confirm',
    () => confirm(node, page, paid.txid),
    (h) => `block ${h}`,
  );
  await look(page, '15-paid');
  for (const place of ['Activity', 'Settings']) {
    await page.getByRole('navigation').getByRole('button', { name: place }).click();
    await look(page, place === 'Activity' ? '16-activity' : '17-settings');
  }
  return { ...paid, height, keygenMs };
}

/** Mines, and waits until node and wallet both say that it is in a block. Gives the block's height. */
async function confirm(node: Regtest, page: Page, txid: string): Promise<number> {
  await node.mine(1);
  const { blockhash } = await node.rpc<{ blockhash?: string }>('getrawtransaction', [txid, true]);
  if (blockhash === undefined) throw new Error(`the node did not mine ${txid}`);
  const waiting = page.getByRole('region', { name: 'Activity' }).getByText('Not in a block yet');
  await waiting.waitFor({ state: 'detached', timeout: CONFIRM_DEADLINE });
  return (await node.rpc<{ height: number }>('getblock', [blockhash])).height;
}

async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await screenshot(page, `${name}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}
