import fc from 'fast-check';
import { expect, test } from 'vitest';
import { raises, totalOf } from '../../src/policy/reserves.ts';

const OUTPOINTS = ['a:0', 'b:0', 'c:1', 'd:0', 'e:7', 'f:2'];

interface Signed {
  inputs: string[];
  loss: bigint;
}

const spends = fc.array(
  fc.record({
    inputs: fc
      .subarray(OUTPOINTS, { minLength: 1 })
      .chain((set) => fc.shuffledSubarray(set, { minLength: set.length })),
    loss: fc.bigInt(-50n, 1_000n),
  }),
  { minLength: 1, maxLength: 9 },
);

/** Signs one after the other; gives what each was charged, and the reserves. */
function signAll(list: readonly Signed[]): { charges: bigint[]; reserved: Map<string, bigint> } {
  const reserved = new Map<string, bigint>();
  const charges = list.map(({ inputs, loss }) => {
    const raised = raises(reserved, inputs, loss);
    for (const { outpoint, raise, reserve } of raised) {
      expect(raise > 0n).toBe(true);
      expect(reserve).toBe((reserved.get(outpoint) ?? 0n) + raise);
      reserved.set(outpoint, reserve);
    }
    return totalOf(raised);
  });
  return { charges, reserved };
}

const sum = (values: Iterable<bigint>) => [...values].reduce((a, b) => a + b, 0n);

/** The most that can really be lost: the best set of signed transactions of which no two share an input. */
function worst(list: readonly Signed[], taken: ReadonlySet<string> = new Set(), from = 0): bigint {
  let most = 0n;
  for (let i = from; i < list.length; i++) {
    const { inputs, loss } = list[i]!;
    if (loss <= 0n || inputs.some((o) => taken.has(o))) continue;
    const rest = loss + worst(list, new Set([...taken, ...inputs]), i + 1);
    if (rest > most) most = rest;
  }
  return most;
}

test('DESIGN 4: whatever is signed in whatever order, the charge is never less than the most that can be lost', () => {
  fc.assert(
    fc.property(spends, (list) => {
      const { charges, reserved } = signAll(list);
      expect(sum(charges)).toBe(sum(reserved.values()));
      expect(sum(charges) >= worst(list)).toBe(true);
      // And each spend on its own is covered by the reserves of its inputs.
      for (const { inputs, loss } of list)
        expect(sum(inputs.map((o) => reserved.get(o) ?? 0n)) >= loss).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('DESIGN 4: retries are free, and replacements of the same inputs cost the dearest of them, once', () => {
  const inputs = fc.subarray(OUTPOINTS, { minLength: 1 });
  fc.assert(
    fc.property(inputs, fc.array(fc.bigInt(0n, 10_000n), { minLength: 1, maxLength: 12 }), (own, losses) => {
      const { charges } = signAll(losses.map((loss) => ({ inputs: own, loss })));
      let most = 0n;
      for (const [i, loss] of losses.entries()) {
        expect(charges[i]).toBe(loss > most ? loss - most : 0n);
        if (loss > most) most = loss;
      }
      expect(sum(charges)).toBe(most);
    }),
  );
});

test('DESIGN 4: each charge is exactly the shortfall of the reserves at that moment', () => {
  fc.assert(
    fc.property(spends, (list) => {
      const reserved = new Map<string, bigint>();
      for (const { inputs, loss } of list) {
        const short = loss - sum(inputs.map((o) => reserved.get(o) ?? 0n));
        const raised = raises(reserved, inputs, loss);
        expect(totalOf(raised)).toBe(short > 0n ? short : 0n);
        // Spread evenly: no two raises differ by more than a sat.
        const sizes = inputs.map((o) => raised.find(({ outpoint }) => outpoint === o)?.raise ?? 0n);
        if (short > 0n) expect(sizes.every((a) => sizes.every((b) => a - b <= 1n))).toBe(true);
        for (const { outpoint, reserve } of raised) reserved.set(outpoint, reserve);
      }
    }),
  );
});

test('spends of distinct inputs are charged in full: there is no credit for a conflict that is none', () => {
  expect(
    signAll([
      { inputs: ['a:0'], loss: 5n },
      { inputs: ['b:0'], loss: 7n },
    ]).charges,
  ).toEqual([5n, 7n]);
});

test('an outpoint named twice, or a loss of nothing of ours, is refused', () => {
  expect(() => raises(new Map(), ['a:0', 'a:0'], 1n)).toThrow('BadPsbt');
  expect(() => raises(new Map(), [], 1n)).toThrow('BadPsbt');
  expect(raises(new Map(), [], 0n)).toEqual([]);
});
