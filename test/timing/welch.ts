/** Welch's t-test between two classes of timings, in the manner of dudect (Reparaz, Balasch, Verbauwhede 2017). */

/** Shares of the samples kept, slowest dropped first: the tail is interrupts, which hide small effects. */
const CROPS = [0.99, 0.95, 0.8, 0.5];

export const T_LIMIT = 4.5;
/** Difference of the means over the mean. */
export const EFFECT_LIMIT = 0.001;

export interface Verdict {
  /** Of the crop with the largest |t| among those over the effect's limit, or else of all. */
  readonly t: number;
  readonly effect: number;
  readonly leaks: boolean;
}

function moments(values: Float64Array, limit: number): { count: number; mean: number; variance: number } {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (const value of values) {
    if (value > limit) continue;
    count++;
    const delta = value - mean;
    mean += delta / count;
    squares += delta * (value - mean);
  }
  return { count, mean, variance: squares / (count - 1) };
}

export function compare(a: Float64Array, b: Float64Array): Verdict {
  const pooled = new Float64Array(a.length + b.length);
  pooled.set(a);
  pooled.set(b, a.length);
  pooled.sort();
  const results = CROPS.map((crop) => {
    const limit = pooled[Math.ceil(crop * pooled.length) - 1]!;
    const [x, y] = [moments(a, limit), moments(b, limit)];
    const t = (x.mean - y.mean) / Math.sqrt(x.variance / x.count + y.variance / y.count);
    const effect = Math.abs(x.mean - y.mean) / ((x.mean + y.mean) / 2);
    return { t, effect, leaks: Math.abs(t) >= T_LIMIT && effect >= EFFECT_LIMIT };
  });
  const order = (v: Verdict) => (v.leaks ? 1e9 : 0) + Math.abs(v.t);
  return results.reduce((worst, v) => (order(v) > order(worst) ? v : worst));
}

/**
 * How much longer a finding is looked at once more. A leak is there again, and clearer; of the comparisons that there are in a run one
 * is over the limit by chance in a thousand runs, and twice the same way in none.
 */
export const AGAIN = 2;

/** What a second look says of what the first has found: a leak only where both say so, the same way about. */
export const repeated = (first: Verdict, second: Verdict): Verdict => ({
  ...second,
  leaks: first.leaks && second.leaks && first.t > 0 === second.t > 0,
});
