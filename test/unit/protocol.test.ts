import { describe, expect, test } from 'vitest';
import {
  blob,
  bytes,
  decode,
  encode,
  list,
  oneOf,
  option,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
  union,
} from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { Joiner, splitMessage } from '../../src/protocol/frames.ts';
import { MESSAGE_MAX } from '../../src/protocol/limits.ts';
import { answer, envelope, errorAnswer, errorOf, request } from '../../src/protocol/messages.ts';

const code = (c: string) => expect.objectContaining({ code: c });
const sample = struct({
  a: u8,
  b: u16,
  c: u32,
  d: u64,
  e: bytes(2),
  f: blob(4),
  g: text(8),
  h: option(u8),
  i: list(u8, 3),
  j: oneOf('x', 'y'),
});
const value = {
  a: 1,
  b: 2,
  c: 0xffff_ffff,
  d: (1n << 64n) - 1n,
  e: Uint8Array.of(1, 2),
  f: Uint8Array.of(9),
  g: 'né',
  h: null,
  i: [7, 8],
  j: 'y' as const,
};

describe('canonical encoding', () => {
  test('round trip, and every truncation and extension is BadEncoding', () => {
    const encoded = encode(sample, value);
    expect(decode(sample, encoded)).toEqual(value);
    for (let n = 0; n < encoded.length; n++)
      expect(() => decode(sample, encoded.subarray(0, n))).toThrow(code('BadEncoding'));
    expect(() => decode(sample, Uint8Array.of(...encoded, 0))).toThrow(code('BadEncoding'));
  });

  test('one value, one encoding: other booleans, names and text are refused', () => {
    expect(() => decode(option(u8), Uint8Array.of(2, 1))).toThrow(code('BadEncoding'));
    expect(() => decode(oneOf('x'), Uint8Array.of(1))).toThrow(code('BadEncoding'));
    expect(() => decode(text(8), Uint8Array.of(0, 0, 0, 2, 0xc0, 0x80))).toThrow(code('BadEncoding'));
    expect(() => decode(text(8), Uint8Array.of(0, 0, 0, 1, 0xff))).toThrow(code('BadEncoding'));
  });

  test('audit-18: a length over its bound is TooLarge before anything is copied', () => {
    expect(() => decode(blob(4), Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toThrow(code('TooLarge'));
    expect(() => decode(list(u8, 3), Uint8Array.of(0xff, 0xff))).toThrow(code('TooLarge'));
    expect(() => encode(blob(1), new Uint8Array(2))).toThrow(code('TooLarge'));
  });

  test('numbers outside their width are refused on the way out', () => {
    for (const v of [-1, 256, 1.5, Number.NaN]) expect(() => encode(u8, v)).toThrow(code('BadEncoding'));
    for (const v of [-1n, 1n << 64n]) expect(() => encode(u64, v)).toThrow(code('BadEncoding'));
  });

  test('an unknown tag is UnknownMessage', () => {
    expect(() => decode(union({ only: struct({}) }), Uint8Array.of(1))).toThrow(code('UnknownMessage'));
    expect(() => decode(request, Uint8Array.of(200))).toThrow(code('UnknownMessage'));
    expect(() => decode(answer, Uint8Array.of(200))).toThrow(code('UnknownMessage'));
  });
});

describe('parts of a message', () => {
  test.each([1, 65_500, 65_501, 200_000, MESSAGE_MAX])('%i bytes go through', (length) => {
    const message = new Uint8Array(length).map((_, i) => i);
    const joiner = new Joiner();
    const parts = splitMessage(7, message);
    const joined = parts.map((p) => joiner.push(p));
    expect(joined.slice(0, -1).every((x) => x === null)).toBe(true);
    expect(joined.at(-1)).toEqual({ number: 7, message });
  });

  test('audit-18: the whole size is checked with the first part', () => {
    expect(() => splitMessage(1, new Uint8Array(MESSAGE_MAX + 1))).toThrow(code('TooLarge'));
    const first = encode(envelope, { number: 1, part: 0, total: 5000, chunk: new Uint8Array(5000) });
    expect(() => new Joiner(4096).push(first)).toThrow(code('TooLarge'));
  });

  test('a part out of order, of another message, of another length or total is refused', () => {
    const parts = splitMessage(1, new Uint8Array(150_000));
    const part = (over: object) => {
      const p = decode(envelope, parts[1]!);
      return encode(envelope, { ...p, ...over });
    };
    const following = (bad: Uint8Array<ArrayBuffer>) => () => {
      const joiner = new Joiner();
      joiner.push(parts[0]!);
      joiner.push(bad);
    };
    expect(() => new Joiner().push(parts[1]!)).toThrow(code('OutOfSequence'));
    expect(following(parts[2]!)).toThrow(code('OutOfSequence'));
    expect(following(parts[0]!)).toThrow(code('OutOfSequence'));
    expect(following(part({ number: 2 }))).toThrow(code('OutOfSequence'));
    expect(following(part({ total: 150_001 }))).toThrow(code('OutOfSequence'));
    expect(following(part({ chunk: new Uint8Array(10) }))).toThrow(code('BadEncoding'));
    expect(() =>
      new Joiner().push(encode(envelope, { number: 1, part: 0, total: 0, chunk: new Uint8Array(0) })),
    ).toThrow(code('TooLarge'));
  });
});

test.each(['ü', '雪', '❄️', '🏔', 'a🏔', 'ab雪'])(
  'an error with a long detail of %s keeps its own code',
  (unit) => {
    const detail = unit.repeat(300);
    const error = new HoarfrostError('RateLimited', { culprit: 2, detail, retryAfterMs: 5 });
    const read = errorOf(decode(answer, encode(answer, errorAnswer(error))) as never);
    expect(read).toMatchObject({ code: 'RateLimited', culprit: 2, retryAfterMs: 5 });
    expect(detail.startsWith(read.detail!)).toBe(true);
    expect(new TextEncoder().encode(read.detail!).length).toBeGreaterThan(240);
  },
);
