import { bech32m, hex } from '@scure/base';
import { expect, test } from 'vitest';
import { addressOf, parseAddress } from '../../src/bitcoin/address.ts';
import { NETWORKS, type Network } from '../../src/protocol/networks.ts';

const samples: [Network, string, string, string][] = [
  [
    'mainnet',
    'p2pkh',
    '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa',
    '76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac',
  ],
  ['mainnet', 'p2sh', '3P14159f73E4gFr7JterCCQh9QjiTjiZrG', 'a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87'],
  [
    'mainnet',
    'p2wpkh',
    'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4',
    '0014751e76e8199196d454941c45d1b3a323f1433bd6',
  ],
  [
    'testnet4',
    'p2wsh',
    'tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7',
    '00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262',
  ],
  [
    'mainnet',
    'p2tr',
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0',
    '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  ],
  ['regtest', 'p2a', 'bcrt1pfeesnyr2tx', '51024e73'],
];

test.each(samples)('BIP-173, BIP-350: %s %s, to script and back', (network, kind, address, script) => {
  const parsed = parseAddress(address, network);
  expect([hex.encode(parsed.script), parsed.kind]).toEqual([script, kind]);
  expect(addressOf(parsed.script, network)).toBe(address);
});

test('an address of another network is WrongNetwork, never paid', () => {
  const script = hex.decode(samples[4]![3]);
  for (const mine of NETWORKS) {
    for (const theirs of NETWORKS) {
      const address = addressOf(script, theirs)!;
      const same = addressOf(script, mine) === address;
      if (same) expect(parseAddress(address, mine).script).toEqual(script);
      else expect(() => parseAddress(address, mine)).toThrow('WrongNetwork');
    }
  }
  expect(() => parseAddress('1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa', 'regtest')).toThrow('WrongNetwork');
});

test('what is no address is BadAddress', () => {
  const offCurve = bech32m.encode('bcrt', [1, ...bech32m.toWords(new Uint8Array(32).fill(0xff))]);
  const bad = [
    '',
    'bitcoin',
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj1',
    '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb',
    // BIP-350: witness version 1 with the checksum of version 0
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd',
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0'.repeat(100),
    offCurve,
  ];
  for (const address of bad) expect(() => parseAddress(address, 'regtest')).toThrow('BadAddress');
});

test('a script without an address has none', () => {
  for (const script of [
    '',
    '6a',
    '51',
    `6a20${'00'.repeat(32)}`,
    `5220${'00'.repeat(32)}`,
    `76a914${'00'.repeat(22)}`,
  ]) {
    expect(addressOf(hex.decode(script), 'mainnet')).toBeNull();
  }
});
