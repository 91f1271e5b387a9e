/**
 * Coins that a signature was given for and that the chain has not shown spent, each with its reserve. Only the policy's `unseen`
 * looks at them: what the chain shows never lowers a reserve and never frees a window.
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { outpointText, parseTransaction } from '../bitcoin/transaction.ts';
import type { HistoryEntry } from '../chain/source.ts';
import type { Raise } from '../policy/reserves.ts';
import { decode, encode, u64 } from '../protocol/codec.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import type { Bytes, Store, WalletTx, WalletView } from './store.ts';

export async function unseenTotal(view: WalletView): Promise<bigint> {
  return (await view.records('unseen')).reduce((sum, { body }) => sum + decode(u64, body), 0n);
}

export async function raiseUnseen(tx: WalletTx, raises: readonly Raise[]): Promise<void> {
  await Promise.all(
    raises.map(({ outpoint, reserve }) => tx.putRecord('unseen', keyOf(outpoint), encode(u64, reserve))),
  );
}

/** Forgets the coins that these transactions spend. */
export async function forgetSeen(
  store: Store,
  wallet: Bytes,
  history: readonly HistoryEntry[],
): Promise<void> {
  const unseen = await store.viewWallet(wallet, (view) => view.records('unseen'));
  if (unseen.length === 0) return;
  const spent = new Set(history.flatMap(spentBy));
  const seen = unseen.filter(({ key }) => spent.has(bytesToHex(key)));
  if (seen.length === 0) return;
  await store.withWallet(wallet, async (tx) => {
    for (const { key } of seen) await tx.deleteRecord('unseen', key);
  });
}

function spentBy({ transaction }: HistoryEntry): string[] {
  try {
    return parseTransaction(transaction).inputs.map(({ outpoint }) =>
      bytesToHex(keyOf(outpointText(outpoint))),
    );
  } catch (e) {
    // A chain source may say what it likes; what is no transaction spends nothing.
    if (isHoarfrostError(e)) return [];
    throw e;
  }
}

/** Txid in display order, then the output's number. */
function keyOf(outpoint: string): Bytes {
  const [txid, vout] = outpoint.split(':') as [string, string];
  const key = new Uint8Array(36);
  key.set(hexToBytes(txid));
  new DataView(key.buffer).setUint32(32, Number(vout));
  return key;
}
