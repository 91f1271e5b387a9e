/** `node scripts/protocol.ts`: brings the tables of docs/protocol.md up to the code, and names the rows that lack a meaning. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tablesOfCode, withTables } from './protocol/tables.ts';
import { root } from './setup/paths.ts';

const path = join(root, 'docs/protocol.md');
const tables = await tablesOfCode();
const { text, names, unexplained } = withTables(await readFile(path, 'utf8'), tables);
await writeFile(path, text);
for (const name of tables.keys())
  if (!names.includes(name)) console.log(`table ${name}: not in the document`);
for (const row of unexplained) console.log(`no meaning: ${row}`);
