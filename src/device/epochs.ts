/**
 * Where share 1 stands: the chain of certified records that leads from keygen to the epoch that signs, and, while a change
 * of the shares is in doubt, that change (DESIGN section 5). The one writer of the stores `records` and `change`, and of
 * `shares` but for the first; what it writes at a time becomes durable at once or not at all.
 *
 *   keep      before our certificate leaves: the change, and with a new epoch its share beside the old one
 *   complete  with everybody's certificates: the record is appended and names the epoch, the doubt is over
 *   forget    on the others' signed word that it never completes
 *   retire    once the new shares are shown to fit: shares of other epochs are deleted
 *
 * A change of the shares runs `alone`; whatever uses a share meanwhile is `shared` and sees one epoch from beginning to end.
 */
import type { PartyId, SignerModule } from '../crypto/signer.ts';
import { advance, completeRecord, type Epoch, firstEpoch, type PendingChange } from '../frost/epoch.ts';
import type { KeyRecord } from '../frost/keygen.ts';
import { followRecords } from '../frost/records.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { type EpochBody, epochBody, epochRecord } from '../protocol/epoch.ts';
import { ensure } from '../protocol/errors.ts';
import type { Change, Database } from './database.ts';
import type { SealedShare } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** One link of the chain, under its place in it, from 1 on. */
export interface RecordRow {
  /** `epochRecord` of protocol/epoch, as this device keeps it. */
  readonly record: Bytes;
  /** Milliseconds since 1970: when it was completed here. */
  readonly at: number;
}

export class Epochs {
  readonly #db: Database;
  readonly #signer: SignerModule;
  #rows: readonly RecordRow[];
  /** After keygen and after each record. */
  #epochs: readonly Epoch[];
  #change: PendingChange | null;
  /** Epochs of the shares that are here. */
  #held: readonly number[];
  #alone: Promise<unknown> = Promise.resolve();
  readonly #shared = new Set<Promise<unknown>>();

  private constructor(
    parts: { db: Database; signer: SignerModule },
    stored: { rows: RecordRow[]; epochs: Epoch[]; change: PendingChange | null; held: number[] },
  ) {
    this.#db = parts.db;
    this.#signer = parts.signer;
    this.#rows = stored.rows;
    this.#epochs = stored.epochs;
    this.#change = stored.change;
    this.#held = stored.held;
  }

  /** Throws what `followRecords` throws. */
  static async open(parts: { db: Database; signer: SignerModule }, key: KeyRecord): Promise<Epochs> {
    const { db, signer } = parts;
    const rows = await db.all('records');
    const records = rows.map(({ record }) => record);
    const epochs = [firstEpoch(signer, key), ...followRecords(signer, key, records)];
    const change = await db.get('change', 'change');
    const held = (await db.all('shares')).map(({ epoch }) => epoch);
    return new Epochs(parts, { rows, epochs, change, held });
  }

  /** The epoch that signs, and whose keys stand for the parties. */
  get current(): Epoch {
    return this.#epochs.at(-1)!;
  }

  /** From keygen on, oldest first. */
  get all(): readonly Epoch[] {
    return this.#epochs;
  }

  /** This device's copy, oldest first: what the recovery page asks for. */
  get records(): Bytes[] {
    return this.#rows.map(({ record }) => record);
  }

  /** The last change and when it was completed here, milliseconds since 1970; null before the first. */
  get last(): { readonly kind: EpochBody['change']['kind']; readonly at: number } | null {
    const row = this.#rows.at(-1);
    if (row === undefined) return null;
    const { change } = decode(epochBody, decode(epochRecord, row.record).body);
    return { kind: change.kind, at: row.at };
  }

  /** A change that the others may or may not have completed: until that is known there is no other. */
  get doubt(): PendingChange | null {
    return this.#change;
  }

  /** Whether the doubt is about which share signs. A repair of another's share leaves ours as it is. */
  get inTwoEpochs(): boolean {
    return this.#change !== null && decode(epochBody, this.#change.body).change.kind !== 'repair';
  }

  /** Whether a share of an epoch before is still here: the new ones have not been shown to fit. */
  get untested(): boolean {
    return this.#change === null && this.#held.some((epoch) => epoch !== this.current.number);
  }

  /**
   * `share`: the one that the change will make ours, or null if ours stays. Throws `Pending` while another is in doubt, and
   * `SessionUnknown` for one that does not follow the last record: its share could take the place of one that signs.
   */
  async keep(change: PendingChange, share: SealedShare | null): Promise<void> {
    ensure(this.#change === null, 'Pending', { detail: 'change of the shares' });
    const { previous, epoch } = decode(epochBody, change.body);
    const follows = equalVar(previous, this.current.head) && epoch === (share?.epoch ?? this.current.number);
    ensure(follows, 'SessionUnknown', { detail: 'another change came first' });
    const rows: Change[] = [{ store: 'change', key: 'change', value: change }];
    if (share !== null) rows.push({ store: 'shares', key: share.epoch, value: share });
    await this.#db.write(rows);
    this.#change = change;
    if (share !== null) this.#held = [...this.#held, share.epoch];
  }

  /** Throws what `completeRecord` throws, and then the doubt stays. */
  async complete(messages: readonly { from: PartyId; message: Bytes }[], at: number): Promise<void> {
    const change = this.#change;
    ensure(change !== null, 'WrongSession', { detail: 'no change of the shares' });
    await this.append(completeRecord(this.#signer, this.current, change, messages), at);
  }

  /** A complete record, from wherever it came. The share of its epoch, if it begins one, must be here. */
  async append(record: Bytes, at: number): Promise<void> {
    const epoch = advance(this.#signer, this.current, record);
    ensure(this.#held.includes(epoch.number), 'EpochStale', { detail: 'no share of that epoch' });
    const row = { record, at };
    await this.#db.write([
      { store: 'records', key: this.#epochs.length, value: row },
      { store: 'change', key: 'change', value: null },
    ]);
    this.#rows = [...this.#rows, row];
    this.#epochs = [...this.#epochs, epoch];
    this.#change = null;
  }

  /** The change never completes; what it would have made of our share goes with it. */
  async forget(): Promise<void> {
    const { number } = this.current;
    await this.#dropShares((epoch) => epoch > number, [{ store: 'change', key: 'change', value: null }]);
    this.#change = null;
  }

  /** The shares of this epoch fit, and the cosigner has given up the one before. */
  async retire(): Promise<void> {
    ensure(this.#change === null, 'Pending', { detail: 'change of the shares' });
    const { number } = this.current;
    await this.#dropShares((epoch) => epoch !== number);
  }

  async #dropShares(which: (epoch: number) => boolean, besides: Change[] = []): Promise<void> {
    const dropped = this.#held.filter(which);
    await this.#db.write([
      ...besides,
      ...dropped.map((key): Change => ({ store: 'shares', key, value: null })),
    ]);
    this.#held = this.#held.filter((epoch) => !which(epoch));
  }

  /** Runs once nobody uses a share; who wants to meanwhile waits. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const run = Promise.allSettled([this.#alone, ...this.#shared]).then(work);
    this.#alone = run.catch(() => {});
    return run;
  }

  /** Beside others of its kind, never beside a change of the shares. */
  shared<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#alone.then(work);
    const over = run.catch(() => {}).then(() => void this.#shared.delete(over));
    this.#shared.add(over);
    return run;
  }
}
