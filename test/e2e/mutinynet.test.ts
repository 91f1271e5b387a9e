import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCosigner } from '../../scripts/cosigner.ts';
import { drive } from '../../scripts/drive.ts';
import { moneyFromFaucet } from '../../scripts/money.ts';
import { localTls } from '../../scripts/setup/ca.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { launchChromium, type TestChromium } from '../support/chromium.ts';
import { type EsploraBridge, regtestAddress, startEsploraBridge } from '../support/esploraBridge.ts';
import { describeReal } from '../support/real.ts';

/*
 * MutinyNet itself is out of reach here. Its Esplora is played by a bridge over a real regtest chain, which passes for
 * MutinyNet by block 0 and by its addresses; all else is what `npm start -- --headless --network mutinynet` does.
 */
await describeReal('the road on MutinyNet', ['bitcoind', 'chromium', 'openssl'], () => {
  const stack = new AsyncDisposableStack();
  let node: Regtest;
  let esplora: EsploraBridge;
  let chromium: TestChromium;
  let pairing: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hoarfrost-mutinynet-'));
    stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const tls = await localTls();
    node = await startRegtest();
    stack.defer(node.stop);
    esplora = await startEsploraBridge(node, 'mutinynet');
    stack.defer(esplora.stop);
    const cosigner = await startCosigner({
      folder,
      network: 'mutinynet',
      chain: `esplora:${esplora.url}`,
      tls,
    });
    stack.defer(cosigner.stop);
    pairing = cosigner.pairing;
    chromium = await launchChromium({ spkiHash: tls.spkiHash });
    stack.defer(chromium.close);
  });
  afterAll(() => stack.disposeAsync());

  test('a wallet over Esplora receives, pays itself and sees it mined', async () => {
    const money = moneyFromFaucet('the faucet', esplora.url);
    let received = '';
    const faucet = {
      ...money,
      async fund(address: string) {
        received = address;
        await node.fund(regtestAddress(address, 'mutinynet'), 1_600_000n);
        await node.mine(1);
      },
      async mined(txid: string) {
        await node.mine(1);
        return money.mined(txid);
      },
    };
    const paid = await drive({ money: faucet, cosigner: { pairing }, chromium });
    expect(received).toMatch(/^tb1p[0-9a-z]{58}$/);
    expect(paid.height).toBe(await node.rpc('getblockcount'));
    const { vin } = await node.rpc<{ vin: { txinwitness: string[] }[] }>('getrawtransaction', [
      paid.txid,
      true,
    ]);
    for (const input of vin) expect(input.txinwitness).toEqual([expect.stringMatching(/^[0-9a-f]{128}$/)]);
  });
});
