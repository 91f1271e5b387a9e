/**
 * What is interrupted, each with how far its failpoints reach, and what must be true of a wallet afterwards. A new operation
 * of the shares joins by one more entry in `OPERATIONS`.
 */
import { hex } from '@scure/base';
import { addressOf } from '../../src/bitcoin/address.ts';
import type { Store } from '../../src/cosigner/store.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { PAYEE } from '../support/cosigner.ts';
import { databaseOf, Killed, type Profile, type Worker } from '../support/deviceHost.ts';
import { onboard, PASSWORD } from '../support/onboard.ts';
import { Dead } from './cosigners.ts';
import { endKit, endReturn, type Kit, REPAIRS, type Return } from './repairs.ts';
import type { Watch } from './watch.ts';

/** A profile and what is known of its wallet from outside; `certificate` is null until a keygen has answered. */
export interface Subject {
  /** A lost browser is left for another one. */
  profile: Profile;
  certificate: Uint8Array<ArrayBuffer> | null;
  address: string | null;
  /** Requests whose press was answered and whose end was not seen. */
  readonly pressed: Set<string>;
  /** One of them opens the vault, and after a recovery it is known which. */
  passwords: string[];
  /** Of the kit in use. */
  words: readonly string[];
  /** Under way, or over and not looked at yet. */
  kit: Kit | null;
  returning: Return | null;
  used: number;
}

/** What a user has but the device: the cosigner's link, and time. */
export interface World {
  link(): Promise<string>;
  /** Milliseconds, whole hours. */
  pass(ms: number): Promise<void>;
}

export interface Operation {
  readonly name: string;
  /** Out of all weights. */
  readonly weight: number;
  /** Boundaries of the cosigner's work, device writes and device frames that it may have. */
  readonly reach: { boundary: number; write: number; frame: number };
  /** What happens to the subject before, where nothing dies. */
  begin?(subject: Subject, roll: (n: number) => number): void;
  run(worker: Worker, subject: Subject, world: World): Promise<void>;
}

const payee = addressOf(PAYEE, 'regtest')!;
const AMOUNT = 1000n;

export const KEYGEN: Operation = {
  name: 'keygen',
  weight: 1,
  reach: { boundary: 4, write: 4, frame: 14 },
  async run(worker, subject, { link }) {
    subject.certificate = await onboard(worker, await link(), [...subject.words]);
  },
};

export const OPERATIONS: readonly Operation[] = [
  KEYGEN,
  {
    name: 'sign',
    weight: 3,
    reach: { boundary: 10, write: 9, frame: 12 },
    async run(worker, subject) {
      const { request } = await worker.call('draft', { address: payee, amount: AMOUNT, feeRate: 2000 });
      await worker.call('press', { request });
      subject.pressed.add(request);
      await paid(worker, request);
    },
  },
  {
    name: 'refresh',
    weight: 4,
    reach: { boundary: 28, write: 6, frame: 20 },
    async run(worker) {
      await worker.call('refreshShares', null);
    },
  },
  {
    name: 'password',
    weight: 2,
    reach: { boundary: 1, write: 1, frame: 1 },
    async run(worker, subject) {
      const password = subject.passwords[0]!;
      const next = `${PASSWORD} ${subject.used}`;
      subject.passwords = [password, next];
      await worker.call('changePassword', { password, factor: null, next });
      subject.passwords = [next];
    },
  },
  ...REPAIRS,
];

