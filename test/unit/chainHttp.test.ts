import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createBitcoind } from '../../src/chain/bitcoind.ts';
import { createEsplora } from '../../src/chain/esplora.ts';
import { baseUrl, request } from '../../src/chain/http.ts';

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const never = new AbortController().signal;
const bounds = { signal: never, deadlineMs: 5_000, max: 1_000 };

test('audit-25: a server that never answers, or never ends its answer, meets the deadline', async () => {
  const listeners: RequestListener[] = [() => undefined, (_, response) => void response.write('never')];
  for (const listener of listeners) {
    const url = await serve(listener);
    await expect(request(url, { ...bounds, deadlineMs: 50 })).rejects.toMatchObject({
      code: 'ChainUnavailable',
      detail: 'deadline',
    });
    server!.closeAllConnections();
  }
});

test('an answer larger than its bound is cut off', async () => {
  let sent = 0;
  const url = await serve((_, response) => {
    const timer = setInterval(() => {
      sent += 400;
      response.write('x'.repeat(400));
    }, 1);
    response.on('close', () => clearInterval(timer));
  });
  await expect(request(url, bounds)).rejects.toMatchObject({ detail: 'answer too large' });
  expect(sent).toBeGreaterThan(1_000);
});

test('an answer from elsewhere is none', async () => {
  const url = await serve((incoming, response) => {
    if (incoming.url === '/away') response.end('elsewhere');
    else response.writeHead(302, { location: '/away' }).end();
  });
  expect((await request(`${url}/away`, bounds)).text).toBe('elsewhere');
  await expect(request(url, bounds)).rejects.toMatchObject({ code: 'ChainUnavailable' });
});

test('a closed source answers nothing and waits for nothing', async () => {
  const url = await serve(() => undefined);
  const sources = [
    createEsplora({ url, network: 'regtest', now: Date.now }),
    createBitcoind({ url, network: 'regtest', credentials: () => 'a:b' }),
  ];
  for (const source of sources) {
    const pending = source.height();
    source.close();
    await expect(pending).rejects.toMatchObject({ code: 'ChainUnavailable' });
    await expect(source.height()).rejects.toMatchObject({ code: 'ChainUnavailable' });
  }
});

test('what is no address of a server is BadConfiguration', () => {
  for (const url of ['', 'mutinynet.com/api', 'ftp://host', 'file:///etc']) {
    expect(() => baseUrl(url)).toThrow('BadConfiguration');
  }
  expect(baseUrl('https://mutinynet.com/api/')).toBe('https://mutinynet.com/api');
});

test('a node that answers something else is ChainUnavailable', async () => {
  const answers = [
    '',
    'not json',
    '{}',
    '[]',
    '[{"id":7,"result":1}]',
    '[{"id":0,"error":{"code":"x"}}]',
    '[null]',
  ];
  for (const answer of answers) {
    const url = await serve((_, response) => void response.end(answer));
    const source = createBitcoind({ url, network: 'regtest', credentials: () => 'a:b' });
    await expect(source.height(), answer).rejects.toMatchObject({ code: 'ChainUnavailable' });
    server!.close();
  }
});
