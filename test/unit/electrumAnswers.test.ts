import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import {
  readHeader,
  readHeaders,
  readHistory,
  readPackage,
  readRate,
  readStatus,
  scriptHash,
} from '../../src/chain/electrumAnswers.ts';

// The protocol's own examples (electrum-protocol, "Script Hashes" and blockchain.block.headers): Bitcoin's blocks 0 and 1.
const HEADERS = [
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c',
  '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299',
] as const;
const GENESIS = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f';

test('Electrum 1.4: a script hash is SHA-256 of the script, the bytes reversed', () => {
  const script = hex.decode('76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac');
  expect(scriptHash(script)).toBe('8b01df4e368ea28f8dc0423bcf7a4923e3a12d307c875e47a0cfbf90b5c39161');
});

test('Electrum 1.4 and 1.6: headers come as one run of hex or as a list, and are the same', () => {
  const expected = [
    { height: 0, hash: GENESIS, previous: '0'.repeat(64), time: 1231006505000 },
    { height: 1, previous: GENESIS, time: 1231469665000 },
  ];
  const old = readHeaders({ count: 2, hex: HEADERS.join(''), max: 2016 }, 0, [1, 4]);
  const list = readHeaders({ count: 2, headers: HEADERS, max: 2016 }, 0, [1, 6]);
  expect(old).toMatchObject(expected);
  expect(list).toEqual(old);
});

test.each([
  ['a count that is not theirs', { count: 1, headers: HEADERS }],
  ['a wrong order', { count: 2, headers: HEADERS.toReversed() }],
  ['a header cut short', { count: 2, headers: [HEADERS[0], HEADERS[1].slice(2)] }],
  ['more than a period', { count: 2017, headers: Array.from({ length: 2017 }, () => HEADERS[0]) }],
  ['the form of 1.4', { count: 2, hex: HEADERS.join('') }],
])('headers with %s are refused', (_, answer) => {
  expect(() => readHeaders(answer, 0, [1, 6])).toThrow('ChainUnavailable');
});

test('fields out of bounds or of another type are refused', () => {
  for (const read of [
    () => readHeader(`${HEADERS[0]}00`, 0),
    () => readStatus(undefined),
    () => readStatus('00'),
    () => readHistory({}),
    () => readHistory([{ tx_hash: GENESIS, height: -2 }]),
    () => readHistory([{ tx_hash: GENESIS }]),
    () => readRate('0.1'),
    () => readRate(null),
    () => readPackage({ success: 'yes' }),
    () => readPackage({ success: false, errors: [{}] }),
  ]) {
    expect(read).toThrow('ChainUnavailable');
  }
});

test('heights of -1 and 0 are both unconfirmed, and a rate of -1 is no estimate', () => {
  expect(readHistory([{ tx_hash: GENESIS, height: -1 }])).toEqual([{ txid: GENESIS, height: 0 }]);
  expect(readRate(-1)).toBeNull();
  expect(readRate(0.00001)).toBeCloseTo(1000);
});

test('a refused package says why', () => {
  expect(readPackage({ success: true })).toBeNull();
  expect(readPackage({ success: false, errors: [{ txid: GENESIS, error: 'min relay fee not met' }] })).toBe(
    'min relay fee not met',
  );
});
