/** The chain as one wallet may see it: its own coins and history, its own transactions, and what spends its coins. */
import { hex } from '@scure/base';
import { outpointText, parseTransaction, type Transaction, txidOf } from '../bitcoin/transaction.ts';
import type { AccountScan, HistoryEntry } from '../chain/source.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { COINS_MAX, HISTORY_MAX } from '../protocol/limits.ts';
import type { AnswerOf } from '../protocol/messages.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes } from './store.ts';
import { forgetSeen } from './unseen.ts';

/** Raw transactions in one answer; older ones come empty and are asked for by `transaction`. */
const HISTORY_BYTES_MAX = 512 << 10;

export class WalletChain {
  readonly #cosigner: Cosigner;
  /** Txids of the last scan's history, in display hex. */
  #known = new Set<string>();

  constructor(cosigner: Cosigner) {
    this.#cosigner = cosigner;
  }

  async scan(wallet: Bytes): Promise<AnswerOf<'scanned'>> {
    const scan = await this.#scan(wallet);
    return {
      kind: 'scanned',
      height: scan.height,
      tip: bytesOf(scan.tip),
      coins: scan.coins.slice(0, COINS_MAX).map((coin) => ({
        ...coin,
        outpoint: { txid: bytesOf(coin.outpoint.txid), vout: coin.outpoint.vout },
      })),
      history: fitting(scan.history).map((entry) => ({
        ...entry,
        txid: bytesOf(entry.txid),
        transaction: Uint8Array.from(entry.transaction),
      })),
      nextReceive: scan.nextReceive,
      nextChange: scan.nextChange,
    };
  }

  /** Somebody else's transaction is as unknown as one that does not exist. */
  async transaction(wallet: Bytes, txid: Bytes): Promise<AnswerOf<'transaction'>> {
    const name = hex.encode(txid);
    if (!this.#known.has(name)) await this.#scan(wallet);
    const found = this.#known.has(name) ? await this.#cosigner.chain.transaction(name) : null;
    ensure(found !== null, 'SessionUnknown');
    return { kind: 'transaction', transaction: Uint8Array.from(found.transaction), height: found.height };
  }

  /**
   * Sends what spends a coin of this wallet: one that was signed for here, or one that the chain shows (AUDIT 03). One that is
   * in the history already may be sent again.
   */
  async broadcast(wallet: Bytes, transaction: Bytes): Promise<AnswerOf<'broadcast'>> {
    this.#cosigner.limiter.broadcasts.take(hex.encode(wallet));
    const { txid, spends } = readTransaction(transaction);
    const signedFor = await this.#cosigner.store.viewWallet(wallet, (view) => view.reserves(spends));
    if (signedFor.size === 0 && !this.#known.has(txid)) {
      const { coins } = await this.#scan(wallet);
      const own = new Set(coins.map(({ outpoint }) => outpointText(outpoint)));
      ensure(this.#known.has(txid) || spends.some((outpoint) => own.has(outpoint)), 'ForeignInput');
    }
    return { kind: 'broadcast', txid: bytesOf(await this.#cosigner.chain.broadcast(transaction)) };
  }

  /** Also raises the indices below which an output counts as own. */
  async #scan(id: Bytes): Promise<AccountScan> {
    const { store, wallets, chain } = this.#cosigner;
    const { record, account } = await store.viewWallet(id, async (view) => ({
      record: view.wallet,
      account: (await wallets.read(this.#cosigner, view)).account,
    }));
    const scan = await chain.scan(account, record.bornAt);
    if (scan.nextReceive > record.nextReceive || scan.nextChange > record.nextChange) {
      await store.withWallet(id, (tx) => tx.raiseNextIndices(scan.nextReceive, scan.nextChange));
    }
    await forgetSeen(store, id, scan.history);
    this.#known = new Set(scan.history.map(({ txid }) => txid));
    return scan;
  }
}

function fitting(history: readonly HistoryEntry[]): HistoryEntry[] {
  let left = HISTORY_BYTES_MAX;
  return history.slice(0, HISTORY_MAX).map((entry) => {
    left -= entry.transaction.length;
    return left >= 0 ? entry : { ...entry, transaction: new Uint8Array(0) };
  });
}

function readTransaction(bytes: Bytes): { txid: string; spends: string[] } {
  let tx: Transaction;
  try {
    tx = parseTransaction(bytes);
  } catch (cause) {
    throw new HoarfrostError('BroadcastRejected', { detail: 'not a transaction', cause });
  }
  return { txid: hex.encode(txidOf(tx)), spends: tx.inputs.map(({ outpoint }) => outpointText(outpoint)) };
}

function bytesOf(display: string): Bytes {
  return Uint8Array.from(hex.decode(display));
}
