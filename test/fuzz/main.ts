/**
 * `npm run fuzz`: 10^5 cases over everything that reads what others wrote, and garbage against a listening cosigner.
 *
 *   --cases N    how many in all (10^8 is the long form); --quick is 10^5, the default
 *   --seed N     which ones; printed, and the same seed gives the same cases
 *   --target T   only the targets whose names contain T ('server' is the listening cosigner)
 *   --from N     first case of each target: with --cases 1, one finding again
 */
import { parseArgs } from 'node:util';
import { messageCodecs } from '../../scripts/protocol/tables.ts';
import { byteTargets, codecTarget } from './bytes.ts';
import { ceremonyTargets } from './ceremony.ts';
import { psbts } from './psbts.ts';
import { type Finding, fuzz } from './run.ts';
import { fuzzServer } from './server.ts';

const QUICK = 100_000;
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    cases: { type: 'string' },
    seed: { type: 'string' },
    target: { type: 'string', default: '' },
    from: { type: 'string', default: '0' },
  },
});
const cases = Number(values.cases ?? QUICK);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const from = Number(values.from);
if (![cases, seed, from].every((n) => Number.isSafeInteger(n) && n >= 0)) {
  console.error('--cases, --seed and --from are whole numbers');
  process.exit(2);
}
console.log(`seed ${seed}`);

const codecs = [...(await messageCodecs())].map(([name, codec]) => codecTarget(name, codec));
const targets = [...codecs, ...byteTargets, psbts, ...ceremonyTargets].filter(({ name }) =>
  name.includes(values.target),
);
const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
const findings: Finding[] = [];
let run = 0;
for (const target of targets) {
  const share = Math.max(1, Math.ceil((cases * target.weight) / weights));
  const started = performance.now();
  const outcome = await fuzz(target, share, seed, from);
  run += outcome.cases;
  findings.push(...outcome.findings);
  const refusals = Object.entries(outcome.refused).map(([code, n]) => `${code} ${n}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${target.name}: ${outcome.cases} in ${seconds} s, ${outcome.accepted} taken; ${refusals.join(', ')}`,
  );
}
for (const { target, index, what, input } of findings)
  console.log(`\nFOUND in ${target}, case ${index}: ${what}\n  input ${input.slice(0, 4000)}`);

let surprises: string[] = [];
if ('server'.includes(values.target)) {
  const connections = Math.min(20_000, Math.max(100, Math.round(cases / 500)));
  surprises = await fuzzServer(connections, seed);
  console.log(`server: ${connections} connections`);
  for (const what of surprises) console.log(`\nFOUND in server: ${what}`);
}
console.log(`\n${run} cases, ${findings.length + surprises.length} findings`);
process.exitCode = findings.length + surprises.length > 0 || targets.length + surprises.length === 0 ? 1 : 0;
