import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bitcoind, findBitcoind } from './bitcoind.ts';
import { freePort, type Running, start } from './processes.ts';

/** A regtest node of our own, on the loopback address, with a wallet `miner` that holds mature coins. */
export interface Regtest {
  /** `http://127.0.0.1:PORT`; the credentials are the line of `cookieFile`. */
  rpcUrl: string;
  /** Holds `user:password`, written anew at each start. */
  cookieFile: string;
  folder: string;
  pid: number;
  /** Where it takes peers; null unless that was asked for. */
  p2pPort: number | null;
  /** Calls the node; with `wallet`, that wallet. Amounts go in and come out in BTC, as the node has them. */
  rpc<T>(method: string, params?: readonly unknown[], options?: RpcOptions): Promise<T>;
  /** Mines `blocks` to the miner, or to an address. Gives the hashes of the blocks. */
  mine(blocks: number, address?: string): Promise<string[]>;
  /** Pays `sats` from the miner to an address, unconfirmed. Gives the txid. */
  fund(address: string, sats: bigint): Promise<string>;
  /** Ends the node that was started here, and removes its folder if it was a temporary one. */
  stop(): Promise<void>;
}

interface RpcOptions {
  wallet?: string;
  deadlineMs?: number;
}

/** What the node answered with an error: Bitcoin Core's code of it (rpc/protocol.h) and its message. */
export class RpcError extends Error {
  override name = 'RpcError';
  readonly code: number;
  constructor(method: string, code: number, message: string) {
    super(`${method}: ${message} (${code})`);
    this.code = code;
  }
}

const MINER = 'miner';
const START_DEADLINE = 60_000;
const RPC_DEADLINE = 30_000;
/** RPC_IN_WARMUP */
const WARMUP = -28;
/** RPC_WALLET_ALREADY_LOADED */
const LOADED = -35;
/** RPC_WALLET_ERROR: among others, a wallet of that name exists */
const WALLET_ERROR = -4;

/** Decimal BTC of an amount of sats, which the node takes as a string: no float in between. */
const btc = (sats: bigint): string =>
  `${sats / 100_000_000n}.${String(sats % 100_000_000n).padStart(8, '0')}`;

/**
 * Starts a regtest node and waits until it answers and the miner has mature coins.
 * @param options.folder kept, with its chain, for the next start; a temporary one when left out
 * @param options.p2p takes peers on the loopback address, as an index of its blocks needs
 * @throws Missing when no node is here; Error with the node's words when it does not start
 */
export async function startRegtest(
  options: { folder?: string; bitcoind?: Bitcoind; p2p?: boolean } = {},
): Promise<Regtest> {
  const bitcoind = options.bitcoind ?? (await findBitcoind());
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'hoarfrost-regtest-')));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const p2pPort = options.p2p ? await freePort() : null;
  const cookieFile = join(folder, 'regtest/.cookie');
  await rm(cookieFile, { force: true });
  const node = start(bitcoind.command, [
    ...bitcoind.args,
    '-regtest',
    '-server',
    '-txindex',
    '-fallbackfee=0.00001',
    // Nobody to talk to: one node is the network.
    ...(p2pPort === null ? ['-listen=0'] : ['-listen=1', `-bind=127.0.0.1:${p2pPort}`]),
    '-listenonion=0',
    '-dnsseed=0',
    '-connect=0',
    '-rpcbind=127.0.0.1',
    '-rpcallowip=127.0.0.1',
    `-rpcport=${port}`,
    `-datadir=${folder}`,
    // Knots relays by its own rules unless told to use those of Bitcoin Core, which does not know the option.
    ...(bitcoind.version.includes('Knots') ? ['-corepolicy'] : []),
  ]);

  const rpc = async <T>(
    method: string,
    params: readonly unknown[] = [],
    call: RpcOptions = {},
  ): Promise<T> => {
    const path = call.wallet === undefined ? '/' : `/wallet/${encodeURIComponent(call.wallet)}`;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(await readFile(cookieFile, 'utf8')).toString('base64')}`,
      },
      body: JSON.stringify({ id: method, method, params }),
      signal: AbortSignal.timeout(call.deadlineMs ?? RPC_DEADLINE),
    });
    const text = await response.text();
    if (!text.startsWith('{')) throw new Error(`${method}: HTTP ${response.status} ${text}`);
    const { result, error } = JSON.parse(text) as {
      result: T;
      error: { code: number; message: string } | null;
    };
    if (error) throw new RpcError(method, error.code, error.message);
    return result;
  };
  const mine = async (blocks: number, address?: string): Promise<string[]> => {
    const to = address ?? (await rpc<string>('getnewaddress', [], { wallet: MINER }));
    return rpc('generatetoaddress', [blocks, to], { deadlineMs: 120_000 });
  };
  const stop = async () => {
    await node.stop(30_000);
    if (!options.folder) await rm(folder, { recursive: true, force: true });
  };

  try {
    await answers(node, () => rpc('getblockchaininfo'));
    await openMiner(rpc);
    const { blocks } = await rpc<{ blocks: number }>('getblockchaininfo');
    if (blocks < 101) await mine(101 - blocks);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    rpcUrl: `http://127.0.0.1:${port}`,
    cookieFile,
    folder,
    pid: node.child.pid!,
    p2pPort,
    rpc,
    mine,
    fund: (address, sats) => rpc('sendtoaddress', [address, btc(sats)], { wallet: MINER }),
    stop,
  };
}

/** Polls until the node answers; while it starts there is no cookie, no port, or a warm-up. */
async function answers(node: Running, ask: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_DEADLINE;
  for (;;) {
    if (node.child.exitCode !== null || node.child.pid === undefined) {
      throw new Error(`bitcoind ended at its start:\n${node.said()}`);
    }
    try {
      await ask();
      return;
    } catch (error) {
      if (error instanceof RpcError && error.code !== WARMUP) throw error;
      if (performance.now() > deadline) throw new Error(`bitcoind does not answer: ${error}\n${node.said()}`);
    }
    await sleep(50);
  }
}

async function openMiner(rpc: Regtest['rpc']): Promise<void> {
  try {
    await rpc('createwallet', [MINER]);
  } catch (error) {
    if (!(error instanceof RpcError && error.code === WALLET_ERROR)) throw error;
    await rpc('loadwallet', [MINER]).catch((reason) => {
      if (!(reason instanceof RpcError && reason.code === LOADED)) throw reason;
    });
  }
}
