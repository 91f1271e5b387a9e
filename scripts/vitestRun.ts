import { startVitest, type TestCase, type TestModule, type TestSuite } from 'vitest/node';
import { root } from './setup/paths.ts';

/** What came of some tests. Each of the lists has a line or more a test: its name, and why. */
export interface Tally {
  passed: number;
  failed: string[];
  skipped: string[];
}

/** Told of each file as it ends: its path, what came of it, and how long it took in milliseconds. */
export type OnFile = (path: string, tally: Tally, ms: number) => void;

const nothing = (): Tally => ({ passed: 0, failed: [], skipped: [] });

/**
 * Runs the tests whose file paths contain `filter`, in this process's vitest, and counts each test once. Vitest
 * itself calls a test skipped whose `beforeAll` failed; here it is failed. No test at all is a failure too.
 */
export async function runTests(config: string, filter: string, onFile?: OnFile): Promise<Tally> {
  const tally = nothing();
  const before = process.exitCode;
  const vitest = await startVitest([filter], {
    root,
    config,
    watch: false,
    passWithNoTests: true,
    reporters: [
      {
        onTestModuleEnd(module) {
          const own = nothing();
          count(module, own);
          const { duration, collectDuration, setupDuration } = module.diagnostic();
          onFile?.(module.relativeModuleId, own, duration + collectDuration + setupDuration);
        },
        onTestRunEnd(modules, unhandled) {
          for (const module of modules) count(module, tally);
          for (const error of unhandled) tally.failed.push(`outside of any test\n${explain([error])}`);
        },
      },
    ],
  });
  await vitest.close();
  // Vitest speaks of failures by the exit code; the tally does it here.
  process.exitCode = before;
  if (tally.passed + tally.failed.length + tally.skipped.length === 0)
    tally.failed.push(`${filter}: no tests`);
  return tally;
}

function count(module: TestModule, tally: Tally): void {
  const told = new Set<TestSuite | TestModule>();
  for (const test of module.children.allTests()) {
    const name = `${module.relativeModuleId} > ${test.fullName}`;
    const { state, errors } = test.result();
    const broken = state === 'skipped' ? brokenAround(test) : undefined;
    if (state === 'passed') tally.passed += 1;
    else if (state === 'failed') tally.failed.push(`${name}\n${explain(errors)}`);
    else if (broken) tally.failed.push(`${name}\n${explain(broken.errors())}`);
    else if (state === 'skipped') tally.skipped.push(name);
    else tally.failed.push(`${name}\ndid not end`);
    if (broken) told.add(broken);
  }
  // A file that does not load has no tests, and where an `afterAll` failed all of them may have passed.
  for (const around of [module, ...module.children.allSuites()]) {
    if (around.errors().length === 0 || told.has(around)) continue;
    const name = around.type === 'module' ? '' : ` > ${around.fullName}`;
    tally.failed.push(`${module.relativeModuleId}${name}\n${explain(around.errors())}`);
  }
}

/** The nearest suite or file around a test that failed by its own hooks. */
function brokenAround(test: TestCase): TestSuite | TestModule | undefined {
  for (let around: TestSuite | TestModule = test.parent; ; around = around.parent) {
    if (around.errors().length > 0) return around;
    if (around.type === 'module') return undefined;
  }
}

/** The message and where it was thrown in our own files. */
function explain(errors: readonly { message: string; stacks?: { file: string; line: number }[] }[]): string {
  return errors
    .map(({ message, stacks = [] }) => {
      const ours = stacks.filter(({ file }) => !file.includes('node_modules')).slice(0, 4);
      return [message, ...ours.map(({ file, line }) => `  at ${file.replace(`${root}/`, '')}:${line}`)].join(
        '\n',
      );
    })
    .join('\n');
}
