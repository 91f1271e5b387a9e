/**
 * A TLS-terminating relay between the device and a real cosigner. Inside TLS every frame is a Noise message, so this
 * sees what a broken ingress would see: sizes, order and ciphertext. Tests use it to act at an exact message boundary
 * (kill, stall, cut) without any hook in the product, and to keep all frames for the search for secrets.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { LocalTls } from '../../scripts/setup/ca.ts';

export type Direction = 'up' | 'down';

export interface Frame {
  readonly direction: Direction;
  /** Counts from 0 over all connections since the proxy was made or `restart()` was called. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** `drop` swallows the frame, `cut` closes both ends before it passes. */
export type Fate = 'pass' | 'drop' | 'cut';

export interface FrameProxy {
  readonly port: number;
  readonly frames: Frame[];
  /** Decides on each frame before it passes; may take its time, and the frames behind it wait. */
  onFrame: (frame: Frame) => Fate | Promise<Fate>;
  restart(): void;
  close(): Promise<void>;
}

export async function startFrameProxy(tls: LocalTls, upstreamPort: number): Promise<FrameProxy> {
  const server = createServer({
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    minVersion: 'TLSv1.3',
  });
  const sockets = new WebSocketServer({ server });
  const ca = readFileSync(tls.caFile);
  let count = 0;

  const proxy: FrameProxy = {
    port: 0,
    frames: [],
    onFrame: () => 'pass',
    restart() {
      count = 0;
      proxy.frames.length = 0;
      proxy.onFrame = () => 'pass';
    },
    async close() {
      for (const s of sockets.clients) s.terminate();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  sockets.on('connection', (down, request) => {
    const up = new WebSocket(
      `wss://127.0.0.1:${upstreamPort}${request.url}`,
      (request.headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim()),
      { ca },
    );
    const opened = new Promise<void>((resolve) => up.once('open', () => resolve()));
    const cut = () => {
      down.terminate();
      up.terminate();
    };
    const relay = (from: WebSocket, to: WebSocket, direction: Direction) => {
      let last = Promise.resolve();
      from.on('message', (data: Buffer) => {
        last = last.then(async () => {
          await opened;
          const frame: Frame = { direction, index: count++, bytes: Uint8Array.from(data) };
          proxy.frames.push(frame);
          const fate = await proxy.onFrame(frame);
          if (fate === 'cut') cut();
          else if (fate === 'pass' && to.readyState === WebSocket.OPEN) to.send(data);
        });
      });
      from.on('close', (code) => {
        void last.then(() => {
          if (to.readyState === WebSocket.OPEN) {
            if (code >= 1000 && code <= 4999 && code !== 1005 && code !== 1006) to.close(code);
            else to.terminate();
          }
        });
      });
      from.on('error', cut);
    };
    relay(down, up, 'up');
    relay(up, down, 'down');
  });

  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return Object.assign(proxy, { port: (server.address() as AddressInfo).port });
}
