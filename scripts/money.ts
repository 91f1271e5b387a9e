/** Where a driven wallet's coins come from, whom it pays, and who says that the payment is in a block. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Regtest } from './setup/regtest.ts';

export interface Money {
  /** Makes coins come to the address, or says how somebody can. */
  fund(address: string): Promise<void>;
  /** Somebody else's address, or null where there is nobody: the wallet then pays itself. */
  payee(): Promise<string | null>;
  /** Resolves with the height of the block that holds the transaction. Throws if it cannot be what we signed. */
  mined(txid: string): Promise<number>;
  /** How long coins and blocks may take. */
  deadlineMs: number;
}

const FUNDED = 2_000_000n;

/** A node of our own: it pays from its miner, mines, and is asked what it mined. */
export function moneyOf(node: Regtest): Money {
  return {
    deadlineMs: 60_000,
    async fund(address) {
      await node.fund(address, FUNDED);
      await node.mine(1);
    },
    payee: () => node.rpc<string>('getnewaddress', ['', 'bech32m'], { wallet: 'miner' }),
    async mined(txid) {
      await node.mine(1);
      const { blockhash, vin } = await node.rpc<{ blockhash?: string; vin: { txinwitness?: string[] }[] }>(
        'getrawtransaction',
        [txid, true],
      );
      if (blockhash === undefined) throw new Error(`the node did not mine ${txid}`);
      const signedOnce = vin.every(({ txinwitness: w }) => w?.length === 1 && w[0]?.length === 128);
      if (!signedOnce) throw new Error(`${txid}: an input without one 64-byte signature`);
      return (await node.rpc<{ height: number }>('getblock', [blockhash])).height;
    },
  };
}

/** A public test network: a person asks its faucet, and its Esplora tells what was mined. */
export function moneyFromFaucet(faucet: string, esplora: string): Money {
  const deadlineMs = 20 * 60_000;
  return {
    deadlineMs,
    async fund(address) {
      process.stdout.write(`give ${address} coins from ${faucet} … `);
    },
    payee: async () => null,
    async mined(txid) {
      const deadline = performance.now() + deadlineMs;
      while (performance.now() < deadline) {
        // A server that is busy for a moment says so neither way.
        const said = await fetch(`${esplora}/tx/${txid}/status`, { signal: AbortSignal.timeout(15_000) })
          .then((answer) => (answer.ok ? answer.json() : {}))
          .catch(() => ({}));
        const { confirmed, block_height } = said as Record<string, unknown>;
        if (confirmed === true && typeof block_height === 'number') return block_height;
        await sleep(5_000);
      }
      throw new Error(`${txid} is in no block yet`);
    },
  };
}
