/**
 * How one ceremony goes (DESIGN section 5): (ceremony, what was said, now) -> ceremony. Two authenticators act at once; one alone
 * waits; any other may contest, and then two must agree or the words win after 30 days.
 *
 * Time is handed in and not trusted: it counts only in small steps between two looks, so a clock that jumps ahead, or a cosigner that
 * was down and could hear no contest, brings nothing nearer. One that jumps back counts nothing until it has caught up.
 */
import type { Authenticator, CeremonyPhase, CeremonyPurpose } from '../protocol/ceremony.ts';
import { ensure } from '../protocol/errors.ts';
import { taggedHash } from '../protocol/sha256.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Most that counts between two looks. Whoever keeps ceremonies looks more often than that. */
export const STEP_MAX_MS = HOUR_MS;
/** A clock further behind than this is believed to have been wrong before, and counts from where it is. */
const BEHIND_MAX_MS = DAY_MS;
/** After which a contest that nobody settles goes as the words would have it. */
export const CONTEST_MS = 30 * DAY_MS;
/** How long what is allowed may be carried out. */
export const RIPE_MS = 30 * DAY_MS;

/** Sets are in the order in which they were said; times in milliseconds. */
export interface Ceremony {
  purpose: CeremonyPurpose;
  openedBy: Authenticator;
  openedAt: number;
  /** How long one alone waits, as the policy said at its opening. */
  delay: number;
  approvals: Authenticator[];
  contests: Authenticator[];
  /** The latest that each has said, by its own clock. */
  said: { by: Authenticator; at: number }[];
  phase: CeremonyPhase;
  /** Counted in this phase, and the latest time seen. */
  waited: number;
  seen: number;
}

/** Who may begin what: those who must take part in carrying it out, and have not lost what it replaces. */
export const OPENERS: Record<CeremonyPurpose['kind'], readonly Authenticator[]> = {
  replaceDevice: ['words'],
  replaceKit: ['device'],
  loosenPolicy: ['device'],
};

/** `Unauthorised` for one who may not begin this. `delay` in milliseconds. */
export function openCeremony(
  purpose: CeremonyPurpose,
  by: Authenticator,
  delay: number,
  now: number,
): Ceremony {
  ensure(OPENERS[purpose.kind].includes(by), 'Unauthorised', { detail: 'ceremony' });
  return {
    purpose,
    openedBy: by,
    openedAt: now,
    delay,
    approvals: [by],
    contests: [],
    said: [],
    phase: 'waiting',
    waited: 0,
    seen: now,
  };
}

/** What time alone makes of it. */
export function look(ceremony: Ceremony, now: number): Ceremony {
  if (hasEnded(ceremony)) return ceremony;
  const elapsed = now - ceremony.seen;
  const counted = Math.min(Math.max(elapsed, 0), STEP_MAX_MS);
  const seen = elapsed < -BEHIND_MAX_MS ? now : Math.max(ceremony.seen, now);
  const next = { ...ceremony, seen, waited: ceremony.waited + counted };
  if (next.waited < lengthOf(next)) return next;
  switch (next.phase) {
    case 'waiting':
      return enter(next, 'ripe');
    case 'contested':
      return enter(next, next.approvals.includes('words') ? 'ripe' : 'void');
    default:
      return enter(next, 'void');
  }
}

/**
 * Each may say so of every ceremony, and change its mind: what was said last holds. The one who opened it withdraws it by contesting.
 * `CeremonyEnded`; `OutOfSequence` for something older than what the same one has said.
 */
export function say(
  ceremony: Ceremony,
  { by, says, at }: { by: Authenticator; says: 'approve' | 'contest'; at: number },
  now: number,
): Ceremony {
  const current = look(ceremony, now);
  ensure(!hasEnded(current), 'CeremonyEnded');
  const side = says === 'approve' ? 'approvals' : 'contests';
  if (current[side].includes(by)) return current;
  const before = current.said.find((entry) => entry.by === by);
  ensure(before === undefined || at > before.at, 'OutOfSequence', { detail: 'ceremony' });
  const without = (all: readonly Authenticator[]) => all.filter((one) => one !== by);
  const next: Ceremony = {
    ...current,
    approvals: without(current.approvals),
    contests: without(current.contests),
    said: [...current.said.filter((entry) => entry.by !== by), { by, at }],
  };
  next[side].push(by);
  return enter(next, settled(next));
}

/** What it allowed has been done. `CeremonyWaits` unless it is ripe. */
export function finish(ceremony: Ceremony, now: number): Ceremony {
  const current = look(ceremony, now);
  ensureRipe(current);
  return enter(current, 'done');
}

export function ensureRipe({ phase }: Ceremony): void {
  ensure(phase !== 'done' && phase !== 'void', 'CeremonyEnded');
  ensure(phase === 'ripe', 'CeremonyWaits');
}

/** From the beginning again, for one whose history is not sure any more: nothing that was said against it is forgotten. */
export function restart(ceremony: Ceremony, now: number): Ceremony {
  if (hasEnded(ceremony)) return ceremony;
  const phase = ceremony.contests.length > 0 ? 'contested' : 'waiting';
  return { ...ceremony, phase, approvals: ceremony.approvals.slice(0, 1), waited: 0, seen: now };
}

/** Milliseconds until it changes by itself; 0 once it has ended. */
export function leftOf(ceremony: Ceremony): number {
  return hasEnded(ceremony) ? 0 : lengthOf(ceremony) - ceremony.waited;
}

export function hasEnded({ phase }: Pick<Ceremony, 'phase'>): boolean {
  return phase === 'done' || phase === 'void';
}

/** The id of what an encoded `open` begins: 32 bytes. */
export function ceremonyId(act: Uint8Array): Uint8Array<ArrayBuffer> {
  return taggedHash('hoarfrost/ceremony', act);
}

/** What the words sign of an act: whoever has it may bring it. */
export function wordsActHash(act: Uint8Array): Uint8Array<ArrayBuffer> {
  return taggedHash('hoarfrost/words-act', act);
}

/** What share 1 signs of an act: on this connection only. */
export function deviceActHash(handshakeHash: Uint8Array, act: Uint8Array): Uint8Array<ArrayBuffer> {
  return taggedHash('hoarfrost/device-act', handshakeHash, act);
}

function lengthOf({ phase, delay }: Ceremony): number {
  if (phase === 'waiting') return delay;
  return phase === 'contested' ? CONTEST_MS : RIPE_MS;
}

/** By numbers alone: two agree, nobody is left for it, or one stands against one. */
function settled({ approvals, contests }: Ceremony): CeremonyPhase {
  if (approvals.length >= 2) return 'ripe';
  if (contests.length >= 2 || approvals.length === 0) return 'void';
  return 'contested';
}

function enter(ceremony: Ceremony, phase: CeremonyPhase): Ceremony {
  return phase === ceremony.phase ? ceremony : { ...ceremony, phase, waited: 0 };
}
