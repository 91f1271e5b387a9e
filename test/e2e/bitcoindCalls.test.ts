/** What a cosigner asks of its own bitcoind, by the node's own log: a watch-only wallet a wallet, and never a scan of all coins. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { branchDescriptors, deriveKey } from '../../src/bitcoin/descriptor.ts';
import type { ChainSource } from '../../src/chain/source.ts';
import { openChain } from '../../src/cosigner/chain.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import { describeReal } from '../support/real.ts';
import { wholeKey } from '../support/wholeKey.ts';

await describeReal('the calls to a bitcoind', ['bitcoind'], () => {
  let node: Regtest;
  const open = (): ChainSource =>
    openChain(
      { kind: 'bitcoind', url: node.rpcUrl, auth: { cookieFile: node.cookieFile } },
      'regtest',
      systemClock,
    );

  beforeAll(async () => {
    node = await startRegtest();
    await node.rpc('logging', [['rpc']]);
  });
  afterAll(() => node?.stop());

  /** Names of the methods that anybody has called. */
  async function called(): Promise<string[]> {
    const log = await readFile(join(node.folder, 'regtest/debug.log'), 'utf8');
    return [...log.matchAll(/ThreadRPCServer method=(\w+)/g)].map(([, method]) => method!);
  }

  test('each wallet is a watch-only descriptor wallet of its own, and scantxoutset is never called', async () => {
    const accounts = ['one', 'two'].map((seed) => wholeKey(seed).account);
    // A cosigner that started again finds the wallets that it made.
    for (const run of [1, 2]) {
      const source = open();
      for (const account of accounts) {
        await source.scan(account);
        const paid = await node.fund(deriveKey(account, 0, run).address, 20_000n);
        expect(await source.transaction(paid)).not.toBeNull();
        await node.mine(1);
        const { coins } = await source.scan(account);
        expect(coins).toHaveLength(run);
      }
      await Promise.all([source.fees(), source.height()]);
      const [known] = (await source.scan(accounts[0]!)).history;
      expect(await source.broadcast(known!.transaction)).toBe(known!.txid);
      source.close();
    }

    const wallets = (await node.rpc<string[]>('listwallets')).filter((name) => name.startsWith('hoarfrost-'));
    const watched = await Promise.all(
      wallets.map(async (wallet) => {
        const info = await node.rpc<Record<string, unknown>>('getwalletinfo', [], { wallet });
        expect(info).toMatchObject({ private_keys_enabled: false, descriptors: true });
        const { descriptors } = await node.rpc<{ descriptors: { desc: string; internal: boolean }[] }>(
          'listdescriptors',
          [],
          { wallet },
        );
        return descriptors.sort((a, b) => Number(a.internal) - Number(b.internal)).map(({ desc }) => desc);
      }),
    );
    expect(new Set(watched.map(String))).toEqual(new Set(accounts.map((a) => String(branchDescriptors(a)))));
    expect(watched).toHaveLength(accounts.length);

    const methods = await called();
    for (const method of ['createwallet', 'importdescriptors', 'listunspent', 'sendrawtransaction'])
      expect(methods).toContain(method);
    expect(methods).not.toContain('scantxoutset');
    // The log would have told.
    await node.rpc('scantxoutset', ['status']);
    await expect.poll(called).toContain('scantxoutset');
  });
});
