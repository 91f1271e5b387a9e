/** The words are stolen: whoever has them asks from a browser of their own, is noticed, contested, and gets nothing; the owner pays on. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fillPayment, openWallet } from '../../scripts/person.ts';
import { BADGE } from '../../src/device/badge.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import {
  CONTACT,
  type ContactWorld,
  contactAgrees,
  contactPage,
  openContactWorld,
} from '../support/contactWorld.ts';
import { askDevice, mempoolOf, ownerSpends, payeeOf } from '../support/endings.ts';
import { letWordsAsk, makeKeys } from '../support/newShare.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  type Elsewhere,
  giveMessage,
  openElsewhere,
  takeMessage,
} from '../support/recoveryPage.ts';
import { fundedWallet } from '../support/world.ts';

const COIN = 2_000_000n;
const THEIR_PASSWORD = 'a thief of four words';

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('attack-22: the words are stolen', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: ContactWorld;
  let words: string[];
  /** The owner's: the wallet, and its safety centre. */
  let wallet: Page;
  let safety: Page;
  /** The thief's: a browser, and the recovery page in another. */
  let theirs: TestChromium;
  let elsewhere: Elsewhere;
  let paper: Page;
  let thief: Page;

  beforeAll(async () => {
    world = await openContactWorld();
    ({ page: wallet, words } = await fundedWallet(world, COIN, 1_000_000n, CONTACT));
    safety = await world.chromium.open('safety.html');
    await safety.setViewportSize({ width: 1040, height: 900 });
    theirs = await launchChromium({ spkiHash: world.tls.spkiHash });
    elsewhere = await openElsewhere();
    ({ paper } = elsewhere);
  });
  afterAll(async () => {
    await theirs?.close();
    await elsewhere?.close();
    await world?.close();
  });

  const card = () => safety.getByRole('region', { name: 'This device is being replaced' });
  const badge = () => safety.evaluate(() => (globalThis as any).chrome.action.getBadgeText({}) as string);
  const subjects = () =>
    world.mail.mails.map(({ to, text }) => [...to, /^Subject: .*: (.*)\r$/m.exec(text)![1]]);

  /** Past the screens, which do not offer it. */
  const takeShare = () => askDevice(thief, 'returnStart', { password: THEIR_PASSWORD, saved: null });

  test('the thief asks with the words, from a browser of their own, and has to wait', async () => {
    expect(await badge()).toBe('');
    thief = await theirs.open('onboarding.html');
    await press(thief, 'I have a wallet and lost its browser');
    await makeKeys(thief, world.pairing, THEIR_PASSWORD);
    await letWordsAsk(thief, paper, words);
    await heading(thief, 'Now it waits').waitFor();
    // Not even past the screens.
    expect(await takeShare()).toMatchObject({ error: { code: 'CeremonyWaits' } });
  });

  test('the owner sees it in the open wallet and on the toolbar without asking, and the friend reads of it', async () => {
    await card().getByText('Asked for by your recovery words').waitFor();
    await expect.poll(subjects).toEqual([[CONTACT, 'somebody asks for a change']]);
    await expect.poll(badge).toBe(BADGE);
  });

  test('until anybody contests it the owner pays as ever', async () => {
    await ownerSpends(world, wallet, 10_000n);
  });

  test('contested in the safety centre, it stops, and this browser’s signing with it until two agree', async () => {
    await card().getByRole('button', { name: 'Not me. Stop it' }).click();
    await card().getByText('Contested by this browser.').waitFor();
    await press(thief, 'Ask the cosigner again');
    await heading(thief, 'Somebody contests it').waitFor();

    await card().getByText('Somebody has your words').waitFor();

    await fillPayment(wallet, await payeeOf(world), 20_000n);
    await press(wallet, 'Review');
    await wallet.locator('[data-verdict="refuses"]').waitFor();
    await wallet.getByText(/contests a change of this wallet/).waitFor();
    await wallet.close();
  });

  test('the friend stops it too, over a killed cosigner: it has ended, and the thief has nothing', async () => {
    await world.restartCosigner();
    const friend = await contactPage(world);
    await friend.getByText('It is contested').waitFor();
    await press(friend, 'Stop it');
    await friend.getByText('It has ended without effect.').waitFor();
    await friend.close();

    await press(thief, 'Ask the cosigner again');
    await heading(thief, 'It was called off').waitFor();
    expect(await thief.getByText('Make the new share').count()).toBe(0);
    expect(await takeShare()).toMatchObject({ error: { code: 'CeremonyEnded' } });
    expect(await mempoolOf(world)).toEqual([]);
    await card().waitFor({ state: 'detached' });
    await expect.poll(badge).toBe('');
    await expect.poll(() => subjects().at(-1)).toContain('a change was stopped, or ran out');
  });

  test('and the owner pays again, of a wallet that is nobody else’s', async () => {
    wallet = await openWallet(world.chromium.open);
    await ownerSpends(world, wallet, 30_000n);
  });

  test('the words can still stop all payments, at once; device and friend lift that together', async () => {
    await press(thief, 'Stop all payments');
    await giveMessage(thief, await answerOf(paper, await takeMessage(thief), words, 'Sign with these words'));
    await thief.getByText('All payments are stopped.').waitFor();
    await safety.getByText('Payments are frozen').first().waitFor();
    await wallet.getByText('Payments are frozen.').waitFor();
    await expect.poll(badge).toBe(BADGE);
    await expect.poll(() => subjects().at(-1)).toContain('the wallet was frozen');

    await press(safety, 'Lift it…');
    await press(safety, 'Ask to lift it');
    await contactAgrees(world, 'to allow this wallet more');
    await press(safety, 'Put the new rules in force');
    await safety.getByText('Freeze all payments').waitFor();

    await wallet.close();
    wallet = await openWallet(world.chromium.open);
    await expect.poll(badge).toBe('');
    await ownerSpends(world, wallet, 40_000n);
  });
});
