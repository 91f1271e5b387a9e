/**
 * The tables of docs/protocol.md, drawn from the code's own codecs, limits and errors. The last column is written by hand and
 * kept: everything to its left is the code's, and a row without it is an unfinished document.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Codec, Shape } from '../../src/protocol/codec.ts';
import { CLOSE } from '../../src/protocol/frames.ts';
import * as limits from '../../src/protocol/limits.ts';
import { NETWORKS } from '../../src/protocol/networks.ts';
import { root } from '../setup/paths.ts';

/** What the code says in a row; its meaning is the document's. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const START = /^<!-- table (\S+) -->$/;
const END = '<!-- end -->';

/** Every table that the document must have, by name. */
export async function tablesOfCode(): Promise<Map<string, Table>> {
  const tables = new Map<string, Table>();
  const codecs = await messageCodecs();
  const names = new Map([...codecs].map(([name, { shape }]) => [shape, name]));
  for (const [name, { shape }] of codecs) tables.set(name, tableOf(shape, names));
  tables.set('limits', {
    head: ['limit', 'value'],
    // A module's names come in another order from every loader.
    rows: Object.entries(limits)
      .map(([name, value]) => [name, String(value)])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  });
  tables.set('close', {
    head: ['code', 'name'],
    rows: Object.entries(CLOSE).map(([name, code]) => [String(code), name]),
  });
  tables.set('networks', {
    head: ['byte', 'network'],
    rows: NETWORKS.map((name, i) => [String(i), name]),
  });
  tables.set('errors', { head: ['code'], rows: (await errorCodes()).map((code) => [code]) });
  return tables;
}

