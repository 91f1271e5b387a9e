/**
 * A Bitcoin Core or Knots node over JSON-RPC. Each account is a watch-only descriptor wallet of the node, named by a hash
 * of its key material, which the node itself keeps up to date through restarts and reorgs. Never scantxoutset.
 */
import { hex, utf8 } from '@scure/base';
import { addressOf } from '../bitcoin/address.ts';
import { type Account, type Branch, branchDescriptors, type OwnPath } from '../bitcoin/descriptor.ts';
import { networkParams } from '../bitcoin/network.ts';
import type { Coin } from '../bitcoin/psbt.ts';
import { type Outpoint, parseTransaction, type TxOutput, txidOf } from '../bitcoin/transaction.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { COINS_MAX, GAP_OWN_OUTPUT, HISTORY_MAX } from '../protocol/limits.ts';
import type { Network } from '../protocol/networks.ts';
import { sha256 } from '../protocol/sha256.ts';
import { type BitcoindRpc, createRpc, type RpcCall, RpcFailure } from './bitcoindRpc.ts';
import { boundRates, TARGETS } from './feeRates.ts';
import { untilStill } from './gapScan.ts';
import { isCoinbase, type Movement, movementOf, newestFirst } from './history.ts';
import * as json from './json.ts';
import { checkPackage } from './package.ts';
import type { AccountScan, ChainSource, HistoryEntry } from './source.ts';

export interface BitcoindOptions {
  /** `http://host:port`. */
  url: string;
  /** `user:password`, asked again when the node refuses it: a cookie changes with each start. */
  credentials: () => string | Promise<string>;
  network: Network;
  deadlineMs?: number;
}

/** A block's time may differ from ours by this much (the node adds its own two hours on a rescan). */
const CLOCKS_APART_MS = 2 * 3_600_000;

// Error codes of the node (rpc/protocol.h)
const RPC_WALLET_NOT_FOUND = -18;
const RPC_WALLET_ALREADY_LOADED = -35;
const RPC_INVALID_ADDRESS_OR_KEY = -5;
const RPC_VERIFY_ERROR = -25;
const RPC_VERIFY_REJECTED = -26;
const RPC_VERIFY_ALREADY_IN_UTXO_SET = -27;
const RPC_DESERIALIZATION_ERROR = -22;

const ENTRIES_MAX = 2 * HISTORY_MAX;
const ADDRESS_PAGE = 1000;
const BATCH = 100;
/** Accounts whose addresses and transactions are remembered. */
const ACCOUNTS_KEPT = 64;

/** What is known of an account and never changes again. */
interface Known {
  wallet: string;
  descriptors: [string, string];
  /** How many addresses of each branch are in `paths`. */
  covered: [number, number];
  paths: Map<string, OwnPath>;
  transactions: Map<string, Movement & { transaction: Uint8Array; coinbase: boolean }>;
}

