/** By whom a signed payment is sent: a server of the user's own, and nobody else in its place. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hex } from '@scure/base';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { networkParams } from '../../src/bitcoin/network.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { routeUrl } from '../../src/device/route.ts';
import { databaseOf, Worker } from '../support/deviceHost.ts';
import { PASSWORD } from '../support/onboard.ts';
import {
  COIN,
  draft,
  profile,
  running,
  settled,
  useThreeCoins,
  verifyPaid,
} from '../support/payingDevice.ts';

const code = (name: string, detail?: string) =>
  expect.objectContaining(detail === undefined ? { code: name } : { code: name, detail });

useThreeCoins();

interface Answer {
  status: number;
  text: string;
}

/** As much of Esplora's REST as sending takes. `takes`: what it does with a transaction. */
class SmallEsplora {
  genesis = networkParams('regtest').genesis;
  takes: (raw: string) => Answer | Promise<Answer> = (raw) => ({ status: 200, text: txidIn(raw) });
  readonly taken: string[] = [];
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api`;
  }

  async start(): Promise<this> {
    this.#server = createServer(async (ask, reply) => {
      let body = '';
      for await (const part of ask) body += part;
      if (ask.url === '/api/block-height/0') return reply.end(this.genesis);
      if (ask.url === '/api/blocks/tip/height') return reply.end('144');
      if (ask.method !== 'POST' || ask.url !== '/api/tx') return reply.writeHead(404).end('not found');
      this.taken.push(body);
      const { status, text } = await this.takes(body);
      reply.writeHead(status).end(text);
    });
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    if (this.#server?.listening !== true) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const txidIn = (raw: string) => hex.encode(txidOf(parseTransaction(hex.decode(raw))));
const refuses = () => ({ status: 400, text: 'sendrawtransaction RPC error: missing inputs' });

let esplora: SmallEsplora;
const server = async () => {
  esplora = await new SmallEsplora().start();
  return esplora.url;
};
afterEach(() => esplora?.stop());

async function pressed(worker: Worker): Promise<string> {
  const { request } = await draft(worker);
  await worker.call('press', { request });
  return request;
}
const waits = (worker: Worker, request: string, error: string) =>
  vi.waitFor(
    async () => expect(await worker.call('payment', { request })).toMatchObject({ state: 'signed', error }),
    10_000,
  );

describe('a server that the user chose', () => {
  test('gets the transaction, and the cosigner is not asked to send it', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: `${await server()}/` });
    expect(await worker.call('state', null)).toMatchObject({
      wallet: { route: { url: esplora.url, ours: true } },
    });
    const request = await pressed(worker);
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast', error: null });
    expect(esplora.taken).toHaveLength(1);
    expect(verifyPaid(hex.decode(esplora.taken[0]!))).toBe(100_000n);
    expect(running.chain.sent).toEqual([]);
    worker.kill();
  });

  test('does not answer: signed and stored, tried again by itself over a restart, and never by the cosigner', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    await esplora.stop();
    const request = await pressed(worker);
    await waits(worker, request, 'RouteUnavailable');
    const detail = await worker.call('activityDetail', { id: request });
    expect(detail).toMatchObject({ state: 'signed', error: 'RouteUnavailable' });
    expect(verifyPaid(detail.transaction!)).toBe(100_000n);
    worker.kill();

    const next = await Worker.start(profile);
    await waits(next, request, 'RouteUnavailable');
    await esplora.start();
    expect(await settled(next, request)).toMatchObject({ state: 'broadcast', error: null });
    // Of both workers: here the first one's last try goes on after its death.
    expect(new Set(esplora.taken)).toEqual(new Set([hex.encode(detail.transaction!)]));
    expect(running.chain.sent).toEqual([]);
    next.kill();
  });

  test('does not answer, and the user has the cosigner send it', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    await esplora.stop();
    const request = await pressed(worker);
    await expect(
      worker.call('sendThrough', { request: (await draft(worker, 50_000n)).request, url: null }),
    ).rejects.toEqual(code('WrongSession'));
    await waits(worker, request, 'RouteUnavailable');
    expect(running.chain.sent).toEqual([]);
    const { txid } = await worker.call('sendThrough', { request, url: null });
    expect(running.chain.sent.map((raw) => txidIn(hex.encode(raw)))).toEqual([txid]);
    await esplora.start();
    await vi.waitFor(() => expect(worker.device.busy).toBe(false), 10_000);
    expect(await worker.call('payment', { request })).toMatchObject({ state: 'broadcast', error: null });
    expect(esplora.taken).toEqual([]);
    worker.kill();
  });

  test('refuses it: it says so of that server, and the cosigner may still send it', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    esplora.takes = refuses;
    const request = await pressed(worker);
    expect(await settled(worker, request)).toMatchObject({ state: 'failed', error: 'RouteRejected' });
    expect(running.chain.sent).toEqual([]);
    await worker.call('sendThrough', { request, url: null });
    expect(await worker.call('payment', { request })).toMatchObject({ state: 'broadcast', error: null });
    expect(running.chain.sent).toHaveLength(1);
    worker.kill();
  });

  test('refuses it while the cosigner has sent it: it is sent', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    const { request } = await draft(worker);
    esplora.takes = async () => {
      await worker.call('sendThrough', { request, url: null });
      return refuses();
    };
    await worker.call('press', { request });
    await vi.waitFor(() => expect(worker.device.busy).toBe(false));
    expect(await worker.call('payment', { request })).toMatchObject({ state: 'broadcast', error: null });
    worker.kill();
  });

  test('is of another network, and never sees the transaction', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    esplora.genesis = networkParams('mainnet').genesis;
    const request = await pressed(worker);
    await waits(worker, request, 'RouteUnavailable');
    expect(esplora.taken).toEqual([]);
    expect(running.chain.sent).toEqual([]);
    worker.kill();
  });

  test('answers with the id of another transaction: it has not taken this one', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    esplora.takes = () => ({ status: 200, text: 'ab'.repeat(32) });
    const request = await pressed(worker);
    await waits(worker, request, 'RouteUnavailable');
    worker.kill();
  });

  test('takes it and keeps it to itself: it shows as not seen, and the cosigner can still send it', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    const request = await pressed(worker);
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast', error: null });
    const detail = () => worker.call('activityDetail', { id: request });
    expect(await detail()).toMatchObject({ state: 'broadcast', shown: false });
    await worker.call('refresh', null);
    expect(await detail()).toMatchObject({ state: 'broadcast', shown: false });
    expect(running.chain.sent).toEqual([]);

    const { txid } = await worker.call('sendThrough', { request, url: null });
    const [transaction] = running.chain.sent;
    expect(txidIn(hex.encode(transaction!))).toBe(txid);
    const known = {
      txid,
      height: 0,
      time: 1,
      received: 0n,
      sent: COIN,
      fee: 300n,
      transaction: transaction!,
    };
    running.chain.scanned = { ...running.chain.scanned, history: [known] };
    await worker.call('refresh', null);
    expect(await detail()).toMatchObject({ state: 'broadcast', shown: true });
    worker.kill();
  });

  test('is given up for the cosigner, which sends what waited', async () => {
    const worker = await Worker.start(profile);
    await worker.call('setRoute', { url: await server() });
    await esplora.stop();
    const request = await pressed(worker);
    await waits(worker, request, 'RouteUnavailable');
    await worker.call('setRoute', { url: null });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    expect(running.chain.sent).toHaveLength(1);
    worker.kill();
  });
});

test('a route that somebody wrote into the profile is asked about, and gets nothing', async () => {
  const written = { url: await server(), seal: new Uint8Array(44) };
  await (await databaseOf(profile)).write([{ store: 'route', key: 'route', value: written }]);
  const worker = await Worker.start(profile);
  expect(await worker.call('state', null)).toMatchObject({ wallet: { route: { ours: false } } });
  const request = await pressed(worker);
  await waits(worker, request, 'RouteUnavailable');
  expect([...esplora.taken, ...running.chain.sent]).toEqual([]);
  await worker.call('setRoute', { url: esplora.url });
  expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
  expect(esplora.taken).toHaveLength(1);
  worker.kill();
});

test('another wallet takes over the route of the one before it, and asks where it has another', async () => {
  const worker = await Worker.start(profile);
  const [one, two] = [1, 2].map((n) => ({ url: `https://${n}.example/api`, ours: true }));
  await worker.device.inherit(one!);
  await worker.device.inherit(one!);
  expect(await worker.call('state', null)).toMatchObject({ wallet: { route: one } });
  await worker.device.inherit(two!);
  expect(await worker.call('state', null)).toMatchObject({ wallet: { route: { ...two, ours: false } } });
  worker.kill();
});

