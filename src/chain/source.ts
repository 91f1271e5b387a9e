/** What the wallet asks of a chain, whoever answers: a node, an Esplora server, or the cosigner that asks for it. */
import type { Account } from '../bitcoin/descriptor.ts';
import type { Coin } from '../bitcoin/psbt.ts';

export interface HistoryEntry {
  /** Display hex. */
  txid: string;
  /** 0 while unconfirmed. */
  height: number;
  /** Milliseconds: the block's time, or when it was first seen. */
  time: number;
  /** Sats that came to and left own scripts. */
  received: bigint;
  sent: bigint;
  /** Known only where all inputs are. */
  fee: bigint | null;
  transaction: Uint8Array;
}

/** One consistent look at an account. */
export interface AccountScan {
  height: number;
  tip: string;
  coins: Coin[];
  /** Newest first. */
  history: HistoryEntry[];
  nextReceive: number;
  nextChange: number;
}

/** Thousandths of a sat per vbyte. */
export interface FeeRates {
  fast: number;
  medium: number;
  slow: number;
  floor: number;
}

/** Every call has a deadline of its own and fails with `ChainUnavailable`, never hangs. */
export interface ChainSource {
  /** No coin of the account is older than `bornAt` (milliseconds): where a source that must search blocks may begin. */
  scan(account: Account, bornAt?: number): Promise<AccountScan>;
  fees(): Promise<FeeRates>;
  /** Raw bytes and height (0 unconfirmed), or null if unknown. */
  transaction(txid: string): Promise<{ transaction: Uint8Array; height: number } | null>;
  /** Returns the txid; a refusal is `BroadcastRejected`; one already known counts as sent. */
  broadcast(transaction: Uint8Array): Promise<string>;
  /**
   * A child and its unconfirmed parents, the child last, taken or refused together (`BroadcastRejected`): parents may pay no
   * fee of their own. Where the server has no such call, `ChainUnavailable`.
   */
  broadcastPackage?(transactions: readonly Uint8Array[]): Promise<void>;
  /** Height of the best block: also the health probe. */
  height(): Promise<number>;
  close(): void;
}
