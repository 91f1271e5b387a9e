/** The device's end of the channel, frame by frame, so that a test may also send what no device would. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { localTls } from '../../scripts/setup/ca.ts';
import { cache } from '../../scripts/setup/paths.ts';
import { SUITE } from '../../src/crypto/signer.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { CHANNEL_PATH, Joiner, PROLOGUE, SUBPROTOCOL, splitMessage } from '../../src/protocol/frames.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/keygen.ts';
import {
  type Answer,
  type AnswerOf,
  answer,
  errorOf,
  type Notice,
  notice,
  type Request,
  request,
} from '../../src/protocol/messages.ts';
import { initiate, type NoiseKeyPair, type NoiseTransport } from '../../src/protocol/noise.ts';

export type Bytes = Uint8Array<ArrayBuffer>;
/** Less than the half minute after which both ends give up by themselves: what is not at once by then is no guard's doing. */
const DEADLINE_MS = 25_000;
/** An answer may wait until a database is back. */
const ANSWER_MS = 60_000;

/** Rejects after the deadline: no wait in a test is endless. */
export function within<T>(what: string, promise: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One folder a worker: two that make it at once would take it from each other. */
export const testTls = localTls(join(cache, `tls-test-${process.env.VITEST_POOL_ID ?? 0}`));

export interface Address {
  port: number;
  noiseKey: Bytes;
  /** Own address: all of 127.0.0.0/8 is this machine. */
  from?: string;
}

/** A TLS WebSocket that has shaken no hands yet. Frames are queued from the first moment on. */
export class RawSocket {
  readonly ws: WebSocket;
  readonly frames: Bytes[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data: Buffer) => {
      this.frames.push(Uint8Array.from(data));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  static async open(port: number, protocol = SUBPROTOCOL, from = '127.0.0.1'): Promise<RawSocket> {
    const { caFile } = await testTls;
    const ws = new WebSocket(`wss://127.0.0.1:${port}${CHANNEL_PATH}`, protocol, {
      ca: readFileSync(caFile),
      perMessageDeflate: false,
      localAddress: from,
    });
    const socket = new RawSocket(ws);
    await within(
      'open',
      new Promise<void>((resolve, reject) => {
        ws.once('open', resolve);
        ws.once('error', reject);
      }),
    );
    ws.on('error', () => {});
    return socket;
  }

  /** The next frame, or null once the socket is closed. */
  async next(): Promise<Bytes | null> {
    while (this.frames.length === 0) {
      if (this.ws.readyState === WebSocket.CLOSED) return null;
      await within(
        'frame',
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        ANSWER_MS,
      );
    }
    return this.frames.shift()!;
  }

  close(): Promise<{ code: number; reason: string }> {
    this.ws.close();
    return within('close', this.closed);
  }
}

/** One request at a time over a finished handshake. */
export class Client {
  readonly socket: RawSocket;
  readonly transport: NoiseTransport;
  readonly notices: Notice[] = [];
  readonly frames: Bytes[] = [];
  /** As the last hello named it. */
  ledger: Bytes = new Uint8Array(16);
  /** Number of the last answer. */
  answered = 0;
  #number = 0;

  constructor(socket: RawSocket, transport: NoiseTransport) {
    this.socket = socket;
    this.transport = transport;
  }

  /** Handshake only: nothing said yet. */
  static async shake(address: Address, local: NoiseKeyPair): Promise<Client> {
    const socket = await RawSocket.open(address.port, SUBPROTOCOL, address.from);
    const handshake = await initiate({ local, remote: address.noiseKey, prologue: PROLOGUE });
    socket.ws.send(handshake.message);
    const message2 = await socket.next();
    if (message2 === null) throw new Error(`closed: ${(await socket.closed).reason}`);
    return new Client(socket, await handshake.complete(message2));
  }

  static async connect(address: Address, local: NoiseKeyPair): Promise<Client> {
    const client = await Client.shake(address, local);
    await client.hello();
    return client;
  }

  async hello(network: 'regtest' | 'mainnet' = 'regtest'): Promise<AnswerOf<'hello'>> {
    const asked = { kind: 'hello', version: PROTOCOL_VERSION, suite: SUITE, network } as const;
    const hello = await this.ask(asked, 'hello');
    this.ledger = hello.ledger;
    return hello;
  }

  /** Throws an error answer as the error it names. */
  async ask<K extends Answer['kind']>(message: Request, kind: K): Promise<AnswerOf<K>> {
    await this.send(encode(request, message));
    const got = await this.receive();
    if (this.answered !== this.#number) throw new Error('answer to another request');
    if (got.kind === 'error') throw errorOf(got);
    if (got.kind !== kind) throw new Error(`${got.kind} for ${message.kind}`);
    return got as AnswerOf<K>;
  }

  async send(message: Bytes): Promise<void> {
    for (const part of splitMessage(++this.#number, message)) await this.sendPlain(part);
  }

  async sendPlain(plaintext: Bytes): Promise<void> {
    this.socket.ws.send(await this.transport.seal(plaintext));
  }

  async receive(): Promise<Answer> {
    const joiner = new Joiner();
    for (;;) {
      const frame = await this.socket.next();
      if (frame === null) throw new Error(`closed: ${(await this.socket.closed).reason}`);
      this.frames.push(frame);
      const whole = joiner.push(await this.transport.open(frame));
      if (whole === null) continue;
      if (whole.number === 0) {
        this.notices.push(decode(notice, whole.message));
        continue;
      }
      this.answered = whole.number;
      return decode(answer, whole.message);
    }
  }

  close() {
    return this.socket.close();
  }
}
