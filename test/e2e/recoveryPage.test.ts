/** The recovery page by itself, opened from the disk with the network off, in both browsers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import type { OfflineOf } from '../../src/protocol/offline.ts';
import { offlineCodes, offlineText, readOffline } from '../../src/protocol/offlineText.ts';
import { keysFromWords, newWords } from '../../src/recovery/words.ts';
import { find } from '../memory/search.ts';
import { filmOf } from '../support/film.ts';
import { type Firefox, launchFirefox } from '../support/firefox.ts';
import { finish, paymentTask, requestOf } from '../support/offline.ts';
import { seededRandom } from '../support/parties.ts';
import { describeReal } from '../support/real.ts';
import { answerOf, giveMessage, openRecoveryPage, PAGE_URL, takeMessage } from '../support/recoveryPage.ts';
import { begin, type Life, refreshed } from '../support/shares.ts';

const random = seededRandom('recovery page');
const AT = Date.UTC(2026, 10, 21, 12, 30, 5);
let signer: SignerModule;
let words: string[];
let life: Life;

beforeAll(async () => {
  signer = await load();
  words = newWords();
  life = await refreshed(signer, await begin(signer, random, await keysFromWords(words)), random);
});

const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** The linear memory of a page's wasm, and all strings of its script's heap, garbage collected. */
async function memoryOf(page: Page): Promise<{ wasm: WebAssembly.Memory; text: string }> {
  const cdp = await page.context().newCDPSession(page);
  const snapshot: string[] = [];
  cdp.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => void snapshot.push(chunk));
  await cdp.send('HeapProfiler.takeHeapSnapshot', {});
  const { result: made } = await cdp.send('Runtime.evaluate', { expression: 'WebAssembly.Memory.prototype' });
  const { objects } = await cdp.send('Runtime.queryObjects', { prototypeObjectId: made.objectId! });
  const { result } = await cdp.send('Runtime.callFunctionOn', {
    objectId: objects.objectId!,
    functionDeclaration: `function () {
      return this.map(({ buffer }) => Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(''));
    }`,
    returnByValue: true,
  });
  await cdp.detach();
  const [memory, ...more] = result.value as string[];
  expect(more).toEqual([]);
  return {
    wasm: { buffer: Uint8Array.from(Buffer.from(memory!, 'latin1')).buffer } as WebAssembly.Memory,
    text: snapshot.join(''),
  };
}

function verified(asked: ReturnType<typeof requestOf>, answer: string): void {
  const signatures = finish(signer, life, asked, readOffline(answer) as OfflineOf<'signed'>);
  for (const [i, { expectedKey, sighash }] of asked.inputs.entries())
    expect(signer.schnorrVerify(expectedKey, sighash, signatures[i]!)).toBe(true);
}

