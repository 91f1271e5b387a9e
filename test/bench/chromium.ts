import { readFileSync } from 'node:fs';
import { randomBytes } from '@noble/hashes/utils.js';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, type Plugin } from 'vite';
import { CHROMIUM, findTool } from '../../scripts/setup/tools.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { createNobleSigner } from '../support/nobleSigner.ts';
import type { Native } from './operations.ts';
import type { Plan, Result } from './rounds.ts';

const DEADLINE = 30_000;
/** The whole bench in one page. */
const BENCH_DEADLINE = 20 * 60_000;

/** tiny-secp256k1's browser form wants its bundler to import `.wasm` with exported globals left as objects. */
const tinyWasm: Plugin = {
  name: 'tiny-secp256k1-wasm',
  enforce: 'pre',
  load(id) {
    const folder = /^(.*tiny-secp256k1\/lib\/)wasm_loader\.browser\.js$/.exec(id)?.[1];
    if (folder === undefined) return undefined;
    const bytes = readFileSync(`${folder}secp256k1.wasm`).toString('base64');
    return [
      "import * as rand from './rand.browser.js';",
      "import * as validate from './validate_error.js';",
      `const bytes = Uint8Array.from(atob('${bytes}'), (c) => c.charCodeAt(0));`,
      "const imports = { './rand.js': rand, './validate_error.js': validate };",
      'export default new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;',
    ].join('\n');
  },
};

/** One script of a module and all it imports, other people's wasm inlined too. */
export async function bundle(entry: string, format: 'es' | 'iife'): Promise<string> {
  const built = await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'error',
    plugins: [tinyWasm],
    build: {
      write: false,
      minify: true,
      target: 'esnext',
      lib: { entry, formats: [format], name: 'bundle' },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (!output || !('output' in output)) throw new Error('the bundler watches instead of building');
  return output.output[0].code;
}

export async function launch(): Promise<Browser> {
  const tool = await findTool(CHROMIUM);
  return chromium.launch({
    executablePath: tool,
    headless: true,
    timeout: DEADLINE,
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** An isolated page has the finest clock that Chromium gives: 5 us instead of 100. */
async function isolatedPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(BENCH_DEADLINE);
  const address = 'http://localhost/bench';
  await page.route(address, (route) =>
    route.fulfill({
      contentType: 'text/html',
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      },
      body: '<!doctype html><title>bench</title>',
    }),
  );
  await page.goto(address, { timeout: DEADLINE });
  return page;
}

export async function benchInChromium(
  browser: Browser,
  plan: Plan,
  native: Native | undefined,
  progress: (name: string) => void,
): Promise<Result[]> {
  const page = await isolatedPage(browser);
  try {
    if (native) await page.exposeFunction('native', native);
    await page.exposeFunction('progress', progress);
    const failed = new Promise<never>((_, reject) => page.once('pageerror', reject));
    await page.addScriptTag({ content: await bundle('page.ts', 'es'), type: 'module' });
    const ready = page.waitForFunction(() => 'benchSigner' in globalThis, undefined, { timeout: DEADLINE });
    await Promise.race([ready, failed]);
    return await page.evaluate(([plan, withNative]) => globalThis.benchSigner(plan, withNative), [
      plan,
      native !== undefined,
    ] as const);
  } finally {
    await page.close();
  }
}

/** The milliseconds from `new Worker` to its answer, `rounds` times, with our worker and an empty one by turns. */
export async function coldStart(
  browser: Browser,
  rounds: number,
): Promise<{ ours: number[]; empty: number[] }> {
  const code = await bundle('coldWorker.ts', 'iife');
  const page = await isolatedPage(browser);
  try {
    return await measureCold(page, code, coldJob(), rounds);
  } finally {
    await page.close();
  }
}

/** Arguments of one signature share, as arrays of numbers that the page's evaluate can carry. */
function coldJob() {
  const signer = createNobleSigner();
  const share = randomBytes(32);
  const secret = () => Secret.own(Uint8Array.from(share));
  const groupKey = signer.publicKey(secret());
  const { commitment } = signer.commit({
    share: secret(),
    randomness: randomBytes(64),
    context: new Uint8Array(0),
  });
  return {
    share: [...share],
    randomness: [...randomBytes(64)],
    peerCommitment: [...commitment],
    groupKey: [...groupKey],
    expectedKey: [...groupKey.slice(1)],
    message: [...randomBytes(32)],
  };
}

function measureCold(page: Page, code: string, job: ReturnType<typeof coldJob>, rounds: number) {
  return page.evaluate(
    async ([code, job, rounds]) => {
      const bytes = (list: number[]) => Uint8Array.from(list);
      // A new address each time: no cached code. Read once, so that its way into the browser is over when a worker starts.
      const addressOf = async (source: string) => {
        const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
        await (await fetch(address)).arrayBuffer();
        return address;
      };
      const start = (address: string) =>
        new Promise<number>((resolve, reject) => {
          const message = {
            share: bytes(job.share),
            randomness: bytes(job.randomness),
            peerCommitment: bytes(job.peerCommitment),
            package: {
              groupKey: bytes(job.groupKey),
              tweak: { derivation: new Uint8Array(32), path: 'leaf', merkleRoot: new Uint8Array(0) },
              expectedKey: bytes(job.expectedKey),
              message: bytes(job.message),
              commitments: [],
            },
          };
          const from = performance.now();
          const worker = new Worker(address);
          worker.onmessage = ({ data }) => {
            const elapsed = performance.now() - from;
            worker.terminate();
            URL.revokeObjectURL(address);
            if (data === 'empty' || (data instanceof Uint8Array && data.length === 32)) resolve(elapsed);
            else reject(new Error('the worker answered something else'));
          };
          worker.onerror = (e) => reject(new Error(e.message));
          worker.postMessage(message);
        });
      const sources = { ours: code, empty: "onmessage = () => postMessage('empty')" };
      const times = { ours: [] as number[], empty: [] as number[] };
      for (let i = 0; i < rounds; i++) {
        const order = i % 2 === 0 ? (['ours', 'empty'] as const) : (['empty', 'ours'] as const);
        for (const which of order) times[which].push(await start(await addressOf(sources[which])));
      }
      return times;
    },
    [code, job, rounds] as const,
  );
}
