/**
 * `npm test`: every check and test, one progress line each; the last line is `N passed, N failed`. With names
 * (`npm test -- types unit e2e`), only those.
 */
import { step } from './progress.ts';
import { getBitcoind } from './setup/bitcoind.ts';
import { localTls } from './setup/ca.ts';
import { run } from './setup/command.ts';
import { Missing } from './setup/missing.ts';
import { root } from './setup/paths.ts';
import { getPostgres } from './setup/postgres.ts';
import { CERTUTIL, CHROMIUM, FIREFOX, getTool } from './setup/tools.ts';
import { type OnFile, runTests, type Tally } from './vitestRun.ts';

const MINUTE = 60_000;

/** Checks that pass or fail as one: the names of npm scripts. */
const CHECKS = ['types', 'lint', 'rules', 'unused', 'wasm', 'build'];
/** Heavier runs with commands of their own, in their short form: the names of npm scripts and what they are given. */
const SHORT_RUNS: Record<string, readonly string[]> = {
  // Minutes on one core, and what it measures it compares with itself: those after it run on the other one meanwhile.
  'test:timing': ['--samples', '100000'],
  'test:peers': ['--count', '1000'],
  // The same cases each time: what a fresh seed finds is for those who run it by itself.
  fuzz: ['--quick', '--seed', '1'],
  crash: ['--quick', '--seed', '1'],
  // Others for each commit: it takes them out one after the other.
  guards: ['--quick'],
};
/** Listens for differences of microseconds in another process, so it runs alone. */
const ALONE = 'test:answers';
/** Folders under test/, run side by side within each. */
const GROUPS = ['unit', 'vectors', 'property', 'conformance'];
/** The folders under test/ whose files use browsers, node and cosigner: two at a time, a line each. */
const END_TO_END = ['e2e', 'fault'];

const total: Tally = { passed: 0, failed: [], skipped: [] };

function add(tally: Tally): void {
  total.passed += tally.passed;
  total.failed.push(...tally.failed);
  total.skipped.push(...tally.skipped);
}

const summary = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;

/** Gets a part of the machine. Without it the tests that need it speak for themselves (test/support/real.ts). */
function part(name: string, get: () => Promise<unknown>): Promise<unknown> {
  const getOrSay = () =>
    get().catch((error) => {
      if (error instanceof Missing) return error.message;
      throw error;
    });
  return step(name, getOrSay, (got) => (typeof got === 'string' ? got : 'here'));
}

async function check(name: string, args: readonly string[] = [], when?: 'ended'): Promise<void> {
  const command = ['run', '--silent', name, ...(args.length > 0 ? ['--', ...args] : [])];
  try {
    const work = () => run('npm', command, { cwd: root, deadlineMs: 45 * MINUTE });
    await step([name, ...args].join(' '), work, undefined, when);
    add({ passed: 1, failed: [], skipped: [] });
  } catch (error) {
    add({ passed: 0, failed: [`${name}\n${(error as Error).message}`], skipped: [] });
  }
}

async function tests(name: string, config: string, filter: string): Promise<void> {
  const tally = await step(name, () => runTests(config, filter), summary);
  add(tally);
}

const wanted = process.argv.slice(2);
const all = [...CHECKS, ...GROUPS, ...Object.keys(SHORT_RUNS), ALONE, ...END_TO_END];
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`No such tests: ${unknown.join(', ')}. There are: ${all.join(', ')}`);
  process.exit(2);
}
const chosen = new Set(wanted.length > 0 ? wanted : all);

try {
  const real = END_TO_END.filter((name) => chosen.has(name));
  if (real.length > 0) {
    await part('Bitcoin node', async () => (await getBitcoind()).version);
    for (const tool of [CHROMIUM, FIREFOX, CERTUTIL]) await part(tool.name, () => getTool(tool));
    await part('TLS certificate', localTls);
  }
  if (real.length > 0 || chosen.has('conformance')) await part('PostgreSQL', getPostgres);
  for (const name of CHECKS) if (chosen.has(name)) await check(name);
  for (const name of GROUPS) if (chosen.has(name)) await tests(name, 'vitest.config.ts', `test/${name}/`);
  const [longest, ...others] = Object.entries(SHORT_RUNS).filter(([name]) => chosen.has(name));
  const beside = longest === undefined ? undefined : check(...longest, 'ended');
  for (const [name, args] of others) await check(name, args, 'ended');
  await beside;
  if (chosen.has(ALONE)) await check(ALONE);
  for (const folder of real) {
    const ended: OnFile = (path, tally, ms) =>
      console.log(`${path} … ${summary(tally)} (${(ms / 1000).toFixed(1)} s)`);
    add(await runTests('vitest.e2e.config.ts', `test/${folder}/`, ended));
  }
} catch (error) {
  add({ passed: 0, failed: [`npm test itself\n${(error as Error).stack}`], skipped: [] });
}

for (const skipped of total.skipped) console.log(`\nSKIPPED ${skipped}`);
for (const failed of total.failed) console.log(`\nFAILED ${failed}`);
console.log(`\n${summary(total)}`);
process.exit(total.failed.length === 0 ? 0 : 1);
