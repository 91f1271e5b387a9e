import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { HDKey } from '@scure/bip32';
import { expect, test } from 'vitest';
import { keyPathOutput, publicChild } from '../../src/bitcoin/descriptor.ts';
import { vectorJson } from './vectors.ts';

interface Vector {
  section: string;
  xpub: string;
  internal_key?: string;
  output_key?: string;
  scriptPubKey?: string;
  address?: string;
}

const { vectors } = vectorJson<{ vectors: Vector[] }>('bips/bip0086.json');
const account = HDKey.fromExtendedKey(
  vectors.find(({ section }) => section.startsWith('Account 0, root'))!.xpub,
);
const addresses = vectors.filter(({ address }) => address !== undefined);

test('BIP-86: there are addresses in the vectors', () => {
  expect(addresses).toHaveLength(3);
});

test.each(addresses)('BIP-86: $section', (vector) => {
  const [branch, index] = vector.section.split('/').slice(-2).map(Number) as [0 | 1, number];
  const point = secp256k1.Point.fromBytes(account.publicKey!);
  const root = { point, chainCode: account.chainCode!, tweak: 0n };
  const key = keyPathOutput(publicChild(publicChild(root, branch), index), 'mainnet', { branch, index });
  expect({
    internal_key: hex.encode(key.internalKey),
    output_key: hex.encode(key.outputKey),
    scriptPubKey: hex.encode(key.script),
    address: key.address,
  }).toEqual({
    internal_key: vector.internal_key,
    output_key: vector.output_key,
    scriptPubKey: vector.scriptPubKey,
    address: vector.address,
  });
});
