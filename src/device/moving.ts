/**
 * The way to another cosigner: this device and the recovery page make share 2 anew for it, whether the old one lives or not.
 * Device and words together need nobody's leave. Before this device's approval leaves, it and the address are durable; from
 * then on the new cosigner is asked until it says that the wallet is its own, and at last the old one is told to forget.
 *
 *   start -> repairOffer   joined -> repairDelta   summed -> repairHeld   approved -> the record
 */
import { type Secret, withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import type { Epoch, PendingChange } from '../frost/epoch.ts';
import {
  type AwaitingRepairCertify,
  type AwaitingRepairOpen,
  approveRepair,
  joinRepair,
  splitRepair,
  sumRepair,
} from '../frost/repair.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { signedBody } from '../protocol/keygen.ts';
import type { OfflineOf } from '../protocol/offline.ts';
import { repairHello } from '../protocol/repair.ts';
import { Connection } from './connection.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';
import type { Cosigner, Pairing } from './pairing.ts';
import type { Vault } from './vault.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** From this device's approval until the old cosigner has forgotten. */
export interface MoveRecord {
  readonly cosigner: Cosigner;
  readonly old: Cosigner;
  /** Device's and recovery's. */
  readonly approvals: readonly Bytes[];
}

interface Parts {
  readonly db: Database;
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly vault: Vault;
  readonly wallet: Wallet;
}

type Stage =
  | { at: 'offer'; state: AwaitingRepairOpen; open: Bytes }
  | { at: 'delta'; state: AwaitingRepairCertify; opens: Bytes[]; sum: Bytes }
  | { at: 'held'; pending: PendingChange; approval: Bytes }
  | { at: 'over' };

export class Moving {
  readonly #parts: Parts;
  readonly #pairing: Pairing;
  readonly #policies: readonly Bytes[];
  readonly #connection: Connection;
  readonly #host: Secret;
  #stage: Stage;

  private constructor(
    parts: Parts,
    pairing: Pairing,
    policies: readonly Bytes[],
    own: { connection: Connection; host: Secret; stage: Stage },
  ) {
    this.#parts = parts;
    this.#pairing = pairing;
    this.#policies = policies;
    this.#connection = own.connection;
    this.#host = own.host;
    this.#stage = own.stage;
    void own.connection.closed.then(() => this.stop());
  }

  /**
   * `policies`: the signed versions after the first. Throws `WrongNetwork`, `WrongCosignerKey`, `TokenUnknown`, `TokenExpired`,
   * `CosignerUnreachable`; `AlreadyPaired` for the cosigner that the wallet has; `Pending` while a change is in doubt.
   */
  static async start(
    parts: Parts,
    pairing: Pairing,
    policies: readonly Bytes[],
  ): Promise<{ run: Moving; offer: OfflineOf<'repairOffer'> }> {
    const { env, signer, vault, wallet } = parts;
    const { epochs, certificate } = wallet;
    const { network } = wallet.key;
    ensure(epochs.doubt === null, 'Pending', { detail: 'change of the shares' });
    ensure(pairing.token !== null, 'BadPairing', { detail: 'token' });
    ensure(pairing.network === null || pairing.network === network, 'WrongNetwork');
    const epoch = epochs.current;
    ensure(!equalVar(pairing.hostKey, epoch.hostKeys[1]), 'AlreadyPaired');
    const local = await vault.channel();
    const { connection } = await Connection.open({ cosigner: pairing, network, local, env });
    const host = await vault.host();
    try {
      const ceremony = env.random(32);
      const asked = { kind: 'takeoverOpen', token: pairing.token, ceremony } as const;
      const { message: hello } = await connection.request(asked, 'party');
      const target = { id: 2, hostKey: pairing.hostKey } as const;
      const self = { id: 1, host, epoch, ceremony, target } as const;
      const [state, open] = await joinRepair(signer, self, hello, env.random);
      // Signed by the pinned host key, and so its word; and still only the channel that the link names.
      const { noiseKey } = decode(repairHello, decode(signedBody, hello).body);
      ensure(equalVar(noiseKey, pairing.noiseKey), 'WrongCosignerKey', { detail: 'hello' });
      const run = new Moving(parts, pairing, policies, {
        connection,
        host,
        stage: { at: 'offer', state, open },
      });
      const bundle = { certificate, copies: [epochs.records] };
      return { run, offer: { kind: 'repairOffer', bundle, ceremony, target: 2, hello, open } };
    } catch (e) {
      host.wipe();
      connection.close();
      throw e;
    }
  }

  joined({ open, delta: theirs }: OfflineOf<'repairJoined'>): Promise<OfflineOf<'repairDelta'>> {
    return this.#step('offer', async ({ state, open: own }) => {
      const { env, signer, vault } = this.#parts;
      const share = await vault.share(state.self.epoch.number);
      const [split, delta] = await withSecrets([share], () =>
        splitRepair(signer, state, share, open, env.random),
      );
      const [summed, sum] = await sumRepair(signer, split, theirs, env.random);
      this.#stage = { at: 'delta', state: summed, opens: [own, open], sum };
      return { kind: 'repairDelta', delta, sum };
    });
  }

  /** The new cosigner's share is durable there when this resolves. */
  summed({ sum: theirs }: OfflineOf<'repairSummed'>): Promise<OfflineOf<'repairHeld'>> {
    return this.#step('delta', async ({ state, opens, sum }) => {
      const { env, signer, wallet } = this.#parts;
      const sums = [sum, theirs];
      const { certificate, epochs } = wallet;
      const known = { certificate, records: epochs.records, policies: [...this.#policies] };
      const asked = { kind: 'takeoverFinish', ...known, opens, sums } as const;
      const { message: certify } = await this.#connection.request(asked, 'party');
      const [pending, approval] = approveRepair(signer, state, sums, certify, env.random);
      this.#stage = { at: 'held', pending, approval };
      return { kind: 'repairHeld', certify };
    });
  }

  /** The wallet has another cosigner when this resolves. If it rejects `settleMove` knows, or asks. */
  approved({ certify }: OfflineOf<'repairApproved'>): Promise<void> {
    return this.#step('held', async ({ pending, approval }) => {
      const { db, wallet } = this.#parts;
      const { host, port, noiseKey, hostKey } = this.#pairing;
      const cosigner = { host, port, noiseKey, hostKey };
      const row: MoveRecord = { cosigner, old: wallet.cosigner, approvals: [approval, certify] };
      await wallet.epochs.alone(async () => {
        await db.write([{ store: 'move', key: 'move', value: row }]);
        await wallet.epochs.keep(pending, null);
        await complete(this.#parts, row, this.#connection);
      });
      this.stop();
    });
  }

  stop(): void {
    this.#stage = { at: 'over' };
    this.#host.wipe();
    this.#connection.close();
  }

  async #step<A extends Exclude<Stage['at'], 'over'>, T>(
    at: A,
    step: (stage: Extract<Stage, { at: A }>) => Promise<T>,
  ): Promise<T> {
    const stage = this.#stage;
    ensure(stage.at === at, 'WrongSession', { detail: `move is at ${stage.at}` });
    this.#stage = { at: 'over' };
    try {
      return await step(stage as Extract<Stage, { at: A }>);
    } catch (e) {
      this.stop();
      throw e;
    }
  }
}

