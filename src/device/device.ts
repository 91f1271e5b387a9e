/**
 * Party 1 as a whole: empty, being born, locked or unlocked, and what lives in each. What the port may ask of it stands by
 * subject in `handlers/`.
 */
import type { Secret } from '../crypto/secret.ts';
import type { CeremonyView } from '../protocol/ceremony.ts';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { AutoLock } from './autoLock.ts';
import { Ceremonies } from './ceremonies.ts';
import { Channel } from './channel.ts';
import { Birth } from './handlers/birth.ts';
import { ceremonyHandlers, infoOf } from './handlers/ceremonies.ts';
import { offlineHandlers } from './handlers/offline.ts';
import { paymentHandlers } from './handlers/payments.ts';
import { Repairs } from './handlers/repairs.ts';
import { Returning } from './handlers/returning.ts';
import { routeHandlers } from './handlers/route.ts';
import { rulesHandlers } from './handlers/rules.ts';
import { safetyHandlers } from './handlers/safety.ts';
import { shareHandlers } from './handlers/shares.ts';
import type { Caller, DeviceParts, Handlers, Inside, Open } from './handlers/subject.ts';
import { sweepHandlers } from './handlers/sweep.ts';
import { vaultHandlers } from './handlers/vault.ts';
import { walletHandlers } from './handlers/wallet.ts';
import { followMove } from './moving.ts';
import { OfflineSigning } from './offline.ts';
import { Payments, progressOf } from './payments.ts';
import { Policies } from './policies.ts';
import type { DeviceState, PortMethod, PortMethods, RouteView, ThreeShares } from './port.ts';
import { Refresher } from './refresh.ts';
import { remoteChain } from './remoteChain.ts';
import { Route } from './route.ts';
import { securityKeyOf, Vault } from './vault.ts';
import { epochView, walletView } from './views.ts';
import { Wallet } from './wallet.ts';

export class Device {
  readonly #parts: DeviceParts;
  readonly #autoLock: AutoLock;
  readonly #birth: Birth;
  readonly #returning: Returning;
  readonly #repairs: Repairs;
  readonly #handlers: Handlers<PortMethod>;
  #vault: Vault | null = null;
  #open: Open | null = null;
  /** Whether the last try to reach the cosigner failed. */
  #away = false;
  /** Whether the cosigner knows this device, by its last greeting; one struck off since hears so at its next question. */
  #enrolled = true;
  #pages = 0;
  #telling = false;
  #reopening: Promise<void> = Promise.resolve();

