import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createWallet,
  fillPayment,
  holdToSend,
  openWallet,
  PASSWORD,
  prepareWallet,
  readWords,
  reviewPayment,
  sent,
  typeWords,
  unlock,
  waitForBalance,
} from '../../scripts/person.ts';
import { freePort } from '../../scripts/setup/processes.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import { filmOf } from '../support/film.ts';
import { describeReal } from '../support/real.ts';
import { anotherLink, fundedWallet, openWorld, type World } from '../support/world.ts';

/** The notice or the line under a field that says this code, in words of three parts. */
const said = (page: Page, code: string) => page.locator(`[data-code="${code}"]`).first();

await describeReal('bad input on screen', ['bitcoind', 'chromium', 'openssl'], () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.close());

  describe('while onboarding', () => {
    let chromium: TestChromium;
    let page: Page;
    beforeAll(async () => {
      chromium = await launchChromium({ spkiHash: world.tls.spkiHash });
      page = await chromium.open('onboarding.html');
      await page.getByRole('button', { name: 'Create a wallet' }).click();
    });
    afterAll(() => chromium?.close());

    const pairing = (link: string) => page.getByLabel(/^Pairing link/).fill(link);
    const connect = () =>
      page
        .getByRole('button', { name: /^(Connect|Try again)$/ })
        .first()
        .click();

    test('a link that is none is BadPairing, and nothing is asked of anybody', async () => {
      world.proxy.restart();
      for (const link of ['nonsense', 'hoarfrost:', world.pairing.replace('k=', 'k=zz')]) {
        await pairing(link);
        await said(page, 'BadPairing').waitFor();
        expect(await page.getByRole('button', { name: 'Connect' }).getAttribute('aria-disabled')).toBe(
          'true',
        );
      }
      expect(world.proxy.frames).toHaveLength(0);
    });

    test('audit-01: another pinned key is WrongCosignerKey, said before anything else is done', async () => {
      const key = /k=([0-9a-f]{64})/.exec(world.pairing)![1]!;
      await pairing(world.pairing.replace(key, (key[0] === '0' ? '1' : '0') + key.slice(1)));
      await connect();
      await said(page, 'WrongCosignerKey').waitFor();
    });

    test('audit-25, audit-30: a cosigner that cannot be reached is said, and can be tried again', async () => {
      await pairing(world.pairing.replace(/:\d+\?/, `:${await freePort()}?`));
      await connect();
      await said(page, 'CosignerUnreachable').waitFor();
      await page.getByRole('button', { name: 'Try again' }).waitFor();
    });

    test('a cosigner of another network is WrongNetwork', async () => {
      await pairing(world.pairing.replace('n=regtest', 'n=signet'));
      await connect();
      await said(page, 'WrongNetwork').waitFor();
    });

    test('a weak password or two different ones go no further', async () => {
      await pairing(world.pairing);
      await connect();
      await page.getByRole('button', { name: 'It matches, continue' }).click();
      const next = page.getByRole('button', { name: 'Continue', exact: true });
      const [first, second] = [page.getByLabel('Password', { exact: true }), page.getByLabel('Once more')];
      const invalid = async () => Promise.all([first, second].map((f) => f.getAttribute('aria-invalid')));
      await first.fill('password');
      await second.fill('password');
      await next.click();
      expect(await invalid()).toEqual(['true', 'false']);
      await first.fill(PASSWORD);
      await next.click();
      expect(await invalid()).toEqual(['false', 'true']);
      expect(await page.getByRole('list', { name: 'Recovery words' }).isVisible()).toBe(false);
      await second.fill(PASSWORD);
      await next.click();
      await page.getByRole('button', { name: 'Continue to the words' }).click();
      await page.getByRole('button', { name: /^What I would carry in a pocket/ }).click();
      await page.getByRole('list', { name: 'Recovery words' }).waitFor();
    });

    test('BadWords: a wrong word is named, and no share is made from it', async () => {
      const words = await readWords(page);
      await page.getByRole('button', { name: 'I have written them down' }).click();
      const wrong = [...words];
      wrong[4] = words[4] === 'zoo' ? 'zone' : 'zoo';
      await typeWords(page, wrong);
      const form = page.getByRole('button', { name: 'Form the three shares' });
      expect(await form.getAttribute('aria-disabled')).toBe('true');
      await form.click({ force: true });
      expect(
        await page.getByRole('textbox', { name: 'Word 5', exact: true }).getAttribute('aria-invalid'),
      ).toBe('true');
      expect(await page.getByRole('heading', { name: 'Your shares are forming' }).isVisible()).toBe(false);
    });
  });

  test('a link held before the camera is read as one that was typed; another code is not taken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-camera-'));
    const camera = join(folder, 'screen.y4m');
    await writeFile(camera, filmOf(['bitcoin:bcrt1qother', world.pairing]));
    const sees = await launchChromium({ spkiHash: world.tls.spkiHash, camera });
    try {
      const page = await sees.open('onboarding.html');
      for (const [entry, screen] of [
        ['Create a wallet', 'Who will cosign for you?'],
        ['I have a wallet and lost its browser', 'I have a wallet and lost its browser'],
      ] as const) {
        await page.reload();
        await page.getByRole('button', { name: entry }).click();
        await page.getByRole('heading', { name: screen }).waitFor();
        await page.getByRole('button', { name: 'Scan with the camera' }).click();
        await page.getByRole('group', { name: 'Fingerprint' }).waitFor();
        expect(await page.getByLabel(/^Pairing link/).inputValue()).toBe(world.pairing);
        // It looks no longer than it must, and connects by no means by itself.
        expect(await page.locator('video').count()).toBe(0);
        await page.getByRole('button', { name: 'Scan with the camera' }).waitFor();
      }
      await writeFile(camera, filmOf(['bitcoin:bcrt1qother']));
      await page.reload();
      await page.getByRole('button', { name: 'Create a wallet' }).click();
      await page.getByRole('button', { name: 'Scan with the camera' }).click();
      await page.getByText('The camera reads a code, but no pairing link.').waitFor();
      expect(await page.getByLabel(/^Pairing link/).inputValue()).toBe('');
      await page.getByRole('button', { name: 'Stop the camera' }).click();
      expect(await page.locator('video').count()).toBe(0);
    } finally {
      await sees.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('without a camera, or where it may not be used, the page says so and what to do instead', async () => {
    const blind = await launchChromium({ spkiHash: world.tls.spkiHash });
    try {
      const page = await blind.open('onboarding.html');
      await page.getByRole('button', { name: 'Create a wallet' }).click();
      await page.getByRole('button', { name: 'Scan with the camera' }).click();
      await page
        .getByText(
          /^(No camera can be used here|This page may not use the camera)\. Paste the link or type it\.$/,
        )
        .waitFor();
    } finally {
      await blind.close();
    }
  });

  test('a token that was used is TokenUnknown, and the browser stays without a wallet', async () => {
    const first = await launchChromium({ spkiHash: world.tls.spkiHash });
    const again = await launchChromium({ spkiHash: world.tls.spkiHash });
    try {
      const other = await anotherLink(world);
      await createWallet(first.open, { pairing: other });
      const { page } = await prepareWallet(again.open, { pairing: other });
      await page.getByRole('button', { name: 'Form the three shares' }).click();
      await said(page, 'TokenUnknown').waitFor();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.close();
      const popup = await again.open('popup.html');
      await popup.getByRole('button', { name: 'Create a wallet' }).waitFor();
    } finally {
      await first.close();
      await again.close();
    }
  });

  describe('in the wallet', () => {
    let page: Page;
    let payee: string;
    beforeAll(async () => {
      ({ page } = await fundedWallet(world, 1_000_000n, 400_000n));
      payee = await world.node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' });
    });

    const refused = async (to: string, amount: bigint, code: string) => {
      await fillPayment(page, to, amount);
      await page.getByRole('button', { name: 'Review', exact: true }).click();
      await said(page, code).waitFor();
      expect(await page.getByRole('heading', { name: 'Review' }).isVisible()).toBe(false);
      await page.getByRole('button', { name: 'Back', exact: true }).click();
      await waitForBalance(page, 1_000_000n);
    };

    test('an address of another network is WrongNetwork', () =>
      refused('bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr', 10_000n, 'WrongNetwork'));
    test('an address with a slip of the pen is BadAddress', () =>
      refused(payee.slice(0, -1) + (payee.endsWith('q') ? 'p' : 'q'), 10_000n, 'BadAddress'));
    test('an amount under the dust limit is Dust', () => refused(payee, 200n, 'Dust'));
    test('more than there is is InsufficientFunds', () => refused(payee, 1_000_000n, 'InsufficientFunds'));

    test('over the daily limit the cosigner refuses before the press, and there is no button that sends', async () => {
      await reviewPayment(page, { to: payee, amount: 450_000n });
      await page.locator('[data-verdict="refuses"]').waitFor();
      expect(await page.getByRole('button', { name: /^Hold to send/ }).count()).toBe(0);
      await page.getByRole('button', { name: 'Change the payment' }).click();
      await page.getByRole('button', { name: 'Back', exact: true }).click();
    });

    test('pressed before the rates are there, Review comes with them; a form changed meanwhile stays', async () => {
      const review = page.getByRole('button', { name: /^(Review|Preparing…)$/ });
      const rates = page.getByRole('radio', { name: /\d\s*sat\/vB/ }).first();
      const pressedEarly = async () => {
        const held = Promise.withResolvers<void>();
        world.proxy.onFrame = () => held.promise.then(() => 'pass');
        await fillPayment(page, payee, 10_000n);
        await review.click();
        await review.and(page.getByText('Preparing…')).waitFor();
        return held.resolve;
      };
      (await pressedEarly())();
      await page.getByRole('heading', { name: 'Review' }).waitFor();
      await page.getByRole('button', { name: 'Back', exact: true }).click();
      await page.getByRole('button', { name: 'Back', exact: true }).click();

      const release = await pressedEarly();
      await page.getByLabel(/^Amount/).fill('20000');
      expect(await review.textContent()).toBe('Review');
      release();
      await rates.waitFor();
      expect(await page.getByRole('heading', { name: 'Review' }).isVisible()).toBe(false);
      await page.getByRole('button', { name: 'Back', exact: true }).click();
      world.proxy.restart();
    });

    test('audit-25, audit-30: a cosigner that is gone at Review is said; the payment waits for it and goes through', async () => {
      await fillPayment(page, payee, 50_000n);
      await page
        .getByRole('radio', { name: /\d\s*sat\/vB/ })
        .first()
        .waitFor();
      await world.cosigner.kill();
      await page.getByRole('button', { name: 'Review', exact: true }).click();
      await page.locator('[data-verdict="silent"]').waitFor({ timeout: 60_000 });
      expect(await world.node.rpc('getrawmempool')).toEqual([]);
      await world.restartCosigner();
      await page.getByRole('button', { name: 'Ask again' }).click();
      await holdToSend(page);
      const { txid } = await sent(page);
      expect(await world.node.rpc('getrawmempool')).toEqual([txid]);
      await world.node.mine(1);
    });

    test('WrongPassword opens nothing and loses nothing', async () => {
      await page.getByRole('button', { name: 'Lock now' }).click();
      await page.getByRole('heading', { name: 'Locked' }).waitFor();
      await unlock(page, `${PASSWORD} not`);
      await said(page, 'WrongPassword').waitFor();
      expect(await page.getByRole('region', { name: 'Balance' }).isVisible()).toBe(false);
      await unlock(page);
      await page.getByRole('region', { name: 'Balance' }).waitFor();
      await page.close();
      page = await openWallet(world.chromium.open);
    });

    test('a second wallet is not made over the first', async () => {
      const onboarding = await world.chromium.open('onboarding.html');
      await onboarding.getByRole('heading', { name: 'This browser already holds a wallet' }).waitFor();
      await onboarding.close();
    });
  });
});
