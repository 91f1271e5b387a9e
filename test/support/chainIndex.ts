/** What a regtest node holds, for bridges that speak of scripts: each block is read once, and again after a reorg. */
import type { Regtest } from '../../scripts/setup/regtest.ts';

/** All that a bridge needs of a node; behind it the node may restart. */
export type Node = Pick<Regtest, 'rpc'>;

/** A transaction as getblock 3 and getrawtransaction 2 have it. */
export interface NodeTx {
  txid: string;
  hex: string;
  version: number;
  locktime: number;
  size: number;
  weight: number;
  fee?: number;
  vin: {
    coinbase?: string;
    txid?: string;
    vout?: number;
    scriptSig?: { hex: string };
    txinwitness?: string[];
    sequence: number;
    prevout?: { value: number; scriptPubKey: { hex: string; address?: string } };
  }[];
  vout: { value: number; n: number; scriptPubKey: { hex: string; address?: string } }[];
}
export interface Placed {
  tx: NodeTx;
  block: { hash: string; height: number; time: number } | null;
}

export const sats = (btc: number): number => Math.round(btc * 1e8);

export interface ChainIndex {
  /** Every transaction, the newest first. */
  everything(): Promise<Placed[]>;
}

export function indexOf(node: Node): ChainIndex {
  async function mempool(): Promise<Placed[]> {
    const txids = await node.rpc<string[]>('getrawmempool');
    const found = await Promise.all(txids.map((txid) => node.rpc<NodeTx>('getrawtransaction', [txid, 2])));
    return found.map((tx) => ({ tx, block: null }));
  }

  let chain: { hash: string; placed: Placed[] }[] = [];
  let reading: Promise<unknown> = Promise.resolve();
  /** Every transaction, the newest first. Requests come side by side; the index is read by one at a time. */
  function everything(): Promise<Placed[]> {
    const result = reading.then(readAll);
    reading = result.catch(() => undefined);
    return result;
  }

  async function readAll(): Promise<Placed[]> {
    const tip = await node.rpc<number>('getblockcount');
    while (chain.length > 0) {
      const last = chain.length - 1;
      if (last <= tip && (await node.rpc('getblockhash', [last])) === chain[last]!.hash) break;
      chain = chain.slice(0, last);
    }
    for (let height = chain.length; height <= tip; height++) {
      const hash = await node.rpc<string>('getblockhash', [height]);
      const { time, tx } = await node.rpc<{ time: number; tx: NodeTx[] }>('getblock', [hash, 3]);
      chain.push({ hash, placed: tx.map((t) => ({ tx: t, block: { hash, height, time } })) });
    }
    const all = [...(await mempool()), ...chain.toReversed().flatMap(({ placed }) => placed.toReversed())];
    // The node gives prevouts of what is mined only.
    for (const { tx, block } of all) {
      if (block !== null) break;
      for (const input of tx.vin) {
        const output = all.find((other) => other.tx.txid === input.txid)?.tx.vout[input.vout!];
        if (output) input.prevout = output;
      }
    }
    return all;
  }

  return { everything };
}
