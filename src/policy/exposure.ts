/**
 * What signing a payment can cost the account (DESIGN section 4). A signature under DEFAULT or ALL covers this transaction alone, so
 * all own outputs count. One under ANYONECANPAY can be taken into another transaction: SINGLE takes its output of the same index
 * along, which counts up to the input; with ALL the outputs go along, but another input may claim them too, so nothing counts.
 */
import type { Summary } from '../bitcoin/summary.ts';
import { outpointText } from '../bitcoin/transaction.ts';

const SINGLE_ANYONECANPAY = 0x83;
const ANYONECANPAY = 0x80;

/** Inputs that can be spent in one transaction, and what the account can lose by it. Sats. */
export interface Exposed {
  /** `txid:vout`. */
  inputs: string[];
  loss: bigint;
}

export interface Exposure {
  /** Never less than what any use of the signatures can cost. Negative where the account gains. */
  loss: bigint;
  /** Each must be covered by the reserves of its own inputs. */
  parts: Exposed[];
}

export function exposureOf(summary: Summary): Exposure {
  const own = summary.inputs
    .map((input, i) => ({ ...input, name: outpointText(input.outpoint), output: summary.outputs[i] }))
    .filter((input) => input.own !== null);
  const names = own.map(({ name }) => name);
  const loose = own.filter(({ sighashType }) => (sighashType & ANYONECANPAY) !== 0);
  if (loose.length === 0) return { loss: summary.loss, parts: [{ inputs: names, loss: summary.loss }] };

  let credited = 0n;
  const parts = loose.map(({ name, value, sighashType, output }): Exposed => {
    const returns = sighashType === SINGLE_ANYONECANPAY && output?.own ? output.value : 0n;
    const credit = returns < value ? returns : value;
    credited += credit;
    return { inputs: [name], loss: value - credit };
  });
  const apart = parts.reduce((sum, { loss }) => sum + loss, 0n);
  if (loose.length === own.length) return { loss: apart, parts };
  const bound = own.filter((input) => !loose.includes(input)).reduce((sum, { value }) => sum + value, 0n);
  const together = bound - (summary.ownOut - credited);
  const loss = apart + (together > 0n ? together : 0n);
  return { loss, parts: [...parts, { inputs: names, loss }] };
}
