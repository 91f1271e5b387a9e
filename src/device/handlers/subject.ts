/**
 * How a subject joins the port: a file here contributes the handlers of its methods, and takes from the device as a whole
 * only what `Inside` names. `device.ts` puts them together; a method nobody handles does not compile.
 */
import type { ChainSource } from '../../chain/source.ts';
import type { Secret } from '../../crypto/secret.ts';
import type { SignerModule } from '../../crypto/signer.ts';
import type { Ceremonies } from '../ceremonies.ts';
import type { Channel } from '../channel.ts';
import type { Database } from '../database.ts';
import type { Environment } from '../environment.ts';
import type { OfflineSigning } from '../offline.ts';
import type { Payments } from '../payments.ts';
import type { Policies } from '../policies.ts';
import type { PortEvent, PortMethod, PortMethods, RouteView } from '../port.ts';
import type { Refresher } from '../refresh.ts';
import type { Route } from '../route.ts';
import type { Vault } from '../vault.ts';
import type { Wallet } from '../wallet.ts';

/** Which open page asks: only the one that started a keygen may go on with it. */
export type Caller = object;

/** The wallet that a sweep moves to, which lives beside this one. Only the one in use has a successor: `NoWallet` from others. */
export interface Succession {
  readonly hasFormer: boolean;
  /** The certificate of the next wallet: `NoWallet`, `Pending`, or `Locked` if it is not open. */
  successor(): Promise<Uint8Array<ArrayBuffer>>;
  /** The route of this wallet is the next one's too, which asks its owner first if it is locked or has another already. */
  bequeath(route: RouteView): Promise<void>;
  /** Makes the next wallet the one in use; this device and all its pages end. */
  succeed(): Promise<void>;
}

export interface DeviceParts {
  readonly db: Database;
  readonly env: Environment;
  readonly signer: SignerModule;
  readonly generations: Succession;
  emit(event: PortEvent): void;
}

/** What there is only while unlocked, with the certificate complete. */
export interface Open {
  readonly vault: Vault;
  readonly wallet: Wallet;
  readonly channel: Channel;
  readonly chain: ChainSource;
  readonly route: Route;
  readonly policies: Policies;
  readonly payments: Payments;
  readonly offline: OfflineSigning;
  readonly ceremonies: Ceremonies;
  readonly refresher: Refresher;
}

export interface Inside {
  readonly parts: DeviceParts;
  /** Null while locked. */
  readonly vault: Vault | null;
  /** Null while locked, or with the certificate still due. */
  readonly open: Open | null;
  /** `open`, or `Locked`, `Pending` without the full certificate, `NoWallet`. */
  unlocked(): Promise<Open>;
  /** Stays unlocked from here on, over the worker's deaths. The caller wipes `dataKey`. */
  begin(dataKey: Secret): Promise<void>;
  /** Brings the wallet to life under the open vault, or locks and throws. */
  openWallet(): Promise<void>;
  lock(): Promise<void>;
  /** The same vault, the wallet as it is stored now: another cosigner may answer for it. */
  reopen(): Promise<void>;
  /** Looks at the chain. Never rejects for what the cosigner did: `syncError` says it. */
  refresh(open: Open): Promise<void>;
  /** Asks the cosigner, and notes by the way whether it answers. */
  reach<T>(ask: () => Promise<T>): Promise<T>;
  /** Pages hear the newest state, once for all changes of one turn. */
  tell(): void;
}

/** The handlers of some of the port's methods. `caller` is the page's port. */
export type Handlers<M extends PortMethod> = {
  readonly [K in M]: (argument: PortMethods[K][0], caller: Caller) => Promise<PortMethods[K][1]>;
};
