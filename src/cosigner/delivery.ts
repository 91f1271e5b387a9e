/**
 * Tells contacts what there is to tell: each instance sends what is due, one claims a notice for a while before it sends it, and what
 * does not arrive is tried again for as long as it matters, whatever restarts in between.
 */
import { decode, encode, type TypeOf } from '../protocol/codec.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import { storedCeremony, viewOf } from './ceremonyRecords.ts';
import type { Cosigner } from './cosigner.ts';
import { type ContactNotice, contactCode, contactLink, noticeRecord, webhookKey } from './notices.ts';
import type { Bytes, WalletTx } from './store.ts';

const MINUTE_MS = 60_000;
/** Nobody else sends what one has claimed, unless that one has died since. */
const CLAIM_MS = 2 * MINUTE_MS;
const BACKOFF_MS = { first: MINUTE_MS, most: 60 * MINUTE_MS };
/** Tries: more than a month of them. */
const TRIES_MAX = 800;
const SENT_AT_ONCE = 8;
const READ_AT_ONCE = 1000;

/** Sends what is due. Resolves when all of it was tried. */
export async function deliverNotices(cosigner: Cosigner): Promise<void> {
  const found = await cosigner.store.recordsEverywhere('notice', READ_AT_ONCE);
  const now = cosigner.clock.now();
  const due = found.filter(({ body }) => isDue(decode(noticeRecord, body), now));
  // To one contact in the order of what happened, so that the last word comes last.
  const wallets = [...Map.groupBy(due, ({ wallet }) => String(wallet)).values()];
  const next = async (): Promise<void> => {
    for (let own = wallets.pop(); own !== undefined; own = wallets.pop()) {
      own.sort((a, b) => Buffer.compare(a.key, b.key));
      for (const { wallet, key } of own) await deliver(cosigner, wallet, key);
    }
  };
  await Promise.all(Array.from({ length: SENT_AT_ONCE }, next));
}

async function deliver(cosigner: Cosigner, wallet: Bytes, key: Bytes): Promise<void> {
  const { store, contacts, log, metrics, clock } = cosigner;
  try {
    const claimed = await store.withWallet(wallet, (tx) => claim(cosigner, tx, key));
    if (claimed === null) return;
    const { contact, notice, tries } = claimed;
    let outcome = 'sent';
    try {
      await contacts.send(contact, notice, webhookKey(cosigner, wallet, contact));
      await store.withWallet(wallet, (tx) => tx.deleteRecord('notice', key));
    } catch (e) {
      outcome = 'failed';
      // Never the error's own words, which repeat the address.
      log.warn('notice not delivered', { count: tries, code: codeOf(e) });
      const due = clock.now() + Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.min(tries - 1, 10));
      await store.withWallet(wallet, async (tx) => {
        const body = await tx.record('notice', key);
        if (body !== null)
          await tx.putRecord('notice', key, encode(noticeRecord, { ...decode(noticeRecord, body), due }));
      });
    }
    metrics.count('hoarfrost_notices_total', { outcome });
  } catch (e) {
    log.error('notice not read', { code: codeOf(e) });
  }
}

/** Takes it for this instance and says what to send, or null if somebody else has it or it matters no more. */
async function claim(cosigner: Cosigner, tx: WalletTx, key: Bytes) {
  const { clock, contacts, wallets, policies } = cosigner;
  const body = await tx.record('notice', key);
  if (body === null) return null;
  const record = decode(noticeRecord, body);
  const now = clock.now();
  if (!isDue(record, now)) return null;
  const policy = await policies.inForce(cosigner, tx, await wallets.read(cosigner, tx));
  const stored = record.event === 'frozen' ? null : await storedCeremony(cosigner, tx, record.ceremony);
  const ceremony = stored === null ? null : viewOf(cosigner, stored);
  const ended = ceremony !== null && ceremony.leftMs === 0n;
  // A reminder of what has ended would only confuse; that it ended is a notice of its own.
  const void_ = record.tries >= TRIES_MAX || (record.event === 'reminder' && ended);
  if (policy.contact === null || void_) {
    await tx.deleteRecord('notice', key);
    return null;
  }
  const { contact } = policy;
  const tries = record.tries + 1;
  await tx.putRecord('notice', key, encode(noticeRecord, { ...record, tries, due: now + CLAIM_MS }));
  const code = contactCode(cosigner, tx.wallet.id, record.ceremony, contact);
  const link = ceremony === null || ended ? null : contactLink(contacts.origin(), record.ceremony, code);
  const notice: ContactNotice = { event: record.event, wallet: tx.wallet.id, ceremony, link };
  return { contact, notice, tries };
}

/** One that is due later than any wait was set by a clock that was ahead. */
function isDue({ due }: TypeOf<typeof noticeRecord>, now: number): boolean {
  return due <= now || due > now + BACKOFF_MS.most + CLAIM_MS;
}

function codeOf(e: unknown): string {
  return isHoarfrostError(e) ? e.code : 'Internal';
}
