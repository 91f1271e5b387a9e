/**
 * A rough guess at how hard a password is to guess, for the meter only. It errs low: repeats, runs and keyboard rows
 * count little. What is refused is the device's to say, except that too easy ones are not even sent there.
 */

export type Strength = 0 | 1 | 2 | 3 | 4;

export const STRENGTH_WORDS: Record<Strength, string> = {
  0: 'Too short.',
  1: 'Easy to guess.',
  2: 'Fair.',
  3: 'Strong.',
  4: 'Very strong.',
};

const SHORTEST = 8;
const ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  '0123456789',
  'password',
  'hoarfrost',
];

export function passwordStrength(password: string): Strength {
  const letters = [...password];
  if (letters.length < SHORTEST) return 0;
  const bits = guessedBits(letters);
  if (bits < 28) return 1;
  if (bits < 45) return 2;
  return bits < 65 ? 3 : 4;
}

function guessedBits(letters: string[]): number {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) =>
    letters.some((c) => kind.test(c)),
  );
  const perLetter = [0, 3, 3.6, 4.2, 4.8][kinds.length] ?? 3;
  const seen = new Map<string, number>();
  let bits = 0;
  for (const [i, letter] of letters.entries()) {
    const times = seen.get(letter) ?? 0;
    seen.set(letter, times + 1);
    // A letter that goes on where the one before left off, or came often, is hardly a choice.
    const expected = i > 0 && follows(letters[i - 1] ?? '', letter);
    bits += expected ? 0.5 : perLetter / (1 + times * 0.35);
  }
  return bits;
}

function follows(before: string, letter: string): boolean {
  const [a, b] = [before.toLowerCase(), letter.toLowerCase()];
  if (a === b) return true;
  return ROWS.some((row) => row.includes(a + b) || row.includes(b + a));
}
