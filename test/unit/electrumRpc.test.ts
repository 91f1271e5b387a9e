import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { createElectrumRpc, type ElectrumRpc, type ElectrumRpcOptions } from '../../src/chain/electrumRpc.ts';
import { dialSocket } from '../../src/chain/transport/socket.ts';

interface Request {
  id: number;
  method: string;
  params: unknown[];
}
type Say = (message: object | string) => void;

/** What a test must not wait out. */
const NEVER_MS = 600_000;

const open: { close(): void }[] = [];
afterEach(() => {
  for (const { close } of open.splice(0)) close();
});

/** A server of lines: `answer` sees every request but the first, which it greets with `version`. */
async function serve(answer: (request: Request, say: Say, socket: Socket) => void, version = '1.4.2') {
  const sockets = new Set<Socket>();
  const seen: Request[] = [];
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const say: Say = (message) =>
      void socket.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
    let rest = '';
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const request = JSON.parse(line) as Request;
        seen.push(request);
        if (request.method === 'server.version') say({ id: request.id, result: ['test', version] });
        else answer(request, say, socket);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  open.push({
    close() {
      hangUp();
      server.close();
    },
  });
  return { port: (server.address() as AddressInfo).port, seen, sockets, hangUp };
}

function over(port: number, options: Partial<ElectrumRpcOptions> = {}): ElectrumRpc {
  const rpc = createElectrumRpc({
    dial: dialSocket({ host: '127.0.0.1', port, tls: null }),
    deadlineMs: NEVER_MS,
    greet: async () => undefined,
    onNotification: () => undefined,
    onLost: () => undefined,
    ...options,
  });
  open.push(rpc);
  return rpc;
}

const echo = ({ id, params }: Request, say: Say) => say({ id, result: params[0] ?? null });
const asIs = (result: unknown) => result;

test('Electrum 1.6: the version is the first message of a connection, with the range spoken here', async () => {
  const { port, seen } = await serve(echo, '1.6');
  const rpc = over(port);
  expect(await Promise.all([rpc.call('a', [1], asIs), rpc.call('b', [2], asIs)])).toEqual([1, 2]);
  expect(seen.map(({ method }) => method)).toEqual(['server.version', 'a', 'b']);
  expect(seen[0]!.params).toEqual(['hoarfrost', ['1.4', '1.6']]);
  expect(await rpc.version()).toEqual([1, 6]);
});

test.each(['1.3', '1.7', '2.0', 'x', ''])(
  'a server that answers with protocol %j is not spoken to',
  async (version) => {
    const { port, seen } = await serve(echo, version);
    await expect(over(port).call('a', [], asIs)).rejects.toMatchObject({ code: 'ChainUnavailable' });
    expect(seen.map(({ method }) => method)).not.toContain('a');
  },
);

test('audit-06: a lost connection fails what waits on it at once, and is made again without being asked', async () => {
  let lost = 0;
  const { port, seen, hangUp } = await serve(
    (request, say) => request.method === 'ready' && echo(request, say),
  );
  const rpc = over(port, { onLost: () => lost++ });
  await rpc.call('ready', [], asIs);
  const waiting = [rpc.call('a', [], asIs), rpc.call('b', [], asIs)];
  await vi.waitFor(() => expect(seen.map(({ method }) => method)).toContain('b'));
  hangUp();
  for (const call of waiting) {
    await expect(call).rejects.toMatchObject({ code: 'ChainUnavailable', detail: 'connection' });
  }
  expect(lost).toBe(1);
  await vi.waitFor(() => expect(seen.filter(({ method }) => method === 'server.version')).toHaveLength(2));
  expect(await rpc.call('ready', [7], asIs)).toBe(7);
});

