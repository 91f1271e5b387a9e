/** The ways to a contact that the operator has set up. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { ContactNotice, Contacts } from '../notices.ts';
import { type SmtpSetting, sendEmail } from './email.ts';
import { noticeText } from './text.ts';
import { mayReach, postWebhook, type WebhookSetting } from './webhook.ts';

export interface ContactSetting {
  readonly smtp: SmtpSetting | null;
  readonly webhooks: WebhookSetting | null;
}

/** `origin`: where the listener is reached, `https://HOST:PORT`, once it listens. */
export function openContacts({ smtp, webhooks }: ContactSetting, origin: () => string): Contacts {
  return {
    origin,
    serves(contact) {
      if (contact === null) return true;
      if (contact.startsWith('mailto:')) return smtp !== null;
      return webhooks !== null && mayReach(webhooks, contact);
    },
    async send(contact, notice, key) {
      if (contact.startsWith('mailto:') && smtp !== null)
        return sendEmail(smtp, contact.slice('mailto:'.length), noticeText(notice));
      if (contact.startsWith('https:') && webhooks !== null && mayReach(webhooks, contact))
        return postWebhook(webhooks, contact, webhookBody(notice), key);
      throw new HoarfrostError('ContactUnavailable');
    },
  };
}

/** Fields of the JSON, for programs; `text` is what a mail would say. */
function webhookBody(notice: ContactNotice): object {
  const { event, wallet, ceremony, link } = notice;
  return {
    event,
    wallet: bytesToHex(wallet),
    ...(ceremony === null
      ? {}
      : {
          ceremony: bytesToHex(ceremony.id),
          purpose: ceremony.purpose.kind,
          openedBy: ceremony.openedBy,
          phase: ceremony.phase,
          leftMs: Number(ceremony.leftMs),
        }),
    ...(link === null ? {} : { link }),
    text: noticeText(notice).text,
  };
}
