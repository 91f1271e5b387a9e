/**
 * An Electrum server. It learns every script of the account. Coins are reckoned here from whole transactions that hash to
 * their txids, so it can hide some or lie about confirmations, as every server can, but invent none.
 *
 * Scripts are subscribed to: while their status stands, a look at an account asks for the tip alone. A lost connection
 * forgets the statuses, not what they stood for: the next look subscribes again and reads anew only what differs.
 */
import { hex } from '@scure/base';
import type { Account, DerivedKey, OwnPath } from '../bitcoin/descriptor.ts';
import { networkParams } from '../bitcoin/network.ts';
import type { Coin } from '../bitcoin/psbt.ts';
import {
  type Outpoint,
  outpointText,
  parseTransaction,
  type TxOutput,
  txidOf,
} from '../bitcoin/transaction.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { COINS_MAX, GAP_SCAN } from '../protocol/limits.ts';
import type { Network } from '../protocol/networks.ts';
import {
  HEADERS_MAX,
  type Header,
  type RawTransaction,
  readHeader,
  readHeaders,
  readHistory,
  readPackage,
  readRate,
  readStatus,
  readTip,
  readTransaction,
  scriptHash,
  type Touch,
} from './electrumAnswers.ts';
import { createElectrumRpc, ElectrumFailure } from './electrumRpc.ts';
import { boundRates, TARGETS } from './feeRates.ts';
import { perAccount, scanBranch, untilStill } from './gapScan.ts';
import { isCoinbase, movementOf, newestFirst } from './history.ts';
import * as json from './json.ts';
import type { Dial } from './lines.ts';
import type { AccountScan, ChainSource, HistoryEntry } from './source.ts';

export interface ElectrumOptions {
  dial: Dial;
  network: Network;
  /** Milliseconds: when an unconfirmed transaction is first seen. */
  now: () => number;
  /** Of one request; a whole scan takes at most six of them. */
  deadlineMs?: number;
  pingEveryMs?: number;
}

/** `time` is when an unconfirmed one was first seen. */
type Placed = RawTransaction & { height: number; time: number };

const DEADLINE_MS = 15_000;
const ACCOUNTS_KEPT = 64;
/** Of all accounts on one connection: servers count them. The longest unasked goes first. */
const SUBSCRIPTIONS_MAX = 20_000;
const TRANSACTIONS_MAX = 10_000;
const BLOCKS_KEPT = 20_000;
const CONCURRENCY = 16;

// Error codes of servers (ElectrumX and those after it)
const BAD_REQUEST = 1;
const DAEMON_ERROR = 2;

interface Known {
  /** By script hash: what stood there when its status was that. */
  histories: Map<string, { status: string; touches: Touch[] }>;
  transactions: Map<string, RawTransaction>;
  firstSeen: Map<string, number>;
}

