/** The whole road on this machine: a real node, a real cosigner, a real Chromium, and, where asked, a relay between. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chainOf, type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import {
  createWallet,
  type NewWallet,
  openWallet,
  receiveAddress,
  waitForBalance,
} from '../../scripts/person.ts';
import { type LocalTls, localTls } from '../../scripts/setup/ca.ts';
import { run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { freePort } from '../../scripts/setup/processes.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { launchChromium, type TestChromium } from './chromium.ts';
import { type FrameProxy, startFrameProxy } from './frameProxy.ts';

export interface World {
  node: Regtest;
  tls: LocalTls;
  chromium: TestChromium;
  cosigner: RunningCosigner;
  /** Between device and cosigner; `pairing` leads through it. */
  proxy: FrameProxy;
  /** A one-time link through the relay. */
  pairing: string;
  /** The browser's profile and the cosigner's data: what the search for secrets reads. */
  profile: string;
  cosignerFolder: string;
  /** Ends the cosigner as a power failure does, and starts it again on the same port and folder. */
  restartCosigner(): Promise<void>;
  /** Closes the browser, lets `work` have its profile's folder, and opens it again: locked, without a tab. */
  restartBrowser(work?: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Further settings of the cosigner, as on its command line. */
  settings?: readonly string[];
  /** A command that runs what is put behind it: the cosigner. */
  under?: readonly string[];
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-world-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  try {
    const tls = await localTls();
    const node = await startRegtest();
    stack.defer(node.stop);
    const profile = join(folder, 'profile');
    const cosignerFolder = join(folder, 'cosigner');
    const port = await freePort();
    const start = () =>
      startCosigner({
        folder: cosignerFolder,
        network: 'regtest',
        chain: chainOf(node),
        tls,
        port,
        ...options,
      });
    const cosigner = await start();
    const proxy = await startFrameProxy(tls, port);
    stack.defer(proxy.close);
    const browser = () => launchChromium({ profile, spkiHash: tls.spkiHash });
    const chromium = await browser();
    stack.defer(() => world.chromium.close());
    const world: World = {
      node,
      tls,
      chromium,
      cosigner,
      proxy,
      pairing: cosigner.pairing.replace(`:${port}`, `:${proxy.port}`),
      profile,
      cosignerFolder,
      async restartCosigner() {
        await world.cosigner.kill();
        world.cosigner = await start();
      },
      async restartBrowser(work) {
        await world.chromium.close();
        await work?.();
        world.chromium = await browser();
      },
      close: () => stack.disposeAsync(),
    };
    stack.defer(() => world.cosigner.stop());
    return world;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A wallet with one confirmed coin, open in a tab. */
export async function fundedWallet(world: World, sats: bigint, dailyLimit?: bigint, contact?: string) {
  const born: NewWallet = await createWallet(world.chromium.open, {
    pairing: world.pairing,
    ...(dailyLimit === undefined ? {} : { dailyLimit }),
    ...(contact === undefined ? {} : { contact }),
  });
  await born.page.close();
  const page = await openWallet(world.chromium.open);
  const address = await receiveAddress(page);
  await world.node.fund(address, sats);
  await world.node.mine(1);
  await waitForBalance(page, sats);
  return { page, address, words: born.words };
}

/** One of the operator's commands, at the cosigner's folder. Answers what it said. */
export function operate({ cosignerFolder }: World, command: string, ...settings: string[]): Promise<string> {
  const main = join(root, 'src/cosigner/main.ts');
  return run(
    process.execPath,
    [main, command, `--data=${cosignerFolder}`, '--network=regtest', ...settings],
    { deadlineMs: 20_000 },
  );
}

/** Another one-time link through the relay, as the operator's command prints it. */
export async function anotherLink(world: World): Promise<string> {
  const said = await operate(world, 'token', `--port=${world.proxy.port}`);
  const link = /^hoarfrost:\S+$/m.exec(said)?.[0];
  if (link === undefined) throw new Error(`no link in: ${said}`);
  return link;
}
