/** A payment on its way from Review to the page that can make it without the cosigner: shown there to be looked at once more. */
import type { ReviewView } from '../../device/port.ts';
import { emptyForm, type SendForm } from '../popup/send.tsx';

type Payment = Pick<ReviewView, 'address' | 'amount' | 'feeRate'>;

export function offlineHash({ address, amount, feeRate }: Payment): string {
  const rate = (feeRate / 1000).toString();
  return `#${new URLSearchParams({ to: address, amount: amount.toString(), rate })}`;
}

/** An empty form where the hash names no payment. */
export function formOf(hash: string): SendForm {
  const named = new URLSearchParams(hash.replace(/^#/, ''));
  const field = (name: 'to' | 'amount' | 'rate') => named.get(name) ?? '';
  return {
    ...emptyForm('sats'),
    fee: 'custom',
    to: field('to'),
    amount: field('amount'),
    rate: field('rate'),
  };
}
