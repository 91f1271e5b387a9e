/**
 * The one typed port between `ui` (and the onboarding page) and the device in the background. Values cross as strings
 * made by `portCodec` (bytes as base64, bigint as decimal): browser ports mangle bytes and drop bigint.
 * A share, a key or a word never crosses; the password does, once, and goes straight into the key derivation.
 */
import type { Authenticator, CeremonyPhase, CeremonyPurpose } from '../protocol/ceremony.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { WireVerdict } from '../protocol/messages.ts';
import type { Network } from '../protocol/networks.ts';
import type { KeygenTerms } from '../protocol/terms.ts';

export type ShardState = 'lit' | 'rest' | 'locked' | 'growing' | 'away' | 'lost' | 'none';

export interface ThreeShares {
  device: ShardState;
  cosigner: ShardState;
  recovery: ShardState;
}

export interface PairingView {
  host: string;
  /** Noise static key of the cosigner, hex: shown in groups of four. */
  fingerprint: string;
  network: Network | null;
  hasToken: boolean;
}

/** The security key that unlocking also takes. Nothing here is secret. */
export interface SecurityKeyView {
  /** The WebAuthn credential's id. */
  credential: Uint8Array;
  /** What its PRF is evaluated at: 32 bytes. */
  salt: Uint8Array;
}

export interface FeePresets {
  /** Thousandths of a sat per vbyte. */
  fast: number;
  medium: number;
  slow: number;
  floor: number;
}

export interface ActivityView {
  /** Request id for own payments, txid for what came in. */
  id: string;
  txid: string | null;
  direction: 'in' | 'out' | 'self';
  /** What the wallet's balance changed by, without sign; for `out` without the fee. */
  amount: bigint;
  fee: bigint | null;
  /** Whom it went to, where known. */
  address: string | null;
  state: 'requested' | 'pressed' | 'attempted' | 'signed' | 'broadcast' | 'confirmed' | 'failed' | 'received';
  /** 0 while unconfirmed. */
  height: number;
  confirmations: number;
  /** Whether the chain source knows of it. What was taken and is not shown may never have reached the network. */
  shown: boolean;
  time: number;
  /** Why it waits, or on `failed` why it ended. There, with a `txid`, it was signed and refused, and may yet be sent; without, nothing was signed. */
  error: ErrorCode | null;
}

/** The wallet in use; during a sweep to a new key the one that it moves to, and after it the one that it left. */
export type Generation = 'current' | 'next' | 'former';

/** A server of the user's own that transactions are sent by. */
export interface RouteView {
  /** `https://host/api`. */
  url: string;
  /** Not so: chosen for the wallet or the vault before, or by somebody else. Nothing is sent until it is chosen again, or another. */
  ours: boolean;
}

/** How far a sweep to a new key has come; amounts in sats. */
export interface SweepView {
  /** `move`: there are coins to send; `wait`: for blocks, or for a look at the chain; `done`: nothing worth moving is left. */
  stage: 'move' | 'wait' | 'done';
  /** Not yet on their way. */
  coins: number;
  left: bigint;
  /** Payments to the new key that are in no block. */
  underWay: number;
  moved: bigint;
}

/** How the shares last changed, and when they change again. */
export interface EpochView {
  /** How often they changed by refresh. */
  number: number;
  /** The last refresh or repair, milliseconds since 1970; null since birth. */
  changedAt: number | null;
  dueAt: number;
  underWay: boolean;
  /** One began and its end is not known, or not shown to be good: nothing is lost, and the next connection goes on with it. */
  unfinished: boolean;
  /**
   * The cosigner's records of the shares are not this browser's: no refresh until that is cleared up. `NotEnrolled`: it knows
   * no such device, be it that another has taken its place.
   */
  alert: Extract<ErrorCode, 'EpochStale' | 'HeadsDiffer' | 'NotEnrolled'> | null;
  /** Why the last one ended early. */
  error: ErrorCode | null;
}

export interface WalletView {
  network: Network;
  cosignerHost: string;
  fingerprint: string;
  confirmed: bigint;
  /** Not yet in a block, on its way in. */
  incoming: bigint;
  height: number;
  /** When the chain was last read, or null if never. */
  syncedAt: number | null;
  /** Why the last look failed, or null. */
  syncError: ErrorCode | null;
  activity: ActivityView[];
  autoLockMinutes: number;
  /** The cosigner's receipts do not follow from one another: it forgot, or told two stories. */
  receiptsBroken: boolean;
  /** Under way, as last heard from the cosigner. */
  ceremonies: CeremonyInfo[];
  /** Of the rules in force, as last heard; 0 before. Another number: they have changed. */
  rulesVersion: number;
  /** By the rules in force, as last heard, nothing is signed. */
  frozen: boolean;
  epoch: EpochView;
  /** When recovery last signed with this device to show that it can, milliseconds since 1970; null if never. */
  lastDrill: number | null;
  /** The coins are on their way to a new key. */
  sweeping: boolean;
  /** There is a wallet that this one took the place of. */
  hasFormer: boolean;
  /** Null: the cosigner sends. */
  route: RouteView | null;
}