test('audit-06: a call has a deadline; a server silent since is left, one that answers others is kept', async () => {
  const { port, seen } = await serve((request, say) => request.method !== 'silent' && echo(request, say));
  const rpc = over(port, { deadlineMs: 1000 });
  await rpc.call('x', [], asIs);
  const silent = rpc.call('silent', [], asIs);
  await rpc.call('x', [], asIs);
  await expect(silent).rejects.toMatchObject({ code: 'ChainUnavailable', detail: 'deadline' });
  const greetings = () => seen.filter(({ method }) => method === 'server.version').length;
  await rpc.call('x', [], asIs);
  expect(greetings()).toBe(1);

  await expect(rpc.call('silent', [], asIs)).rejects.toMatchObject({ detail: 'deadline' });
  expect(await rpc.call('x', [3], asIs)).toBe(3);
  expect(greetings()).toBe(2);
});

test('answers in any order find their calls; late and double ones are let be', async () => {
  const held: [Request, Say][] = [];
  const { port, seen } = await serve((request, say) => {
    held.push([request, say]);
    if (held.length < 3) return;
    for (const [r, s] of held.reverse()) {
      echo(r, s);
      echo({ ...r, params: ['again'] }, s);
    }
    held.length = 0;
  });
  const rpc = over(port);
  const ask = () => Promise.all(['a', 'b', 'c'].map((x) => rpc.call('m', [x], asIs)));
  expect(await ask()).toEqual(['a', 'b', 'c']);
  expect(await ask()).toEqual(['a', 'b', 'c']);
  expect(seen.filter(({ method }) => method === 'server.version')).toHaveLength(1);
});

test.each([
  ['no JSON', () => '}{'],
  ['a list', () => '[]'],
  ['an answer to what was not asked', () => ({ id: 1e6, result: 1 })],
  ['an answer to nobody', () => ({ id: null, error: { code: -32700, message: 'parse error' } })],
  ['a notification without parameters', () => ({ method: 'blockchain.headers.subscribe' })],
])('%s ends the connection', async (_, garbage) => {
  const { port, seen } = await serve((request, say) =>
    request.method === 'bad' ? say(garbage()) : echo(request, say),
  );
  const rpc = over(port);
  await expect(rpc.call('bad', [], asIs)).rejects.toMatchObject({
    code: 'ChainUnavailable',
    detail: 'connection',
  });
  expect(await rpc.call('good', [1], asIs)).toBe(1);
  expect(seen.filter(({ method }) => method === 'server.version')).toHaveLength(2);
});

test('a result is read when it arrives: what a notification after it says is newer, in one packet too', async () => {
  const { port } = await serve(({ id }, say) =>
    say(`${JSON.stringify({ id, result: 'old' })}\n${JSON.stringify({ method: 'n', params: ['new'] })}`),
  );
  let status: unknown;
  const rpc = over(port, {
    onNotification: (_, [said]) => {
      status = said;
    },
  });
  await rpc.call('subscribe', [], (result) => {
    status = result;
  });
  await vi.waitFor(() => expect(status).toBe('new'));
});

test('what a reader throws is for its call alone', async () => {
  const { port, seen } = await serve(echo);
  const rpc = over(port);
  const bad = rpc.call('a', [], () => {
    throw new Error('bad');
  });
  await expect(bad).rejects.toThrow('bad');
  await rpc.call('a', [], asIs);
  expect(seen.filter(({ method }) => method === 'server.version')).toHaveLength(1);
});

test("a server's refusal is a value of its own: code and words", async () => {
  const { port } = await serve(({ id, method }, say) =>
    say({ id, error: method === 'old' ? 'in words' : { code: 2, message: 'm'.repeat(300) } }),
  );
  const rpc = over(port);
  await expect(rpc.call('a', [], asIs)).rejects.toMatchObject({ rpcCode: 2, rpcMessage: 'm'.repeat(200) });
  await expect(rpc.call('old', [], asIs)).rejects.toMatchObject({ rpcCode: 0, rpcMessage: 'in words' });
});

test('a connection that nobody asks anything is kept alive by a ping', async () => {
  const { port, seen } = await serve(echo);
  const rpc = over(port, { pingEveryMs: 20 });
  await rpc.call('a', [], asIs);
  await vi.waitFor(() => expect(seen.map(({ method }) => method)).toContain('server.ping'));
});

