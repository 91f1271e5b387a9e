/**
 * Repairs of the shares, as their user goes through them: a new kit, and a browser that takes the place of a lost one, or its own
 * where the password is forgotten. Each is asked for, waits its week, and is carried out; and each can be gone on with from
 * wherever it was interrupted.
 */
import { decode } from '../../src/protocol/codec.ts';
import { epochBody, epochRecord } from '../../src/protocol/epoch.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { newWords } from '../../src/recovery/words.ts';
import { databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { askForKit, Page, replaceKit } from '../support/returning.ts';
import type { Operation, Subject, World } from './operations.ts';
import type { Watch } from './watch.ts';

const WEEK_MS = 7 * 86_400_000;

/** How far the user was told that it is: what was answered once stays so. */
type Heard = 'nothing' | 'asked' | 'done';

export interface Kit {
  readonly words: readonly string[];
  heard: Heard;
}

/** On the way into the wallet, with what was there before. */
export interface Return {
  readonly lost: Profile;
  readonly before: string;
  readonly password: string;
  heard: Heard;
}

export const REPAIRS: readonly Operation[] = [
  {
    name: 'kit repair',
    weight: 1,
    reach: { boundary: 30, write: 9, frame: 44 },
    async run(worker, subject, { pass }) {
      const kit: Kit = { words: newWords(), heard: 'nothing' };
      subject.kit = kit;
      await askForKit(worker, kit.words);
      kit.heard = 'asked';
      await pass(WEEK_MS);
      await replaceKit(worker, kit.words);
      kit.heard = 'done';
    },
  },
  {
    name: 'device repair',
    weight: 1,
    reach: { boundary: 8, write: 6, frame: 16 },
    begin(subject, roll) {
      const password = `${subject.passwords[0]} again`;
      const before = subject.passwords[0]!;
      subject.returning = { lost: subject.profile, before, password, heard: 'nothing' };
      if (roll(2) === 0) subject.profile = { ...newProfile() };
    },
    run: comeBack,
  },
];

/** Asks, unless it has, and takes the place. */
async function comeBack(worker: Worker, { returning, words }: Subject, { link, pass }: World): Promise<void> {
  const { password } = returning!;
  const page = new Page(words);
  try {
    const { view } = await worker.call('returning', null);
    if (view?.asked) await worker.call('returnLook', null);
    else {
      const begun =
        view === null
          ? await worker.call('returnBegin', { uri: await link(), network: 'regtest', password })
          : await worker.call('returnQuestion', null);
      await worker.call('returnAnswer', { message: await page.answer(begun.message) });
    }
    returning!.heard = 'asked';
    const { view: asked } = await worker.call('returning', null);
    if (asked?.ceremony?.phase === 'waiting') await pass(WEEK_MS);
    let { message } = await worker.call('returnStart', { password, saved: null });
    while (message !== null)
      ({ message } = await worker.call('returnAnswer', { message: await page.answer(message) }));
    returning!.heard = 'done';
  } finally {
    page.close();
  }
}

/** A return that was begun comes to its end, and the device that it is in place of is nobody. */
export async function endReturn(worker: Worker, subject: Subject, world: World, watch: Watch): Promise<void> {
  const { returning } = subject;
  if (returning === null) return;
  const { lost, before, password, heard } = returning;
  const { view } = await worker.call('returning', null);
  if (view !== null || !(await opens(worker, password))) {
    if (heard === 'done') watch.found('was in, and is not');
    if (heard === 'asked' && !view?.asked) watch.found('had asked, and has not');
    await comeBack(worker, subject, world);
    if ((await worker.call('returning', null)).view !== null) watch.found('in, and yet on the way');
    if (!(await opens(worker, password))) watch.found('the new password opens nothing');
  }
  subject.passwords = [password];
  subject.returning = null;
  if (lost === subject.profile) return;
  const thief = await Worker.start(lost);
  try {
    if (!(await opens(thief, before))) watch.found('the lost device does not open');
    await thief.call('refresh', null);
    const state = await thief.call('state', null);
    const said = state.phase === 'unlocked' ? state.wallet.syncError : state.phase;
    if (said !== 'NotEnrolled') watch.found(`the lost device hears ${said}`);
  } finally {
    thief.kill();
  }
}

/** A kit that was begun is the wallet's, and the one before opens nothing. No change may be in doubt. */
export async function endKit(worker: Worker, subject: Subject, { pass }: World, watch: Watch): Promise<void> {
  if (subject.kit === null) return;
  const { words: kit, heard } = subject.kit;
  if (!(await drills(worker, kit))) {
    if (heard === 'done') watch.found('the new kit was in place, and is not');
    const { ceremony } = await worker.call('kit', null);
    if (ceremony?.phase === 'done') watch.found('ceremony done, and no new kit');
    if (ceremony === null) {
      if (heard === 'asked') watch.found('a ceremony was answered, and is not');
      await withdraw(worker);
      await askForKit(worker, kit);
    }
    if (ceremony?.phase !== 'ripe') await pass(WEEK_MS);
    await replaceKit(worker, kit);
    if (!(await drills(worker, kit))) watch.found('the new words open nothing');
  }
  if (await drills(worker, subject.words)) watch.found('the old words open yet');
  await ownEpoch(subject, watch);
  await worker.call('kitStop', null);
  subject.words = kit;
  subject.kit = null;
}

/** New words never stand beside shares that the old ones fit: each kit began an epoch, in one record. */
async function ownEpoch({ profile }: Subject, watch: Watch): Promise<void> {
  const db = await databaseOf(profile);
  const records = (await db.all('records')).map(({ record }) =>
    decode(epochBody, decode(epochRecord, record).body),
  );
  db.close();
  const last = records.findLastIndex(({ change }) => change.kind === 'kit');
  const began = records[last]?.epoch ?? 0;
  const before = records.slice(0, Math.max(0, last)).filter(({ change }) => change.kind !== 'repair').length;
  if (last < 0 || began !== before + 1) watch.found(`a new kit without an epoch of its own: ${began}`);
}

/** What was asked for by a device that died before it could note it. */
async function withdraw(worker: Worker): Promise<void> {
  const { ceremonies } = await worker.call('ceremonies', null);
  for (const { id, purpose, phase } of ceremonies)
    if (purpose === 'replaceKit' && (phase === 'waiting' || phase === 'ripe'))
      await worker.call('sayCeremony', { id, says: 'contest' });
}

function drills(worker: Worker, words: readonly string[]): Promise<boolean> {
  return unless('BadWords', async () => {
    const { message } = await worker.call('drillRequest', null);
    await worker.call('drillFinish', { message: await new Page(words).answer(message) });
  });
}

/** Whether there is a wallet under this password, which is open then. */
async function opens(worker: Worker, password: string): Promise<boolean> {
  const { phase } = await worker.call('state', null);
  if (phase !== 'locked' && phase !== 'unlocked') return false;
  await worker.call('lock', null);
  return unless('WrongPassword', () => worker.call('unlock', { password }));
}

async function unless(code: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (e) {
    if (!isHoarfrostError(e) || e.code !== code) throw e;
    return false;
  }
}
