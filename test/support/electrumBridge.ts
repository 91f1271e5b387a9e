/**
 * An Electrum server over a regtest node, for tests: real blocks, real mempool, real refusals, as the protocol has them
 * (1.4 and 1.6, TCP or TLS). Scripts are looked up by reading the whole chain, which a regtest one allows.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { LocalTls } from '../../scripts/setup/ca.ts';
import { RpcError } from '../../scripts/setup/regtest.ts';
import { indexOf, type Node } from './chainIndex.ts';

export interface ElectrumBridge {
  port: number;
  /** SHA-256 of the certificate, in hex; empty over TCP. */
  fingerprint: string;
  /** Methods asked for since the last look. */
  asked(): string[];
  /** From now on, results of this method are made by `lie` from the true one. */
  lie(method: string, lie: ((truth: never) => unknown) | null): void;
  /** Ends the connections there are. */
  hangUp(): void;
  stop(): Promise<void>;
}

interface Touch {
  tx_hash: string;
  height: number;
  fee?: number;
}
interface View {
  tip: { height: number; hex: string };
  history: Map<string, Touch[]>;
}
interface Client {
  socket: Socket;
  version: string | null;
  tip: string | null;
  statuses: Map<string, string | null>;
}

class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const POLL_MS = 200;
const sha256 = (data: Uint8Array | string): Buffer => createHash('sha256').update(data).digest();
const scriptHash = (script: string): string => sha256(Buffer.from(script, 'hex')).reverse().toString('hex');

function statusOf(touches: readonly Touch[] | undefined): string | null {
  if (touches === undefined) return null;
  return sha256(touches.map(({ tx_hash, height }) => `${tx_hash}:${height}:`).join('')).toString('hex');
}

