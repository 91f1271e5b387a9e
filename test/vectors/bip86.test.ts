import { hex } from '@scure/base';
import { HDKey } from '@scure/bip32';
import { expect, test } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { nobleCurve } from '../../src/bitcoin/curve.ts';
import { keyPathOutputs, publicChildren } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
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

test.each(addresses)('BIP-86: $section', async (vector) => {
  const [branch, index] = vector.section.split('/').slice(-2).map(Number) as [number, number];
  const root = { key: account.publicKey!, chainCode: account.chainCode!, tweak: 0n };
  for (const curve of [nobleCurve, await load()]) {
    const [parent] = publicChildren(curve, root, [branch]);
    const [key] = keyPathOutputs(curve, publicChildren(curve, parent!, [index]));
    expect({
      internal_key: hex.encode(key!.internalKey),
      output_key: hex.encode(key!.outputKey),
      scriptPubKey: hex.encode(key!.script),
      address: addressOf(key!.script, 'mainnet'),
    }).toEqual({
      internal_key: vector.internal_key,
      output_key: vector.output_key,
      scriptPubKey: vector.scriptPubKey,
      address: vector.address,
    });
  }
});
