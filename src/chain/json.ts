/** Reads a server's JSON field by field: what is missing, of another type or out of bounds is `ChainUnavailable`. */
import { hex } from '@scure/base';
import { MAX_MONEY } from '../bitcoin/transaction.ts';
import { HoarfrostError } from '../protocol/errors.ts';

export function refuse(what: string): never {
  throw new HoarfrostError('ChainUnavailable', { detail: `bad answer: ${what}` });
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('JSON');
  }
}

export type JsonObject = Record<string, unknown>;

export function object(value: unknown, what = 'object'): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(what);
  return value as JsonObject;
}

export function array(value: unknown, max: number, what = 'array'): unknown[] {
  if (!Array.isArray(value) || value.length > max) refuse(what);
  return value;
}

export function integer(value: unknown, max: number, what = 'integer'): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) refuse(what);
  return value;
}

export const HEIGHT_MAX = 100_000_000;
export const height = (value: unknown): number => integer(value, HEIGHT_MAX, 'height');

export function number(value: unknown, what = 'number'): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) refuse(what);
  return value;
}

export function sats(value: unknown): bigint {
  return BigInt(integer(value, Number(MAX_MONEY), 'value'));
}

/** BTC as JSON's floating point has them: exact to the sat below 2^53 sats. */
export function btc(value: unknown): bigint {
  return sats(Math.round(number(value, 'value') * 1e8));
}

export function bool(value: unknown, what = 'boolean'): boolean {
  if (typeof value !== 'boolean') refuse(what);
  return value;
}

export function string(value: unknown, max: number, what = 'text'): string {
  if (typeof value !== 'string' || value.length > max) refuse(what);
  return value;
}

/** Lower-case hex of at most `max` bytes. */
export function hexBytes(value: unknown, max: number, what = 'hex'): Uint8Array<ArrayBuffer> {
  const digits = string(value, 2 * max, what);
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) refuse(what);
  return Uint8Array.from(hex.decode(digits));
}

/** A txid or block hash in display hex. */
export function hash(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) refuse('hash');
  return value;
}
