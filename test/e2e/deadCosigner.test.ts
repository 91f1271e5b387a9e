/** The cosigner is gone for good: this browser and the words spend, and neither does alone. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWallet, waitForBalance } from '../../scripts/person.ts';
import type { OfflineOf } from '../../src/protocol/offline.ts';
import { offlineText, readOffline } from '../../src/protocol/offlineText.ts';
import { newWords } from '../../src/recovery/words.ts';
import { askDevice, isMined, mempoolOf, payeeOf } from '../support/endings.ts';
import { describeReal } from '../support/real.ts';
import {
  answerOf,
  type Elsewhere,
  giveMessage,
  holdUntil,
  openElsewhere,
  takeMessage,
  typeFromPaper,
} from '../support/recoveryPage.ts';
import { fundedWallet, openWorld, type World } from '../support/world.ts';

const COIN = 2_000_000n;
const LIMIT = 100_000n;

interface StoredPayment {
  state: string;
  txid: string;
  stored: number;
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

await describeReal('audit-07 attack-23: the cosigner is dead', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  let words: string[];
  let address: string;
  let elsewhere: Elsewhere;
  let paper: Page;

  beforeAll(async () => {
    world = await openWorld();
    const born = await fundedWallet(world, COIN, LIMIT);
    ({ words, address } = born);
    await born.page.close();
    elsewhere = await openElsewhere();
    ({ paper } = elsewhere);
  });
  afterAll(async () => {
    await elsewhere?.close();
    await world?.close();
  });

  /** What the extension has stored of its payments. */
  const payments = (page: Page): Promise<StoredPayment[]> =>
    page.evaluate(async () => {
      const open = indexedDB.open('hoarfrost');
      await new Promise((done) => (open.onsuccess = done));
      const rows = open.result.transaction('requests').objectStore('requests').getAll();
      await new Promise((done) => (rows.onsuccess = done));
      open.result.close();
      return rows.result.map(({ state, txid, transaction }) => ({
        state,
        txid,
        stored: transaction?.length ?? 0,
      }));
    });
  const requestIn = async (page: Page, to: string, amount: bigint): Promise<string> => {
    await page.getByLabel(/^To /).fill(to);
    await page.getByLabel(/^Amount/).fill(String(amount));
    await page.getByLabel(/^Fee rate/).fill('3');
    await page.getByRole('button', { name: 'Make the request' }).click();
    await page.getByRole('heading', { name: 'Take the request to your recovery page' }).waitFor();
    return takeMessage(page);
  };

  test('a drill while all is well: a real signature, checked, and kept with its date', async () => {
    const before = Date.now();
    const page = await world.chromium.open('offline.html#drill');
    await page.setViewportSize({ width: 1100, height: 900 });
    await page.getByText('You have not done it yet.').waitFor();
    await page.getByRole('button', { name: 'Start the drill' }).click();
    const request = await takeMessage(page);

    // The words of somebody else: no answer, and nothing is kept of it.
    await giveMessage(paper, request);
    await paper.getByRole('button', { name: 'Type the words' }).click();
    await typeFromPaper(paper, newWords(), 'Sign the note');
    await paper.locator('[data-code="BadWords"]').waitFor();
    await paper.getByRole('button', { name: 'Stop and forget' }).click();

    const answer = await answerOf(paper, request, words, 'Sign the note');
    await giveMessage(page, answer);
    await page.getByRole('heading', { name: 'The drill went well' }).waitFor();
    await page.reload();
    await page.getByText(/Last time:/).waitFor();
    const kept = await page.evaluate(async () => {
      const open = indexedDB.open('hoarfrost');
      await new Promise((done) => (open.onsuccess = done));
      const row = open.result.transaction('drill').objectStore('drill').get('drill');
      await new Promise((done) => (row.onsuccess = done));
      open.result.close();
      return row.result as { at: number; message: string; address: string; signature: string };
    });
    expect(kept.at).toBeGreaterThanOrEqual(before);
    expect(kept.message).toBe(`Hoarfrost drill ${new Date(kept.at).toISOString()}`);
    expect(kept.address).toBe(address);
    // The old answer proves nothing a second time.
    await page.getByRole('button', { name: 'Start the drill' }).click();
    await giveMessage(page, answer);
    await page.locator('[data-code="WrongSession"]').waitFor();
    // New shares before the cosigner dies: from here on the words need the records that the device brings along.
    expect(await askDevice(page, 'refreshShares')).toMatchObject({ result: null });
    await page.close();
  });

  test('this browser alone cannot spend once the cosigner is gone', async () => {
    await world.cosigner.kill();
    const page = await openWallet(world.chromium.open);
    await waitForBalance(page, COIN);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByLabel(/^To /).fill(await payeeOf(world));
    await page.getByLabel(/^Amount/).fill('50000');
    await page.getByRole('radio', { name: /^Custom/ }).click();
    await page.getByLabel('Fee rate in sat/vB').fill('3');
    await page.getByRole('button', { name: 'Review', exact: true }).click();
    await page.locator('[data-verdict="silent"]').waitFor({ timeout: 60_000 });
    expect(await page.locator('button[data-armed]').count()).toBe(0);
    // The way on: the same payment, filled in.
    await page.getByRole('button', { name: 'Spend without it' }).click();
    await page.getByRole('heading', { name: 'Your money never needed its permission' }).waitFor();
    expect(await page.getByLabel(/^Amount/).inputValue()).toBe('50000');
    expect(await page.getByLabel(/^Fee rate/).inputValue()).toBe('3');
    await page.close();

    // Nor with words that somebody guessed.
    const alone = await world.chromium.open('offline.html');
    await alone.setViewportSize({ width: 1100, height: 900 });
    const request = await requestIn(alone, await payeeOf(world), 50_000n);
    await giveMessage(paper, request);
    await press(paper, 'Type the words');
    await typeFromPaper(paper, newWords(), 'Sign this payment');
    await paper.locator('[data-code="BadWords"]').waitFor();
    await press(paper, 'Stop and forget');

    // An answer that it makes up, or that was spoiled on the way, is no signature.
    const answer = readOffline(
      await answerOf(paper, request, words, 'Sign this payment'),
    ) as OfflineOf<'signed'>;
    const shares = answer.shares.map((share) => share.map((b, i) => (i === 31 ? b ^ 1 : b)));
    await giveMessage(alone, offlineText({ ...answer, shares }));
    await alone.locator('button[data-armed="true"]').waitFor();
    await alone.getByRole('button', { name: /^Hold to send/ }).hover();
    await alone.mouse.down();
    await alone.locator('[data-code="BadShare"]').waitFor();
    await alone.mouse.up();
    // Its nonces are gone with it: the good answer comes too late.
    expect((await payments(alone)).every(({ stored }) => stored === 0)).toBe(true);
    expect(await mempoolOf(world)).toEqual([]);
    await alone.close();
  });

  test('this browser and the words spend a real coin, over any limit, and the node mines it', async () => {
    const { node } = world;
    const payee = await payeeOf(world);
    const page = await world.chromium.open('offline.html');
    await page.setViewportSize({ width: 1100, height: 900 });
    const request = await requestIn(page, payee, 1_500_000n);

    await giveMessage(paper, request);
    const shown = paper.getByRole('region', { name: 'What this payment does' });
    await shown.locator('data[value="1500000"]').waitFor();
    await shown.getByText('share epoch 1').waitFor();
    expect(((await shown.locator('.address').textContent()) ?? '').replace(/\s/g, '')).toContain(payee);
    await paper.getByRole('button', { name: 'Stop and forget' }).click();

    await giveMessage(page, await answerOf(paper, request, words, 'Sign this payment'));
    await holdUntil(page, /^Hold to send/, 'Signed');
    const txid = await page.locator('data.code').getAttribute('value');
    const shownHex = page.getByRole('region', { name: 'The signed transaction' }).locator('.message-box');
    const transaction = (await shownHex.textContent()) ?? '';

    // Durable before anybody has sent it, and through the death of the worker.
    await world.chromium.killWorker();
    expect(await payments(page)).toEqual(
      expect.arrayContaining([{ state: 'signed', txid, stored: transaction.length / 2 }]),
    );
    expect(await mempoolOf(world)).toEqual([]);

    expect(await node.rpc('sendrawtransaction', [transaction])).toBe(txid);
    await isMined(world, txid!, 1_500_000n);
    const mined = await node.rpc<{ vin: { txinwitness: string[] }[] }>('getrawtransaction', [txid!, true]);
    for (const { txinwitness } of mined.vin)
      expect(txinwitness).toEqual([expect.stringMatching(/^[0-9a-f]{128}$/)]);
    await page.close();
  });
});
