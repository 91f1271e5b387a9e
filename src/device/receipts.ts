/** The cosigner's receipts: one hash chain a wallet, signed by the host key that the certificate names. */
import type { Signer } from '../crypto/signer.ts';
import { receiptHash } from '../frost/proofs.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode, type TypeOf } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { type Receipt, receiptBody } from '../protocol/messages.ts';
import { RECEIPTS_MAX } from '../protocol/publicState.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** How far the chain was followed: `sequence` receipts, the last of them with this hash (zeros before the first). */
export interface ReceiptHead {
  readonly sequence: number;
  readonly hash: Bytes;
  /** Sats charged when it was written. Absent: not known. */
  readonly after?: bigint;
}

export const NO_RECEIPTS: ReceiptHead = { sequence: 0, hash: new Uint8Array(32), after: 0n };

/** Signed by the cosigner, for this wallet. Throws `BadSignature` or `WrongContext`. */
export function readReceipt(
  signer: Signer,
  { body, signature }: Receipt,
  hostKey: Bytes,
  wallet: Bytes,
): TypeOf<typeof receiptBody> {
  ensure(signer.schnorrVerify(hostKey, receiptHash(body), signature), 'BadSignature', { detail: 'receipt' });
  const receipt = decode(receiptBody, body);
  ensure(equalVar(receipt.wallet, wallet), 'WrongContext', { detail: 'receipt', culprit: 2 });
  return receipt;
}

/** Pages of receipts fetched for one payment; a longer way is gone at the next ones. */
const PAGES_MAX = 16;

interface Chain {
  readonly signer: Signer;
  readonly hostKey: Bytes;
  readonly wallet: Bytes;
  /** Receipts from a sequence on, some at a time. */
  fetch(from: number): Promise<Receipt[]>;
}

/**
 * The head once `receipt` is known to stand in one chain with `head`: after it, or before it, as a stored answer told again
 * does; and every receipt counts on from where the one before it ended. Throws `TranscriptMismatch`, blaming the cosigner, if
 * it does not: it has forgotten, or told two stories.
 */
export async function followReceipts(
  chain: Chain,
  head: ReceiptHead,
  receipt: Receipt,
): Promise<ReceiptHead> {
  const { sequence, previous } = readReceipt(chain.signer, receipt, chain.hostKey, chain.wallet);
  if (sequence > head.sequence) {
    const before = await walk(chain, head, sequence - 1);
    return before.sequence < sequence - 1 ? before : append(chain, before, receipt);
  }
  const from = append(chain, { sequence: sequence - 1, hash: previous }, receipt);
  const known = await walk(chain, from, head.sequence);
  if (known.sequence === head.sequence) ensureSame(equalVar(known.hash, head.hash));
  return head;
}

/**
 * The last receipts, oldest first, as they say and as they are signed, and the head after them. They stand in one chain with `head`, or it throws
 * `TranscriptMismatch` as `followReceipts` does.
 */
export async function recentReceipts(
  chain: Chain,
  head: ReceiptHead,
): Promise<{ items: TypeOf<typeof receiptBody>[]; signed: Receipt[]; head: ReceiptHead }> {
  const { signer, hostKey, wallet } = chain;
  const items: TypeOf<typeof receiptBody>[] = [];
  const signed: Receipt[] = [];
  let at: ReceiptHead | null = null;
  const from = Math.max(1, head.sequence - RECEIPTS_MAX + 1);
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await chain.fetch(from + items.length);
    for (const receipt of page) {
      const item = readReceipt(signer, receipt, hostKey, wallet);
      at ??= { sequence: from - 1, hash: from === 1 ? NO_RECEIPTS.hash : item.previous };
      at = append(chain, at, receipt);
      if (at.sequence === head.sequence) ensureSame(equalVar(at.hash, head.hash));
      items.push(item);
      signed.push(receipt);
    }
    if (page.length === 0) break;
  }
  ensureSame((at?.sequence ?? 0) >= head.sequence);
  return { items: items.slice(-RECEIPTS_MAX), signed: signed.slice(-RECEIPTS_MAX), head: at ?? head };
}

async function walk(chain: Chain, from: ReceiptHead, until: number): Promise<ReceiptHead> {
  let at = from;
  for (let pages = 0; at.sequence < until && pages < PAGES_MAX; pages++) {
    const page = await chain.fetch(at.sequence + 1);
    ensureSame(page.length > 0);
    for (const receipt of page.slice(0, until - at.sequence)) at = append(chain, at, receipt);
  }
  return at;
}

function append({ signer, hostKey, wallet }: Chain, at: ReceiptHead, receipt: Receipt): ReceiptHead {
  const { sequence, previous, before, after } = readReceipt(signer, receipt, hostKey, wallet);
  ensureSame(sequence === at.sequence + 1 && equalVar(previous, at.hash));
  ensureSame((at.after ?? before) === before && after >= before);
  return { sequence, hash: receiptHash(receipt.body), after };
}

function ensureSame(one: boolean): void {
  ensure(one, 'TranscriptMismatch', { detail: 'receipt chain', culprit: 2 });
}
