/**
 * Receipts (DESIGN section 4): every decision about a signature is one link of a hash chain, signed by the host key, so that
 * a cosigner that forgets or tells two stories shows it. `before` and `after` count all that was ever charged.
 */
import { receiptHash } from '../frost/proofs.ts';
import { decode, encode } from '../protocol/codec.ts';
import { type Answer, type Receipt, receiptBody, type WireVerdict } from '../protocol/messages.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes, WalletTx } from './store.ts';

const FIRST_PREVIOUS: Bytes = new Uint8Array(32);
/** Receipts in one answer. */
const PAGE = 256;

export interface Decision {
  /** Unsigned txid. */
  readonly spend: Bytes;
  readonly policyVersion: number;
  /** Sats charged by this decision. */
  readonly charge: bigint;
  readonly verdict: WireVerdict;
  readonly at: number;
}

/** Appends the next link in the transaction that made the decision. */
export async function appendReceipt(
  { signer, identity, random }: Pick<Cosigner, 'signer' | 'identity' | 'random'>,
  tx: WalletTx,
  decision: Decision,
): Promise<Receipt> {
  const last = await tx.lastReceipt();
  const before = last === null ? 0n : decode(receiptBody, last.body).after;
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
  const signature = Uint8Array.from(signer.schnorrSign(identity.host, receiptHash(body), random(32)));
  await tx.appendReceipt({ sequence, body, signature });
  return { body, signature };
}

export async function receiptsFrom({ store }: Cosigner, wallet: Bytes, from: number): Promise<Answer> {
  const stored = await store.viewWallet(wallet, (view) => view.receipts(from, PAGE));
  return { kind: 'receipts', receipts: stored.map(({ body, signature }) => ({ body, signature })) };
}
