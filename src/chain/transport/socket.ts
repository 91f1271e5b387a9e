/** Lines over TCP or TLS. The only module of `chain` that needs Node. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { Dial, LineHandlers, Lines } from '../lines.ts';

export interface SocketAddress {
  host: string;
  port: number;
  /**
   * Null for plain TCP. Without a fingerprint the certificate must be one that this machine trusts, for this host; with
   * one (SHA-256 of the certificate, lower-case hex) it must be that very certificate, whoever signed it.
   */
  tls: { fingerprint: string | null } | null;
}

/** The longest line: a transaction of a full block in hex, and what stands around it. */
const LINE_MAX = (8 << 20) + 4096;

export function dialSocket(address: SocketAddress): Dial {
  return (handlers, signal) =>
    new Promise<Lines>((resolve, reject) => {
      const fail = (detail: string, cause?: unknown) =>
        reject(new HoarfrostError('ChainUnavailable', { detail, cause }));
      if (signal.aborted) return fail('deadline');
      const socket = open(address);
      const abort = () => {
        fail('deadline');
        socket.destroy();
      };
      signal.addEventListener('abort', abort, { once: true });
      socket.on('error', (cause) => fail('connection', cause));
      socket.once('close', () => {
        signal.removeEventListener('abort', abort);
        fail('connection');
        handlers.onEnd();
      });
      socket.once(address.tls === null ? 'connect' : 'secureConnect', () => {
        signal.removeEventListener('abort', abort);
        if (!expected(socket, address)) {
          fail('certificate');
          socket.destroy();
          return;
        }
        socket.setNoDelay(true);
        resolve(linesOf(socket, handlers));
      });
    });
}

function open({ host, port, tls }: SocketAddress): Socket {
  if (tls === null) return connectTcp({ host, port });
  return connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    // A name is sent as such, an address is not one (RFC 6066).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    rejectUnauthorized: tls.fingerprint === null,
  });
}

function expected(socket: Socket, { tls }: SocketAddress): boolean {
  if (tls === null || tls.fingerprint === null) return true;
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  return certificate?.fingerprint256.replaceAll(':', '').toLowerCase() === tls.fingerprint;
}

function linesOf(socket: Socket, handlers: LineHandlers): Lines {
  const parts: string[] = [];
  let length = 0;
  const take = (text: string): void => {
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = parts.join('') + text.slice(from, end);
      parts.length = length = 0;
      from = end + 1;
      handlers.onLine(line);
      // What a line made us close says nothing more.
      if (socket.destroyed) return;
    }
    if (from === text.length) return;
    length += text.length - from;
    if (length > LINE_MAX) socket.destroy();
    else parts.push(text.slice(from));
  };
  socket.setEncoding('utf8').on('data', take);
  return {
    async write(line) {
      if (socket.destroyed || socket.write(`${line}\n`)) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.once('drain', done);
        socket.once('close', done);
      });
    },
    close: () => void socket.destroy(),
  };
}
