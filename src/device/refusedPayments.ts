/**
 * Payments that were signed and refused by whoever was to send them. Nothing proves a refusal: who holds the transaction
 * may send it later, as long as its coins are unspent. So until one of them is spent, every later payment spends one too,
 * and of the two only one can happen.
 */
import type { Coin } from '../bitcoin/psbt.ts';
import { outpointText, parseTransaction } from '../bitcoin/transaction.ts';
import { ensure } from '../protocol/errors.ts';
import type { PaymentRecord } from './payments.ts';
import type { HistoryRecord } from './wallet.ts';

/** From the press on, a payment's coins are its own. */
export function isLive({ state }: PaymentRecord): boolean {
  return state === 'pressed' || state === 'attempted' || state === 'signed' || state === 'broadcast';
}

/** Those that could still be sent beside a new payment: no payment under way and nothing on the chain spends a coin of theirs. */
export function refusedPayments(
  rows: readonly PaymentRecord[],
  history: readonly HistoryRecord[],
): PaymentRecord[] {
  const refused = rows.filter(({ state, transaction }) => state === 'failed' && transaction !== null);
  if (refused.length === 0) return [];
  const spent = new Set(rows.filter(isLive).flatMap(({ spends }) => spends));
  for (const { sent, transaction } of history) {
    // A long history comes without its older transactions.
    if (sent === 0n || transaction.length === 0) continue;
    for (const { outpoint } of parseTransaction(transaction).inputs) spent.add(outpointText(outpoint));
  }
  return refused.filter(({ spends }) => !spends.some((outpoint) => spent.has(outpoint)));
}

/**
 * Of `coins`, one of each refused payment: the most valuable, and none where one does for several. Throws `MayPayTwice`
 * where the payee is the same and no coin is left to share: hidden from us, or gone with the transaction that made it.
 */
export function coinsToShare(
  refused: readonly PaymentRecord[],
  coins: readonly Coin[],
  address: string,
): Coin[] {
  const shared: Coin[] = [];
  for (const row of refused) {
    const spends = (coin: Coin) => row.spends.includes(outpointText(coin.outpoint));
    if (shared.some(spends)) continue;
    const [richest] = coins.filter(spends).sort((a, b) => (a.value > b.value ? -1 : 1));
    ensure(richest !== undefined || row.address !== address, 'MayPayTwice');
    if (richest !== undefined) shared.push(richest);
  }
  return shared;
}
