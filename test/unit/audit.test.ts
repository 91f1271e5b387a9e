/** The checks that watch the house are watched: the map of the audit, the search for dead code, the one script. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cache, root } from '../../scripts/setup/paths.ts';

const read = (name: string) => readFileSync(join(root, name), 'utf8');
let folder: string;
beforeEach(() => {
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'audit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 100_000,
  });

describe('npm run audit', () => {
  const { rows } = JSON.parse(read('docs/audit.json')) as { rows: { number: string; open?: string }[] };

  test('has the 30 rows, and fails for each that no test names', () => {
    expect(rows.map(({ number }) => number)).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i + 1).padStart(2, '0')),
    );
    const { status, stdout } = run('scripts/audit.ts', folder);
    expect(status).toBe(1);
    expect(stdout).toContain('30 rows, 0 shown, 30 open');
  });

  test('counts names of tests and groups alone, and says what a row lacks', () => {
    const titles = [
      "test('audit-01 a', () => {});",
      "describe('audit-02, audit-03: b', () => {});",
      "  test.each([1, 2])('audit-04 %i', () => {});",
      "  ])('audit-05 c', () => {});",
      "await describeReal('audit-06 d', ['chromium'], () => {});",
      '// audit-08 in a comment',
      "const name = 'audit-09';",
    ];
    writeFileSync(join(folder, 'planted.test.ts'), titles.join('\n'));
    writeFileSync(join(folder, 'notATest.ts'), "test('audit-10', () => {});");
    const { status, stdout } = run('scripts/audit.ts', folder);
    expect(status).toBe(1);
    expect(stdout).toMatch(/30 rows, 6 shown, 24 open: 07 08 09 10 /);
    writeFileSync(join(folder, 'planted.test.ts'), "test('audit-31', () => {});");
    expect(run('scripts/audit.ts', folder).stdout).toContain('names row 31, which is none');
  });

  test('passes when every row is shown and nothing is open', () => {
    const all = rows.map(({ number }) => `test('audit-${number}', () => {});`);
    writeFileSync(join(folder, 'planted.test.ts'), all.join('\n'));
    const unbuilt = rows.some(({ open }) => open !== undefined);
    expect(run('scripts/audit.ts', folder).status).toBe(unbuilt ? 1 : 0);
  });
});

describe('audit-15 one script runs everything', () => {
  test('.ci/run is npm test, which the README names', () => {
    expect(read('.ci/run')).toMatch(/^CI=true exec npm test$/m);
    expect(statSync(join(root, '.ci/run')).mode & 0o111).not.toBe(0);
    expect(read('README.md')).toContain('npm test ');
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts.test).toBe('exec node scripts/run.mjs test');
  });

  test('it runs every folder that has tests', () => {
    const script = read('scripts/test.ts');
    const folders = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => name.split('/')[0]!);
    expect(new Set(folders).size).toBeGreaterThan(3);
    for (const name of new Set(folders)) expect(script).toContain(`'${name}'`);
  });
});

describe('audit-21 dead code', () => {
  test('an export that nobody uses is found, by a check that npm test runs', () => {
    const knip = (text: string) => {
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'planted', type: 'module' }));
      writeFileSync(join(folder, 'knip.json'), JSON.stringify({ entry: ['main.ts'], project: ['*.ts'] }));
      writeFileSync(join(folder, 'main.ts'), "import { used } from './other.ts';\nused();\n");
      writeFileSync(join(folder, 'other.ts'), text);
      return run('node_modules/knip/bin/knip.js', '--directory', folder, '--no-progress');
    };
    expect(knip('export function used() {}\n').status).toBe(0);
    const { status, stdout } = knip('export function used() {}\nexport function dead() {}\n');
    expect([status, stdout.includes('dead')]).toEqual([1, true]);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts.unused).toBe('knip');
    expect(read('scripts/test.ts')).toMatch(/CHECKS = \[[^\]]*'unused'/);
  });
});
