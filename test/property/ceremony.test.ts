/** Whatever is said by whom at whatever time, with whatever clock: nothing is allowed that two did not agree to or that did not wait. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ceremonyState } from '../../src/cosigner/ceremonyRecords.ts';
import {
  type Ceremony,
  CONTEST_MS,
  finish,
  hasEnded,
  leftOf,
  look,
  OPENERS,
  openCeremony,
  STEP_MAX_MS,
  say,
} from '../../src/policy/ceremony.ts';
import { AUTHENTICATORS, type CeremonyPurpose } from '../../src/protocol/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DELAY = DAY;

const purpose = fc.constantFrom<CeremonyPurpose>(
  { kind: 'replaceDevice', hostKey: new Uint8Array(32), noiseKey: new Uint8Array(32) },
  { kind: 'replaceKit', hostKey: new Uint8Array(32), encryptionKey: new Uint8Array(32) },
  { kind: 'loosenPolicy', document: new Uint8Array(9) },
);
/** How far the wall clock moves before each event: mostly on, sometimes a day and more either way. */
const move = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 2 * HOUR }) },
  { weight: 1, arbitrary: fc.constantFrom(DAY, -DAY, 40 * DAY, -40 * DAY, 10 * HOUR, -10 * HOUR) },
);
const event = fc.record({
  move,
  by: fc.constantFrom(...AUTHENTICATORS),
  does: fc.constantFrom('look', 'look', 'look', 'look', 'restart', 'approve', 'contest', 'finish'),
});
const runs = fc.tuple(purpose, fc.array(event, { maxLength: 120 }));

function attempt(step: () => Ceremony, otherwise: Ceremony): Ceremony {
  try {
    return step();
  } catch (e) {
    expect(isHoarfrostError(e)).toBe(true);
    return otherwise;
  }
}

test('DESIGN 5: ripe means that two agreed, that it waited uncontested, or that the words won', () => {
  fc.assert(
    fc.property(runs, ([what, events]) => {
      const opener = OPENERS[what.kind][0]!;
      let ceremony = openCeremony(what, opener, DELAY, NOW);
      let now = NOW;
      let said = 0;
      /** Never more than this can have been counted: a step for each time that anybody looked. */
      let counted = 0;
      for (const { move: by, does, by: who } of events) {
        now = Math.max(NOW, now + by);
        counted += STEP_MAX_MS;
        const before = ceremony;
        if (does === 'look') ceremony = look(ceremony, now);
        else if (does === 'restart') ceremony = decode(ceremonyState, encode(ceremonyState, ceremony));
        else if (does === 'finish') ceremony = attempt(() => finish(ceremony, now), ceremony);
        else {
          const act = { by: who, says: does as 'approve' | 'contest', at: NOW + ++said };
          ceremony = attempt(() => say(ceremony, act, now), ceremony);
        }

        const { approvals, contests, phase } = ceremony;
        // Nobody says both.
        expect(approvals.some((one) => contests.includes(one))).toBe(false);
        expect(new Set([...approvals, ...contests]).size).toBe(approvals.length + contests.length);
        if (hasEnded(before)) expect(ceremony).toEqual(before);
        if (phase !== before.phase && phase === 'ripe' && approvals.length < 2) {
          const needed = contests.length > 0 ? CONTEST_MS : DELAY;
          expect(counted).toBeGreaterThanOrEqual(needed);
          if (contests.length > 0) {
            expect(before.phase).toBe('contested');
            expect(approvals).toContain('words');
          } else expect(before.phase).toBe('waiting');
        }
        if (phase === 'done' && before.phase !== 'done') {
          // A last look may have made it ripe.
          expect(look(before, now).phase).toBe('ripe');
        }
        if (phase === 'contested') expect([approvals.length, contests.length]).toEqual([1, 1]);
        if (phase === 'waiting') expect([approvals.length, contests.length]).toEqual([1, 0]);
        expect(leftOf(ceremony)).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 500 },
  );
});

test('however clocks jump, no more time counts than steps between looks, and none is lost to a clock that runs', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 23 }), fc.integer({ min: 1, max: 20 }), (moves, steady) => {
      let ceremony = openCeremony(
        { kind: 'replaceDevice', hostKey: new Uint8Array(32), noiseKey: new Uint8Array(32) },
        'words',
        30 * DAY,
        NOW,
      );
      let now = NOW;
      for (const by of moves) {
        now = Math.max(NOW, now + by);
        const before = leftOf(ceremony);
        ceremony = look(ceremony, now);
        expect(before - leftOf(ceremony)).toBeLessThanOrEqual(Math.min(STEP_MAX_MS, Math.max(0, by)));
        expect(before - leftOf(ceremony)).toBeGreaterThanOrEqual(0);
      }
      // Once the clock is past all that it has said, each step counts in full.
      now = ceremony.seen;
      const before = leftOf(ceremony);
      for (let i = 0; i < steady; i++) ceremony = look(ceremony, (now += HOUR));
      expect(before - leftOf(ceremony)).toBe(steady * HOUR);
    }),
  );
});
