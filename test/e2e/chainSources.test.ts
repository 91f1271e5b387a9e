/**
 * Every chain source by one suite, against a real regtest node: bitcoind itself, an Esplora and an Electrum server that are
 * bridges over that node, and the real `electrs` where `npm run peers` has built it. Between source and server stands a
 * relay that spoils what passes.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { localTls } from '../../scripts/setup/ca.ts';
import { run } from '../../scripts/setup/command.ts';
import { findElectrs } from '../../scripts/setup/electrs.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { selectCoins } from '../../src/bitcoin/coins.ts';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { createBitcoind } from '../../src/chain/bitcoind.ts';
import { createElectrum } from '../../src/chain/electrum.ts';
import { createEsplora } from '../../src/chain/esplora.ts';
import type { AccountScan, ChainSource } from '../../src/chain/source.ts';
import { dialSocket } from '../../src/chain/transport/socket.ts';
import { openChain } from '../../src/cosigner/chain.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import type { Network } from '../../src/protocol/networks.ts';
import { type ChaosProxy, FAULTS, startChaosProxy } from '../support/chaosProxy.ts';
import { startElectrs } from '../support/electrs.ts';
import { type ElectrumBridge, startElectrumBridge } from '../support/electrumBridge.ts';
import { startEsploraBridge } from '../support/esploraBridge.ts';
import { describeReal } from '../support/real.ts';
import { type WholeKey, wholeKey } from '../support/wholeKey.ts';

interface Server {
  port: number;
  fingerprint?: string;
  stop(): Promise<void>;
}
interface Kind {
  name: string;
  serve(node: Regtest): Promise<Server>;
  source(to: { port: number; fingerprint: string; node: Regtest; network: Network }): ChainSource;
}

const DEADLINE_MS = 4_000;
/** How soon a source is to work again after a fault's end (issue 5): what is shown, so not stretched for a busy machine. */
const RECOVERY_MS = 5_000;
/** How long a server may take to notice what its node has. */
const NOTICE_MS = 60_000;

const timing = { now: Date.now, deadlineMs: DEADLINE_MS };
const overTcp: Kind['source'] = ({ port, network }) =>
  createElectrum({ dial: dialSocket({ host: '127.0.0.1', port, tls: null }), network, ...timing });

const kinds: Kind[] = [
  {
    name: 'bitcoind RPC',
    serve: async ({ rpcUrl }) => ({ port: Number(new URL(rpcUrl).port), stop: async () => undefined }),
    source: ({ port, node, network }) =>
      createBitcoind({
        url: `http://127.0.0.1:${port}`,
        credentials: () => readFile(node.cookieFile, 'utf8'),
        network,
        deadlineMs: DEADLINE_MS,
      }),
  },
  {
    name: 'Esplora (bridge over node)',
    async serve(node) {
      const { url, stop } = await startEsploraBridge(node);
      return { port: Number(new URL(url).port), stop };
    },
    source: ({ port, network }) => createEsplora({ url: `http://127.0.0.1:${port}/api`, network, ...timing }),
  },
  {
    name: 'Electrum 1.4 TCP (bridge over node)',
    serve: (node) => startElectrumBridge(node, { version: '1.4' }),
    source: overTcp,
  },
  {
    name: 'Electrum 1.6 TLS (bridge over node)',
    serve: async (node) => startElectrumBridge(node, { version: '1.6', tls: await localTls() }),
    source: ({ port, fingerprint, network }) =>
      createElectrum({
        dial: dialSocket({ host: '127.0.0.1', port, tls: { fingerprint } }),
        network,
        ...timing,
      }),
  },
];
const ELECTRS = 'Electrum over TCP';
await findElectrs().then(
  async (program) => {
    const version = (await run(program, ['--version'], { deadlineMs: 10_000 })).trim();
    kinds.push({ name: `${ELECTRS} (electrs ${version})`, serve: startElectrs, source: overTcp });
  },
  ({ message }: Error) => describe.skip(`${ELECTRS} [${message}]`, () => test('skipped', () => undefined)),
);