/** A device on its way into an old wallet. */
export interface ReturnView {
  network: Network;
  cosignerHost: string;
  /** This device's new host key, hex: the recovery page shows what it must be compared with. */
  fingerprint: string;
  /** The words have asked the cosigner. */
  asked: boolean;
  /** As the cosigner last said, or null where it was not heard since this worker began. */
  ceremony: { phase: CeremonyPhase; leftMs: number } | null;
}

export type DeviceState =
  | { phase: 'empty'; shares: ThreeShares }
  | { phase: 'onboarding'; shares: ThreeShares; network: Network; cosignerHost: string }
  | { phase: 'returning'; shares: ThreeShares; returning: ReturnView }
  | {
      phase: 'locked';
      shares: ThreeShares;
      network: Network;
      securityKey: SecurityKeyView | null;
      /** This browser is on its way to a new share, in the place of the one that is locked. */
      returning: boolean;
    }
  | { phase: 'unlocked'; shares: ThreeShares; wallet: WalletView; securityKey: SecurityKeyView | null };

/** A change of the shares or the rules that one of the three has asked for. Times in milliseconds. */
export interface CeremonyInfo {
  /** Hex. */
  id: string;
  purpose: CeremonyPurpose['kind'];
  openedBy: Authenticator;
  openedAt: number;
  approvals: Authenticator[];
  contests: Authenticator[];
  phase: CeremonyPhase;
  /** Of the cosigner's own time, until the phase ends by itself. */
  leftMs: number;
}

/** What the cosigner may sign, as far as a person sets it; amounts in sats. Null: no bound. */
export interface Rules {
  /** In any 24 hours. */
  dailyLimit: bigint | null;
  perTransaction: bigint | null;
  /** A payment that costs more than `above` waits, and may be cancelled meanwhile. */
  hold: { above: bigint; delayMs: number } | null;
  /** Addresses that alone may be paid. */
  payees: string[] | null;
  frozen: boolean;
  /** How long one of the three alone waits, and who is told: `mailto:…`, `https://…`. */
  delayMs: number;
  contact: string | null;
}

/** One decision of the cosigner, signed by it, in one chain with all the others. */
export interface ReceiptView {
  sequence: number;
  at: number;
  kind: 'signed' | 'waits' | 'refused' | 'policy' | 'cancelled' | 'ceremony';
  /** Sats that it counted against the limit. */
  charged: bigint;
  /** Of the payment, unsigned; zeros where it is about none. */
  txid: string;
}

export interface PaymentDraft {
  address: string;
  /** Sats, or everything. */
  amount: bigint | 'all';
  /** Thousandths of a sat per vbyte. */
  feeRate: number;
}

/** What a payment does, as both device and cosigner read it. */
export interface ReviewView {
  request: string;
  address: string;
  amount: bigint;
  fee: bigint;
  feeRate: number;
  /** amount + fee. */
  leaves: bigint;
  change: bigint;
  balanceAfter: bigint;
  firstTime: boolean;
  /** The cosigner's answer to this very PSBT, null while it has not answered. */
  verdict: WireVerdict | null;
  verdictError: ErrorCode | null;
  inputs: { txid: string; vout: number; value: bigint }[];
  outputs: { address: string; value: bigint; own: boolean }[];
}

export interface PaymentProgress {
  request: string;
  state: ActivityView['state'];
  txid: string | null;
  error: ErrorCode | null;
  verdict: WireVerdict | null;
  /** Milliseconds from press to finished signature, once known. */
  signMs: number | null;
}

