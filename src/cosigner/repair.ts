/**
 * The cosigner's side of a lost device or a lost kit (DESIGN section 5): it helps the other party that is left to make that
 * share anew, for the keys that a ripe ceremony names and for no others. The rounds live here, in the memory of one
 * connection, and die with it. Nothing is stored before the end, when record, keys and ceremony change in one transaction. For a
 * new kit the rounds of a refresh come first on the same connection: it is made of the shares of that epoch, which its record
 * begins, so that transaction holds our new share too.
 *
 *   repairOpen -> where we stand   repairSplit -> our summand and our sum   repairApprove -> the complete record
 */
import type { Secret } from '../crypto/secret.ts';
import type { PartyId } from '../crypto/signer.ts';
import { completeRecord, type Epoch } from '../frost/epoch.ts';
import {
  type AwaitingRepairCertify,
  type AwaitingRepairOpen,
  approveRepair,
  helpersOf,
  joinRepair,
  type RepairTargetKey,
  splitRepair,
  sumRepair,
} from '../frost/repair.ts';
import { equalVar } from '../protocol/bytes.ts';
import type { CeremonyPurpose } from '../protocol/ceremony.ts';
import { decode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { REPAIR_DEADLINE_MS } from '../protocol/limits.ts';
import type { AnswerOf, Request } from '../protocol/messages.ts';
import { repairHello } from '../protocol/repair.ts';
import { finishCeremony, ripeCeremony, walletOfCeremony } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { beginEpoch, keepOutcome, type Refresh } from './refresh.ts';
import type { Bytes } from './store.ts';
import { recordKey } from './wallet.ts';

const SELF = 2;

type Stage = { at: 'split'; state: AwaitingRepairOpen } | { at: 'approve'; state: AwaitingRepairCertify };
/** The ceremonies that end with a repair in which we help. */
type Purpose = Extract<CeremonyPurpose, { kind: 'replaceDevice' | 'replaceKit' }>;

interface Running {
  readonly wallet: Bytes;
  readonly ceremony: Bytes;
  readonly purpose: Purpose;
  readonly epoch: Epoch;
  /** Ours of the epoch to come, for a new kit. */
  readonly renewed: Secret | null;
  stage: Stage;
  readonly timer: NodeJS.Timeout;
}

/** At most one repair a connection. After a step that fails there is none any more. */
export class Repair {
  readonly #cosigner: Cosigner;
  /** The connection's authenticated Noise static. */
  readonly #deviceKey: Bytes;
  /** Of the same connection. */
  readonly #refresh: Refresh;
  #running: Running | undefined;

  constructor(cosigner: Cosigner, deviceKey: Bytes, refresh: Refresh) {
    this.#cosigner = cosigner;
    this.#deviceKey = deviceKey;
    this.#refresh = refresh;
  }

  /**
   * Starts anew, whatever ran before. `own` is the wallet of an enrolled device, and null for a new one, which hears the
   * same of a ceremony that is not its own as of none. Throws what `ripeCeremony`, `Refresh.renew` and `joinRepair` throw.
   */
  async open(
    own: Bytes | null,
    { ceremony, hello }: Extract<Request, { kind: 'repairOpen' }>,
  ): Promise<AnswerOf<'repairOpened'>> {
    this.drop();
    const { store, wallets, signer, identity, random } = this.#cosigner;
    const wallet = own ?? (await walletOfCeremony(this.#cosigner, ceremony));
    const { purpose, epoch, certificate, records } = await store.viewWallet(wallet, async (view) => ({
      purpose: await ripeCeremony(
        this.#cosigner,
        view,
        ceremony,
        own === null ? 'replaceDevice' : 'replaceKit',
        (named) => named.kind === 'replaceKit' || equalVar(named.noiseKey, this.#deviceKey),
      ),
      epoch: (await wallets.read(this.#cosigner, view)).epoch,
      certificate: view.wallet.certificate,
      records: (await view.records('epoch')).map(({ body }) => body),
    }));
    const [target, renewed] = await this.#target(purpose, epoch);
    try {
      const self = { id: SELF, host: identity.host, epoch, ceremony, target } as const;
      const [state, message] = await joinRepair(signer, self, hello, random);
      ensureNamed(purpose, state.hello);
      this.drop();
      const timer = setTimeout(() => this.drop(), REPAIR_DEADLINE_MS);
      timer.unref();
      this.#running = { wallet, ceremony, purpose, epoch, renewed, stage: { at: 'split', state }, timer };
      return { kind: 'repairOpened', certificate, records, open: message };
    } catch (e) {
      renewed?.wipe();
      throw e;
    }
  }

  /** With our share of the epoch to come, which a new kit alone begins. */
  async #target({ kind, hostKey }: Purpose, epoch: Epoch): Promise<[RepairTargetKey, Secret | null]> {
    if (kind === 'replaceDevice') return [{ id: 1, hostKey }, null];
    const { share, slope, epoch: before } = await this.#refresh.renew();
    if (equalVar(before.head, epoch.head)) return [{ id: 3, hostKey, slope }, share];
    share.wipe();
    throw new HoarfrostError('EpochStale');
  }

  /** Our sum leaves with our summand: the other helper's is here already. Throws as `splitRepair` and `sumRepair`. */
  async split({ open, delta }: Extract<Request, { kind: 'repairSplit' }>): Promise<AnswerOf<'repairSplit'>> {
    const running = this.#running;
    ensure(running?.stage.at === 'split', 'SessionUnknown');
    const { wallet, epoch, renewed } = running;
    const { state } = running.stage;
    const { store, keyWrap, signer, random } = this.#cosigner;
    const present = async () => {
      const sealed = await store.viewWallet(wallet, (view) => view.sealedShare());
      return keyWrap.open(wallet, epoch.number, sealed);
    };
    try {
      const share = renewed ?? (await present());
      const [splitted, ownDelta] = await splitRepair(signer, state, share, open, random).finally(() => {
        if (share !== renewed) share.wipe();
      });
      const [summed, sum] = await sumRepair(signer, splitted, delta, random);
      if (this.#running !== running) throw new HoarfrostError('DeadlineExceeded');
      running.stage = { at: 'approve', state: summed };
      return { kind: 'repairSplit', delta: ownDelta, sum };
    } catch (e) {
      this.drop();
      throw e;
    }
  }

  /**
   * Durable when this resolves: the new holder's keys are in place, and what it replaced is nobody's. Answers the complete
   * record. Throws what `approveRepair` and `completeRecord` throw; `EpochStale` if another change came first.
   */
  async approve(request: Extract<Request, { kind: 'repairApprove' }>): Promise<Bytes> {
    const running = this.#running;
    ensure(running?.stage.at === 'approve', 'SessionUnknown');
    this.#running = undefined;
    clearTimeout(running.timer);
    try {
      const record = await this.#commit(running, running.stage.state, request);
      const { log, metrics } = this.#cosigner;
      log.info('share repaired');
      metrics.count('hoarfrost_repairs_total');
      return record;
    } finally {
      running.renewed?.wipe();
    }
  }

  async #commit(
    { wallet, ceremony, purpose, epoch, renewed }: Running,
    state: AwaitingRepairCertify,
    { sum, certify, approval }: Extract<Request, { kind: 'repairApprove' }>,
  ): Promise<Bytes> {
    const { store, wallets, signer, random } = this.#cosigner;
    const target = targetOf(purpose);
    const helpers = helpersOf(target);
    const sums = helpers.map((id) => (id === SELF ? state.sum : sum));
    const [pending, own] = approveRepair(signer, state, sums, certify, random);
    const record = completeRecord(signer, epoch, pending, [
      { from: target, message: certify },
      { from: helpers.find((id) => id !== SELF)!, message: approval },
    ]);
    const { session } = pending;
    if (purpose.kind === 'replaceKit') {
      const change = { wallet, epoch, share: renewed!, record, session, certify: own };
      await beginEpoch(this.#cosigner, change, async (tx) => {
        await finishCeremony(this.#cosigner, tx, ceremony);
        await tx.replaceRecovery(purpose.hostKey);
      });
      return record;
    }
    await store.withWallet(wallet, async (tx) => {
      const now = await wallets.read(this.#cosigner, tx);
      ensure(equalVar(now.epoch.head, epoch.head), 'EpochStale');
      await finishCeremony(this.#cosigner, tx, ceremony);
      await tx.putRecord('epoch', recordKey(now), record);
      await keepOutcome(tx, session, own);
      await tx.replaceDevice(purpose.noiseKey);
    });
    return record;
  }

  drop(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    running.renewed?.wipe();
  }
}

function targetOf({ kind }: Purpose): PartyId {
  return kind === 'replaceDevice' ? 1 : 3;
}

/** All keys that the ceremony allowed, not the host key alone. */
function ensureNamed(purpose: Purpose, hello: Bytes): void {
  const { noiseKey, encryptionKey } = decode(repairHello, hello);
  const same =
    purpose.kind === 'replaceDevice'
      ? equalVar(noiseKey, purpose.noiseKey)
      : equalVar(encryptionKey, purpose.encryptionKey);
  ensure(same, 'Unauthorised', { detail: 'keys of another ceremony' });
}
