import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import {
  decodePolicy,
  encodePolicy,
  firstPolicy,
  type Policy,
  policyHash,
} from '../../src/policy/document.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { POLICY_MAX } from '../../src/protocol/limits.ts';
import { answer } from '../../src/protocol/messages.ts';
import { DELAY_MS } from '../../src/protocol/terms.ts';
import { termsOf } from '../support/terms.ts';

const first = firstPolicy('signet', termsOf(1_000_000n), 1_800_000_000_000);

test('a policy is its bytes and back', () => {
  expect(decodePolicy(encodePolicy(first))).toEqual(first);
  expect(encodePolicy(first).length).toBeLessThan(POLICY_MAX);
});

test('a message brings a policy of exactly POLICY_MAX bytes, and no longer one', () => {
  const said = (length: number) =>
    encode(answer, { kind: 'policy', document: new Uint8Array(length), spentInWindows: [] });
  expect(decode(answer, said(POLICY_MAX))).toMatchObject({ document: new Uint8Array(POLICY_MAX) });
  expect(() => said(POLICY_MAX + 1)).toThrow('TooLarge');
  // The length stands in four bytes after the tag.
  const longer = Uint8Array.of(...said(POLICY_MAX), 0);
  new DataView(longer.buffer).setUint32(1, POLICY_MAX + 1);
  expect(() => decode(answer, longer)).toThrow('TooLarge');
});

test('the hash tells apart whatever differs', () => {
  const [window] = first.windows;
  const variants: Policy[] = [
    first,
    { ...first, network: 'mutinynet' },
    { ...first, version: 2 },
    { ...first, perTransaction: 0n },
    { ...first, windows: [] },
    { ...first, windows: [window!, window!] },
    { ...first, windows: [{ ...window!, limit: 1_000_001n }] },
    { ...first, feeAbsolute: 1n },
    { ...first, feeRate: 1n },
    { ...first, payees: [] },
    { ...first, payees: [Uint8Array.of(1)] },
    { ...first, hold: { above: 1n, delay: 1n } },
    { ...first, hold: { above: 1n, delay: 2n } },
    { ...first, unseen: 0n },
    { ...first, anyoneCanPay: true },
    { ...first, frozen: true },
    { ...first, delay: DELAY_MS.least },
    { ...first, contact: 'mailto:me@example.org' },
    { ...first, contact: 'https://example.org/' },
  ];
  expect(new Set(variants.map((policy) => hex.encode(policyHash(policy)))).size).toBe(variants.length);
});

test('another form of the same, or another format, is refused', () => {
  const bytes = encodePolicy(first);
  const code = (bad: Uint8Array) => expect(() => decodePolicy(bad));
  code(Uint8Array.of(...bytes, 0)).toThrow('BadEncoding');
  code(bytes.subarray(0, -1)).toThrow('BadEncoding');
  code(Uint8Array.of(2, ...bytes.subarray(1))).toThrow('WrongVersion');
  code(new Uint8Array()).toThrow('WrongVersion');
  code(new Uint8Array(POLICY_MAX + 1)).toThrow('TooLarge');
  // As long as a policy may be: read, and refused for what it says.
  code(Uint8Array.of(...bytes, ...new Uint8Array(POLICY_MAX - bytes.length))).toThrow('BadEncoding');
  code(encodePolicy({ ...first, version: 0 })).toThrow('BadEncoding');
  code(encodePolicy({ ...first, windows: [{ limit: 1n, start: 0, interval: 0n }] })).toThrow('BadEncoding');
  for (const delay of [0n, 1n << 60n])
    code(encodePolicy({ ...first, hold: { above: 1n, delay } })).toThrow('BadEncoding');
  for (const delay of [DELAY_MS.least - 1, DELAY_MS.most + 1])
    code(encodePolicy({ ...first, delay })).toThrow('BadEncoding');
  for (const contact of ['', 'me@example.org', 'mailto:me', 'http://example.org/', 'https://EXAMPLE.org/'])
    code(encodePolicy({ ...first, contact })).toThrow('BadEncoding');
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  for (const payees of [
    [b, a],
    [a, a],
  ])
    code(encodePolicy({ ...first, payees })).toThrow('BadEncoding');
});
