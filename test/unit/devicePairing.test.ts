import { expect, test } from 'vitest';
import { pairingView, parsePairing } from '../../src/device/pairing.ts';

const K = 'ab'.repeat(32);
const H = 'cd'.repeat(32);
const GOOD = `hoarfrost:cosigner.example:8443?k=${K}&h=${H}&t=abc-DEF_1&n=regtest`;

test('reads a pairing link, with spaces around it as pasted', () => {
  expect(parsePairing(` ${GOOD}\n`)).toEqual({
    host: 'cosigner.example',
    port: 8443,
    noiseKey: new Uint8Array(32).fill(0xab),
    hostKey: new Uint8Array(32).fill(0xcd),
    token: 'abc-DEF_1',
    network: 'regtest',
  });
  expect(pairingView(parsePairing(GOOD))).toEqual({
    host: 'cosigner.example:8443',
    fingerprint: K,
    network: 'regtest',
    hasToken: true,
  });
});

test('token and network may be missing; hosts may be addresses', () => {
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    expect(parsePairing(`hoarfrost:${host}:1?k=${K}&h=${H}`)).toMatchObject({
      host,
      token: null,
      network: null,
    });
  }
});

test.each([
  ['nothing', ''],
  ['a web address', 'https://cosigner.example:8443'],
  ['no port', `hoarfrost:cosigner.example?k=${K}&h=${H}`],
  ['port 0', `hoarfrost:a:0?k=${K}&h=${H}`],
  ['port 65536', `hoarfrost:a:65536?k=${K}&h=${H}`],
  ['a path', `hoarfrost:a:1/x?k=${K}&h=${H}`],
  ['a user', `hoarfrost:me@a:1?k=${K}&h=${H}`],
  ['a host that a URL parser reads otherwise', `hoarfrost:127.1:1?k=${K}&h=${H}`],
  ['a broken IPv6 host', `hoarfrost:[1::2::3]:1?k=${K}&h=${H}`],
  ['no Noise key', `hoarfrost:a:1?h=${H}`],
  ['no host key', `hoarfrost:a:1?k=${K}`],
  ['a short key', `hoarfrost:a:1?k=${K.slice(2)}&h=${H}`],
  ['an upper-case key', `hoarfrost:a:1?k=${K.toUpperCase()}&h=${H}`],
  ['a zero key', `hoarfrost:a:1?k=${'0'.repeat(64)}&h=${H}`],
  ['a field twice', `${GOOD}&k=${K}`],
  ['an unknown field', `${GOOD}&x=1`],
  ['an empty token', `hoarfrost:a:1?k=${K}&h=${H}&t=`],
  ['a token with escapes', `hoarfrost:a:1?k=${K}&h=${H}&t=%41`],
  ['an unknown network', `hoarfrost:a:1?k=${K}&h=${H}&n=testnet3`],
  ['too long', `hoarfrost:a:1?k=${K}&h=${H}&t=${'a'.repeat(2000)}`],
])('BadPairing: %s', (_name, uri) => {
  expect(() => parsePairing(uri)).toThrow(expect.objectContaining({ code: 'BadPairing' }));
});
