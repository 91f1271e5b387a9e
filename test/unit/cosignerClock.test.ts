/** Windows go by a clock that cannot be pushed. */
import { expect, test } from 'vitest';
import { steadyClock } from '../../src/cosigner/clock.ts';

const START = 1_800_000_000_000;
const DAY = 86_400_000;

function clocks() {
  const at = { wall: START, monotonic: 5 };
  const pass = (ms: number) => {
    at.wall += ms;
    at.monotonic += ms;
  };
  const steady = steadyClock({ now: () => at.wall, monotonic: () => at.monotonic });
  return { at, pass, steady };
}

test('audit-09 it keeps the time of a wall clock that keeps it', () => {
  const { pass, steady } = clocks();
  for (const ms of [1, 1000, DAY, 30 * DAY]) {
    const before = steady.now();
    pass(ms);
    expect(steady.now() - before).toBe(ms);
  }
  expect(steady.ahead()).toBe(0);
});

test.each([DAY, -DAY])('audit-09 a jump of %i ms moves it by no more than what passed', (jump) => {
  const { at, pass, steady } = clocks();
  at.wall += jump;
  expect(steady.now()).toBe(START);
  expect(steady.ahead()).toBe(jump);
  pass(3_600_000);
  expect(Math.abs(steady.now() - START - 3_600_000)).toBeLessThanOrEqual(36_000);
  at.wall -= jump;
  pass(4_000_000);
  // The wall clock is back, and so is this one.
  expect(steady.now()).toBe(at.wall);
});

test('audit-09 small corrections are followed, and it never goes back', () => {
  const { at, pass, steady } = clocks();
  let last = steady.now();
  for (const correction of [300, -300, 20, -900]) {
    at.wall += correction;
    for (let i = 0; i < 200; i++) {
      pass(1000);
      expect(steady.now()).toBeGreaterThan(last);
      last = steady.now();
    }
    expect(steady.now()).toBe(at.wall);
  }
});
