import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chainOf, type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { PASSWORD } from '../../scripts/person.ts';
import { localTls } from '../../scripts/setup/ca.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { startEsploraBridge } from '../support/esploraBridge.ts';
import { type Firefox, type FirefoxPage, launchFirefox } from '../support/firefox.ts';
import { describeReal } from '../support/real.ts';

/** Runs in the page, as text: only its arguments exist there. */
const shows = (page: FirefoxPage, text: string) =>
  page.waitFor((wanted) => (document.body.textContent ?? '').includes(wanted), text);

const sent = () => [...document.querySelectorAll('h1')].some((h) => h.textContent === 'Sent');

await describeReal('Firefox, the MV2 build', ['bitcoind', 'firefox', 'certutil', 'openssl'], () => {
  const stack = new AsyncDisposableStack();
  let node: Regtest;
  let cosigner: RunningCosigner;
  let firefox: Firefox;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-firefox-world-'));
    stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const tls = await localTls();
    node = await startRegtest();
    stack.defer(node.stop);
    cosigner = await startCosigner({ folder, network: 'regtest', chain: chainOf(node), tls });
    stack.defer(cosigner.stop);
    firefox = await launchFirefox({ tls });
    stack.defer(firefox.close);
  });
  afterAll(() => stack.disposeAsync());

  test('installs and onboards: three shares, one certificate', async () => {
    const page = await firefox.open('onboarding.html');
    await page.click('button', 'Create a wallet');
    await page.type('#pairing', cosigner.pairing);
    await page.click('button', 'Connect');
    await page.click('button', 'It matches, continue');
    await page.type('#new-password', PASSWORD);
    await page.type('#repeat-password', PASSWORD);
    await page.click('button', 'Continue');
    await page.click('button', 'Continue to the words');
    await page.click('.choice + .choice');
    await shows(page, 'Write down your recovery words');
    const words = await page.waitFor(() => {
      const items = [...document.querySelectorAll('ol.words li:not(.is-hidden)')];
      return items.length === 12 ? items.map((item) => item.textContent ?? '') : undefined;
    });
    await page.screenshot('firefox-words');
    await page.click('button', 'I have written them down');
    for (const [i, word] of words!.entries()) await page.type(`input[aria-label="Word ${i + 1}"]`, word);
    await page.press('\uE007');
    await page.click('button', 'Form the three shares');
    await shows(page, 'Your wallet is ready');
    await page.screenshot('firefox-ready');
  });

  test('locks and unlocks, refuses a wrong password, and receives', async () => {
    const page = await firefox.open('popup.html');
    await page.click('button', 'Lock now');
    await shows(page, 'Your device share is asleep.');
    await page.type('#password', `${PASSWORD} not`);
    await page.click('button', 'Unlock');
    await page.waitFor(() => document.querySelector('[data-code="WrongPassword"]') !== null);
    await page.type('#password', PASSWORD);
    await page.click('button', 'Unlock');
    await page.click('button', 'Receive');
    const address = await page.waitFor(
      () => document.querySelector('[aria-label="Your address"]')?.textContent?.replace(/\s/g, '') ?? '',
    );
    expect(address).toMatch(/^bcrt1p[0-9a-z]{58}$/);
    await page.screenshot('firefox-receive');
    await node.fund(address, 700_000n);
    await node.mine(1);
    await page.click('[aria-label="Back"]');
    await page.waitFor(() => document.querySelector('.amount--balance data[value="700000"]') !== null);
    await page.screenshot('firefox-home');
  });

  test('offers no security key, which its extension pages may not use, and changes the password', async () => {
    const centre = await firefox.open('safety.html');
    await shows(centre, 'All three are well');
    await shows(centre, 'Change the password');
    // As long as the looking for one takes, and more.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await centre.evaluate(() => (document.body.textContent ?? '').includes('security key'))).toBe(
      false,
    );
    await centre.screenshot('firefox-safety');
    const key = await firefox.open('safety.html#security-key');
    await shows(key, 'This browser does not let extensions use security keys.');
    expect(await key.evaluate(() => document.querySelector('form'))).toBeNull();

    const change = await firefox.open('safety.html#password');
    const next = `${PASSWORD} and more`;
    await change.type('#current-password', PASSWORD);
    await change.type('#new-password', next);
    await change.type('#repeat-password', next);
    await change.click('button', 'Change the password');
    await shows(change, 'The password is changed');
    const page = await firefox.open('popup.html');
    await page.click('button', 'Lock now');
    await page.type('#password', PASSWORD);
    await page.click('button', 'Unlock');
    await page.waitFor(() => document.querySelector('[data-code="WrongPassword"]') !== null);
    await page.type('#password', next);
    await page.click('button', 'Unlock');
    await page.waitFor(() => document.querySelector('.amount--balance') !== null);
  });

  test('pays: the node mines what Firefox and the cosigner signed', async () => {
    const page = await firefox.open('popup.html');
    const payee = await node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' });
    await page.waitFor(() => document.querySelector('.amount--balance data[value="700000"]') !== null);
    await page.click('button', 'Send');
    await page.type('#to', payee);
    await page.type('#amount', '120000');
    await page.waitFor(() => document.querySelectorAll('[role="radio"]:not([disabled])').length >= 3);
    await page.click('button', 'Review');
    await page.hold('button[data-armed="true"]', sent);
    await page.screenshot('firefox-sent');
    await node.mine(1);
    expect(await node.rpc('getreceivedbyaddress', [payee], { wallet: 'miner' })).toBe(0.0012);
  });

  test('hands a payment to a server that the user named, on this machine and in the clear', async () => {
    const esplora = await startEsploraBridge(node);
    try {
      const settings = await firefox.open('safety.html#route');
      await settings.click('button', 'A server that you name');
      await settings.type('#route-url', esplora.url);
      await settings.click('button', 'Test it');
      await shows(settings, 'It works: Regtest, block');
      await settings.click('button', 'Send through this server');
      await shows(settings, 'In use.');
      await settings.screenshot('firefox-route');
      esplora.asked();

      const page = await firefox.open('popup.html');
      const payee = await node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' });
      await page.waitFor(() => document.querySelector('.amount--balance data') !== null);
      await page.click('button', 'Send');
      await page.type('#to', payee);
      await page.type('#amount', '50000');
      await page.waitFor(() => document.querySelectorAll('[role="radio"]:not([disabled])').length >= 3);
      await page.click('button', 'Review');
      await page.hold('button[data-armed="true"]', sent);
      expect(esplora.asked()).toContain('/tx');
      await node.mine(1);
      expect(await node.rpc('getreceivedbyaddress', [payee], { wallet: 'miner' })).toBe(0.0005);
    } finally {
      await esplora.stop();
    }
  });
});
