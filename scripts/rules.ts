/**
 * `npm run rules`: who may import whom. A checker that reads nothing passes everything, so this one also counts what it
 * read and plants a violation that must be found.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Grows with the house; never lowered without deleting that many files. */
const MODULES_AT_LEAST = 60;

/** A small house of its own, in which each file but the last breaks one rule. */
const PLANTED = '.cache/rules';
const PLANTS: { file: string; source: string; breaks?: string }[] = [
  {
    file: 'src/ui/planted.ts',
    source: "import { step } from '../frost/step.ts';\nexport const planted = step;\n",
    breaks: 'ui-imports-only-its-own',
  },
  {
    file: 'src/device/planted.ts',
    source: "import { createServer } from 'node:http';\nexport const planted = createServer;\n",
    breaks: 'node-in-its-rooms',
  },
  {
    file: 'src/cosigner/planted.ts',
    source: "import { planted } from '../device/planted.ts';\nexport const again = planted;\n",
    breaks: 'cosigner-imports-only-its-own',
  },
  { file: 'src/frost/step.ts', source: 'export const step = 1;\n' },
];

interface Report {
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
}

function cruise(folder: string, roots: string[]): Report {
  const run = spawnSync(
    process.execPath,
    [
      resolve('node_modules/dependency-cruiser/bin/dependency-cruiser.mjs'),
      ...roots,
      '--config',
      resolve('.dependency-cruiser.cjs'),
      '--output-type',
      'json',
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28, cwd: folder },
  );
  try {
    return JSON.parse(run.stdout) as Report;
  } catch {
    throw new Error(`dependency-cruiser did not answer: ${run.stderr || run.stdout}`);
  }
}

const { summary } = cruise('.', ['src', 'entrypoints', 'scripts', 'test']);
for (const v of summary.violations) console.error(`${v.rule.name}: ${v.from} -> ${v.to}`);
let failed = summary.violations.length;

if (summary.totalCruised < MODULES_AT_LEAST) {
  console.error(`read only ${summary.totalCruised} modules, expected at least ${MODULES_AT_LEAST}`);
  failed++;
}

rmSync(PLANTED, { recursive: true, force: true });
for (const plant of PLANTS) {
  mkdirSync(join(PLANTED, dirname(plant.file)), { recursive: true });
  writeFileSync(join(PLANTED, plant.file), plant.source);
}
const found = new Set(cruise(PLANTED, ['src']).summary.violations.map((v) => v.rule.name));
for (const { breaks } of PLANTS) {
  if (breaks === undefined || found.has(breaks)) continue;
  console.error(`the planted violation of ${breaks} was not found`);
  failed++;
}

console.log(`import rules: ${summary.totalCruised} modules, ${failed} problems`);
process.exit(failed === 0 ? 0 : 1);
