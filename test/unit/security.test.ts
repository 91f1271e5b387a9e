/** SECURITY.md claims what tests show: each test that it names is one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';

const page = readFileSync(join(root, 'SECURITY.md'), 'utf8');
/** A file in backquotes, then the title of a test in it in curly quotes. */
const named = [...page.matchAll(/`(test\/[\w/]+\.test\.ts)` “([^”]+)”/g)].map(([, file, title]) => ({
  file: file!,
  title: title!,
}));

/** Whether a test, or a table of tests, has exactly this title in a file's source. */
const holds = (source: string, title: string): boolean =>
  ["'", '"', '`'].some((quote) =>
    ['test(', ')('].some((call) => source.includes(`${call}${quote}${title}${quote},`)),
  );

describe('SECURITY.md', () => {
  test('each row names a test, or says that it is not shown', () => {
    const rows = page.split('\n').filter((line) => /^\| (?!compromised)/.test(line));
    expect(rows).toHaveLength(11);
    for (const row of rows) expect(row).toMatch(/“|\*not yet shown\*|– \|$/);
    expect(named.length).toBeGreaterThan(20);
  });

  test.each(named)('$file: $title', ({ file, title }) => {
    expect(holds(readFileSync(join(root, file), 'utf8'), title)).toBe(true);
  });

  test('control: a title that no test has is found', () => {
    const { file, title } = named[0]!;
    expect(holds(readFileSync(join(root, file), 'utf8'), `${title}, and more`)).toBe(false);
  });
});
