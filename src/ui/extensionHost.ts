/** What the pages need of the browser, in one place, so that a page without an extension around it can stand in for it. */
import browser from 'webextension-polyfill';
import type { PORT_NAME } from '../device/port.ts';
import type { BrowserPort } from './portClient.ts';

/** `ui` may know the device by its types only, so the name stands here again, held to the one there by its type. */
const NAME: typeof PORT_NAME = 'hoarfrost';

export interface Host {
  openPort(): BrowserPort;
  /** In a tab of its own: setting up does not fit in a popup, which closes when it loses focus. */
  openOnboarding(): Promise<void>;
  /** Shows the wallet in this tab. */
  openWallet(): void;
  version: string;
}

export const extensionHost: Host = {
  openPort() {
    const port = browser.runtime.connect({ name: NAME });
    return {
      postMessage: (message) => port.postMessage(message),
      disconnect: () => port.disconnect(),
      onMessage: (listener) => port.onMessage.addListener(listener),
      onDisconnect: (listener) => port.onDisconnect.addListener(() => listener()),
    };
  },
  async openOnboarding() {
    await browser.tabs.create({ url: browser.runtime.getURL('onboarding.html') });
    window.close();
  },
  openWallet() {
    location.assign(browser.runtime.getURL('popup.html'));
  },
  version: browser.runtime.getManifest().version,
};
