/**
 * Receipts (DESIGN section 4): every decision about a signature is one link of a hash chain, signed by the host key, so that
 * a cosigner that forgets or tells two stories shows it. `before` and `after` count all that was ever charged.
 */
import { receiptHash } from '../frost/proofs.ts';
import { decode, encode, type TypeOf } from '../protocol/codec.ts';
import { HoarfrostError } from '../protocol/errors.ts';
import { type Answer, type Receipt, receiptBody, type receiptVerdict } from '../protocol/messages.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes, StoredReceipt, WalletTx, WalletView } from './store.ts';

const FIRST_PREVIOUS: Bytes = new Uint8Array(32);
/** Receipts in one answer. */
const PAGE = 256;
/** Receipts among which refusals are counted. */
const LOOKED_AT = 256;

export interface Decision {
  /** Unsigned txid. */
  readonly spend: Bytes;
  readonly policyVersion: number;
  /** Sats charged by this decision. */
  readonly charge: bigint;
  readonly verdict: TypeOf<typeof receiptVerdict>;
  readonly at: number;
}

type ReceiptBody = TypeOf<typeof receiptBody>;

const read = new WeakMap<StoredReceipt, ReceiptBody>();

/** What it says. Every rule asks the last one of a transaction, which is one object there: decoded once. */
export function bodyOf(receipt: StoredReceipt): ReceiptBody {
  let body = read.get(receipt);
  if (body === undefined) {
    body = decode(receiptBody, receipt.body);
    read.set(receipt, body);
  }
  return body;
}

/** Appends the next link in the transaction that made the decision. */
export async function appendReceipt(
  { signer, identity, random }: Pick<Cosigner, 'signer' | 'identity' | 'random'>,
  tx: WalletTx,
  decision: Decision,
): Promise<Receipt> {
  const last = await tx.lastReceipt();
  const before = last === null ? 0n : bodyOf(last).after;
  const sequence = (last?.sequence ?? 0) + 1;
  const body = encode(receiptBody, {
    sequence,
    previous: last === null ? FIRST_PREVIOUS : receiptHash(last.body),
    wallet: tx.wallet.id,
    spend: decision.spend,
    policyVersion: decision.policyVersion,
    before,
    after: before + decision.charge,
    verdict: decision.verdict,
    at: decision.at,
  });
  const signature = new Uint8Array(signer.schnorrSign(identity.host, receiptHash(body), random(32)));
  await tx.appendReceipt({ sequence, body, signature });
  return { body, signature };
}

/**
 * `RateLimited` if the wallet had as many decisions as it may lately. Read from the receipts themselves: no restart and no other
 * instance forgets them.
 */
export async function limitDecisions({ limiter }: Cosigner, tx: WalletTx, at: number): Promise<void> {
  const { most, inMs } = limiter.limits.decisions;
  const last = await tx.lastReceipt();
  if (last === null || last.sequence < most) return;
  const [first] = await tx.receipts(last.sequence - most + 1, 1);
  limit(bodyOf(first!).at + inMs - at);
}

/** The same for decisions that gave no signature, which cost their asker nothing. */
export async function limitRefusals({ limiter }: Cosigner, tx: WalletTx, at: number): Promise<void> {
  const { most, inMs } = limiter.limits.refusals;
  const last = await tx.lastReceipt();
  if (last === null || last.sequence < most) return;
  const lately = (await tx.receipts(Math.max(1, last.sequence - LOOKED_AT + 1), LOOKED_AT))
    .map(bodyOf)
    .filter((receipt) => receipt.verdict.kind !== 'signs' && receipt.at > at - inMs);
  if (lately.length >= most) limit(lately[lately.length - most]!.at + inMs - at);
}

function limit(waitMs: number): void {
  if (waitMs > 0) throw new HoarfrostError('RateLimited', { detail: 'decisions', retryAfterMs: waitMs });
}

/**
 * The time of the wallet's next decision: never before its last one. A clock that was ahead and came back charges at the time it
 * was ahead of, so that nothing leaves a window early.
 */
export async function decisionTime({ clock }: Cosigner, view: WalletView): Promise<number> {
  const last = await view.lastReceipt();
  return Math.max(clock.now(), last === null ? 0 : bodyOf(last).at);
}

export async function receiptsFrom({ store }: Cosigner, wallet: Bytes, from: number): Promise<Answer> {
  const stored = await store.viewWallet(wallet, (view) => view.receipts(from, PAGE));
  return { kind: 'receipts', receipts: stored.map(({ body, signature }) => ({ body, signature })) };
}
