/**
 * Esplora's REST over a regtest node, for tests: real blocks, real mempool, real refusals, in the JSON shapes of
 * Blockstream's esplora.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { RpcError } from '../../scripts/setup/regtest.ts';
import { addressOf, parseAddress } from '../../src/bitcoin/address.ts';
import { networkParams } from '../../src/bitcoin/network.ts';
import type { Network } from '../../src/protocol/networks.ts';
import { indexOf, type Node, type Placed, sats } from './chainIndex.ts';

export interface EsploraBridge {
  /** `http://127.0.0.1:PORT/api`. */
  url: string;
  /** Paths asked for since the last look. */
  asked(): string[];
  /** Whether it names everybody as one who may read its answers (CORS), as public servers do; so it begins. */
  letRead(everybody: boolean): void;
  /** From now on, answers to paths that match are made by `lie` from the true one. */
  lie(path: RegExp, lie: ((truth: unknown) => unknown) | null): void;
  stop(): Promise<void>;
}

/** The regtest address of the same script. */
export const regtestAddress = (address: string, network: Network): string =>
  addressOf(parseAddress(address, network).script, 'regtest')!;

function shape({ tx, block }: Placed): unknown {
  return {
    txid: tx.txid,
    version: tx.version,
    locktime: tx.locktime,
    vin: tx.vin.map((input) => ({
      txid: input.txid ?? '0'.repeat(64),
      vout: input.vout ?? 0xffff_ffff,
      prevout: input.prevout
        ? {
            scriptpubkey: input.prevout.scriptPubKey.hex,
            scriptpubkey_address: input.prevout.scriptPubKey.address,
            value: sats(input.prevout.value),
          }
        : null,
      scriptsig: input.coinbase ?? input.scriptSig?.hex ?? '',
      ...(input.txinwitness ? { witness: input.txinwitness } : {}),
      is_coinbase: input.coinbase !== undefined,
      sequence: input.sequence,
    })),
    vout: tx.vout.map(({ value, scriptPubKey }) => ({
      scriptpubkey: scriptPubKey.hex,
      scriptpubkey_address: scriptPubKey.address,
      value: sats(value),
    })),
    size: tx.size,
    weight: tx.weight,
    fee: sats(tx.fee ?? 0),
    status: statusOf(block),
  };
}

function statusOf(block: Placed['block']): unknown {
  if (block === null) return { confirmed: false };
  return { confirmed: true, block_height: block.height, block_hash: block.hash, block_time: block.time };
}

/**
 * `as`: the network that the bridge passes for. Its addresses are read as the regtest ones of the same script, and block 0
 * is that network's: enough for a wallet of that network to live on a regtest chain.
 */
export async function startEsploraBridge(node: Node, as: Network = 'regtest'): Promise<EsploraBridge> {
  const index = indexOf(node);
  const lies: { path: RegExp; lie: (truth: unknown) => unknown }[] = [];
  let paths: string[] = [];
  let readable = true;

  const touches = (address: string, { tx }: Placed) =>
    tx.vout.some(({ scriptPubKey }) => scriptPubKey.address === address) ||
    tx.vin.some(({ prevout }) => prevout?.scriptPubKey.address === address);

  function statsOf(address: string, all: readonly Placed[]) {
    const outputs = all.flatMap(({ tx }) => tx.vout).filter((o) => o.scriptPubKey.address === address);
    const inputs = all.flatMap(({ tx }) => tx.vin).filter((i) => i.prevout?.scriptPubKey.address === address);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    return {
      tx_count: all.filter((placed) => touches(address, placed)).length,
      funded_txo_count: outputs.length,
      funded_txo_sum: sum(outputs.map(({ value }) => sats(value))),
      spent_txo_count: inputs.length,
      spent_txo_sum: sum(inputs.map(({ prevout }) => sats(prevout!.value))),
    };
  }

  async function answer(path: string, body: string): Promise<unknown> {
    const [kind, asked, what, ...rest] = path.slice(1).split('/');
    const id = kind === 'address' && asked !== undefined ? regtestAddress(asked, as) : asked;
    switch (kind) {
      case 'block-height':
        if (id === '0') return networkParams(as).genesis;
        return node.rpc('getblockhash', [Number(id)]);
      case 'blocks':
        if (what === 'hash') return node.rpc('getbestblockhash');
        return node.rpc('getblockcount');
      case 'block': {
        const { height } = await node.rpc<{ height: number }>('getblockheader', [id]);
        return { id, height };
      }
      case 'fee-estimates':
        return { '1': 4.2, '3': 3.1, '12': 1.5, '144': 1 };
      case 'address': {
        const all = (await index.everything()).filter((placed) => touches(id!, placed));
        const confirmed = all.filter(({ block }) => block !== null);
        const waiting = all.filter(({ block }) => block === null);
        if (what === undefined) {
          return { address: id, chain_stats: statsOf(id!, confirmed), mempool_stats: statsOf(id!, waiting) };
        }
        if (what === 'utxo') {
          const spent = new Set(all.flatMap(({ tx }) => tx.vin.map((i) => `${i.txid}:${i.vout}`)));
          return all.flatMap(({ tx, block }) =>
            tx.vout
              .filter((o) => o.scriptPubKey.address === id && !spent.has(`${tx.txid}:${o.n}`))
              .map((o) => ({ txid: tx.txid, vout: o.n, status: statusOf(block), value: sats(o.value) })),
          );
        }
        const from = rest[0] === 'chain' || rest.length === 0 ? 0 : -1;
        if (from < 0) return null;
        if (rest[0] !== 'chain') return [...waiting.slice(0, 50), ...confirmed.slice(0, 25)].map(shape);
        const after = confirmed.findIndex(({ tx }) => tx.txid === rest[1]) + 1;
        return confirmed.slice(after, after + 25).map(shape);
      }
      case 'txs':
        return node.rpc('submitpackage', [JSON.parse(body)]);
      case 'tx': {
        if (id === undefined) return node.rpc('sendrawtransaction', [body]);
        const found = (await index.everything()).find(({ tx }) => tx.txid === id);
        if (!found) return null;
        if (what === 'hex') return found.tx.hex;
        return what === 'status' ? statusOf(found.block) : shape(found);
      }
      default:
        return null;
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const path = request.url!.replace(/^\/api/, '');
    paths.push(path);
    if (readable) response.setHeader('access-control-allow-origin', '*');
    try {
      let found = await answer(path, body);
      for (const { path: about, lie } of lies) if (about.test(path)) found = lie(found);
      response.statusCode = found === null ? 404 : 200;
      response.end(typeof found === 'string' ? found : JSON.stringify(found ?? 'not found'));
    } catch (error) {
      response.statusCode = error instanceof RpcError ? 400 : 503;
      response.end(error instanceof RpcError ? `sendrawtransaction RPC error: ${error.message}` : 'down');
    }
  }

  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the bridge has no port');
  return {
    url: `http://127.0.0.1:${address.port}/api`,
    asked() {
      const seen = paths;
      paths = [];
      return seen;
    },
    letRead(everybody) {
      readable = everybody;
    },
    lie(path, lie) {
      lies.length = 0;
      if (lie !== null) lies.push({ path, lie });
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
}