export function createElectrum(options: ElectrumOptions): ChainSource {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const known = perAccount<Known>(ACCOUNTS_KEPT, () => ({
    histories: new Map(),
    transactions: new Map(),
    firstSeen: new Map(),
  }));
  /** Status by script hash, as the server last told it on this connection. */
  const statuses = new Map<string, string | null>();
  let tip: Header | undefined;
  /** Blocks below the tip that was followed last. */
  const blocks = new Map<number, Header>();
  let followed: Header | undefined;

  const rpc = createElectrumRpc({
    ...options,
    deadlineMs,
    async greet(call) {
      // All signets share a genesis block, so one of them can still be taken for another: their addresses are alike too.
      const genesis = await call('blockchain.block.header', [0], (answer) => readHeader(answer, 0));
      ensure(genesis.hash === networkParams(options.network).genesis, 'WrongNetwork', { detail: 'Electrum' });
      await call('blockchain.headers.subscribe', [], hearTip);
    },
    onNotification(method, params) {
      if (method === 'blockchain.headers.subscribe') hearTip(params[0]);
      if (method !== 'blockchain.scripthash.subscribe') return;
      const hash = json.hash(params[0]);
      if (statuses.has(hash)) statuses.set(hash, readStatus(params[1]));
    },
    onLost: () => statuses.clear(),
  });

  function hearTip(answer: unknown): Header {
    tip = readTip(answer);
    return tip;
  }

  const askTip = (): Promise<Header> => rpc.call('blockchain.headers.subscribe', [], hearTip);

  async function statusOf(hash: string): Promise<string | null> {
    const status = statuses.get(hash);
    if (status === undefined) {
      return rpc.call('blockchain.scripthash.subscribe', [hash], (answer) =>
        noteStatus(hash, readStatus(answer)),
      );
    }
    return noteStatus(hash, status);
  }

  /** As the latest asked for. */
  function noteStatus(hash: string, status: string | null): string | null {
    statuses.delete(hash);
    statuses.set(hash, status);
    if (statuses.size > SUBSCRIPTIONS_MAX) {
      const oldest = statuses.keys().next().value!;
      statuses.delete(oldest);
      rpc.call('blockchain.scripthash.unsubscribe', [oldest], () => null).catch(() => undefined);
    }
    return status;
  }

  /** Blocks that were read stay good while the tip stands on them; after a reorg they are read again. */
  async function follow(to: Header): Promise<void> {
    if (followed !== undefined && !(await standsOn(to, followed))) blocks.clear();
    if (blocks.size > BLOCKS_KEPT) blocks.clear();
    blocks.set(to.height, to);
    followed = to;
  }

  async function standsOn(to: Header, from: Header): Promise<boolean> {
    if (to.hash === from.hash) return true;
    const count = to.height - from.height + 1;
    if (count <= 2 || count > HEADERS_MAX) return count === 2 && to.previous === from.hash;
    const version = await rpc.version();
    const chain = await rpc.call('blockchain.block.headers', [from.height, count], (answer) =>
      readHeaders(answer, from.height, version),
    );
    if (chain[0]?.hash !== from.hash || chain.at(-1)?.hash !== to.hash) return false;
    for (const header of chain) blocks.set(header.height, header);
    return true;
  }

  async function blockAt(height: number): Promise<Header> {
    const found =
      blocks.get(height) ??
      (await rpc.call('blockchain.block.header', [height], (answer) => readHeader(answer, height)));
    blocks.set(height, found);
    return found;
  }

  /** Null where the server knows none. */
  async function rawTransaction(txid: string): Promise<RawTransaction | null> {
    try {
      return await rpc.call('blockchain.transaction.get', [txid], (answer) => readTransaction(answer, txid));
    } catch (e) {
      const unknown = /no such mempool|not found|missing transaction/i;
      if (e instanceof ElectrumFailure && unknown.test(e.rpcMessage)) return null;
      throw e;
    }
  }

  /** The protocol tells a height only in the history of a script: that of one of the outputs. */
  async function transaction(txid: string): Promise<{ transaction: Uint8Array; height: number } | null> {
    const found = await rawTransaction(txid);
    if (found === null) return null;
    // OP_RETURN is in nobody's index.
    const output = found.parsed.outputs.find(({ script }) => script[0] !== 0x6a);
    if (output === undefined) json.refuse('a transaction that no history holds');
    const touches = await rpc.call(
      'blockchain.scripthash.get_history',
      [scriptHash(output.script)],
      readHistory,
    );
    const touch = touches.find((t) => t.txid === txid) ?? json.refuse('history');
    return { transaction: found.bytes, height: touch.height };
  }

  async function scanOnce(
    account: Account,
    remembered: Known,
    check: () => void,
  ): Promise<AccountScan | null> {
    const at = await askTip();
    await follow(at);
    const seen = new Map<string, string | null>();
    const histories: Known['histories'] = new Map();
    const paths = new Map<string, OwnPath>();
    const heights = new Map<string, number>();
    let moved = false;

    const visit = async ({ script }: DerivedKey): Promise<Touch[] | null> => {
      check();
      const hash = scriptHash(script);
      const status = await statusOf(hash);
      seen.set(hash, status);
      if (status === null) return null;
      const before = remembered.histories.get(hash);
      const facts =
        before?.status === status
          ? before
          : { status, touches: await rpc.call('blockchain.scripthash.get_history', [hash], readHistory) };
      remembered.histories.set(hash, facts);
      histories.set(hash, facts);
      return facts.touches;
    };
    const found = (path: OwnPath, { script }: DerivedKey, touches: Touch[]): void => {
      paths.set(hex.encode(script), path);
      for (const { txid, height } of touches) {
        // One script's history is newer than another's, or than the tip.
        if ((heights.get(txid) ?? height) !== height || height > at.height) moved = true;
        heights.set(txid, height);
      }
    };
    const nextReceive = await scanBranch(account, 0, GAP_SCAN, visit, found);
    const nextChange = await scanBranch(account, 1, GAP_SCAN, visit, found);
    ensure(heights.size <= TRANSACTIONS_MAX, 'ChainUnavailable', { detail: 'too many transactions' });

    const transactions = new Map<string, Placed>();
    await some([...heights], async ([txid, height]) => {
      check();
      const raw = remembered.transactions.get(txid) ?? (await rawTransaction(txid));
      if (raw === null) {
        moved = true;
        return;
      }
      remembered.transactions.set(txid, raw);
      const time = height === 0 ? (remembered.firstSeen.get(txid) ?? options.now()) : 0;
      transactions.set(txid, { ...raw, height, time });
    });
    if (moved) return null;

    const own = (script: Uint8Array) => paths.get(hex.encode(script)) ?? null;
    const history = await historyOf(transactions, own, check);
    // Whatever has changed meanwhile was heard by now, or will be in the next look.
    if (tip?.hash !== at.hash || [...seen].some(([hash, status]) => statuses.get(hash) !== status))
      return null;
    // What the account no longer has is forgotten.
    remembered.histories = histories;
    remembered.transactions = transactions;
    remembered.firstSeen = new Map(
      [...transactions].flatMap(([txid, { height, time }]) => (height === 0 ? [[txid, time]] : [])),
    );
    const coins = coinsOf(transactions, own);
    return { height: at.height, tip: at.hash, coins, history, nextReceive, nextChange };
  }

  async function historyOf(
    transactions: ReadonlyMap<string, Placed>,
    own: (script: Uint8Array) => OwnPath | null,
    check: () => void,
  ): Promise<HistoryEntry[]> {
    const spent = ({ txid, vout }: Outpoint): TxOutput | null =>
      transactions.get(txid)?.parsed.outputs[vout] ?? null;
    const entries = [...transactions].map(([txid, { bytes, parsed, height, time }]) => ({
      txid,
      height,
      time,
      ...movementOf(parsed, own, spent),
      transaction: bytes,
    }));
    // Only of those that are shown is the block's time asked.
    const shown = newestFirst(entries);
    const times = new Map<number, number>();
    await some([...new Set(shown.map(({ height }) => height))], async (height) => {
      check();
      if (height > 0) times.set(height, (await blockAt(height)).time);
    });
    return shown.map((entry) => ({ ...entry, time: times.get(entry.height) ?? entry.time }));
  }

  return {
    async scan(account) {
      ensure(account.network === options.network, 'WrongNetwork');
      const remembered = known(account);
      const end = performance.now() + 6 * deadlineMs;
      const check = () => ensure(performance.now() < end, 'ChainUnavailable', { detail: 'deadline' });
      return untilStill(() => scanOnce(account, remembered, check));
    },

    async fees() {
      const estimate = (target: number) => rpc.call('blockchain.estimatefee', [target], readRate);
      const [, minor] = await rpc.version();
      const [fast, medium, slow, floor] = await Promise.all([
        estimate(TARGETS.fast),
        estimate(TARGETS.medium),
        estimate(TARGETS.slow),
        minor >= 6
          ? rpc.call('mempool.get_info', [], (answer) => {
              const { mempoolminfee, minrelaytxfee } = json.object(answer);
              return Math.max(readRate(mempoolminfee) ?? 0, readRate(minrelaytxfee) ?? 0);
            })
          : rpc.call('blockchain.relayfee', [], (answer) => readRate(answer) ?? 0),
      ]);
      return boundRates({ fast, medium, slow }, floor);
    },

    transaction,

    async broadcast(bytes) {
      const txid = hex.encode(txidOf(parseTransaction(bytes)));
      try {
        await rpc.call('blockchain.transaction.broadcast', [hex.encode(bytes)], json.hash);
        return txid;
      } catch (e) {
        if (!(e instanceof ElectrumFailure) || !refusal(e)) throw e;
        // Spent already, perhaps by itself: mined, and its outputs gone on.
        if ((await rawTransaction(txid)) !== null) return txid;
        throw new HoarfrostError('BroadcastRejected', { detail: e.rpcMessage, cause: e });
      }
    },

    async broadcastPackage(transactions) {
      const raw = transactions.map((bytes) => hex.encode(bytes));
      const why = await rpc
        .call('blockchain.transaction.broadcast_package', [raw], readPackage)
        .catch((e: unknown) => {
          if (e instanceof ElectrumFailure && refusal(e)) return e.rpcMessage;
          throw e;
        });
      if (why !== null) throw new HoarfrostError('BroadcastRejected', { detail: why });
    },

    height: async () => (await askTip()).height,

    close: rpc.close,
  };
}

