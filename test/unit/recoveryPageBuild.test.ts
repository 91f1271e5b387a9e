import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recoveryPage } from '../../scripts/recoveryPage.ts';
import { run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the recovery page as it is built', () => {
  let page: string;
  let elsewhere: string;
  beforeAll(async () => {
    page = await recoveryPage();
    elsewhere = await mkdtemp(join(tmpdir(), 'hoarfrost-elsewhere-'));
  });
  afterAll(() => rm(elsewhere, { recursive: true, force: true }));

  test('is the same bytes again, and from a clone in another place', async () => {
    const again = await recoveryPage();
    expect(hashOf(again)).toBe(hashOf(page));
    for (const part of ['src', 'entrypoints', 'package.json', 'tsconfig.json'])
      await cp(join(root, part), join(elsewhere, part), { recursive: true });
    await symlink(join(root, 'node_modules'), join(elsewhere, 'node_modules'));
    expect(hashOf(await recoveryPage(elsewhere))).toBe(hashOf(page));
  }, 120_000);

  test('is what `npm run build` makes, whose hash is the last line it prints', async () => {
    const said = await run(process.execPath, [join(root, 'scripts/recoveryPage.ts')], { deadlineMs: 60_000 });
    expect(said.trim().split('\n').at(-1)).toBe(`sha256 ${hashOf(page)}`);
    expect(hashOf(await readFile(join(root, '.output/hoarfrost-recovery.html'), 'utf8'))).toBe(hashOf(page));
  });

  test('names nothing of the machine that built it, and loads nothing', () => {
    const named = [root, elsewhere, '.tsx', 'sourceMappingURL', 'import(', 'node_modules', '<script src'];
    expect(named.filter((name) => page.includes(name))).toEqual([]);
    expect([...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, to]) => to)).toEqual(['data:,']);
  });

  test('allows its own script and style by their hashes, wasm, and nothing else', () => {
    const hash = (tag: string) => {
      const [, text] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)!;
      return `'sha256-${createHash('sha256').update(text!).digest('base64')}'`;
    };
    const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)!;
    expect(policy!.split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${hash('script')} 'wasm-unsafe-eval'`,
      `style-src ${hash('style')}`,
      'img-src data:',
      "connect-src 'none'",
      "form-action 'none'",
      "base-uri 'none'",
    ]);
    // It stands before anything that it governs.
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style>'));
  });
});
