/**
 * The Electrum protocol's JSON-RPC over one connection that is kept up: it says its version first, asks what chain this is,
 * renews its subscription to the tip, pings when nothing else is asked, and dials again after a loss. A call fails at the
 * loss of the connection it was sent on, or at its own deadline; one that is made meanwhile waits for the next connection.
 */
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import * as json from './json.ts';
import type { Dial, Lines } from './lines.ts';

/** The server's own refusal of one call. To everybody else it is `ChainUnavailable`. */
export class ElectrumFailure extends HoarfrostError {
  readonly rpcCode: number;
  readonly rpcMessage: string;

  constructor(method: string, rpcCode: number, rpcMessage: string) {
    super('ChainUnavailable', { detail: `${method} ${rpcCode}` });
    this.rpcCode = rpcCode;
    this.rpcMessage = rpcMessage;
  }
}

export interface ElectrumRpcOptions {
  dial: Dial;
  /** Of each call. */
  deadlineMs: number;
  /** First questions on a new connection, before any other call: what they throw ends it. */
  greet(call: ElectrumCall): Promise<void>;
  onNotification(method: string, params: readonly unknown[]): void;
  /** What was subscribed to is gone with the connection. */
  onLost(): void;
  /** In [0, 1): spreads out the attempts of many clients. */
  random?: () => number;
  pingEveryMs?: number;
}

/**
 * `read` makes a value of the result, or throws. It runs as the answer arrives, so in order with the notifications around
 * it: what it notes of a subscription is never older than what they say.
 */
export type ElectrumCall = <T>(
  method: string,
  params: readonly unknown[],
  read: (result: unknown) => T,
) => Promise<T>;

/** Major and minor: [1, 4]. */
export type Version = readonly [number, number];

export interface ElectrumRpc {
  call: ElectrumCall;
  /** Of the connection there is, or of the next one. */
  version(): Promise<Version>;
  close(): void;
}

const CLIENT = 'hoarfrost';
const OLDEST: Version = [1, 4];
const NEWEST: Version = [1, 6];
/** Calls on their way at a time, of all wallets together. */
const PENDING_MAX = 4096;
const PING_EVERY_MS = 60_000;
/** An attempt and the wait before it take less than 5 s: so long after a fault's end there is a connection again. */
const CONNECT_MS = 3_000;
const BACKOFF_MS = { first: 100, most: 1_600 };
/** A connection that lived so long was a good one: the next attempts begin with the shortest wait again. */
const GOOD_MS = 10_000;

interface Pending {
  /** The whole answer: settles its call. */
  answer(message: json.JsonObject): void;
  fail(error: HoarfrostError): void;
}

interface Connection {
  lines: Lines;
  pending: Map<number, Pending>;
  openedAt: number;
  heardAt: number;
  version: Version;
  lost: boolean;
  /** Ends when all lines so far are taken by the socket. */
  written: Promise<void>;
  ping?: ReturnType<typeof setInterval>;
}

const unavailable = (detail: string, cause?: unknown): HoarfrostError =>
  new HoarfrostError('ChainUnavailable', { detail, cause });

