/**
 * A cosigner process with a device that signs without a pause: what a fault is to be survived by. Its chain source is one that
 * never moves, so that nothing else is wrong while the fault lasts.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type RunningCosigner, startCosigner } from '../../scripts/cosigner.ts';
import { run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { freePort } from '../../scripts/setup/processes.ts';
import { networkParams } from '../../src/bitcoin/network.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  type Address,
  Client,
  enrol,
  pay,
  removeFolder,
  type TestDevice,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';
import { expectNothingLost, keepSigning, type Traffic } from '../support/traffic.ts';

/** How soon all is well again after a fault's end (issue 5): that is what is shown, so it is not stretched for a busy machine. */
export const RECOVERY_MS = 5_000;
const LANES = 2;
/** With the lanes, never the decisions that a wallet has in a minute, however long a fault lasts. */
const PAUSE_MS = 600;

/** As much of an Esplora as a cosigner asks that nobody asks for coins. */
export async function startStillChain(): Promise<{ url: string; stop(): Promise<void> }> {
  const server: Server = createServer((asked, answer) => {
    if (asked.url === '/block-height/0') answer.end(networkParams('regtest').genesis);
    else answer.end('100');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `esplora:http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export function readPairing(uri: string): Address & { token: string } {
  const { port, query } = /^hoarfrost:127\.0\.0\.1:(?<port>\d+)\?(?<query>\S+)$/.exec(uri)!.groups as Record<
    string,
    string
  >;
  const fields = new URLSearchParams(query);
  const noiseKey = Uint8Array.from(Buffer.from(fields.get('k')!, 'hex'));
  return { port: Number(port), noiseKey, token: fields.get('t')! };
}

export interface Served {
  /** The process as it runs now. */
  readonly cosigner: RunningCosigner;
  /** Again, on its folder and its port: as its service manager does. */
  start(): Promise<void>;
  readonly folder: string;
  readonly device: TestDevice;
  connect(): Promise<Client>;
  /** One more device, with a token that is made now: makes its wallet if there is none yet, and pays. */
  newcomer(): Promise<() => Promise<void>>;
  /** What /readyz says. */
  ready(): Promise<{ status: number; health: Record<string, string> }>;
  stop(): Promise<void>;
}

export interface ServeOptions {
  chain: string;
  folder?: string;
  /** A free one when left out. */
  port?: number;
  under?: readonly string[];
  settings?: readonly string[];
}

/** A cosigner with one wallet. */
export async function serve(options: ServeOptions): Promise<Served> {
  const { folder = testFolder(), chain, under = [], settings = [] } = options;
  const tls = await testTls;
  const ca = readFileSync(tls.caFile);
  const port = options.port ?? (await freePort());
  const start = () => startCosigner({ folder, network: 'regtest', chain, tls, port, under, settings });
  let cosigner = await start();
  const address = () => readPairing(cosigner.pairing);
  const noise = await generateNoiseKeyPair();
  const client = await Client.connect(address(), noise);
  const device = await enrol(client, noise, address().token);
  await client.close();
  return {
    get cosigner() {
      return cosigner;
    },
    async start() {
      cosigner = await start();
    },
    folder,
    device,
    connect: () => Client.connect(address(), noise),
    async newcomer() {
      const store = settings.filter((setting) => setting.startsWith('--store='));
      const main = [join(root, 'src/cosigner/main.ts'), 'token', `--data=${folder}`, '--port=1', ...store];
      const [command, ...args] = [...under, process.execPath, ...main];
      const said = await run(command!, args, { deadlineMs: 30_000 });
      const { token } = readPairing(said.split('\n')[0]!);
      const own = await generateNoiseKeyPair();
      let made: TestDevice | undefined;
      return async () => {
        const there = await Client.connect(address(), own);
        try {
          made ??= await enrol(there, own, token);
          await pay(there, made, 1000n);
        } finally {
          await there.close();
        }
      };
    },
    ready: () =>
      new Promise((resolve, reject) => {
        const url = `${cosigner.url.replace('wss:', 'https:')}/readyz`;
        request(url, { ca, agent: false, timeout: 10_000 }, (answer) => {
          let text = '';
          answer.on('data', (part) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode!, health: JSON.parse(text) }));
        })
          .on('timeout', () => reject(new Error('readyz')))
          .on('error', reject)
          .end();
      }),
    async stop() {
      await cosigner.stop();
      removeFolder(folder);
    },
  };
}

export interface Fault {
  begin(): Promise<unknown>;
  /** While it lasts. */
  meanwhile?(traffic: Traffic): Promise<unknown>;
  end(): Promise<unknown>;
}

/** Through the fault, and by itself to where it was: signing and ready in time, and nothing that was answered is lost. */
export async function survive(served: Served, fault: Fault): Promise<void> {
  const traffic = keepSigning(served.device, served.connect, LANES, PAUSE_MS);
  await within('traffic', traffic.until(4));
  await fault.begin();
  await fault.meanwhile?.(traffic);
  await fault.end();
  const before = traffic.answered.length;
  const recovered = async () => {
    await traffic.until(before + 3);
    // A check of what is not yet back may take longer than is waited for it.
    const isReady = async () => (await served.ready().catch(() => null))?.status === 200;
    while (!(await isReady())) await sleep(250);
  };
  await within('recovery', recovered(), RECOVERY_MS);
  await traffic.stop();
  const client = await served.connect();
  await expectNothingLost(client, served.device, traffic);
  await client.close();
}

/** The same where the store can write nothing: it is said, nobody is signed for or enrolled, and the token holds afterwards. */
export async function surviveWithoutStore(served: Served, fault: Fault): Promise<void> {
  const comes = await served.newcomer();
  await survive(served, {
    ...fault,
    async meanwhile(traffic) {
      await expect
        .poll(() => served.ready(), { interval: 600 })
        .toMatchObject({ status: 503, health: { store: 'StoreUnavailable' } });
      await expect.poll(() => traffic.failed).toContain('StoreUnavailable');
      const signed = traffic.answered.length;
      await expect(comes()).rejects.toMatchObject({ code: 'StoreUnavailable' });
      expect(traffic.answered.length).toBe(signed);
      expect(new Set(traffic.failed)).toEqual(new Set(['StoreUnavailable']));
    },
  });
  await comes();
}
