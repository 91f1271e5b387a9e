/**
 * `npm run crash`: kill -9 of a real cosigner process, and of the device's worker, at random failpoints of what the shares
 * live through. After each: everything alive again, goes on as its user would, and no invariant is broken.
 *
 *   --iterations N   how many; --quick is 40, the default
 *   --seed N         which ones; printed. The same seed dies at the same failpoints
 *   --from N         first iteration, to see one again
 *   --only NAME      one operation
 *
 * The last line is `N iterations, N violations`. The device's database is the one of its tests, in memory: a worker's death is
 * that nothing of it happens any more, at that write or frame.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { load } from '../../src/crypto/load.ts';
import { newWords } from '../../src/recovery/words.ts';
import { removeFolder, testFolder, testTls, within } from '../support/cosigner.ts';
import { type Death, Killed, newProfile, Worker } from '../support/deviceHost.ts';
import { PASSWORD } from '../support/onboard.ts';
import { seededRandom } from '../support/parties.ts';
import { Cosigners } from './cosigners.ts';
import {
  isCrash,
  KEYGEN,
  OPERATIONS,
  type Operation,
  recover,
  type Subject,
  type World,
} from './operations.ts';
import { Watch } from './watch.ts';

const QUICK = 40;
/** Wallets at a time, and operations before one is left for another: its history only grows. */
const SUBJECTS = 4;
const USES = 40;
const OPERATION_MS = 15_000;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    iterations: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
  },
});
const iterations = Number(values.iterations ?? QUICK);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const from = Number(values.from);
if (![iterations, seed, from].every((n) => Number.isSafeInteger(n) && n >= 0)) {
  console.error('--iterations, --seed and --from are whole numbers');
  process.exit(2);
}
const operations = OPERATIONS.filter(({ name }) => name.includes(values.only));
if (operations.length === 0) {
  console.error(`--only one of ${OPERATIONS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
console.log(`seed ${seed}`);

/** Whole numbers of one iteration, from 0 to below `n`. */
function dice(iteration: number): (n: number) => number {
  const random = seededRandom(`crash/${seed}/${iteration}`);
  return (n) => new DataView(random(4).buffer).getUint32(0) % n;
}

await testTls;
const signer = await load();
const folder = testFolder();
const cosigners = await Cosigners.start(folder);
const store = openSqlite(join(folder, 'cosigner.sqlite'));
const watch = new Watch();
const subjects: Subject[] = [];
const counts = new Map<string, number>();
let workerDeaths = 0;

// A dead worker's timers go off in the middle of nothing.
process.on('unhandledRejection', (e) => {
  if (!(e instanceof Killed)) watch.found(`unhandled: ${(e as Error).stack}`);
});

const world: World = { link: () => cosigners.link(), pass: (ms) => cosigners.pass(ms) };
const tidy = () => cosigners.tidy();
const fresh = (): Subject => ({
  profile: { ...newProfile() },
  certificate: null,
  address: null,
  pressed: new Set(),
  passwords: [PASSWORD],
  words: newWords(),
  kit: null,
  returning: null,
  used: 0,
});

/** Both run until the operation is over, or dead. */
async function interrupted(roll: (n: number) => number, subject: Subject): Promise<void> {
  const later = operations.filter((each) => each !== KEYGEN);
  const pool = later.flatMap((operation) => Array<Operation>(operation.weight).fill(operation));
  const operation = subject.certificate === null ? KEYGEN : pool[roll(pool.length)]!;
  counts.set(operation.name, (counts.get(operation.name) ?? 0) + 1);
  operation.begin?.(subject, roll);
  const { reach } = operation;
  const victim = roll(10);
  const [cosignerDies, workerDies] = [victim < 5 || victim === 9, victim >= 5];
  let death: Death | null = null;
  if (workerDies) {
    const by = roll(3) === 0 ? 'write' : 'frame';
    death = { by, at: 1 + roll(reach[by]), when: roll(2) === 0 ? 'before' : 'after' };
  }
  watch.now = `iteration ${watch.now}, ${operation.name}, ${JSON.stringify(death)}`;
  let timer: NodeJS.Timeout | undefined;
  if (cosignerDies && roll(5) > 0) {
    const boundary = 1 + roll(reach.boundary);
    watch.now += `, cosigner at ${boundary}`;
    await cosigners.arm(boundary);
  } else if (cosignerDies) {
    const after = roll(60);
    watch.now += `, cosigner after ${after} ms`;
    timer = setTimeout(() => cosigners.kill(), after);
  }
  const starting = Worker.start(subject.profile, death === null ? {} : { death });
  const run = async () => {
    const worker = await starting;
    try {
      const over = operation.run(worker, subject, world);
      over.catch(() => {});
      // Without its cosigner it would try again and again; half of the time it dies of that.
      const alone = cosigners.gone.then(async () => {
        if (roll(2) === 0) worker.kill();
        await cosigners.revive();
        return over;
      });
      await Promise.race([over, alone]);
    } finally {
      if (worker.life.dead) workerDeaths++;
      worker.kill();
    }
  };
  try {
    await within('operation', run(), OPERATION_MS);
  } catch (e) {
    if (!isCrash(e) && !(e instanceof Error && e.message.startsWith('operation:')) && cosigners.alive)
      watch.found(`${(e as Error).stack}`);
  } finally {
    clearTimeout(timer);
    // Also one that took too long: two would live over one database.
    await starting.then((worker) => worker.kill()).catch(() => {});
  }
}

async function iterate(iteration: number): Promise<void> {
  const roll = dice(iteration);
  watch.now = String(iteration);
  const begin = subjects.length === 0 || roll(12) === 0 || operations.every((each) => each === KEYGEN);
  const subject = begin ? fresh() : subjects[roll(subjects.length)]!;
  await interrupted(roll, subject);
  if (!cosigners.alive) await cosigners.revive();
  await cosigners.arm(0);
  await cosigners.revive();
  // The browser was closed.
  if (roll(20) === 0) subject.profile.session.clear();
  const worker = await Worker.start(subject.profile);
  try {
    const parts = { watch, store, signer, world, tidy };
    const lives = await within('recovery', recover(parts, worker, subject), 120_000);
    if (lives && begin) subjects.push(subject);
  } catch (e) {
    watch.found(`recovery: ${(e as Error).stack}`);
    subject.used = USES;
  } finally {
    worker.kill();
  }
  const tired = ++subject.used > USES || subjects.length > SUBJECTS;
  if (tired && subjects.length > 0) subjects.splice(Math.max(0, subjects.indexOf(subject)), 1);
}

const started = performance.now();
let told = 0;
let done = 0;
try {
  for (; done < iterations; done++) {
    await iterate(from + done);
    for (; told < watch.violations.length; told++) console.log(`\nFOUND ${watch.violations[told]}`);
    if ((done + 1) % 500 === 0)
      console.log(`${done + 1} in ${Math.round((performance.now() - started) / 1000)} s`);
  }
} finally {
  await store.close();
  await cosigners.stop();
}
const kinds = [...counts].map(([name, n]) => `${name} ${n}`).join(', ');
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${kinds}; cosigner killed ${cosigners.deaths} times, worker ${workerDeaths} times; ${seconds} s`,
);
console.log(`keys left ${readdirSync(join(folder, 'epoch-keys')).length}`);
removeFolder(folder);
console.log(`\n${done} iterations, ${watch.violations.length} violations`);
process.exit(watch.violations.length === 0 ? 0 : 1);
