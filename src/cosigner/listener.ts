/**
 * The one port: TLS 1.3 alone, so plain `ws://` and `http://` fail in the TLS handshake on every address (AUDIT 01). WebSockets
 * of our subprotocol become connections; anybody may ask for the two health pages, and a contact for the page of its link.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bytesToHex } from '@noble/hashes/utils.js';
import { type WebSocket, WebSocketServer } from 'ws';
import { HoarfrostError } from '../protocol/errors.ts';
import { CHANNEL_PATH, CLOSE, SUBPROTOCOL } from '../protocol/frames.ts';
import { NOISE_MESSAGE_MAX } from '../protocol/limits.ts';
import type { Notice } from '../protocol/messages.ts';
import { Connection, TIMING, type Timing } from './connection.ts';
import { isContactPage, serveContactPage } from './contactPage.ts';
import type { Cosigner } from './cosigner.ts';
import { busyLoop, Gate } from './gate.ts';
import { checkHealth } from './health.ts';
import { addressName } from './limits.ts';
import { Places } from './places.ts';
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

const WAITING_MAX = 1024;
const DEVICE_CONNECTIONS = 16;
const CHECK_MS = 1000;
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
  readonly #gate: Gate;
  readonly #connections = new Set<Connection>();
  /** TCP connections by address. */
  readonly #sources = new Map<string, number>();
  /** Whose device has not proved itself yet. */
  readonly #halfOpen: Places<Connection>;
  /** Whose device has, and has no wallet. */
  readonly #strangers: Places<Connection>;
  /** Of each device with a wallet, by its key: its connections, oldest first. */
  readonly #devices = new Map<string, Connection[]>();
  #accepted = 0;
  #draining = false;
  #checking: ReturnType<typeof checkHealth> | undefined;

  private constructor(cosigner: Cosigner, options: ListenerOptions) {
    this.#cosigner = cosigner;
    this.#options = options;
    const { handshakeMs } = options.timing ?? TIMING;
    this.#server = createServer({
      cert: options.cert,
      key: options.key,
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeMs,
      // Who says nothing after TLS is looked for this often, and by default twice a minute: he would hold his place as long.
      connectionsCheckingInterval: CHECK_MS,
      pauseOnConnect: true,
    });
    // Node begins TLS with every socket at once; here the gate says when.
    const [beginTls] = this.#server.listeners('connection') as ((socket: Socket) => void)[];
    this.#server.removeAllListeners('connection');
    const { connections, halfOpen } = options;
    // What nobody with a wallet holds is a part of all, however long it is held: the rest is for those who have one.
    const waiting = Math.min(WAITING_MAX, Math.ceil(connections / 8));
    this.#gate = new Gate(cosigner.limiter, cosigner.clock.monotonic, busyLoop(), waiting);
    const giveUp = (connection: Connection) => connection.refuse();
    this.#halfOpen = new Places(halfOpen, giveUp);
    this.#strangers = new Places(Math.ceil(connections / 4), giveUp);
    this.#server.maxConnections = options.connections;
    this.#server.headersTimeout = handshakeMs;
    this.#server.requestTimeout = handshakeMs;
    // A connection that is kept for the next page would be held without a bound.
    this.#server.maxRequestsPerSocket = 1;
    this.#server.on('connection', (socket: Socket) => {
      this.#admit(socket, () => beginTls!.call(this.#server, socket));
    });
    this.#server.on('request', (request, response) => void this.#page(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    cosigner.announcements.listen((wallet) => {
      for (const connection of this.#connections) connection.notify({ kind: 'ceremony' }, wallet);
    });
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

  /** Connections now: all, and those whose device has not proved itself. */
  get load(): { connections: number; halfOpen: number } {
    return { connections: this.#connections.size, halfOpen: this.#halfOpen.size };
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
    this.#gate.close();
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
    else {
      const address = addressName(request.socket.remoteAddress);
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, address));
    }
  }

  /** Before TLS, which costs more than all that follows: an address over its share is cut off unheard, the others wait at the gate. */
  #admit(socket: Socket, beginTls: () => void): void {
    const { limits, opens } = this.#cosigner.limiter;
    const address = addressName(socket.remoteAddress);
    const open = this.#sources.get(address) ?? 0;
    if (open >= limits.addressConnections || opens.wait(address) > 0) {
      this.#cosigner.metrics.count('hoarfrost_connections_total', { outcome: 'overRate' });
      socket.destroy();
      return;
    }
    this.#sources.set(address, open + 1);
    socket.once('close', () => {
      const left = this.#sources.get(address)! - 1;
      if (left === 0) this.#sources.delete(address);
      else this.#sources.set(address, left);
    });
    this.#gate.enter(socket, address, beginTls);
  }

  #accept(ws: WebSocket, address: string): void {
    const { identity, log, metrics } = this.#cosigner;
    const room = this.#halfOpen.hasRoomFor(address);
    metrics.count('hoarfrost_connections_total', { outcome: room ? 'accepted' : 'noRoom' });
    if (!room) {
      // Before any Diffie-Hellman; the device hears why and comes back later.
      ws.on('error', () => {});
      ws.close(CLOSE.rateLimited, 'RateLimited');
      setTimeout(() => ws.terminate(), 1000).unref();
      return;
    }
    const connection = new Connection(ws, {
      channelKeys: identity.channelKeys,
      open: (peer) => new Session(this.#cosigner, peer),
      address,
      onEstablished: () => {
        this.#halfOpen.leave(connection);
        const isRoom = this.#strangers.hasRoomFor(address);
        if (isRoom) this.#strangers.add(connection, address);
        return isRoom;
      },
      onEnrolled: (deviceKey) => {
        this.#strangers.leave(connection);
        this.#ofDevice(bytesToHex(deviceKey), connection);
      },
      log,
      metrics,
      number: ++this.#accepted,
      timing: this.#options.timing ?? TIMING,
    });
    this.#halfOpen.add(connection, address);
    this.#connections.add(connection);
    void connection.closed.then(() => {
      this.#halfOpen.leave(connection);
      this.#strangers.leave(connection);
      this.#connections.delete(connection);
    });
  }

  /** A device needs one connection, and another while it changes from one to the next: who opens many closes its oldest. */
  #ofDevice(name: string, connection: Connection): void {
    const own = [...(this.#devices.get(name) ?? []), connection];
    this.#devices.set(name, own);
    if (own.length > DEVICE_CONNECTIONS) own.shift()!.refuse();
    void connection.closed.then(() => {
      const left = (this.#devices.get(name) ?? []).filter((other) => other !== connection);
      if (left.length > 0) this.#devices.set(name, left);
      else this.#devices.delete(name);
    });
  }

  async #page(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(`${JSON.stringify(body)}\n`);
    };
    const { strangers } = this.#cosigner.limiter;
    if (strangers.wait(addressName(request.socket.remoteAddress)) > 0) return answer(429, {});
    if (isContactPage(request)) return serveContactPage(this.#cosigner, request, response);
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
