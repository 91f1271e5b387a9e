/**
 * A wallet on its way from one cosigner to another (DESIGN section 5): device and recovery make share 2 anew for the new one,
 * which the old one need not live for. The new one's share is durable before it certifies, beside the wallets and not among
 * them; with both approvals it becomes one, in one transaction. Then the device tells the old one, which destroys its share.
 *
 *   new   takeoverOpen -> our hello   takeoverFinish -> our certificate   takeoverApprove -> the complete record
 *   old   handOver
 *
 * What others let the wallet spend before is not known here, so all windows begin full. A wallet that we handed over comes
 * back the same way, if what comes goes on from all that we know of it, and another epoch has begun in between.
 */
import { withSecrets } from '../crypto/secret.ts';
import { advance, completeRecord, type Epoch, firstEpoch } from '../frost/epoch.ts';
import { verifyCertificate } from '../frost/keygen.ts';
import { followRecords } from '../frost/records.ts';
import { type AwaitingSums, finishRepair, openRepair } from '../frost/repair.ts';
import { decodePolicy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import {
  blob,
  bool,
  bytes,
  decode,
  encode,
  list,
  struct,
  type TypeOf,
  time,
  u32,
} from '../protocol/codec.ts';
import { epochBody, epochRecord } from '../protocol/epoch.ts';
import { ensure } from '../protocol/errors.ts';
import {
  POLICY_VERSIONS_MAX,
  RECORDS_MAX,
  REPAIR_DEADLINE_MS,
  SIGNED_POLICY_MAX,
} from '../protocol/limits.ts';
import type { Answer, Request } from '../protocol/messages.ts';
import { generateNoiseKeyPair } from '../protocol/noise.ts';
import type { Cosigner } from './cosigner.ts';
import { beginEnrolment, claimToken, type Enrolment } from './enrolment.ts';
import { destroyDoomed, doomKey } from './epochKeys.ts';
import { keyName } from './keywrap.ts';
import type { Peer } from './sign.ts';
import { type Bytes, numberKey, type WalletTx } from './store.ts';
import { recordKey } from './wallet.ts';

const SELF = 2;

/** What is durable between our certificate and the others' approvals. */
const takenOver = struct({
  wallet: bytes(32),
  certificate: blob(40_000),
  records: list(blob(2048), RECORDS_MAX),
  policies: list(blob(SIGNED_POLICY_MAX), POLICY_VERSIONS_MAX),
  epoch: u32,
  sealedShare: blob(256),
  session: bytes(32),
  body: blob(1024),
  signature: bytes(64),
  token: bytes(32),
  open: bool,
  begunAt: time,
});

type TakenOver = TypeOf<typeof takenOver>;

interface Running {
  readonly state: AwaitingSums;
  readonly enrolment: Enrolment;
  readonly timer: NodeJS.Timeout;
}

/** At most one a connection. */
export class Takeover {
  readonly #cosigner: Cosigner;
  /** The connection's authenticated Noise static. */
  readonly #deviceKey: Bytes;
  /** Ours, which the device pins: by its link. */
  readonly #noiseKey: Bytes;
  #running: Running | undefined;

  constructor(cosigner: Cosigner, { deviceKey, channelKey }: Pick<Peer, 'deviceKey' | 'channelKey'>) {
    this.#cosigner = cosigner;
    this.#deviceKey = deviceKey;
    this.#noiseKey = channelKey.noise.publicKey;
  }

  /** Whether a longer message than a stranger's may come: all the wallet's records. */
  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Starts anew, whatever ran before. Answers our hello. Throws what `beginEnrolment` throws. */
  async open({ token, ceremony }: Extract<Request, { kind: 'takeoverOpen' }>): Promise<Bytes> {
    this.drop();
    const { signer, identity, random } = this.#cosigner;
    const enrolment = await beginEnrolment(this.#cosigner, token);
    try {
      const { host } = identity;
      const encryption = await generateNoiseKeyPair();
      const self = { id: SELF, host, encryption, noiseKey: this.#noiseKey, ceremony } as const;
      const [state, hello] = openRepair(signer, self, random);
      this.drop();
      const timer = setTimeout(() => this.drop(), REPAIR_DEADLINE_MS);
      timer.unref();
      this.#running = { state, enrolment, timer };
      return hello;
    } catch (e) {
      enrolment.release();
      throw e;
    }
  }

  /**
   * The share is durable when this resolves; answers our certificate. `Unauthorised` unless the wallet's device is this
   * connection's. Throws what `verifyCertificate`, `followRecords` and `finishRepair` throw.
   */
  async finish(request: Extract<Request, { kind: 'takeoverFinish' }>): Promise<Bytes> {
    const running = this.#running;
    ensure(running !== undefined, 'SessionUnknown');
    this.drop();
    const { signer, store, keyWrap, random } = this.#cosigner;
    const { certificate, records, policies, opens, sums } = request;
    const { epoch } = this.#read(certificate, records);
    ensure(equalVar(epoch.noiseKeys[0], this.#deviceKey), 'Unauthorised', { detail: 'noise key' });
    const [finished, certify] = await finishRepair(signer, running.state, epoch, opens, sums, random);
    const { pending, share } = finished;
    await withSecrets([share], async () => {
      await this.#forgetEarlier();
      const sealedShare = await keyWrap.seal(epoch.wallet, epoch.number, share);
      const { token, open, begunAt } = running.enrolment;
      const { session, body, certificate: signature } = pending;
      const row = {
        certificate,
        records,
        policies,
        sealedShare,
        session,
        body,
        signature,
        token,
        open,
        begunAt,
      };
      const { wallet, number } = epoch;
      await store.putTakeover(this.#deviceKey, encode(takenOver, { ...row, wallet, epoch: number }));
    });
    return certify;
  }

  /** Forgets what is in memory. */
  drop(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    running.enrolment.release();
  }

  #read(certificate: Bytes, records: readonly Bytes[]): { epoch: Epoch } {
    const { signer, network } = this.#cosigner;
    const key = verifyCertificate(signer, certificate);
    ensure(key.network === network, 'WrongNetwork');
    return { epoch: followRecords(signer, key, records).at(-1) ?? firstEpoch(signer, key) };
  }

  /** Of a try that nobody approved: its key first, for a row without its key is as good as none. */
  async #forgetEarlier(): Promise<void> {
    const { store, keyWrap } = this.#cosigner;
    const row = await store.takeover(this.#deviceKey);
    if (row === null) return;
    const { wallet, sealedShare } = decode(takenOver, row);
    await keyWrap.destroy(wallet, keyName(sealedShare));
  }
}

/**
 * Durable when this resolves: the wallet is one of ours, under the policy that was in force before. Answers the complete
 * record, and again what it answered then. Throws what `completeRecord` and `nextPolicy` throw, `WalletExists`, `TokenUnknown`;
 * `SessionUnknown` without `takeoverFinish`, on this connection or an earlier one.
 */
export async function approveTakeover(
  cosigner: Cosigner,
  deviceKey: Bytes,
  { approvals }: Extract<Request, { kind: 'takeoverApprove' }>,
): Promise<{ wallet: Bytes; record: Bytes }> {
  const { signer, store, wallets, policies, clock, log, metrics } = cosigner;
  const row = await store.takeover(deviceKey);
  if (row === null) return again(cosigner, deviceKey);
  const taken = decode(takenOver, row);
  const { wallet, certificate, sealedShare, session, body, signature, begunAt } = taken;
  const key = verifyCertificate(signer, certificate);
  const epochs = followRecords(signer, key, taken.records);
  const epoch = epochs.at(-1) ?? firstEpoch(signer, key);
  ensure(approvals.length === 2, 'BadEncoding', { detail: 'two helpers' });
  const record = completeRecord(
    signer,
    epoch,
    { id: SELF, session, body, certificate: signature, sealed: new Uint8Array(0) },
    [
      { from: 1, message: approvals[0]! },
      { from: 3, message: approvals[1]! },
    ],
  );
  const token = await claimToken(cosigner, taken);
  await store.enrol(
    {
      id: wallet,
      session: key.session,
      deviceKey,
      recoveryKey: Uint8Array.from(epoch.hostKeys[2]),
      certificate,
      epoch: epoch.number,
      sealedShare,
      begunAt,
      before: { bornAt: bornAt(key.policy), lostAt: clock.now() },
    },
    token,
    async (tx) => {
      const known = await ensureGoesOn(tx, taken);
      for (const [i, each] of [...taken.records, record].entries())
        if (i >= known) await tx.putRecord('epoch', numberKey(i + 1), each);
      for (const [i, signed] of taken.policies.entries())
        await tx.putRecord('policy', numberKey(i + 2), signed);
      await policies.inForce(cosigner, tx, await wallets.read(cosigner, tx));
    },
  );
  log.info('wallet taken over');
  metrics.count('hoarfrost_takeovers_total');
  return { wallet, record };
}

/**
 * Nothing that we knew of the wallet when it left is undone by its coming back: no record of its shares, no version of its
 * policy, and no attempt at a signature, for those of its epoch then are forgotten. Answers how many records we knew.
 */
async function ensureGoesOn(
  tx: WalletTx,
  { records, policies, epoch }: Pick<TakenOver, 'records' | 'policies' | 'epoch'>,
): Promise<number> {
  const bodyOf = (record: Bytes) => decode(epochRecord, record).body;
  const known = (await tx.records('epoch')).map(({ body }) => bodyOf(body));
  const beginsWith = (all: readonly Bytes[], start: readonly Bytes[]) =>
    start.every((each, i) => i < all.length && equalVar(each, all[i]!));
  ensure(beginsWith(records.map(bodyOf), known), 'WalletExists', { detail: 'records' });
  const left = known.at(-1);
  const isNew = left === undefined || decode(epochBody, left).epoch < epoch;
  ensure(isNew, 'WalletExists', { detail: 'no new epoch since it left' });
  const versions = (await tx.records('policy')).map(({ body }) => body);
  ensure(beginsWith(policies, versions), 'WalletExists', { detail: 'policy' });
  return known.length;
}

/** What was answered then: the row went with the transaction that made the wallet. `SessionUnknown` if there was none. */
async function again({ store, identity }: Cosigner, deviceKey: Bytes) {
  const wallet = await store.walletOfDevice(deviceKey);
  ensure(wallet !== null, 'SessionUnknown');
  const records = (await store.viewWallet(wallet, (view) => view.records('epoch'))).map(({ body }) => body);
  const record = records.findLast((each) => {
    const { change } = decode(epochBody, decode(epochRecord, each).body);
    return change.kind === 'repair' && change.target === SELF && equalVar(change.hostKey, identity.hostKey);
  });
  ensure(record !== undefined, 'SessionUnknown');
  return { wallet, record };
}

/**
 * Another cosigner has taken our place: our share is on its way out for good, and this device is nobody's here. Throws
 * `BadIdentifier` for a record of another party, and what `advance` throws.
 */
export async function handOver(
  cosigner: Cosigner,
  id: Bytes,
  { record }: Extract<Request, { kind: 'handOver' }>,
): Promise<Answer> {
  const { store, wallets, signer, clock, log } = cosigner;
  const epoch = await store.withWallet(id, async (tx) => {
    const wallet = await wallets.read(cosigner, tx);
    advance(signer, wallet.epoch, record);
    const { change } = decode(epochBody, decode(epochRecord, record).body);
    ensure(change.kind === 'repair' && change.target === SELF, 'BadIdentifier', { detail: 'not our place' });
    await tx.putRecord('epoch', recordKey(wallet), record);
    for (const sealed of await tx.retire()) await doomKey(tx, keyName(sealed), clock.now());
    return wallet.epoch.number;
  });
  await destroyDoomed(cosigner);
  log.info('wallet handed over');
  return { kind: 'retired', epoch };
}

/** For a device that lost the answer to what changed the shares, or its own copy. */
export async function recordsOf({ store }: Cosigner, id: Bytes): Promise<Answer> {
  return store.viewWallet(id, async (view) => ({
    kind: 'records',
    certificate: view.wallet.certificate,
    records: (await view.records('epoch')).map(({ body }) => body),
  }));
}

/** By the first window of the first policy, with a day for clocks that differ: all that tells how old a key is. */
function bornAt(policy: Bytes): number {
  const start = decodePolicy(policy).windows[0]?.start ?? 0;
  return Math.max(0, start - 86_400_000);
}