async function paid(worker: Worker, request: string): Promise<string> {
  for (;;) {
    const { state, error } = await worker.call('payment', { request });
    if (state === 'broadcast' || state === 'failed' || state === 'requested') return `${state} ${error}`;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a killed worker or an unreachable cosigner makes of a call, and nothing else. */
export function isCrash(e: unknown): boolean {
  const passing = ['ChannelClosed', 'CosignerUnreachable', 'DeadlineExceeded', 'Locked', 'SessionUnknown'];
  return e instanceof Killed || e instanceof Dead || (isHoarfrostError(e) && passing.includes(e.code));
}

/**
 * Goes on as a user would, with everything alive again, and finds what does not hold. False if there is no wallet, and none
 * was promised.
 */
export async function recover(
  parts: {
    watch: Watch;
    store: Store;
    signer: Signer;
    world: World;
    tidy: () => Promise<void>;
  },
  worker: Worker,
  subject: Subject,
): Promise<boolean> {
  const { watch, store, signer, world } = parts;
  await endReturn(worker, subject, world, watch);
  let state = await worker.call('state', null);
  if (state.phase === 'locked' || subject.passwords.length > 1) {
    await onePassword(worker, subject, watch);
    await worker.call('unlock', { password: subject.passwords[0]! });
    state = await worker.call('state', null);
  }
  if (state.phase !== 'unlocked') {
    const { certificate } = await worker.call('keygenResume', null);
    if (certificate === null && subject.certificate !== null) watch.found('certificate answered and lost');
    if (certificate === null) return false;
    subject.certificate ??= Uint8Array.from(certificate);
  }
  const certificate = Uint8Array.from((await worker.device.certificate()) as Uint8Array);
  subject.certificate ??= certificate;
  if (hex.encode(certificate) !== hex.encode(subject.certificate)) watch.found('another certificate');
  const { wallet, groupKey } = verifyCertificate(signer, certificate);

  await worker.call('refresh', null);
  if (subject.kit !== null) await settled(worker, watch);
  await endKit(worker, subject, world, watch);
  const { address } = await worker.call('receiveAddress', null);
  subject.address ??= address;
  if (address !== subject.address) watch.found('another address');
  for (const request of subject.pressed) {
    const end = await paid(worker, request);
    if (end !== 'broadcast null') watch.found(`pressed payment is ${end}`);
    subject.pressed.delete(request);
  }
  const { request } = await worker.call('draft', { address: payee, amount: AMOUNT, feeRate: 2000 });
  await worker.call('press', { request });
  const end = await paid(worker, request);
  if (end !== 'broadcast null') watch.found(`the next payment is ${end}`);
  await settled(worker, watch);
  await oneEpoch(parts, worker, subject, wallet);
  await watch.checkReceipts(store, wallet);
  const [mine] = [verifyCertificate(signer, subject.certificate).groupKey];
  if (hex.encode(mine) !== hex.encode(groupKey)) watch.found('another group key');
  return true;
}

/** Of those that may open the vault, exactly one does. */
async function onePassword(worker: Worker, subject: Subject, watch: Watch): Promise<void> {
  const opening: string[] = [];
  for (const password of subject.passwords) {
    await worker.call('lock', null);
    try {
      await worker.call('unlock', { password });
      opening.push(password);
    } catch (e) {
      if (!isHoarfrostError(e) || e.code !== 'WrongPassword') throw e;
    }
  }
  if (opening.length !== 1) watch.found(`${opening.length} of ${subject.passwords.length} passwords open`);
  subject.passwords = opening.slice(0, 1);
}

/** What a connection goes on with by itself has come to its end. */
async function settled(worker: Worker, watch: Watch): Promise<void> {
  for (let tries = 0; ; tries++) {
    const state = await worker.call('state', null);
    if (state.phase !== 'unlocked') throw new Error(state.phase);
    const { unfinished, underWay, alert, error } = state.wallet.epoch;
    if (alert !== null) return watch.found(`alert ${alert}`);
    if (!unfinished && !underWay) return;
    if (tries > 10_000) return watch.found(`refresh stays unfinished: ${error}`);
    if (!underWay && tries % 50 === 49) await worker.call('refreshShares', null);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Both sides sign in the same one, and hold one share each, with one key. */
async function oneEpoch(
  { watch, store, tidy }: Parameters<typeof recover>[0],
  worker: Worker,
  { profile }: Subject,
  wallet: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const state = await worker.call('state', null);
  if (state.phase !== 'unlocked') throw new Error(state.phase);
  const { number } = state.wallet.epoch;
  const theirs = await store.viewWallet(wallet, async (view) => view.wallet.epoch);
  if (theirs !== number) watch.found(`device in epoch ${number}, cosigner in ${theirs}`);
  const db = await databaseOf(profile);
  const shares = (await db.all('shares')).map(({ epoch }) => epoch);
  db.close();
  if (String(shares) !== String([number]))
    watch.found(`device holds shares of ${shares}, signs in ${number}`);
  await tidy();
  const waiting = await store.recordsEverywhere('destroy', 1000);
  if (waiting.length > 0) watch.found(`${waiting.length} keys are not destroyed`);
}
