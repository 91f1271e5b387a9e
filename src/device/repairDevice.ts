/**
 * How a new device gets the share of a lost one: cosigner and recovery page make it anew, and this device carries their
 * messages, which it cannot read, over one connection that is never mended. Until the share is durable the next run starts
 * anew and nothing is lost. From then on it may have happened: a device that the cosigner greets as enrolled takes up the
 * wallet that its records name, and everyone else begins again, with the same keys and so for the same share.
 *
 *   start -> repairOffer   joined -> repairDelta   summed -> repairHeld, durable before   approved -> the wallet
 */
import { type Secret, withSecrets } from '../crypto/secret.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { readChannelKey } from '../frost/channelKey.ts';
import { type Epoch, firstEpoch } from '../frost/epoch.ts';
import { type KeyRecord, verifyCertificate } from '../frost/keygen.ts';
import { followRecords } from '../frost/records.ts';
import { type AwaitingSums, finishRepair, openRepair } from '../frost/repair.ts';
import { ceremonyId } from '../policy/ceremony.ts';
import { equalVar } from '../protocol/bytes.ts';
import { wordsAct } from '../protocol/ceremony.ts';
import { decode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { generateNoiseKeyPair } from '../protocol/noise.ts';
import type { OfflineOf } from '../protocol/offline.ts';
import type { PublicState } from '../protocol/publicState.ts';
import { Connection } from './connection.ts';
import type { Change, Database } from './database.ts';
import type { Environment } from './environment.ts';
import type { Newcomer, NewcomerRecord } from './newcomer.ts';
import { unsettledRoute } from './route.ts';
import { sealVault, unlockWith, Vault, vaultChanges } from './vault.ts';
import { newWallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

interface Parts {
  readonly db: Database;
  readonly env: Environment;
  readonly signer: SignerModule;
}

/** What the cosigner keeps of the wallet, and what was saved from the lost device. */
interface Told {
  readonly certificate: Bytes;
  readonly records: readonly Bytes[];
  /** What it says of its channel key. */
  readonly channelKey: Bytes | null;
  /** The server that the lost device sent by, which is asked about before it is used; null if none is known. */
  readonly route: string | null;
}

interface Known {
  readonly key: KeyRecord;
  readonly epoch: Epoch;
}

type Stage =
  | { at: 'offer'; state: AwaitingSums; open: Bytes }
  | { at: 'delta'; state: AwaitingSums; opens: Bytes[]; sum: Bytes }
  | { at: 'held'; sum: Bytes; certify: Bytes }
  | { at: 'over' };

export class DeviceRepair {
  readonly #parts: Parts;
  readonly #newcomer: Newcomer;
  readonly #connection: Connection;
  readonly #told: Told;
  readonly #known: Known;
  #stage: Stage;

  private constructor(
    parts: Parts,
    newcomer: Newcomer,
    own: { connection: Connection; told: Told; known: Known; stage: Stage },
  ) {
    this.#parts = parts;
    this.#newcomer = newcomer;
    this.#connection = own.connection;
    this.#told = own.told;
    this.#known = own.known;
    this.#stage = own.stage;
    void this.closed.then(() => this.stop());
  }

  /**
   * The offer for the recovery page, or null if this device has become the wallet's already and the wallet is stored; then
   * `onDurable` got its data key. `newcomer` is the run's from here on. Throws `CeremonyWaits`, `CeremonyEnded`,
   * `BadCertificate` if what was saved is of another wallet, `WalletExists` where another one is here, `WrongCosignerKey`, `CosignerUnreachable`, and what a cosigner that tells another
   * wallet is refused with.
   */
  static async start(
    parts: Parts,
    newcomer: Newcomer,
    saved: PublicState | null,
    onDurable: (dataKey: Secret) => Promise<void>,
  ): Promise<{ run: DeviceRepair; offer: OfflineOf<'repairOffer'> } | null> {
    const { signer, env } = parts;
    const { record, host, channel } = newcomer;
    const { cosigner, network } = record;
    const route = saved?.route ?? null;
    let connection: Connection | undefined;
    try {
      const opened = await Connection.open({ cosigner, network, local: channel, env });
      connection = opened.connection;
      const { enrolled, channelKey } = opened.hello;
      if (enrolled) {
        const { certificate, records } = await connection.request({ kind: 'records' }, 'records');
        await adopt(parts, newcomer, { certificate, records, channelKey, route }, onDurable);
        connection.close();
        host.wipe();
        return null;
      }
      const ceremony = ceremonyId(record.act);
      const encryption = await generateNoiseKeyPair();
      const self = { id: 1, host, encryption, noiseKey: channel.publicKey, ceremony } as const;
      const [state, hello] = openRepair(signer, self, env.random);
      const asked = { kind: 'repairOpen', ceremony, hello } as const;
      const { certificate, records, open } = await connection.request(asked, 'repairOpened');
      const told = { certificate, records, channelKey, route };
      const known = readWallet(signer, record, told);
      await ensureOwn(parts.db, known.key);
      const copies = [records, ...copiesOf(signer, saved, known.key)];
      const stage: Stage = { at: 'offer', state, open };
      return {
        run: new DeviceRepair(parts, newcomer, { connection, told, known, stage }),
        offer: {
          kind: 'repairOffer',
          bundle: { certificate, copies },
          ceremony,
          target: 1,
          hello,
          open,
        },
      };
    } catch (e) {
      host.wipe();
      connection?.close();
      throw e;
    }
  }

  joined({ open, delta }: OfflineOf<'repairJoined'>): Promise<OfflineOf<'repairDelta'>> {
    return this.#step('offer', async (stage) => {
      const answer = await this.#connection.request({ kind: 'repairSplit', open, delta }, 'repairSplit');
      this.#stage = { at: 'delta', state: stage.state, opens: [stage.open, open], sum: answer.sum };
      return { kind: 'repairDelta', delta: answer.delta, sum: answer.sum };
    });
  }

  /** The share is durable when this resolves. Throws as `finishRepair`. */
  summed({ sum }: OfflineOf<'repairSummed'>): Promise<OfflineOf<'repairHeld'>> {
    return this.#step('delta', async ({ state, opens, sum: theirs }) => {
      const { signer, env, db } = this.#parts;
      const { key, epoch } = this.#known;
      const { record, password, host, channel } = this.#newcomer;
      const sums = [theirs, sum];
      const [finished, certify] = await finishRepair(signer, state, epoch, opens, sums, env.random);
      const { share } = finished;
      await withSecrets([share], async () => {
        const { random } = env;
        const context = { wallet: key.wallet, network: key.network };
        const { number } = epoch;
        const args = { password, context, epoch: number, share, host, channel, random };
        const { vault, dataKey } = await sealVault(args);
        dataKey.wipe();
        const held: NewcomerRecord = { ...record, held: vault };
        await db.write([{ store: 'newcomer', key: 'newcomer', value: held }]);
      });
      this.#stage = { at: 'held', sum, certify };
      return { kind: 'repairHeld', certify };
    });
  }

  /**
   * Recovery approves, the cosigner puts this device in the place of the lost one, and the wallet is stored. `onDurable` gets
   * the data key. After `ChannelClosed` or `DeadlineExceeded` it may have happened: `start` asks.
   */
  approved(
    { certify: approval }: OfflineOf<'repairApproved'>,
    onDurable: (dataKey: Secret) => Promise<void>,
  ): Promise<void> {
    return this.#step('held', async ({ sum, certify }) => {
      const asked = { kind: 'repairApprove', sum, certify, approval } as const;
      const { record } = await this.#connection.request(asked, 'repaired');
      const told = { ...this.#told, records: [...this.#told.records, record] };
      await adopt(this.#parts, this.#newcomer, told, onDurable);
      this.stop();
    });
  }

  /** Forgets the run; what is durable stays. */
  stop(): void {
    this.#stage = { at: 'over' };
    this.#newcomer.host.wipe();
    this.#connection.close();
  }

  /** Resolves when the connection, and so this run, is gone. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  /** Takes the stage out, so that a second call in the meantime, or one after a failure, finds nothing. */
  async #step<A extends Exclude<Stage['at'], 'over'>, T>(
    at: A,
    step: (stage: Extract<Stage, { at: A }>) => Promise<T>,
  ): Promise<T> {
    const stage = this.#stage;
    ensure(stage.at === at, 'WrongSession', { detail: `repair is at ${stage.at}` });
    this.#stage = { at: 'over' };
    try {
      return await step(stage as Extract<Stage, { at: A }>);
    } catch (e) {
      this.stop();
      throw e;
    }
  }
}