/** The node's refusal of a transaction, and not a server that cannot reach its node. */
function refusal({ rpcCode, rpcMessage }: ElectrumFailure): boolean {
  const unreachable = /^failed to|connection|timed out|unavailable/i;
  return rpcCode === DAEMON_ERROR || (rpcCode === BAD_REQUEST && !unreachable.test(rpcMessage));
}

/** Own outputs that no transaction of the account spends, the largest first. */
function coinsOf(
  transactions: ReadonlyMap<string, Placed>,
  own: (script: Uint8Array) => OwnPath | null,
): Coin[] {
  const inputs = [...transactions.values()].flatMap(({ parsed }) => parsed.inputs);
  const spent = new Set(inputs.map(({ outpoint }) => outpointText(outpoint)));
  return [...transactions]
    .flatMap(([txid, { parsed, height }]) =>
      parsed.outputs.flatMap(({ script, value }, vout): Coin[] => {
        const path = own(script);
        const outpoint = { txid, vout };
        if (path === null || spent.has(outpointText(outpoint))) return [];
        return [{ outpoint, value, ...path, height, coinbase: isCoinbase(parsed) }];
      }),
    )
    .sort((a, b) => (a.value > b.value ? -1 : a.value < b.value ? 1 : 0))
    .slice(0, COINS_MAX);
}

/** One after the other in each of CONCURRENCY lanes: a long list does not wait as a whole for its place. */
async function some<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (const item of rest) await each(item);
    }),
  );
}