export function createBitcoind(options: BitcoindOptions): ChainSource {
  const params = networkParams(options.network);
  const rpc: BitcoindRpc = createRpc(options);
  const opening = new Map<string, Promise<Known>>();
  let checked: Promise<void> | undefined;

  /** A node of another chain would show an empty wallet: say so instead. */
  async function checkNetwork(): Promise<void> {
    const info = json.object(await rpc.call({ method: 'getblockchaininfo', params: [] }));
    const sameSignet = params.signetChallenge === null || info.signet_challenge === params.signetChallenge;
    ensure(info.chain === params.chain && sameSignet, 'WrongNetwork', { detail: 'bitcoind' });
  }

  async function rightNetwork(): Promise<void> {
    checked ??= checkNetwork();
    try {
      await checked;
    } catch (e) {
      checked = undefined;
      throw e;
    }
  }

  async function open(account: Account, bornAt: number): Promise<Known> {
    ensure(account.network === options.network, 'WrongNetwork');
    const descriptors = branchDescriptors(account);
    const wallet = `hoarfrost-${hex.encode(sha256(utf8.decode(descriptors.join()))).slice(0, 32)}`;
    try {
      await rpc.call({ method: 'loadwallet', params: [wallet, true] });
    } catch (e) {
      if (!(e instanceof RpcFailure)) throw e;
      if (e.rpcCode === RPC_WALLET_NOT_FOUND) await create(wallet);
      else if (e.rpcCode !== RPC_WALLET_ALREADY_LOADED) throw e;
    }
    // A process that died between creating and importing left an empty wallet: import whatever is missing.
    const listed = json.object(await rpc.call({ method: 'listdescriptors', params: [], wallet }));
    const present = new Set(json.array(listed.descriptors, 16).map((d) => json.object(d).desc));
    const missing = descriptors.filter((descriptor) => !present.has(descriptor));
    if (missing.length > 0) await importInto(wallet, descriptors, missing, bornAt);
    return { wallet, descriptors, covered: [0, 0], paths: new Map(), transactions: new Map() };
  }

  async function create(wallet: string): Promise<void> {
    // name, no private keys, blank, no passphrase, no avoid_reuse, descriptors, load at start
    await rpc.call({ method: 'createwallet', params: [wallet, true, true, '', false, true, true] });
  }

  /** A long rescan outlives the deadline; the node goes on with it, and `look` waits for its end. */
  async function importInto(
    wallet: string,
    all: [string, string],
    missing: string[],
    bornAt: number,
  ): Promise<void> {
    const requests = missing.map((desc) => ({
      desc,
      active: true,
      internal: desc === all[1],
      range: [0, GAP_OWN_OUTPUT],
      timestamp: Math.max(0, Math.floor((bornAt - CLOCKS_APART_MS) / 1000)),
    }));
    const results = await rpc.call({ method: 'importdescriptors', params: [requests], wallet });
    for (const result of json.array(results, 2)) {
      if (json.object(result).success !== true)
        throw new HoarfrostError('ChainUnavailable', { detail: 'import' });
    }
  }

  async function known(account: Account, bornAt: number): Promise<Known> {
    await rightNetwork();
    const id = branchDescriptors(account)[0];
    const pending = opening.get(id) ?? open(account, bornAt);
    opening.delete(id);
    opening.set(id, pending);
    if (opening.size > ACCOUNTS_KEPT) opening.delete(opening.keys().next().value!);
    try {
      return await pending;
    } catch (e) {
      opening.delete(id);
      throw e;
    }
  }

  /** Runs `use` with the account's wallet; once more from the start if the node has forgotten to load it. */
  async function withWallet<T>(
    account: Account,
    bornAt: number,
    use: (known: Known) => Promise<T>,
  ): Promise<T> {
    try {
      return await use(await known(account, bornAt));
    } catch (e) {
      if (!(e instanceof RpcFailure) || e.rpcCode !== RPC_WALLET_NOT_FOUND) throw e;
      opening.delete(branchDescriptors(account)[0]);
      return use(await known(account, bornAt));
    }
  }

  /** Learns the addresses of both branches below `next`, of which the node says that they were used. */
  async function cover(account: Known, next: [number, number]): Promise<void> {
    for (const branch of [0, 1] as Branch[]) {
      while (account.covered[branch] < next[branch]) {
        const from = account.covered[branch];
        const to = Math.min(from + ADDRESS_PAGE, next[branch]) - 1;
        const derived = await rpc.call({
          method: 'deriveaddresses',
          params: [account.descriptors[branch], [from, to]],
        });
        for (const [i, address] of json.array(derived, ADDRESS_PAGE).entries()) {
          account.paths.set(json.string(address, 100), { branch, index: from + i });
        }
        account.covered[branch] = to + 1;
      }
    }
  }

  async function rawTransactions(wallet: string, txids: readonly string[]): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (let at = 0; at < txids.length; at += BATCH) {
      const page = txids.slice(at, at + BATCH);
      const results = await rpc.batch(
        page.map((txid) => ({ method: 'gettransaction', params: [txid], wallet })),
      );
      for (const [i, result] of results.entries()) {
        if (result instanceof RpcFailure) {
          if (result.rpcCode === RPC_INVALID_ADDRESS_OR_KEY) continue;
          throw result;
        }
        found.set(page[i]!, json.hexBytes(json.object(result).hex, 4_000_000, 'transaction'));
      }
    }
    return found;
  }

  /** Reads the transactions that are new to us, and what they spend. */
  async function learn(account: Known, txids: readonly string[]): Promise<void> {
    const unknown = txids.filter((txid) => !account.transactions.has(txid));
    if (unknown.length === 0) return;
    const raw = await rawTransactions(account.wallet, unknown);
    const parsed = new Map([...raw].map(([txid, bytes]) => [txid, parseTransaction(bytes)]));
    const earlier = new Set(
      [...parsed.values()].flatMap((tx) => tx.inputs.map(({ outpoint }) => outpoint.txid)),
    );
    for (const [txid, bytes] of await rawTransactions(
      account.wallet,
      [...earlier].filter((txid) => !parsed.has(txid)),
    )) {
      parsed.set(txid, parseTransaction(bytes));
    }
    const spent = ({ txid, vout }: Outpoint): TxOutput | null => parsed.get(txid)?.outputs[vout] ?? null;
    const own = (script: Uint8Array) => account.paths.get(addressOf(script, options.network) ?? '') ?? null;
    for (const [txid, transaction] of raw) {
      const tx = parsed.get(txid)!;
      account.transactions.set(txid, {
        ...movementOf(tx, own, spent),
        transaction,
        coinbase: isCoinbase(tx),
      });
    }
    while (account.transactions.size > 2 * HISTORY_MAX) {
      account.transactions.delete(account.transactions.keys().next().value!);
    }
  }

  /** One request, so that the node answers all of it for one tip; null if a block came in between. */
  async function look(account: Known): Promise<AccountScan | null> {
    const { wallet } = account;
    const [before, walletInfo, unspent, entries, listed, info] = await rpc.all([
      { method: 'getbestblockhash', params: [], wallet },
      { method: 'getwalletinfo', params: [], wallet },
      // From 0 confirmations, any address, unsafe ones (a stranger's unconfirmed) too.
      {
        method: 'listunspent',
        params: [0, 9_999_999, [], true, { include_immature_coinbase: true }],
        wallet,
      },
      { method: 'listtransactions', params: ['*', ENTRIES_MAX], wallet },
      { method: 'listdescriptors', params: [], wallet },
      { method: 'getblockchaininfo', params: [], wallet },
    ]);
    if (json.object(walletInfo).scanning !== false) {
      throw new HoarfrostError('ChainUnavailable', { detail: 'the node still rescans', retryAfterMs: 5000 });
    }
    const chain = json.object(info);
    const tip = json.hash(chain.bestblockhash);
    if (tip !== json.hash(before)) return null;
    const height = json.height(chain.blocks);

    const next = nextIndices(account, listed);
    await cover(account, next);
    const listedEntries = json
      .array(entries, ENTRIES_MAX)
      .map(readEntry)
      .filter((entry) => entry !== null);
    const latest = new Map(listedEntries.map((entry) => [entry.txid, entry]));
    const coins = json.array(unspent, 100_000).map((coin) => readCoin(account, coin, height));
    await learn(account, [...new Set([...latest.keys(), ...coins.map(({ outpoint }) => outpoint.txid)])]);

    const history = [...latest.values()].flatMap((entry): HistoryEntry[] => {
      const facts = account.transactions.get(entry.txid);
      if (facts === undefined) return [];
      const { coinbase: _, ...movement } = facts;
      return [{ ...entry, ...movement }];
    });
    return {
      height,
      tip,
      coins: coins
        .map((coin) => ({
          ...coin,
          coinbase: account.transactions.get(coin.outpoint.txid)?.coinbase ?? false,
        }))
        .sort((a, b) => (a.value > b.value ? -1 : a.value < b.value ? 1 : 0))
        .slice(0, COINS_MAX),
      history: newestFirst(history),
      nextReceive: next[0],
      nextChange: next[1],
    };
  }

  function readCoin(account: Known, answer: unknown, tipHeight: number): Coin {
    const coin = json.object(answer);
    const path = account.paths.get(json.string(coin.address, 100));
    if (path === undefined) json.refuse('coin of no known address');
    const confirmations = json.integer(coin.confirmations, tipHeight + 1);
    return {
      outpoint: { txid: json.hash(coin.txid), vout: json.integer(coin.vout, 0xffff_ffff) },
      value: json.btc(coin.amount),
      ...path,
      height: confirmations === 0 ? 0 : tipHeight - confirmations + 1,
      coinbase: false,
    };
  }

  return {
    async scan(account, bornAt = 0) {
      return withWallet(account, bornAt, async (opened) => {
        return untilStill(() => look(opened));
      });
    },

    async fees() {
      await rightNetwork();
      const estimate = (target: number): RpcCall => ({
        method: 'estimatesmartfee',
        params: [target, 'economical'],
      });
      const [fast, medium, slow, mempool] = await rpc.all([
        estimate(TARGETS.fast),
        estimate(TARGETS.medium),
        estimate(TARGETS.slow),
        { method: 'getmempoolinfo', params: [] },
      ]);
      // BTC per kvB is 10^8 thousandths of a sat per vB.
      const rate = (answer: unknown): number | null => {
        const { feerate } = json.object(answer);
        return feerate === undefined ? null : json.number(feerate, 'fee rate') * 1e8;
      };
      const { mempoolminfee, minrelaytxfee } = json.object(mempool);
      const floor = Math.max(json.number(mempoolminfee), json.number(minrelaytxfee)) * 1e8;
      return boundRates({ fast: rate(fast), medium: rate(medium), slow: rate(slow) }, floor);
    },

    async transaction(txid) {
      await rightNetwork();
      try {
        const answer = json.object(await rpc.call({ method: 'getrawtransaction', params: [txid, 1] }));
        const transaction = json.hexBytes(answer.hex, 4_000_000, 'transaction');
        if (answer.blockhash === undefined) return { transaction, height: 0 };
        const header = await rpc.call({ method: 'getblockheader', params: [json.hash(answer.blockhash)] });
        return { transaction, height: json.height(json.object(header).height) };
      } catch (e) {
        if (!(e instanceof RpcFailure) || e.rpcCode !== RPC_INVALID_ADDRESS_OR_KEY) throw e;
      }
      // Without an index of all transactions the node still finds those of its wallets.
      for (const pending of opening.values()) {
        const { wallet } = await pending;
        const answer = await rpc
          .call({ method: 'gettransaction', params: [txid], wallet })
          .catch((e: unknown) => {
            if (e instanceof RpcFailure && e.rpcCode === RPC_INVALID_ADDRESS_OR_KEY) return null;
            throw e;
          });
        if (answer === null) continue;
        const { hex: raw, blockheight } = json.object(answer);
        return {
          transaction: json.hexBytes(raw, 4_000_000, 'transaction'),
          height: blockheight === undefined ? 0 : json.height(blockheight),
        };
      }
      return null;
    },

    async broadcast(transaction) {
      await rightNetwork();
      const txid = hex.encode(txidOf(parseTransaction(transaction)));
      try {
        return json.hash(await rpc.call({ method: 'sendrawtransaction', params: [hex.encode(transaction)] }));
      } catch (e) {
        if (!(e instanceof RpcFailure)) throw e;
        if (e.rpcCode === RPC_VERIFY_ALREADY_IN_UTXO_SET) return txid;
        const refusals = [RPC_VERIFY_ERROR, RPC_VERIFY_REJECTED, RPC_DESERIALIZATION_ERROR];
        if (!refusals.includes(e.rpcCode)) throw e;
        // Spent already, perhaps by itself: mined, and its outputs gone on.
        if ((await this.transaction(txid)) !== null) return txid;
        throw new HoarfrostError('BroadcastRejected', { detail: e.rpcMessage, cause: e });
      }
    },

    async broadcastPackage(transactions) {
      await rightNetwork();
      const raw = transactions.map((bytes) => hex.encode(bytes));
      try {
        checkPackage(await rpc.call({ method: 'submitpackage', params: [raw] }));
      } catch (e) {
        // One that is no child with its parents.
        if (!(e instanceof RpcFailure) || ![RPC_VERIFY_ERROR, RPC_VERIFY_REJECTED].includes(e.rpcCode))
          throw e;
        throw new HoarfrostError('BroadcastRejected', { detail: e.rpcMessage, cause: e });
      }
    },

    async height() {
      await rightNetwork();
      return json.height(await rpc.call({ method: 'getblockcount', params: [] }));
    },

    close: rpc.close,
  };
}

/** The node's own count of used addresses on each branch: it only rises, whatever a reorg takes away. */
function nextIndices(account: Known, answer: unknown): [number, number] {
  const listed = json.array(json.object(answer).descriptors, 16).map((d) => json.object(d));
  return account.descriptors.map((desc) => {
    const found = listed.find((d) => d.desc === desc);
    if (found === undefined) json.refuse('descriptor');
    return json.integer(found.next_index, 0x7fff_ffff, 'next index');
  }) as [number, number];
}

/** Null for what another transaction has replaced, or the node has given up. */
function readEntry(answer: unknown): Pick<HistoryEntry, 'txid' | 'height' | 'time'> | null {
  const entry = json.object(answer);
  const confirmations = json.number(entry.confirmations, 'confirmations');
  if (confirmations < 0 || entry.abandoned === true || entry.category === 'orphan') return null;
  return {
    txid: json.hash(entry.txid),
    height: confirmations === 0 ? 0 : json.height(entry.blockheight),
    time: 1000 * json.integer(confirmations === 0 ? entry.time : entry.blocktime, 2 ** 40, 'time'),
  };
}
