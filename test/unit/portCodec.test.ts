import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import {
  decodePort,
  decodePortReply,
  decodePortRequest,
  encodePort,
  errorFromPort,
  PORT_DEPTH_MAX,
  PORT_TEXT_MAX,
  portErrorOf,
} from '../../src/protocol/portCodec.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (e) {
    if (e instanceof HoarfrostError) return e.code;
    throw e;
  }
  return 'none';
}

const key = fc.string().filter((k) => !k.startsWith('$') && k !== '__proto__');
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
    fc.string({ unit: 'binary' }),
    fc.bigInt({ min: -(2n ** 255n), max: 2n ** 255n }),
    fc.uint8Array({ maxLength: 64 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

describe('port codec', () => {
  it('gives back what went in, bytes and bigint included', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(decodePort(encodePort(v))).toEqual(v);
      }),
      { numRuns: 300 },
    );
  });

  it('writes bytes as base64 and bigint as decimal', () => {
    expect(encodePort({ a: Uint8Array.of(0, 255), n: -21_000_000n })).toBe(
      '{"a":{"$b":"AP8="},"n":{"$n":"-21000000"}}',
    );
  });

  it.each([
    ['no JSON', '{'],
    ['a space', '{ "a":1}'],
    ['a repeated key', '{"a":1,"a":2}'],
    ['an odd escape', '"\\u0041"'],
    ['an odd number', '1e2'],
    ['minus zero', '-0'],
    ['an unknown mark', '{"$x":1}'],
    ['a mark among other keys', '{"$b":"AA==","a":1}'],
    ['a prototype', '{"__proto__":{"admin":true}}'],
    ['bytes that are a number', '{"$b":1}'],
    ['base64 without padding', '{"$b":"AA"}'],
    ['base64 with loose bits', '{"$b":"AB=="}'],
    ['base64 of the other alphabet', '{"$b":"_w=="}'],
    ['a bigint in hex', '{"$n":"0x10"}'],
    ['a bigint with a leading zero', '{"$n":"01"}'],
    ['an empty bigint', '{"$n":""}'],
    ['minus nothing', '{"$n":"-0"}'],
    ['a bigint without end', `{"$n":"${'9'.repeat(79)}"}`],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => decodePort(text))).toBe('BadEncoding');
  });

  it.each([
    ['undefined', undefined],
    ['undefined in a field', { a: undefined }],
    ['a function', () => 1],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a map', new Map()],
    ['a date', new Date(0)],
    ['a class', new HoarfrostError('Internal')],
    ['a key with a mark', { $b: 'AA==' }],
    ['a hole', new Array(1)],
  ])('does not write %s', (_, v) => {
    expect(codeOf(() => encodePort(v))).toBe('BadEncoding');
  });

  it('bounds depth in both directions', () => {
    let deep: unknown = null;
    for (let i = 0; i < PORT_DEPTH_MAX; i++) deep = [deep];
    expect(decodePort(encodePort(deep))).toEqual(deep);
    expect(codeOf(() => encodePort([deep]))).toBe('BadEncoding');
    expect(codeOf(() => decodePort(`[${encodePort(deep)}]`))).toBe('BadEncoding');
  });

  it('bounds size before it parses', () => {
    expect(codeOf(() => decodePort(' '.repeat(PORT_TEXT_MAX + 1)))).toBe('TooLarge');
    expect(codeOf(() => encodePort('x'.repeat(PORT_TEXT_MAX)))).toBe('TooLarge');
  });
});

describe('port messages', () => {
  it('reads a request with exactly its fields', () => {
    expect(decodePortRequest(encodePort({ id: 1, method: 'state', argument: null }))).toEqual({
      id: 1,
      method: 'state',
      argument: null,
    });
    for (const wrong of [
      { id: 0, method: 'state', argument: null },
      { id: 1.5, method: 'state', argument: null },
      { id: 1, method: 2, argument: null },
      { id: 1, method: 'state' },
      { id: 1, method: 'state', argument: null, more: 1 },
      [1, 'state', null],
      null,
    ]) {
      expect(codeOf(() => decodePortRequest(encodePort(wrong)))).toBe('BadEncoding');
    }
  });

  it('reads the three replies and no other', () => {
    const error = { code: 'Locked', detail: '', retryAfterMs: 0 };
    for (const right of [{ id: 1, result: null }, { id: 2, error }, { event: { kind: 'state' } }]) {
      expect(decodePortReply(encodePort(right))).toEqual(right);
    }
    for (const wrong of [
      { id: 1 },
      { id: 1, result: 1, error },
      { id: 1, error: { code: 'Locked' } },
      { id: 1, error: { ...error, code: 1 } },
      { event: 1, id: 1 },
    ]) {
      expect(codeOf(() => decodePortReply(encodePort(wrong)))).toBe('BadEncoding');
    }
  });

  it('carries our errors whole and nothing of others', () => {
    const ours = new HoarfrostError('RateLimited', { detail: 'unlock', retryAfterMs: 3000 });
    expect(errorFromPort(portErrorOf(ours))).toMatchObject({
      code: 'RateLimited',
      detail: 'unlock',
      retryAfterMs: 3000,
    });
    expect(portErrorOf(new TypeError('the password is'))).toEqual({
      code: 'Internal',
      detail: '',
      retryAfterMs: 0,
    });
  });
});
