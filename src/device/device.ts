/** Party 1 as a whole: empty, being born, locked or unlocked, and what the port may ask of it in each. */
import type { ChainSource } from '../chain/source.ts';
import type { Secret } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { generateNoiseKeyPair } from '../protocol/noise.ts';
import { Channel } from './channel.ts';
import { Connection } from './connection.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';
import { Keygen, resumeKeygen } from './keygen.ts';
import { pairingView, parsePairing } from './pairing.ts';
import { Payments, progressOf } from './payments.ts';
import type { DeviceState, PortEvent, PortMethod, PortMethods, ReviewView, ThreeShares } from './port.ts';
import { remoteChain } from './remoteChain.ts';
import { UnlockSession } from './unlockSession.ts';
import { unlockVault, Vault } from './vault.ts';
import { activityOf, reviewOf, walletView } from './views.ts';
import { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const AUTO_LOCK_MINUTES = 15;
const AUTO_LOCK_MAX_MINUTES = 24 * 60;

/** Which open page asks: only the one that started a keygen may go on with it. */
export type Caller = object;

export interface DeviceParts {
  readonly db: Database;
  readonly env: Environment;
  readonly signer: Signer;
  emit(event: PortEvent): void;
}

interface Open {
  readonly wallet: Wallet;
  readonly channel: Channel;
  readonly chain: ChainSource;
  readonly payments: Payments;
}

export class Device {
  readonly #parts: DeviceParts;
  readonly #session: UnlockSession;
  #vault: Vault | null = null;
  #open: Open | null = null;
  #keygen: { run: Keygen; owner: Caller } | null = null;
  #starting = false;
  #resuming: Promise<Bytes | null> | null = null;
  #lockTimer: ReturnType<typeof setTimeout> | undefined;
  #minutes = AUTO_LOCK_MINUTES;
  /** Whether the last try to reach the cosigner failed. */
  #away = false;
  #pages = 0;
  #telling = false;

  private constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.#session = new UnlockSession(parts.db, parts.env);
  }

  /** As the last worker left it: unlocked if its session still stands, and what was pressed goes on. */
  static async wake(parts: DeviceParts): Promise<Device> {
    const device = new Device(parts);
    const settings = await parts.db.get('settings', 'settings');
    device.#minutes = settings?.autoLock ?? AUTO_LOCK_MINUTES;
    const dataKey = await device.#session.resume();
    if (dataKey === null) return device;
    try {
      await device.#enter(dataKey);
    } catch (e) {
      // Damage is told to whoever unlocks; a worker that could not start would tell nobody.
      if (!isHoarfrostError(e) || e.code === 'StoreUnavailable') throw e;
      await device.lock();
    }
    return device;
  }

  /** Whether the worker should be kept alive: money or a key is on its way. */
  get busy(): boolean {
    const drafted = this.#pages > 0 && this.#open?.payments.rows.some((row) => row.state === 'requested');
    return this.#keygen !== null || this.#starting || this.#open?.payments.busy === true || drafted === true;
  }

  pageOpened(): void {
    this.#pages++;
    this.#open?.channel.stay(true);
  }

  pageClosed(page: Caller): void {
    this.#pages--;
    if (this.#pages === 0) this.#open?.channel.stay(false);
    if (this.#keygen?.owner === page) this.#stopKeygen();
  }

  /** Checked at every wake, by the timer, and by the browser's alarm. Answers when it is due next, or null if locked. */
  async checkAutoLock(): Promise<number | null> {
    clearTimeout(this.#lockTimer);
    const at = await this.#session.autoLockAt();
    if (at === null) {
      if (this.#vault !== null) await this.lock();
      return null;
    }
    this.#lockTimer = setTimeout(() => void this.checkAutoLock(), at - this.#parts.env.now() + 1);
    return at;
  }

  async lock(): Promise<void> {
    clearTimeout(this.#lockTimer);
    this.#vault?.lock();
    this.#vault = null;
    this.#open?.payments.stop();
    this.#open?.channel.close();
    this.#open = null;
    await this.#session.end();
    this.#tell();
  }

  async state(): Promise<DeviceState> {
    if (this.#keygen !== null) {
      const { network, pairing } = this.#keygen.run;
      return onboarding(network, `${pairing.host}:${pairing.port}`);
    }
    const vault = await this.#parts.db.get('vault', 'vault');
    if (vault === null) return { phase: 'empty', shares: shares('none', 'none', 'none') };
    if (this.#vault === null) {
      return { phase: 'locked', shares: shares('locked', 'rest', 'rest'), network: vault.network };
    }
    if (this.#open === null) {
      const pending = await this.#parts.db.get('pending', 'pending');
      const where = pending === null ? '' : `${pending.cosigner.host}:${pending.cosigner.port}`;
      return onboarding(vault.network, where);
    }
    const { wallet, payments } = this.#open;
    return {
      phase: 'unlocked',
      shares: shares('lit', this.#away ? 'away' : 'lit', 'rest'),
      wallet: walletView(wallet, payments.rows, this.#minutes),
    };
  }

  /** The port's methods. `caller` is the page's port. */
  async call<M extends PortMethod>(
    method: M,
    argument: PortMethods[M][0],
    caller: Caller,
  ): Promise<PortMethods[M][1]> {
    if (ACTIVITY.has(method) && this.#vault !== null) {
      await this.#session.extend(this.#minutes);
      await this.checkAutoLock();
    }
    const handler = this.#methods[method] as (a: PortMethods[M][0], c: Caller) => Promise<PortMethods[M][1]>;
    return handler(argument, caller);
  }

  readonly #methods: {
    [M in PortMethod]: (argument: PortMethods[M][0], caller: Caller) => Promise<PortMethods[M][1]>;
  } = {
    state: () => this.state(),
    readPairing: async ({ uri }) => pairingView(parsePairing(uri)),
    tryPairing: async ({ uri, network }) => {
      const pairing = parsePairing(uri);
      await this.#ensureUnpaired();
      ensure(pairing.network === null || pairing.network === network, 'WrongNetwork');
      // A key of this one look: the real one is born with the share.
      const local = await generateNoiseKeyPair();
      const { env } = this.#parts;
      const { connection } = await Connection.open({ cosigner: pairing, network, local, env });
      connection.close();
      return pairingView(pairing);
    },

    keygenStart: async ({ uri, recoveryHello, ...rest }, owner) => {
      const pairing = parsePairing(uri);
      await this.#ensureUnpaired();
      ensure(!this.#starting && (this.#keygen === null || this.#keygen.owner === owner), 'OtherTab');
      this.#stopKeygen();
      this.#starting = true;
      try {
        const args = { ...rest, pairing, recoveryHello: bytes(recoveryHello) };
        const { keygen, hellos } = await Keygen.start(this.#parts, args);
        this.#keygen = { run: keygen, owner };
        void keygen.closed.then(() => this.#ended(keygen));
        this.#tell();
        return { hellos };
      } finally {
        this.#starting = false;
      }
    },
    keygenRound1: async ({ recovery }, owner) => ({
      messages: await this.#running(owner).round1(bytes(recovery)),
    }),
    keygenRound2: async ({ recovery }, owner) => ({
      messages: await this.#running(owner).round2(bytes(recovery)),
    }),
    keygenCertify: async ({ recovery }, owner) => {
      const run = this.#running(owner);
      const certificate = await run.certify(bytes(recovery), (dataKey) => this.#begin(dataKey));
      this.#ended(run);
      await this.#openWallet();
      return { certificate };
    },
    keygenResume: async () => ({ certificate: await this.#resumeKeygen() }),
    keygenStop: async (_, owner) => {
      if (this.#keygen?.owner === owner) this.#stopKeygen();
      return null;
    },

    unlock: async ({ password }) => {
      const record = await this.#parts.db.get('vault', 'vault');
      ensure(record !== null, 'NoWallet');
      if (this.#vault === null) {
        const dataKey = await unlockVault(record, password);
        try {
          await this.#begin(dataKey);
        } finally {
          dataKey.wipe();
        }
        await this.#openWallet();
      }
      return null;
    },
    lock: async () => {
      await this.lock();
      return null;
    },
    setAutoLock: async ({ minutes }) => {
      const sane = Number.isInteger(minutes) && minutes >= 1 && minutes <= AUTO_LOCK_MAX_MINUTES;
      ensure(sane, 'BadConfiguration', { detail: 'autoLock' });
      await this.#parts.db.write([{ store: 'settings', key: 'settings', value: { autoLock: minutes } }]);
      this.#minutes = minutes;
      await this.#session.extend(minutes);
      await this.checkAutoLock();
      this.#tell();
      return null;
    },

    receiveAddress: async () => (await this.#unlocked()).wallet.receiveAddress(),
    descriptor: async () => ({ descriptor: (await this.#unlocked()).wallet.descriptor() }),
    refresh: async () => {
      await this.#refresh(await this.#unlocked());
      return null;
    },
    fees: async () => {
      const { chain } = await this.#unlocked();
      return this.#reach(() => chain.fees());
    },
    draft: async (wanted) => {
      const open = await this.#unlocked();
      return this.#review(open, (await open.payments.draft(wanted)).id, null);
    },
    evaluate: async ({ request }) => {
      const open = await this.#unlocked();
      open.payments.get(request);
      try {
        await this.#reach(() => open.payments.evaluate(request));
        return this.#review(open, request, null);
      } catch (e) {
        if (!isHoarfrostError(e) || e.code === 'SessionUnknown') throw e;
        return this.#review(open, request, e.code);
      }
    },
    press: async ({ request }) => progressOf(await (await this.#unlocked()).payments.press(request)),
    payment: async ({ request }) => progressOf((await this.#unlocked()).payments.get(request)),
    discard: async ({ request }) => {
      await (await this.#unlocked()).payments.discard(request);
      this.#tell();
      return null;
    },
    activityDetail: async ({ id }) => {
      const { wallet, payments, chain } = await this.#unlocked();
      const view = activityOf(wallet, payments.rows).find((a) => a.id === id);
      ensure(view !== undefined, 'SessionUnknown', { detail: 'activity' });
      const own = payments.rows.find((row) => row.id === id)?.transaction ?? null;
      const seen = wallet.history.find((entry) => entry.txid === view.txid)?.transaction ?? null;
      if (own !== null || seen === null || seen.length > 0) return { ...view, transaction: own ?? seen };
      // Too long ago to have come with the history.
      const found = await this.#reach(() => chain.transaction(view.txid!));
      return { ...view, transaction: found?.transaction ?? null };
    },
  };

  #review({ wallet, payments }: Open, id: string, verdictError: ErrorCode | null): ReviewView {
    return { ...reviewOf(wallet, payments.get(id), payments.rows), verdictError };
  }

  /** `Locked`, `Pending` without the full certificate, `NoWallet`. */
  async #unlocked(): Promise<Open> {
    if (this.#open !== null) return this.#open;
    const vault = await this.#parts.db.get('vault', 'vault');
    ensure(vault !== null, 'NoWallet');
    throw new HoarfrostError(this.#vault === null ? 'Locked' : 'Pending');
  }

  async #ensureUnpaired(): Promise<void> {
    ensure((await this.#parts.db.get('wallet', 'wallet')) === null, 'WalletExists');
  }

  /** Stays unlocked from here on, over the worker's deaths. The caller wipes `dataKey`. */
  async #begin(dataKey: Secret): Promise<void> {
    const record = await this.#parts.db.get('vault', 'vault');
    ensure(record !== null, 'NoWallet');
    const vault = await Vault.open(record, dataKey);
    await this.#session.start(dataKey, this.#minutes);
    this.#vault = vault;
    await this.checkAutoLock();
  }

  async #enter(dataKey: Secret): Promise<void> {
    const record = await this.#parts.db.get('vault', 'vault');
    try {
      if (record === null) return;
      this.#vault = await Vault.open(record, dataKey);
    } finally {
      dataKey.wipe();
    }
    await this.checkAutoLock();
    await this.#openWallet();
  }

  /** What does not open is locked again: a vault that opens without its wallet would be neither. */
  async #openWallet(): Promise<void> {
    const vault = this.#vault;
    if (vault === null || this.#open !== null) return;
    try {
      await this.#openWith(vault);
    } catch (e) {
      await this.lock();
      throw e;
    }
  }

  /** With the vault open and the certificate complete, the wallet comes to life. A certificate still due is asked for. */
  async #openWith(vault: Vault): Promise<void> {
    const wallet = await Wallet.open(this.#parts, vault.context);
    if (wallet === null) {
      // Without an answer the key stays pending, and onboarding asks again.
      if (this.#resuming === null) this.#resumeKeygen().catch(() => {});
    } else {
      const { env, signer, db } = this.#parts;
      const channel = new Channel({
        cosigner: wallet.cosigner,
        network: wallet.key.network,
        local: await vault.channel(),
        env,
        onNotice: (notice) => {
          if (notice.kind === 'chain') void this.#refreshOpen();
        },
        onConnected: () => void this.#refreshOpen(),
      });
      const chain = remoteChain(channel);
      const payments = await Payments.open({
        db,
        env,
        signer,
        vault,
        wallet,
        channel,
        chain,
        onChange: (row) => {
          this.#parts.emit({ kind: 'payment', progress: progressOf(row) });
          if (row.state === 'broadcast') void this.#refreshOpen();
          this.#tell();
        },
      });
      if (this.#vault !== vault || this.#open !== null) {
        payments.stop();
        channel.close();
        return;
      }
      this.#open = { wallet, channel, chain, payments };
      channel.stay(this.#pages > 0);
      payments.resume();
    }
    this.#tell();
  }

  async #refreshOpen(): Promise<void> {
    if (this.#open !== null) await this.#refresh(this.#open);
  }

  async #refresh({ wallet, chain, payments }: Open): Promise<void> {
    await wallet.refresh(chain);
    this.#away = wallet.syncError !== null && AWAY.has(wallet.syncError);
    if (wallet.syncError === null) {
      // Locked meanwhile: the rows are somebody else's now.
      await payments.seen(new Set(wallet.history.map(({ txid }) => txid))).catch(() => {});
    }
    this.#tell();
  }

  /** Notes by the way whether the cosigner answers. */
  async #reach<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#away = false;
      return answer;
    } catch (e) {
      if (isHoarfrostError(e)) this.#away = AWAY.has(e.code);
      throw e;
    }
  }

  /** One question at a time; the second asker hears the first one's answer. */
  #resumeKeygen(): Promise<Bytes | null> {
    const resume = async () => {
      if (this.#open !== null) return this.#open.wallet.certificate;
      if ((await this.#parts.db.get('vault', 'vault')) === null) return null;
      ensure(this.#vault !== null, 'Locked');
      const certificate = await resumeKeygen(this.#parts, this.#vault);
      if (certificate !== null) await this.#openWallet();
      return certificate;
    };
    this.#resuming ??= resume().finally(() => {
      this.#resuming = null;
    });
    return this.#resuming;
  }

  #running(owner: Caller): Keygen {
    ensure(this.#keygen !== null, 'SessionUnknown', { detail: 'keygen' });
    ensure(this.#keygen.owner === owner, 'OtherTab');
    return this.#keygen.run;
  }

  #stopKeygen(): void {
    const run = this.#keygen?.run;
    run?.stop();
    if (run !== undefined) this.#ended(run);
  }

  #ended(run: Keygen): void {
    if (this.#keygen?.run !== run) return;
    this.#keygen = null;
    this.#tell();
  }

  /** Pages hear the newest state once for all changes of one turn. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(async () => {
      this.#telling = false;
      try {
        this.#parts.emit({ kind: 'state', state: await this.state() });
      } catch {
        // The store failed: a page that asks hears it.
      }
    });
  }
}

/** What a user at the screen does; a page that only refreshes itself keeps nothing unlocked. */
const ACTIVITY: ReadonlySet<PortMethod> = new Set<PortMethod>([
  'receiveAddress',
  'draft',
  'press',
  'discard',
  'descriptor',
  'activityDetail',
]);

const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CosignerUnreachable',
  'ChannelClosed',
  'DeadlineExceeded',
  'WrongCosignerKey',
]);

function shares(
  device: ThreeShares['device'],
  cosigner: ThreeShares['cosigner'],
  recovery: ThreeShares['recovery'],
): ThreeShares {
  return { device, cosigner, recovery };
}

function onboarding(network: Extract<DeviceState, { phase: 'onboarding' }>['network'], cosignerHost: string) {
  const growing = shares('growing', 'growing', 'growing');
  return { phase: 'onboarding', shares: growing, network, cosignerHost } as const;
}

function bytes(message: Uint8Array): Bytes {
  return Uint8Array.from(message);
}
