/** The rules as a person sets them: tighter at once, a payment that waits and is cancelled, looser by the words. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdToSend, openWallet, pay, reviewPayment } from '../../scripts/person.ts';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { describeReal } from '../support/real.ts';
import { answerOf, giveMessage, openRecoveryPage, takeMessage } from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('the rules', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let elsewhere: Browser;
  let words: string[];
  let rules: Page;

  beforeAll(async () => {
    world = await openWorld();
    const funded = await fundedWallet(world, 2_000_000n, 1_000_000n);
    ({ words } = funded);
    await funded.page.close();
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    elsewhere = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
    rules = await world.chromium.open('safety.html#rules');
    await rules.setViewportSize({ width: 1040, height: 1000 });
    await heading(rules, 'Rules').waitFor();
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
  });

  const field = (name: RegExp) => rules.getByLabel(name);
  const payee = () => world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });

  test('what is not usable is said at its field, and nothing is sent', async () => {
    await field(/^Most for one payment/).fill('much');
    await press(rules, 'Change the rules');
    await rules.getByText('Write whole sats, or nothing for no limit.').waitFor();
    await field(/^Most for one payment/).fill('');
    await field(/^Only these may be paid/).fill('nobody');
    await press(rules, 'Change the rules');
    await rules.getByText('Write one address a line.').waitFor();
    await field(/^Only these may be paid/).fill('');
    await rules.getByRole('button', { name: 'Nothing changed' }).waitFor();
  });

  test('a hold, set here, makes a payment wait; it is listed and cancelled', async () => {
    await field(/^Payments over this wait/).fill('50 000');
    await field(/^So long/).fill('24');
    await press(rules, 'Change the rules');
    await rules.getByText('The rules are tighter now.').waitFor();

    const wallet = await openWallet(world.chromium.open);
    const to = await payee();
    await reviewPayment(wallet, { to, amount: 60_000n });
    await wallet.locator('[data-verdict="waits"]').waitFor();
    await holdToSend(wallet);
    await wallet.getByText('Your cosigner waits.').waitFor();
    await wallet.close();

    await rules.reload();
    const waiting = rules.getByRole('region', { name: 'Payments that wait' });
    await waiting.getByText(to.slice(0, 12)).waitFor();
    await press(rules, 'Cancel it');
    await waiting.getByText('None waits.').waitFor();
    expect(await world.node.rpc<string[]>('getrawmempool')).toEqual([]);
  });

  test('what allows more is asked for, and holds at once when the words agree', async () => {
    await field(/^Payments over this wait/).fill('');
    await press(rules, 'Change the rules');
    await heading(rules, 'Asked for').waitFor();
    await rules.getByText('They wait 7 d').waitFor();
    await press(rules, 'Let my words agree now');
    const paper = await openRecoveryPage(await elsewhere.newContext());
    await giveMessage(rules, await answerOf(paper, await takeMessage(rules), words, 'Sign with these words'));
    await heading(rules, 'The new rules are in force').waitFor();

    const wallet = await openWallet(world.chromium.open);
    const { txid } = await pay(wallet, { to: await payee(), amount: 60_000n });
    expect(await world.node.rpc<string[]>('getrawmempool')).toEqual([txid]);
  });
});
