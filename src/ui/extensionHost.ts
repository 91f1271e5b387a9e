/** What the pages need of the browser, in one place, so that a page without an extension around it can stand in for it. */
import browser from 'webextension-polyfill';
import type { Generation, PORT_NAMES } from '../device/port.ts';
import type { BrowserPort } from './portClient.ts';

/** `ui` may know the device by its types only, so the names stand here again, held to the ones there by their type. */
const NAMES: typeof PORT_NAMES = {
  current: 'hoarfrost',
  next: 'hoarfrost/next',
  former: 'hoarfrost/former',
};
const PARAMETER = 'wallet';

export type TabPage = 'safety.html' | 'offline.html';

export interface Host {
  /** Whose page this is. */
  readonly generation: Generation;
  /** To this page's own wallet unless it is said which. */
  openPort(generation?: Generation): BrowserPort;
  /** In a tab of its own: setting up does not fit in a popup, which closes when it loses focus. */
  openOnboarding(generation?: Generation): Promise<void>;
  /** From the popup in a tab of its own, for it closes when it loses focus; from a tab in its place. */
  openPage(page: TabPage, hash?: string): Promise<void>;
  /** Where this browser gets a new share for its wallet. */
  openReplacement(): Promise<void>;
  /** At a press: whether this browser may read what that server answers, even if it names nobody who may (CORS). */
  askToRead(url: string): Promise<boolean>;
  /** Shows a wallet in this tab. */
  openWallet(generation?: Generation): void;
  version: string;
}

const own = generationOf(new URLSearchParams(location.search).get(PARAMETER));

export const extensionHost: Host = {
  generation: own,
  openPort(generation = own) {
    const port = browser.runtime.connect({ name: NAMES[generation] });
    return {
      postMessage: (message) => port.postMessage(message),
      disconnect: () => port.disconnect(),
      onMessage: (listener) => port.onMessage.addListener(listener),
      onDisconnect: (listener) => port.onDisconnect.addListener(() => listener()),
    };
  },
  async openOnboarding(generation = own) {
    await browser.tabs.create({ url: urlOf('onboarding.html', generation) });
    window.close();
  },
  openPage: (page, hash = '') => open(urlOf(page, own) + hash),
  openReplacement: () => open(`${urlOf('onboarding.html', own)}#replace`),
  async askToRead(url) {
    const { protocol, hostname } = new URL(url.trim());
    return browser.permissions.request({ origins: [`${protocol}//${hostname}/*`] });
  },
  openWallet(generation = own) {
    location.assign(urlOf('popup.html', generation));
  },
  version: browser.runtime.getManifest().version,
};

async function open(url: string): Promise<void> {
  if (!browser.extension.getViews({ type: 'popup' }).includes(window)) {
    location.assign(url);
    return;
  }
  await browser.tabs.create({ url });
  window.close();
}

function generationOf(name: string | null): Generation {
  return name === 'next' || name === 'former' ? name : 'current';
}

function urlOf(page: string, generation: Generation): string {
  return browser.runtime.getURL(generation === 'current' ? page : `${page}?${PARAMETER}=${generation}`);
}
