/**
 * An Esplora server (REST). It learns every address of the account and may lie: about amounts in vain, since a signature
 * covers what it spends; about fee rates within bounds; about what exists and is confirmed, as every server can.
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
import { COINS_MAX } from '../protocol/limits.ts';
import type { Network } from '../protocol/networks.ts';
import { type EsploraTx, readStats, readTx, readUtxo, type Utxo } from './esploraAnswers.ts';
import { boundRates, TARGETS } from './feeRates.ts';
import { perAccount, scanBranch, untilStill } from './gapScan.ts';
import { isCoinbase, movementOf, newestFirst } from './history.ts';
import { baseUrl, type HttpAnswer, request } from './http.ts';
import * as json from './json.ts';
import { checkPackage } from './package.ts';
import type { AccountScan, ChainSource, HistoryEntry } from './source.ts';

export interface EsploraOptions {
  /** `https://host/api`. */
  url: string;
  network: Network;
  /** Milliseconds: when an unconfirmed transaction is first seen. */
  now: () => number;
  /** Of one request; a whole scan takes at most six of them. */
  deadlineMs?: number;
}

const DEADLINE_MS = 15_000;
const CONCURRENCY = 4;
const ANSWER_MAX = 8 << 20;
/** Pages of 25 transactions of one address: no server decides how many. */
const PAGES_MAX = 8;
const PAGE_MAX = 100;
const UTXOS_MAX = 2000;
const ACCOUNTS_KEPT = 16;
/** Below this many confirmations a transaction is read anew with each block: it may have moved in a reorg. */
const SETTLED = 6;
/** Relay floor of nodes behind an Esplora, which does not tell: 1 sat/vB. */
const RELAY_FLOOR = 1000;

/** What one address last had; good as long as the server counts the same and no block can have moved it. */
interface AddressFacts {
  stats: string;
  tip: string;
  settled: boolean;
  utxos: Utxo[];
  transactions: EsploraTx[];
}

interface Known {
  addresses: Map<string, AddressFacts>;
  firstSeen: Map<string, number>;
}

