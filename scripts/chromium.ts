import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { root } from './setup/paths.ts';
import { CHROMIUM, findTool } from './setup/tools.ts';

export interface ChromiumOptions {
  /** The folder of the built extension. */
  extension?: string;
  /** The profile's folder; a temporary one, gone at the end, when empty. */
  profile?: string;
  headless?: boolean;
  colorScheme?: 'light' | 'dark';
  /** Trusts the TLS certificates of this key (setup/ca.ts), and nothing else that is not trusted anyway. */
  spkiHash?: string;
  /** A film (y4m) that its camera sees; every page may use that camera. */
  camera?: string;
}

/** Chromium with the extension in it. */
export interface Chromium {
  context: BrowserContext;
  extensionId: string;
  /** Opens a page of the extension in a tab of its own: `popup.html`, `onboarding.html#…`. */
  open(page: string): Promise<Page>;
  close(): Promise<void>;
}

const DEADLINE = 60_000;
/** The popup's own size (ui/styles/product.css). */
const POPUP = { width: 360, height: 600 };
/** No sandbox for root, who cannot have one here; and nothing that calls its maker. */
const SILENT = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
];

/**
 * Starts Chromium with the extension and waits until its service worker is there.
 * @throws Missing when there is no Chromium
 */
export async function openChromium(options: ChromiumOptions = {}): Promise<Chromium> {
  const extension = options.extension ?? join(root, '.output/chrome-mv3');
  const context = await chromium.launchPersistentContext(options.profile ?? '', {
    executablePath: await findTool(CHROMIUM),
    headless: options.headless ?? true,
    timeout: DEADLINE,
    colorScheme: options.colorScheme ?? 'light',
    viewport: options.headless === false ? null : POPUP,
    // Whoever opened the browser closes it: on Ctrl-C that is not Playwright's affair.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    args: [
      ...SILENT,
      `--disable-extensions-except=${extension}`,
      `--load-extension=${extension}`,
      ...(options.camera
        ? [
            '--use-fake-ui-for-media-stream',
            '--use-fake-device-for-media-stream',
            `--use-file-for-fake-video-capture=${options.camera}`,
          ]
        : []),
      ...(options.spkiHash ? [`--ignore-certificate-errors-spki-list=${options.spkiHash}`] : []),
    ],
  });
  try {
    context.setDefaultTimeout(DEADLINE);
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
    const extensionId = new URL(worker.url()).host;
    return {
      context,
      extensionId,
      async open(page) {
        const tab = await context.newPage();
        await tab.goto(`chrome-extension://${extensionId}/${page}`);
        return tab;
      },
      close: () => context.close(),
    };
  } catch (error) {
    await context.close();
    // Chromium tells nobody why it refuses one: no manifest, or a file that the manifest names and that is not there.
    throw new Error(`Chromium did not load the extension in ${extension}`, { cause: error });
  }
}

/** Saves what the page shows under `out/screenshots/NAME.png`. Gives the file's path. */
export async function screenshot(page: Page, name: string): Promise<string> {
  const path = join(root, 'out/screenshots', `${name}.png`);
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path, animations: 'disabled' });
  return path;
}