/** Whether the last record names the cosigner that the wallet is on its way to. */
function hasMoved({ epochs }: Wallet, { cosigner }: MoveRecord): boolean {
  return equalVar(epochs.current.hostKeys[1], cosigner.hostKey);
}

/** Before anybody connects: a wallet whose records have moved has moved in its address too. */
export async function followMove({ db, wallet }: Pick<Parts, 'db' | 'wallet'>): Promise<void> {
  const row = await db.get('move', 'move');
  if (row !== null && hasMoved(wallet, row)) await wallet.moveTo(row.cosigner);
}

/**
 * On with a move that this device has approved: the new cosigner is asked until it has the wallet, the old one told until it
 * has forgotten. Answers whether the wallet has another cosigner than before. Throws what keeps it from being known.
 */
export async function settleMove(parts: Parts): Promise<boolean> {
  const { db, env, vault, wallet } = parts;
  const { epochs } = wallet;
  const row = await db.get('move', 'move');
  if (row === null) return false;
  const { network } = wallet.key;
  const local = await vault.channel();
  // Alone from the first look on: of two that ask at once the second finds it done.
  const moved = await epochs.alone(async () => {
    if (hasMoved(wallet, row)) return false;
    if (epochs.doubt === null) {
      // Our approval never left.
      await db.write([{ store: 'move', key: 'move', value: null }]);
      return false;
    }
    const { connection } = await Connection.open({ cosigner: row.cosigner, network, local, env });
    try {
      await complete(parts, row, connection);
      return true;
    } finally {
      connection.close();
    }
  });
  if (!hasMoved(wallet, row)) return false;
  void tellOld(parts, row).catch(() => {});
  return moved;
}

/** Gives our approvals, which are answered the same each time, and takes up the record. A new cosigner that forgot us ends the move. */
async function complete({ db, env, wallet }: Parts, row: MoveRecord, connection: Connection): Promise<void> {
  const { epochs } = wallet;
  let record: Bytes;
  try {
    const approvals = [...row.approvals];
    ({ record } = await connection.request({ kind: 'takeoverApprove', approvals }, 'repaired'));
  } catch (e) {
    // It holds nothing of this session, or of a later try alone: what we approved can never complete.
    if (isHoarfrostError(e) && (e.code === 'SessionUnknown' || e.code === 'WrongSession')) {
      await epochs.forget();
      await db.write([{ store: 'move', key: 'move', value: null }]);
    }
    throw e;
  }
  await epochs.append(record, env.now());
  await wallet.moveTo(row.cosigner);
}

/** Once, if it answers; a cosigner that is dead is told at every unlock, and never waited for. */
async function tellOld({ db, env, vault, wallet }: Parts, row: MoveRecord): Promise<void> {
  const { network } = wallet.key;
  // The last that brought it there: it may have been there before.
  const { records, all } = wallet.epochs;
  const isThere = (epoch: Epoch) => equalVar(epoch.hostKeys[1], row.cosigner.hostKey);
  const record = records.findLast((_, i) => isThere(all[i + 1]!) && !isThere(all[i]!));
  if (record === undefined) return;
  const local = await vault.channel();
  const { connection, hello } = await Connection.open({ cosigner: row.old, network, local, env });
  try {
    if (hello.enrolled) await connection.request({ kind: 'handOver', record }, 'retired');
    await db.write([{ store: 'move', key: 'move', value: null }]);
  } finally {
    connection.close();
  }
}
