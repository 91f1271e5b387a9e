/**
 * How far the branches of an account are used, as any wallet finds it that stops after `GAP_SCAN` unused addresses: by the
 * transactions, not by the word of whoever read the chain. Further ahead than such a wallet looks, no address is given out.
 */
import { hex } from '@scure/base';
import { type Account, deriveKey } from '../bitcoin/descriptor.ts';
import { parseTransaction } from '../bitcoin/transaction.ts';
import type { HistoryEntry } from '../chain/source.ts';
import { GAP_SCAN } from '../protocol/limits.ts';

/** Next unused index of each branch. */
export interface Reached {
  readonly receive: number;
  readonly change: number;
}

/** On from `before`, by what the transactions of `history` pay to own scripts. */
export function reachedBy(account: Account, history: readonly HistoryEntry[], before: Reached): Reached {
  const paid = new Set<string>();
  for (const { received, transaction } of history) {
    // A long history comes without its older transactions.
    if (received === 0n || transaction.length === 0) continue;
    for (const { script } of parseTransaction(transaction).outputs) paid.add(hex.encode(script));
  }
  const walk = (branch: 0 | 1, from: number) => {
    let next = from;
    for (let index = from; index < next + GAP_SCAN; index++) {
      if (paid.has(hex.encode(deriveKey(account, branch, index).script))) next = index + 1;
    }
    return next;
  };
  if (paid.size === 0) return before;
  return { receive: walk(0, before.receive), change: walk(1, before.change) };
}

/** The index to give out where the chain's reader says that `claimed` is the next. */
export function nextVisible(claimed: number, reached: number): number {
  return Math.min(claimed, reached + GAP_SCAN - 1);
}