export function createEsplora(options: EsploraOptions): ChainSource {
  const base = baseUrl(options.url);
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const closed = new AbortController();
  const known = perAccount<Known>(ACCOUNTS_KEPT, () => ({ addresses: new Map(), firstSeen: new Map() }));
  let checked = false;

  async function ask(path: string, signal: AbortSignal, body?: string): Promise<HttpAnswer> {
    return request(base + path, {
      ...(body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'text/plain' } }),
      signal,
      deadlineMs,
      max: ANSWER_MAX,
    });
  }

  async function get(path: string, signal: AbortSignal = closed.signal): Promise<string> {
    const { status, text } = await ask(path, signal);
    if (status !== 200) {
      const busy = status === 429 || status === 503;
      throw new HoarfrostError('ChainUnavailable', {
        detail: `HTTP ${status}`,
        ...(busy ? { retryAfterMs: 5000 } : {}),
      });
    }
    return text;
  }

  async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
    return json.parseJson(await get(path, signal));
  }

  /** All signets share a genesis block, so one of them can still be taken for another: their addresses are alike too. */
  async function rightNetwork(): Promise<void> {
    if (checked) return;
    const genesis = json.hash(await get('/block-height/0'));
    ensure(genesis === networkParams(options.network).genesis, 'WrongNetwork', { detail: 'Esplora' });
    checked = true;
  }

  async function transactionsOf(address: string, signal: AbortSignal): Promise<EsploraTx[]> {
    const found: EsploraTx[] = [];
    let path = `/address/${address}/txs`;
    for (let page = 0; page < PAGES_MAX; page++) {
      const transactions = json.array(await getJson(path, signal), PAGE_MAX, 'transactions').map(readTx);
      found.push(...transactions);
      const confirmed = transactions.filter(({ height }) => height > 0);
      const last = confirmed.at(-1);
      if (last === undefined || confirmed.length < 25) break;
      path = `/address/${address}/txs/chain/${last.txid}`;
    }
    return found;
  }

  /** Null for an address that nobody has paid yet. */
  async function look(
    address: string,
    before: AddressFacts | undefined,
    tip: { hash: string; height: number },
    signal: AbortSignal,
  ): Promise<AddressFacts | null> {
    const { stats, used } = readStats(await getJson(`/address/${address}`, signal));
    if (!used) return null;
    if (before?.stats === stats && (before.settled || before.tip === tip.hash)) return before;
    const utxos = json
      .array(await getJson(`/address/${address}/utxo`, signal), UTXOS_MAX, 'coins')
      .map(readUtxo);
    const transactions = await transactionsOf(address, signal);
    const settled = transactions.every(({ height }) => height > 0 && height <= tip.height - SETTLED);
    return { stats, tip: tip.hash, settled, utxos, transactions };
  }

  async function scanOnce(
    account: Account,
    remembered: Known,
    signal: AbortSignal,
  ): Promise<AccountScan | null> {
    const tip = { hash: await tipHash(signal), height: 0 };
    tip.height = json.height(json.object(await getJson(`/block/${tip.hash}`, signal)).height);
    const paths = new Map<string, OwnPath>();
    const seen = new Map<string, EsploraTx>();
    const utxos = new Map<string, { utxo: Utxo; path: OwnPath; script: Uint8Array }>();

    const visit = async ({ address }: DerivedKey): Promise<AddressFacts | null> => {
      const facts = await look(address, remembered.addresses.get(address), tip, signal);
      if (facts !== null) remembered.addresses.set(address, facts);
      return facts;
    };
    const found = (path: OwnPath, { script }: DerivedKey, facts: AddressFacts): void => {
      paths.set(hex.encode(script), path);
      for (const tx of facts.transactions) seen.set(tx.txid, tx);
      for (const utxo of facts.utxos) {
        const id = outpointText(utxo.outpoint);
        if (utxos.has(id)) json.refuse('a coin twice');
        utxos.set(id, { utxo, path, script });
      }
    };
    const nextReceive = await scanBranch(account, 0, CONCURRENCY, visit, found);
    const nextChange = await scanBranch(account, 1, CONCURRENCY, visit, found);
    if ((await tipHash(signal)) !== tip.hash) return null;

    const history = [...seen.values()].map((tx) => entryOf(tx, seen, paths, remembered));
    // What is in a block or gone is forgotten.
    remembered.firstSeen = new Map(
      history.flatMap(({ txid, height, time }) => (height === 0 ? [[txid, time]] : [])),
    );
    return {
      height: tip.height,
      tip: tip.hash,
      coins: [...utxos.values()]
        .map(({ utxo, path, script }) => coinOf(utxo, path, script, seen.get(utxo.outpoint.txid)))
        .sort((a, b) => (a.value > b.value ? -1 : a.value < b.value ? 1 : 0))
        .slice(0, COINS_MAX),
      history: newestFirst(history),
      nextReceive,
      nextChange,
    };
  }

  function entryOf(
    tx: EsploraTx,
    seen: ReadonlyMap<string, EsploraTx>,
    paths: ReadonlyMap<string, OwnPath>,
    { firstSeen }: Known,
  ): HistoryEntry {
    if (tx.height === 0 && !firstSeen.has(tx.txid)) firstSeen.set(tx.txid, options.now());
    // What hashes to its txid comes before what the server says of it.
    const spent = (outpoint: Outpoint): TxOutput | null =>
      seen.get(outpoint.txid)?.parsed.outputs[outpoint.vout] ?? tx.spent.get(outpointText(outpoint)) ?? null;
    const own = (script: Uint8Array) => paths.get(hex.encode(script)) ?? null;
    return {
      txid: tx.txid,
      height: tx.height,
      time: tx.height === 0 ? firstSeen.get(tx.txid)! : tx.time,
      ...movementOf(tx.parsed, own, spent),
      transaction: tx.transaction,
    };
  }

  async function tipHash(signal?: AbortSignal): Promise<string> {
    return json.hash(await get('/blocks/tip/hash', signal));
  }

  async function transaction(txid: string): Promise<{ transaction: Uint8Array; height: number } | null> {
    const { status, text } = await ask(`/tx/${txid}/hex`, closed.signal);
    if (status === 404) return null;
    if (status !== 200) throw new HoarfrostError('ChainUnavailable', { detail: `HTTP ${status}` });
    const raw = json.hexBytes(text.trim(), 4_000_000, 'transaction');
    if (hex.encode(txidOf(parseTransaction(raw))) !== txid) json.refuse('transaction');
    const state = json.object(await getJson(`/tx/${txid}/status`));
    return { transaction: raw, height: json.bool(state.confirmed) ? json.height(state.block_height) : 0 };
  }

  return {
    async scan(account) {
      ensure(account.network === options.network, 'WrongNetwork');
      await rightNetwork();
      const remembered = known(account);
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(6 * deadlineMs)]);
      return untilStill(() => scanOnce(account, remembered, signal));
    },

    async fees() {
      await rightNetwork();
      const said = json.object(await getJson('/fee-estimates'));
      const estimates = Object.entries(said)
        .map(([target, rate]) => ({ target: Number(target), rate: 1000 * json.number(rate, 'fee rate') }))
        .filter(({ target, rate }) => Number.isInteger(target) && rate > 0)
        .sort((a, b) => a.target - b.target);
      // The slowest estimate that is still in time, or the fastest there is.
      const within = (target: number) =>
        (estimates.findLast((estimate) => estimate.target <= target) ?? estimates[0])?.rate ?? null;
      const { fast, medium, slow } = TARGETS;
      return boundRates({ fast: within(fast), medium: within(medium), slow: within(slow) }, RELAY_FLOOR);
    },

    transaction,

    async broadcast(bytes) {
      await rightNetwork();
      const txid = hex.encode(txidOf(parseTransaction(bytes)));
      const { status, text } = await ask('/tx', closed.signal, hex.encode(bytes));
      if (status === 200) return json.hash(text.trim());
      if (status !== 400) throw new HoarfrostError('ChainUnavailable', { detail: `HTTP ${status}` });
      if ((await transaction(txid)) !== null) return txid;
      throw new HoarfrostError('BroadcastRejected', { detail: text.slice(0, 200) });
    },

    async broadcastPackage(transactions) {
      await rightNetwork();
      const body = JSON.stringify(transactions.map((bytes) => hex.encode(bytes)));
      const { status, text } = await ask('/txs/package', closed.signal, body);
      if (status === 400) throw new HoarfrostError('BroadcastRejected', { detail: text.slice(0, 200) });
      if (status !== 200) throw new HoarfrostError('ChainUnavailable', { detail: `HTTP ${status}` });
      checkPackage(json.parseJson(text));
    },

    async height() {
      await rightNetwork();
      return json.height(json.parseJson(await get('/blocks/tip/height')));
    },

    close: () => closed.abort(),
  };
}

/** A coin whose transaction is known must be what that transaction says. */
function coinOf(utxo: Utxo, path: OwnPath, script: Uint8Array, source: EsploraTx | undefined): Coin {
  const output = source?.parsed.outputs[utxo.outpoint.vout];
  if (source !== undefined) {
    const same = output?.value === utxo.value && hex.encode(output.script) === hex.encode(script);
    if (!same) json.refuse('coin');
  }
  const coinbase = source !== undefined && isCoinbase(source.parsed);
  return { outpoint: utxo.outpoint, value: utxo.value, ...path, height: utxo.height, coinbase };
}
