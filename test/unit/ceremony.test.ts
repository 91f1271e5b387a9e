/** One ceremony, with time handed in: who may begin, approve and contest, and what waiting alone brings. */
import { describe, expect, test } from 'vitest';
import { ceremonyState } from '../../src/cosigner/ceremonyRecords.ts';
import {
  type Ceremony,
  CONTEST_MS,
  ceremonyId,
  ensureRipe,
  finish,
  leftOf,
  look,
  OPENERS,
  openCeremony,
  RIPE_MS,
  restart,
  STEP_MAX_MS,
  say,
} from '../../src/policy/ceremony.ts';
import {
  AUTHENTICATORS,
  type Authenticator,
  type CeremonyPurpose,
  ceremonyAct,
} from '../../src/protocol/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill);
const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DELAY = 7 * DAY;
const purposes: CeremonyPurpose[] = [
  { kind: 'replaceDevice', hostKey: bytes(1), noiseKey: bytes(2) },
  { kind: 'replaceKit', hostKey: bytes(3), encryptionKey: bytes(4) },
  { kind: 'loosenPolicy', document: bytes(7, 100) },
];
const [replaceDevice, replaceKit] = purposes as [CeremonyPurpose, CeremonyPurpose];

const opened = (purpose = replaceDevice, by: Authenticator = 'words') =>
  openCeremony(purpose, by, DELAY, NOW);
const others = (by: Authenticator) => AUTHENTICATORS.filter((one) => one !== by);

/** Looked at every `step` until `to`. */
function pass(ceremony: Ceremony, from: number, to: number, step = STEP_MAX_MS): Ceremony {
  let current = ceremony;
  for (let now = from + step; now < to; now += step) current = look(current, now);
  return look(current, to);
}

const says =
  (what: 'approve' | 'contest') =>
  (ceremony: Ceremony, by: Authenticator, now: number): Ceremony =>
    say(ceremony, { by, says: what, at: now }, now);
const approve = says('approve');
const contest = says('contest');

test.each(purposes)('$kind is opened by those who must take part in it, and by nobody else', (purpose) => {
  for (const by of AUTHENTICATORS) {
    const open = () => openCeremony(purpose, by, DELAY, NOW);
    if (OPENERS[purpose.kind].includes(by))
      expect(open()).toMatchObject({ phase: 'waiting', approvals: [by] });
    else expect(open).toThrow(code('Unauthorised'));
  }
});

const pairs = purposes.flatMap((purpose) =>
  OPENERS[purpose.kind].flatMap((by) =>
    others(by).map((other) => [purpose.kind, by, other, purpose] as const),
  ),
);
describe.each(pairs)('%s opened by %s, with %s', (_, by, other, purpose) => {
  test('both at once are enough', () => {
    const both = approve(opened(purpose, by), other, NOW);
    expect(both.phase).toBe('ripe');
    expect(finish(both, NOW).phase).toBe('done');
  });

  test('one alone waits the delay to the millisecond', () => {
    const almost = pass(opened(purpose, by), NOW, NOW + DELAY - 1);
    expect(almost.phase).toBe('waiting');
    expect(leftOf(almost)).toBe(1);
    expect(() => finish(almost, NOW + DELAY - 1)).toThrow(code('CeremonyWaits'));
    const after = look(almost, NOW + DELAY);
    expect(after.phase).toBe('ripe');
    expect(finish(after, NOW + DELAY).phase).toBe('done');
  });

  test('a contest stops it, until the words win', () => {
    const contested = contest(opened(purpose, by), other, NOW);
    expect(contested.phase).toBe('contested');
    expect(pass(contested, NOW, NOW + CONTEST_MS - 1).phase).toBe('contested');
    const words = by === 'words' ? 'ripe' : 'void';
    expect(pass(contested, NOW, NOW + CONTEST_MS).phase).toBe(words);
  });

  test('two who contest end it, and two who approve allow it, contested or not', () => {
    const third = AUTHENTICATORS.find((one) => one !== by && one !== other)!;
    const contested = contest(opened(purpose, by), other, NOW);
    expect(contest(contested, third, NOW).phase).toBe('void');
    expect(approve(contested, third, NOW).phase).toBe('ripe');
    expect(approve(contested, other, NOW + 1).phase).toBe('ripe');
    // Two against one: the third is heard, and changes nothing.
    expect(contest(approve(opened(purpose, by), other, NOW), third, NOW).phase).toBe('ripe');
  });

  test('who opened it may withdraw it', () => {
    expect(contest(opened(purpose, by), by, NOW).phase).toBe('void');
    expect(contest(contest(opened(purpose, by), other, NOW), by, NOW).phase).toBe('void');
  });

  test('what is ripe by waiting may still be contested, and what is not used expires', () => {
    const ripe = pass(opened(purpose, by), NOW, NOW + DELAY);
    expect(contest(ripe, other, NOW + DELAY).phase).toBe('contested');
    expect(pass(ripe, NOW + DELAY, NOW + DELAY + RIPE_MS - 1).phase).toBe('ripe');
    expect(pass(ripe, NOW + DELAY, NOW + DELAY + RIPE_MS).phase).toBe('void');
  });
});

