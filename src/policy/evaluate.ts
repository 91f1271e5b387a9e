/** What a policy says to a payment: one pure function, for the question before the press and for the signing after it. */
import type { Summary } from '../bitcoin/summary.ts';
import { outpointText } from '../bitcoin/transaction.ts';
import { ensure } from '../protocol/errors.ts';
import type { WireVerdict } from '../protocol/messages.ts';
import type { Policy } from './document.ts';
import { type Raise, raises, totalOf } from './reserves.ts';

/** What was charged before, read in the transaction that will record the new charge. */
export interface Spent {
  /** Charged in each window of the policy, in its order: since `windowsSince`. */
  inWindows: readonly bigint[];
  /** Reserves of the payment's own inputs, by `txid:vout`; those without one may be missing. */
  reserved: ReadonlyMap<string, bigint>;
}

export interface Evaluation {
  verdict: WireVerdict;
  /** To be stored if it is signed. */
  raises: Raise[];
  /** What the windows are charged if it is signed: the sum of the raises. */
  charge: bigint;
}

/** The own inputs of a payment as `Spent.reserved` names them. */
export function ownOutpoints(summary: Summary): string[] {
  return summary.inputs.filter(({ own }) => own !== null).map(({ outpoint }) => outpointText(outpoint));
}

/**
 * From which moment on, inclusive, each window counts what was charged: the interval before `now`, but nothing from before
 * the window's start. Before its start a window holds already, so that a clock that is behind frees nothing.
 */
export function windowsSince(policy: Policy, now: number): number[] {
  return policy.windows.map(({ start, interval }) => {
    const rolling = Number(BigInt(now) - interval) + 1;
    return Math.max(0, now < start ? rolling : Math.max(start, rolling));
  });
}

/**
 * The rules in the order in which they are named: `network` is an error of the caller (`WrongNetwork`), then `feeRate`
 * (over in thousandths of a sat per vbyte), `feeAbsolute`, `perTransaction` and `window:<position>` (over in sats). Where
 * several windows refuse, the one that is furthest over is named. `leftInWindow` is of the tightest window after this payment.
 */
export function evaluate(policy: Policy, spent: Spent, summary: Summary): Evaluation {
  ensure(policy.network === summary.network, 'WrongNetwork');
  ensure(spent.inWindows.length === policy.windows.length, 'Internal', { detail: 'windows' });
  const raised = raises(spent.reserved, ownOutpoints(summary), summary.loss);
  const charge = totalOf(raised);
  return { verdict: verdictOf(policy, spent, summary, charge), raises: raised, charge };
}

function verdictOf(policy: Policy, spent: Spent, summary: Summary, charge: bigint): WireVerdict {
  const { fee, loss, vsize } = summary;
  const refuses = (rule: string, over: bigint): WireVerdict => ({ kind: 'refuses', rule, over });
  const dearest = policy.feeRate * BigInt(vsize);
  if (fee * 1000n > dearest) {
    return refuses('feeRate', (fee * 1000n - dearest + BigInt(vsize) - 1n) / BigInt(vsize));
  }
  if (fee > policy.feeAbsolute) return refuses('feeAbsolute', fee - policy.feeAbsolute);
  if (policy.perTransaction !== null && loss > policy.perTransaction) {
    return refuses('perTransaction', loss - policy.perTransaction);
  }
  const left = policy.windows.map(({ limit }, i) => limit - spent.inWindows[i]! - charge);
  const tightest = left.reduce((least, sats, i) => (sats < left[least]! ? i : least), 0);
  if (left.length === 0) return { kind: 'signs', leftInWindow: null };
  // What costs nothing more is not stopped by a window that others have filled: a retry must always be free.
  if (left[tightest]! < 0n && charge > 0n) return refuses(`window:${tightest}`, -left[tightest]!);
  return { kind: 'signs', leftInWindow: left[tightest]! < 0n ? 0n : left[tightest]! };
}
