import { readFile, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { hex } from '@scure/base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { selectCoins, sendAll } from '../../src/bitcoin/coins.ts';
import { branchDescriptors, deriveKey, exportDescriptor } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { summarise } from '../../src/bitcoin/summary.ts';
import { encodeTransaction, parseTransaction, txidOf, weightOf } from '../../src/bitcoin/transaction.ts';
import { createBitcoind } from '../../src/chain/bitcoind.ts';
import { createEsplora } from '../../src/chain/esplora.ts';
import type { AccountScan, ChainSource } from '../../src/chain/source.ts';
import { type EsploraBridge, startEsploraBridge } from '../support/esploraBridge.ts';
import { describeReal } from '../support/real.ts';
import { type WholeKey, wholeKey } from '../support/wholeKey.ts';

await describeReal('a real node', ['bitcoind'], () => {
  let node: Regtest;
  let bridge: EsploraBridge;
  let bitcoind: ChainSource;
  let esplora: ChainSource;

  beforeAll(async () => {
    node = await startRegtest();
    bridge = await startEsploraBridge(node);
    bitcoind = overRpc();
    esplora = createEsplora({ url: bridge.url, network: 'regtest', now: Date.now });
  });
  afterAll(async () => {
    bitcoind?.close();
    esplora?.close();
    await bridge?.stop();
    await node?.stop();
  });

  const overRpc = (url = node.rpcUrl): ChainSource =>
    createBitcoind({
      url,
      credentials: () => readFile(node.cookieFile, 'utf8'),
      network: 'regtest',
    });

  /** Unconfirmed, and with the node's wallets told: they hear of the mempool a moment later. */
  async function fund(address: string, sats: bigint): Promise<string> {
    const txid = await node.fund(address, sats);
    await node.rpc('syncwithvalidationinterfacequeue');
    return txid;
  }

  /** A wallet that the node has watched from before its first payment. */
  async function watched(seed: string): Promise<WholeKey> {
    const key = wholeKey(seed);
    await bitcoind.scan(key.account);
    return key;
  }

  /** Pays `amount` sats, signed by the whole key; gives the finished transaction. */
  function pay(key: WholeKey, scan: AccountScan, address: string, amount: bigint | 'all', feeRate = 2000n) {
    const { script } = parseAddress(address, 'regtest');
    const wanted = { coins: scan.coins, feeRate, height: scan.height };
    const chosen =
      amount === 'all'
        ? { ...sendAll({ ...wanted, script }), change: 0n }
        : { ...selectCoins({ ...wanted, outputs: [{ script, value: amount }] }), value: amount };
    const psbt = buildPayment({
      account: key.account,
      coins: chosen.inputs,
      outputs: [{ script, value: chosen.value }],
      change:
        chosen.change > 0n ? { path: { branch: 1, index: scan.nextChange }, value: chosen.change } : null,
      randomness: crypto.getRandomValues(new Uint8Array(4)),
    });
    const parsed = parsePsbt(psbt);
    const summary = summarise(parsed, key.account, { receive: scan.nextReceive, change: scan.nextChange });
    const signatures = sighashes(parsed, key.account).map(key.sign);
    return { ...finalize(psbt, signatures), psbt, summary, chosen };
  }

  test('BIP-380/386/389: the descriptor wallet derives the same first 20 receive and change addresses', async () => {
    const { account } = wholeKey('descriptor');
    for (const [branch, descriptor] of branchDescriptors(account).entries()) {
      const own = Array.from({ length: 20 }, (_, i) => deriveKey(account, branch as 0 | 1, i).address);
      expect(await node.rpc('deriveaddresses', [descriptor, [0, 19]])).toEqual(own);
    }
    // The node's own checksum, and the exported form with both branches in one.
    const exported = exportDescriptor(account);
    const info = await node.rpc<{ checksum: string; multipath_expansion: string[] }>('getdescriptorinfo', [
      exported,
    ]);
    expect(exported.endsWith(`#${info.checksum}`)).toBe(true);
    expect(info.multipath_expansion).toEqual(branchDescriptors(account));

    await node.rpc('createwallet', ['elsewhere', true, true]);
    const [imported] = await node.rpc<{ success: boolean }[]>(
      'importdescriptors',
      [[{ desc: exported, active: true, range: [0, 19], timestamp: 'now' }]],
      { wallet: 'elsewhere' },
    );
    expect(imported).toMatchObject({ success: true });
    for (const [method, branch] of [
      ['getnewaddress', 0],
      ['getrawchangeaddress', 1],
    ] as const) {
      for (let i = 0; i < 20; i++) {
        const params = method === 'getnewaddress' ? ['', 'bech32m'] : ['bech32m'];
        expect(await node.rpc(method, params, { wallet: 'elsewhere' })).toBe(
          deriveKey(account, branch, i).address,
        );
      }
    }
  });

  test('both sources see the same coins, history and indices through receive, pay, confirm', async () => {
    const key = await watched('payment');
    const address = (i: number) => deriveKey(key.account, 0, i).address;
    const both = async (): Promise<AccountScan> => {
      const scan = await bitcoind.scan(key.account);
      const other = await esplora.scan(key.account);
      // When it was first seen (and so its order), and what a stranger paid to miners, need not be known alike.
      const settled = ({ history, ...rest }: AccountScan) => ({
        ...rest,
        history: history
          .map(({ time, fee, ...entry }) => ({
            ...entry,
            time: entry.height > 0 ? time : null,
            fee: entry.sent > 0n ? fee : null,
          }))
          .sort((a, b) => (a.txid < b.txid ? -1 : 1)),
      });
      expect(settled(other)).toEqual(settled(scan));
      return scan;
    };
    expect(await both()).toMatchObject({ coins: [], history: [], nextReceive: 0, nextChange: 0 });

    const funding = await fund(address(0), 50_000n);
    await fund(address(3), 70_000n);
    const incoming = await both();
    expect(incoming).toMatchObject({ nextReceive: 4, nextChange: 0 });
    expect(incoming.coins.map(({ value, height, index }) => ({ value, height, index }))).toEqual([
      { value: 70_000n, height: 0, index: 3 },
      { value: 50_000n, height: 0, index: 0 },
    ]);

    await node.mine(1);
    const confirmed = await both();
    expect(confirmed.coins.every(({ height }) => height === confirmed.height)).toBe(true);
    expect(confirmed.history.find(({ txid }) => txid === funding)).toMatchObject({
      received: 50_000n,
      sent: 0n,
    });

    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const paid = pay(key, confirmed, payee, 100_000n);
    expect(await bitcoind.broadcast(paid.transaction)).toBe(paid.txid);
    await node.rpc('syncwithvalidationinterfacequeue');
    const waiting = await both();
    expect(waiting.history[0]).toMatchObject({
      txid: paid.txid,
      height: 0,
      received: paid.chosen.change,
      sent: 120_000n,
      fee: paid.summary.fee,
      transaction: paid.transaction,
    });
    expect(waiting).toMatchObject({ nextReceive: 4, nextChange: 1 });

    await node.mine(1);
    const done = await both();
    expect(done.history[0]).toMatchObject({ txid: paid.txid, height: done.height });
    expect(done.coins).toMatchObject([{ value: paid.chosen.change, branch: 1, index: 0 }]);

    // The node's own reading of what was mined: size, fee and a witness of one 64-byte signature an input.
    const mined = await node.rpc<{ vsize: number; vin: { txinwitness: string[] }[] }>('getrawtransaction', [
      paid.txid,
      1,
    ]);
    expect(mined.vsize).toBe(paid.vsize);
    expect(paid.summary.vsize).toBe(paid.vsize);
    expect(mined.vin.map(({ txinwitness }) => txinwitness.map((item) => item.length))).toEqual([
      [128],
      [128],
    ]);
    const { transaction, height } = (await esplora.transaction(paid.txid))!;
    expect([hex.encode(transaction), height]).toEqual([hex.encode(paid.transaction), done.height]);
    expect(await bitcoind.transaction(paid.txid)).toEqual({ transaction: paid.transaction, height });
  });

  test('the node reads what our PSBT does as we do', async () => {
    const key = await watched('analysis');
    await fund(deriveKey(key.account, 0, 0).address, 90_000n);
    await node.mine(1);
    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const paid = pay(key, await bitcoind.scan(key.account), payee, 30_000n);
    const text = Buffer.from(paid.psbt).toString('base64');
    const decoded = await node.rpc<{
      fee: number;
      inputs: {
        taproot_internal_key: string;
        taproot_bip32_derivs: { path: string; master_fingerprint: string }[];
      }[];
      outputs: { taproot_internal_key?: string; taproot_bip32_derivs?: { path: string }[] }[];
    }>('decodepsbt', [text]);
    expect(BigInt(Math.round(decoded.fee * 1e8))).toBe(paid.summary.fee);
    expect(decoded.inputs[0]!.taproot_bip32_derivs[0]).toMatchObject({ path: 'm/0/0/0' });
    expect(decoded.inputs[0]!.taproot_internal_key).toBe(
      hex.encode(deriveKey(key.account, 0, 0).internalKey),
    );
    const change = decoded.outputs.find(({ taproot_internal_key }) => taproot_internal_key !== undefined);
    expect(change!.taproot_bip32_derivs![0]!.path).toBe('m/0/1/0');
    expect(
      (await node.rpc<{ allowed: boolean }[]>('testmempoolaccept', [[hex.encode(paid.transaction)]]))[0],
    ).toMatchObject({
      allowed: true,
      vsize: paid.summary.vsize,
    });
  });

  test('a spent-all payment leaves nothing, and a broadcast repeated after it was mined and spent counts as sent', async () => {
    const key = await watched('everything');
    for (let i = 0; i < 3; i++) await fund(deriveKey(key.account, 0, i).address, 20_000n);
    await node.mine(1);
    const other = await watched('everything, next');
    const to = deriveKey(other.account, 0, 0).address;
    const paid = pay(key, await esplora.scan(key.account), to, 'all', 1234n);
    expect(paid.summary.loss).toBe(60_000n);
    for (const source of [esplora, bitcoind, esplora])
      expect(await source.broadcast(paid.transaction)).toBe(paid.txid);
    await node.mine(1);
    expect((await bitcoind.scan(key.account)).coins).toEqual([]);
    for (const source of [esplora, bitcoind])
      expect(await source.broadcast(paid.transaction)).toBe(paid.txid);
    const onward = pay(other, await bitcoind.scan(other.account), to, 'all');
    await bitcoind.broadcast(onward.transaction);
    await node.mine(1);
    for (const source of [esplora, bitcoind])
      expect(await source.broadcast(paid.transaction)).toBe(paid.txid);
  });

  test('a transaction that the network refuses is BroadcastRejected, from either source', async () => {
    const key = await watched('refused');
    await fund(deriveKey(key.account, 0, 0).address, 40_000n);
    await node.mine(1);
    const payee = await node.rpc<string>('getnewaddress', [], { wallet: 'miner' });
    const { transaction } = pay(key, await bitcoind.scan(key.account), payee, 10_000n);
    const broken = Uint8Array.from(transaction);
    // Inside the only signature: after version, marker and flag, one input, two outputs, and the witness's two counts.
    const witness = broken.length - 4 - 64;
    broken[witness] = broken[witness]! ^ 1;
    for (const source of [bitcoind, esplora]) {
      await expect(source.broadcast(broken)).rejects.toMatchObject({ code: 'BroadcastRejected' });
    }
    expect(await bitcoind.transaction('ab'.repeat(32))).toBeNull();
    expect(await esplora.transaction('ab'.repeat(32))).toBeNull();
  });

  test('an immature reward is seen and not spent', async () => {
    const key = await watched('miner');
    await node.mine(1, deriveKey(key.account, 0, 0).address);
    for (const source of [bitcoind, esplora]) {
      const scan = await source.scan(key.account);
      expect(scan.coins).toMatchObject([{ coinbase: true, height: scan.height }]);
      expect(() => pay(key, scan, deriveKey(key.account, 0, 1).address, 1000n)).toThrow('InsufficientFunds');
    }
  });

  test('audit-26: a reorg takes back what was confirmed, and both sources say so', async () => {
    const key = await watched('reorg');
    const txid = await fund(deriveKey(key.account, 0, 0).address, 33_000n);
    const [block] = await node.mine(1);
    for (const source of [bitcoind, esplora]) {
      expect((await source.scan(key.account)).history[0]).toMatchObject({ txid, height: expect.any(Number) });
    }
    await node.rpc('invalidateblock', [block]);
    // The node's wallets hear a moment later that it is in the mempool again.
    await node.rpc('syncwithvalidationinterfacequeue');
    for (const source of [bitcoind, esplora]) {
      const scan = await source.scan(key.account);
      expect(scan.history).toMatchObject([{ txid, height: 0 }]);
      expect(scan.coins).toMatchObject([{ height: 0 }]);
    }
    await node.mine(2);
    for (const source of [bitcoind, esplora]) {
      const scan = await source.scan(key.account);
      expect(scan.history).toMatchObject([{ txid, height: scan.height - 1 }]);
    }
  });

  test('a wallet found again is rescanned from its birth', async () => {
    const birth = await node.rpc<{ time: number }>('getblockheader', [await node.rpc('getbestblockhash')]);
    const key = wholeKey('found again');
    await fund(deriveKey(key.account, 0, 0).address, 12_345n);
    await node.mine(1);
    const anew = overRpc();
    expect((await anew.scan(key.account, birth.time * 1000)).coins).toMatchObject([{ value: 12_345n }]);
    anew.close();
  });

  test('a wallet whose import was cut short, or that the node has unloaded, is opened again', async () => {
    const key = wholeKey('cut short');
    const before = new Set(await node.rpc<string[]>('listwallets'));
    await bitcoind.scan(key.account);
    const [name] = (await node.rpc<string[]>('listwallets')).filter((wallet) => !before.has(wallet));
    await node.rpc('unloadwallet', [name]);
    await fund(deriveKey(key.account, 0, 0).address, 5_000n);
    expect((await bitcoind.scan(key.account)).coins).toMatchObject([{ value: 5_000n }]);

    // Of this account only the wallet was made, as by a process that died before the import.
    const half = wholeKey('half made');
    const probe = overRpc();
    const made = new Set(await node.rpc<string[]>('listwallets'));
    await probe.scan(half.account);
    const [halfName] = (await node.rpc<string[]>('listwallets')).filter((wallet) => !made.has(wallet));
    await node.rpc('unloadwallet', [halfName]);
    await rm(`${node.folder}/regtest/wallets/${halfName}`, { recursive: true });
    await node.rpc('createwallet', [halfName, true, true]);
    probe.close();
    await bitcoind.scan(half.account);
    await fund(deriveKey(half.account, 0, 0).address, 6_000n);
    expect((await bitcoind.scan(half.account)).coins).toMatchObject([{ value: 6_000n }]);
  });

  test('fee rates are within bounds and in order, also where the chain has no estimate', async () => {
    for (const source of [bitcoind, esplora]) {
      const { fast, medium, slow, floor } = await source.fees();
      expect(fast >= medium && medium >= slow && slow >= floor && floor >= 100).toBe(true);
    }
    expect(await esplora.fees()).toEqual({ fast: 4200, medium: 3100, slow: 1500, floor: 1000 });
    expect(await esplora.height()).toBe(await bitcoind.height());
  });

  test('a source of another network, with wrong credentials, or that is gone says so', async () => {
    const wrong = createBitcoind({
      url: node.rpcUrl,
      credentials: () => readFile(node.cookieFile, 'utf8'),
      network: 'mutinynet',
    });
    await expect(wrong.height()).rejects.toMatchObject({ code: 'WrongNetwork' });
    const signet = createEsplora({ url: bridge.url, network: 'mutinynet', now: Date.now });
    await expect(signet.height()).rejects.toMatchObject({ code: 'WrongNetwork' });
    await expect(esplora.scan(wholeKey('elsewhere', 'mainnet').account)).rejects.toMatchObject({
      code: 'WrongNetwork',
    });
    let asked = 0;
    const stranger = createBitcoind({
      url: node.rpcUrl,
      credentials: () => `__cookie__:${asked++}`,
      network: 'regtest',
    });
    await expect(stranger.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
    expect(asked).toBe(2);
    const nobody = createBitcoind({
      url: 'http://127.0.0.1:1',
      credentials: () => 'a:b',
      network: 'regtest',
    });
    await expect(nobody.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
    esplora.close();
    await expect(esplora.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
    esplora = createEsplora({ url: bridge.url, network: 'regtest', now: Date.now });
  });

  test('an Esplora that lies about amounts, transactions or shapes is not believed', async () => {
    const key = wholeKey('lies');
    await fund(deriveKey(key.account, 0, 0).address, 10_000n);
    await node.mine(1);
    const lies: [RegExp, (truth: never) => unknown][] = [
      [/utxo$/, (utxos: { value: number }[]) => utxos.map((u) => ({ ...u, value: u.value * 2 }))],
      [/utxo$/, (utxos: object[]) => utxos.map((u) => ({ ...u, value: 21e14 + 1 }))],
      [/utxo$/, (utxos: object[]) => utxos.map((u) => ({ ...u, vout: -1 }))],
      [/utxo$/, (utxos: object[]) => [...utxos, ...utxos]],
      [/txs$/, (txs: { vout: object[] }[]) => txs.map((tx) => ({ ...tx, vout: tx.vout.slice(1) }))],
      [/txs$/, (txs: object[]) => Array.from({ length: 101 }, () => txs[0])],
      [/^\/address\/[^/]+$/, () => ({ chain_stats: { tx_count: -1 } })],
      [/^\/address\/[^/]+$/, () => 'not json'],
      [/tip\/hash$/, () => 'xy'],
    ];
    for (const [path, lie] of lies) {
      bridge.lie(path, lie as (truth: unknown) => unknown);
      const fresh = createEsplora({ url: bridge.url, network: 'regtest', now: Date.now });
      await expect(fresh.scan(key.account), `${path} ${lie}`).rejects.toMatchObject({
        code: 'ChainUnavailable',
      });
      fresh.close();
    }
    bridge.lie(/fee-estimates/, () => ({ '1': 1e9, '3': 1e9, '12': 1e9 }));
    expect(await esplora.fees()).toMatchObject({ fast: 1_000_000, medium: 1_000_000, slow: 1_000_000 });
    bridge.lie(/fee-estimates/, () => ({}));
    expect((await esplora.fees()).fast).toBeLessThan(10_000);
    bridge.lie(/never/, null);
    expect((await esplora.scan(key.account)).coins).toMatchObject([{ value: 10_000n }]);
  });

  test('a second look asks only what can have changed', async () => {
    const key = wholeKey('second look');
    await fund(deriveKey(key.account, 0, 0).address, 10_000n);
    await node.mine(7);
    bridge.asked();
    await esplora.scan(key.account);
    expect(bridge.asked().filter((path) => /utxo|txs/.test(path))).toHaveLength(2);
    await esplora.scan(key.account);
    await node.mine(1);
    await esplora.scan(key.account);
    expect(bridge.asked().filter((path) => /utxo|txs/.test(path))).toEqual([]);
  });

  test('audit-06: a node that restarts is asked again with its new credentials', async () => {
    const folder = `${node.folder}-kept`;
    const first = await startRegtest({ folder });
    const key = wholeKey('restart');
    let { rpcUrl, cookieFile } = first;
    // The node takes another port at each start, so the source is reached by what forwards to it.
    const front = createServer((incoming, outgoing) => {
      const onward = request(
        rpcUrl + incoming.url,
        { method: incoming.method, headers: incoming.headers },
        (back) => {
          outgoing.writeHead(back.statusCode!, back.headers);
          back.pipe(outgoing);
        },
      );
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => front.once('listening', resolve));
    const { port } = front.address() as { port: number };
    const source = createBitcoind({
      url: `http://127.0.0.1:${port}`,
      credentials: () => readFile(cookieFile, 'utf8'),
      network: 'regtest',
    });
    await source.scan(key.account);
    await first.fund(deriveKey(key.account, 0, 0).address, 8_000n);
    await first.mine(1);
    await first.stop();
    await expect(source.scan(key.account)).rejects.toMatchObject({ code: 'ChainUnavailable' });
    const second = await startRegtest({ folder });
    ({ rpcUrl, cookieFile } = second);
    expect((await source.scan(key.account)).coins).toMatchObject([{ value: 8_000n }]);
    source.close();
    await second.stop();
    front.close();
    front.closeAllConnections();
    await rm(folder, { recursive: true });
  });

  test('BIP-144: transactions of the node are read and written back to the same bytes, ids and sizes', async () => {
    await fund(deriveKey(wholeKey('bytes').account, 0, 0).address, 5_000n);
    const [hash] = await node.mine(1);
    const { tx } = await node.rpc<{ tx: { hex: string; txid: string; weight: number }[] }>('getblock', [
      hash,
      2,
    ]);
    expect(tx.length).toBeGreaterThan(1);
    for (const { hex: raw, txid, weight } of tx) {
      const parsed = parseTransaction(hex.decode(raw));
      expect(hex.encode(encodeTransaction(parsed))).toBe(raw);
      expect([hex.encode(txidOf(parsed)), weightOf(parsed)]).toEqual([txid, weight]);
    }
  });
});
