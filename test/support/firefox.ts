import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type LocalTls, trustInFirefox } from '../../scripts/setup/ca.ts';
import { root } from '../../scripts/setup/paths.ts';
import { heard, start } from '../../scripts/setup/processes.ts';
import { FIREFOX, findTool } from '../../scripts/setup/tools.ts';

export interface FirefoxOptions {
  /** The folder of the built extension (MV2); null for a browser without it. */
  extension?: string | null;
  /** The id in its manifest. */
  extensionId?: string;
  /** The profile trusts this CA. */
  tls?: LocalTls;
  colorScheme?: 'light' | 'dark';
  /** Everything that is not on the disk goes to a proxy that is not there. */
  offline?: boolean;
}

/** Firefox with the extension installed, driven by WebDriver BiDi: clicks and keys are the browser's own input. */
export interface Firefox {
  /** Opens a page of the extension in a tab of its own. */
  open(page: string): Promise<FirefoxPage>;
  /** Opens any page. */
  openUrl(url: string): Promise<FirefoxPage>;
  close(): Promise<void>;
}

export interface FirefoxPage {
  /**
   * Calls a function in the page and gives what it returns or resolves to. It is carried as source text: it sees
   * only its arguments. Arguments and result are JSON.
   */
  evaluate<R, A extends readonly unknown[]>(run: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
  /** Waits until the function gives something truthy, and gives that. */
  waitFor<R, A extends readonly unknown[]>(run: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
  /**
   * Presses the middle of the first element of a CSS selector, once it is shown and enabled and stands still; with `name`,
   * of the first whose text or label is that.
   */
  click(selector: string, name?: string): Promise<void>;
  /** Holds the pointer down on an element until the function gives something truthy. */
  hold(selector: string, until: () => unknown): Promise<void>;
  /** Clicks a field and types into it. */
  type(selector: string, text: string): Promise<void>;
  /** Presses one key: a character, or a WebDriver key code such as `\uE007` for Enter. */
  press(key: string): Promise<void>;
  screenshot(name: string): Promise<string>;
}

type Send = <T>(method: string, params: object) => Promise<T>;

const DEADLINE = 60_000;
const POLL = 50;
/** Where the extension's pages live: fixed, so that a test can name them before it is installed. */
const UUID = '7f3a3b52-4c1d-4d19-9a37-5d3c6a2f9e10';
/** The popup's own size (ui/styles/product.css). */
const POPUP = { width: 360, height: 600 };

/** Nothing that calls its maker, no first-run pages, and the extension at its fixed place. */
const preferences = (extensionId: string, colorScheme: 'light' | 'dark'): Record<string, unknown> => ({
  'extensions.webextensions.uuids': JSON.stringify({ [extensionId]: UUID }),
  'layout.css.prefers-color-scheme.content-override': colorScheme === 'dark' ? 0 : 1,
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#',
  'toolkit.telemetry.enabled': false,
  'toolkit.telemetry.server': 'data:,',
});

/** Port 9 (discard) of this machine, for every kind of connection and every host. */
const DEAD_PROXY = {
  'network.proxy.type': 1,
  'network.proxy.socks': '127.0.0.1',
  'network.proxy.socks_port': 9,
  'network.proxy.socks_remote_dns': true,
  'network.proxy.allow_hijacking_localhost': true,
};

/**
 * Starts a headless Firefox with a fresh profile and installs the extension in it.
 * @throws Missing when there is no Firefox or, with `tls`, no certutil
 */
export async function launchFirefox(options: FirefoxOptions = {}): Promise<Firefox> {
  const executable = await findTool(FIREFOX);
  const extension = options.extension === undefined ? join(root, '.output/firefox-mv2') : options.extension;
  const extensionId = options.extensionId ?? 'wallet@hoarfrost.invalid';
  const profile = await mkdtemp(join(tmpdir(), 'hoarfrost-firefox-'));
  const settings = Object.entries({
    ...preferences(extensionId, options.colorScheme ?? 'light'),
    ...(options.offline ? DEAD_PROXY : {}),
  });
  const lines = settings.map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  await writeFile(join(profile, 'user.js'), lines.join(''));
  if (options.tls) await trustInFirefox(profile, options.tls);

  const firefox = start(
    executable,
    [
      '--headless',
      '--no-remote',
      '--profile',
      profile,
      '--remote-debugging-port',
      '0',
      '--remote-allow-system-access',
    ],
    { env: { MOZ_HEADLESS_WIDTH: '1280', MOZ_HEADLESS_HEIGHT: '900' } },
  );
  const close = async () => {
    await firefox.stop();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const said = (text: string) => /WebDriver BiDi listening on (ws:\S+)/.exec(text)?.[1];
    const { send, end } = await connect(`${await heard('Firefox', firefox, said, DEADLINE)}/session`);
    await send('session.new', { capabilities: {} });
    if (extension !== null)
      await send('webExtension.install', { extensionData: { type: 'path', path: extension } });
    return {
      open: (page) => openPage(send, `moz-extension://${UUID}/${page}`),
      openUrl: (url) => openPage(send, url),
      async close() {
        end();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One BiDi connection: commands with an id, answered in any order, each with a deadline. */
async function connect(url: string): Promise<{ send: Send; end(): void }> {
  const socket = new WebSocket(url, { handshakeTimeout: DEADLINE });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  const opened = Promise.withResolvers<void>();
  const fail = (error: Error) => {
    opened.reject(error);
    for (const { reject } of waiting.values()) reject(error);
  };
  socket.on('open', () => opened.resolve());
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('Firefox closed the connection')));
  socket.on('message', (data) => {
    const answer = JSON.parse(String(data));
    const { resolve, reject } = waiting.get(answer.id) ?? {};
    if (answer.type === 'error') reject?.(new Error(`${answer.error}: ${answer.message}`));
    else resolve?.(answer.result);
  });
  await opened.promise;
  let last = 0;
  return {
    async send<T>(method: string, params: object) {
      const id = ++last;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(id, answer);
      const late = () => answer.reject(new Error(`${method}: no answer within ${DEADLINE / 1000} s`));
      const timer = setTimeout(late, DEADLINE);
      socket.send(JSON.stringify({ id, method, params }));
      try {
        return (await answer.promise) as T;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    end: () => socket.terminate(),
  };
}

interface ScriptAnswer {
  type: 'success' | 'exception';
  result: { value?: string };
  exceptionDetails?: { text: string };
}

async function openPage(send: Send, url: string): Promise<FirefoxPage> {
  const { context } = await send<{ context: string }>('browsingContext.create', { type: 'tab' });
  await send('browsingContext.setViewport', { context, viewport: POPUP });
  // `wait: complete` never comes for pages of an extension: the poll below stands in for it.
  await send('browsingContext.navigate', { context, url, wait: 'none' });

  const pointer = (actions: object[]) =>
    send('input.performActions', { context, actions: [{ type: 'pointer', id: 'mouse', actions }] });
  /** What is still coming may move it: it is where it was a moment before. */
  const moveTo = async (selector: string, name?: string) => {
    let before = await page.waitFor(middle, selector, name);
    for (;;) {
      await sleep(POLL);
      const now = await page.waitFor(middle, selector, name);
      if (now!.x === before!.x && now!.y === before!.y) return { type: 'pointerMove', ...now };
      before = now;
    }
  };
  const [down, up] = [
    { type: 'pointerDown', button: 0 },
    { type: 'pointerUp', button: 0 },
  ];
  const page: FirefoxPage = {
    async evaluate(run, ...args) {
      // Both ways as JSON: BiDi's own values would need a mapping each way.
      const functionDeclaration = `async (args) => JSON.stringify({ result: await (${run})(...JSON.parse(args)) })`;
      const { type, result, exceptionDetails } = await send<ScriptAnswer>('script.callFunction', {
        functionDeclaration,
        arguments: [{ type: 'string', value: JSON.stringify(args) }],
        awaitPromise: true,
        target: { context },
        userActivation: false,
      });
      if (type === 'exception') throw new Error(exceptionDetails?.text);
      return JSON.parse(result.value!).result;
    },
    async waitFor(run, ...args) {
      const deadline = performance.now() + DEADLINE;
      let why: unknown = 'it gave nothing';
      for (;;) {
        try {
          const result = await page.evaluate(run, ...args);
          if (result) return result;
        } catch (error) {
          why = error; // a page that is just being replaced has no realm
        }
        if (performance.now() > deadline)
          throw new Error(`waited ${DEADLINE / 1000} s in vain for ${run}: ${why}`);
        await sleep(POLL);
      }
    },
    async click(selector, name) {
      await pointer([await moveTo(selector, name), down, up]);
    },
    async hold(selector, until) {
      await pointer([await moveTo(selector), down]);
      await page.waitFor(until);
      await pointer([up]);
    },
    async type(selector, text) {
      await page.click(selector);
      await keys(send, context, [...text]);
    },
    press: (key) => keys(send, context, [key]),
    async screenshot(name) {
      const path = join(root, 'out/screenshots', `${name}.png`);
      const { data } = await send<{ data: string }>('browsingContext.captureScreenshot', { context });
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, data, 'base64');
      return path;
    },
  };
  await page.waitFor((wanted) => location.href === wanted && document.readyState === 'complete', url);
  return page;
}

/** Where to press an element: only where it is shown, enabled and not covered. Runs in the page. */
function middle(selector: string, name?: string | null): { x: number; y: number } | undefined {
  const element = [...document.querySelectorAll<HTMLElement>(selector)].find(
    ({ ariaLabel, textContent }) => name == null || ariaLabel === name || textContent.trim() === name,
  );
  if (!element || element.matches(':disabled, [aria-disabled="true"]')) return undefined;
  element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
  const box = element.getBoundingClientRect();
  const x = Math.round(box.x + box.width / 2);
  const y = Math.round(box.y + box.height / 2);
  const top = document.elementFromPoint(x, y);
  return top && (element.contains(top) || top.contains(element)) ? { x, y } : undefined;
}

function keys(send: Send, context: string, values: readonly string[]): Promise<void> {
  const actions = values.flatMap((value) => [
    { type: 'keyDown', value },
    { type: 'keyUp', value },
  ]);
  return send('input.performActions', { context, actions: [{ type: 'key', id: 'keyboard', actions }] });
}
