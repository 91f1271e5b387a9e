/** From what the user wants to pay to a PSBT, and what that PSBT does. */
import { hex } from '@scure/base';
import { parseAddress } from '../bitcoin/address.ts';
import { selectCoins, sendAll } from '../bitcoin/coins.ts';
import { deriveKey, type OwnPath } from '../bitcoin/descriptor.ts';
import { buildPayment, parsePsbt } from '../bitcoin/psbt.ts';
import { type Summary, summarise, summaryDigest } from '../bitcoin/summary.ts';
import { outpointText } from '../bitcoin/transaction.ts';
import type { Random } from '../crypto/random.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import { GAP_SCAN } from '../protocol/limits.ts';
import type { PaymentRecord } from './payments.ts';
import type { PaymentDraft } from './port.ts';
import { coinsToShare } from './refusedPayments.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const OWN_ADDRESSES_TRIED = 100;

export interface Drafted {
  readonly psbt: Bytes;
  readonly digest: Bytes;
  /** Display hex; signing does not change it. */
  readonly txid: string;
  readonly amount: bigint;
  readonly fee: bigint;
  readonly changeIndex: number | null;
  /** `txid:vout`. */
  readonly spends: string[];
}

/**
 * `taken`: outpoints and change indices of payments under way. A coin of each of the `refused` payments is spent too.
 * Throws `BadAddress`, `WrongNetwork`, `BadAmount`, `BadFee`, `Dust`, `InsufficientFunds`, `MayPayTwice`.
 */
export function draftPayment(
  wallet: Wallet,
  { address, amount, feeRate }: PaymentDraft,
  taken: { spends: ReadonlySet<string>; changeIndices: readonly number[] },
  refused: readonly PaymentRecord[],
  random: Random,
): Drafted {
  const { script } = parseAddress(address, wallet.account.network);
  const coins = wallet.spendable.filter((c) => !taken.spends.has(outpointText(c.outpoint)));
  const wanted = {
    coins,
    must: coinsToShare(refused, coins, address),
    feeRate: BigInt(feeRate),
    height: wallet.look?.height ?? 0,
  };
  const { inputs, fee, value, change } =
    amount === 'all'
      ? { ...sendAll({ ...wanted, script }), change: 0n }
      : { ...selectCoins({ ...wanted, outputs: [{ script, value: amount }] }), value: amount };
  const changeIndex =
    change === 0n ? null : freeChange(wallet.next.change, wallet.reached.change, taken.changeIndices);
  const own = ownPathOf(wallet, script);
  const psbt = buildPayment({
    account: wallet.account,
    coins: inputs,
    outputs: [{ script, value, ...(own === null ? {} : { own }) }],
    change: changeIndex === null ? null : { path: { branch: 1, index: changeIndex }, value: change },
    randomness: random(4),
  });
  const { summary, digest, txid } = readPayment(wallet, psbt);
  ensure(summary.fee === fee, 'BadFee', { detail: 'not the fee chosen' });
  const spends = inputs.map(({ outpoint }) => outpointText(outpoint));
  return { psbt, digest, txid, amount: value, fee, changeIndex, spends };
}

/** The first index that no other payment takes. Where a scan would not look any more, better one address twice than coins unseen. */
function freeChange(next: number, reached: number, taken: readonly number[]): number {
  let index = next;
  while (taken.includes(index)) index++;
  return index < reached + GAP_SCAN ? index : next;
}

/** What the PSBT does, as the cosigner will read it too. */
export function readPayment(wallet: Wallet, psbt: Bytes): { summary: Summary; digest: Bytes; txid: string } {
  const summary = summarise(parsePsbt(psbt), wallet.account, wallet.used);
  return { summary, digest: summaryDigest(summary), txid: hex.encode(summary.spend) };
}

/** Where an address of our own stands, if it was given out lately. An older one is paid like anybody's. */
function ownPathOf(wallet: Wallet, script: Uint8Array): OwnPath | null {
  const end = wallet.next.receive + GAP_SCAN;
  for (let index = Math.max(0, end - OWN_ADDRESSES_TRIED); index < end; index++) {
    if (equalVar(deriveKey(wallet.account, 0, index).script, script)) return { branch: 0, index };
  }
  return null;
}
