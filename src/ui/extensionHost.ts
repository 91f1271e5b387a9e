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

export interface Host {
  /** Whose page this is. */
  readonly generation: Generation;
  /** To this page's own wallet unless it is said which. */
  openPort(generation?: Generation): BrowserPort;
  /** In a tab of its own: setting up does not fit in a popup, which closes when it loses focus. */
  openOnboarding(generation?: Generation): Promise<void>;
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
  openWallet(generation = own) {
    location.assign(urlOf('popup.html', generation));
  },
  version: browser.runtime.getManifest().version,
};

function generationOf(name: string | null): Generation {
  return name === 'next' || name === 'former' ? name : 'current';
}

function urlOf(page: string, generation: Generation): string {
  return browser.runtime.getURL(generation === 'current' ? page : `${page}?${PARAMETER}=${generation}`);
}
