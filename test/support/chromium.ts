import type { CDPSession } from 'playwright-core';
import { type Chromium, type ChromiumOptions, openChromium } from '../../scripts/chromium.ts';

/** Chromium for a test: the extension's worker can be killed. */
export interface TestChromium extends Chromium {
  /**
   * Stops the extension's service worker as the browser does when it needs the memory: no event, no farewell.
   * Resolves when it is stopped. It comes back with the next message to it.
   */
  killWorker(): Promise<void>;
  /** Whether the worker runs now. */
  workerRuns(): boolean;
}

interface Version {
  scriptURL: string;
  runningStatus: 'stopped' | 'starting' | 'running' | 'stopping';
}

const DEADLINE = 30_000;

/** @throws Missing when there is no Chromium */
export async function launchChromium(options: ChromiumOptions = {}): Promise<TestChromium> {
  const browser = await openChromium(options);
  try {
    return { ...browser, ...(await workerControl(browser)) };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function workerControl(browser: Chromium): Promise<Pick<TestChromium, 'killWorker' | 'workerRuns'>> {
  // The ServiceWorker domain speaks of the workers of the page's own origin. The manifest is such a page, and runs nothing.
  const page = await browser.open('manifest.json');
  const cdp: CDPSession = await browser.context.newCDPSession(page);
  const prefix = `chrome-extension://${browser.extensionId}/`;
  let status: Version['runningStatus'] = 'stopped';
  let changed = Promise.withResolvers<void>();
  cdp.on('ServiceWorker.workerVersionUpdated', ({ versions }: { versions: Version[] }) => {
    for (const version of versions) if (version.scriptURL.startsWith(prefix)) status = version.runningStatus;
    changed.resolve();
    changed = Promise.withResolvers();
  });
  await cdp.send('ServiceWorker.enable');
  return {
    workerRuns: () => status !== 'stopped',
    async killWorker() {
      const late = AbortSignal.timeout(DEADLINE);
      const deadline = new Promise<never>((_, reject) => {
        late.addEventListener('abort', () => reject(new Error(`the worker is still ${status}`)));
      });
      deadline.catch(() => {});
      await cdp.send('ServiceWorker.stopAllWorkers');
      while (status !== 'stopped') await Promise.race([changed.promise, deadline]);
    },
  };
}
