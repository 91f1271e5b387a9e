import { describe, expect, it } from 'vitest';
import { addressGroups, fingerprintPairs, readTarget, shortText } from '../../src/ui/addressText.ts';
import {
  amountGroups,
  amountInput,
  btcText,
  countText,
  feeWeight,
  parseAmount,
  parseRate,
  percentOf,
  rateText,
  satsText,
  type Unit,
} from '../../src/ui/amounts.ts';
import { passwordStrength } from '../../src/ui/passwordStrength.ts';
import { momentText, tookText, waitText } from '../../src/ui/times.ts';

const written = (sats: bigint, unit: Unit) =>
  amountGroups(sats, unit)
    .map(({ dim, bright }) => `${dim === '' ? '' : `(${dim})`}${bright}`)
    .join('|');

describe('amounts as they are written', () => {
  it.each<[bigint, string]>([
    [0n, '0'],
    [308n, '308'],
    [1240n, '1|240'],
    [4_218_000n, '4|218|000'],
    [2_100_000_000_000_000n, '2|100|000|000|000|000'],
  ])('%s sats in groups of three', (sats, groups) => {
    expect(written(sats, 'sats')).toBe(groups);
  });

  it.each<[bigint, string]>([
    [4_218_000n, '(0.0)4|218|000'],
    [250_000n, '(0.00)|250|000'],
    [1n, '(0.00)|(000)|(00)1'],
    [0n, '(0.00)|(000)|(000)'],
    [100_000_000n, '1.00|000|000'],
    [1_050_000_000n, '10.50|000|000'],
    [123_456_000_000_000n, '1|234|560.00|000|000'],
  ])('%s sats as BTC: eight places, 2-3-3, leading zeros dimmed', (sats, groups) => {
    expect(written(sats, 'BTC')).toBe(groups);
  });

  it('uses U+202F in running text and a true minus, never a comma or point', () => {
    expect(satsText(1_250_000n)).toBe('1\u202f250\u202f000\u202fsats');
    expect(satsText(-5n)).toBe('\u22125\u202fsats');
    expect(btcText(4_218_000n)).toBe('0.04\u202f218\u202f000\u202fBTC');
    expect(countText(976_041)).toBe('976\u202f041');
  });

  it.each<[string, Unit, bigint | null]>([
    ['250 000', 'sats', 250_000n],
    ['250\u202f000', 'sats', 250_000n],
    ['0', 'sats', 0n],
    ['250,000', 'sats', null],
    ['250.000', 'sats', null],
    ['-1', 'sats', null],
    ['1e5', 'sats', null],
    ['', 'sats', null],
    ['2100000000000001', 'sats', null],
    ['0.001', 'BTC', 100_000n],
    ['.5', 'BTC', 50_000_000n],
    ['1', 'BTC', 100_000_000n],
    ['0.04 218 000', 'BTC', 4_218_000n],
    ['0,5', 'BTC', null],
    ['0.000000001', 'BTC', null],
    ['.', 'BTC', null],
    ['21000000.00000001', 'BTC', null],
  ])('reads %j %s as %s', (text, unit, sats) => {
    expect(parseAmount(text, unit)).toBe(sats);
  });

  it('reads back what it writes into the field', () => {
    for (const sats of [1n, 250_000n, 4_218_000n, 2_100_000_000_000_000n]) {
      for (const unit of ['sats', 'BTC'] as const) {
        expect(parseAmount(amountInput(sats, unit), unit)).toBe(sats);
      }
    }
  });
});

