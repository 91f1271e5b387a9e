import { existsSync, readFileSync } from 'node:fs';

const shared = new URL('../../../shared/vectors/', import.meta.url);
const own = new URL('./data/', import.meta.url);

export type VectorSource = 'shared' | 'own';

/** The bytes of a vector file as text; undefined when that source does not have it. */
export function readVectors(source: VectorSource, path: string): string | undefined {
  const url = new URL(path, source === 'shared' ? shared : own);
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined;
}

/** The full set where it stands beside the repository, otherwise the project's own part of it (data/PROVENANCE.md). */
export function vectorText(path: string): string {
  const text = readVectors('shared', path) ?? readVectors('own', path);
  if (text === undefined) throw new Error(`no vectors at ${path}`);
  return text;
}

export function vectorJson<T>(path: string): T {
  return JSON.parse(vectorText(path)) as T;
}
