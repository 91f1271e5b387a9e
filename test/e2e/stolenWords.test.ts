/** The words are stolen: whoever has them asks from a browser of their own, is noticed, contested, and gets nothing; the owner pays on. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fillPayment, openWallet, pay } from '../../scripts/person.ts';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import { type MailServer, startMail } from '../support/contacts.ts';
import { testTls } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import { answerOf, giveMessage, openRecoveryPage, takeMessage } from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const COIN = 2_000_000n;
const FRIEND = 'friend@example.org';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-22: the words are stolen', ['bitcoind', 'chromium', 'openssl'], () => {
  let mail: MailServer;
  let world: World;
  let words: string[];
  /** The owner's: the wallet, and its safety centre. */
  let wallet: Page;
  let safety: Page;
  /** The thief's: a browser, and the recovery page in another. */
  let theirs: TestChromium;
  let elsewhere: Browser;
  let thief: Page;

  beforeAll(async () => {
    const { caFile } = await testTls;
    mail = await startMail();
    const { host, port, auth, from } = mail.setting;
    const login = `${encodeURIComponent(auth!.user)}:${encodeURIComponent(auth!.password)}`;
    world = await openWorld({
      settings: [`--smtp=smtp://${login}@${host}:${port}`, `--smtp-from=${from}`],
      under: ['env', `NODE_EXTRA_CA_CERTS=${caFile}`],
    });
    ({ page: wallet, words } = await fundedWallet(world, COIN, 1_000_000n, FRIEND));
    safety = await world.chromium.open('safety.html');
    await safety.setViewportSize({ width: 1040, height: 900 });
    theirs = await launchChromium({ spkiHash: world.tls.spkiHash });
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    elsewhere = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
  });
  afterAll(async () => {
    await theirs?.close();
    await elsewhere?.close();
    await world?.close();
    await mail?.close();
  });

  const card = () => safety.getByRole('region', { name: 'This device is being replaced' });
  const payee = () => world.node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
  const mempool = () => world.node.rpc<string[]>('getrawmempool');
  const subjects = () => mail.mails.map(({ to, text }) => [...to, /^Subject: .*: (.*)\r$/m.exec(text)![1]]);

  test('the thief asks with the words, from a browser of their own, and has to wait', async () => {
    const paper = await openRecoveryPage(await elsewhere.newContext());
    thief = await theirs.open('onboarding.html');
    await thief.setViewportSize({ width: 1100, height: 900 });
    await press(thief, 'I have a wallet and lost its browser');
    await thief.getByLabel(/^Pairing link/).fill(world.pairing);
    await thief.getByRole('group', { name: 'Fingerprint' }).waitFor();
    await thief.getByLabel('A password for this browser', { exact: true }).fill('a thief of four words');
    await thief.getByLabel('Once more').fill('a thief of four words');
    await press(thief, 'It matches, make this browser’s keys');
    await heading(thief, 'Let your words ask').waitFor();
    const request = await takeMessage(thief);
    await giveMessage(thief, await answerOf(paper, request, words, 'Sign with these words'));
    await heading(thief, 'Now it waits').waitFor();
  });

  test('the owner sees it in the open wallet without asking, and the friend reads of it', async () => {
    await card().getByText('Asked for by your recovery words').waitFor();
    await expect.poll(subjects, { timeout: 30_000 }).toEqual([[FRIEND, 'somebody asks for a change']]);
  });

  test('until anybody contests it the owner pays as ever', async () => {
    await pay(wallet, { to: await payee(), amount: 10_000n });
    expect(await mempool()).toHaveLength(1);
    await world.node.mine(1);
  });

  test('contested in the safety centre, it stops, and this browser’s signing with it until two agree', async () => {
    await card().getByRole('button', { name: 'Not me. Stop it' }).click();
    await card().getByText('Contested by this browser.').waitFor();
    await press(thief, 'Ask the cosigner again');
    await heading(thief, 'Somebody contests it').waitFor();

    await fillPayment(wallet, await payee(), 20_000n);
    await press(wallet, 'Review');
    await wallet.locator('[data-verdict="refuses"]').waitFor();
    await wallet.getByText(/contests a change of this wallet/).waitFor();
    await wallet.close();
  });

  test('the friend stops it too, over a killed cosigner: it has ended, and the thief has nothing', async () => {
    await world.restartCosigner();
    const link = mail.mails
      .map(({ text }) => /https:\/\/\S+\/contact\/\S+/.exec(text)?.[0])
      .find((found) => found)!;
    const friend = await world.chromium.context.newPage();
    await friend.goto(link);
    await friend.getByText('It is contested').waitFor();
    await press(friend, 'Stop it');
    await friend.getByText('It has ended without effect.').waitFor();
    await friend.close();

    await press(thief, 'Ask the cosigner again');
    await heading(thief, 'It was called off').waitFor();
    expect(await thief.getByText('Make the new share').count()).toBe(0);
    await card().waitFor({ state: 'detached' });
    await expect
      .poll(() => subjects().at(-1), { timeout: 30_000 })
      .toContain('a change was stopped, or ran out');
  });

  test('and the owner pays again, of a wallet that is nobody else’s', async () => {
    wallet = await openWallet(world.chromium.open);
    const { txid } = await pay(wallet, { to: await payee(), amount: 30_000n });
    expect(await mempool()).toEqual([txid]);
  });

  test('the words can still stop all payments, at once; device and friend lift that together', async () => {
    await world.node.mine(1);
    await press(thief, 'Stop all payments');
    const paper = await openRecoveryPage(await elsewhere.newContext());
    await giveMessage(thief, await answerOf(paper, await takeMessage(thief), words, 'Sign with these words'));
    await thief.getByText('All payments are stopped.').waitFor();
    await safety.getByText('Payments are frozen').first().waitFor();
    await expect.poll(() => subjects().at(-1), { timeout: 30_000 }).toContain('the wallet was frozen');

    await press(safety, 'Lift it…');
    await press(safety, 'Ask to lift it');
    const told = () => mail.mails.find(({ text }) => text.includes('to allow this wallet more'))?.text;
    await expect.poll(told, { timeout: 30_000 }).toBeTruthy();
    const friend = await world.chromium.context.newPage();
    await friend.goto(/https:\/\/\S+\/contact\/\S+/.exec(told()!)![0]);
    await press(friend, 'I asked the owner: it is wanted');
    await friend.getByText('You have agreed to it.').waitFor();
    await friend.close();
    await press(safety, 'Put the new rules in force');
    await safety.getByText('Freeze all payments').waitFor();

    await wallet.close();
    wallet = await openWallet(world.chromium.open);
    const { txid } = await pay(wallet, { to: await payee(), amount: 40_000n });
    expect(await mempool()).toEqual([txid]);
  });
});
