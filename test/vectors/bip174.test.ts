import { hex } from '@scure/base';
import { expect, test } from 'vitest';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { vectorJson } from './vectors.ts';

interface Case {
  category: string;
  case: string;
  hex: string;
}

/** A category stands with the first of its cases only. */
function cases(file: string): Case[] {
  let category = '';
  return vectorJson<{ cases: Case[] }>(file)
    .cases.map((entry) => {
      category = entry.category || category;
      return { ...entry, category };
    })
    .filter((entry) => entry.category.startsWith('The following are'));
}

for (const [bip, file, counts] of [
  ['BIP-174', 'bips/bip0174.json', { invalid: 20, valid: 10 }],
  ['BIP-371', 'bips/bip0371.json', { invalid: 11, valid: 6 }],
] as const) {
  const invalid = cases(file).filter(({ category }) => category.includes('invalid'));
  const valid = cases(file).filter(({ category }) => !category.includes('invalid'));

  test(`${bip}: the vectors are all there`, () => {
    expect({ invalid: invalid.length, valid: valid.length }).toEqual(counts);
  });

  test.each(invalid)(`${bip}, invalid: $case`, (entry) => {
    expect(() => parsePsbt(hex.decode(entry.hex))).toThrow('BadPsbt');
  });

  test.each(valid)(`${bip}, valid: $case`, (entry) => {
    parsePsbt(hex.decode(entry.hex));
  });
}
