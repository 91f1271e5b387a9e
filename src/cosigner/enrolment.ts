/**
 * The right to a new wallet here: an operator's token, which is good for one, or open enrolment within its daily quota. A
 * token is used up in the transaction that stores the wallet; until then it is only held, by a few at a time.
 */
import { ensure } from '../protocol/errors.ts';
import { KEYGEN_DEADLINE_MS } from '../protocol/limits.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes } from './store.ts';
import { OPEN_TOKEN, tokenHash } from './tokens.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Enrolment {
  /** Hash of the token; of our own making where enrolment is open. */
  readonly token: Bytes;
  readonly open: boolean;
  /** The token had to hold then. */
  readonly begunAt: number;
  /** Gives the token's use back; safe to repeat. */
  readonly release: () => void;
}

/** Throws `TokenUnknown`, `TokenExpired`, `RateLimited`. */
export async function beginEnrolment(cosigner: Cosigner, token: string): Promise<Enrolment> {
  const { store, clock, tokenUse, limiter, random } = cosigner;
  const begunAt = clock.now();
  const open = token === OPEN_TOKEN && limiter.limits.openEnrolments !== null;
  const hash = open ? random(32) : tokenHash(token);
  await (open ? checkQuota(cosigner, begunAt) : store.checkToken(hash, begunAt));
  return { token: hash, open, begunAt, release: tokenUse.begin(hash) };
}

/** Before the wallet is stored with the token that this answers. */
export async function claimToken(
  { store }: Cosigner,
  { token, open, begunAt }: Pick<Enrolment, 'token' | 'open' | 'begunAt'>,
): Promise<Bytes> {
  if (open) await store.addToken(token, begunAt + KEYGEN_DEADLINE_MS);
  return token;
}

/** `RateLimited` once today's wallets are made; those under way are not counted, as few of them as may run at once. */
async function checkQuota({ store, limiter }: Cosigner, now: number): Promise<void> {
  const made = await store.enrolledSince(now - DAY_MS);
  ensure(made < limiter.limits.openEnrolments!, 'RateLimited', {
    detail: 'enrolments',
    retryAfterMs: HOUR_MS,
  });
}
