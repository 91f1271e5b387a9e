/**
 * What Prometheus reads (AUDIT 27–29): counts and times of this process, in its text format. No label ever names a wallet, a
 * device or an address: labels take only the program's own words.
 */

const METRICS = {
  hoarfrost_connections: ['gauge', 'WebSocket connections now.'],
  hoarfrost_half_open_connections: ['gauge', 'Connections now whose device has not proved itself.'],
  hoarfrost_connections_total: ['counter', 'Connections by what became of their opening.'],
  hoarfrost_requests_total: ['counter', 'Requests by kind and answer.'],
  hoarfrost_request_seconds: ['histogram', 'Time from request to answer.'],
  hoarfrost_decisions_total: ['counter', 'Decisions about signatures and policies, by verdict.'],
  hoarfrost_enrolments_total: ['counter', 'Wallets made.'],
  hoarfrost_notices_total: ['counter', 'Notices to contacts by what became of them.'],
  hoarfrost_refreshes_total: ['counter', 'Epochs begun.'],
  hoarfrost_repairs_total: ['counter', 'Shares of a lost device or kit made anew.'],
  hoarfrost_takeovers_total: ['counter', 'Wallets taken over from another cosigner.'],
  hoarfrost_part_up: ['gauge', 'Whether store, keys and chain answer, and whether new work is taken.'],
  hoarfrost_clock_ahead_seconds: ['gauge', 'How far the wall clock is ahead of the time that windows go by.'],
  process_resident_memory_bytes: ['gauge', 'Resident memory.'],
  process_cpu_seconds_total: ['counter', 'User and system time.'],
} as const satisfies Record<string, readonly ['gauge' | 'counter' | 'histogram', string]>;
type Name = keyof typeof METRICS;
type NameOf<K extends string> = { [N in Name]: (typeof METRICS)[N][0] extends K ? N : never }[Name];

type Labels = Readonly<Record<string, string>>;

/** Upper bounds in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5];
/** Series of one metric: more would mean that something of a user's became a label. */
const SERIES_MAX = 500;

interface Series {
  labels: string;
  value: number;
}
interface Timed {
  labels: string;
  counts: number[];
  sum: number;
}

export class Metrics {
  readonly #values = new Map<Name, Map<string, Series>>();
  readonly #times = new Map<Name, Map<string, Timed>>();

  count(name: NameOf<'counter'>, labels: Labels = {}, by = 1): void {
    const series = this.#series(name, labels);
    if (series !== undefined) series.value += by;
  }

  set(name: NameOf<'gauge' | 'counter'>, value: number, labels: Labels = {}): void {
    const series = this.#series(name, labels);
    if (series !== undefined) series.value = value;
  }

  observe(name: NameOf<'histogram'>, seconds: number, labels: Labels = {}): void {
    const key = textOf(labels);
    const all = mapIn(this.#times, name);
    let timed = all.get(key);
    if (timed === undefined) {
      if (all.size >= SERIES_MAX) return;
      timed = { labels: key, counts: BUCKETS.map(() => 0), sum: 0 };
      timed.counts.push(0);
      all.set(key, timed);
    }
    const at = BUCKETS.findIndex((bound) => seconds <= bound);
    timed.counts[at < 0 ? BUCKETS.length : at]!++;
    timed.sum += seconds;
  }

  /** Text format 0.0.4. */
  text(): string {
    const lines: string[] = [];
    for (const [name, [kind, help]] of Object.entries(METRICS) as [Name, (typeof METRICS)[Name]][]) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
      for (const { labels, value } of this.#values.get(name)?.values() ?? []) {
        lines.push(`${name}${braced(labels)} ${value}`);
      }
      for (const { labels, counts, sum } of this.#times.get(name)?.values() ?? []) {
        let total = 0;
        for (const [i, count] of counts.entries()) {
          total += count;
          const bound = `le="${BUCKETS[i] ?? '+Inf'}"`;
          lines.push(`${name}_bucket${braced(labels === '' ? bound : `${labels},${bound}`)} ${total}`);
        }
        lines.push(`${name}_sum${braced(labels)} ${sum}`, `${name}_count${braced(labels)} ${total}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }

  #series(name: Name, labels: Labels): Series | undefined {
    const key = textOf(labels);
    const all = mapIn(this.#values, name);
    let series = all.get(key);
    if (series === undefined && all.size < SERIES_MAX) {
      series = { labels: key, value: 0 };
      all.set(key, series);
    }
    return series;
  }
}

function mapIn<T>(maps: Map<Name, Map<string, T>>, name: Name): Map<string, T> {
  let map = maps.get(name);
  if (map === undefined) {
    map = new Map();
    maps.set(name, map);
  }
  return map;
}

const braced = (labels: string) => (labels === '' ? '' : `{${labels}}`);

/** Words only: what else stands in a label is left out, so that nothing of a user's can get there. */
function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${/^[A-Za-z]{1,32}$/.test(value) ? value : 'other'}"`)
    .join(',');
}
