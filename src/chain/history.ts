/** What transactions did to an account, told from their own bytes. */
import type { OwnPath } from '../bitcoin/descriptor.ts';
import { type Outpoint, outpointText, type Transaction, type TxOutput } from '../bitcoin/transaction.ts';
import { HISTORY_MAX } from '../protocol/limits.ts';
import type { HistoryEntry } from './source.ts';

/** Own path of a script, or null. */
export type OwnScripts = (script: Uint8Array) => OwnPath | null;

export type Movement = Pick<HistoryEntry, 'received' | 'sent' | 'fee'>;

/** `spent` gives the output behind an outpoint, or null where nobody knows it; the fee needs all of them. */
export function movementOf(
  tx: Transaction,
  own: OwnScripts,
  spent: (outpoint: Outpoint) => TxOutput | null,
): Movement {
  const total = (outputs: readonly TxOutput[]) => outputs.reduce((sum, { value }) => sum + value, 0n);
  const ours = (outputs: readonly TxOutput[]) => total(outputs.filter(({ script }) => own(script) !== null));
  const inputs = tx.inputs.map(({ outpoint }) => spent(outpoint));
  const known = inputs.filter((output) => output !== null);
  const complete = known.length === inputs.length && !isCoinbase(tx);
  return {
    received: ours(tx.outputs),
    sent: ours(known),
    fee: complete ? total(known) - total(tx.outputs) : null,
  };
}

export function isCoinbase(tx: Transaction): boolean {
  return tx.inputs.length === 1 && outpointText(tx.inputs[0]!.outpoint) === `${'0'.repeat(64)}:4294967295`;
}

/** Newest first: what waits for a block, then by height; at most HISTORY_MAX. */
export function newestFirst(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const age = ({ height }: HistoryEntry) => (height === 0 ? Number.POSITIVE_INFINITY : height);
  return [...entries]
    .sort((a, b) => {
      if (age(a) !== age(b)) return age(b) - age(a);
      if (a.time !== b.time) return b.time - a.time;
      return a.txid < b.txid ? -1 : 1;
    })
    .slice(0, HISTORY_MAX);
}
