/**
 * `npm run guards`: takes each guard of the lists beside this file out of a copy of the sources, one at a time, and runs the
 * test that stands for it there. It must go red, by an assertion: a guard whose loss nobody notices protects nobody.
 *
 *   --only EXPR   the guards whose number, file or test it fits, such as attack-07
 *   --quick       that every text and test is still there and every attack has a guard; takes out only a few
 *   --seed S      which few; by default the commit's hash. Printed
 *
 * The last line is `N guards, N unnoticed`. Two copies work side by side; before it, all their tests run unchanged and pass.
 */
import { parseArgs } from 'node:util';
import { run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { seededRandom } from '../support/parties.ts';
import { Copy } from './copy.ts';
import type { Guard } from './guard.ts';
import { GUARDS } from './guards.ts';

const FEW = 4;
const COPIES = 2;
const ATTACKS = 23;
/** How the test's own comparisons begin; those of promises come without their class. */
const ASSERTION = /^(AssertionError\b|Error: (expected|promise) )/;
/** What a change makes that does not take out a guard but the code around it. */
const BROKEN = /ReferenceError|SyntaxError|is not a function/;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
});

/** Everything that is wrong with the lists themselves: then nothing of them shows anything. */
async function mistakes(copy: Copy, guards: readonly Guard[]): Promise<string[]> {
  const wrong: string[] = [];
  for (let i = 1; i <= ATTACKS; i++) {
    const number = `attack-${String(i).padStart(2, '0')}`;
    if (!GUARDS.some((guard) => guard.number === number)) wrong.push(`${number} has no guard`);
  }
  const names = await copy.names([...new Set(guards.map(({ test }) => test.file))]);
  for (const { number, out, changes, test } of guards) {
    const of = `${number}, ${out}`;
    for (const change of changes) {
      const count = copy.count(change);
      if (count !== 1) wrong.push(`${of}: its text stands ${count} times in ${change.file}: ${change.text}`);
    }
    const named = names
      .get(test.file)!
      .filter((name) => name.endsWith(` > ${test.name}`) || name === test.name);
    if (named.length !== 1)
      wrong.push(`${of}: ${named.length} tests of this name in ${test.file}: ${test.name}`);
    else if (!named[0]!.includes(number)) wrong.push(`${of}: its test does not name it: ${named[0]}`);
  }
  return wrong;
}

/** Hands the jobs to the copies, each the next one that is left. */
async function share<T>(
  copies: readonly Copy[],
  jobs: readonly T[],
  work: (copy: Copy, job: T) => Promise<void>,
) {
  const left = [...jobs];
  await Promise.all(
    copies.map(async (copy) => {
      for (let job = left.shift(); job !== undefined; job = left.shift()) await work(copy, job);
    }),
  );
}

/** Takes the guard out. Gives why its loss went unnoticed, or nothing. */
async function take(copy: Copy, { changes, test, fails }: Guard): Promise<string> {
  const [ended] = await copy.without(changes, () => copy.test(test.file, [test.name]));
  const { state, why } = ended!;
  if (state === 'passed') return 'the test passes without it';
  if (state === 'did not run') return `the test did not run: ${why}`;
  if (BROKEN.test(why)) return `the change is no code: ${why}`;
  const shown = fails === undefined ? ASSERTION.test(why) : why.startsWith(fails);
  return shown ? '' : `red for another reason: ${why}`;
}

async function commitHash(): Promise<string> {
  const random = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);
  return run('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, deadlineMs: 10_000 }).catch(random);
}

/** Some of the guards, others for another seed. */
function few(guards: readonly Guard[], seed: string): Guard[] {
  const random = seededRandom(`guards/${seed}`);
  const lot = new Map(guards.map((guard) => [guard, new DataView(random(4).buffer).getUint32(0)]));
  return [...guards].sort((a, b) => lot.get(a)! - lot.get(b)!).slice(0, FEW);
}

const only = new RegExp(values.only);
const wanted = GUARDS.filter(({ number, changes, test }) =>
  [number, test.file, test.name, ...changes.map(({ file }) => file)].some((text) => only.test(text)),
);
if (wanted.length === 0) {
  console.error(`--only ${values.only}: no such guard`);
  process.exit(2);
}
const seed = (values.seed ?? (await commitHash())).trim();
if (values.quick) console.log(`seed ${seed}`);
const chosen = values.quick ? few(wanted, seed) : wanted;

const unnoticed: string[] = [];
const copies = Array.from({ length: COPIES }, () => new Copy());
process.on('exit', () => {
  for (const copy of copies) copy.remove();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const wrong = await mistakes(copies[0]!, wanted);
for (const line of wrong) console.log(`WRONG ${line}`);
unnoticed.push(...wrong);

const byFile = Map.groupBy(chosen, ({ test }) => test.file);
const red = new Set<string>();
await share(copies, [...byFile], async (copy, [file, guards]) => {
  const ended = await copy.test(file, [...new Set(guards.map(({ test }) => test.name))]);
  for (const { name, state, why } of ended) {
    if (state === 'passed') continue;
    red.add(`${file} ${name}`);
    console.log(`WRONG with every guard in place: ${name} ${state}: ${why}`);
    unnoticed.push(name);
  }
});

await share(copies, chosen, async (copy, guard) => {
  const { number, out, changes, test } = guard;
  if (red.has(`${test.file} ${test.name}`) || changes.some((change) => copy.count(change) !== 1)) return;
  const started = performance.now();
  const why = await take(copy, guard);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${number}  without ${out}: ${why === '' ? 'red' : `UNNOTICED, ${why}`} (${seconds} s)`);
  if (why === '') return;
  console.log(`           ${changes.map(({ file }) => file).join(', ')}; ${test.file} > ${test.name}`);
  unnoticed.push(out);
});
const all = values.quick ? ` of ${GUARDS.length}` : '';
console.log(`\n${chosen.length}${all} guards, ${unnoticed.length} unnoticed`);
process.exit(unnoticed.length === 0 ? 0 : 1);
