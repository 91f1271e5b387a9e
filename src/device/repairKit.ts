/**
 * A new kit in the place of a lost one: this device and the cosigner make new shares and, of these, share 3 for new words,
 * which the recovery page made and alone has seen. Recovery's messages pass through here unread. One record begins the new
 * epoch and puts the new words in place: there is none in which new shares go with the old paper. What this device has
 * certified is in `Epochs` before it leaves, so a run that ends anywhere is settled by the next connection, or begins again.
 *
 *   start -> kitOffer   hello -> kitSums   held -> the record
 */
import type { Secret } from '../crypto/secret.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import type { Epoch } from '../frost/epoch.ts';
import { renewShare } from '../frost/refresh.ts';
import {
  type AwaitingRepairCertify,
  approveRepair,
  joinRepair,
  splitRepair,
  sumRepair,
} from '../frost/repair.ts';
import { ensure } from '../protocol/errors.ts';
import type { OfflineOf } from '../protocol/offline.ts';
import type { Connection } from './connection.ts';
import type { Environment } from './environment.ts';
import type { Epochs } from './epochs.ts';
import { refreshRounds, settle } from './refresh.ts';
import type { SealedShare, Vault } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** What the ceremony allowed, as this device itself heard it from the page that made the words. */
export interface KitRecord {
  readonly ceremony: Bytes;
  readonly hostKey: Bytes;
  readonly encryptionKey: Bytes;
}

interface Parts {
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly vault: Vault;
  readonly epochs: Epochs;
}

type Stage =
  | { at: 'hello' }
  /** `share`: ours of the epoch to come. */
  | { at: 'held'; state: AwaitingRepairCertify; sums: Bytes[]; sum: Bytes; share: SealedShare }
  | { at: 'over' };

export class KitRepair {
  readonly #parts: Parts;
  readonly #kit: KitRecord;
  readonly #connection: Connection;
  readonly #host: Secret;
  #stage: Stage = { at: 'hello' };

  private constructor(parts: Parts, kit: KitRecord, connection: Connection, host: Secret) {
    this.#parts = parts;
    this.#kit = kit;
    this.#connection = connection;
    this.#host = host;
    void connection.closed.then(() => this.stop());
  }

  static async start(parts: Parts, kit: KitRecord, connection: Connection): Promise<KitRepair> {
    return new KitRepair(parts, kit, connection, await parts.vault.host());
  }

  /**
   * Throws `CeremonyWaits`, `CeremonyEnded`, `Pending` while a change is in doubt, and what `joinRepair` throws: `BadSignature`
   * for another kit than was allowed.
   */
  hello({ hello }: OfflineOf<'kitHello'>): Promise<OfflineOf<'kitSums'>> {
    return this.#step('hello', async () => {
      const { signer, epochs } = this.#parts;
      ensure(epochs.doubt === null, 'Pending', { detail: 'change of the shares' });
      const epoch = epochs.current;
      const { share, slope } = await refreshRounds(
        this.#parts,
        epoch,
        this.#connection,
        (state, old, theirs) => renewShare(signer, state, old, theirs),
      );
      return withSecrets([share], () => this.#share(hello, epoch, share, slope));
    });
  }

  /** Share 3 of the epoch whose F is `slope`, from both sides' new shares. */
  async #share(hello: Bytes, epoch: Epoch, share: Secret, slope: Bytes): Promise<OfflineOf<'kitSums'>> {
    const { env, signer, vault } = this.#parts;
    const { random } = env;
    const { ceremony, hostKey } = this.#kit;
    const target = { id: 3, hostKey, slope } as const;
    const self = { id: 1, host: this.#host, epoch, ceremony, target } as const;
    const [joined, own] = await joinRepair(signer, self, hello, random);
    const opened = await this.#connection.request({ kind: 'repairOpen', ceremony, hello }, 'repairOpened');
    const [split, delta] = await splitRepair(signer, joined, share, opened.open, random);
    let theirs: { delta: Bytes; sum: Bytes };
    try {
      theirs = await this.#connection.request({ kind: 'repairSplit', open: own, delta }, 'repairSplit');
    } catch (e) {
      split.kept.wipe();
      throw e;
    }
    const [state, sum] = await sumRepair(signer, split, theirs.delta, random);
    const sums: [Bytes, Bytes] = [sum, theirs.sum];
    const sealed = await vault.sealShare(epoch.number + 1, share, random);
    this.#stage = { at: 'held', state, sums, sum, share: sealed };
    return { kind: 'kitSums', opens: [own, opened.open], sums };
  }

  /**
   * The new epoch signs when this resolves, and the old words are none of its. After `ChannelClosed` the next connection
   * settles it. The shares of before are here until the new ones are tested, as after a refresh.
   */
  held({ certify }: OfflineOf<'kitHeld'>): Promise<void> {
    return this.#step('held', async ({ state, sums, sum, share }) => {
      const { env, signer, epochs } = this.#parts;
      const [pending, approval] = approveRepair(signer, state, sums, certify, env.random);
      await epochs.alone(async () => {
        await epochs.keep(pending, share);
        try {
          const asked = { kind: 'repairApprove', sum, certify, approval } as const;
          const { record } = await this.#connection.request(asked, 'repaired');
          await epochs.append(record, env.now());
        } catch (e) {
          // It said no, or nothing. If it still speaks it can say which for good.
          if (this.#connection.usable) await settle({ env, signer, epochs }, this.#connection);
          throw e;
        }
      });
      this.stop();
    });
  }

  stop(): void {
    this.#stage = { at: 'over' };
    this.#host.wipe();
  }

  /** Takes the stage out, so that a second call in the meantime, or one after a failure, finds nothing. */
  async #step<A extends Exclude<Stage['at'], 'over'>, T>(
    at: A,
    step: (stage: Extract<Stage, { at: A }>) => Promise<T>,
  ): Promise<T> {
    const stage = this.#stage;
    ensure(stage.at === at, 'WrongSession', { detail: `kit is at ${stage.at}` });
    this.#stage = { at: 'over' };
    try {
      return await step(stage as Extract<Stage, { at: A }>);
    } catch (e) {
      this.stop();
      throw e;
    }
  }
}
