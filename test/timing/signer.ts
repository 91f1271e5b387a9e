/**
 * Does the time of a secret-dependent operation tell its secret? Welch's t-test of k = 1, small k and k = n-1 against
 * random k, in Node and in Chromium; two operations leak on purpose and must be caught.
 *   npm run test:timing -- [--samples 100000] [--engine node|chromium]
 * The long form takes `--samples 1000000`.
 * A finding is |t| of 4.5 or more and a difference of 0.1 % or more, twice. It sees what this machine's clock sees, in the code
 * that its engines made of the module: no other processor, no power, no shared caches.
 */
import { parseArgs } from 'node:util';
import { loadWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { buildVariant } from '../../wasm/build.ts';
import { bundle, launch } from '../bench/chromium.ts';
import { type Finding, judge } from './sampling.ts';
import { subjects } from './subjects.ts';

/** Controls are far over the limits: fewer samples show them. */
const CONTROL_SAMPLES = 20_000;
const DEADLINE = 120_000;

const { values } = parseArgs({
  options: { samples: { type: 'string', default: '100000' }, engine: { type: 'string' } },
});
const samples = Number(values.samples);
if (!Number.isSafeInteger(samples) || samples < 1000) throw new Error('--samples takes a number from 1000');
const arithmetic = buildVariant({ name: 'testing', entry: 'testing.ts' });
let passed = 0;
let failed = 0;

function report(engine: string, { name, leaking, mean, verdicts }: Finding): void {
  const caught = verdicts.some(([, v]) => v.leaks);
  const good = caught === leaking;
  if (good) passed++;
  else failed++;
  const cells = verdicts.map(
    ([of, { t, effect }]) => `${of}: t ${t.toFixed(1)}, ${(effect * 100).toFixed(3)} %`,
  );
  const verdict = leaking ? (caught ? 'caught' : 'NOT CAUGHT') : caught ? 'LEAKS' : 'ok';
  console.log(`${engine}: ${name}, ${mean.toFixed(1)} us: ${verdict}\n    ${cells.join('; ')}`);
}

function inNode(): void {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(arithmetic), {});
  for (const subject of subjects(loadWasmSigner(), instance)) {
    report('node', judge(subject, subject.leaking ? CONTROL_SAMPLES : samples, 1));
  }
}

async function inChromium(): Promise<void> {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const address = 'http://localhost/timing';
    // An isolated page has the finest clock that Chromium gives.
    await page.route(address, (route) =>
      route.fulfill({
        contentType: 'text/html',
        headers: {
          'Cross-Origin-Opener-Policy': 'same-origin',
          'Cross-Origin-Embedder-Policy': 'require-corp',
        },
        body: '<!doctype html><title>timing</title>',
      }),
    );
    await page.goto(address, { timeout: DEADLINE });
    await page.addScriptTag({
      content: await bundle(`${import.meta.dirname}/page.ts`, 'es'),
      type: 'module',
    });
    await page.waitForFunction(() => 'prepareTiming' in globalThis, undefined, { timeout: DEADLINE });
    const { leaking, isolated } = await page.evaluate(
      (bytes) => globalThis.prepareTiming(bytes),
      Buffer.from(arithmetic).toString('base64'),
    );
    if (!isolated) throw new Error('the page is not isolated: its clock is too coarse');
    for (const [index, control] of leaking.entries()) {
      const finding = await page.evaluate(([index, samples]) => globalThis.examineSubject(index, samples), [
        index,
        control ? CONTROL_SAMPLES : samples,
      ] as const);
      report('chromium', finding);
    }
  } finally {
    await browser.close();
  }
}

if (values.engine !== 'chromium') inNode();
if (values.engine !== 'node') await inChromium();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
