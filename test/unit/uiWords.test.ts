import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/protocol/errors.ts';
import { ALL_CODES, ruleWords, wordsFor } from '../../src/ui/words.ts';

describe('what every error says', () => {
  it.each(ALL_CODES)('%s: what happened, what is safe, what to do next', (code) => {
    const { happened, safe, next } = wordsFor(code);
    for (const sentence of [happened, safe, next]) {
      expect(sentence).toMatch(/^[A-Z].*[.:?]$/);
      expect(sentence).not.toMatch(/!|\b(oops|successfully|please|simply|we|error)\b/i);
      expect(sentence).not.toMatch(/\b(nonce|PSBT|sighash|shard|key part)\b/i);
      expect(sentence).not.toContain(code);
    }
  });

  it('names the rules that policy/evaluate names', () => {
    expect(ruleWords('window:0')).toBe('over daily limit');
    const all = [
      'window:1',
      'perTransaction',
      'feeAbsolute',
      'feeRate',
      'payees',
      'frozen',
      'unseen',
      'hold',
    ].map(ruleWords);
    expect(new Set(all).size).toBe(all.length);
    expect(all).not.toContain(ruleWords('a rule of the future'));
  });

  it('has words for a code it does not know', () => {
    expect(wordsFor('FromTheFuture' as ErrorCode)).toEqual(wordsFor('Internal'));
    expect(wordsFor('constructor' as ErrorCode)).toEqual(wordsFor('Internal'));
    expect(ruleWords('constructor')).toBe(ruleWords('a rule of the future'));
  });
});
