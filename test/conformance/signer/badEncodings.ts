import { concatBytes, numberToBytesBE } from '@noble/curves/utils.js';
import { BASE, Fn, Fp } from './oracle.ts';

type Named = readonly (readonly [name: string, bytes: Uint8Array])[];

export const be = (value: bigint) => numberToBytesBE(value, 32);
const G = BASE.toBytes(true);
const G65 = BASE.toBytes(false);
const prefixed = (prefix: number, x: Uint8Array) => concatBytes(Uint8Array.of(prefix), x);

/** 5^3 + 7 is no square modulo p; neither is 7. */
export const OFF_CURVE_X = be(5n);

export const BAD_X: Named = [
  ['x off the curve', OFF_CURVE_X],
  ['x = 0', be(0n)],
  ['x = p', be(Fp.ORDER)],
  ['x = p + 1, a point when reduced', be(Fp.ORDER + 1n)],
  ['x = 2^256 - 1', new Uint8Array(32).fill(0xff)],
];

const BAD_33: Named = [
  ...BAD_X.flatMap(([name, x]) => [
    [name, prefixed(2, x)] as const,
    [`${name}, odd`, prefixed(3, x)] as const,
  ]),
  ['identity as 33 zero bytes', new Uint8Array(33)],
  ['prefix 00', prefixed(0, G.slice(1))],
  ['prefix 01', prefixed(1, G.slice(1))],
  ['prefix 04 on 33 bytes', prefixed(4, G.slice(1))],
  ['prefix ff', prefixed(0xff, G.slice(1))],
];

export const BAD_POINTS: Named = [
  ...BAD_33,
  ['65-byte form', G65],
  ['65-byte hybrid form', prefixed(6 + (G65[64]! & 1), G65.slice(1))],
  ['identity as one zero byte', new Uint8Array(1)],
  ['empty', new Uint8Array(0)],
  ['32 bytes', G.slice(1)],
  ['34 bytes', concatBytes(G, Uint8Array.of(0))],
];

/** A bad point in each half; wrong lengths of the whole are `BAD_PAIR_LENGTHS`. */
export const BAD_PAIRS: Named = BAD_33.flatMap(([name, bad]) => [
  [`first: ${name}`, concatBytes(bad, G)] as const,
  [`second: ${name}`, concatBytes(G, bad)] as const,
]);

export const BAD_PAIR_LENGTHS: Named = [
  ['empty', new Uint8Array(0)],
  ['one point', G],
  ['65 bytes', concatBytes(G, G).slice(1)],
  ['67 bytes', concatBytes(G, G, Uint8Array.of(0))],
  ['three points', concatBytes(G, G, G)],
  ['two 65-byte forms', concatBytes(G65, G65)],
];

export const BAD_SCALARS: Named = [
  ['n', be(Fn.ORDER)],
  ['n + 1', be(Fn.ORDER + 1n)],
  ['2^256 - 1', new Uint8Array(32).fill(0xff)],
  ['empty', new Uint8Array(0)],
  ['31 bytes', new Uint8Array(31).fill(1)],
  ['33 bytes', concatBytes(be(1n), Uint8Array.of(0))],
];

export const BAD_SECRETS: Named = [...BAD_SCALARS, ['zero', be(0n)]];

export const badLengths = (length: number): Named =>
  [0, length - 1, length + 1, 2 * length].map((n) => [`${n} bytes`, new Uint8Array(n).fill(7)] as const);

export const BAD_IDS: readonly unknown[] = [0, 4, -1, 1.5, 256 + 1, 2 ** 32 + 1, Number.NaN, '1', undefined];