  private constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.#autoLock = new AutoLock(parts, async () => {
      if (this.#vault !== null) await this.lock();
    });
    const inside = this.#inside();
    this.#birth = new Birth(inside);
    this.#returning = new Returning(inside);
    this.#repairs = new Repairs(inside);
    this.#handlers = {
      state: () => this.state(),
      ...this.#birth.handlers,
      ...this.#returning.handlers,
      ...this.#repairs.handlers,
      ...vaultHandlers(inside, this.#autoLock),
      ...walletHandlers(inside),
      ...safetyHandlers(inside),
      ...ceremonyHandlers(inside),
      ...rulesHandlers(inside),
      ...paymentHandlers(inside),
      ...offlineHandlers(inside),
      ...routeHandlers(inside),
      ...shareHandlers(inside),
      ...sweepHandlers(inside),
    };
  }

  #inside(): Inside {
    const vault = () => this.#vault;
    const open = () => this.#open;
    return {
      parts: this.#parts,
      get vault() {
        return vault();
      },
      get open() {
        return open();
      },
      unlocked: () => this.#unlocked(),
      begin: (dataKey) => this.#begin(dataKey),
      openWallet: () => this.#openWallet(),
      lock: () => this.lock(),
      reopen: () => this.#reopen(),
      refresh: (opened) => this.#refresh(opened),
      reach: (ask) => this.#reach(ask),
      tell: () => this.#tell(),
    };
  }

  /** As the last worker left it: unlocked if its session still stands, and what was pressed goes on. */
  static async wake(parts: DeviceParts): Promise<Device> {
    const device = new Device(parts);
    const dataKey = await device.#autoLock.wake();
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
    const asked = this.#pages > 0 && this.#open?.offline.waiting;
    const working =
      this.#birth.busy ||
      this.#returning.busy ||
      this.#repairs.busy ||
      this.#open?.payments.busy ||
      this.#open?.refresher.busy;
    return working === true || drafted === true || asked === true;
  }

  pageOpened(): void {
    this.#pages++;
    this.#open?.channel.stay(true);
  }

  pageClosed(page: Caller): void {
    this.#pages--;
    if (this.#pages === 0) this.#open?.channel.stay(false);
    this.#birth.pageClosed(page);
    this.#returning.pageClosed(page);
    this.#repairs.pageClosed(page);
  }

  /** Checked at every wake, by the timer, and by the browser's alarm. Answers when it is due next, or null if locked. */
  checkAutoLock(): Promise<number | null> {
    return this.#autoLock.check();
  }

  get autoLockMinutes(): number {
    return this.#autoLock.minutes;
  }

  async lock(): Promise<void> {
    this.#vault?.lock();
    this.#vault = null;
    this.#closeWallet();
    await this.#autoLock.end();
    this.#tell();
  }

  /** Who asks meanwhile waits for it: an unlocked device without its wallet would look as if it were being born. */
  #reopen(): Promise<void> {
    this.#closeWallet();
    const reopened = this.#openWallet();
    this.#reopening = reopened.catch(() => {});
    return reopened;
  }

  #closeWallet(): void {
    this.#repairs.stop();
    this.#open?.payments.stop();
    this.#open?.refresher.stop();
    this.#open?.offline.drop();
    this.#open?.channel.close();
    this.#open = null;
    this.#enrolled = true;
  }

  async state(): Promise<DeviceState> {
    await this.#reopening;
    const { running } = this.#birth;
    if (running !== null) {
      return onboarding(running.network, `${running.pairing.host}:${running.pairing.port}`);
    }
    const vault = await this.#parts.db.get('vault', 'vault');
    if (vault === null) {
      const returning = await this.#returning.view();
      if (returning === null) return { phase: 'empty', shares: shares('none', 'none', 'none') };
      return { phase: 'returning', shares: shares('growing', 'lit', 'rest'), returning };
    }
    if (this.#vault === null) {
      const { network } = vault;
      return {
        phase: 'locked',
        shares: shares('locked', 'rest', 'rest'),
        network,
        securityKey: securityKeyOf(vault),
        returning: (await this.#returning.view()) !== null,
      };
    }
    if (this.#open === null) {
      const pending = await this.#parts.db.get('pending', 'pending');
      const where = pending === null ? '' : `${pending.cosigner.host}:${pending.cosigner.port}`;
      return onboarding(vault.network, where);
    }
    const { wallet, payments, refresher, ceremonies, route } = this.#open;
    const epoch = epochView(wallet.epochs, refresher, this.#enrolled);
    const signs = epoch.alert === null || epoch.alert === 'HeadsDiffer';
    return {
      phase: 'unlocked',
      securityKey: securityKeyOf(vault),
      shares: shares(signs ? 'lit' : 'lost', this.#away ? 'away' : 'lit', 'rest'),
      wallet: {
        ...walletView(wallet, payments.rows, this.#autoLock.minutes),
        epoch,
        ceremonies: (ceremonies.known?.all ?? []).filter(isLive).map(infoOf),
        rulesVersion: ceremonies.known?.policy.version ?? 0,
        frozen: ceremonies.known?.policy.frozen ?? false,
        hasFormer: this.#parts.generations.hasFormer,
        lastDrill: (await this.#parts.db.get('drill', 'drill'))?.at ?? null,
        route: route.view,
        sweeping: (await this.#parts.db.get('sweep', 'sweep')) !== null,
      },
    };
  }

  /** What says whose wallet this is. `NoWallet`, `Locked`, `Pending`. */
  async certificate(): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.#unlocked()).wallet.certificate;
  }

  /** From the wallet before this one. */
  async inherit(route: RouteView): Promise<void> {
    await this.#reopening;
    if (this.#open !== null) await this.#open.route.inherit(route);
    else await Route.leave(this.#parts.db, route);
  }

  /** The port's methods. `caller` is the page's port. */
  async call<M extends PortMethod>(
    method: M,
    argument: PortMethods[M][0],
    caller: Caller,
  ): Promise<PortMethods[M][1]> {
    if (this.#vault !== null) await (ACTIVITY.has(method) ? this.#autoLock.extend() : this.#autoLock.check());
    const handler = this.#handlers[method] as (a: PortMethods[M][0], c: Caller) => Promise<PortMethods[M][1]>;
    return handler(argument, caller);
  }

  async #unlocked(): Promise<Open> {
    await this.#reopening;
    if (this.#open !== null) return this.#open;
    const vault = await this.#parts.db.get('vault', 'vault');
    ensure(vault !== null, 'NoWallet');
    throw new HoarfrostError(this.#vault === null ? 'Locked' : 'Pending');
  }

  async #begin(dataKey: Secret): Promise<void> {
    const record = await this.#parts.db.get('vault', 'vault');
    ensure(record !== null, 'NoWallet');
    const vault = await Vault.open(this.#parts.db, record, dataKey);
    await this.#autoLock.start(dataKey);
    this.#vault = vault;
    await this.checkAutoLock();
  }

  async #enter(dataKey: Secret): Promise<void> {
    const record = await this.#parts.db.get('vault', 'vault');
    try {
      if (record === null) return;
      this.#vault = await Vault.open(this.#parts.db, record, dataKey);
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
      this.#birth.resume().catch(() => {});
    } else {
      const { env, signer, db } = this.#parts;
      await followMove({ db, wallet });
      const channel = new Channel({
        get cosigner() {
          return wallet.cosigner;
        },
        network: wallet.key.network,
        local: await vault.channel(),
        env,
        onNotice: (notice) => {
          if (notice.kind === 'chain') void this.#refreshOpen();
          if (notice.kind === 'ceremony') {
            void this.#lookForCeremonies();
            void this.#open?.policies.look().catch(() => {});
          }
        },
        greet: ({ channelKey }) => wallet.heed(channelKey),
        onConnected: (hello) => {
          this.#enrolled = hello.enrolled;
          refresher.greeted(hello);
          // What it refuses, or tells that does not verify, is looked into again at the next hello.
          void this.#open?.policies.settle(hello.policyVersion).catch(() => {});
          void this.#refreshOpen();
          void this.#lookForCeremonies();
        },
        onAway: (e) => {
          wallet.missLook(e);
          this.#heed(wallet);
          this.#tell();
        },
      });
      const { epochs, bornAt } = wallet;
      const refresher = new Refresher({ env, signer, vault, epochs, channel }, bornAt, () => this.#tell());
      const chain = remoteChain(channel);
      const { network } = wallet.key;
      const route = await Route.open({ db, env, vault, network, cosigner: chain });
      const policies = await Policies.open({ db, env, signer, vault, wallet, channel });
      const payments = await Payments.open({
        db,
        env,
        signer,
        vault,
        wallet,
        channel,
        route,
        onChange: (row) => {
          this.#parts.emit({ kind: 'payment', progress: progressOf(row) });
          if (row.state === 'broadcast') void this.#refreshOpen();
          this.#tell();
        },
      });
      if (this.#vault !== vault || this.#open !== null) {
        payments.stop();
        refresher.stop();
        channel.close();
        return;
      }
      const offline = new OfflineSigning({ env, signer, vault, wallet });
      const ceremonies = new Ceremonies({ env, signer, vault, wallet, channel });
      this.#open = {
        vault,
        wallet,
        channel,
        chain,
        route,
        policies,
        payments,
        offline,
        refresher,
        ceremonies,
      };
      channel.stay(this.#pages > 0);
      payments.resume();
      // A cosigner that does not answer is asked again at the next unlock, or by a page.
      void this.#repairs.resume().catch(() => {});
    }
    this.#tell();
  }

  async #refreshOpen(): Promise<void> {
    if (this.#open !== null) await this.#refresh(this.#open);
  }

  /** What another of the three has asked for shows without being asked about. */
  async #lookForCeremonies(): Promise<void> {
    await this.#open?.ceremonies.look().catch(() => {});
    this.#tell();
  }

  async #refresh({ wallet, chain, payments }: Open): Promise<void> {
    await wallet.refresh(chain);
    this.#heed(wallet);
    if (wallet.syncError === null) {
      // Locked meanwhile: the rows are somebody else's now.
      await payments.seen(new Set(wallet.history.map(({ txid }) => txid))).catch(() => {});
    }
    this.#tell();
  }

  /** What the last look, or its failing, says of the cosigner. */
  #heed({ syncError }: Wallet): void {
    this.#away = syncError !== null && AWAY.has(syncError);
    if (syncError === 'NotEnrolled') this.#enrolled = false;
  }

  async #reach<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask();
      this.#away = false;
      return answer;
    } catch (e) {
      if (isHoarfrostError(e)) {
        this.#away = AWAY.has(e.code);
        if (e.code === 'NotEnrolled' && this.#enrolled) {
          this.#enrolled = false;
          this.#tell();
        }
      }
      throw e;
    }
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

function isLive({ phase }: CeremonyView): boolean {
  return phase !== 'done' && phase !== 'void';
}

/** What a user at the screen does; a page that only refreshes itself keeps nothing unlocked. */
const ACTIVITY: ReadonlySet<PortMethod> = new Set<PortMethod>([
  'changePassword',
  'setSecurityKey',
  'receiveAddress',
  'draft',
  'press',
  'discard',
  'descriptor',
  'activityDetail',
  'sayCeremony',
  'bringWords',
  'setRules',
  'cancelHold',
  'carryOut',
  'offlineRequest',
  'offlineFinish',
  'setRoute',
  'testRoute',
  'sendThrough',
  'drillRequest',
  'drillFinish',
  'refreshShares',
]);

const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CosignerUnreachable',
  'ChannelClosed',
  'DeadlineExceeded',
  'WrongCosignerKey',
  'ChannelKeyRefused',
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
