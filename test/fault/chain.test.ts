/**
 * What becomes of a cosigner process when its chain source goes and comes back, and when six blocks are taken back: it signs on, says
 * that it is not ready, and then tells its devices what is true.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chainOf } from '../../scripts/cosigner.ts';
import { findElectrs } from '../../scripts/setup/electrs.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { type ChaosProxy, startChaosProxy } from '../support/chaosProxy.ts';
import { within } from '../support/cosigner.ts';
import { startElectrs } from '../support/electrs.ts';
import { startElectrumBridge } from '../support/electrumBridge.ts';
import { describeReal } from '../support/real.ts';
import { RECOVERY_MS, type Served, serve, survive } from './served.ts';

interface Kind {
  name: string;
  /** What the cosigner asks, over a node. */
  serve(node: Regtest): Promise<{ port: number; stop(): Promise<void> }>;
  /** Its `--chain` through a relay at that port. */
  setting(port: number, node: Regtest): string;
}

const electrum = (port: number) => `electrum:tcp://127.0.0.1:${port}`;
const kinds: Kind[] = [
  {
    name: 'bitcoind',
    serve: async ({ rpcUrl }) => ({ port: Number(new URL(rpcUrl).port), stop: async () => undefined }),
    setting: (port, { cookieFile }) => chainOf({ rpcUrl: `http://127.0.0.1:${port}`, cookieFile }),
  },
  await findElectrs().then(
    () => ({ name: 'Electrum (electrs)', serve: startElectrs, setting: electrum }),
    () => ({
      name: 'Electrum (bridge over node)',
      serve: (node: Regtest) => startElectrumBridge(node, { version: '1.6' }),
      setting: electrum,
    }),
  ),
];

await describeReal('the chain source', ['bitcoind', 'openssl'], () => {
  describe.each(kinds)('$name', (kind) => {
    let place: string;
    let node: Regtest;
    let source: { port: number; stop(): Promise<void> };
    let relay: ChaosProxy;
    let served: Served;

    const startSource = async () => {
      node = await startRegtest({ folder: place, p2p: true });
      source = await kind.serve(node);
      relay?.upstream(source.port);
    };
    const stopSource = async () => {
      await source.stop();
      await node.stop();
    };
    beforeEach(async () => {
      place = await mkdtemp(join(tmpdir(), 'hoarfrost-node-'));
      await startSource();
      relay = await startChaosProxy(source.port);
      served = await serve({ chain: kind.setting(relay.port, node) });
    });
    afterEach(async () => {
      await served?.stop();
      await relay?.stop();
      await stopSource();
      await rm(place, { recursive: true, force: true });
    });

    const scan = async () => {
      const client = await served.connect();
      return client.ask({ kind: 'scan' }, 'scanned').finally(() => client.close());
    };
    const address = (index: number) => deriveKey(served.device.account, 0, index).address;
    /** The node's own word: a server may notice later. */
    const tip = () => node.rpc<number>('getblockcount');
    /** Looks until the coins are at these heights. */
    const sees = (...heights: number[]) =>
      vi.waitFor(async () => expect((await scan()).coins.map((coin) => coin.height)).toEqual(heights), {
        timeout: 60_000,
        interval: 200,
      });

    test('node and server restart', async () => {
      await scan();
      await node.fund(address(0), 50_000n);
      await node.mine(1);
      const height = await tip();
      await sees(height);
      await survive(served, {
        begin: stopSource,
        async meanwhile(traffic) {
          await traffic.until(traffic.answered.length + 3);
          await expect
            .poll(() => served.ready(), { interval: 600 })
            .toMatchObject({
              status: 503,
              health: { chain: 'ChainUnavailable', store: 'ok' },
            });
          await expect(scan()).rejects.toMatchObject({ code: 'ChainUnavailable' });
        },
        end: startSource,
      });
      expect((await within('scan', scan(), RECOVERY_MS)).height).toBe(height);
      await node.fund(address(1), 60_000n);
      await sees(0, height);
    });

    test('a reorg of six blocks: devices hear of it, the coin is unconfirmed, and then confirmed elsewhere', async () => {
      await scan();
      await node.fund(address(0), 50_000n);
      const [first] = await node.mine(1);
      await node.mine(5);
      const before = await tip();
      await sees(before - 5);
      const listening = await served.connect();
      await survive(served, {
        begin: () => node.rpc('invalidateblock', [first]),
        async end() {
          const to = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
          for (let i = 0; i < 7; i++) await node.rpc('generateblock', [to, []]);
        },
      });
      await sees(0);
      await vi.waitFor(
        async () => {
          await listening.ask({ kind: 'fees' }, 'fees');
          expect(listening.notices).toContainEqual({ kind: 'chain', height: before + 1 });
        },
        { timeout: RECOVERY_MS, interval: 200 },
      );
      await listening.close();
      await node.mine(1);
      await sees(before + 2);
    });
  });
});
