import { join } from 'node:path';
import type { LocalTls } from './setup/ca.ts';
import { root } from './setup/paths.ts';
import { heard, start } from './setup/processes.ts';

export interface CosignerOptions {
  /** Its keys and database. */
  folder: string;
  network: string;
  /** As its `--chain` takes it: `esplora:URL`, or `chainOf` a regtest node. */
  chain: string;
  tls: LocalTls;
  /** A free one when left out. */
  port?: number;
  /** Further settings, as on its command line. */
  settings?: readonly string[];
  /** A command that runs what is put behind it. */
  under?: readonly string[];
  /** Of the Node that it runs in. */
  nodeFlags?: readonly string[];
}

/** A cosigner process of our own, on the loopback address. */
export interface RunningCosigner {
  /** `wss://127.0.0.1:PORT` */
  url: string;
  /** A one-time `hoarfrost:` link made for this start. */
  pairing: string;
  pid: number;
  /** All that it printed and logged. */
  log(): string;
  /** SIGTERM: it finishes what is in flight. */
  stop(): Promise<void>;
  /** SIGKILL: as when the power fails. */
  kill(): Promise<void>;
}

const READY_DEADLINE = 60_000;
/** It gives what is in flight 30 s of its own. */
const STOP_GRACE = 35_000;

export const chainOf = (node: { rpcUrl: string; cookieFile: string }): string =>
  `bitcoind:${node.rpcUrl}?cookie=${encodeURIComponent(node.cookieFile)}`;

/** @throws Error with what the cosigner said, when it does not come up */
export async function startCosigner(options: CosignerOptions): Promise<RunningCosigner> {
  const { folder, network, chain, tls, port = 0, settings = [], under = [], nodeFlags = [] } = options;
  let log = '';
  const [command, ...args] = [...under, process.execPath];
  const cosigner = start(
    command!,
    [
      ...args,
      ...nodeFlags,
      join(root, 'src/cosigner/main.ts'),
      'serve',
      '--print-pairing',
      `--data=${folder}`,
      `--network=${network}`,
      `--chain=${chain}`,
      '--chain-poll=1',
      '--host=127.0.0.1',
      `--port=${port}`,
      `--tls-cert=${tls.certFile}`,
      `--tls-key=${tls.keyFile}`,
      ...settings,
    ],
    {
      cwd: root,
      onOutput: (text) => {
        log += text;
      },
    },
  );
  const ready = (said: string) => {
    const url = /^listening (wss:\S+)$/m.exec(said)?.[1];
    const pairing = /^(hoarfrost:\S+)$/m.exec(said)?.[1];
    return url && pairing ? { url, pairing } : undefined;
  };
  try {
    return {
      ...(await heard('the cosigner', cosigner, ready, READY_DEADLINE)),
      pid: cosigner.child.pid!,
      log: () => log,
      stop: () => cosigner.stop(STOP_GRACE),
      kill: () => cosigner.stop(0),
    };
  } catch (error) {
    await cosigner.stop(0);
    throw error;
  }
}
