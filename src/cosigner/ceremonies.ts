/**
 * Ceremonies at the cosigner (DESIGN section 5): who may say what of which wallet, and what it comes to. The rules themselves are
 * policy/ceremony; here is that each is heard for its own wallet alone, stored, receipted and told to the others.
 */
import { ceremonyId, ensureRipe, finish, look, openCeremony, say } from '../policy/ceremony.ts';
import { compare } from '../policy/compare.ts';
import { decodePolicy, type Policy } from '../policy/document.ts';
import { policyCeremonyHash } from '../policy/versions.ts';
import type { Authenticator, CeremonyAct, CeremonyPurpose, CeremonyView } from '../protocol/ceremony.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { CEREMONIES_MAX } from '../protocol/limits.ts';
import type { AnswerOf } from '../protocol/messages.ts';
import {
  liveCeremonies,
  pastCeremonies,
  putCeremony,
  type StoredCeremony,
  storedCeremony,
  viewOf,
} from './ceremonyRecords.ts';
import type { Cosigner } from './cosigner.ts';
import { webhookKey } from './notices.ts';
import type { Bytes, WalletTx, WalletView } from './store.ts';
import type { Wallet } from './wallet.ts';

const DAY_MS = 86_400_000;
/** Of one authenticator: under way at a time, and begun within a day. */
const LIVE_MAX = 3;
const OPENED_MAX = 6;
/** Looked at by one instance in one go. */
const LOOKED_AT = 10_000;

/** A wallet in one transaction, with whatever time has made of its policy. */
export interface Inside {
  readonly tx: WalletTx;
  readonly wallet: Wallet;
  readonly policy: Policy;
}

export async function inside(cosigner: Cosigner, tx: WalletTx): Promise<Inside> {
  const wallet = await cosigner.wallets.read(cosigner, tx);
  return { tx, wallet, policy: await cosigner.policies.inForce(cosigner, tx, wallet) };
}

type Open = Extract<CeremonyAct, { kind: 'open' }>;
type Say = Pick<Extract<CeremonyAct, { kind: 'say' }>, 'ceremony' | 'says' | 'at'>;

/**
 * Begins the ceremony of these bytes; the same bytes again are answered with how it stands. `Unauthorised` for who may not begin it,
 * `RateLimited`, `WrongVersion` or `BadEncoding` for a policy that is not the next one or allows nothing more.
 */
export async function beginCeremony(
  cosigner: Cosigner,
  { tx, wallet, policy }: Inside,
  by: Authenticator,
  { body, act }: { body: Bytes; act: Open },
): Promise<CeremonyView> {
  ensure(act.network === cosigner.network, 'WrongNetwork');
  const id = ceremonyId(body);
  const known = await storedCeremony(cosigner, tx, id);
  if (known !== null) return viewOf(cosigner, known);
  const now = cosigner.clock.now();
  await limitOpenings(cosigner, tx, by, now);
  ensureSensible(cosigner, policy, wallet, act.purpose);
  const state = openCeremony(act.purpose, by, policy.delay, now);
  await putCeremony(cosigner, tx, policy, { before: null, id, after: state, said: { event: 'opened', by } });
  cosigner.log.info('ceremony opened');
  return viewOf(cosigner, { id, state, noticedAt: now });
}

/** `SessionUnknown` for one that is not this wallet's; what `say` throws. */
export async function sayOf(
  cosigner: Cosigner,
  { tx, policy }: Inside,
  by: Authenticator,
  { ceremony, says, at }: Say,
): Promise<CeremonyView> {
  const before = await ownCeremony(cosigner, tx, ceremony);
  const after = say(before.state, { by, says, at }, cosigner.clock.now());
  const heard = after[says === 'approve' ? 'approvals' : 'contests'].length;
  const said = before.state[says === 'approve' ? 'approvals' : 'contests'].length;
  const event = says === 'approve' ? 'approved' : 'contested';
  const change = { before, id: ceremony, after, ...(heard === said ? {} : { said: { event, by } as const }) };
  await putCeremony(cosigner, tx, policy, change);
  return viewOf(cosigner, { ...before, state: after });
}

