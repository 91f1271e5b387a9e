import type { Contender, Operation, Peer } from './operations.ts';

export interface Plan {
  readonly rounds: number;
  /** What one batch should take. */
  readonly batchMs: number;
  readonly warmUpMs: number;
}

export const FULL: Plan = { rounds: 21, batchMs: 8, warmUpMs: 400 };
export const QUICK: Plan = { rounds: 7, batchMs: 3, warmUpMs: 120 };

/** Batches of a contender in each round; the fastest counts, which leaves out what other programs took meanwhile. */
const TRIES = 3;

/** The most calls a batch may prepare: each may hold two nonce handles. */
const LARGEST_BATCH = 400;

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface Result {
  readonly name: string;
  /** Microseconds a call: median and quartiles. */
  readonly ours: Spread;
  readonly peers: Partial<
    Record<
      Peer,
      { readonly time: Spread /** Their time over ours, paired by round. */; readonly ratio: Spread }
    >
  >;
}

/** Median and quartiles. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number) => {
    const position = q * (sorted.length - 1);
    const below = sorted[Math.floor(position)]!;
    return below + (sorted[Math.ceil(position)]! - below) * (position % 1);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Warms up and answers how many calls fill a batch. */
async function calibrate(run: Contender, plan: Plan): Promise<number> {
  let count = 1;
  let perCall = 0;
  for (const from = performance.now(); performance.now() - from < plan.warmUpMs; ) {
    const elapsed = await run(count);
    perCall = Math.max(elapsed, 0.01) / count;
    count = Math.min(LARGEST_BATCH, Math.max(1, Math.ceil(plan.batchMs / perCall)));
  }
  return count;
}

/** Every contender once a round, each round beginning with another one. */
export async function measure(operation: Operation, plan: Plan): Promise<Result> {
  const entries: [Peer | 'ours', Contender][] = [
    ['ours', operation.ours],
    ...(Object.entries(operation.peers) as [Peer, Contender][]),
  ];
  const lanes = [];
  for (const [who, run] of entries) {
    lanes.push({ who, run, count: await calibrate(run, plan), times: [] as number[] });
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(i + round) % lanes.length]!;
      let fastest = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < TRIES; attempt++)
        fastest = Math.min(fastest, await lane.run(lane.count));
      lane.times.push((fastest / lane.count) * 1000);
    }
  }
  const [ours, ...peers] = lanes as [(typeof lanes)[0], ...typeof lanes];
  return {
    name: operation.name,
    ours: spread(ours.times),
    peers: Object.fromEntries(
      peers.map(({ who, times }) => [
        who,
        { time: spread(times), ratio: spread(times.map((time, round) => time / ours.times[round]!)) },
      ]),
    ),
  };
}
