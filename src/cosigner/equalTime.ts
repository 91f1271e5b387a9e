/**
 * A refusal that takes as long whatever it found: to an asker who may not know, what is another's and what never was are one
 * answer in words, and here in time. What is granted is not held back.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Refusals leave at multiples of it: far longer than the work that they could tell apart. */
const STEP_MS = 20;

export async function inEqualTime<T>(work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } catch (e) {
    const took = performance.now() - started;
    await sleep(Math.ceil((took + 1) / STEP_MS) * STEP_MS - took);
    throw e;
  }
}