/** All structs and unions that protocol and policy export: what they do not export is part of one of them. */
export async function messageCodecs(): Promise<Map<string, Codec<unknown>>> {
  const found = new Map<string, Codec<unknown>>();
  for (const folder of ['src/protocol', 'src/policy']) {
    for (const file of (await readdir(join(root, folder))).filter((name) => name.endsWith('.ts')).sort()) {
      const module: Record<string, unknown> = await import(join(root, folder, file));
      for (const [name, value] of Object.entries(module)) if (isMessage(value)) found.set(name, value);
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isMessage(value: unknown): value is Codec<unknown> {
  const { shape } = (typeof value === 'object' && value !== null ? value : {}) as { shape?: Shape };
  return shape !== undefined && (shape.is === 'struct' || shape.is === 'union');
}

/** A type alone has no values at run time, so the union's own text is read. */
async function errorCodes(): Promise<string[]> {
  const text = await readFile(join(root, 'src/protocol/errors.ts'), 'utf8');
  const union = text.slice(text.indexOf('export type ErrorCode ='), text.indexOf(';', text.indexOf('| ')));
  return [...union.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code!);
}

/** Rooms whose tags two parties must agree on; what a party hashes for itself alone is its own affair. */
const SHARED = /^(?:protocol|crypto|frost|bitcoin|policy|recovery)\//;

/** Every tag of a tagged hash and every context string that parties share. */
export async function tagsOfCode(): Promise<Set<string>> {
  const tags = new Set<string>();
  for (const file of await readdir(join(root, 'src'), { recursive: true })) {
    if (!SHARED.test(file) || !file.endsWith('.ts')) continue;
    const text = await readFile(join(root, 'src', file), 'utf8');
    for (const [, tag] of text.matchAll(/'(hoarfrost\/[a-z0-9/-]+)'/g)) tags.add(tag!);
    // One tag a step of keygen is put together from the step's name.
    for (const [, kind] of text.matchAll(/type Kind = ((?:'\w+'(?: \| )?)+);/g))
      for (const [, step] of kind!.matchAll(/'(\w+)'/g)) tags.add(`hoarfrost/keygen-${step}`);
  }
  return tags;
}

function tableOf(shape: Shape, names: Names): Table {
  if (shape.is === 'union') {
    const rows = Object.entries(shape.parts).flatMap(([kind, body], tag) => {
      const fields = body.is === 'struct' ? Object.entries(body.parts) : [];
      if (fields.length === 0) return [[String(tag), kind, '–', '–']];
      return fields.map(([field, inner]) => [String(tag), kind, field, spell(inner, names)]);
    });
    return { head: ['tag', 'variant', 'field', 'encoding'], rows };
  }
  const fields = shape.is === 'struct' ? Object.entries(shape.parts) : [];
  return { head: ['field', 'encoding'], rows: fields.map(([field, inner]) => [field, spell(inner, names)]) };
}

/** Messages that have a table of their own are called by their name. */
type Names = ReadonlyMap<Shape, string>;

/** The encoding in the document's own words (its section "Encoding"). */
function spell(shape: Shape, names: Names): string {
  const inside = (part: Shape) => spell(part, names);
  const name = names.get(shape);
  if (name !== undefined) return `\`${name}\``;
  switch (shape.is) {
    case 'uint':
      return `u${8 * shape.size}`;
    case 'time':
    case 'bool':
      return shape.is;
    case 'bytes':
      return `${shape.length} bytes`;
    case 'blob':
    case 'text':
      return `${shape.is} ≤ ${shape.max}`;
    case 'oneOf':
      return `one of ${shape.names.join(', ')}`;
    case 'option':
      return `option of ${inside(shape.inner)}`;
    case 'list':
      return `list ≤ ${shape.max} of ${inside(shape.inner)}`;
    case 'tuple':
      return `${shape.count} × ${inside(shape.inner)}`;
    case 'struct':
      return `{${Object.entries(shape.parts)
        .map(([field, part]) => `${field}: ${inside(part)}`)
        .join('; ')}}`;
    case 'union':
      return `union of ${Object.entries(shape.parts)
        .map(([variant, part], tag) => `${tag} ${variant} ${inside(part)}`)
        .join(' / ')}`;
  }
}

export interface Documented {
  /** The document with every table as the code has it, meanings kept. */
  readonly text: string;
  readonly names: readonly string[];
  /** Rows that nobody has explained. */
  readonly unexplained: readonly string[];
}

/** Puts the code's tables where the document has theirs. A marker of an unknown table is an error. */
export function withTables(text: string, tables: ReadonlyMap<string, Table>): Documented {
  const out: string[] = [];
  const names: string[] = [];
  const unexplained: string[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    out.push(lines[i]!);
    const name = START.exec(lines[i]!)?.[1];
    if (name === undefined) continue;
    const table = tables.get(name);
    const end = lines.indexOf(END, i);
    if (table === undefined || end < 0) throw new Error(`table ${name}: not of the code, or without an end`);
    const meanings = new Map<string, string>();
    for (const line of lines.slice(i + 1, end)) {
      const cells = line.split('|').map((cell) => cell.trim());
      meanings.set(keyOf(cells.slice(1, -2), table), cells.at(-2) ?? '');
    }
    names.push(name);
    out.push(`| ${[...table.head, 'meaning'].join(' | ')} |`, `|${'---|'.repeat(table.head.length + 1)}`);
    for (const row of table.rows) {
      const meaning = meanings.get(keyOf(row, table)) ?? '';
      if (meaning === '') unexplained.push(`${name}: ${row.join(' ')}`);
      out.push(`| ${[...row, meaning].join(' | ')} |`);
    }
    out.push(END);
    i = end;
  }
  return { text: out.join('\n'), names, unexplained };
}

/** What a meaning belongs to: the names of a row, not their tag, value or encoding. */
function keyOf(row: readonly string[], { head }: Table): string {
  const named = head.includes('variant')
    ? [row[1], row[2]]
    : head[0] === 'code' || head[0] === 'byte'
      ? row
      : [row[0]];
  return named.join(' ');
}