test('a locked one cannot vouch for the route that it takes over, nor any for one that was never vouched for: it asks', async () => {
  const worker = await Worker.start(profile);
  const asked = { wallet: { route: { url: 'https://one.example/api', ours: false } } };
  await worker.device.inherit({ url: 'https://one.example/api', ours: false });
  expect(await worker.call('state', null)).toMatchObject(asked);
  await worker.call('setRoute', { url: null });
  await worker.call('lock', null);
  await worker.device.inherit({ url: 'https://one.example/api', ours: true });
  await worker.call('unlock', { password: PASSWORD });
  expect(await worker.call('state', null)).toMatchObject(asked);
  worker.kill();
});

describe('the test of a server', () => {
  const tested = async (worker: Worker) => worker.call('testRoute', { url: esplora.url });

  test('one that refuses what cannot be is good, and has seen no payment', async () => {
    await server();
    esplora.takes = refuses;
    const worker = await Worker.start(profile);
    expect(await tested(worker)).toEqual({ height: 144 });
    expect(esplora.taken).toHaveLength(1);
    expect(parseTransaction(hex.decode(esplora.taken[0]!)).outputs.map(({ value }) => value)).toEqual([0n]);
    worker.kill();
  });

  test.each<[string, () => void, unknown]>([
    ['takes anything', () => {}, code('ChainUnavailable', 'takes what cannot be')],
    [
      'takes nothing',
      () => {
        esplora.takes = () => ({ status: 405, text: '' });
      },
      code('ChainUnavailable', 'HTTP 405'),
    ],
    [
      'is of another network',
      () => {
        esplora.genesis = networkParams('mainnet').genesis;
      },
      code('WrongNetwork'),
    ],
    ['is down', () => void esplora.stop(), code('ChainUnavailable', 'connection')],
  ])('one that %s is not', async (_name, spoil, error) => {
    await server();
    spoil();
    const worker = await Worker.start(profile);
    await expect(tested(worker)).rejects.toEqual(error);
    worker.kill();
  });
});

