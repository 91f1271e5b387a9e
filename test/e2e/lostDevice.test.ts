/** The browser is lost, with the wallet open in it: its owner is back in an hour, and whoever has it spends nothing. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fillPayment, openWallet, PASSWORD, pay, waitForBalance } from '../../scripts/person.ts';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import { type MailServer, startMail } from '../support/contacts.ts';
import { testTls } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  giveMessage,
  openRecoveryPage,
  takeMessage,
  typeFromPaper,
} from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const COIN = 2_000_000n;
const OWNER = 'owner@example.org';
const NEW_PASSWORD = 'autumn harbour lantern';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('audit-07 attack-23: the device is lost', ['bitcoind', 'chromium', 'openssl'], () => {
  let mail: MailServer;
  let world: World;
  let words: string[];
  /** Of the thief, open. */
  let lost: Page;
  let fresh: TestChromium;
  let elsewhere: Browser;
  let paper: Page;
  let page: Page;

  beforeAll(async () => {
    const { caFile } = await testTls;
    mail = await startMail();
    const { host, port, auth, from } = mail.setting;
    const login = `${encodeURIComponent(auth!.user)}:${encodeURIComponent(auth!.password)}`;
    world = await openWorld({
      settings: [`--smtp=smtp://${login}@${host}:${port}`, `--smtp-from=${from}`],
      under: ['env', `NODE_EXTRA_CA_CERTS=${caFile}`],
    });
    ({ page: lost, words } = await fundedWallet(world, COIN, 1_000_000n, OWNER));
    fresh = await launchChromium({ spkiHash: world.tls.spkiHash });
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    elsewhere = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
    const context = await elsewhere.newContext();
    context.setDefaultTimeout(30_000);
    await context.setOffline(true);
    paper = await openRecoveryPage(context);
  });
  afterAll(async () => {
    await fresh?.close();
    await elsewhere?.close();
    await world?.close();
    await mail?.close();
  });

  const fingerprint = async (of: Page) =>
    ((await of.getByRole('group', { name: 'Fingerprint' }).first().textContent()) ?? '').replace(/\s/g, '');

  test('the words ask from a new browser; the recovery page shows whose share it is to be', async () => {
    page = await fresh.open('onboarding.html');
    await page.setViewportSize({ width: 1100, height: 900 });
    await press(page, 'I have a wallet and lost its browser');
    await page.getByLabel(/^Pairing link/).fill(world.pairing);
    await page.getByRole('group', { name: 'Fingerprint' }).waitFor();
    await page.getByLabel('A password for this browser', { exact: true }).fill(NEW_PASSWORD);
    await page.getByLabel('Once more').fill(NEW_PASSWORD);
    await press(page, 'It matches, make this browser’s keys');
    await heading(page, 'Let your words ask').waitFor();
    const own = await fingerprint(page);
    const request = await takeMessage(page);
    await giveMessage(paper, request);
    await paper.getByText('Whoever has this fingerprint may become your device.').waitFor();
    expect(await fingerprint(paper)).toBe(own);
    await press(paper, 'Stop and forget');
    await giveMessage(page, await answerOf(paper, request, words, 'Sign with these words'));
    await heading(page, 'Now it waits').waitFor();
    await page.getByText(/^Ready in/).waitFor();
  });

  test('alone they wait, over a browser that is closed and a cosigner that is killed', async () => {
    await expect.poll(() => linkIn(mail), { timeout: 60_000 }).toBeDefined();
    await world.restartCosigner();
    await page.close();
    await fresh.killWorker();
    page = await fresh.open('onboarding.html');
    await page.setViewportSize({ width: 1100, height: 900 });
    await heading(page, 'Now it waits').waitFor();
    await page.getByText(/^Ready in 6 d 23 h|^Ready in 7 d/).waitFor();
  });

  test('the owner’s contact agrees: at once cosigner and words make the new share', async () => {
    const contact = await fresh.context.newPage();
    await contact.goto(linkIn(mail)!);
    await press(contact, 'I asked the owner: it is wanted');
    await contact.getByText('You have agreed to it.').waitFor();
    await contact.close();
    await press(page, 'Ask the cosigner again');
    await heading(page, 'Make the new share').waitFor();
    const own = await fingerprint(page);
    await page.getByLabel(/^The password that you chose/).fill(NEW_PASSWORD);
    await press(page, 'I have the recovery page and the words');

    await heading(page, 'Message 1 of 3').waitFor();
    await giveMessage(paper, await takeMessage(page));
    expect(await fingerprint(paper)).toBe(own);
    await press(paper, 'Type the words');
    await typeFromPaper(paper, words, 'Help with this share');
    for (const round of [1, 2]) {
      await heading(paper, `Answer ${round} of 3`).waitFor();
      await giveMessage(page, await takeMessage(paper));
      await heading(page, `Message ${round + 1} of 3`).waitFor();
      await giveMessage(paper, await takeMessage(page));
    }
    await heading(paper, 'Answer 3 of 3').waitFor();
    await giveMessage(page, await takeMessage(paper));
    await press(paper, 'Done, forget everything');
    await heading(page, 'You are back in your wallet').waitFor();
  });

  test('the old browser spends nothing and sees nothing, with its password and its share', async () => {
    const payee = await world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    await fillPayment(lost, payee, 50_000n);
    await press(lost, 'Review');
    await lost.locator('[data-code="NotEnrolled"]').first().waitFor();
    expect(await lost.locator('button[data-armed="true"]').count()).toBe(0);
    const again = await openWallet(world.chromium.open, PASSWORD);
    expect(await world.node.rpc<string[]>('getrawmempool')).toEqual([]);
    await again.close();
  });

  test('the owner spends from the new one, in a new epoch', async () => {
    await press(page, 'Open the wallet');
    await page.setViewportSize({ width: 400, height: 720 });
    await waitForBalance(page, COIN);
    const payee = await world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const { txid } = await pay(page, { to: payee, amount: 50_000n });
    expect(await world.node.rpc<string[]>('getrawmempool')).toEqual([txid]);
    expect(world.cosigner.log()).toContain('epoch begun');
    const locked = await fresh.open('popup.html');
    await press(locked, 'Lock now');
    await heading(locked, 'Locked').waitFor();
    await locked.close();
    await (await openWallet(fresh.open, NEW_PASSWORD)).close();
  });
});

function linkIn({ mails }: MailServer): string | undefined {
  return mails
    .map(({ text }) => /https:\/\/\S+\/contact\/\S+/.exec(text)?.[0])
    .find((link) => link !== undefined);
}
