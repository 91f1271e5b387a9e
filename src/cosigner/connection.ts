/**
 * One WebSocket: Noise handshake, then requests one after the other, each answered in turn (DESIGN section 6). Frames wait
 * in a short queue that stops the socket when it is full, so a connection's memory is bounded by a few frames, one request
 * and one answer.
 */
import type { RawData, WebSocket } from 'ws';
import { equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { CLOSE, Joiner, PROLOGUE, splitMessage } from '../protocol/frames.ts';
import { HANDSHAKE_DEADLINE_MS, REHANDSHAKE_MS, REQUEST_DEADLINE_MS } from '../protocol/limits.ts';
import { type Answer, answer, errorAnswer, type Notice, notice, request } from '../protocol/messages.ts';
import { HANDSHAKE_1_LENGTH, type NoiseTransport, respond } from '../protocol/noise.ts';
import type { OwnChannelKey } from './identity.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { nodePrimitives } from './noisePrimitives.ts';
import type { Session } from './session.ts';
import type { Peer } from './sign.ts';
import type { Bytes } from './store.ts';

/** Frames that wait while one is worked on. */
const INBOX_MAX = 4;
/** Time the peer has to answer our close before the socket is cut. */
const CLOSE_DEADLINE_MS = 2000;
/** Requests over the rate, one after the other, that are still answered. */
const OVER_RATE_MAX = 50;

export interface ConnectionOptions {
  /** All that a device may pin. */
  readonly channelKeys: readonly OwnChannelKey[];
  /** Opens the session of an authenticated device. */
  readonly open: (peer: Peer & { address: string }) => Session;
  /** Whom the limits take the peer for. */
  readonly address: string;
  /** Called once, when the first transport message has decrypted: not half-open any more. False where there is no place for it. */
  readonly onEstablished: () => boolean;
  /** Called once, when the device is known to have a wallet. */
  readonly onEnrolled: (deviceKey: Bytes) => void;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Counts connections since start. */
  readonly number: number;
  readonly timing: Timing;
}

export interface Timing {
  /** From the socket's opening to the first transport message. */
  readonly handshakeMs: number;
  readonly rehandshakeMs: number;
  /** For a peer to read one frame. */
  readonly sendMs: number;
  /** For a peer to send one message, from its first part to its last. */
  readonly receiveMs: number;
}

export const TIMING: Timing = {
  handshakeMs: HANDSHAKE_DEADLINE_MS,
  rehandshakeMs: REHANDSHAKE_MS,
  sendMs: REQUEST_DEADLINE_MS,
  receiveMs: REQUEST_DEADLINE_MS,
};

export class Connection {
  readonly #ws: WebSocket;
  readonly #options: ConnectionOptions;
  #channel: { deviceKey: Bytes; transport: NoiseTransport; session: Session; joiner: Joiner } | undefined;
  #established = false;
  #enrolled = false;
  #lastNumber = 0;
  readonly #inbox: Bytes[] = [];
  #working = false;
  #draining: number | undefined;
  #sending: Promise<void> = Promise.resolve();
  /** One of each kind that waits for a slow peer. */
  readonly #notices = new Map<Notice['kind'], Notice>();
  #timer: NodeJS.Timeout;
  #receiving: NodeJS.Timeout | undefined;
  /** Requests in a row that were over the rate. */
  #overRate = 0;
  readonly closed: Promise<void>;

  constructor(ws: WebSocket, options: ConnectionOptions) {
    this.#ws = ws;
    this.#options = options;
    this.#timer = setTimeout(
      () => this.#close(CLOSE.deadline, 'DeadlineExceeded'),
      options.timing.handshakeMs,
    );
    ws.on('message', (data, isBinary) => this.#enqueue(data, isBinary));
    // A frame over the limit, bad UTF-8, a reset: ws closes by itself and tells only the log.
    ws.on('error', (e) => options.log.debug('socket error', { connection: options.number, detail: e.name }));
    this.closed = new Promise((resolve) => {
      ws.on('close', (code) => {
        options.log.debug('connection closed', { connection: options.number, code });
        clearTimeout(this.#timer);
        clearTimeout(this.#receiving);
        this.#inbox.length = 0;
        this.#channel?.session.end();
        resolve();
      });
    });
  }

  /** Drops all but the newest notice of a kind while the peer is slow. Only an enrolled device hears any, or that of `wallet` alone. */
  notify(what: Notice, wallet?: Bytes): void {
    const own = this.#channel?.session.wallet ?? null;
    if (own === null || (wallet !== undefined && !equalVar(own, wallet))) return;
    const waiting = this.#notices.has(what.kind);
    this.#notices.set(what.kind, what);
    if (!waiting) {
      void this.#send(() => {
        const newest = this.#notices.get(what.kind)!;
        this.#notices.delete(what.kind);
        return [0, encode(notice, newest)];
      });
    }
  }

  /** Finishes the request in hand, then closes. Requests that wait behind it are left to another connection. */
  drain(code: number = CLOSE.draining): Promise<void> {
    this.#draining = code;
    if (!this.#working) this.#close(code);
    return this.closed;
  }

  /** Gives its place to another: the device hears why, and comes back later. */
  refuse(): void {
    this.#close(CLOSE.rateLimited, 'RateLimited');
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #enqueue(data: RawData, isBinary: boolean): void {
    if (this.#draining !== undefined || this.#ws.readyState !== this.#ws.OPEN) return;
    if (!isBinary || !Buffer.isBuffer(data)) {
      this.#close(CLOSE.protocol, 'BadEncoding');
      return;
    }
    this.#inbox.push(new Uint8Array(data));
    if (this.#inbox.length >= INBOX_MAX) this.#ws.pause();
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let frame = this.#inbox.shift(); frame !== undefined; frame = this.#inbox.shift()) {
        if (this.#ws.isPaused && this.#inbox.length === 0) this.#ws.resume();
        await (this.#channel === undefined ? this.#handshake(frame) : this.#receive(frame));
        if (this.#draining !== undefined || this.#ws.readyState !== this.#ws.OPEN) break;
      }
      if (this.#draining !== undefined) this.#close(this.#draining);
    } catch (e) {
      const code = isHoarfrostError(e) ? e.code : 'Internal';
      if (!isHoarfrostError(e)) this.#logUnexpected(e);
      const close = code === 'TooLarge' ? CLOSE.tooLarge : CLOSE.protocol;
      if (this.#channel !== undefined) this.#close(close, code);
      else this.#close(CLOSE.handshake, code === 'Unauthorised' ? 'WrongCosignerKey' : code);
    } finally {
      this.#working = false;
    }
  }

  async #handshake(message1: Bytes): Promise<void> {
    ensure(message1.length === HANDSHAKE_1_LENGTH, 'BadEncoding', { detail: 'handshake length' });
    const { channelKeys, open, address } = this.#options;
    const { channelKey, remote, message, transport } = await respondAs(channelKeys, message1);
    const { handshakeHash } = transport;
    const session = open({ deviceKey: remote, handshakeHash, channelKey, address });
    this.#channel = { deviceKey: remote, transport, session, joiner: new Joiner(session.messageMax) };
    await this.#write(message);
  }

  async #receive(frame: Bytes): Promise<void> {
    const channel = this.#channel!;
    const plaintext = await channel.transport.open(frame);
    // Closed while this was decrypted: a timer set now would keep the connection in memory for minutes.
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (!this.#established && !this.#establish()) return;
    const whole = channel.joiner.push(plaintext);
    if (whole === null) {
      this.#receiving ??= setTimeout(
        () => this.#close(CLOSE.deadline, 'DeadlineExceeded'),
        this.#options.timing.receiveMs,
      );
      return;
    }
    clearTimeout(this.#receiving);
    this.#receiving = undefined;
    ensure(whole.number === this.#lastNumber + 1, 'OutOfSequence');
    this.#lastNumber = whole.number;
    const reply = await this.#answer(channel.session, whole.message);
    if (!this.#enrolled && channel.session.enrolled) {
      this.#enrolled = true;
      this.#options.onEnrolled(channel.deviceKey);
    }
    channel.joiner = new Joiner(channel.session.messageMax);
    await this.#send(() => [whole.number, reply]);
    if (this.#overRate > OVER_RATE_MAX) this.refuse();
  }

  /** Whatever happens to one request, the connection goes on. */
  async #answer(session: Session, message: Bytes): Promise<Bytes> {
    const started = performance.now();
    const { log, metrics, number } = this.#options;
    let kind = 'unread';
    let result: Answer;
    try {
      session.admit(message.length);
      this.#overRate = 0;
      const asked = decode(request, message);
      kind = asked.kind;
      result = await session.handle(asked);
      log.debug('answered', {
        connection: number,
        request: kind,
        ms: Math.round(performance.now() - started),
      });
    } catch (e) {
      if (kind === 'unread' && isHoarfrostError(e) && e.code === 'RateLimited') this.#overRate++;
      result = this.#refusal(e, kind);
    }
    const outcome = result.kind === 'error' ? result.code : result.kind;
    metrics.count('hoarfrost_requests_total', { request: kind, answer: outcome });
    metrics.observe('hoarfrost_request_seconds', (performance.now() - started) / 1000, { request: kind });
    try {
      return encode(answer, result);
    } catch (e) {
      return encode(answer, this.#refusal(e, kind));
    }
  }

  #refusal(e: unknown, kind: string): Answer {
    const { log, number } = this.#options;
    if (isHoarfrostError(e)) {
      const detail = e.detail === undefined ? {} : { detail: e.detail };
      log.info('request refused', { connection: number, request: kind, code: e.code, ...detail });
    } else this.#logUnexpected(e);
    return errorAnswer(e);
  }

  #logUnexpected(e: unknown): void {
    const detail = e instanceof Error ? e.name : typeof e;
    this.#options.log.error('unexpected error', { connection: this.#options.number, detail });
  }

  #establish(): boolean {
    this.#established = true;
    if (!this.#options.onEstablished()) {
      this.refuse();
      return false;
    }
    clearTimeout(this.#timer);
    // The device comes back with a fresh handshake by itself; this holds it to that.
    this.#timer = setTimeout(() => void this.drain(CLOSE.deadline), this.#options.timing.rehandshakeMs);
    return true;
  }

  /** `make` runs when its turn has come, so parts of two messages never mix. Never rejects: a dead socket closes itself. */
  #send(make: () => [number: number, message: Bytes]): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      try {
        const [number, message] = make();
        for (const part of splitMessage(number, message)) {
          await this.#write(await this.#channel!.transport.seal(part));
        }
      } catch (e) {
        if (!isHoarfrostError(e)) this.#logUnexpected(e);
        this.#ws.terminate();
      }
    });
    return this.#sending;
  }

  /** Resolves when the frame has left; a peer that does not read within the deadline is an error, and cut off by it. */
  #write(frame: Bytes): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new HoarfrostError('DeadlineExceeded', { detail: 'slow reader' }));
      }, this.#options.timing.sendMs);
      this.#ws.send(frame, { binary: true }, (e) => {
        clearTimeout(timer);
        if (e) reject(new HoarfrostError('ChannelClosed', { cause: e }));
        else resolve();
      });
    });
  }

  /** The reason is an error code: all that a peer without a channel can be told. */
  #close(code: number, reason = ''): void {
    this.#inbox.length = 0;
    this.#ws.resume();
    this.#ws.close(code, reason);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_DEADLINE_MS);
    timer.unref();
    void this.closed.then(() => clearTimeout(timer));
  }
}

/** With the key that message 1 was made for: the newest first, which most devices pin. */
async function respondAs(channelKeys: readonly OwnChannelKey[], message1: Bytes) {
  for (const channelKey of channelKeys.toReversed()) {
    try {
      const local = channelKey.noise;
      const answered = await respond({ primitives: nodePrimitives, local, prologue: PROLOGUE, message1 });
      return { channelKey, ...answered };
    } catch (e) {
      if (!isHoarfrostError(e) || e.code !== 'Unauthorised') throw e;
    }
  }
  throw new HoarfrostError('Unauthorised');
}
