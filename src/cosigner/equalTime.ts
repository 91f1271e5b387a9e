/**
 * A refusal that takes as long whatever it found: to an asker who may not know, what is another's and what never was are one
 * answer in words, and here in time. What is granted is not held back.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

/** Refusals leave at multiples of it: far longer than the work that they could tell apart, on a busy machine too. */
const STEP_MS = 50;
/** A timer counts from when its turn of the event loop began, and so would tell how long the work in that turn took. */
const TIMER_MS = 2;

export async function inEqualTime<T>(work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } catch (e) {
    const took = performance.now() - started;
    const end = started + Math.ceil((took + TIMER_MS) / STEP_MS) * STEP_MS;
    await sleep(Math.max(0, end - TIMER_MS - performance.now()));
    while (performance.now() < end) await turn();
    throw e;
  }
}
