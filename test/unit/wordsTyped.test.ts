/** The words are typed in two places only: where a wallet is made, and on the recovery page. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';

/** Files below a folder of the clone whose source matches. */
async function filesWith(folder: string, what: RegExp): Promise<string[]> {
  const files = (await readdir(join(root, folder), { recursive: true })).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const found = [];
  for (const file of files.sort())
    if (what.test(await readFile(join(root, folder, file), 'utf8'))) found.push(file);
  return found;
}

test('of all pages only setup and the recovery page have what reads words, and no room but recovery does', async () => {
  expect(await filesWith('entrypoints', /\/src\/recovery\//)).toEqual([
    'onboarding/main.tsx',
    'recovery/main.tsx',
  ]);
  expect(await filesWith('src', /from '@scure\/bip39/)).toEqual(['recovery/words.ts']);
  const asks = await filesWith('src/ui', /\bTypedWords\b/);
  expect(asks).toEqual(['onboarding/words.tsx', 'parts/words.tsx', 'recovery/page.tsx']);
});

test('no method of the port takes words', async () => {
  const port = await readFile(join(root, 'src/device/port.ts'), 'utf8');
  expect(port).toContain('export interface PortMethods');
  expect(port).not.toMatch(/\bwords\??: (?:string|readonly string)/);
});