await describeReal('the recovery page in Chromium', ['chromium'], () => {
  let browser: Browser;
  const requests: string[] = [];
  const fresh = async (): Promise<Page> => {
    const context = await browser.newContext({ colorScheme: 'dark' });
    context.setDefaultTimeout(30_000);
    await context.setOffline(true);
    context.on('request', (request) => void requests.push(request.url()));
    return openRecoveryPage(context);
  };
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: await findTool(CHROMIUM), args: sandbox });
  });
  afterAll(() => browser?.close());

  test('shows what a payment does, then signs it with the device', async () => {
    const page = await fresh();
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    await giveMessage(page, offlineText(asked.message));
    const shown = page.getByRole('region', { name: 'What this payment does' });
    await shown.locator('data[value="101000"]').waitFor();
    expect(await shown.locator('data').evaluateAll((all) => all.map((d) => d.getAttribute('value')))).toEqual(
      ['101000', '100000', '1000', '19000'],
    );
    await page.getByRole('button', { name: 'Stop and forget' }).click();
    verified(asked, await answerOf(page, offlineText(asked.message), words, 'Sign this payment'));
    expect(requests.filter((url) => url !== PAGE_URL && !url.startsWith('blob:'))).toEqual([]);
  });

  test('signs a drill, and says that it moves no money', async () => {
    const page = await fresh();
    const asked = requestOf(signer, life, { kind: 'drill', at: AT }, random);
    await giveMessage(page, offlineText(asked.message));
    await page.getByText('It signs “Hoarfrost drill 2026-11-21T12:30:05.000Z” and nothing else.').waitFor();
    await page.keyboard.press('Escape');
    verified(asked, await answerOf(page, offlineText(asked.message), words, 'Sign the note'));
  });

  test('is worked by the keyboard alone: Tab, Space between words, Enter, and Escape to stop', async () => {
    const page = await fresh();
    const focused = () =>
      page.evaluate(() => {
        const at = document.activeElement;
        return (
          at?.getAttribute('aria-label') ??
          (at as HTMLInputElement)?.labels?.[0]?.textContent ??
          at?.textContent
        );
      });
    const tabTo = async (name: string) => {
      for (let i = 0; i < 20 && (await focused()) !== name; i++) await page.keyboard.press('Tab');
      expect(await focused()).toBe(name);
    };
    const asked = requestOf(signer, life, { kind: 'drill', at: AT }, random);
    for (const stops of [true, false]) {
      expect(await focused()).toBe('Recovery page');
      await tabTo('Or paste the text');
      await page.keyboard.insertText(offlineText(asked.message));
      await page.getByRole('heading', { name: 'Recovery drill' }).waitFor();
      expect(await focused()).toBe('Recovery drill');
      await tabTo('Type the words');
      await page.keyboard.press('Enter');
      await tabTo('Word 1');
      for (const word of words) await page.keyboard.type(`${word.slice(0, 4)} `);
      if (stops) {
        await page.keyboard.press('Escape');
        await page.getByRole('heading', { name: 'Recovery page' }).waitFor();
      }
    }
    await tabTo('Sign the note');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The answer' }).waitFor();
    verified(asked, await takeMessage(page));
    await tabTo('Done, forget everything');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Recovery page' }).waitFor();
  });

  test('gives each heading the focus in the step that shows it, so that no quick key is lost', async () => {
    const page = await fresh();
    await page.evaluate(() => {
      new MutationObserver(() => {
        const heading = document.querySelector('h1');
        const shown = heading?.textContent ?? '';
        document.title = document.activeElement === heading ? shown : `${shown}: not focused`;
      }).observe(document.body, { childList: true, subtree: true });
    });
    await giveMessage(page, offlineText(requestOf(signer, life, { kind: 'drill', at: AT }, random).message));
    await page.getByRole('heading', { name: 'Recovery drill' }).waitFor();
    expect(await page.title()).toBe('Recovery drill');
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Recovery page' }).waitFor();
    expect(await page.title()).toBe('Recovery page');
  });

  test('attack-23: wrong words make no answer, and a request of somebody else asks for none', async () => {
    const page = await fresh();
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    const wrong = answerOf(page, offlineText(asked.message), newWords(), 'Sign this payment');
    wrong.catch(() => {});
    await page.locator('[data-code="BadWords"]').waitFor();
    await page.close();
    await wrong.catch(() => {});

    const other = await fresh();
    const body = asked.message.body.map((b, i) => (i === asked.message.body.length - 1 ? b ^ 1 : b));
    await giveMessage(other, offlineText({ ...asked.message, body }));
    await other.locator('[data-code="BadSignature"]').waitFor();
    expect(await other.getByRole('button', { name: 'Type the words' }).count()).toBe(0);
  });

  test('reaches nothing: every connection is forbidden by its own policy', async () => {
    const page = await fresh();
    const blocked = await page.evaluate(async () => {
      const violations: string[] = [];
      document.addEventListener('securitypolicyviolation', (e) => void violations.push(e.effectiveDirective));
      const failed = await Promise.all([
        fetch('https://127.0.0.1:9/').then(
          () => 'reached',
          () => 'failed',
        ),
        new Promise((done) => {
          const image = new Image();
          image.onload = () => done('reached');
          image.onerror = () => done('failed');
          image.src = 'https://127.0.0.1:9/x.png';
        }),
      ]);
      let socket = 'reached';
      try {
        new WebSocket('wss://127.0.0.1:9/');
      } catch {
        socket = 'failed';
      }
      const script = document.createElement('script');
      script.textContent = 'document.title = "ran"';
      document.body.append(script);
      await new Promise((done) => setTimeout(done, 100));
      return { failed: [...failed, socket], violations, title: document.title };
    });
    expect(blocked.failed.slice(0, 2)).toEqual(['failed', 'failed']);
    expect(blocked.violations).toEqual(expect.arrayContaining(['connect-src', 'img-src', 'script-src-elem']));
    expect(blocked.violations.filter((directive) => directive === 'connect-src')).toHaveLength(2);
    expect(blocked.title).toBe('Hoarfrost recovery page');
  });

  test('reads a large message off the other screen by camera, part by part', async () => {
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    const codes = offlineCodes(asked.message);
    expect(codes.length).toBeGreaterThan(4);
    const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-camera-'));
    const film = join(folder, 'screen.y4m');
    await writeFile(film, filmOf(codes));
    const sees = await chromium.launch({
      executablePath: await findTool(CHROMIUM),
      args: [
        ...sandbox,
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        `--use-file-for-fake-video-capture=${film}`,
      ],
    });
    try {
      const context = await sees.newContext();
      await context.setOffline(true);
      const page = await openRecoveryPage(context);
      await page.getByRole('button', { name: 'Scan with the camera' }).click();
      await page
        .getByRole('region', { name: 'What this payment does' })
        .locator('data[value="101000"]')
        .waitFor({ timeout: 60_000 });
      expect(await page.locator('video').count()).toBe(0);
    } finally {
      await sees.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('attack-23: with its answer share, key and words are gone from wasm and script', async () => {
    const page = await fresh();
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    await giveMessage(page, offlineText(asked.message));
    await page.getByRole('button', { name: 'Type the words' }).click();
    await page.bringToFront();
    for (const [i, word] of words.entries())
      await page.getByRole('textbox', { name: `Word ${i + 1}`, exact: true }).fill(word);
    await page.locator('button[aria-disabled="false"]').waitFor();
    // The controls: what is there is found, words in the heap and the constants of SHA-256 in the wasm.
    const sha256 = Uint8Array.of(0x98, 0x2f, 0x8a, 0x42, 0x91, 0x44, 0x37, 0x71);
    const before = await memoryOf(page);
    expect(before.text).toContain(words.join(' '));
    expect(find(before.wasm, sha256)).toBeDefined();

    await page.getByRole('button', { name: 'Sign this payment' }).click();
    await page.getByRole('heading', { name: 'The answer' }).waitFor();
    for (const last of [false, true]) {
      if (last) await page.getByRole('button', { name: 'Done, forget everything' }).click();
      const { wasm, text } = await memoryOf(page);
      expect(text).not.toContain(words.join(' '));
      expect(text).not.toContain(words.join('","'));
      expect(find(wasm, life.holders[2].share.expose())).toBeUndefined();
      expect(find(wasm, (await keysFromWords(words)).host.expose())).toBeUndefined();
    }
  });

  test('keeps nothing: after a reload it knows neither message nor words, and its storage is empty', async () => {
    const page = await fresh();
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    await giveMessage(page, offlineText(asked.message));
    await page.getByRole('button', { name: 'Type the words' }).click();
    await page.getByRole('textbox', { name: 'Word 1', exact: true }).fill(words[0]!);
    const kept = () =>
      page.evaluate(async () => [
        localStorage.length,
        sessionStorage.length,
        document.cookie,
        (await indexedDB.databases()).length,
        location.hash + location.search,
        JSON.stringify(history.state),
      ]);
    expect(await kept()).toEqual([0, 0, '', 0, '', 'null']);
    await page.reload();
    await page.getByRole('heading', { name: 'Recovery page' }).waitFor();
    expect(await page.getByRole('textbox', { name: /^Word/ }).count()).toBe(0);
    expect(await kept()).toEqual([0, 0, '', 0, '', 'null']);
  });
});

await describeReal('the recovery page in Firefox', ['firefox'], () => {
  let firefox: Firefox;
  beforeAll(async () => {
    firefox = await launchFirefox({ extension: null, offline: true });
  });
  afterAll(() => firefox?.close());

  test('signs a payment with the device, offline', async () => {
    const page = await firefox.openUrl(PAGE_URL);
    const asked = requestOf(signer, life, paymentTask(life, random), random);
    await page.waitFor(() => document.querySelector('#offline-text') !== null);
    const paste = (text: string) => {
      const field = document.querySelector<HTMLInputElement>('#offline-text')!;
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    };
    await page.evaluate(paste, offlineText(asked.message));
    await page.click('button', 'Type the words');
    for (const [i, word] of words.entries()) await page.type(`input[aria-label="Word ${i + 1}"]`, word);
    await page.click('button', 'Sign this payment');
    await page.waitFor(() => document.querySelector('.qr') !== null);
    await page.evaluate(() => {
      navigator.clipboard.writeText = async (text) => {
        document.title = text;
      };
    });
    await page.click('button', 'Copy as text');
    verified(
      asked,
      await page.waitFor(() => (document.title.startsWith('HOARFROST:') ? document.title : '')),
    );
    const reached = await page.evaluate(async () => ({
      fetched: await fetch('https://127.0.0.1:9/').then(
        () => true,
        () => false,
      ),
      resources: performance.getEntriesByType('resource').length,
    }));
    expect(reached).toEqual({ fetched: false, resources: 0 });
  });
});
