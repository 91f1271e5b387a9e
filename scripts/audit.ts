/**
 * `npm run audit`: the rows of docs/audit.json, each with the tests that show it. A row without a test, or of which something is
 * not built yet, is open, and then the command fails. `node scripts/audit.ts FOLDER` reads the tests of another folder.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './setup/paths.ts';

interface Row {
  number: string;
  finding: string;
  holds: string;
  open?: string;
}

/** The title of a test or a group of tests that begins on this line, whatever it was made with. */
const TITLE = /^\s*(?:await\s+)?(?:(?:test|describe)\w*[.(]|\]+\)\()[^'"`]*(['"`])(.*?)\1/;

function testsIn(folder: string): { row: string; place: string; title: string }[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  return files.sort().flatMap((file) => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n');
    return lines.flatMap((line, i) => {
      const title = TITLE.exec(line)?.[2] ?? '';
      const place = `${relative(root, join(folder, file))}:${i + 1}`;
      return [...title.matchAll(/\baudit-(\d\d)\b/g)].map(([, row]) => ({ row: row!, place, title }));
    });
  });
}

const { rows } = JSON.parse(readFileSync(join(root, 'docs/audit.json'), 'utf8')) as { rows: Row[] };
const tests = testsIn(process.argv[2] ?? join(root, 'test'));
const open: string[] = [];
for (const { number, finding, holds, open: missing } of rows) {
  const shown = tests.filter(({ row }) => row === number);
  const state = shown.length === 0 ? 'no test' : missing === undefined ? '' : `not built: ${missing}`;
  if (state !== '') open.push(number);
  console.log(`${number}  ${finding}\n    here: ${holds}`);
  if (state !== '') console.log(`    OPEN  ${state}`);
  for (const { place, title } of shown) console.log(`    ${place}  ${title}`);
}
const strays = tests.filter(({ row }) => !rows.some(({ number }) => number === row));
for (const { place, row } of strays) console.log(`${place}  names row ${row}, which is none`);
console.log(
  `\n${rows.length} rows, ${rows.length - open.length} shown, ${open.length} open${open.length > 0 ? `: ${open.join(' ')}` : ''}`,
);
process.exit(open.length + strays.length > 0 ? 1 : 0);
