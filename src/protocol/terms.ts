/**
 * What the owner lays down while the key is born: the first policy follows from it, so device and recovery can each hold the other to
 * what was chosen in front of it.
 */
import { option, struct, type TypeOf, text, time, u64 } from './codec.ts';

const DAY_MS = 86_400_000;
/** Milliseconds that one of the three alone waits: at least, unless said otherwise, at most. */
export const DELAY_MS = { least: DAY_MS, usual: 7 * DAY_MS, most: 30 * DAY_MS } as const;
export const CONTACT_MAX = 512;

export const keygenTerms = struct({
  /** Sats in 24 hours. */
  dailyLimit: u64,
  /** Milliseconds that one of the three alone waits (DESIGN section 5). */
  delay: time,
  /** As `readContact` gives it. */
  contact: option(text(CONTACT_MAX)),
});
export type KeygenTerms = TypeOf<typeof keygenTerms>;

/** RFC 5321's dot-string, and a domain name: what every server passes on unchanged and no header can be broken with. */
const EMAIL =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const EMAIL_MAX = 254;

/** An e-mail address or an https address as typed, as `mailto:…` or `https://…` in its one form, or null if it is neither. */
export function readContact(typed: string): string | null {
  const said = typed.trim().replace(/^mailto:/i, '');
  if (!/^https:/i.test(said)) {
    if (said.length > EMAIL_MAX || !EMAIL.test(said)) return null;
    const at = said.indexOf('@');
    return `mailto:${said.slice(0, at)}${said.slice(at).toLowerCase()}`;
  }
  if (!URL.canParse(said)) return null;
  const url = new URL(said);
  const plain = url.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '';
  return plain && /^[\x21-\x7e]*$/.test(url.href) && url.href.length <= CONTACT_MAX ? url.href : null;
}
