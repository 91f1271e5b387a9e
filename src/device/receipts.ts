/** The cosigner's receipts: one hash chain a wallet, signed by the host key that the certificate names. */
import { equalVar } from '../crypto/hash.ts';
import type { Signer } from '../crypto/signer.ts';
import { receiptHash } from '../frost/proofs.ts';
import { decode, type TypeOf } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { type Receipt, receiptBody } from '../protocol/messages.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** How far the chain was followed: `sequence` receipts, the last of them with this hash (zeros before the first). */
export interface ReceiptHead {
  readonly sequence: number;
  readonly hash: Bytes;
}

export const NO_RECEIPTS: ReceiptHead = { sequence: 0, hash: new Uint8Array(32) };

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

/**
 * The head after `receipts`, which continue the chain from `head` without a gap. Throws `TranscriptMismatch`, blaming the
 * cosigner, if they do not: it has forgotten, or told two stories.
 */
export function followReceipts(
  signer: Signer,
  head: ReceiptHead,
  receipts: readonly Receipt[],
  hostKey: Bytes,
  wallet: Bytes,
): ReceiptHead {
  let at = head;
  for (const receipt of receipts) {
    const { sequence, previous } = readReceipt(signer, receipt, hostKey, wallet);
    ensure(sequence === at.sequence + 1 && equalVar(previous, at.hash), 'TranscriptMismatch', {
      detail: 'receipt chain',
      culprit: 2,
    });
    at = { sequence, hash: receiptHash(receipt.body) };
  }
  return at;
}
