import { sha256 } from '@noble/hashes/sha2.js';
import { base58check, hex } from '@scure/base';
import { expect, test } from 'vitest';
import { descriptorChecksum } from '../../src/bitcoin/checksum.ts';
import { nobleCurve } from '../../src/bitcoin/curve.ts';
import { branchDescriptors, exportDescriptor, keyPathOutputs } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import { wholeKey } from '../support/wholeKey.ts';
import { vectorJson } from './vectors.ts';

const { rows } = vectorJson<{ rows: { text: string; sub: { text: string }[] }[] }>('bips/bip0386.json');

test('BIP-386: tr(KEY) is the key path output of KEY with an empty tree', async () => {
  const plain = rows.filter(({ text }) => /^tr\([0-9a-f]{64}\)$/.test(text));
  expect(plain).toHaveLength(1);
  for (const { text, sub } of plain) {
    const node = { key: hex.decode(`02${text.slice(3, -1)}`), tweak: 0n };
    for (const curve of [nobleCurve, await load()])
      expect(hex.encode(keyPathOutputs(curve, [node])[0]!.script)).toBe(sub[0]!.text);
  }
});

test('BIP-380: checksums, and what they tell apart', () => {
  expect(descriptorChecksum('raw(deadbeef)')).toBe('89f8spxm');
  expect(descriptorChecksum('raw(DEADBEEF)')).not.toBe('89f8spxm');
  expect(() => descriptorChecksum('raw(Ü)')).toThrow('BadEncoding');
});

test('BIP-389: the exported form holds both branches below an extended key of depth 0', () => {
  for (const [network, prefix] of [
    ['mainnet', 'xpub'],
    ['regtest', 'tpub'],
    ['mutinynet', 'tpub'],
  ] as const) {
    const { account } = wholeKey('export', network);
    const exported = exportDescriptor(account);
    const match = /^tr\(([^/]+)\/0\/<0;1>\/\*\)#[a-z0-9]{8}$/.exec(exported);
    expect(match?.[1]?.startsWith(prefix)).toBe(true);
    const raw = base58check(sha256).decode(match![1]!);
    expect(hex.encode(raw.subarray(4, 13))).toBe('00'.repeat(9));
    expect(hex.encode(raw.subarray(13))).toBe(hex.encode(account.chainCode) + hex.encode(account.groupKey));
    expect(branchDescriptors(account).map((text) => text.split('#')[0])).toEqual(
      ['0', '1'].map((branch) => exported.split('#')[0]!.replace('<0;1>', branch)),
    );
  }
});
