/**
 * One connection to the cosigner: TLS WebSocket, Noise IK inside, then numbered requests and their answers. It is never
 * mended: whatever goes wrong closes it, and everything that waits on it fails at once.
 */
import { SUITE } from '../crypto/signer.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { CHANNEL_PATH, CLOSE, Joiner, PROLOGUE, SUBPROTOCOL, splitMessage } from '../protocol/frames.ts';
import { PROTOCOL_VERSION } from '../protocol/keygen.ts';
import { HANDSHAKE_DEADLINE_MS, REQUEST_DEADLINE_MS } from '../protocol/limits.ts';
import {
  type Answer,
  type AnswerOf,
  answer,
  errorOf,
  type Notice,
  notice,
  type Request,
  request,
} from '../protocol/messages.ts';
import type { Network } from '../protocol/networks.ts';
import { initiate, type NoiseKeyPair, type NoiseTransport } from '../protocol/noise.ts';
import { withDeadline } from './deadline.ts';
import type { Environment, Socket } from './environment.ts';
import type { Cosigner } from './pairing.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface ConnectArguments {
  readonly cosigner: Cosigner;
  readonly network: Network;
  /** This device's Noise static. */
  readonly local: NoiseKeyPair;
  readonly env: Environment;
  onNotice?(notice: Notice): void;
}

interface Waiting {
  settle(a: Answer): void;
  fail(e: HoarfrostError): void;
}

export class Connection {
  /** Names this very connection: what proofs sign. */
  readonly handshakeHash: Bytes;
  /** What the hello called the cosigner's ledger: attempts name it. */
  ledger: Bytes = new Uint8Array(16);
  /** By the monotonic clock. */
  readonly openedAt: number;
  /** Resolves, never rejects, once nothing more can be asked. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #transport: NoiseTransport;
  readonly #waiting = new Map<number, Waiting>();
  readonly #joiner = new Joiner();
  readonly #onNotice: ((notice: Notice) => void) | undefined;
  #number = 0;
  #sending: Promise<unknown> = Promise.resolve();
  #receiving: Promise<unknown> = Promise.resolve();
  #failure: HoarfrostError | undefined;
  #retired = false;
  readonly #resolveClosed: () => void;

  private constructor(socket: Socket, transport: NoiseTransport, args: ConnectArguments) {
    this.#socket = socket;
    this.#transport = transport;
    this.#onNotice = args.onNotice?.bind(args);
    this.handshakeHash = transport.handshakeHash;
    this.openedAt = args.env.monotonic();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = null;
    socket.onclose = ({ code }) =>
      this.#end(new HoarfrostError('ChannelClosed', { detail: `close ${code}` }));
  }

  /**
   * Connects, shakes hands and says hello: the first transport message, before which nothing is believed.
   * Throws `CosignerUnreachable`, `WrongCosignerKey`, `RateLimited`, or what the hello was answered with (`WrongNetwork`, `WrongVersion`).
   */
  static async open(args: ConnectArguments): Promise<{ connection: Connection; hello: AnswerOf<'hello'> }> {
    const { host, port } = args.cosigner;
    const socket = args.env.openSocket(`wss://${host}:${port}${CHANNEL_PATH}`, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    let connection: Connection | undefined;
    try {
      const transport = await withDeadline(shakeHands(socket, args), HANDSHAKE_DEADLINE_MS, 'handshake');
      connection = new Connection(socket, transport, args);
      const hello = await connection.request(
        { kind: 'hello', version: PROTOCOL_VERSION, suite: SUITE, network: args.network },
        'hello',
      );
      ensure(hello.version === PROTOCOL_VERSION, 'WrongVersion');
      connection.ledger = hello.ledger;
      return { connection, hello };
    } catch (e) {
      if (connection === undefined) detach(socket);
      else connection.close();
      if (isHoarfrostError(e) && e.code === 'DeadlineExceeded') {
        throw new HoarfrostError('CosignerUnreachable', { detail: 'deadline', cause: e });
      }
      throw e;
    }
  }

  /**
   * The answer, which must be one of `kinds`. An error answer is thrown as the error it names. Past its deadline
   * (`DeadlineExceeded`) the whole connection is given up, for its state is then anybody's guess.
   */
  async request<K extends Answer['kind']>(message: Request, ...kinds: K[]): Promise<AnswerOf<K>> {
    if (this.#failure !== undefined) throw this.#failure;
    const parts = splitMessage(this.#number + 1, encode(request, message));
    const number = ++this.#number;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.set(number, { settle: resolve, fail: reject });
    this.#sending = this.#sending.then(async () => {
      for (const part of parts) this.#socket.send(await this.#transport.seal(part));
    });
    this.#sending.catch(() => this.#end(new HoarfrostError('ChannelClosed', { detail: 'send' })));
    let got: Answer;
    try {
      got = await withDeadline(promise, REQUEST_DEADLINE_MS, message.kind);
    } catch (e) {
      if (isHoarfrostError(e) && e.code === 'DeadlineExceeded') this.#end(e, CLOSE.deadline);
      throw e;
    }
    if (got.kind === 'error') throw errorOf(got);
    if (!(kinds as string[]).includes(got.kind)) {
      const failure = new HoarfrostError('UnknownMessage', { detail: `${got.kind} for ${message.kind}` });
      this.#end(failure, CLOSE.protocol);
      throw failure;
    }
    return got as AnswerOf<K>;
  }

  get usable(): boolean {
    return this.#failure === undefined && !this.#retired;
  }

  /** Lets what waits be answered, then closes. */
  retire(): void {
    this.#retired = true;
    if (this.#waiting.size === 0) this.close();
  }

  close(): void {
    this.#end(new HoarfrostError('ChannelClosed'), 1000);
  }

  #receive(data: unknown): void {
    this.#receiving = this.#receiving.then(async () => {
      if (this.#failure !== undefined) return;
      ensure(data instanceof ArrayBuffer, 'BadEncoding', { detail: 'text frame' });
      const joined = this.#joiner.push(await this.#transport.open(new Uint8Array(data)));
      if (joined === null) return;
      if (joined.number === 0) {
        this.#onNotice?.(decode(notice, joined.message));
        return;
      }
      const waiting = this.#waiting.get(joined.number);
      ensure(waiting !== undefined, 'OutOfSequence', { detail: 'answer to nothing' });
      const got = decode(answer, joined.message);
      this.#waiting.delete(joined.number);
      waiting.settle(got);
      if (this.#retired && this.#waiting.size === 0) this.close();
    });
    this.#receiving.catch((e) => {
      const failure = isHoarfrostError(e) ? e : new HoarfrostError('Internal', { cause: e });
      this.#end(failure, CLOSE.protocol);
    });
  }

  #end(failure: HoarfrostError, code?: number): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    detach(this.#socket, code);
    for (const { fail } of this.#waiting.values()) fail(failure);
    this.#waiting.clear();
    this.#resolveClosed();
  }
}

