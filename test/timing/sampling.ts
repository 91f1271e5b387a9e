import { CLASSES, type Class, type Subject, writeInput } from './subjects.ts';
import { AGAIN, compare, repeated, type Verdict } from './welch.ts';

/** Inputs made at a time. */
const CHUNK = 4_000;
const WARM_UP = 4_000;

export interface Finding {
  readonly name: string;
  readonly leaking: boolean;
  /** Microseconds of one run, over all samples. */
  readonly mean: number;
  /** Each fixed class against random secrets. */
  readonly verdicts: readonly (readonly [Class, Verdict])[];
}

/** Every class the same number of times, in an order that nothing can learn. */
function schedule(length: number): Uint8Array {
  const order = Uint8Array.from({ length }, (_, i) => i % CLASSES.length);
  const random = crypto.getRandomValues(new Uint32Array(length));
  for (let i = length - 1; i > 0; i--) {
    const j = random[i]! % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** As `examine`; what leaks, the controls too, is looked at once more. */
export function judge(subject: Subject, samples: number, batch: number): Finding {
  const first = examine(subject, samples, batch);
  if (!first.verdicts.some(([, { leaks }]) => leaks)) return first;
  const second = examine(subject, AGAIN * samples, batch);
  const verdicts = second.verdicts.map(([of, v], i) => [of, repeated(first.verdicts[i]![1], v)] as const);
  return { ...second, verdicts };
}

/**
 * Times `samples` runs a class. `batch` runs of the same input make one sample, where the clock is coarse. All classes
 * take the same way into memory: only the value differs.
 */
function examine(subject: Subject, samples: number, batch: number): Finding {
  const times = CLASSES.map(() => new Float64Array(samples));
  const filled = new Uint32Array(CLASSES.length);
  const inputs = new Uint8Array(32 * CHUNK);
  const warm = new Uint8Array(32).fill(5);
  for (let i = 0; i < WARM_UP; i++) {
    subject.load(warm, 1);
    subject.run(1);
  }
  const total = samples * CLASSES.length;
  for (let done = 0; done < total; done += CHUNK) {
    const order = schedule(Math.min(CHUNK, total - done));
    order.forEach((which, i) => {
      writeInput(CLASSES[which]!, inputs.subarray(32 * i, 32 * i + 32));
    });
    for (let i = 0; i < order.length; i++) {
      subject.load(inputs.subarray(32 * i, 32 * i + 32), batch);
      const from = performance.now();
      subject.run(batch);
      const elapsed = performance.now() - from;
      const which = order[i]!;
      times[which]![filled[which]!++] = elapsed;
    }
  }
  const mean = times.reduce((sum, list) => sum + list.reduce((a, b) => a + b, 0), 0) / total / batch;
  return {
    name: subject.name,
    leaking: subject.leaking,
    mean: mean * 1000,
    verdicts: CLASSES.slice(1).map((name, i) => [name, compare(times[i + 1]!, times[0]!)] as const),
  };
}
