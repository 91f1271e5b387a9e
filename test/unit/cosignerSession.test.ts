/** What a session answers to whom, its notices, its health pages, and its end. */
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeTransaction } from '../../src/bitcoin/transaction.ts';
import { TIMING } from '../../src/cosigner/connection.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { SUITE } from '../../src/crypto/signer.ts';
import { encode } from '../../src/protocol/codec.ts';
import { CLOSE } from '../../src/protocol/frames.ts';
import { type Request, request } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  Client,
  coinsOf,
  newDevice,
  PAYEE,
  pay,
  payment,
  RawSocket,
  type Running,
  removeFolder,
  type StartOptions,
  startCosigner,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });

let folder: string;
let running: Running;
async function start(options: Partial<StartOptions> = {}): Promise<void> {
  running = await startCosigner({ folder, ...options });
}
beforeEach(async () => {
  folder = testFolder();
  await start();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});
async function restart(options: Partial<StartOptions>): Promise<void> {
  await running.stop();
  await start(options);
}

const hello: Request = { kind: 'hello', version: 1, suite: SUITE, network: 'regtest' };
const stranger = async () => Client.shake(addressOf(running), await generateNoiseKeyPair());
const closing = (socket: RawSocket) => within('close', socket.closed);

async function page(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const ca = readFileSync((await testTls).caFile);
  return within(
    path,
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: running.listener.port, path, ca, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }));
      }).on('error', reject);
    }),
  );
}

describe('session', () => {
  test('hello comes first, and version, suite and network must be ours', async () => {
    const client = await stranger();
    await expect(client.ask({ kind: 'fees' }, 'fees')).rejects.toEqual(code('OutOfSequence'));
    const say = (change: object) => client.ask({ ...hello, ...change } as Request, 'hello');
    await expect(say({ version: 2 })).rejects.toEqual(code('WrongVersion'));
    await expect(say({ suite: 'FROST' })).rejects.toEqual(code('WrongSuite'));
    await expect(say({ network: 'mainnet' })).rejects.toEqual(code('WrongNetwork'));
    await expect(client.ask({ kind: 'fees' }, 'fees')).rejects.toEqual(code('OutOfSequence'));
    expect(await say({})).toMatchObject({ enrolled: false, epoch: 0, policyVersion: 0 });
  });

  test('audit-02 audit-03 a device without a wallet gets one answer to everything', async () => {
    const client = await stranger();
    await client.hello();
    const { device } = await newDevice(running);
    const requests: Request[] = [
      { kind: 'evaluate', psbt: payment(device, { amount: 1n }) },
      { kind: 'sign', body: new Uint8Array(3), proof: new Uint8Array(64) },
      { kind: 'scan' },
      { kind: 'fees' },
      { kind: 'transaction', txid: new Uint8Array(32) },
      { kind: 'broadcast', transaction: new Uint8Array(3) },
      { kind: 'policy' },
      { kind: 'receipts', from: 0 },
    ];
    for (const asked of requests) {
      await client.send(encode(request, asked));
      expect(await client.receive()).toEqual({
        kind: 'error',
        code: 'NotEnrolled',
        culprit: 0,
        detail: '',
        retryAfterMs: 0,
      });
    }
  });

  test('audit-03 only what spends coins of this wallet is broadcast', async () => {
    const { client, device } = await newDevice(running);
    const foreign = await newDevice(running);
    const { transaction } = await pay(foreign.client, foreign.device, 1000n);
    const broadcast = (tx: Uint8Array<ArrayBuffer>) =>
      client.ask({ kind: 'broadcast', transaction: tx }, 'broadcast');
    await expect(broadcast(transaction)).rejects.toEqual(code('ForeignInput'));
    await expect(broadcast(systemRandom(80))).rejects.toEqual(code('BroadcastRejected'));
    expect(running.chain.sent).toEqual([]);

    const own = await pay(client, device, 1000n);
    await broadcast(own.transaction);
    // What device and recovery signed without us spends a coin that the chain shows.
    const coins = coinsOf(1, 5000n);
    running.chain.scanned.coins = coins;
    const input = { scriptSig: new Uint8Array(0), sequence: 0, witness: [new Uint8Array(64)] };
    const offline = encodeTransaction({
      version: 2,
      locktime: 0,
      inputs: coins.map(({ outpoint }) => ({ outpoint, ...input })),
      outputs: [{ script: PAYEE, value: 1000n }],
    });
    await broadcast(offline);
    expect(running.chain.sent).toHaveLength(2);
  });

  test("audit-19 somebody else's transaction is as unknown as none", async () => {
    const { client } = await newDevice(running);
    const entry = { height: 7, time: 1, received: 1n, sent: 0n, fee: null, transaction: systemRandom(60) };
    running.chain.scanned.history = [{ ...entry, txid: 'aa'.repeat(32) }];
    running.chain.foreign.set('bb'.repeat(32), systemRandom(60));
    const transaction = (txid: string) =>
      client.ask({ kind: 'transaction', txid: Uint8Array.from(Buffer.from(txid, 'hex')) }, 'transaction');
    expect(await transaction('aa'.repeat(32))).toMatchObject({ height: 7, transaction: entry.transaction });
    const foreign = await transaction('bb'.repeat(32)).catch((e) => e);
    const unknown = await transaction('cc'.repeat(32)).catch((e) => e);
    expect(foreign).toEqual(code('SessionUnknown'));
    expect([unknown.code, unknown.message]).toEqual([foreign.code, foreign.message]);
  });

  test('a scan raises the indices below which outputs count as own, for good', async () => {
    const { client, device } = await newDevice(running);
    running.chain.scanned = { ...running.chain.scanned, nextReceive: 12, nextChange: 3 };
    expect(await client.ask({ kind: 'scan' }, 'scanned')).toMatchObject({ nextReceive: 12, nextChange: 3 });
    const { store } = running.cosigner;
    const id = (await store.walletOfDevice(device.noise.publicKey))!;
    const { wallet } = await store.viewWallet(id, async (view) => view);
    expect([wallet.nextReceive, wallet.nextChange]).toEqual([12, 3]);
  });

  test('notices reach enrolled devices alone', async () => {
    const { client } = await newDevice(running);
    const unknown = await stranger();
    await unknown.hello();
    running.listener.notify({ kind: 'chain', height: 5 });
    await client.ask({ kind: 'fees' }, 'fees');
    expect(client.notices).toEqual([{ kind: 'chain', height: 5 }]);
    await unknown.hello();
    expect(unknown.notices).toEqual([]);
  });

  test('audit-08 one request that fails unexpectedly is Internal, and touches nothing else', async () => {
    const { client, device } = await newDevice(running);
    running.chain.scan = async () => {
      throw new TypeError('secret detail');
    };
    await client.send(encode(request, { kind: 'scan' }));
    expect(await client.receive()).toMatchObject({ kind: 'error', code: 'Internal', detail: '' });
    await pay(client, device, 1000n);
    expect(running.logLines.join('')).toContain('"event":"unexpected error"');
    expect(running.logLines.join('')).not.toContain('secret detail');
  });

  test('audit-12 a reader that does not read is cut off', async () => {
    await restart({ timing: { ...TIMING, sendMs: 1500 } });
    const { client } = await newDevice(running);
    running.chain.scanned.history = Array.from({ length: 120 }, (_, i) => ({
      txid: i.toString(16).padStart(64, '0'),
      height: 1,
      time: 1,
      received: 1n,
      sent: 0n,
      fee: null,
      transaction: systemRandom(4000),
    }));
    client.socket.ws.pause();
    for (let i = 0; i < 40; i++) await client.send(encode(request, { kind: 'scan' }));
    const cut = () => running.logLines.some((line) => line.includes('"event":"connection closed"'));
    await expect.poll(cut, { timeout: 30_000 }).toBe(true);
    client.socket.ws.terminate();
  });
});

