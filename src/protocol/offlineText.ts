/**
 * How an offline message travels: as text that a QR code carries in its dense mode (digits, capitals and `$%*+-./:`), that a
 * file holds and that a person can paste. A message too large for one code is cut into parts, shown in turn for as long as
 * the reader looks; a file or a paste is the same text in one part. A hash over the whole keeps parts of two messages apart.
 *
 *   HOARFROST:<part>/<parts>/<hash>/<base32>
 */
import { base32nopad } from '@scure/base';
import { concat } from './bytes.ts';
import { decode, encode } from './codec.ts';
import { ensure, HoarfrostError } from './errors.ts';
import { OFFLINE_MAX } from './limits.ts';
import { type OfflineMessage, offlineMessage } from './offline.ts';
import { sha256 } from './sha256.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const PREFIX = 'HOARFROST:';
/** Bytes of a message in one QR code: version 15 at the lowest correction, which a laptop's camera reads off a screen. */
const QR_PART = 440;
/** Codes beyond this would be watched for minutes: such a message goes by file. */
const QR_PARTS_MAX = 200;
const PARTS_MAX = Math.ceil(OFFLINE_MAX / QR_PART);
const HASH = 10;
const PART = /^HOARFROST:([1-9][0-9]{0,4})\/([1-9][0-9]{0,4})\/([A-Z2-7]{16})\/([A-Z2-7]+)$/;

/** The message as one text, for a file or a paste. `TooLarge`. */
export function offlineText(message: OfflineMessage): string {
  const whole = sized(message);
  return part(whole, 1, 1, whole);
}

/** The message as texts of QR codes, to be shown in turn; none if it takes too many. */
export function offlineCodes(message: OfflineMessage): string[] {
  const whole = sized(message);
  const count = Math.ceil(whole.length / QR_PART);
  if (count > QR_PARTS_MAX) return [];
  return Array.from({ length: count }, (_, i) =>
    part(whole, i + 1, count, whole.subarray(i * QR_PART, (i + 1) * QR_PART)),
  );
}

function sized(message: OfflineMessage): Bytes {
  const whole = encode(offlineMessage, message);
  ensure(whole.length <= OFFLINE_MAX, 'TooLarge', { detail: 'offline message' });
  return whole;
}

function part(whole: Bytes, number: number, count: number, bytes: Uint8Array): string {
  return `${PREFIX}${number}/${count}/${hashOf(whole)}/${base32nopad.encode(bytes)}`;
}

function hashOf(whole: Uint8Array): string {
  return base32nopad.encode(sha256(whole).subarray(0, HASH));
}

/** What has been read so far. */
export interface OfflineProgress {
  readonly have: number;
  readonly parts: number;
  /** With the last part that was missing. */
  readonly message: OfflineMessage | null;
}

/** Joins the parts of one message, in any order; the first part of another message begins that one. */
export class OfflineReader {
  #hash = '';
  #parts: (Bytes | null)[] = [];

  /**
   * One part or several, with whatever white space on the way. Throws `BadEncoding` for text that is none, or a whole that is
   * not what its hash says; `TooLarge` before anything is decoded; `UnknownMessage`.
   */
  push(text: string): OfflineProgress {
    ensure(text.length <= 2 * OFFLINE_MAX, 'TooLarge', { detail: 'offline message' });
    const texts = text
      .replace(/\s/g, '')
      .toUpperCase()
      .split(/(?=HOARFROST:)/);
    let progress: OfflineProgress = { have: 0, parts: 0, message: null };
    for (const one of texts) progress = this.#push(one);
    return progress;
  }

  #push(text: string): OfflineProgress {
    const match = PART.exec(text);
    ensure(match !== null, 'BadEncoding', { detail: 'not an offline message' });
    const [number, count, hash, data] = [Number(match[1]), Number(match[2]), match[3]!, match[4]!];
    ensure(number <= count, 'BadEncoding', { detail: 'part' });
    ensure(count <= PARTS_MAX && (count === 1 || data.length <= 2 * QR_PART), 'TooLarge', { detail: 'part' });
    if (hash !== this.#hash || count !== this.#parts.length) {
      this.#hash = hash;
      this.#parts = new Array(count).fill(null);
    }
    this.#parts[number - 1] = bytesOf(data);
    const read = this.#parts.filter((each) => each !== null);
    if (read.length < count) return { have: read.length, parts: count, message: null };
    const whole = concat(...read);
    this.#hash = '';
    this.#parts = [];
    ensure(whole.length <= OFFLINE_MAX, 'TooLarge', { detail: 'offline message' });
    ensure(hashOf(whole) === hash, 'BadEncoding', { detail: 'offline hash' });
    return { have: count, parts: count, message: decode(offlineMessage, whole) };
  }
}

/** The message that a text is in one part. Throws as `OfflineReader.push`. */
export function readOffline(text: string): OfflineMessage {
  const { message } = new OfflineReader().push(text);
  ensure(message !== null, 'BadEncoding', { detail: 'parts missing' });
  return message;
}

function bytesOf(data: string): Bytes {
  try {
    return Uint8Array.from(base32nopad.decode(data));
  } catch (cause) {
    throw new HoarfrostError('BadEncoding', { detail: 'base32', cause });
  }
}
