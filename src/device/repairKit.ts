/**
 * A new kit in the place of a lost one: this device and the cosigner make share 3 anew for new words, which the recovery page
 * made and alone has seen. Recovery's messages pass through here unread. What this device has certified is in `Epochs` before
 * it leaves, so a run that ends anywhere is settled by the next connection, or begins again.
 *
 *   start -> kitOffer   hello -> kitSums   held -> the record
 */
import type { Secret } from '../crypto/secret.ts';
import { withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
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
import { settle } from './refresh.ts';
import type { Vault } from './vault.ts';

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
  | { at: 'held'; state: AwaitingRepairCertify; sums: Bytes[]; sum: Bytes }
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

  /** Throws `CeremonyWaits`, `CeremonyEnded`, and what `joinRepair` throws: `BadSignature` for another kit than was allowed. */
  hello({ hello }: OfflineOf<'kitHello'>): Promise<OfflineOf<'kitSums'>> {
    return this.#step('hello', async () => {
      const { env, signer, vault, epochs } = this.#parts;
      const { random } = env;
      const { ceremony, hostKey } = this.#kit;
      const epoch = epochs.current;
      const target = { id: 3, hostKey } as const;
      const self = { id: 1, host: this.#host, epoch, ceremony, target } as const;
      const [joined, own] = await joinRepair(signer, self, hello, random);
      const opened = await this.#connection.request({ kind: 'repairOpen', ceremony, hello }, 'repairOpened');
      const share = await vault.share(epoch.number);
      const [split, delta] = await withSecrets([share], () =>
        splitRepair(signer, joined, share, opened.open, random),
      );
      let theirs: { delta: Bytes; sum: Bytes };
      try {
        theirs = await this.#connection.request({ kind: 'repairSplit', open: own, delta }, 'repairSplit');
      } catch (e) {
        split.kept.wipe();
        throw e;
      }
      const [state, sum] = await sumRepair(signer, split, theirs.delta, random);
      const sums: [Bytes, Bytes] = [sum, theirs.sum];
      this.#stage = { at: 'held', state, sums, sum };
      return { kind: 'kitSums', opens: [own, opened.open], sums };
    });
  }

  /** The old words are nothing any more when this resolves. After `ChannelClosed` the next connection settles it. */
  held({ certify }: OfflineOf<'kitHeld'>): Promise<void> {
    return this.#step('held', async ({ state, sums, sum }) => {
      const { env, signer, epochs } = this.#parts;
      const [pending, approval] = approveRepair(signer, state, sums, certify, env.random);
      await epochs.alone(async () => {
        await epochs.keep(pending, null);
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
