/**
 * What crosses the extension's ports and `storage.session`: strings, because Chromium's ports mangle bytes and drop
 * bigint. JSON in which bytes are `{"$b": base64}` and a bigint is `{"$n": decimal}`; no other key starts with `$`.
 * One value has one text: what does not encode back to the same text is refused.
 */
import { base64 } from '@scure/base';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from './errors.ts';

/** Characters. Two PSBTs in base64 and what rides beside them. */
export const PORT_TEXT_MAX = 4 << 20;
export const PORT_DEPTH_MAX = 16;
const DECIMAL = /^(?:0|-?[1-9][0-9]{0,77})$/;

/** Null, boolean, finite number, string, bigint, Uint8Array, and arrays and plain objects of them. `BadEncoding`, `TooLarge`. */
export function encodePort(value: unknown): string {
  const text = JSON.stringify(toJson(value, 0));
  ensure(text.length <= PORT_TEXT_MAX, 'TooLarge', { detail: 'port message' });
  return text;
}

/** The inverse of `encodePort`. `BadEncoding` for anything it does not write, `TooLarge` before anything is parsed. */
export function decodePort(text: string): unknown {
  ensure(typeof text === 'string', 'BadEncoding', { detail: 'port message is not a string' });
  ensure(text.length <= PORT_TEXT_MAX, 'TooLarge', { detail: 'port message' });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new HoarfrostError('BadEncoding', { detail: 'port message is not JSON' });
  }
  const value = fromJson(json, 0);
  // Catches repeated keys, spaces, odd escapes and numbers, loose base64: everything that JSON allows twice.
  ensure(encodePort(value) === text, 'BadEncoding', { detail: 'port message is not canonical' });
  return value;
}

function toJson(value: unknown, depth: number): unknown {
  ensure(depth <= PORT_DEPTH_MAX, 'BadEncoding', { detail: 'port value too deep' });
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return { $n: checkedDecimal(value.toString()) };
  if (typeof value === 'number') {
    ensure(Number.isFinite(value) && !Object.is(value, -0), 'BadEncoding', { detail: 'port number' });
    return value;
  }
  if (value instanceof Uint8Array) return { $b: base64.encode(value) };
  if (Array.isArray(value)) return Array.from(value, (item) => toJson(item, depth + 1));
  ensure(isPlainObject(value), 'BadEncoding', { detail: 'port value of no known kind' });
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [checkedKey(key), toJson(item, depth + 1)]),
  );
}

function fromJson(json: unknown, depth: number): unknown {
  ensure(depth <= PORT_DEPTH_MAX, 'BadEncoding', { detail: 'port value too deep' });
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1));
  if (json === null || typeof json !== 'object') return json;
  const entries = Object.entries(json);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === '$b') return bytesOf(only[1]);
  if (entries.length === 1 && only?.[0] === '$n') return BigInt(checkedDecimal(only[1]));
  return Object.fromEntries(entries.map(([key, item]) => [checkedKey(key), fromJson(item, depth + 1)]));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function checkedKey(key: string): string {
  ensure(!key.startsWith('$') && key !== '__proto__', 'BadEncoding', { detail: 'port key' });
  return key;
}

function checkedDecimal(text: unknown): string {
  ensure(typeof text === 'string' && DECIMAL.test(text), 'BadEncoding', { detail: 'port bigint' });
  return text;
}

function bytesOf(text: unknown): Uint8Array {
  ensure(typeof text === 'string', 'BadEncoding', { detail: 'port bytes' });
  try {
    return base64.decode(text);
  } catch {
    throw new HoarfrostError('BadEncoding', { detail: 'port bytes' });
  }
}

/** From a page to the background. `id` is a positive integer, one a request and port. */
export interface PortRequest {
  id: number;
  method: string;
  argument: unknown;
}
export interface PortError {
  code: ErrorCode;
  /** Empty if there is none. */
  detail: string;
  /** 0 if there is none. */
  retryAfterMs: number;
}
/** From the background to a page: the answer to a request, or an event that nobody asked for. */
export type PortReply =
  | { id: number; result: unknown }
  | { id: number; error: PortError }
  | { event: unknown };

/** Reads a request off the port. `BadEncoding` unless it has exactly these fields. */
export function decodePortRequest(text: string): PortRequest {
  const value = decodePort(text);
  ensure(hasExactly(value, ['id', 'method', 'argument']), 'BadEncoding', { detail: 'port request' });
  const { id, method, argument } = value;
  ensure(isRequestId(id) && typeof method === 'string', 'BadEncoding', { detail: 'port request' });
  return { id, method, argument };
}

/** Reads an answer or event off the port. `BadEncoding` unless it is exactly one of the three shapes. */
export function decodePortReply(text: string): PortReply {
  const value = decodePort(text);
  if (hasExactly(value, ['event'])) return { event: value.event };
  if (hasExactly(value, ['id', 'result']) && isRequestId(value.id)) {
    return { id: value.id, result: value.result };
  }
  ensure(hasExactly(value, ['id', 'error']) && isRequestId(value.id), 'BadEncoding', {
    detail: 'port reply',
  });
  const { id, error } = value as { id: number; error: unknown };
  ensure(hasExactly(error, ['code', 'detail', 'retryAfterMs']), 'BadEncoding', { detail: 'port error' });
  const { code, detail, retryAfterMs } = error;
  ensure(
    typeof code === 'string' && typeof detail === 'string' && typeof retryAfterMs === 'number',
    'BadEncoding',
    { detail: 'port error' },
  );
  return { id, error: { code: code as ErrorCode, detail, retryAfterMs } };
}

/** What a page may learn of a failure. Anything that is not ours is `Internal`, without its text. */
export function portErrorOf(e: unknown): PortError {
  if (!isHoarfrostError(e)) return { code: 'Internal', detail: '', retryAfterMs: 0 };
  return { code: e.code, detail: e.detail ?? '', retryAfterMs: e.retryAfterMs ?? 0 };
}

export function errorFromPort(error: PortError): HoarfrostError {
  return new HoarfrostError(error.code, {
    ...(error.detail === '' ? {} : { detail: error.detail }),
    ...(error.retryAfterMs === 0 ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

function hasExactly<K extends string>(value: unknown, keys: readonly K[]): value is Record<K, unknown> {
  return (
    isPlainObject(value) &&
    Object.keys(value).length === keys.length &&
    keys.every((key) => Object.hasOwn(value, key))
  );
}

function isRequestId(id: unknown): id is number {
  return Number.isSafeInteger(id) && (id as number) > 0;
}