/**
 * The wallet that the words asked for, whose cosigner is the one in the link, by the keys that its records name or by its own
 * statement: a cosigner has many wallets, and may lie about which is meant. Throws `WrongCosignerKey`, `ChannelKeyRefused`, `WrongNetwork`, `BadWords` for the wallet of other words.
 */
function readWallet(
  signer: SignerModule,
  record: NewcomerRecord,
  { certificate, records, channelKey }: Told,
): Known {
  const key = verifyCertificate(signer, certificate);
  const epoch = followRecords(signer, key, records).at(-1) ?? firstEpoch(signer, key);
  const { noiseKey, hostKey } = record.cosigner;
  ensure(key.network === record.network, 'WrongNetwork');
  const said = channelKey === null ? null : readChannelKey(signer, hostKey, channelKey).noiseKey;
  const known = equalVar(noiseKey, epoch.noiseKeys[1]) || (said !== null && equalVar(noiseKey, said));
  ensure(known && equalVar(epoch.hostKeys[1], hostKey), 'WrongCosignerKey', { detail: 'certificate' });
  ensure(record.request !== null, 'CeremonyWaits');
  const words = decode(wordsAct, record.request).hostKey;
  ensure(equalVar(epoch.hostKeys[2], words), 'BadWords', { detail: 'another wallet' });
  return { key, epoch };
}

