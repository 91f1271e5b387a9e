/** The cosigner changes and the kit is renewed, from a person's view: two real cosigner processes, and old words that do nothing. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainOf, type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { openWallet, waitForBalance } from '../../scripts/person.ts';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { type MailServer, startMail } from '../support/contacts.ts';
import { testTls } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  giveMessage,
  holdUntil,
  openRecoveryPage,
  takeMessage,
  typeFromPaper,
} from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const COIN = 2_000_000n;

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-23: kit and cosigner are replaced', ['bitcoind', 'chromium', 'openssl'], () => {
  let mail: MailServer;
  let world: World;
  let words: string[];
  let kit: string[];
  let next: RunningCosigner;
  let folder: string;
  let elsewhere: Browser;
  let paper: Page;

  beforeAll(async () => {
    const { caFile } = await testTls;
    mail = await startMail();
    const { host, port, auth, from } = mail.setting;
    const login = `${encodeURIComponent(auth!.user)}:${encodeURIComponent(auth!.password)}`;
    const parts = {
      settings: [`--smtp=smtp://${login}@${host}:${port}`, `--smtp-from=${from}`],
      under: ['env', `NODE_EXTRA_CA_CERTS=${caFile}`],
    };
    world = await openWorld(parts);
    const born = await fundedWallet(world, COIN, 1_000_000n, 'owner@example.org');
    words = born.words;
    await born.page.close();
    folder = await mkdtemp(join(tmpdir(), 'hoarfrost-next-'));
    const { node, tls } = world;
    next = await startCosigner({ folder, network: 'regtest', chain: chainOf(node), tls, ...parts });
    const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    elsewhere = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
    const context = await elsewhere.newContext();
    context.setDefaultTimeout(30_000);
    await context.setOffline(true);
    paper = await openRecoveryPage(context);
  });
  afterAll(async () => {
    await elsewhere?.close();
    await next?.stop();
    await world?.close();
    await mail?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** All rounds of a sitting whose words are typed. */
  async function relay(page: Page, typed: readonly string[], action: string, rounds: number): Promise<void> {
    await heading(page, `Message 1 of ${rounds}`).waitFor();
    await giveMessage(paper, await takeMessage(page));
    await press(paper, 'Type the words');
    await typeFromPaper(paper, typed, action);
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
  const offline = async (hash: string) => {
    const page = await world.chromium.open(`offline.html${hash}`);
    await page.setViewportSize({ width: 1100, height: 900 });
    return page;
  };

  test('new words, with the contact at once: written, typed twice, in place', async () => {
    const page = await offline('#kit');
    await press(page, 'Make new words');
    await giveMessage(paper, await takeMessage(page));
    await press(paper, 'Make the words');
    kit = await paper.getByRole('list', { name: 'Recovery words' }).getByRole('listitem').allInnerTexts();
    await press(paper, 'I have written them down');
    await typeFromPaper(paper, kit, 'Make the kit');
    await giveMessage(page, await takeMessage(paper));
    await press(paper, 'Done, forget everything');
    await heading(page, 'Now it waits').waitFor();

    await expect.poll(() => linkIn(mail), { timeout: 60_000 }).toBeDefined();
    const contact = await world.chromium.context.newPage();
    await contact.goto(linkIn(mail)!);
    await press(contact, 'I asked the owner: it is wanted');
    await contact.getByText('You have agreed to it.').waitFor();
    await contact.close();
    await press(page, 'Ask the cosigner again').catch(() => {});
    await press(page, 'I have the new paper');
    await relay(page, kit, 'Make the kit', 2);
    await heading(page, 'The new words are in place').waitFor();
    await page.close();
    await expect.poll(() => world.cosigner.log(), { timeout: 30_000 }).toContain('epoch begun');
  });

  test('the old words sign nothing any more, and the new ones do', async () => {
    const page = await offline('#drill');
    await press(page, 'Start the drill');
    const request = await takeMessage(page);
    await giveMessage(paper, request);
    await press(paper, 'Type the words');
    await typeFromPaper(paper, words, 'Sign the note');
    await paper.locator('[data-code="BadWords"]').waitFor();
    await press(paper, 'Stop and forget');
    await giveMessage(page, await answerOf(paper, request, kit, 'Sign the note'));
    await heading(page, 'The drill went well').waitFor();
    await page.close();
  });

  test('device and words move to another cosigner, and the one before destroys its share', async () => {
    const before = await readdir(join(world.cosignerFolder, 'epoch-keys'));
    expect(before).not.toEqual([]);
    const page = await offline('#move');
    await page.getByLabel(/^Pairing link/).fill(next.pairing);
    await press(page, 'It matches, begin the move');
    const own = page
      .getByRole('region', { name: 'The new cosigner' })
      .getByRole('group', { name: 'Fingerprint' });
    expect(((await own.textContent()) ?? '').replace(/\s/g, '').toLowerCase()).toContain(
      /h=([0-9a-f]{64})/.exec(next.pairing)![1]!.slice(0, 8),
    );
    await relay(page, kit, 'Help with this share', 3);
    await heading(page, / is your cosigner now$/).waitFor();
    await page.close();
    await expect
      .poll(() => readdir(join(world.cosignerFolder, 'epoch-keys')), { timeout: 30_000 })
      .toEqual([]);
    await expect.poll(() => next.log(), { timeout: 30_000 }).toContain('epoch begun');
  });

  test('with the old cosigner dead the coins are there, and device and words spend them', async () => {
    await world.cosigner.kill();
    const wallet = await openWallet(world.chromium.open);
    await waitForBalance(wallet, COIN);
    await wallet.close();
    const { node } = world;
    const page = await offline('');
    await page.getByLabel(/^To /).fill(await node.rpc<string>('getnewaddress', [], { wallet: 'miner' }));
    await page.getByLabel(/^Amount/).fill('1500000');
    await page.getByLabel(/^Fee rate/).fill('3');
    await press(page, 'Make the request');
    await giveMessage(page, await answerOf(paper, await takeMessage(page), kit, 'Sign this payment'));
    await holdUntil(page, /^Hold to send/, 'Signed');
    const shown = page.getByRole('region', { name: 'The signed transaction' }).locator('.message-box');
    const txid = await node.rpc<string>('sendrawtransaction', [(await shown.textContent()) ?? '']);
    expect(await node.rpc<string[]>('getrawmempool')).toEqual([txid]);
    await page.close();
  });
});

function linkIn({ mails }: MailServer): string | undefined {
  return mails
    .map(({ text }) => /https:\/\/\S+\/contact\/\S+/.exec(text)?.[0])
    .find((link) => link !== undefined);
}