test('a contest of device against contact, with the words silent, changes nothing in the end', () => {
  const contested = contest(opened(replaceKit, 'device'), 'contact', NOW);
  expect(pass(contested, NOW, NOW + CONTEST_MS).phase).toBe('void');
});

test('once the words have won, the same contest stops nothing more, but two who contest do', () => {
  const contested = contest(opened(), 'device', NOW);
  const won = pass(contested, NOW, NOW + CONTEST_MS);
  expect(won.phase).toBe('ripe');
  expect(contest(won, 'device', NOW + CONTEST_MS + 1).phase).toBe('ripe');
  expect(contest(won, 'contact', NOW + CONTEST_MS + 1).phase).toBe('void');
});

test('what has ended hears nothing more', () => {
  const done = finish(approve(opened(), 'device', NOW), NOW);
  const gone = contest(opened(), 'words', NOW);
  for (const ended of [done, gone]) {
    for (const by of AUTHENTICATORS) {
      expect(() => approve(ended, by, NOW + 1)).toThrow(code('CeremonyEnded'));
      expect(() => contest(ended, by, NOW + 1)).toThrow(code('CeremonyEnded'));
    }
    expect(() => finish(ended, NOW + 1)).toThrow(code('CeremonyEnded'));
    expect(() => ensureRipe(ended)).toThrow(code('CeremonyEnded'));
    expect(look(ended, NOW + 400 * DAY)).toEqual(ended);
    expect(restart(ended, NOW)).toEqual(ended);
    expect(leftOf(ended)).toBe(0);
  }
});

test('an older say that is brought again says nothing', () => {
  const opening = opened(replaceKit, 'device');
  const contested = say(opening, { by: 'words', says: 'contest', at: NOW + 5 }, NOW);
  const at = (when: number) => () => say(contested, { by: 'words', says: 'approve', at: when }, NOW);
  for (const when of [NOW + 4, NOW + 5]) expect(at(when)).toThrow(code('OutOfSequence'));
  expect(at(NOW + 6)().phase).toBe('ripe');
  // The same again is heard as the first time.
  expect(say(contested, { by: 'words', says: 'contest', at: NOW + 1 }, NOW)).toEqual(contested);
});

describe('clocks', () => {
  test('a jump of a day forward counts as one step', () => {
    const jumped = look(opened(), NOW + DAY);
    expect(leftOf(jumped)).toBe(DELAY - STEP_MAX_MS);
    expect(look(opened(), NOW + 3650 * DAY).phase).toBe('waiting');
  });

  test('a jump of a day back counts nothing, and nothing twice when it has caught up', () => {
    const before = pass(opened(), NOW, NOW + 2 * DAY);
    let current = look(before, NOW + DAY);
    expect(leftOf(current)).toBe(leftOf(before));
    current = pass(current, NOW + DAY, NOW + 2 * DAY);
    expect(leftOf(current)).toBe(leftOf(before));
    expect(leftOf(pass(current, NOW + 2 * DAY, NOW + 3 * DAY))).toBe(DELAY - 3 * DAY);
  });

  test('a clock that was years ahead and is right again does not stop it for years', () => {
    const ahead = look(opened(), NOW + 3650 * DAY);
    const back = look(ahead, NOW + HOUR);
    expect(leftOf(pass(back, NOW + HOUR, NOW + DAY))).toBe(DELAY - DAY);
  });

  test('time in which the cosigner was down does not count: nobody could contest', () => {
    const before = pass(opened(), NOW, NOW + DAY);
    const stored = encode(ceremonyState, before);
    const again = look(decode(ceremonyState, stored), NOW + 6 * DAY);
    expect(leftOf(again)).toBe(DELAY - DAY - STEP_MAX_MS);
  });

  test('two instances whose clocks differ count no more than time', () => {
    let current = opened();
    for (let minute = 1; minute <= 24 * 60; minute++) {
      const now = NOW + minute * 60_000 + (minute % 2) * 10 * 60_000;
      current = look(current, now);
    }
    expect(DELAY - leftOf(current)).toBeLessThanOrEqual(DAY + 10 * 60_000);
  });

  test('after a loss it waits anew, with what was said against it', () => {
    const waited = pass(opened(), NOW, NOW + 6 * DAY);
    expect(leftOf(restart(waited, NOW + 6 * DAY))).toBe(DELAY);
    const agreed = restart(approve(waited, 'device', NOW + 6 * DAY), NOW + 6 * DAY);
    expect(agreed).toMatchObject({ phase: 'waiting', approvals: ['words'], waited: 0 });
    const contested = restart(contest(waited, 'device', NOW + 6 * DAY), NOW + 6 * DAY);
    expect(contested).toMatchObject({ phase: 'contested', contests: ['device'], waited: 0 });
  });
});

test('the id of a ceremony tells apart whatever differs in its opening', () => {
  const ids = purposes.flatMap((purpose, i) =>
    [bytes(i, 16), bytes(99, 16)].map((random) =>
      String(
        ceremonyId(encode(ceremonyAct, { kind: 'open', network: 'regtest', wallet: null, purpose, random })),
      ),
    ),
  );
  expect(new Set(ids).size).toBe(2 * purposes.length);
});