/** The lost device's own copy, if it was saved. Throws `BadCertificate` for another wallet's. */
function copiesOf(signer: SignerModule, saved: PublicState | null, key: KeyRecord): Bytes[][] {
  if (saved === null) return [];
  const { wallet } = verifyCertificate(signer, saved.bundle.certificate);
  ensure(equalVar(wallet, key.wallet), 'BadCertificate', { detail: 'another wallet' });
  return saved.bundle.copies.slice(0, 1);
}

/** A vault that is here gives way to its own wallet alone: the share of another would be gone. `WalletExists`. */
async function ensureOwn(db: Database, key: KeyRecord): Promise<void> {
  const vault = await db.get('vault', 'vault');
  ensure(vault === null || equalVar(vault.wallet, key.wallet), 'WalletExists', { detail: 'another' });
}

/**
 * The one place where a wallet comes to be by repair. Throws `TranscriptMismatch` unless the records end with this very
 * device's keys and its share is the one that they name.
 */
async function adopt(
  parts: Parts,
  { record, password }: Newcomer,
  told: Told,
  onDurable: (dataKey: Secret) => Promise<void>,
): Promise<void> {
  const { db, env, signer } = parts;
  const current = await db.get('newcomer', 'newcomer');
  const held = current?.held ?? null;
  ensure(held !== null, 'VaultDamaged', { detail: 'no share' });
  const { epoch, key } = readWallet(signer, record, told);
  const ours = equalVar(epoch.hostKeys[0], record.hostKey) && equalVar(epoch.noiseKeys[0], record.noiseKey);
  ensure(ours && equalVar(key.wallet, held.record.wallet), 'TranscriptMismatch', {
    detail: 'another device',
  });
  const dataKey = await unlockWith(held.record, password.kek);
  try {
    const vault = await Vault.open(db, held.record, dataKey);
    const share = await vault.openShare(held.share);
    const fits = withSecrets([share], () => equalVar(signer.publicKey(share), epoch.verifyingShares[0]));
    ensure(fits, 'TranscriptMismatch', { detail: 'share' });
    const at = env.now();
    const rows = told.records.map(
      (record, i): Change => ({ store: 'records', key: i + 1, value: { record, at } }),
    );
    await db.write([
      ...(await remains(db)),
      ...vaultChanges(held),
      ...rows,
      {
        store: 'wallet',
        key: 'wallet',
        value: newWallet(told.certificate, record.cosigner, told.channelKey),
      },
      ...(told.route === null ? [] : [unsettledRoute(told.route)]),
      { store: 'newcomer', key: 'newcomer', value: null },
    ]);
    await onDurable(dataKey);
  } finally {
    dataKey.wipe();
  }
}

/** Of a wallet that was here under another vault: nothing of it would open any more. */
async function remains(db: Database): Promise<Change[]> {
  const [shares, requests, records] = [
    await db.all('shares'),
    await db.all('requests'),
    await db.all('records'),
  ];
  return [
    ...records.map((_, i): Change => ({ store: 'records', key: i + 1, value: null })),
    { store: 'change', key: 'change', value: null },
    ...shares.map(({ epoch }): Change => ({ store: 'shares', key: epoch, value: null })),
    ...requests.map(({ id }): Change => ({ store: 'requests', key: id, value: null })),
    { store: 'pending', key: 'pending', value: null },
  ];
}
