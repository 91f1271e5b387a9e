import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cache, root } from '../../scripts/setup/paths.ts';
import type { Tally } from '../../scripts/vitestRun.ts';

const PLANTED = {
  'outcomes.test.ts': `
    import { afterAll, beforeAll, describe, expect, test } from 'vitest';
    test('passes', () => {});
    test('fails', () => expect(1).toBe(2));
    test.skip('skipped', () => {});
    describe('broken before', () => { beforeAll(() => { throw new Error('no node'); }); test('never ran', () => {}); });
    describe('broken after', () => { afterAll(() => { throw new Error('left over'); }); test('ran', () => {}); });`,
  'unloadable.test.ts': `throw new Error('no such module');`,
  'real.test.ts': `
    import { test } from 'vitest';
    import { describeReal } from '${root}/test/support/real.ts';
    await describeReal('a payment', ['chromium'], () => { test('is mined', () => {}); });`,
};

/** Runs the planted tests in a process of their own, as `npm test` does. */
async function tally(folder: string, filter: string, environment: Record<string, string>): Promise<Tally> {
  const script = `
    const { runTests } = await import(${JSON.stringify(join(root, 'scripts/vitestRun.ts'))});
    process.stdout.write(JSON.stringify(await runTests(${JSON.stringify(join(folder, 'config.ts'))}, ${JSON.stringify(filter)})));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    env: { ...process.env, ...environment },
    timeout: 100_000,
  });
  return JSON.parse(stdout.slice(stdout.indexOf('{"passed"')));
}

describe('the count of npm test', () => {
  let folder: string;
  beforeAll(async () => {
    await mkdir(cache, { recursive: true });
    folder = await mkdtemp(join(cache, 'planted-'));
    for (const [name, text] of Object.entries(PLANTED)) await writeFile(join(folder, name), text);
    await writeFile(
      join(folder, 'config.ts'),
      `export default { test: { include: ['${folder}/*.test.ts'] } };`,
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('each test counts once, and what a hook or a missing module kept from running has failed', async () => {
    const { passed, failed, skipped } = await tally(folder, 'outcomes', {});
    expect(passed).toBe(2);
    expect(failed.map((line) => line.split('\n')[0]!.split(' > ').slice(1).join(' > '))).toEqual([
      'fails',
      'broken before > never ran',
      'broken after',
    ]);
    expect(skipped).toHaveLength(1);
    const unloadable = await tally(folder, 'unloadable', {});
    expect(unloadable).toMatchObject({ passed: 0, failed: [expect.stringContaining('no such module')] });
  });

  test('no test at all is a failure', async () => {
    expect((await tally(folder, 'nothing-of-this-name', {})).failed).toHaveLength(1);
  });

  test('a missing part is named; its tests are skipped, and failed under CI', async () => {
    const without = { CHROMIUM: '/nowhere/chromium' };
    const elsewhere = await tally(folder, 'real', { ...without, CI: 'false' });
    expect(elsewhere).toMatchObject({ passed: 0, failed: [] });
    expect(elsewhere.skipped).toEqual([expect.stringMatching(/missing: Chromium.*is mined/)]);
    const ci = await tally(folder, 'real', { ...without, CI: 'true' });
    expect(ci).toMatchObject({ passed: 0, skipped: [] });
    expect(ci.failed).toEqual([expect.stringMatching(/is mined\nMissing: Chromium/)]);
  });
});