/** Method name -> [argument, result]. All are idempotent or guarded against a second press. */
export interface PortMethods {
  state: [null, DeviceState];
  /** Checks a pairing link without connecting. `BadPairing`. */
  readPairing: [{ uri: string }, PairingView];
  /** Connects, finishes the handshake and says hello: `CosignerUnreachable` (also for a certificate that the browser does not trust: it does not say why), `WrongCosignerKey`, `WrongNetwork`. */
  tryPairing: [{ uri: string; network: Network }, PairingView];
  /** Keygen, driven by the onboarding page, which plays recovery: its messages are opaque here. Starts afresh each time. */
  keygenStart: [
    { uri: string; network: Network; password: string; terms: KeygenTerms; recoveryHello: Uint8Array },
    { hellos: Uint8Array[] },
  ];
  keygenRound1: [{ recovery: Uint8Array }, { messages: Uint8Array[] }];
  keygenRound2: [{ recovery: Uint8Array }, { messages: Uint8Array[] }];
  /** Durable from here on. Answers the full certificate. */
  keygenCertify: [{ recovery: Uint8Array }, { certificate: Uint8Array }];
  /** After a restart in the middle: the finished certificate, or null if keygen must begin again. */
  keygenResume: [null, { certificate: Uint8Array | null }];
  keygenStop: [null, null];
  unlock: [{ password: string }, null];
  /** `factor`: the PRF output, 32 bytes, which like the password goes straight into the key derivation. */
  unlockWithSecurityKey: [{ password: string; factor: Uint8Array }, null];
  /** `WrongPassword`, `WeakPassword`: then nothing has changed. `factor` where the vault has a security key. */
  changePassword: [{ password: string; factor: Uint8Array | null; next: string }, true];
  /** Adds or replaces the security key, or with null takes it away; the password stays. */
  setSecurityKey: [
    {
      password: string;
      factor: Uint8Array | null;
      securityKey: (SecurityKeyView & { factor: Uint8Array }) | null;
    },
    true,
  ];
  lock: [null, null];
  receiveAddress: [null, { address: string; uri: string; index: number }];
  refresh: [null, null];
  fees: [null, FeePresets];
  /** Builds the PSBT and shows what it does; nothing is signed and nobody is asked. */
  draft: [PaymentDraft, ReviewView];
  /** Asks the cosigner what it would do with the drafted PSBT. */
  evaluate: [{ request: string }, ReviewView];
  /** The press. Returns at once; progress arrives as events and by `payment`. */
  press: [{ request: string }, PaymentProgress];
  payment: [{ request: string }, PaymentProgress];
  discard: [{ request: string }, null];
  descriptor: [null, { descriptor: string }];
  /** New shares for device and cosigner; resolves when the old ones are gone. `HeadsDiffer`, `EpochStale`, `NotEnrolled`, `RefreshInvalid`. */
  refreshShares: [null, null];
  setAutoLock: [{ minutes: number }, null];
  /** The last ones, newest first, checked to be one chain; `total` are there in all. None of a chain that is broken. */
  receipts: [null, { items: ReceiptView[]; total: number; broken: boolean }];
  /** What is public of this wallet, for a browser that takes this one's place: an encoded `offlineMessage`. No share, no key. */
  exportState: [null, { message: Uint8Array }];
  activityDetail: [{ id: string }, ActivityView & { transaction: Uint8Array | null }];
  /** A drafted payment as a request to the recovery page, an encoded `offlineMessage`; ends the request before. `InsufficientFunds`, `MayPayTwice`. */
  offlineRequest: [{ request: string }, { message: Uint8Array }];
  /** The recovery page's answer: signed, stored, then sent. `NonceConsumed` where the request is gone, `MessageMismatch`, `BadShare`. */
  offlineFinish: [{ request: string; message: Uint8Array }, { txid: string; transaction: Uint8Array }];
  /** Sends a signed payment once by an Esplora server, which learns it and where it came from, or with null by the cosigner. `ChainUnavailable`, `BroadcastRejected`, `BadConfiguration`, `WrongNetwork`. */
  sendThrough: [{ request: string; url: string | null }, { txid: string }];
  /** By which server every transaction is sent from here on, or with null by the cosigner. `BadConfiguration`. */
  setRoute: [{ url: string | null }, null];
  /** Whether that server is of this network and takes transactions. `ChainUnavailable`, `WrongNetwork`, `BadConfiguration`. */
  testRoute: [{ url: string }, { height: number }];
  /** A dated message for the recovery page to sign with this device, and its date. Ends the request before. */
  drillRequest: [null, { message: Uint8Array; at: number }];
  /** Verified and kept. Throws as `offlineFinish`. */
  drillFinish: [{ message: Uint8Array }, { at: number }];
  /**
   * Makes this device's new keys for a wallet whose device is lost, or whose password is: answers the question for the
   * recovery page, an encoded `offlineMessage`, as all that follow. Begins anew. `WeakPassword`, `WrongNetwork`, `BadPairing`.
   */
  returnBegin: [{ uri: string; network: Network; password: string }, { message: Uint8Array }];
  /** Null where no device is on its way in. A browser that still has a vault is `locked` meanwhile, and may be unlocked. */
  returning: [null, { view: ReturnView | null }];
  returnQuestion: [null, { message: Uint8Array }];
  /** Asks the cosigner how the ceremony stands: `RateLimited`, `SessionUnknown` if it has no wallet of these words. */
  returnLook: [null, null];
  /** Another question for the recovery page: the words stop all payments at once, whoever has the lost device. */
  returnFreeze: [null, { message: Uint8Array }];
  /** The first message for the recovery page once the ceremony is ripe, or null if the wallet is here already. `saved`: what `exportState` once gave, or null. `CeremonyWaits`, `CeremonyEnded`, `WalletExists`, `WrongPassword`, `BadCertificate` if what was saved is of another wallet. */
  returnStart: [{ password: string; saved: Uint8Array | null }, { message: Uint8Array | null }];
  /** What the recovery page answered, and the next message for it; null where that was the last word. */
  returnAnswer: [{ message: Uint8Array }, { message: Uint8Array | null }];
  /** Gives up, and forgets the keys. */
  returnStop: [null, null];
  /** Those under way and the latest that have ended, newest first. `webhookKey`, hex, is what a webhook's messages are signed with. */
  ceremonies: [
    null,
    {
      ceremonies: CeremonyInfo[];
      contact: string | null;
      delayMs: number;
      frozen: boolean;
      webhookKey: string | null;
    },
  ];
  /** As one of the three: the device. `CeremonyEnded`, `SessionUnknown`. */
  sayCeremony: [{ id: string; says: 'approve' | 'contest' }, CeremonyInfo];
  /** A question for the recovery page, an encoded `offlineMessage`: to agree, to contest, or to freeze, which names no ceremony. */
  askWords: [{ id: string; says: 'approve' | 'contest' | 'freeze' }, { message: Uint8Array }];
  /** The recovery page's answer, to the cosigner; null if it froze the wallet. `WrongSession`, `Unauthorised`, `SessionUnknown`, `RateLimited`. */
  bringWords: [{ message: Uint8Array }, { ceremony: CeremonyInfo | null }];
  rules: [null, Rules];
  /** What allows less holds at once, and no ceremony; what allows more is asked for by a ceremony. `BadAddress`, `ContactUnavailable`. */
  setRules: [Rules, { ceremony: CeremonyInfo | null }];
  /** Payments that the rules make wait. `address` of those that this browser drafted; `loss` in sats. */
  holds: [
    null,
    { holds: { ticket: string; txid: string; address: string | null; loss: bigint; until: number }[] },
  ];
  /** Asked for again it waits from the beginning. `SessionUnknown`. */
  cancelHold: [{ ticket: string }, true];
  /** Puts in force the rules that a ripe ceremony allowed. `CeremonyWaits`, `CeremonyEnded`, `WrongVersion`. */
  carryOut: [{ id: string }, true];
  /** The ceremony of a new kit that this device has asked for, or null. */
  kit: [null, { ceremony: CeremonyInfo | null }];
  /** For the recovery page: new words are to be made. */
  kitWords: [null, { message: Uint8Array }];
  /** Its answer: the ceremony that asks for the words that it made. */
  kitAsk: [{ message: Uint8Array }, CeremonyInfo];
  /** For the recovery page, where the new words are typed again. */
  kitStart: [null, { message: Uint8Array }];
  /** Its answer and the next message for it; null once the new words are the wallet's. `CeremonyWaits`, `CeremonyEnded`, `BadSignature`. */
  kitAnswer: [{ message: Uint8Array }, { message: Uint8Array | null }];
  kitStop: [null, null];
  /** Where the wallet is on its way to, from this device's approval until the old cosigner has forgotten; else null. */
  moving: [null, { to: string | null }];
  /** To another cosigner, by its link: the first message for the recovery page, and what it must show, hex. `TokenUnknown`, `AlreadyPaired`, `Pending`. */
  moveStart: [{ uri: string }, { message: Uint8Array; fingerprint: string }];
  /** Null once the wallet has moved. */
  moveAnswer: [{ message: Uint8Array }, { message: Uint8Array | null }];
  /** Asks the new cosigner after an answer that was lost. */
  moveResume: [null, { done: boolean }];
  /** Null while no sweep has begun. */
  sweep: [null, SweepView | null];
  /** Takes up the wallet that was made as the next one: `NoWallet`, `Pending`, or `Locked` if that one is not open. */
  sweepAdopt: [null, SweepView];
  /** The sweep's next payment: all coins, as many as one transaction holds. */
  sweepDraft: [{ feeRate: number }, ReviewView];
  /** The new wallet is the one in use from here on; every page begins anew. `Pending` while coins are left. */
  sweepFinish: [null, null];
}
export type PortMethod = keyof PortMethods;

/** Pushed to every open page whenever something changed. */
export type PortEvent =
  | { kind: 'state'; state: DeviceState }
  | { kind: 'payment'; progress: PaymentProgress };

export const PORT_NAMES = {
  current: 'hoarfrost',
  next: 'hoarfrost/next',
  former: 'hoarfrost/former',
} as const satisfies Record<Generation, string>;
