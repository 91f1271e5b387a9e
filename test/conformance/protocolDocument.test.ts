/** docs/protocol.md against the code that it describes: neither may say more than the other. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Table, tablesOfCode, tagsOfCode, withTables } from '../../scripts/protocol/tables.ts';
import { root } from '../../scripts/setup/paths.ts';

let document: string;
let tables: Map<string, Table>;

beforeAll(async () => {
  document = await readFile(join(root, 'docs/protocol.md'), 'utf8');
  tables = await tablesOfCode();
});

describe('docs/protocol.md', () => {
  test('has a table for every message, limit, close code, network and error of the code', () => {
    expect([...withTables(document, tables).names].sort()).toEqual([...tables.keys()].sort());
    for (const name of ['request', 'answer', 'keygenHello', 'signBody', 'limits', 'errors'])
      expect(tables.get(name)!.rows.length).toBeGreaterThan(3);
  });

  test('says of each variant, field, limit and error what the code does (else: node scripts/protocol.ts)', () => {
    expect(withTables(document, tables).text).toBe(document);
  });

  test('explains every row', () => {
    expect(withTables(document, tables).unexplained).toEqual([]);
  });

  test('names every tag and context of the code, and no other', async () => {
    const named = new Set([...document.matchAll(/`(hoarfrost\/[a-z0-9/-]+)`/g)].map(([, tag]) => tag!));
    expect([...named].sort()).toEqual([...(await tagsOfCode())].sort());
  });

  test('a field or an error that is gone from it, or is not of the code, shows', () => {
    const broken = [
      document.replace(/^\| commitments \|.*\n/m, ''),
      document.replace(/^(\| commitments \|)/m, '| surprise | u8 | nobody knows |\n$1'),
      document.replace(/^\| AttemptBurned \|.*\n/m, ''),
      document.replace(/\| INPUTS_MAX \| 500/, '| INPUTS_MAX | 5000'),
      document.replace(/\| 7 \| sign \| proof \| 64 bytes/, '| 7 | sign | proof | 65 bytes'),
    ];
    for (const text of broken) {
      expect(text).not.toBe(document);
      expect(withTables(text, tables).text).not.toBe(text);
    }
    const unexplained = document.replace(/^(\| AttemptBurned \|).*$/m, '$1  |');
    expect(withTables(unexplained, tables).unexplained).toEqual(['errors: AttemptBurned']);
  });
});
