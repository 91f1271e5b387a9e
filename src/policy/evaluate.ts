/** What a policy says to a payment: one pure function, for the question before the press and for the signing after it. */
import { hex } from '@scure/base';
import type { Summary } from '../bitcoin/summary.ts';
import { outpointText } from '../bitcoin/transaction.ts';
import { ensure } from '../protocol/errors.ts';
import type { WireVerdict } from '../protocol/messages.ts';
import type { Policy } from './document.ts';
import { exposureOf } from './exposure.ts';
import { type Raise, raisesOfAll, totalOf } from './reserves.ts';

/** What happened before, read in the transaction that will record what happens now. */
export interface Spent {
  /** Charged in each window of the policy, in its order: since `windowsSince`. */
  inWindows: readonly bigint[];
  /** Reserves of the payment's own inputs, by `txid:vout`; those without one may be missing. */
  reserved: ReadonlyMap<string, bigint>;
  /** Reserves of all coins that the chain has not shown spent, together. */
  unseen: bigint;
  /** Whether a ceremony is contested: then the device's signing stops until it is settled (DESIGN section 5). */
  contested: boolean;
  /** Since when this very payment waits, or null. */
  heldSince: number | null;
}

/** A payment that has waited long enough may be signed for so long; then it waits anew. */
export const HELD_FOR_MS = 7 * 86_400_000;

export interface Evaluation {
  verdict: WireVerdict;
  /** To be stored if it is signed. */
  raises: Raise[];
  /** What the windows are charged if it is signed: the sum of the raises. */
  charge: bigint;
  /** Most that its signatures can cost. */
  loss: bigint;
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
 * The rules in the order in which they are named: `network` is an error of the caller (`WrongNetwork`), then `frozen`, `contested`, `feeRate`
 * (over in thousandths of a sat per vbyte), `feeAbsolute`, `perTransaction`, `payees` (over by all that others get), `unseen` and
 * `window:<position>` (over in sats). Where several windows refuse, the one that is furthest over is named. What all of them let
 * pass may still wait by `hold`. `leftInWindow` is of the tightest window after this payment.
 */
export function evaluate(policy: Policy, spent: Spent, summary: Summary, now: number): Evaluation {
  ensure(policy.network === summary.network, 'WrongNetwork');
  ensure(spent.inWindows.length === policy.windows.length, 'Internal', { detail: 'windows' });
  const exposure = exposureOf(summary);
  const raised = raisesOfAll(spent.reserved, exposure.parts);
  const charge = totalOf(raised);
  const verdict =
    refusalOf(policy, spent, summary, exposure.loss, charge) ??
    waitOf(policy, spent, exposure.loss, now) ??
    ({ kind: 'signs', leftInWindow: leftOf(policy, spent, charge)?.sats ?? null } as const);
  return { verdict, raises: raised, charge, loss: exposure.loss };
}

function refusalOf(
  policy: Policy,
  spent: Spent,
  summary: Summary,
  loss: bigint,
  charge: bigint,
): WireVerdict | null {
  const { fee, vsize } = summary;
  const refuses = (rule: string, over: bigint): WireVerdict => ({ kind: 'refuses', rule, over });
  if (policy.frozen) return refuses('frozen', loss > 0n ? loss : 0n);
  if (spent.contested) return refuses('contested', loss > 0n ? loss : 0n);
  const dearest = policy.feeRate * BigInt(vsize);
  if (fee * 1000n > dearest) {
    return refuses('feeRate', (fee * 1000n - dearest + BigInt(vsize) - 1n) / BigInt(vsize));
  }
  if (fee > policy.feeAbsolute) return refuses('feeAbsolute', fee - policy.feeAbsolute);
  if (policy.perTransaction !== null && loss > policy.perTransaction) {
    return refuses('perTransaction', loss - policy.perTransaction);
  }
  if (policy.payees !== null) {
    const known = new Set(policy.payees.map((script) => hex.encode(script)));
    const others = summary.outputs.filter(
      ({ own, script }) => own === null && !known.has(hex.encode(script)),
    );
    if (others.length > 0) {
      return refuses(
        'payees',
        others.reduce((sum, { value }) => sum + value, 0n),
      );
    }
  }
  // What costs nothing more is not stopped by what others have filled: a retry must always be free.
  if (charge === 0n) return null;
  if (policy.unseen !== null && spent.unseen + charge > policy.unseen) {
    return refuses('unseen', spent.unseen + charge - policy.unseen);
  }
  const left = leftOf(policy, spent, charge);
  return left !== null && left.over > 0n ? refuses(`window:${left.window}`, left.over) : null;
}

/** Of the tightest window. */
function leftOf(
  policy: Policy,
  spent: Spent,
  charge: bigint,
): { window: number; sats: bigint; over: bigint } | null {
  const left = policy.windows.map(({ limit }, i) => limit - spent.inWindows[i]! - charge);
  if (left.length === 0) return null;
  const window = left.reduce((least, sats, i) => (sats < left[least]! ? i : least), 0);
  const sats = left[window]!;
  return sats < 0n ? { window, sats: 0n, over: -sats } : { window, sats, over: 0n };
}

function waitOf({ hold }: Policy, { heldSince }: Spent, loss: bigint, now: number): WireVerdict | null {
  if (hold === null || loss <= hold.above) return null;
  const delay = Number(hold.delay);
  const since = heldSince === null || now >= heldSince + delay + HELD_FOR_MS ? now : heldSince;
  return now >= since + delay ? null : { kind: 'waits', until: since + delay, rule: 'hold' };
}
