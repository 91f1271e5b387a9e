/** Whether one policy allows less than another. What is not surely implied counts as allowed more: doubt asks for more signatures. */
import { hex } from '@scure/base';
import { ensure } from '../protocol/errors.ts';
import type { Policy } from './document.ts';

/** `tighter`: allows nothing that the old one did not, and so also where nothing changes. */
export type Comparison = 'tighter' | 'looser' | 'mixed';

type Window = Policy['windows'][number];
type Hold = NonNullable<Policy['hold']>;

/** For each rule: does keeping `a` mean keeping `b`? */
const IMPLIES: { [Rule in Exclude<keyof Policy, 'format' | 'network' | 'version'>]: Implies<Policy[Rule]> } =
  {
    perTransaction: atMost,
    windows: (a, b) => b.every((window) => a.some((other) => windowImplies(other, window))),
    feeAbsolute: (a, b) => a <= b,
    feeRate: (a, b) => a <= b,
    payees: (a, b) => b === null || (a !== null && isSubset(a, b)),
    hold: (a, b) => b === null || (a !== null && holdImplies(a, b)),
    unseen: atMost,
    anyoneCanPay: (a, b) => !a || b,
    frozen: (a, b) => a || !b,
    // Longer or shorter, somebody else or nobody: each may suit a thief.
    delay: (a, b) => a === b,
    contact: (a, b) => a === b,
  };
type Implies<T> = (a: T, b: T) => boolean;

/** `WrongNetwork` for policies of two networks. Versions are not looked at. */
export function compare(old: Policy, next: Policy): Comparison {
  ensure(old.network === next.network, 'WrongNetwork');
  const holds = (a: Policy, b: Policy) =>
    Object.entries(IMPLIES).every(([rule, implies]) =>
      (implies as Implies<unknown>)(a[rule as keyof Policy], b[rule as keyof Policy]),
    );
  if (holds(next, old)) return 'tighter';
  return holds(old, next) ? 'looser' : 'mixed';
}

/** Null is no bound. */
function atMost(a: bigint | null, b: bigint | null): boolean {
  return b === null || (a !== null && a <= b);
}

/** Counting from as early on and over as long an interval, to a limit as low. */
function windowImplies(a: Window, b: Window): boolean {
  return a.limit <= b.limit && a.interval >= b.interval && a.start <= b.start;
}

function holdImplies(a: Hold, b: Hold): boolean {
  return a.above <= b.above && a.delay >= b.delay;
}

function isSubset(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  const whole = new Set(b.map((script) => hex.encode(script)));
  return a.every((script) => whole.has(hex.encode(script)));
}
