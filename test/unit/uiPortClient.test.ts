import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PortEvent } from '../../src/device/port.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { decodePortRequest, encodePort, type PortRequest } from '../../src/protocol/portCodec.ts';
import { type BrowserPort, type LinkState, PortClient } from '../../src/ui/portClient.ts';

/** The worker's side: every port that was opened, and what came in on it. */
class Worker {
  readonly ports: { sent: PortRequest[]; say(message: unknown): void; die(): void }[] = [];
  refuses = false;

  open = (): BrowserPort => {
    if (this.refuses) throw new Error('no worker');
    let listener: (message: unknown) => void = () => undefined;
    let gone: () => void = () => undefined;
    const sent: PortRequest[] = [];
    this.ports.push({ sent, say: (message) => listener(message), die: () => gone() });
    return {
      postMessage: (text) => sent.push(decodePortRequest(text)),
      disconnect: () => undefined,
      onMessage: (heard) => {
        listener = heard;
      },
      onDisconnect: (heard) => {
        gone = heard;
      },
    };
  };

  get port() {
    const port = this.ports.at(-1);
    if (port === undefined) throw new Error('no port was opened');
    return port;
  }

  answer(method: string, result: unknown): void {
    const request = this.port.sent.findLast((sent) => sent.method === method);
    if (request === undefined) throw new Error(`${method} was not asked`);
    this.port.say(encodePort({ id: request.id, result }));
  }
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (e: unknown) => (e instanceof HoarfrostError ? e.code : String(e)),
  );

describe('the page’s end of the port', () => {
  let worker: Worker;
  let client: PortClient;
  beforeEach(() => {
    vi.useFakeTimers();
    worker = new Worker();
    client = new PortClient(worker.open);
  });
  afterEach(() => {
    client.close();
    vi.useRealTimers();
  });

  it('matches answers by number, in any order, bytes and bigint whole', async () => {
    const first = client.call('activityDetail', { id: 'a' });
    const second = client.call('descriptor', null);
    const [a, b] = worker.port.sent;
    worker.port.say(encodePort({ id: b?.id, result: { descriptor: 'tr()' } }));
    worker.port.say(encodePort({ id: a?.id, result: { amount: 5n, transaction: Uint8Array.of(1, 2) } }));
    expect(await second).toEqual({ descriptor: 'tr()' });
    expect(await first).toEqual({ amount: 5n, transaction: Uint8Array.of(1, 2) });
  });

  it('rejects with the device’s own code', async () => {
    const call = codeOf(client.call('unlock', { password: 'x' }));
    const error = { code: 'WrongPassword', detail: '', retryAfterMs: 0 };
    worker.port.say(encodePort({ id: worker.port.sent[0]?.id, error }));
    expect(await call).toBe('WrongPassword');
  });

  it('gives up at the deadline, and a late answer changes nothing', async () => {
    const call = codeOf(client.call('state', null, 1000));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await call).toBe('DeadlineExceeded');
    worker.answer('state', { phase: 'empty' });
  });

  it('does not fall over messages that are none of ours', async () => {
    const call = client.call('lock', null);
    for (const strange of ['{', 7, null, '{"id":99,"result":null}', '{"id":1}']) worker.port.say(strange);
    worker.answer('lock', null);
    expect(await call).toBeNull();
  });

  it('opens the port again when the worker dies, and asks again', async () => {
    const events: PortEvent[] = [];
    client.onEvent((event) => events.push(event));
    const call = client.call('payment', { request: 'r' });
    worker.port.die();
    await vi.advanceTimersByTimeAsync(1);
    expect(worker.ports).toHaveLength(2);
    worker.answer('payment', { request: 'r', state: 'signed' });
    expect(await call).toMatchObject({ state: 'signed' });
    worker.answer('state', { phase: 'locked' });
    await vi.advanceTimersByTimeAsync(0);
    expect(events).toEqual([{ kind: 'state', state: { phase: 'locked' } }]);
  });

  it.each(['keygenStart', 'keygenRound1', 'keygenRound2', 'keygenCertify'] as const)(
    'never repeats %s over a dead worker',
    async (method) => {
      const call = codeOf(client.call(method, { recovery: new Uint8Array(1) } as never));
      worker.port.die();
      expect(await call).toBe('ChannelClosed');
      await vi.advanceTimersByTimeAsync(1);
      expect(worker.port.sent.map((sent) => sent.method)).toEqual(['state']);
    },
  );

  it('says that the link is lost, keeps trying, and says when it is back', async () => {
    const links: LinkState[] = [];
    client.onLink((link) => links.push(link));
    const call = client.call('lock', null, 60_000);
    worker.refuses = true;
    worker.port.die();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(links).toEqual(['open', 'waking', 'lost']);
    worker.refuses = false;
    await vi.advanceTimersByTimeAsync(5000);
    worker.answer('lock', null);
    expect(await call).toBeNull();
    expect(links.at(-1)).toBe('open');
  });

  it('asks for the state once, however often opening fails', async () => {
    for (let i = 0; i < 5; i++) {
      worker.port.die();
      await vi.advanceTimersByTimeAsync(5000);
    }
    expect(worker.port.sent.filter((sent) => sent.method === 'state')).toHaveLength(1);
  });

  it('ends every wait when the page closes', async () => {
    const call = codeOf(client.call('state', null));
    client.close();
    expect(await call).toBe('ChannelClosed');
    expect(await codeOf(client.call('state', null))).toBe('ChannelClosed');
  });
});