export function createElectrumRpc(options: ElectrumRpcOptions): ElectrumRpc {
  const { deadlineMs, random = Math.random, pingEveryMs = PING_EVERY_MS } = options;
  const closed = new AbortController();
  let current: Connection | undefined;
  /** What leads to the next connection, while there is none. From the first call on there is one or the other. */
  let attempt: Promise<Connection> | undefined;
  let failures = 0;
  let calls = 0;
  let nextId = 0;

  /** Nobody need ask for it: who is subscribed wants to hear. An attempt's error is for the calls that waited for it. */
  function reconnect(waitMs: number): Promise<Connection> {
    const made = delay(waitMs).then(connect);
    attempt = made;
    made.catch(() => {
      failures++;
      if (attempt !== made) return;
      if (closed.signal.aborted) attempt = undefined;
      else reconnect(backoff());
    });
    return made;
  }

  /** Between half and all of a time that doubles. */
  function backoff(): number {
    const most = Math.min(BACKOFF_MS.first * 2 ** Math.min(failures, 20), BACKOFF_MS.most);
    return most * (0.5 + random() / 2);
  }

  async function connect(): Promise<Connection> {
    ensure(!closed.signal.aborted, 'ChainUnavailable', { detail: 'closed' });
    let connection: Connection | undefined;
    const late = AbortSignal.timeout(Math.min(deadlineMs, CONNECT_MS));
    const ending = AbortSignal.any([closed.signal, late]);
    const lines = await options.dial(
      {
        onLine: (line) => connection !== undefined && take(connection, line),
        onEnd: () => connection !== undefined && drop(connection),
      },
      ending,
    );
    const now = performance.now();
    const opened: Connection = {
      lines,
      pending: new Map(),
      openedAt: now,
      heardAt: now,
      version: OLDEST,
      lost: false,
      written: Promise.resolve(),
    };
    connection = opened;
    const give = () => drop(opened);
    ending.addEventListener('abort', give, { once: true });
    try {
      opened.version = await send(
        opened,
        'server.version',
        [CLIENT, [OLDEST, NEWEST].map(text)],
        readVersion,
      );
      await options.greet((method, params, read) => send(opened, method, params, read));
      ensure(!opened.lost, 'ChainUnavailable', { detail: 'connection' });
    } catch (e) {
      drop(opened);
      throw e;
    } finally {
      ending.removeEventListener('abort', give);
    }
    opened.ping = setInterval(() => {
      if (opened.pending.size === 0) send(opened, 'server.ping', [], () => null).catch(() => undefined);
    }, pingEveryMs);
    current = opened;
    attempt = undefined;
    return opened;
  }

  /** All that waits for an answer fails now, not at its deadline. */
  function drop(connection: Connection): void {
    if (connection.lost) return;
    connection.lost = true;
    clearInterval(connection.ping);
    connection.lines.close();
    options.onLost();
    if (current === connection) {
      current = undefined;
      failures = performance.now() - connection.openedAt >= GOOD_MS ? 0 : failures + 1;
      if (!closed.signal.aborted) reconnect(backoff());
    }
    for (const { fail } of connection.pending.values()) fail(unavailable('connection'));
    connection.pending.clear();
  }

  function take(connection: Connection, line: string): void {
    if (connection.lost) return;
    connection.heardAt = performance.now();
    try {
      const message = json.object(json.parseJson(line), 'message');
      if (message.method !== undefined) {
        const params = json.array(message.params, 8, 'notification');
        options.onNotification(json.string(message.method, 100, 'method'), params);
        return;
      }
      const id = json.integer(message.id, Number.MAX_SAFE_INTEGER, 'id');
      // Late, or twice; but never one that was not asked.
      if (id >= nextId) json.refuse('id');
      const pending = connection.pending.get(id);
      connection.pending.delete(id);
      pending?.answer(message);
    } catch {
      // A server that sends garbage once is not believed in what comes after it.
      drop(connection);
    }
  }

  function send<T>(
    connection: Connection,
    method: string,
    params: readonly unknown[],
    read: (result: unknown) => T,
    withinMs = deadlineMs,
  ): Promise<T> {
    if (connection.lost) return Promise.reject(unavailable('connection'));
    const id = nextId++;
    const sentAt = performance.now();
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        connection.pending.delete(id);
        reject(unavailable('deadline'));
        // One that answers others is busy; one that has been silent since is gone.
        if (connection.heardAt <= sentAt) drop(connection);
      }, withinMs);
      connection.pending.set(id, {
        answer: (message) => {
          clearTimeout(timer);
          try {
            if (message.error !== undefined && message.error !== null)
              throw readFailure(method, message.error);
            if (!('result' in message)) json.refuse('result');
            resolve(read(message.result));
          } catch (e) {
            reject(e);
          }
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      const line = JSON.stringify({ jsonrpc: '2.0', id, method, params });
      connection.written = connection.written.then(() => connection.lines.write(line));
    });
  }

  /** The connection, for one call: no longer than its deadline. */
  async function connected(): Promise<Connection> {
    if (current !== undefined) return current;
    ensure(!closed.signal.aborted, 'ChainUnavailable', { detail: 'closed' });
    const stop = new AbortController();
    try {
      return await Promise.race([
        attempt ?? reconnect(0),
        delay(deadlineMs, stop.signal).then(() => {
          throw unavailable('deadline');
        }),
      ]);
    } finally {
      stop.abort();
    }
  }

  /** Ends early when it is stopped or the source is closed. */
  function delay(ms: number, stop?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        closed.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      closed.signal.addEventListener('abort', end);
      stop?.addEventListener('abort', end, { once: true });
    });
  }

  return {
    async call(method, params, read) {
      ensure(calls < PENDING_MAX, 'ChainUnavailable', { detail: 'busy', retryAfterMs: 1000 });
      calls++;
      const began = performance.now();
      try {
        const connection = await connected();
        return await send(connection, method, params, read, deadlineMs - (performance.now() - began));
      } finally {
        calls--;
      }
    },
    version: async () => (await connected()).version,
    close() {
      closed.abort();
      if (current !== undefined) drop(current);
    },
  };
}

const text = (version: Version): string => version.join('.');

function readVersion(answer: unknown): Version {
  const [, said] = json.array(answer, 8, 'version');
  const [, minor] = /^1\.(\d{1,3})(?:\.\d{1,6})*$/.exec(json.string(said, 20, 'version')) ?? [];
  const version: Version = [1, Number(minor)];
  ensure(version[1] >= OLDEST[1] && version[1] <= NEWEST[1], 'ChainUnavailable', {
    detail: 'Electrum protocol version',
  });
  return version;
}

function readFailure(method: string, said: unknown): ElectrumFailure {
  // Old servers say it in words alone.
  if (typeof said === 'string') return new ElectrumFailure(method, 0, said.slice(0, 200));
  const error = json.object(said, 'error');
  const code = json.number(error.code ?? 0, 'error');
  return new ElectrumFailure(method, code, json.string(error.message ?? '', 100_000, 'error').slice(0, 200));
}