describe('fees', () => {
  it('has at most one decimal under 10, none above', () => {
    expect([8140, 5000, 9960, 12_400, 250].map(rateText)).toEqual([
      '8.1 sat/vB',
      '5 sat/vB',
      '10 sat/vB',
      '12 sat/vB',
      '0.3 sat/vB',
    ]);
  });

  it.each<[string, number | null]>([
    ['8.1', 8100],
    ['1', 1000],
    ['0.5', 500],
    ['0', null],
    ['8,1', null],
    ['10001', null],
    ['1.0001', null],
    ['', null],
  ])('reads the rate %j as %s', (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });

  it('is amber over 5 % and typed over 25 % or ten times the next block', () => {
    expect(feeWeight(100_000n, 5000n, 5000, 5000)).toBe('usual');
    expect(feeWeight(100_000n, 5001n, 5000, 5000)).toBe('high');
    expect(feeWeight(100_000n, 25_000n, 5000, 5000)).toBe('high');
    expect(feeWeight(100_000n, 25_001n, 5000, 5000)).toBe('typed');
    expect(feeWeight(100_000_000n, 10n, 50_000, 5000)).toBe('usual');
    expect(feeWeight(100_000_000n, 10n, 50_001, 5000)).toBe('typed');
    expect(feeWeight(100_000_000n, 10n, 50_001, null)).toBe('usual');
    expect(percentOf(5001n, 100_000n)).toBe('6\u202f%');
  });
});

describe('addresses', () => {
  const address = 'bcrt1pcswnqxn49vudlx6un50at52844uevuwkj2tj7v04e8har9k7tcrsng2vn5';

  it('come in groups of four with the first and last two to compare', () => {
    const groups = addressGroups(address);
    expect(groups.map(({ text }) => text).join('')).toBe(address);
    expect(groups.filter(({ key }) => key).map(({ text }) => text)).toEqual([
      groups[0]?.text,
      groups[1]?.text,
      groups.at(-2)?.text,
      groups.at(-1)?.text,
    ]);
    expect(shortText(address)).toBe(
      'bcrt 1pcs … g2vn 5'.replace(
        'g2vn 5',
        groups
          .slice(-2)
          .map((g) => g.text)
          .join(' '),
      ),
    );
  });

  it('short texts stay whole, and fingerprints pair their groups', () => {
    expect(shortText('abcdefgh')).toBe('abcd efgh');
    expect(fingerprintPairs('7c1e0b94a2d855f0')).toEqual(['7c1e 0b94', 'a2d8 55f0']);
  });

  it('are read from what was pasted, spaces or BIP-21 link', () => {
    expect(readTarget(' bc1p cswn\nqxn4 ')).toEqual({ address: 'bc1pcswnqxn4', amount: null });
    expect(readTarget('BITCOIN:bc1p?label=x')).toEqual({ address: 'bc1p', amount: null });
    expect(readTarget('bitcoin:bc1p?amount=0.001')).toEqual({ address: 'bc1p', amount: 100_000n });
    expect(readTarget('bitcoin:bc1p?req-pay=1')).toBeNull();
    expect(readTarget('bitcoin:bc1p?amount=1,5')).toBeNull();
    expect(readTarget('bitcoin:bc1p?amount=1&amount=2')).toBeNull();
  });
});

describe('times', () => {
  const now = Date.UTC(2026, 10, 20, 12, 0);
  it('are relative while it matters, then with weekday, then with year', () => {
    expect(momentText(now - 5000, now)).toBe('just now');
    expect(momentText(now - 4 * 60_000, now)).toBe('4 min ago');
    expect(momentText(now - 26 * 3_600_000, now, 'en-GB')).toMatch(/^Thu,? 19 Nov/);
    expect(momentText(now - 30 * 86_400_000, now, 'en-GB')).toContain('2026');
    expect(momentText(now + 86_400_000, now, 'en-GB')).toMatch(/^Sat,? 21 Nov/);
  });

  it('waits show two units', () => {
    expect([500, 20_000, 61_000, 63_720_000, 86_400_000, 180_000_000].map(waitText)).toEqual([
      '1 s',
      '20 s',
      '2 min',
      '17 h 42 min',
      '1 d',
      '2 d 2 h',
    ]);
    expect(tookText(212)).toBe('0.2 s');
  });
});

describe('password strength', () => {
  it('errs low on repeats, runs and keyboard rows', () => {
    expect(passwordStrength('short')).toBe(0);
    for (const easy of ['aaaaaaaaaaaa', '12345678901', 'qwertyuiop', 'password', 'abcdefghijkl']) {
      expect(passwordStrength(easy), easy).toBe(1);
    }
    expect(passwordStrength('correct horse battery staple')).toBeGreaterThanOrEqual(3);
    expect(passwordStrength('winter morning train')).toBeGreaterThanOrEqual(3);
  });
});