/**
 * What has been allowed: `CeremonyWaits`, `CeremonyEnded`, or `SessionUnknown` if it is not this wallet's, of another kind, or not
 * the asker's to carry out, who then hears no more of it.
 */
export async function ripeCeremony<K extends CeremonyPurpose['kind']>(
  cosigner: Cosigner,
  view: WalletView,
  id: Bytes,
  kind: K,
  isAskers: (purpose: Extract<CeremonyPurpose, { kind: K }>) => boolean = () => true,
): Promise<Extract<CeremonyPurpose, { kind: K }>> {
  const { state } = await ownCeremony(cosigner, view, id);
  const purpose = state.purpose as Extract<CeremonyPurpose, { kind: K }>;
  ensure(purpose.kind === kind && isAskers(purpose), 'SessionUnknown');
  ensureRipe(look(state, cosigner.clock.now()));
  return purpose;
}

/** In the transaction that does what it allowed: it cannot be done twice. Throws as `ripeCeremony`. */
export async function finishCeremony(cosigner: Cosigner, tx: WalletTx, id: Bytes): Promise<void> {
  const before = await ownCeremony(cosigner, tx, id);
  const after = finish(before.state, cosigner.clock.now());
  const { policy } = await inside(cosigner, tx);
  await putCeremony(cosigner, tx, policy, { before, id, after });
}

/** Whether the device's signing is stopped by a contest that nobody has settled. */
export async function isContested(cosigner: Cosigner, view: WalletView): Promise<boolean> {
  const now = cosigner.clock.now();
  return (await liveCeremonies(cosigner, view)).some(({ state }) => look(state, now).phase === 'contested');
}

/** Whether another device may take this one's place now. */
export async function isBeingReplaced(cosigner: Cosigner, view: WalletView): Promise<boolean> {
  const now = cosigner.clock.now();
  return (await liveCeremonies(cosigner, view)).some(
    ({ state }) => state.purpose.kind === 'replaceDevice' && look(state, now).phase === 'ripe',
  );
}

/** The wallet that a ceremony is about, for who knows its id: as unguessable as its random bytes. `SessionUnknown`. */
export async function walletOfCeremony({ store }: Cosigner, id: Bytes): Promise<Bytes> {
  const [live] = await store.walletsOfRecord('ceremony', id);
  const wallet = live ?? (await store.walletsOfRecord('pastCeremony', id))[0];
  ensure(wallet !== undefined, 'SessionUnknown');
  return wallet;
}

/** How one stands, for a device without a wallet, which hears the same of one that is another's as of none. */
export async function ceremonyStatus(cosigner: Cosigner, id: Bytes): Promise<AnswerOf<'ceremony'>> {
  const wallet = await walletOfCeremony(cosigner, id);
  const stored = await cosigner.store.viewWallet(wallet, (view) => ownCeremony(cosigner, view, id));
  return { kind: 'ceremony', ceremony: viewOf(cosigner, stored) };
}

/** All under way and the latest that have ended, newest first; a ripe one about the policy with the cosigner's statement. */
export async function ceremoniesOf(cosigner: Cosigner, id: Bytes): Promise<AnswerOf<'ceremonies'>> {
  const { store, wallets, policies } = cosigner;
  const { live, past, policy } = await store.viewWallet(id, async (view) => ({
    live: await liveCeremonies(cosigner, view),
    past: await pastCeremonies(cosigner, view),
    policy: await policies.inForce(cosigner, view, await wallets.read(cosigner, view)),
  }));
  const newest = (all: StoredCeremony[]) => all.sort((a, b) => b.state.openedAt - a.state.openedAt);
  const ceremonies = [...newest(live), ...newest(past)]
    .slice(0, CEREMONIES_MAX)
    .map((each) => ({ ...viewOf(cosigner, each), statement: statementOf(cosigner, id, policy, each) }));
  const hook = policy.contact?.startsWith('https:') ? webhookKey(cosigner, id, policy.contact) : null;
  return { kind: 'ceremonies', ceremonies, webhookKey: hook };
}

