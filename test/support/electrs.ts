import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findElectrs } from '../../scripts/setup/electrs.ts';
import { freePort, start } from '../../scripts/setup/processes.ts';
import type { Regtest } from '../../scripts/setup/regtest.ts';

const START_MS = 30_000;

/** The real Electrum server over a regtest node that takes peers, in a folder of its own. */
export async function startElectrs(node: Regtest): Promise<{ port: number; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-electrs-'));
  const [port, monitoring] = [await freePort(), await freePort()];
  const electrs = start(await findElectrs(), [
    '--skip-default-conf-files',
    '--network=regtest',
    `--db-dir=${folder}`,
    `--daemon-rpc-addr=${new URL(node.rpcUrl).host}`,
    `--daemon-p2p-addr=127.0.0.1:${node.p2pPort}`,
    `--cookie-file=${node.cookieFile}`,
    `--electrum-rpc-addr=127.0.0.1:${port}`,
    `--monitoring-addr=127.0.0.1:${monitoring}`,
    // How long it may not notice a new transaction.
    '--wait-duration-secs=1',
    '--log-filters=WARN',
  ]);
  const stop = async () => {
    await electrs.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + START_MS;
  while (!(await answers(port))) {
    if (electrs.child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`electrs does not answer:\n${electrs.said()}`);
    }
    await sleep(100);
  }
  return { port, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