/** `version`: the newest protocol it speaks. */
export async function startElectrumBridge(
  node: Node,
  options: { version: '1.4' | '1.6'; tls?: LocalTls },
): Promise<ElectrumBridge> {
  const index = indexOf(node);
  const clients = new Set<Client>();
  const lies = new Map<string, (truth: never) => unknown>();
  let methods: string[] = [];
  let view: { of: string; now: View } | undefined;
  let running: Promise<View> | undefined;
  let next: Promise<View> | undefined;

  /** What the node holds at some time after the call; one reading serves all who wait for it. */
  function look(): Promise<View> {
    if (next !== undefined) return next;
    const begin = () => {
      running = next;
      next = undefined;
      return read();
    };
    next = (running ?? Promise.resolve()).then(begin, begin);
    return next;
  }

  async function read(): Promise<View> {
    const hash = await node.rpc<string>('getbestblockhash');
    const of = `${hash} ${(await node.rpc<string[]>('getrawmempool')).sort().join()}`;
    if (view?.of === of) return view.now;
    const { height } = await node.rpc<{ height: number }>('getblockheader', [hash]);
    const tip = { height, hex: await node.rpc<string>('getblockheader', [hash, false]) };
    const history = new Map<string, Touch[]>();
    const placed = await index.everything();
    const waiting = new Set(placed.filter(({ block }) => block === null).map(({ tx }) => tx.txid));
    const touches = placed.map(({ tx, block }) => {
      const scripts = new Set([
        ...tx.vout.map(({ scriptPubKey }) => scriptPubKey.hex),
        ...tx.vin.flatMap(({ prevout }) => (prevout ? [prevout.scriptPubKey.hex] : [])),
      ]);
      const chained = tx.vin.some(({ txid }) => txid !== undefined && waiting.has(txid));
      const place = block?.height ?? (chained ? -1 : 0);
      return { scripts, touch: { tx_hash: tx.txid, height: place } };
    });
    const confirmed = touches.filter(({ touch }) => touch.height > 0).reverse();
    const unconfirmed = touches
      .filter(({ touch }) => touch.height <= 0)
      .sort((a, b) => b.touch.height - a.touch.height || (a.touch.tx_hash < b.touch.tx_hash ? -1 : 1));
    for (const { scripts, touch } of [...confirmed, ...unconfirmed]) {
      for (const script of scripts) {
        const hashed = scriptHash(script);
        history.set(hashed, [...(history.get(hashed) ?? []), touch]);
      }
    }
    view = { of, now: { tip, history } };
    for (const client of clients) notify(client, view.now);
    return view.now;
  }

  function notify(client: Client, { tip, history }: View): void {
    if (client.tip !== null && client.tip !== tip.hex) {
      client.tip = tip.hex;
      say(client, { method: 'blockchain.headers.subscribe', params: [tip] });
    }
    for (const [hash, before] of client.statuses) {
      const status = statusOf(history.get(hash));
      if (status === before) continue;
      client.statuses.set(hash, status);
      say(client, { method: 'blockchain.scripthash.subscribe', params: [hash, status] });
    }
  }

  function say({ socket }: Client, message: object): void {
    if (socket.writable) socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  async function answer(client: Client, method: string, params: unknown[]): Promise<unknown> {
    const [first, second] = params as [string, number];
    const modern = client.version === '1.6';
    const header = async (height: number) =>
      node.rpc<string>('getblockheader', [await node.rpc('getblockhash', [height]), false]);
    switch (method) {
      case 'server.ping':
        return null;
      case 'blockchain.block.header':
        return header(Number(first));
      case 'blockchain.block.headers': {
        const { tip } = await look();
        const count = Math.max(0, Math.min(second, 2016, tip.height - Number(first) + 1));
        const headers = await Promise.all(Array.from({ length: count }, (_, i) => header(Number(first) + i)));
        return { count, max: 2016, ...(modern ? { headers } : { hex: headers.join('') }) };
      }
      case 'blockchain.headers.subscribe': {
        const { tip } = await look();
        client.tip = tip.hex;
        return tip;
      }
      case 'blockchain.scripthash.subscribe': {
        const status = statusOf((await look()).history.get(first));
        client.statuses.set(first, status);
        return status;
      }
      case 'blockchain.scripthash.unsubscribe':
        return client.statuses.delete(first);
      case 'blockchain.scripthash.get_history':
        return (await look()).history.get(first) ?? [];
      case 'blockchain.transaction.get':
        return node.rpc('getrawtransaction', [first]);
      case 'blockchain.transaction.broadcast':
        return node.rpc('sendrawtransaction', [first]);
      case 'blockchain.transaction.broadcast_package': {
        if (!modern) break;
        const said = await node.rpc<{
          package_msg: string;
          'tx-results': Record<string, { txid: string; error?: string }>;
        }>('submitpackage', [first]);
        const errors = Object.values(said['tx-results']).filter(({ error }) => error !== undefined);
        return { success: said.package_msg === 'success', ...(errors.length > 0 ? { errors } : {}) };
      }
      case 'blockchain.estimatefee': {
        const { feerate } = await node.rpc<{ feerate?: number }>('estimatesmartfee', [Number(first)]);
        return feerate ?? -1;
      }
      case 'blockchain.relayfee':
        if (modern) break;
        return (await node.rpc<{ relayfee: number }>('getnetworkinfo')).relayfee;
      case 'mempool.get_info': {
        if (!modern) break;
        const { mempoolminfee, minrelaytxfee, incrementalrelayfee } =
          await node.rpc<Record<string, number>>('getmempoolinfo');
        return { mempoolminfee, minrelaytxfee, incrementalrelayfee };
      }
    }
    throw new Refusal(-32601, 'unknown method');
  }

  function negotiate(client: Client, [, range]: unknown[]): [string, string] {
    const [least, most] = Array.isArray(range) ? (range as string[]) : [String(range), String(range)];
    client.version = [most!, options.version].sort()[0]!;
    if (client.version < least!) throw new Refusal(1, 'unsupported protocol version');
    return ['bridge', client.version];
  }

  async function take(client: Client, line: string): Promise<void> {
    const { id, method, params } = JSON.parse(line) as { id: number; method: string; params: unknown[] };
    methods.push(method);
    try {
      // The version is told first, and once.
      if ((method === 'server.version') !== (client.version === null))
        throw new Refusal(1, 'server.version first');
      let result =
        method === 'server.version' ? negotiate(client, params) : await answer(client, method, params);
      const lie = lies.get(method);
      if (lie !== undefined) result = lie(result as never);
      say(client, { id, result });
    } catch (error) {
      const [code, message] =
        error instanceof RpcError
          ? [2, error.message]
          : error instanceof Refusal
            ? [error.code, error.message]
            : [-32603, 'the node is away'];
      say(client, { id, error: { code, message } });
      if (client.version === null) client.socket.end();
    }
  }

  function serve(socket: Socket): void {
    const client: Client = { socket, version: null, tip: null, statuses: new Map() };
    clients.add(client);
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) void take(client, line);
    });
    socket.on('error', () => undefined).on('close', () => clients.delete(client));
  }

  const certificate = options.tls && (await readFile(options.tls.certFile));
  const server =
    options.tls === undefined
      ? createServer(serve)
      : createTlsServer({ cert: certificate, key: await readFile(options.tls.keyFile) }, serve);
  // The first reading takes longest: nobody need wait for it.
  await look();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the bridge has no port');
  const polling = setInterval(() => {
    if (clients.size > 0) look().catch(() => undefined);
  }, POLL_MS);
  const hangUp = () => {
    for (const { socket } of clients) socket.destroy();
  };
  return {
    port: address.port,
    fingerprint: certificate
      ? new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()
      : '',
    asked() {
      const seen = methods;
      methods = [];
      return seen;
    },
    lie(method, lie) {
      lies.clear();
      if (lie !== null) lies.set(method, lie);
    },
    hangUp,
    async stop() {
      clearInterval(polling);
      hangUp();
      server.close();
      await once(server, 'close');
    },
  };
}