function shakeHands(socket: Socket, args: ConnectArguments): Promise<NoiseTransport> {
  const { promise, resolve, reject } = Promise.withResolvers<NoiseTransport>();
  const handshake = initiate({
    local: args.local,
    remote: args.cosigner.noiseKey,
    prologue: PROLOGUE,
  });
  let opened = false;
  socket.onopen = () => {
    opened = true;
    handshake.then(({ message }) => socket.send(message)).catch(reject);
  };
  socket.onmessage = ({ data }) => {
    // One message is due; a second one before the first is judged would be lost, so it is refused.
    socket.onmessage = () => reject(new HoarfrostError('OutOfSequence', { detail: 'handshake' }));
    const complete = async () => {
      ensure(data instanceof ArrayBuffer, 'BadEncoding', { detail: 'text frame' });
      return (await handshake).complete(new Uint8Array(data));
    };
    complete().then(resolve, reject);
  };
  socket.onclose = ({ code }) => reject(closedEarly(opened, code));
  handshake.catch(reject);
  return promise;
}

/**
 * Browsers do not tell a page why a `wss:` connection failed, so a server that is not there and one whose certificate
 * is not trusted look alike: both are `CosignerUnreachable`, and the words on screen name both.
 */
function closedEarly(opened: boolean, code: number): HoarfrostError {
  if (!opened) return new HoarfrostError('CosignerUnreachable', { detail: 'no connection' });
  if (code === CLOSE.handshake) return new HoarfrostError('WrongCosignerKey');
  if (code === CLOSE.rateLimited) return new HoarfrostError('RateLimited', { retryAfterMs: 30_000 });
  return new HoarfrostError('CosignerUnreachable', { detail: `close ${code}` });
}

function detach(socket: Socket, code?: number): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  // Some hosts report a failed connection by an error event that must have a listener.
  socket.onerror = () => {};
  try {
    socket.close(code);
  } catch {
    // Not yet open, or closed already.
  }
}
