import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readVectors } from './vectors.ts';

const data = fileURLToPath(new URL('./data/', import.meta.url));
const files = readdirSync(data, { recursive: true, encoding: 'utf8' })
  .filter((path) => statSync(data + path).isFile() && !path.endsWith('.md'))
  .filter((path) => readVectors('shared', path) !== undefined);

/** `part` is `whole` or is left after taking members out of its arrays and objects. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part) && Array.isArray(whole)) {
    let from = 0;
    return part.every((item) => {
      const at = whole.findIndex((other, i) => i >= from && isPartOf(item, other));
      from = at + 1;
      return at >= 0;
    });
  }
  if (typeof part === 'object' && part !== null && typeof whole === 'object' && whole !== null) {
    return Object.entries(part).every(([k, v]) => isPartOf(v, (whole as Record<string, unknown>)[k]));
  }
  return part === whole;
}

test('a part is told from what is none', () => {
  expect(isPartOf({ a: [1, 3] }, { a: [1, 2, 3], b: 0 })).toBe(true);
  expect(isPartOf({ a: [3, 1] }, { a: [1, 2, 3], b: 0 })).toBe(false);
  expect(isPartOf({ a: [1, 4] }, { a: [1, 2, 3], b: 0 })).toBe(false);
});

test.runIf(files.length > 0)("the project's own vectors are the full sets or parts of them", () => {
  for (const path of files) {
    const own = readVectors('own', path)!;
    const full = readVectors('shared', path)!;
    if (!path.endsWith('.json')) {
      expect([path, own === full]).toEqual([path, true]);
      continue;
    }
    const part = JSON.parse(own) as Record<string, unknown>;
    delete part.numberOfTests;
    expect([path, isPartOf(part, JSON.parse(full))]).toEqual([path, true]);
  }
});
