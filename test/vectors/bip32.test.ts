import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { HDKey } from '@scure/bip32';
import { expect, test } from 'vitest';
import { nobleCurve } from '../../src/bitcoin/curve.ts';
import {
  type DerivedKey,
  deriveAhead,
  deriveKey,
  type PublicNode,
  publicChildren,
} from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import { wholeKey } from '../support/wholeKey.ts';
import { vectorJson } from './vectors.ts';

const { Point } = secp256k1;
const { valid } = vectorJson<{ valid: { name: string; chains: { path: string; xpub: string }[] }[] }>(
  'bips/bip0032.json',
);

function nodeOf(xpub: string): PublicNode {
  const { publicKey, chainCode } = HDKey.fromExtendedKey(xpub);
  return { key: publicKey!, chainCode: chainCode!, tweak: 0n };
}

const steps = valid.flatMap(({ name, chains }) =>
  chains.flatMap(({ path, xpub }) => {
    const parent = chains.find((chain) => chain.path === path.split('/').slice(0, -1).join('/'));
    const index = path.split('/').at(-1)!;
    return parent && /^\d+$/.test(index)
      ? [{ name: `${name}, ${path}`, parent: parent.xpub, index, xpub }]
      : [];
  }),
);

test('BIP-32: there are public steps in the vectors', () => {
  expect(steps.length).toBeGreaterThanOrEqual(5);
});

test.each(steps)('BIP-32: $name by public derivation', async ({ parent, index, xpub }) => {
  const from = nodeOf(parent);
  const expected = HDKey.fromExtendedKey(xpub);
  for (const curve of [nobleCurve, await load()]) {
    const [node] = publicChildren(curve, from, [Number(index)]);
    expect(hex.encode(node!.key)).toBe(hex.encode(expected.publicKey!));
    expect(hex.encode(node!.chainCode)).toBe(hex.encode(expected.chainCode!));
    // T is what separates the child from where it began.
    const moved = Point.fromBytes(from.key).add(Point.BASE.multiply(node!.tweak));
    expect(hex.encode(moved.toBytes(true))).toBe(hex.encode(node!.key));
  }
});

test('BIP-32: what the signer derives ahead is what is derived one by one', async () => {
  const { account } = wholeKey('ahead');
  const same = { ...account, chainCode: account.chainCode.slice() };
  const paths = [
    { branch: 0, index: 5 },
    { branch: 1, index: 0 },
    { branch: 0, index: 1_000_000 },
  ] as const;
  const slow = paths.map(({ branch, index }) =>
    deriveKey({ ...account, network: 'mutinynet' }, branch, index),
  );
  deriveAhead(await load(), same, paths);
  const ahead = paths.map(({ branch, index }) => deriveKey(same, branch, index));
  const partsOf = ({ branch, index, derivation, internalKey, outputKey, script }: DerivedKey) => {
    return { branch, index, derivation, internalKey, outputKey, script };
  };
  expect(ahead.map(partsOf)).toEqual(slow.map(partsOf));
  // Remembered for every account of the same content.
  expect(deriveKey(account, 0, 5)).toBe(ahead[0]);
  expect(() => deriveAhead(nobleCurve, account, [{ branch: 0, index: 0x8000_0000 }])).toThrow('BadEncoding');
});

test('BIP-32: a hardened, negative or fractional index cannot be derived from public data (attack 19)', () => {
  const { account } = wholeKey('indices');
  for (const index of [0x8000_0000, -1, 0.5, Number.NaN]) {
    expect(() => deriveKey(account, 0, index)).toThrow('BadEncoding');
  }
  expect(() => deriveKey(account, 2 as 0, 0)).toThrow('BadEncoding');
});

test('BIP-32: the three levels below K0 are those of an independent implementation, for both parities of K0', () => {
  const parities = new Set<number>();
  for (let i = 0; i < 6; i++) {
    const { account } = wholeKey(`levels ${i}`);
    parities.add(account.groupKey[0]!);
    const root = new HDKey({ publicKey: account.groupKey, chainCode: account.chainCode });
    for (const [branch, index] of [
      [0, i],
      [1, 0x7fff_ffff - i],
    ] as const) {
      const key = deriveKey(account, branch, index);
      const other = root.derive(`m/0/${branch}/${index}`);
      expect(hex.encode(key.internalKey)).toBe(hex.encode(other.publicKey!.subarray(1)));
      const moved = Point.fromBytes(account.groupKey).add(
        Point.BASE.multiply(Point.Fn.fromBytes(key.derivation)),
      );
      expect(hex.encode(moved.toBytes(true))).toBe(hex.encode(other.publicKey!));
    }
  }
  expect(parities.size).toBe(2);
});
