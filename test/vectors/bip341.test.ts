import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import { addressOf, parseAddress } from '../../src/bitcoin/address.ts';
import { nobleCurve } from '../../src/bitcoin/curve.ts';
import { keyPathOutputs } from '../../src/bitcoin/descriptor.ts';
import { keyPathSighash } from '../../src/bitcoin/sighash.ts';
import { parseTransaction } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import { vectorJson } from './vectors.ts';

interface Vectors {
  scriptPubKey: {
    given: { internalPubkey: string; scriptTree: unknown };
    intermediary: { tweakedPubkey: string };
    expected: { scriptPubKey: string; bip350Address: string };
  }[];
  keyPathSpending: {
    given: { rawUnsignedTx: string; utxosSpent: { scriptPubKey: string; amountSats: number }[] };
    inputSpending: {
      given: { txinIndex: number; hashType: number };
      intermediary: { sigHash: string };
      expected: { witness: string[] };
    }[];
  }[];
}

const { scriptPubKey, keyPathSpending } = vectorJson<Vectors>('bip341/wallet-test-vectors.json');

test('BIP-341: output key, script and address of a key without a tree', async () => {
  const bare = scriptPubKey.filter(({ given }) => given.scriptTree === null);
  expect(bare).toHaveLength(1);
  for (const { given, intermediary, expected } of bare) {
    // The internal key's parity is not the output's business.
    const nodes = ['02', '03'].map((parity) => ({
      key: hex.decode(parity + given.internalPubkey),
      tweak: 0n,
    }));
    for (const curve of [nobleCurve, await load()]) {
      for (const { outputKey, script } of keyPathOutputs(curve, nodes)) {
        expect(hex.encode(outputKey)).toBe(intermediary.tweakedPubkey);
        expect(hex.encode(script)).toBe(expected.scriptPubKey);
        expect(addressOf(script, 'mainnet')).toBe(expected.bip350Address);
      }
    }
  }
});

test('BIP-350: every address of the vectors is its script, and back', () => {
  for (const { expected } of scriptPubKey) {
    expect(hex.encode(parseAddress(expected.bip350Address, 'mainnet').script)).toBe(expected.scriptPubKey);
    expect(addressOf(hex.decode(expected.scriptPubKey), 'mainnet')).toBe(expected.bip350Address);
  }
});

const spends = keyPathSpending.flatMap(({ given, inputSpending }) =>
  inputSpending.map((input) => ({
    given,
    input,
    name: `input ${input.given.txinIndex}, type ${input.given.hashType}`,
  })),
);

test.each(spends)('BIP-341: key path sighash of $name', ({ given, input }) => {
  const tx = parseTransaction(hex.decode(given.rawUnsignedTx), 'bare');
  const spent = given.utxosSpent.map(({ scriptPubKey: script, amountSats }) => ({
    script: hex.decode(script),
    value: BigInt(amountSats),
  }));
  const { txinIndex, hashType } = input.given;
  const sighash = keyPathSighash(tx, spent)(txinIndex, hashType);
  expect(hex.encode(sighash)).toBe(input.intermediary.sigHash);
  // The signature of the vector verifies over it under the output key of the script it spends.
  const [witness] = input.expected.witness;
  const outputKey = spent[txinIndex]!.script.subarray(2);
  expect(schnorr.verify(hex.decode(witness!).subarray(0, 64), sighash, outputKey)).toBe(true);
});

test('BIP-341: a type it does not define, or SINGLE without its output, is refused', () => {
  const tx = {
    version: 2,
    locktime: 0,
    inputs: [0, 1].map((vout) => ({ outpoint: { txid: '00'.repeat(32), vout }, sequence: 0 })),
    outputs: [{ script: new Uint8Array(), value: 1n }],
  };
  const script = Uint8Array.of(0x51, 0x20, ...secp256k1.Point.BASE.toBytes(true).subarray(1));
  const sighash = keyPathSighash(tx, [
    { script, value: 1n },
    { script, value: 2n },
  ]);
  for (const type of [4, 0x80, 0x84, 0xff, 256]) expect(() => sighash(0, type)).toThrow('SighashRefused');
  expect(() => sighash(1, 3)).toThrow('SighashRefused');
  expect(sighash(0, 3)).toHaveLength(32);
  expect(() => sighash(2, 0)).toThrow('BadPsbt');
  expect(() => keyPathSighash(tx, [{ script, value: 1n }])).toThrow('BadPsbt');
});
