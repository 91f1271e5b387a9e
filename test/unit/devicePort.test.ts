import { describe, expect, test, vi } from 'vitest';
import type { Device } from '../../src/device/device.ts';
import { PORT_NAMES } from '../../src/device/port.ts';
import { connectPort, isOwnPage, PortServer } from '../../src/device/portServer.ts';
import { decodePortReply, encodePort } from '../../src/protocol/portCodec.ts';
import { databaseOf, newProfile, Worker } from '../support/deviceHost.ts';

const self = { id: 'ourselves', origin: 'chrome-extension://ourselves/' };
const page = { id: self.id, url: `${self.origin}popup.html` };

class FakePort {
  name: string = PORT_NAMES.current;
  sender: unknown = page;
  disconnected = false;
  readonly replies: unknown[] = [];
  #onMessage: (message: unknown) => void = () => {};
  #onDisconnect: () => void = () => {};
  onMessage = { addListener: (l: (message: unknown) => void) => void (this.#onMessage = l) };
  onDisconnect = { addListener: (l: () => void) => void (this.#onDisconnect = l) };

  postMessage(message: string): void {
    this.replies.push(decodePortReply(message));
  }
  disconnect(): void {
    this.disconnected = true;
  }
  leave(): void {
    this.#onDisconnect();
  }
  async ask(message: unknown): Promise<unknown> {
    const before = this.replies.length;
    this.#onMessage(typeof message === 'string' ? message : encodePort(message));
    await vi.waitFor(() => expect(this.replies.length > before || this.disconnected).toBe(true));
    return this.replies.at(-1);
  }
}

async function serverFor(): Promise<{ connect: (port: FakePort) => FakePort; server: PortServer }> {
  const worker = await Worker.start(newProfile());
  const server = new PortServer(self, 'current', async () => worker.device);
  return {
    server,
    connect: (port) => {
      connectPort([server], port as never);
      return port;
    },
  };
}

test.each([
  ['a page of ours', page, true],
  ['a content script of ours in a web page', { id: self.id, url: 'https://evil.example/' }, false],
  ['another extension', { id: 'other', url: 'chrome-extension://other/popup.html' }, false],
  ['another extension that claims our address', { id: 'other', url: page.url }, false],
  [
    'a page whose address begins like ours',
    { id: self.id, url: 'chrome-extension://ourselves.evil/' },
    false,
  ],
  ['nobody', undefined, false],
  ['no address', { id: self.id }, false],
])('%s: served %o -> %s', (_name, sender, served) => {
  expect(isOwnPage(sender, self)).toBe(served);
});

describe('the port', () => {
  test('answers by number', async () => {
    const { connect } = await serverFor();
    const port = connect(new FakePort());
    expect(await port.ask({ id: 7, method: 'state', argument: null })).toMatchObject({
      id: 7,
      result: { phase: 'empty' },
    });
  });

  test('strangers are cut off unheard', async () => {
    const { connect } = await serverFor();
    const stranger = new FakePort();
    stranger.sender = { id: self.id, url: 'https://evil.example/' };
    expect(connect(stranger).disconnected).toBe(true);
    const misnamed = new FakePort();
    misnamed.name = 'other';
    expect(connect(misnamed).disconnected).toBe(true);
  });

  test('a port goes to the wallet that it names, and to no other', async () => {
    const worker = await Worker.start(newProfile());
    const device = async () => worker.device;
    const [current, next] = [new PortServer(self, 'current', device), new PortServer(self, 'next', device)];
    const port = new FakePort();
    port.name = PORT_NAMES.next;
    connectPort([current, next], port as never);
    expect(port.disconnected).toBe(false);
    current.push({ kind: 'state', state: await worker.device.state() });
    expect(port.replies).toEqual([]);
    next.push({ kind: 'state', state: await worker.device.state() });
    expect(port.replies).toHaveLength(1);
  });

  test.each([
    ['no JSON', 'nonsense'],
    ['no request', encodePort({ method: 'state' })],
    ['spaces', '{"id":1, "method":"state","argument":null}'],
  ])('is closed on what is not of its codec: %s', async (_name, text) => {
    const { connect } = await serverFor();
    const port = connect(new FakePort());
    await port.ask(text);
    expect(port.disconnected).toBe(true);
    expect(port.replies).toEqual([]);
  });

  test.each([
    ['UnknownMessage', 'stateOfNothing', null],
    ['UnknownMessage', 'constructor', null],
    ['BadEncoding', 'state', {}],
    ['BadEncoding', 'draft', { address: 'a', amount: 1, feeRate: 1 }],
    ['BadEncoding', 'draft', { address: 'a', amount: 1n, feeRate: 1.5 }],
    ['BadEncoding', 'draft', { address: 'a', amount: 1n, feeRate: 1, extra: true }],
    ['BadEncoding', 'unlock', { password: 1 }],
    ['BadEncoding', 'tryPairing', { uri: 'a', network: 'testnet3' }],
    ['BadEncoding', 'keygenRound1', { recovery: 'bytes' }],
    ['BadPairing', 'readPairing', { uri: 'https://a' }],
    ['NoWallet', 'receiveAddress', null],
    ['NoWallet', 'unlock', { password: 'winter morning train' }],
    ['SessionUnknown', 'keygenRound1', { recovery: new Uint8Array(1) }],
  ])('%s: %s(%o)', async (expected, method, argument) => {
    const { connect } = await serverFor();
    const port = connect(new FakePort());
    expect(await port.ask({ id: 1, method, argument })).toMatchObject({ id: 1, error: { code: expected } });
  });

  test('a device that cannot wake says so to each request', async () => {
    const server = new PortServer(self, 'current', () => Promise.reject<Device>(new Error('no database')));
    const port = new FakePort();
    server.connect(port as never);
    expect(await port.ask({ id: 1, method: 'state', argument: null })).toEqual({
      id: 1,
      error: { code: 'Internal', detail: '', retryAfterMs: 0 },
    });
  });

  test('events reach open pages only', async () => {
    const { connect, server } = await serverFor();
    const [here, gone] = [connect(new FakePort()), connect(new FakePort())];
    gone.leave();
    const event = {
      kind: 'state',
      state: { phase: 'empty', shares: { device: 'none', cosigner: 'none', recovery: 'none' } },
    } as const;
    server.push(event);
    expect(here.replies).toEqual([{ event }]);
    expect(gone.replies).toEqual([]);
  });
});

test('StoreUnavailable: a database that fails says so', async () => {
  const db = await databaseOf(newProfile());
  expect(await db.get('settings', 'settings')).toBeNull();
  db.close();
  await expect(db.get('settings', 'settings')).rejects.toMatchObject({ code: 'StoreUnavailable' });
});
