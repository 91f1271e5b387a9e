/**
 * Ceremonies as they are stored: each under this cosigner's stamp, so that whoever writes to the database can make none ripe. After
 * a loss of what was committed lately each begins anew, for a contest may be among what was lost.
 */
import { mac } from '../crypto/mac.ts';
import { type Ceremony, hasEnded, leftOf, look, restart } from '../policy/ceremony.ts';
import type { Policy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import {
  AUTHENTICATORS,
  type Authenticator,
  authenticator,
  type CeremonyEvent,
  type CeremonyView,
  ceremonyPurpose,
  PHASES,
} from '../protocol/ceremony.ts';
import { blob, bytes, decode, encode, list, oneOf, struct, time } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { POLICY_MAX } from '../protocol/limits.ts';
import type { Cosigner } from './cosigner.ts';
import { enqueueNotice } from './notices.ts';
import { appendReceipt, decisionTime } from './receipts.ts';
import type { Bytes, StoredRecord, WalletTx, WalletView } from './store.ts';

const DAY_MS = 86_400_000;
const NO_SPEND: Bytes = new Uint8Array(32);

export const ceremonyState = struct({
  purpose: ceremonyPurpose,
  openedBy: authenticator,
  openedAt: time,
  delay: time,
  approvals: list(authenticator, AUTHENTICATORS.length),
  contests: list(authenticator, AUTHENTICATORS.length),
  said: list(struct({ by: authenticator, at: time }), AUTHENTICATORS.length),
  phase: oneOf(...PHASES),
  waited: time,
  seen: time,
});
const contents = struct({
  state: ceremonyState,
  /** That of the wallet when this was written. */
  ledger: bytes(16),
  /** When the contact was last told. */
  noticedAt: time,
});
const stampedRecord = struct({ contents: blob(POLICY_MAX + 512), stamp: bytes(32) });

export interface StoredCeremony {
  readonly id: Bytes;
  readonly state: Ceremony;
  readonly noticedAt: number;
}

type Parts = Pick<Cosigner, 'identity' | 'clock'>;

/** Those that have not ended. */
export async function liveCeremonies(parts: Parts, view: WalletView): Promise<StoredCeremony[]> {
  return (await view.records('ceremony')).map((record) => read(parts, view, record));
}

/** Those that have. */
export async function pastCeremonies(parts: Parts, view: WalletView): Promise<StoredCeremony[]> {
  return (await view.records('pastCeremony')).map((record) => read(parts, view, record));
}

export async function storedCeremony(
  parts: Parts,
  view: WalletView,
  id: Bytes,
): Promise<StoredCeremony | null> {
  const body = (await view.record('ceremony', id)) ?? (await view.record('pastCeremony', id));
  return body === null ? null : read(parts, view, { key: id, body });
}

function read({ identity, clock }: Parts, view: WalletView, { key, body }: StoredRecord): StoredCeremony {
  const { contents: inside, stamp } = decode(stampedRecord, body);
  const own = mac(identity.stamp, 'ceremony', view.wallet.id, key, inside);
  ensure(equalVar(own, stamp), 'Internal', { detail: 'ceremony of a foreign hand' });
  const { state, ledger, noticedAt } = decode(contents, inside);
  const sure = equalVar(ledger, view.wallet.ledger);
  return { id: key, state: sure ? state : restart(state, clock.now()), noticedAt };
}

/** How it stands now. */
export function viewOf({ clock }: Pick<Cosigner, 'clock'>, { id, state }: StoredCeremony): CeremonyView {
  const now = look(state, clock.now());
  const { purpose, openedBy, openedAt, approvals, contests, phase } = now;
  const leftMs = BigInt(leftOf(now));
  return { id, purpose, openedBy, openedAt, approvals, contests, phase, leftMs, statement: null };
}

export interface Change {
  readonly before: StoredCeremony | null;
  readonly id: Bytes;
  readonly after: Ceremony;
  /** What was said, and by whom; time alone says nothing. */
  readonly said?: { readonly event: CeremonyEvent; readonly by: Authenticator };
}

/** Stores how it stands now, with a receipt for everything that happened to it, and tells the contact: of that, and once a day. */
export async function putCeremony(
  cosigner: Cosigner,
  tx: WalletTx,
  policy: Policy,
  { before, id, after, said }: Change,
): Promise<void> {
  const { identity, clock } = cosigner;
  const events: { event: CeremonyEvent; by: Authenticator | null }[] = said === undefined ? [] : [said];
  if (after.phase !== before?.state.phase && isEvent(after.phase))
    events.push({ event: after.phase, by: null });
  for (const { event, by } of events) {
    await appendReceipt(cosigner, tx, {
      spend: NO_SPEND,
      policyVersion: policy.version,
      charge: 0n,
      verdict: { kind: 'ceremony', id, event, by },
      at: await decisionTime(cosigner, tx),
    });
    await enqueueNotice(cosigner, tx, policy, id, event);
  }
  const now = clock.now();
  const since = now - (before?.noticedAt ?? now);
  const remind = events.length === 0 && !hasEnded(after) && Math.abs(since) >= DAY_MS;
  if (remind) await enqueueNotice(cosigner, tx, policy, id, 'reminder');
  const noticedAt = remind || events.length > 0 ? now : (before?.noticedAt ?? now);

  const inside = encode(contents, { state: after, ledger: tx.wallet.ledger, noticedAt });
  const stamp = mac(identity.stamp, 'ceremony', tx.wallet.id, id, inside);
  const ended = hasEnded(after);
  if (ended) await tx.deleteRecord('ceremony', id);
  await tx.putRecord(
    ended ? 'pastCeremony' : 'ceremony',
    id,
    encode(stampedRecord, { contents: inside, stamp }),
  );
}

/** Phases that are reached by no one's saying so, or are more than what was said. */
function isEvent(phase: Ceremony['phase']): phase is 'ripe' | 'done' | 'void' {
  return phase === 'ripe' || phase === 'done' || phase === 'void';
}