await describeReal('a chain source', ['bitcoind', 'openssl'], () => {
  describe.each(kinds)('$name', (kind) => {
    let folder: string;
    let node: Regtest;
    let server: Server;
    let proxy: ChaosProxy;
    let source: ChainSource;

    const connect = (network: Network = 'regtest'): ChainSource =>
      kind.source({ port: proxy.port, fingerprint: server.fingerprint ?? '', node, network });

    async function startNode(): Promise<void> {
      node = await startRegtest({ folder, p2p: true });
      server = await kind.serve(node);
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hoarfrost-sources-'));
      await startNode();
      proxy = await startChaosProxy(server.port);
      source = connect();
    });
    afterAll(async () => {
      source?.close();
      await proxy?.stop();
      await server?.stop();
      await node?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const addressOf = (key: WholeKey, index: number) => deriveKey(key.account, 0, index).address;

    async function funded(seed: string, sats: bigint): Promise<WholeKey> {
      const key = wholeKey(seed);
      // The first look asks most of all, and may be late where the machine is busy.
      await vi.waitFor(() => source.scan(key.account), { timeout: NOTICE_MS });
      await node.fund(addressOf(key, 0), sats);
      await node.rpc('syncwithvalidationinterfacequeue');
      return key;
    }

    /** Looks until what is seen is as expected: a server may notice later than its node. */
    async function sees(
      key: WholeKey,
      expected: Partial<Record<keyof AccountScan, unknown>>,
    ): Promise<AccountScan> {
      return vi.waitFor(
        async () => {
          const scan = await source.scan(key.account);
          expect(scan).toMatchObject(expected);
          return scan;
        },
        { timeout: NOTICE_MS, interval: 100 },
      );
    }

    function pay(key: WholeKey, scan: AccountScan, address: string, value: bigint) {
      const { script } = parseAddress(address, 'regtest');
      const outputs = [{ script, value }];
      const { inputs, change } = selectCoins({
        coins: scan.coins,
        feeRate: 2000n,
        height: scan.height,
        outputs,
      });
      const psbt = buildPayment({
        account: key.account,
        coins: inputs,
        outputs,
        change: { path: { branch: 1, index: scan.nextChange }, value: change },
        randomness: crypto.getRandomValues(new Uint8Array(4)),
      });
      const fee = inputs.reduce((sum, coin) => sum + coin.value, 0n) - value - change;
      return { ...finalize(psbt, sighashes(parsePsbt(psbt), key.account).map(key.sign)), change, fee };
    }

    const payee = () => node.rpc<string>('getnewaddress', [], { wallet: 'miner' });

    test('receive, confirm, pay and confirm are seen with amounts, heights, times and indices', async () => {
      const key = await funded('payment', 50_000n);
      await sees(key, {
        coins: [{ value: 50_000n, height: 0, branch: 0, index: 0 }],
        nextReceive: 1,
        nextChange: 0,
      });
      await node.fund(addressOf(key, 4), 70_000n);
      const [hash] = await node.mine(1);
      const { height, time } = await node.rpc<{ height: number; time: number }>('getblockheader', [hash]);
      const confirmed = await sees(key, {
        height,
        tip: hash,
        nextReceive: 5,
        coins: [
          { value: 70_000n, height, index: 4, coinbase: false },
          { value: 50_000n, height, index: 0, coinbase: false },
        ],
      });
      expect(confirmed.history).toHaveLength(2);
      for (const entry of confirmed.history)
        expect(entry).toMatchObject({ height, sent: 0n, time: time * 1000 });

      const paid = pay(key, confirmed, await payee(), 100_000n);
      expect(await source.broadcast(paid.transaction)).toBe(paid.txid);
      await sees(key, {
        coins: [{ value: paid.change, height: 0, branch: 1, index: 0 }],
        nextChange: 1,
        history: [
          { txid: paid.txid, height: 0, sent: 120_000n, received: paid.change, fee: paid.fee },
          { sent: 0n },
          { sent: 0n },
        ],
      });
      await node.mine(1);
      await sees(key, { height: height + 1, coins: [{ value: paid.change, height: height + 1 }] });
      expect(await source.transaction(paid.txid)).toEqual({
        transaction: paid.transaction,
        height: height + 1,
      });
      expect(await source.height()).toBe(height + 1);
      // Again, after it was mined: it counts as sent.
      expect(await source.broadcast(paid.transaction)).toBe(paid.txid);
    });

    test('what the network refuses is BroadcastRejected, and what nobody knows is null', async () => {
      const key = await funded('refused', 40_000n);
      await node.mine(1);
      const scan = await sees(key, { coins: [{ value: 40_000n }] });
      const { transaction } = pay(key, scan, await payee(), 10_000n);
      const broken = Uint8Array.from(transaction);
      broken[broken.length - 10]! ^= 1;
      await expect(source.broadcast(broken)).rejects.toMatchObject({ code: 'BroadcastRejected' });
      expect(await source.transaction('ab'.repeat(32))).toBeNull();
    });

    test('a reward is seen as one', async () => {
      const key = wholeKey('miner');
      await source.scan(key.account);
      await node.mine(1, addressOf(key, 0));
      await sees(key, { coins: [{ coinbase: true }] });
    });

    test('audit-20: fee rates are in order and within bounds', async () => {
      const { fast, medium, slow, floor } = await source.fees();
      expect(fast >= medium && medium >= slow && slow >= floor).toBe(true);
      expect(floor >= 100 && fast <= 1_000_000).toBe(true);
    });

    test('BIP-431: a package pays for its parent, and is refused as a whole', async () => {
      if (kind.name.includes('1.4')) {
        // Protocol 1.4 has no such call.
        await expect(source.broadcastPackage!([])).rejects.toMatchObject({ code: 'ChainUnavailable' });
        return;
      }
      const packageOf = async (childFee: number) => {
        const [coin] = await node.rpc<{ txid: string; vout: number; amount: number }[]>(
          'listunspent',
          [100],
          { wallet: 'miner' },
        );
        const to = await payee();
        const signed = async (inputs: object[], amount: number, known: object[] = []) => {
          const raw = await node.rpc<string>('createrawtransaction', [inputs, { [to]: amount.toFixed(8) }]);
          const v3 = raw.replace(/^02/, '03');
          const { hex: done } = await node.rpc<{ hex: string }>('signrawtransactionwithwallet', [v3, known], {
            wallet: 'miner',
          });
          return done;
        };
        const parent = await signed([{ txid: coin!.txid, vout: coin!.vout }], coin!.amount);
        const decoded = await node.rpc<{ txid: string; vout: { scriptPubKey: { hex: string } }[] }>(
          'decoderawtransaction',
          [parent],
        );
        const spent = { txid: decoded.txid, vout: 0 };
        const child = await signed([spent], coin!.amount - childFee, [
          { ...spent, scriptPubKey: decoded.vout[0]!.scriptPubKey.hex, amount: coin!.amount },
        ]);
        return { txid: decoded.txid, raw: [parent, child].map((tx) => Uint8Array.from(hex.decode(tx))) };
      };
      const unpaid = await packageOf(0);
      await expect(source.broadcastPackage!(unpaid.raw)).rejects.toMatchObject({ code: 'BroadcastRejected' });
      const paid = await packageOf(0.0001);
      await source.broadcastPackage!(paid.raw);
      expect(await node.rpc<string[]>('getrawmempool')).toContain(paid.txid);
      await node.mine(1);
    });

    test('audit-26: a reorg of 6 blocks takes back what was confirmed, and the next chain confirms it again', async () => {
      const key = await funded('reorg', 33_000n);
      const [first] = await node.mine(1);
      await node.mine(5);
      const height = await node.rpc<number>('getblockcount');
      const before = await sees(key, {
        height,
        coins: [{ value: 33_000n }],
        history: [{ height: height - 5 }],
      });
      await node.rpc('invalidateblock', [first]);
      const to = await payee();
      for (let i = 0; i < 7; i++) await node.rpc('generateblock', [to, []]);
      const taken = await sees(key, {
        height: height + 1,
        history: [{ height: 0 }],
        coins: [{ height: 0 }],
      });
      expect(taken.tip).not.toBe(before.tip);
      const [again] = await node.mine(1);
      const { time } = await node.rpc<{ time: number }>('getblockheader', [again]);
      const confirmed = { height: height + 2 };
      await sees(key, { tip: again, history: [{ ...confirmed, time: time * 1000 }], coins: [confirmed] });
    });

    test.each(FAULTS)(
      'audit-06: %s ends in a typed error within the deadline, and the next call works',
      async (fault) => {
        const key = await funded(`chaos ${fault}`, 20_000n);
        await sees(key, { coins: [{ value: 20_000n }] });
        const fresh = connect();
        try {
          proxy.fault(fault);
          const calls = [
            source.height(),
            source.scan(key.account),
            source.fees(),
            fresh.scan(wholeKey('fresh').account),
          ];
          for (const call of await Promise.allSettled(calls)) {
            if (fault === 'reorder') expect(call.status).toBe('fulfilled');
            else expect(call).toMatchObject({ status: 'rejected', reason: { code: 'ChainUnavailable' } });
          }
          await node.fund(addressOf(key, 1), 21_000n);
          proxy.fault(null);
          // By itself, and without a try that fails first where a connection is there again.
          await vi.waitFor(() => Promise.all([source.height(), fresh.height()]), {
            timeout: RECOVERY_MS,
            interval: 100,
          });
          // What came meanwhile is seen: subscriptions are renewed, and compared with what was known.
          await sees(key, { coins: [{ value: 21_000n }, { value: 20_000n }] });
        } finally {
          proxy.fault(null);
          fresh.close();
        }
      },
    );

    test('audit-06: node and server restart, and the same source works on', async () => {
      const key = await funded('restart', 8_000n);
      await node.mine(1);
      await sees(key, { coins: [{ value: 8_000n }] });
      await server.stop();
      await node.stop();
      await expect(source.scan(key.account)).rejects.toMatchObject({ code: 'ChainUnavailable' });
      await startNode();
      proxy.upstream(server.port);
      await vi.waitFor(() => source.height(), { timeout: RECOVERY_MS, interval: 100 });
      await node.fund(addressOf(key, 1), 9_000n);
      await sees(key, { coins: [{ value: 9_000n }, { value: 8_000n }] });
    });

    test('a server of another network, or one that is closed, says so', async () => {
      const wrong = connect('mutinynet');
      await expect(wrong.height()).rejects.toMatchObject({ code: 'WrongNetwork' });
      await expect(source.scan(wholeKey('elsewhere', 'mainnet').account)).rejects.toMatchObject({
        code: 'WrongNetwork',
      });
      wrong.close();
      await expect(wrong.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
    });
  });

  describe('Electrum', () => {
    let node: Regtest;
    let bridge: ElectrumBridge;

    beforeAll(async () => {
      node = await startRegtest();
      bridge = await startElectrumBridge(node, { version: '1.6', tls: await localTls() });
    });
    afterAll(async () => {
      await bridge?.stop();
      await node?.stop();
    });

    const over = (fingerprint: string | null) =>
      createElectrum({
        dial: dialSocket({ host: '127.0.0.1', port: bridge.port, tls: { fingerprint } }),
        network: 'regtest',
        ...timing,
      });

    test('a certificate that is neither trusted nor the pinned one is refused', async () => {
      for (const fingerprint of [null, 'ab'.repeat(32)]) {
        const source = over(fingerprint);
        await expect(source.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
        source.close();
      }
    });

    test("the cosigner's setting opens it", async () => {
      const address = { host: '127.0.0.1', port: bridge.port, tls: { fingerprint: bridge.fingerprint } };
      const source = openChain({ kind: 'electrum', address }, 'regtest', systemClock);
      expect(await source.height()).toBe(await node.rpc('getblockcount'));
      source.close();
    });

    test('audit-06: after a lost connection scripts are subscribed to again, and only what differs is read anew', async () => {
      const source = over(bridge.fingerprint);
      const key = wholeKey('again');
      for (const index of [0, 1]) await node.fund(deriveKey(key.account, 0, index).address, 10_000n);
      await node.mine(1);
      expect((await source.scan(key.account)).coins).toHaveLength(2);
      bridge.asked();
      await source.scan(key.account);
      expect(bridge.asked()).toEqual(['blockchain.headers.subscribe']);

      bridge.hangUp();
      await node.fund(deriveKey(key.account, 0, 1).address, 11_000n);
      await vi.waitFor(() => source.height(), { timeout: RECOVERY_MS });
      bridge.asked();
      expect((await source.scan(key.account)).coins).toHaveLength(3);
      const asked = bridge.asked();
      const count = (method: string) => asked.filter((name) => name === method).length;
      expect(count('blockchain.scripthash.subscribe')).toBe(42);
      expect(count('blockchain.scripthash.get_history')).toBe(1);
      expect(count('blockchain.transaction.get')).toBe(1);
      source.close();
    });

    test('audit-26: blocks are read once while the chain grows, and again after a reorg, at the same height too', async () => {
      const source = over(bridge.fingerprint);
      const key = wholeKey('blocks');
      await node.fund(deriveKey(key.account, 0, 0).address, 10_000n);
      const [first] = await node.mine(1);
      await node.mine(1);
      const [before] = (await source.scan(key.account)).history;
      await node.mine(3);
      bridge.asked();
      expect((await source.scan(key.account)).history).toEqual([before]);
      const asked = bridge.asked();
      expect(asked).toContain('blockchain.block.headers');
      expect(asked).not.toContain('blockchain.block.header');

      await node.rpc('invalidateblock', [first]);
      await node.rpc('setmocktime', [before!.time / 1000 + 5000]);
      const [other] = await node.mine(6);
      await node.rpc('setmocktime', [0]);
      const { time } = await node.rpc<{ time: number }>('getblockheader', [other]);
      const [after] = (await source.scan(key.account)).history;
      expect(after).toEqual({ ...before, time: time * 1000 });
      expect(after!.time).not.toBe(before!.time);
      source.close();
    });

    test('a server that lies about shapes or transactions is not believed', async () => {
      const key = wholeKey('lies');
      await node.fund(deriveKey(key.account, 0, 0).address, 10_000n);
      await node.mine(1);
      const lies: [string, (truth: never) => unknown][] = [
        ['server.version', () => ['x', '2.0']],
        ['server.version', () => ['x', '1.7']],
        ['server.version', () => 'x'],
        ['blockchain.headers.subscribe', (tip: object) => ({ ...tip, height: -1 })],
        ['blockchain.headers.subscribe', (tip: object) => ({ ...tip, hex: 'ab' })],
        ['blockchain.scripthash.subscribe', () => 'status'],
        ['blockchain.scripthash.get_history', () => [{ tx_hash: 'xy', height: 1 }]],
        [
          'blockchain.scripthash.get_history',
          (touches: object[]) => touches.map((t) => ({ ...t, height: 1e9 })),
        ],
        [
          'blockchain.scripthash.get_history',
          (touches: object[]) => touches.map((t) => ({ ...t, height: 5000 })),
        ],
        ['blockchain.scripthash.get_history', (touches: object[]) => [...touches, ...touches]],
        ['blockchain.transaction.get', (raw: string) => `${raw.slice(0, -2)}ff`],
        ['blockchain.transaction.get', () => null],
        ['blockchain.transaction.get', () => 'zz'],
        ['blockchain.block.header', () => 'ab'.repeat(79)],
      ];
      for (const [method, lie] of lies) {
        bridge.lie(method, lie);
        const source = over(bridge.fingerprint);
        await expect(source.scan(key.account), `${method} ${lie}`).rejects.toMatchObject({
          code: 'ChainUnavailable',
        });
        source.close();
      }
      const source = over(bridge.fingerprint);
      bridge.lie('blockchain.estimatefee', () => 21e6);
      expect(await source.fees()).toMatchObject({ fast: 1_000_000, medium: 1_000_000, slow: 1_000_000 });
      bridge.lie('blockchain.estimatefee', () => -1);
      expect((await source.fees()).fast).toBeLessThan(10_000);
      bridge.lie('', null);
      expect((await source.scan(key.account)).coins).toMatchObject([{ value: 10_000n }]);
      source.close();
    });
  });
});
