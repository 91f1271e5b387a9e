/** What one policy allows more than another, and whose signatures the next version needs. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { describe, expect, test } from 'vitest';
import { wordsActHash } from '../../src/policy/ceremony.ts';
import { compare } from '../../src/policy/compare.ts';
import { encodePolicy, firstPolicy, type Policy } from '../../src/policy/document.ts';
import {
  nextPolicy,
  policyCeremonyHash,
  policyChangeHash,
  type SignedPolicy,
} from '../../src/policy/versions.ts';
import { ceremonyAct } from '../../src/protocol/ceremony.ts';
import { encode } from '../../src/protocol/codec.ts';
import { termsOf } from '../support/terms.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill);
const START = 1_800_000_000_000;
const window = { limit: 100n, start: START, interval: 1000n };
const old: Policy = {
  ...firstPolicy('regtest', termsOf(1_000_000n), START),
  perTransaction: 500n,
  windows: [window],
  payees: [bytes(1), bytes(2)],
  hold: { above: 50n, delay: 100n },
  unseen: 1000n,
};

describe('compare', () => {
  const tighter: Partial<Policy>[] = [
    {},
    { version: 9 },
    { perTransaction: 499n },
    { windows: [{ ...window, limit: 99n }] },
    { windows: [{ ...window, interval: 1001n }] },
    { windows: [{ ...window, start: START - 1 }] },
    { windows: [window, { limit: 1n, start: START + 5, interval: 1n }] },
    { feeAbsolute: old.feeAbsolute - 1n },
    { feeRate: old.feeRate - 1n },
    { payees: [bytes(2)] },
    { payees: [] },
    { hold: { above: 49n, delay: 100n } },
    { hold: { above: 50n, delay: 101n } },
    { unseen: 0n },
    { frozen: true },
    { perTransaction: 1n, unseen: 1n, frozen: true, payees: [bytes(1)] },
  ];
  const looser: Partial<Policy>[] = [
    { perTransaction: null },
    { perTransaction: 501n },
    { windows: [] },
    { windows: [{ ...window, limit: 101n }] },
    { windows: [{ ...window, interval: 999n }] },
    { windows: [{ ...window, start: START + 1 }] },
    { feeAbsolute: old.feeAbsolute + 1n },
    { feeRate: old.feeRate + 1n },
    { payees: null },
    { payees: [bytes(1), bytes(2), bytes(3)] },
    { hold: null },
    { hold: { above: 51n, delay: 100n } },
    { hold: { above: 50n, delay: 99n } },
    { unseen: null },
    { unseen: 1001n },
    { anyoneCanPay: true },
  ];
  test.each(tighter)('%o allows nothing more', (change) => {
    expect(compare(old, { ...old, ...change })).toBe('tighter');
  });
  test.each(looser)('%o allows more', (change) => {
    expect(compare(old, { ...old, ...change })).toBe('looser');
  });
  test.each(looser)('back from %o is tighter, and with anything tighter it is mixed', (change) => {
    expect(compare({ ...old, ...change }, old)).toBe('tighter');
    expect(compare(old, { ...old, ...change, frozen: true })).toBe('mixed');
  });
  test('what one rule takes and another gives is mixed', () => {
    expect(compare(old, { ...old, hold: { above: 10n, delay: 1n } })).toBe('mixed');
    expect(compare(old, { ...old, payees: [bytes(1), bytes(3)] })).toBe('mixed');
    expect(compare(old, { ...old, windows: [{ limit: 1n, start: START, interval: 1n }] })).toBe('mixed');
    expect(compare({ ...old, frozen: true }, old)).toBe('looser');
    // Whichever way: a thief may want less time, or an owner who is stopped for longer.
    for (const delay of [old.delay - 1, old.delay + 1]) {
      expect(compare(old, { ...old, delay })).toBe('mixed');
    }
    const known = { ...old, contact: 'mailto:me@example.org' };
    expect(compare(old, known)).toBe('mixed');
    expect(compare(known, old)).toBe('mixed');
    expect(compare(known, { ...known, contact: 'mailto:you@example.org', frozen: true })).toBe('mixed');
    expect(() => compare(old, { ...old, network: 'mainnet' })).toThrow(code('WrongNetwork'));
  });
});

describe('the next version', () => {
  const secrets = { device: bytes(11), recovery: bytes(12), cosigner: bytes(13), other: bytes(14) };
  const keyOf = (who: keyof typeof secrets) => schnorr.getPublicKey(secrets[who]);
  const keys = {
    wallet: bytes(9),
    device: (epoch: number) => (epoch === 0 ? keyOf('device') : null),
    recovery: [keyOf('cosigner'), keyOf('recovery')],
    cosigner: [keyOf('cosigner')],
  };
  const verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    schnorr.verify(signature, message, key);
  const sign = (who: keyof typeof secrets, hash: Uint8Array) =>
    Uint8Array.from(schnorr.sign(hash, secrets[who]));
  const tight = { ...old, version: 2, perTransaction: 1n };
  const loose = { ...old, version: 2, perTransaction: null };
  const mixed = { ...loose, unseen: 0n };
  const freeze = { ...old, version: 2, frozen: true };

  const order = encode(ceremonyAct, { kind: 'freeze', network: 'regtest', random: bytes(5, 16) });

  type Who = 'device' | 'recovery' | 'ceremony' | 'order';
  function signed(
    next: Policy,
    who: Who[],
    change: { wallet?: Uint8Array; previous?: Policy } = {},
  ): SignedPolicy {
    const { wallet = keys.wallet, previous = old } = change;
    const hash = policyChangeHash(wallet, previous, next);
    const id = bytes(77);
    const statement = policyCeremonyHash(wallet, previous, next, id);
    return {
      document: encodePolicy(next),
      epoch: 0,
      device: who.includes('device') ? sign('device', hash) : null,
      recovery: who.includes('recovery')
        ? sign('recovery', hash)
        : who.includes('order')
          ? sign('recovery', wordsActHash(order))
          : null,
      freeze: who.includes('order') ? order : null,
      ceremony: who.includes('ceremony') ? { id, signature: sign('cosigner', statement) } : null,
    };
  }
  const accepts = (given: SignedPolicy) => nextPolicy(verify, keys, old, given);

  test.each([
    ['tighter', tight, ['device']],
    ['looser', loose, ['device', 'recovery']],
    ['looser', loose, ['device', 'ceremony']],
    ['mixed', mixed, ['device', 'recovery']],
    ['a freeze', freeze, ['order']],
    ['a freeze', freeze, ['device']],
  ] as [string, Policy, Who[]][])('%s by %o%o is accepted', (_, next, who) => {
    expect(accepts(signed(next, who))).toEqual(next);
  });

  test.each([
    ['looser', loose, ['device']],
    ['mixed', mixed, ['device']],
    ['looser', loose, ['recovery']],
    ['looser', loose, ['ceremony']],
    ['looser', loose, ['recovery', 'ceremony']],
    ['tighter', tight, []],
    ['tighter', tight, ['recovery']],
    ['tighter', tight, ['ceremony']],
    ['a freeze', freeze, ['recovery']],
    ['a freeze', freeze, ['order', 'device']],
    ['a freeze', freeze, ['order', 'ceremony']],
    ['more than a freeze', { ...freeze, perTransaction: 1n }, ['order']],
    ['tighter, but no freeze', tight, ['order']],
    ['looser', loose, ['order']],
  ] as [string, Policy, Who[]][])('%s by %o%o is Unauthorised', (_, next, who) => {
    expect(() => accepts(signed(next, who))).toThrow(code('Unauthorised'));
  });

  test('a signature by another key, for another wallet, version, ceremony or epoch is Unauthorised', () => {
    const good = signed(loose, ['device', 'recovery']);
    const hash = policyChangeHash(keys.wallet, old, loose);
    const bad: SignedPolicy[] = [
      { ...good, device: sign('other', hash) },
      { ...good, recovery: sign('other', hash) },
      { ...good, recovery: good.device },
      { ...good, epoch: 1 },
      signed(loose, ['device', 'recovery'], { wallet: bytes(8) }),
      signed(loose, ['device', 'recovery'], { previous: tight }),
      { ...good, document: encodePolicy({ ...loose, feeRate: 1n }) },
    ];
    const ceremony = signed(loose, ['device', 'ceremony']);
    bad.push({ ...ceremony, ceremony: { ...ceremony.ceremony!, id: bytes(78) } });
    bad.push({ ...ceremony, ceremony: { ...ceremony.ceremony!, signature: sign('cosigner', hash) } });
    const ordered = signed(freeze, ['order']);
    bad.push({ ...ordered, recovery: sign('other', wordsActHash(order)) });
    bad.push({ ...ordered, recovery: sign('recovery', policyChangeHash(keys.wallet, old, freeze)) });
    const elsewhere = encode(ceremonyAct, { kind: 'freeze', network: 'mainnet', random: bytes(5, 16) });
    bad.push({ ...ordered, freeze: elsewhere, recovery: sign('recovery', wordsActHash(elsewhere)) });
    for (const given of bad) expect(() => accepts(given)).toThrow(code('Unauthorised'));
  });

  test('versions rise by one, in one network', () => {
    for (const version of [1, 3]) {
      expect(() => accepts(signed({ ...tight, version }, ['device']))).toThrow(code('WrongVersion'));
    }
    const elsewhere = signed({ ...tight, network: 'mainnet' }, ['device', 'recovery']);
    expect(() => accepts(elsewhere)).toThrow(code('WrongNetwork'));
  });
});
