/**
 * How fast the signer is, in Node and in Chromium, against noble, tiny-secp256k1, libauth and native libsecp256k1.
 *   npm run bench:signer -- [--quick] [--json] [--engine node|chromium]
 * `--json` prints one flat object last: `<engine>.<op>.<peer>` is the peer's time over ours.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { load } from '../../src/crypto/load.ts';
import { SIGNER_WASM } from '../../src/crypto/signer.wasm.generated.ts';
import { benchInChromium, coldStart, launch } from './chromium.ts';
import { startNative } from './native.ts';
import { type Native, operations, PEERS } from './operations.ts';
import { FULL, measure, type Plan, QUICK, type Result, type Spread, spread } from './rounds.ts';

const COLD_ROUNDS = { full: 60, quick: 20 };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    engine: { type: 'string' },
  },
});
const plan: Plan = values.quick ? QUICK : FULL;
const flat: Record<string, number> = {};

function version(name: string): string {
  const path = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function cold(ours: readonly number[], empty: readonly number[]): void {
  const [a, b] = [spread(ours), spread(empty)];
  // Other programs only ever lengthen a start, by up to several of what is measured here: the lower quartile tells more.
  const over = a.low - b.low;
  flat['cold.msOverEmpty'] = Number(over.toFixed(2));
  const cell = ({ median, low, high }: Spread) => `${fixed(median)} (${fixed(low)}-${fixed(high)})`;
  console.log(
    `\ncold worker to first share, ms: median (quartiles) ${cell(a)}, empty worker ${cell(b)}; over it ${fixed(over)} between lower quartiles, ${fixed(a.median - b.median)} between medians`,
  );
}

const fixed = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

function report(engine: string, title: string, results: readonly Result[]): void {
  console.log(`\n${title}`);
  console.log(
    'how many times our time each peer takes, fastest of three batches a round: median (quartiles) of rounds, then microseconds a call',
  );
  for (const { name, ours, peers } of results) {
    const cells = PEERS.flatMap((peer) => {
      const found = peers[peer];
      if (!found) return [];
      flat[`${engine}.${name}.${peer}`] = Number(found.ratio.median.toFixed(3));
      return [`${peer} ${fixed(found.ratio.median)}x (${fixed(found.ratio.low)}-${fixed(found.ratio.high)})`];
    });
    const times = PEERS.flatMap((peer) => {
      const found = peers[peer];
      return found ? [`${peer} ${fixed(found.time.median)}`] : [];
    });
    console.log(`  ${name.padEnd(12)} ${cells.join('  ')}`);
    console.log(
      `  ${''.padEnd(12)} us: ours ${fixed(ours.median)} (${fixed(ours.low)}-${fixed(ours.high)})  ${times.join('  ')}`,
    );
  }
}

async function inNode(native: Native | undefined): Promise<void> {
  const results: Result[] = [];
  for (const operation of await operations(await load(), native)) {
    console.log(`node: ${operation.name}`);
    results.push(await measure(operation, plan));
  }
  report('node', `Node ${process.versions.node}, V8 ${process.versions.v8}`, results);
}

async function inChromium(native: Native | undefined): Promise<void> {
  const browser = await launch();
  try {
    const results = await benchInChromium(browser, plan, native, (name) => console.log(`chromium: ${name}`));
    report('chromium', `Chromium ${browser.version()}`, results);
    const { ours, empty } = await coldStart(browser, values.quick ? COLD_ROUNDS.quick : COLD_ROUNDS.full);
    cold(ours, empty);
  } finally {
    await browser.close();
  }
}

const started = await startNative();
if (typeof started === 'string') console.log(`skipped: native libsecp256k1 (${started})`);
const native = typeof started === 'string' ? undefined : started;
console.log(
  [
    cpus()[0]?.model ?? 'unknown processor',
    `noble ${version('@noble/curves')}`,
    `tiny-secp256k1 ${version('tiny-secp256k1')}`,
    `libauth ${version('@bitauth/libauth')} (no BIP-340; verify: ECDSA, and Bitcoin Cash's Schnorr beside it)`,
    native ? `native libsecp256k1 ${native.version}` : 'no native libsecp256k1',
  ].join('; '),
);
try {
  if (values.engine !== 'chromium') await inNode(native?.native);
  if (values.engine !== 'node') await inChromium(native?.native);
} finally {
  native?.close();
}
flat['wasm.bytes'] = Buffer.from(SIGNER_WASM, 'base64').length;
console.log(`module: ${flat['wasm.bytes']} bytes`);
if (values.json) console.log(JSON.stringify(flat));