/** What time has made of everything under way. Each instance does it, more often than a step of time counts. */
export async function lookAtAll(cosigner: Cosigner): Promise<void> {
  const { store, clock, log, announcements } = cosigner;
  const found = await store.recordsEverywhere('ceremony', LOOKED_AT);
  const byWallet = Map.groupBy(found, ({ wallet }) => String(wallet));
  for (const [{ wallet }] of byWallet.values() as Iterable<[(typeof found)[number]]>) {
    try {
      const changed = await store.withWallet(wallet, async (tx) => {
        const { policy } = await inside(cosigner, tx);
        let phases = 0;
        for (const before of await liveCeremonies(cosigner, tx)) {
          const after = look(before.state, clock.now());
          if (after.phase !== before.state.phase) phases++;
          await putCeremony(cosigner, tx, policy, { before, id: before.id, after });
        }
        return phases > 0;
      });
      if (changed) announcements.tell(wallet);
    } catch (e) {
      // One wallet that cannot be read stops nobody else's time.
      const code = e instanceof HoarfrostError ? e.code : 'Internal';
      log.error('ceremonies not looked at', { code });
    }
  }
}

async function ownCeremony(cosigner: Cosigner, view: WalletView, id: Bytes): Promise<StoredCeremony> {
  const stored = await storedCeremony(cosigner, view, id);
  ensure(stored !== null, 'SessionUnknown');
  return stored;
}

/** The cosigner's word to itself, in every later evaluation, that this policy was allowed. */
function statementOf(
  { signer, identity, clock, random }: Cosigner,
  wallet: Bytes,
  policy: Policy,
  { id, state }: StoredCeremony,
): Bytes | null {
  const { purpose, phase } = look(state, clock.now());
  if (purpose.kind !== 'loosenPolicy' || phase !== 'ripe') return null;
  const next = decodePolicy(purpose.document);
  if (next.version !== policy.version + 1) return null;
  const hash = policyCeremonyHash(wallet, policy, next, id);
  return Uint8Array.from(signer.schnorrSign(identity.host, hash, random(32)));
}

async function limitOpenings(
  cosigner: Cosigner,
  view: WalletView,
  by: Authenticator,
  now: number,
): Promise<void> {
  const own = ({ state }: StoredCeremony) => state.openedBy === by;
  const live = (await liveCeremonies(cosigner, view)).filter(own);
  const lately = [...live, ...(await pastCeremonies(cosigner, view)).filter(own)].filter(
    ({ state }) => Math.abs(now - state.openedAt) < DAY_MS,
  );
  ensure(live.length < LIVE_MAX && lately.length < OPENED_MAX, 'RateLimited', {
    detail: 'ceremonies',
    retryAfterMs: DAY_MS / 4,
  });
}

/** What could never be carried out is not begun. */
function ensureSensible(
  { contacts }: Cosigner,
  policy: Policy,
  { epoch }: Wallet,
  purpose: CeremonyPurpose,
): void {
  if (purpose.kind === 'loosenPolicy') {
    const next = decodePolicy(purpose.document);
    ensure(next.version === policy.version + 1, 'WrongVersion', { detail: 'policy' });
    ensure(compare(policy, next) !== 'tighter', 'BadEncoding', { detail: 'policy allows no more' });
    ensure(contacts.serves(next.contact), 'ContactUnavailable');
    return;
  }
  const known = epoch.hostKeys.some((key) => String(key) === String(purpose.hostKey));
  ensure(!known, 'BadIdentifier', { detail: 'host key not new' });
}