describe('the address of a server', () => {
  const onion = `${'a2b3c4d5'.repeat(7)}.onion`;
  test.each([
    ['https://esplora.example/api', 'https://esplora.example/api'],
    [' https://esplora.example:8443/signet/api/ ', 'https://esplora.example:8443/signet/api'],
    ['http://127.0.0.1:3002/api', 'http://127.0.0.1:3002/api'],
    ['http://localhost:3002', 'http://localhost:3002'],
    [`http://${onion}/api`, `http://${onion}/api`],
  ])('%s', (written, url) => {
    expect(routeUrl(written)).toBe(url);
  });

  test.each([
    'esplora.example/api',
    'ftp://esplora.example/api',
    'javascript:alert(1)',
    'http://esplora.example/api',
    'http://192.168.1.2/api',
    'http://127.0.0.1.example/api',
    'http://notonion/api',
    'http://short.onion/api',
    'https://user:secret@esplora.example/api',
    'https://esplora.example/api?key=1',
    'https://esplora.example/api?',
    'https://esplora.example/api#here',
    `https://esplora.example/${'a'.repeat(300)}`,
    '',
  ])('not %s', (written) => {
    expect(() => routeUrl(written)).toThrow(code('BadConfiguration'));
  });

  test('is looked at before anything is kept or asked', async () => {
    const url = 'http://esplora.example/api';
    const worker = await Worker.start(profile);
    await expect(worker.call('setRoute', { url })).rejects.toEqual(code('BadConfiguration'));
    await expect(worker.call('testRoute', { url })).rejects.toEqual(code('BadConfiguration'));
    expect(await worker.call('state', null)).toMatchObject({ wallet: { route: null } });
    worker.kill();
  });
});
