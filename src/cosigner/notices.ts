/**
 * What the contact must be told: stored with what it tells of, in one transaction, until `delivery.ts` has told it. And what the contact
 * and its webhook know this cosigner, and each ceremony, by.
 */
import { mac } from '../crypto/mac.ts';
import type { Policy } from '../policy/document.ts';
import { concat } from '../protocol/bytes.ts';
import { CEREMONY_EVENTS, type CeremonyView } from '../protocol/ceremony.ts';
import { bytes, encode, oneOf, struct, time, u32 } from '../protocol/codec.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes, WalletTx } from './store.ts';

const NO_CEREMONY: Bytes = new Uint8Array(32);

const NOTICE_EVENTS = [...CEREMONY_EVENTS, 'reminder', 'frozen'] as const;
export type NoticeEvent = (typeof NOTICE_EVENTS)[number];

export const noticeRecord = struct({
  /** Zeros where it is about none. */
  ceremony: bytes(32),
  event: oneOf(...NOTICE_EVENTS),
  tries: u32,
  due: time,
});

/** What is said to a contact, in whatever words its channel has. */
export interface ContactNotice {
  readonly event: NoticeEvent;
  /** The wallet's id, whose beginning names it to the contact. */
  readonly wallet: Bytes;
  readonly ceremony: CeremonyView | null;
  /** Where it can agree or contest, while that makes a difference. */
  readonly link: string | null;
}

/** The ways to reach a contact that this cosigner was given. */
export interface Contacts {
  /** Whether there is one to this contact, which may be none. */
  serves(contact: string | null): boolean;
  /** Rejects unless the other end has taken it. `key` is what a webhook knows this cosigner by. */
  send(contact: string, notice: ContactNotice, key: Bytes): Promise<void>;
  /** Where devices and contacts reach the listener: `https://HOST:PORT`. */
  origin(): string;
}

export async function enqueueNotice(
  { clock, random }: Pick<Cosigner, 'clock' | 'random'>,
  tx: WalletTx,
  policy: Policy,
  ceremony: Bytes | null,
  event: NoticeEvent,
): Promise<void> {
  if (policy.contact === null) return;
  const due = clock.now();
  // In byte order as in time, and of one moment in the order in which they came.
  const sequence = (await tx.records('notice')).length;
  const key = concat(encode(struct({ due: time, sequence: u32 }), { due, sequence }), random(4));
  await tx.putRecord(
    'notice',
    key,
    encode(noticeRecord, { ceremony: ceremony ?? NO_CEREMONY, event, tries: 0, due }),
  );
}

/**
 * What the contact proves itself with: of one ceremony and one contact, stored nowhere, and known to nobody who has not the mail or
 * this cosigner's own key.
 */
export function contactCode(
  { identity }: Pick<Cosigner, 'identity'>,
  wallet: Bytes,
  ceremony: Bytes,
  contact: string,
): Bytes {
  return mac(identity.stamp, 'contact-code', wallet, ceremony, new TextEncoder().encode(contact));
}

/** What a webhook knows this cosigner by, shown to the wallet's own device: HMAC-SHA256 of each body is under it. */
export function webhookKey({ identity }: Pick<Cosigner, 'identity'>, wallet: Bytes, contact: string): Bytes {
  return mac(identity.stamp, 'webhook-key', wallet, new TextEncoder().encode(contact));
}

export const CONTACT_PATH = '/contact/';

export function contactLink(origin: string, ceremony: Bytes, code: Bytes): string {
  const text = (part: Bytes) => Buffer.from(part).toString('base64url');
  return `${origin}${CONTACT_PATH}${text(ceremony)}/${text(code)}`;
}