describe('operations', () => {
  test('audit-13 health pages', async () => {
    expect(await page('/livez')).toEqual({ status: 200, body: { live: true } });
    const ok = { store: 'ok', keys: 'ok', chain: 'ok', serving: 'ok' };
    expect(await page('/readyz')).toEqual({ status: 200, body: ok });
    running.chain.lost = true;
    expect(await page('/readyz')).toEqual({ status: 503, body: { ...ok, chain: 'Internal' } });
    running.chain.lost = false;
    removeFolder(`${folder}/epoch-keys`);
    expect(await page('/readyz')).toEqual({ status: 503, body: { ...ok, keys: 'StoreUnavailable' } });
    expect((await page('/metrics')).status).toBe(404);
  });

  test('audit-11 draining finishes the request in hand, then closes with 1001', async () => {
    const { client } = await newDevice(running);
    let answer: () => void = () => {};
    const asked = new Promise<void>((started) => {
      running.chain.fees = () =>
        new Promise((resolve) => {
          answer = () => resolve({ fast: 1, medium: 1, slow: 1, floor: 1 });
          started();
        });
    });
    const reply = client.ask({ kind: 'fees' }, 'fees');
    await within('request', asked);
    const { port } = running.listener;
    const drained = running.listener.drain();
    const idle = RawSocket.open(port);
    await expect(idle).rejects.toThrow();
    answer();
    expect(await reply).toMatchObject({ fast: 1 });
    expect(await closing(client.socket)).toMatchObject({ code: CLOSE.draining });
    expect(client.notices).toContainEqual({ kind: 'draining' });
    await within('drain', drained);
    await running.cosigner.store.close();
    await start();
  });
});
