/**
 * The one port: TLS 1.3 alone, so plain `ws://` and `http://` fail in the TLS handshake on every address (AUDIT 01). WebSockets
 * of our subprotocol become connections; anybody may ask for the two health pages.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { HoarfrostError } from '../protocol/errors.ts';
import { CHANNEL_PATH, CLOSE, SUBPROTOCOL } from '../protocol/frames.ts';
import { HANDSHAKE_DEADLINE_MS, NOISE_MESSAGE_MAX } from '../protocol/limits.ts';
import type { Notice } from '../protocol/messages.ts';
import { Connection, TIMING, type Timing } from './connection.ts';
import type { Cosigner } from './cosigner.ts';
import { checkHealth } from './health.ts';
import { Session } from './session.ts';

export interface ListenerOptions {
  /** PEM. */
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly host: string;
  readonly port: number;
  /** Most connections, and most of them whose device has not proved itself yet. */
  readonly connections: number;
  readonly halfOpen: number;
  readonly timing?: Timing;
}

/** Time a drained connection has to finish what it is at. */
const DRAIN_DEADLINE_MS = 30_000;

export class Listener {
  readonly #cosigner: Cosigner;
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: NOISE_MESSAGE_MAX,
    handleProtocols: () => SUBPROTOCOL,
  });
  readonly #connections = new Set<Connection>();
  #accepted = 0;
  #halfOpen = 0;
  #draining = false;
  #checking: ReturnType<typeof checkHealth> | undefined;

  private constructor(cosigner: Cosigner, options: ListenerOptions) {
    this.#cosigner = cosigner;
    this.#options = options;
    this.#server = createServer({
      cert: options.cert,
      key: options.key,
      minVersion: 'TLSv1.3',
      handshakeTimeout: HANDSHAKE_DEADLINE_MS,
    });
    this.#server.maxConnections = options.connections;
    this.#server.headersTimeout = HANDSHAKE_DEADLINE_MS;
    this.#server.requestTimeout = HANDSHAKE_DEADLINE_MS;
    this.#server.on('request', (request, response) => void this.#page(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('tlsClientError', () => cosigner.log.debug('tls handshake failed'));
  }

  /** `BadConfiguration` naming certificate, host or port. */
  static async open(cosigner: Cosigner, options: ListenerOptions): Promise<Listener> {
    let listener: Listener;
    try {
      listener = new Listener(cosigner, options);
    } catch (cause) {
      throw new HoarfrostError('BadConfiguration', {
        detail: 'tls-cert: certificate and key do not fit',
        cause,
      });
    }
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const detail = `${cause.code === 'EADDRNOTAVAIL' ? 'host' : 'port'}: cannot be listened on`;
        reject(new HoarfrostError('BadConfiguration', { detail, cause }));
      });
      listener.#server.listen(options.port, options.host, resolve);
    });
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** To every enrolled device that is connected. */
  notify(notice: Notice): void {
    for (const connection of this.#connections) connection.notify(notice);
  }

  /** Unready at once, no new connections; each connection finishes its request and closes with 1001. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.notify({ kind: 'draining' });
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
    }, DRAIN_DEADLINE_MS);
    await Promise.all([...this.#connections].map((connection) => connection.drain()));
    clearTimeout(deadline);
    this.#server.closeAllConnections();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim());
    if (this.#draining) refuse(socket, '503 Service Unavailable');
    else if (request.url !== CHANNEL_PATH) refuse(socket, '404 Not Found');
    else if (!protocols.includes(SUBPROTOCOL)) refuse(socket, '400 Bad Request');
    else this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws));
  }

  #accept(ws: WebSocket): void {
    const { noise } = this.#cosigner.identity;
    const { log } = this.#cosigner;
    if (this.#halfOpen >= this.#options.halfOpen) {
      // Before any Diffie-Hellman; the device hears why and comes back later.
      ws.on('error', () => {});
      ws.close(CLOSE.rateLimited, 'RateLimited');
      setTimeout(() => ws.terminate(), 1000).unref();
      return;
    }
    this.#halfOpen++;
    let halfOpen = true;
    const settle = () => {
      if (halfOpen) this.#halfOpen--;
      halfOpen = false;
    };
    const connection = new Connection(ws, {
      noise,
      open: (peer) => new Session(this.#cosigner, peer),
      onEstablished: settle,
      log,
      number: ++this.#accepted,
      timing: this.#options.timing ?? TIMING,
    });
    this.#connections.add(connection);
    void connection.closed.then(() => {
      settle();
      this.#connections.delete(connection);
    });
  }

  async #page(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(`${JSON.stringify(body)}\n`);
    };
    if (request.method !== 'GET') return answer(405, {});
    if (request.url === '/livez') return answer(200, { live: true });
    if (request.url !== '/readyz') return answer(404, {});
    // One check at a time, however many ask: anybody may.
    this.#checking ??= checkHealth(this.#cosigner, this.#draining).finally(() => {
      this.#checking = undefined;
    });
    const { ready, health } = await this.#checking;
    answer(ready ? 200 : 503, health);
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