test('a line that never ends is cut off', async () => {
  let written = 0;
  const { port } = await serve(({ method }, _, socket) => {
    if (method !== 'endless') return;
    const more = () => {
      while (socket.writable && written < 1 << 26) {
        written += 1 << 16;
        if (!socket.write('x'.repeat(1 << 16))) return void socket.once('drain', more);
      }
    };
    more();
  });
  await expect(over(port).call('endless', [], asIs)).rejects.toMatchObject({ detail: 'connection' });
  expect(written).toBeLessThan(1 << 26);
});

test('audit-06: lines wait for a socket that takes no more (back-pressure), and go on when it does', async () => {
  const { port, sockets } = await serve(() => undefined);
  const handlers = { onLine: () => undefined, onEnd: () => undefined };
  const lines = await dialSocket({ host: '127.0.0.1', port, tls: null })(
    handlers,
    new AbortController().signal,
  );
  open.push(lines);
  await vi.waitFor(() => expect(sockets.size).toBe(1));
  const [socket] = sockets;
  socket!.removeAllListeners('data').pause();
  let taken = false;
  const line = JSON.stringify({ id: 0, method: 'x', params: ['y'.repeat(1 << 25)] });
  const writing = lines.write(line).then(() => {
    taken = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(taken).toBe(false);
  socket!.resume();
  await writing;
  expect(taken).toBe(true);
});

/** A connection that has said its version, and then takes each line only when `take` is called. */
async function slowLines() {
  const written: string[] = [];
  const takes: (() => void)[] = [];
  let greeted = false;
  const rpc = createElectrumRpc({
    deadlineMs: 60_000,
    greet: async () => undefined,
    onNotification: () => undefined,
    onLost: () => undefined,
    dial: async (handlers) => ({
      write(line) {
        if (greeted) {
          written.push(line);
          return new Promise((resolve) => takes.push(resolve));
        }
        greeted = true;
        queueMicrotask(() => handlers.onLine(JSON.stringify({ id: 0, result: ['x', '1.4'] })));
        return Promise.resolve();
      },
      close: () => undefined,
    }),
  });
  open.push(rpc);
  await rpc.version();
  return { rpc, written, take: () => takes.shift()!() };
}

test('audit-06: a line is written once the one before was taken', async () => {
  const { rpc, written, take } = await slowLines();
  for (const method of ['a', 'b']) rpc.call(method, [], asIs).catch(() => undefined);
  await vi.waitFor(() => expect(written).toHaveLength(1));
  await new Promise((resolve) => setImmediate(resolve));
  expect(written.map((line) => JSON.parse(line).method)).toEqual(['a']);
  take();
  await vi.waitFor(() => expect(written).toHaveLength(2));
});

test('so many calls are on their way at a time, and one more is told to come later', async () => {
  const { rpc } = await slowLines();
  const calls = Array.from({ length: 4096 }, () => rpc.call('a', [], asIs));
  await expect(rpc.call('a', [], asIs)).rejects.toMatchObject({
    code: 'ChainUnavailable',
    detail: 'busy',
    retryAfterMs: 1000,
  });
  rpc.close();
  for (const call of await Promise.allSettled(calls)) expect(call.status).toBe('rejected');
  await expect(rpc.call('a', [], asIs)).rejects.toMatchObject({ detail: 'closed' });
});

test('closed, it fails what waits and connects no more', async () => {
  const { port, seen, sockets } = await serve((request, say) => request.method === 'a' && echo(request, say));
  const rpc = over(port);
  await rpc.call('a', [], asIs);
  const waiting = rpc.call('b', [], asIs);
  rpc.close();
  await expect(waiting).rejects.toMatchObject({ code: 'ChainUnavailable' });
  await expect(rpc.call('a', [], asIs)).rejects.toMatchObject({ code: 'ChainUnavailable', detail: 'closed' });
  await vi.waitFor(() => expect(sockets.size).toBe(0));
  expect(seen.filter(({ method }) => method === 'server.version')).toHaveLength(1);
});
