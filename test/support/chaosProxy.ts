/** A TCP relay that spoils what passes through it, for tests of whoever asks a server over it: lines or HTTP alike. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * - drop: connections end, and new ones at once
 * - stall: nothing passes either way; what was sent is delivered when the fault ends
 * - swallow: answers vanish, and are not made up for later
 * - halfWrite: half of an answer, then the end
 * - garbage: bytes that are no answer
 * - reorder: answers wait a moment, and come the last one first (lines), or the last connection first (HTTP)
 */
export const FAULTS = ['drop', 'stall', 'swallow', 'halfWrite', 'garbage', 'reorder'] as const;
export type Fault = (typeof FAULTS)[number];

export interface ChaosProxy {
  port: number;
  /** From now on, also for connections there are; null passes everything. */
  fault(fault: Fault | null): void;
  /** Where new connections lead. */
  upstream(port: number): void;
  stop(): Promise<void>;
}

const REORDER_MS = 30;

interface Pair {
  client: Socket;
  server: Socket;
  /** What a stall holds back. */
  held: (() => void)[];
}

export async function startChaosProxy(upstreamPort: number): Promise<ChaosProxy> {
  let port = upstreamPort;
  let fault: Fault | null = null;
  const pairs = new Set<Pair>();
  let gathered: { client: Socket; data: Buffer }[] = [];
  let timer: NodeJS.Timeout | undefined;

  const end = ({ client, server }: Pair) => {
    client.destroy();
    server.destroy();
  };
  const pass = (to: Socket, data: Buffer) => to.writable && to.write(data);

  function reordered(): void {
    timer = undefined;
    const byClient = new Map<Socket, Buffer[]>();
    for (const { client, data } of gathered) byClient.set(client, [...(byClient.get(client) ?? []), data]);
    gathered = [];
    for (const [client, parts] of [...byClient].reverse()) {
      const text = Buffer.concat(parts).toString('latin1');
      // Only whole lines of JSON can change places within one connection.
      const lines = text.startsWith('{') && text.endsWith('\n') ? text.split(/(?<=\n)/).reverse() : [text];
      pass(client, Buffer.from(lines.join(''), 'latin1'));
    }
  }

  function answered(pair: Pair, data: Buffer): void {
    const { client, held } = pair;
    switch (fault) {
      case 'stall':
        held.push(() => pass(client, data));
        return;
      case 'swallow':
        return;
      case 'halfWrite':
        client.write(data.subarray(0, data.length >> 1), () => end(pair));
        return;
      case 'garbage':
        // Whose second byte is no version of TLS: of the head of a record the rest would be waited for.
        pass(client, Buffer.concat([randomBytes(1), Buffer.of(0xff), randomBytes(62), Buffer.from('\n')]));
        return;
      case 'reorder':
        gathered.push({ client, data });
        timer ??= setTimeout(reordered, REORDER_MS);
        return;
      default:
        pass(client, data);
    }
  }

  const relay = createServer((client) => {
    if (fault === 'drop') {
      client.destroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    const pair: Pair = { client, server, held: [] };
    pairs.add(pair);
    client.on('data', (data) => {
      if (fault === 'stall') pair.held.push(() => pass(server, data));
      else pass(server, data);
    });
    server.on('data', (data) => answered(pair, data));
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        end(pair);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const address = relay.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');

  return {
    port: address.port,
    fault(next) {
      fault = next;
      if (fault === 'drop') for (const pair of pairs) end(pair);
      if (fault === 'stall') return;
      for (const { held } of pairs) for (const deliver of held.splice(0)) deliver();
    },
    upstream(next) {
      port = next;
      for (const pair of pairs) end(pair);
    },
    async stop() {
      clearTimeout(timer);
      for (const pair of pairs) end(pair);
      relay.close();
      await once(relay, 'close');
    },
  };
}
