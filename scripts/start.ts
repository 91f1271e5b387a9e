/**
 * `npm start`: node, cosigner and Chromium with the extension, each found or got first. With a display it stays up
 * until Ctrl-C; without one, or with `--headless`, it drives the extension through a payment and ends.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Chromium, openChromium, screenshot } from './chromium.ts';
import { chainOf, type RunningCosigner, startCosigner } from './cosigner.ts';
import { drive, lastLine, type Paid } from './drive.ts';
import { moneyFromFaucet, moneyOf } from './money.ts';
import { step } from './progress.ts';
import { getBitcoind } from './setup/bitcoind.ts';
import { localTls } from './setup/ca.ts';
import { run } from './setup/command.ts';
import { cache, root } from './setup/paths.ts';
import { type Regtest, startRegtest } from './setup/regtest.ts';
import { CHROMIUM, getTool } from './setup/tools.ts';

const BUILD_DEADLINE = 300_000;
const NETWORKS = ['regtest', 'mutinynet'] as const;
const MUTINYNET_ESPLORA = 'https://mutinynet.com/api';
const MUTINYNET_FAUCET = 'https://faucet.mutinynet.com';
/** What an address gets that is pasted into the terminal: 0.1 BTC. */
const GIFT = 10_000_000n;

const HELP = `npm start -- [--headless] [--network ${NETWORKS.join('|')}]

--headless   drive the extension through a payment and end; so it is anyway without a display
--network    regtest: a Bitcoin node of its own (usual); mutinynet: that network by its Esplora
`;

interface Running {
  node?: Regtest;
  cosigner: RunningCosigner;
  chromium: Chromium;
}

function settings() {
  const { values } = parseArgs({
    options: {
      headless: { type: 'boolean', default: false },
      network: { type: 'string', default: 'regtest' },
      help: { type: 'boolean', default: false },
    },
  });
  const network = NETWORKS.find((name) => name === values.network);
  if (!network) throw new Error(`--network: one of ${NETWORKS.join(', ')}`);
  const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  return { help: values.help, headless: values.headless || !display, network };
}

type Settings = ReturnType<typeof settings>;

/** Everything up, in order; each thing that is started is put on `started`, to be stopped in reverse. */
async function bringUp(
  { headless, network }: Settings,
  folder: string,
  started: AsyncDisposableStack,
): Promise<Running> {
  const regtest = network === 'regtest';
  const bitcoind = regtest && (await step('Bitcoin node', getBitcoind, ({ version }) => version));
  await step('Chromium', () => getTool(CHROMIUM), String);
  const tls = await step('TLS certificate', localTls);
  await step('wasm and extension', () =>
    run('npm', ['run', '--silent', 'build'], { cwd: root, deadlineMs: BUILD_DEADLINE }),
  );

  const node = bitcoind
    ? await step(
        'regtest',
        () => startRegtest({ bitcoind, folder: join(folder, 'node') }),
        ({ rpcUrl }) => rpcUrl,
      )
    : undefined;
  if (node) started.defer(node.stop);

  const chain = node ? chainOf(node) : `esplora:${MUTINYNET_ESPLORA}`;
  const cosigner = await step(
    'cosigner',
    () => startCosigner({ folder: join(folder, 'cosigner'), network, chain, tls }),
    ({ url }) => url,
  );
  started.defer(cosigner.stop);

  const chromium = await step('Chromium with the extension', () =>
    openChromium({ headless, profile: join(folder, 'profile'), spkiHash: tls.spkiHash }),
  );
  started.defer(chromium.close);
  return node ? { node, cosigner, chromium } : { cosigner, chromium };
}

/** Says how to use it, then pays to every address that is pasted, until the browser is closed. */
async function stayUp({ node, cosigner, chromium }: Running): Promise<undefined> {
  await chromium.open('onboarding.html');
  console.log(`\nPair the wallet with this cosigner:\n  ${cosigner.pairing}\n`);
  if (node) {
    console.log(
      'Fund the wallet: paste its address here and press Enter. It gets 10 000 000 sats and a block.',
    );
    console.log('Enter alone mines a block.');
    createInterface({ input: process.stdin }).on('line', (line) => void gift(node, line.trim()));
  } else {
    console.log(`Fund the wallet: give its address to ${MUTINYNET_FAUCET}`);
  }
  console.log('Ctrl-C stops all of it.\n');
  await new Promise((closed) => chromium.context.once('close', closed));
}

async function gift(node: Regtest, address: string): Promise<void> {
  try {
    const txid = address && (await node.fund(address, GIFT));
    await node.mine(1);
    console.log(`block ${await node.rpc('getblockcount')}${txid && `, with ${txid}`}`);
  } catch (error) {
    console.log((error as Error).message);
  }
}

/** Saves what was on screen when a driven run stopped. */
async function failed({ chromium }: Running, error: unknown): Promise<never> {
  for (const [i, page] of chromium.context.pages().entries()) {
    const path = await screenshot(page, `failed-${i}`).catch(() => undefined);
    if (path) console.log(`on screen then: ${relative(root, path)}`);
  }
  throw error;
}

/** With a display the wallet is kept from one start to the next; a driven one is new each time. */
async function folderFor({ headless, network }: Settings): Promise<string> {
  await mkdir(cache, { recursive: true });
  if (headless) return mkdtemp(join(cache, 'headless-'));
  const folder = join(cache, 'start', network);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

async function main(): Promise<void> {
  const chosen = settings();
  if (chosen.help) {
    process.stdout.write(HELP);
    return;
  }
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve('interrupted'));
    }
  });
  const folder = await folderFor(chosen);
  console.log(`All that this run keeps is in ${relative(root, folder)}`);
  const started = new AsyncDisposableStack();
  const work = async () => {
    const running = await bringUp(chosen, folder, started);
    if (!chosen.headless) return stayUp(running);
    const money = running.node ? moneyOf(running.node) : moneyFromFaucet(MUTINYNET_FAUCET, MUTINYNET_ESPLORA);
    return drive({ ...running, money }).catch((error) => failed(running, error));
  };
  let outcome: Paid | 'interrupted' | undefined;
  try {
    outcome = await Promise.race([work(), interrupted]);
    if (outcome === 'interrupted') process.stdout.write('\n');
  } finally {
    await step('stopping', () => started.disposeAsync());
  }
  if (chosen.headless) {
    if (typeof outcome !== 'object') throw new Error('Interrupted before the payment was mined.');
    await rm(folder, { recursive: true, force: true });
    console.log(lastLine(outcome));
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`\n${error instanceof Error ? error.message : error}`);
    process.exit(1);
  },
);
