/**
 * Reserve accounting (DESIGN section 4): each own outpoint has a reserve r(o) that only ever rises, and what was signed is
 * covered when the reserves of its inputs add up to its loss. Two signed transactions can both be mined only if they share
 * no input, and then they share no reserve: whatever the chain does, the true loss stays within what was charged.
 * So no credit is given for conflicts, none is needed, and a retry or a replacement costs only what it loses more.
 */
import { ensure } from '../protocol/errors.ts';

export interface Raise {
  /** `txid:vout`. */
  outpoint: string;
  /** What the windows are charged. Above zero. */
  raise: bigint;
  /** The reserve after it. */
  reserve: bigint;
}

/**
 * The raises that bring the reserves of `inputs` to at least `loss`: the shortfall, spread evenly. None if they are there
 * already. `BadPsbt` for an outpoint named twice, or a loss without an own input.
 */
export function raises(
  reserved: ReadonlyMap<string, bigint>,
  inputs: readonly string[],
  loss: bigint,
): Raise[] {
  ensure(new Set(inputs).size === inputs.length, 'BadPsbt', { detail: 'an input twice' });
  const current = inputs.map((outpoint) => reserved.get(outpoint) ?? 0n);
  const short = loss - current.reduce((sum, reserve) => sum + reserve, 0n);
  if (short <= 0n) return [];
  ensure(inputs.length > 0, 'BadPsbt', { detail: 'loss without own inputs' });
  const share = short / BigInt(inputs.length);
  const remainder = short % BigInt(inputs.length);
  return inputs
    .map((outpoint, i) => {
      const raise = share + (BigInt(i) < remainder ? 1n : 0n);
      return { outpoint, raise, reserve: current[i]! + raise };
    })
    .filter(({ raise }) => raise > 0n);
}

/** The raises for parts that share inputs: each part finds what the ones before it have raised. At most one raise an outpoint. */
export function raisesOfAll(
  reserved: ReadonlyMap<string, bigint>,
  parts: readonly { inputs: readonly string[]; loss: bigint }[],
): Raise[] {
  const reserves = new Map(reserved);
  const all = new Map<string, Raise>();
  for (const { inputs, loss } of parts) {
    for (const { outpoint, raise, reserve } of raises(reserves, inputs, loss)) {
      reserves.set(outpoint, reserve);
      all.set(outpoint, { outpoint, raise: raise + (all.get(outpoint)?.raise ?? 0n), reserve });
    }
  }
  return [...all.values()];
}

export function totalOf(list: readonly Raise[]): bigint {
  return list.reduce((sum, { raise }) => sum + raise, 0n);
}
