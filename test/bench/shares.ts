/**
 * What the life of the shares costs, over TLS and Noise on loopback, both ends in this process: the time of one is the work of
 * both, and no waiting but for disks. Unlocking runs in Chromium, as built by `npm run build`.
 *   npm run bench:shares -- [--runs N] [--json]
 * `--json` prints one flat object last: `<what>.ms` is the median, `<what>.p90Ms` what nine of ten stay below.
 */
import { parseArgs } from 'node:util';
import { DELAY_MS } from '../../src/protocol/terms.ts';
import { newWords } from '../../src/recovery/words.ts';
import { type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { newProfile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';
import { askForKit, askToReturn, MovedClock, replaceKit, takePlace } from '../support/returning.ts';
import { unlock } from './unlock.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, runs: { type: 'string', default: '30' } },
});
const runs = Number(values.runs);
if (!Number.isSafeInteger(runs) || runs < 1) {
  console.error('--runs is a whole number from 1');
  process.exit(2);
}

/** Milliseconds of each run; what is prepared before a run is not counted. */
type Measure = (count: number) => Promise<number[]>;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** From the device's word to both old shares gone: three rounds, the test of the new shares, and every write between. */
const refresh: Measure = async (count) => {
  const folder = testFolder();
  const running = await startCosigner({ folder });
  const profile = newProfile();
  profile.clock.wall = Date.now();
  const worker = await Worker.start(profile);
  try {
    await onboard(worker, await linkOf(running));
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await timed(() => worker.call('refreshShares', null)));
    return times;
  } finally {
    worker.kill();
    await running.stop();
    removeFolder(folder);
  }
};

/** A cosigner whose clock is moved over the delays, which are not counted, and a fresh wallet for each run. */
const afterDelay =
  (
    prepare: (worker: Worker, at: { running: Running; words: string[] }) => Promise<Worker>,
    work: (worker: Worker, words: string[]) => Promise<void>,
  ): Measure =>
  async (count) => {
    const folder = testFolder();
    const clock = new MovedClock(Date.now());
    const running = await startCosigner({ folder, clock });
    try {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        const words = newWords();
        const worker = await prepare(await onboarded(running, clock.time, words), { running, words });
        await clock.pass(running, DELAY_MS.usual);
        times.push(await timed(() => work(worker, words)));
        worker.kill();
      }
      return times;
    } finally {
      await running.stop();
      removeFolder(folder);
    }
  };

async function live(now: number): Promise<Worker> {
  const profile = newProfile();
  profile.clock.wall = now;
  return Worker.start(profile);
}

async function onboarded(running: Running, now: number, words: string[]): Promise<Worker> {
  const worker = await live(now);
  await onboard(worker, await linkOf(running), words);
  return worker;
}

/** A new kit by device, cosigner and recovery page, from a ripe ceremony to its epoch at all three and both old shares gone. */
const repair = afterDelay(
  async (worker, { words }) => {
    words.splice(0, words.length, ...newWords());
    await askForKit(worker, words);
    return worker;
  },
  (worker, words) => replaceKit(worker, words),
);

/** A lost device's: as above, and the password's derivation with it, until the wallet is open in the new one. */
const comeBack = afterDelay(
  async (lost, { running, words }) => {
    lost.kill();
    const fresh = await live(running.cosigner.clock.now());
    await askToReturn(fresh, running, words);
    return fresh;
  },
  (fresh, words) => takePlace(fresh, words),
);

const MEASURES: Record<string, Measure> = { unlock, refresh, repair, comeBack };

const flat: Record<string, number> = {};
for (const [name, measure] of Object.entries(MEASURES)) {
  const times = (await measure(runs)).sort((a, b) => a - b);
  const at = (share: number) => Number(times[Math.floor((times.length - 1) * share)]!.toFixed(1));
  flat[`${name}.ms`] = at(0.5);
  flat[`${name}.p90Ms`] = at(0.9);
  if (!values.json) console.log(`${name}: median ${at(0.5)} ms, nine of ten below ${at(0.9)} ms`);
}
if (values.json) console.log(JSON.stringify(flat));
process.exit();
