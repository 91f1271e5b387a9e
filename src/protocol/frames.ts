/**
 * Messages over a Noise transport: cut into parts that fit one Noise message, joined again with the whole size known,
 * and bounded, before anything is kept.
 */
import { decode, encode } from './codec.ts';
import { ensure } from './errors.ts';
import { MESSAGE_MAX } from './limits.ts';
import { envelope } from './messages.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** WebSocket subprotocol, path, and the Noise prologue that binds both ends to them. */
export const SUBPROTOCOL = 'hoarfrost.1';
export const CHANNEL_PATH = '/v1';
export const PROLOGUE: Bytes = new TextEncoder().encode('hoarfrost.1');

/** WebSocket close codes of this protocol. */
export const CLOSE = {
  draining: 1001,
  /** The handshake was not made for this cosigner's key. */
  handshake: 4001,
  protocol: 4002,
  deadline: 4003,
  tooLarge: 4004,
  rateLimited: 4008,
} as const;

const CHUNK = 65_500;

export function splitMessage(number: number, message: Bytes): Bytes[] {
  ensure(message.length > 0 && message.length <= MESSAGE_MAX, 'TooLarge');
  const parts: Bytes[] = [];
  for (let at = 0; at < message.length; at += CHUNK) {
    const chunk = message.slice(at, at + CHUNK);
    parts.push(encode(envelope, { number, part: parts.length, total: message.length, chunk }));
  }
  return parts;
}

/** Joins the parts of one message at a time: parts of two messages are never mixed on the wire. */
export class Joiner {
  #open: { number: number; parts: number; at: number; bytes: Bytes } | undefined;
  readonly #max: number;

  /** `max`: bytes of a whole message; smaller for peers not yet trusted with more. */
  constructor(max = MESSAGE_MAX) {
    this.#max = max;
  }

  /** Returns the whole message with its last part, else null. Throws `TooLarge` or `OutOfSequence`. */
  push(plaintext: Bytes): { number: number; message: Bytes } | null {
    const { number, part, total, chunk } = decode(envelope, plaintext);
    ensure(total > 0 && total <= this.#max, 'TooLarge');
    if (part === 0) {
      ensure(this.#open === undefined, 'OutOfSequence');
      this.#open = { number, parts: 0, at: 0, bytes: new Uint8Array(total) };
    }
    const open = this.#open;
    ensure(
      open !== undefined && open.number === number && open.parts === part && open.bytes.length === total,
      'OutOfSequence',
    );
    const expected = Math.min(CHUNK, total - open.at);
    ensure(chunk.length === expected, 'BadEncoding', { detail: 'part length' });
    open.bytes.set(chunk, open.at);
    open.at += chunk.length;
    open.parts++;
    if (open.at < total) return null;
    this.#open = undefined;
    return { number, message: open.bytes };
  }
}
