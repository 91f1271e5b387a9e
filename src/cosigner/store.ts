/**
 * What the cosigner remembers, behind one async interface (DESIGN section 7): SQLite in a folder, or PostgreSQL.
 * Everything about a wallet is reached through its id alone, so a lookup by anything that a device says cannot exist.
 *
 * Errors: `NotEnrolled` for a wallet that is not here; `StoreUnavailable` when the database fails, and then the transaction
 * has left nothing behind (a failed commit may have succeeded only where the database itself cannot tell).
 */

export type Bytes = Uint8Array<ArrayBuffer>;

/** What a column may hold. */
export type Value = Bytes | bigint | number | string | null;
/** Some rows of one table, as a backup carries them. */
export interface Rows {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
}

export interface WalletRecord {
  /** 32 bytes: `KeyRecord.wallet`. */
  readonly id: Bytes;
  /** Noise static of the device that speaks for it. */
  readonly deviceKey: Bytes;
  readonly epoch: number;
  /** The keygen certificate: group key, chain code, host keys and first policy come from it, verified. */
  readonly certificate: Bytes;
  /** Next unused index of the receive and the change branch, as far as the chain has shown. Only ever rises. */
  readonly nextReceive: number;
  readonly nextChange: number;
  /** Names the ledger of attempts, 16 bytes. It is another one after a loss, and requests that name the old one are void. */
  readonly ledger: Bytes;
  /** When charges of this wallet may last have been lost: a window that reaches back to there counts as full. */
  readonly lostAt: number | null;
  /** Milliseconds: its key did not exist before. */
  readonly bornAt: number;
}

export interface NewWallet {
  readonly id: Bytes;
  /** Keygen session, 32 bytes: what a party without the certificate can still name. */
  readonly session: Bytes;
  /** Noise static key of the device, 32 bytes. */
  readonly deviceKey: Bytes;
  /** Recovery's host key, x-only: what the words sign with. */
  readonly recoveryKey: Bytes;
  readonly certificate: Bytes;
  readonly epoch: number;
  /** Share 2 as `keywrap` sealed it for this wallet and epoch. */
  readonly sealedShare: Bytes;
  /** When its enrolment began: the token had to hold then. */
  readonly begunAt: number;
  /** Of one that another cosigner had: when its key was made, and until when it may have been charged elsewhere. */
  readonly before?: { readonly bornAt: number; readonly lostAt: number };
}

export interface AttemptRecord {
  /** The stored answer, or null if the server died between the transaction and the answer: burned. */
  readonly answer: Bytes | null;
}

export interface NewAttempt {
  /** Hash of the request's body, 32 bytes. */
  readonly request: Bytes;
  /** H(D||E) of each input, 32 bytes each, distinct. */
  readonly commitments: readonly Bytes[];
  /** Unsigned txid, 32 bytes. */
  readonly spend: Bytes;
  readonly at: number;
}

export interface StoredReceipt {
  readonly sequence: number;
  readonly body: Bytes;
  readonly signature: Bytes;
}

/**
 * What a record is about: a signed version of the policy, by its number; a payment that waits, by its spend id; a coin that a
 * signature was given for and that the chain has not shown spent, by its outpoint; a change of the shares, by its place in
 * their chain; what became of a refresh, by its session; a key that must be destroyed, by its name; recovery's host key; a
 * ceremony under way, and one that has ended, by its id; a notice to the contact that is not delivered.
 */
export type RecordKind =
  | 'policy'
  | 'hold'
  | 'unseen'
  | 'epoch'
  | 'refresh'
  | 'destroy'
  | 'recovery'
  | 'ceremony'
  | 'pastCeremony'
  | 'notice';

/** Of records in a row, which then come in the order of their numbers. */
export function numberKey(number: number): Bytes {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number);
  return key;
}

/** Small and canonically encoded by whoever keeps it. Keys are unique within wallet and kind. */
export interface StoredRecord {
  readonly key: Bytes;
  readonly body: Bytes;
}

/** A Noise static of the cosigner that devices are told to pin. */
export interface AnnouncedKey {
  readonly number: number;
  /** Its public half, 32 bytes. */
  readonly noiseKey: Bytes;
}

/** One consistent look at one wallet. Outpoints are `txid:vout` in display hex; amounts are sats. */
export interface WalletView {
  readonly wallet: WalletRecord;
  /** Of the signing epoch. */
  sealedShare(): Promise<Bytes>;
  attempt(request: Bytes): Promise<AttemptRecord | null>;
  /** Whether any of these commitment pairs was ever asked to be signed with, in this epoch. */
  commitmentsUsed(commitments: readonly Bytes[]): Promise<boolean>;
  /** Reserves of those outpoints that have any. */
  reserves(outpoints: readonly string[]): Promise<Map<string, bigint>>;
  /** Sum of the charges at `since` or later, whatever the clock says now: one that jumped back frees nothing. */
  chargedSince(since: number): Promise<bigint>;
  lastReceipt(): Promise<StoredReceipt | null>;
  /** In rising order, from sequence `from` on. */
  receipts(from: number, max: number): Promise<StoredReceipt[]>;
  record(kind: RecordKind, key: Bytes): Promise<Bytes | null>;
  /** In the byte order of their keys. */
  records(kind: RecordKind): Promise<StoredRecord[]>;
}

/** A view that nobody else can change meanwhile, and that changes what the view shows at once. */
export interface WalletTx extends WalletView {
  /** The caller has seen `attempt` null and `commitmentsUsed` false in this transaction; a clash fails it. */
  insertAttempt(attempt: NewAttempt): Promise<void>;
  /** Once an attempt, and for good. */
  storeAnswer(request: Bytes, answer: Bytes): Promise<void>;
  setReserve(outpoint: string, amount: bigint): Promise<void>;
  charge(amount: bigint, at: number): Promise<void>;
  appendReceipt(receipt: StoredReceipt): Promise<void>;
  raiseNextIndices(nextReceive: number, nextChange: number): Promise<void>;
  /** Replaces one of the same key. */
  putRecord(kind: RecordKind, key: Bytes, body: Bytes): Promise<void>;
  /** Safe to repeat. */
  deleteRecord(kind: RecordKind, key: Bytes): Promise<void>;
  /** Another device speaks for the wallet from here on. `WalletExists` if it does so for one already. */
  replaceDevice(deviceKey: Bytes): Promise<void>;
  /** The words of the wallet are others from here on: found by this host key and by no other. */
  replaceRecovery(hostKey: Bytes): Promise<void>;
  /** `epoch` is the signing epoch from here on, and this its share; the one before stays beside it. */
  beginEpoch(epoch: number, sealedShare: Bytes): Promise<void>;
  /** Forgets shares and attempts of all epochs before the signing one. Answers those shares, as they were sealed. */
  dropOldEpochs(): Promise<Bytes[]>;
  /** No device speaks for the wallet any more, and all shares and attempts are forgotten. Answers the shares, as they were sealed. */
  retire(): Promise<Bytes[]>;
}

export interface Store {
  /**
   * One transaction over one wallet, serialised with all others of that wallet: all of what `work` does is durable when
   * this resolves, none of it if it rejects. `work` awaits nothing but the transaction's own methods, and may run again
   * where the database failed in a way that passes: what it leaves outside the transaction must bear that.
   */
  withWallet<T>(id: Bytes, work: (tx: WalletTx) => Promise<T>): Promise<T>;
  /** The same look without the lock. */
  viewWallet<T>(id: Bytes, work: (view: WalletView) => Promise<T>): Promise<T>;
  /** Records of one kind over all wallets, some of them if there are more than `max`. */
  recordsEverywhere(kind: RecordKind, max: number): Promise<(StoredRecord & { readonly wallet: Bytes })[]>;
  /** Wallets that have a record of this key, the youngest first. */
  walletsOfRecord(kind: RecordKind, key: Bytes): Promise<Bytes[]>;
  walletOfDevice(deviceKey: Bytes): Promise<Bytes | null>;
  certificateOfSession(session: Bytes): Promise<Bytes | null>;

  /**
   * One transaction: consumes the token, creates wallet and share, forgets the device's takeover, and does what `furnish`
   * does. A wallet that was retired here and comes from elsewhere finds what it left, but for payments that waited and
   * ceremonies under way: whether it may come back is for `furnish` to say. `TokenUnknown`, `TokenExpired`, `WalletExists`.
   */
  enrol(wallet: NewWallet, tokenHash: Bytes, furnish?: (tx: WalletTx) => Promise<void>): Promise<void>;
  /** What this device is about to have taken over (`takeover.ts`). */
  takeover(deviceKey: Bytes): Promise<Bytes | null>;
  /** Replaces one of the same device. */
  putTakeover(deviceKey: Bytes, body: Bytes): Promise<void>;
  addToken(hash: Bytes, expiresAt: number): Promise<void>;
  /** Throws `TokenUnknown` (never made, or used) or `TokenExpired`; consumes nothing. */
  checkToken(hash: Bytes, now: number): Promise<void>;
  /** Whether nobody is enrolled and nobody can be. */
  awaitsFirstToken(now: number): Promise<boolean>;
  /** Whether it is anybody's yet. */
  bound(): Promise<boolean>;
  /**
   * Says whose store this is, once: instances beside each other are one cosigner. `ledger`, 16 random bytes, and the channel
   * key are taken the first time. `BadConfiguration` if it is another cosigner's.
   */
  bind(identity: Bytes, ledger: Bytes, channelKey: AnnouncedKey): Promise<void>;
  /** What every greeting says: the name of the ledger, and which channel key devices are to pin. */
  greeting(): Promise<{ readonly ledger: Bytes; readonly channelKey: AnnouncedKey | null }>;
  /** From now on in greetings, unless a later one is already. */
  announce(channelKey: AnnouncedKey): Promise<void>;
  /**
   * What was committed lately may be gone: takes up the new `ledger`, counts all windows as full from `at` back, and voids
   * tokens and waiting payments, for those that were used or cancelled may look fresh again.
   */
  declareLoss(ledger: Bytes, at: number): Promise<void>;
  /** All that a backup holds, at one moment. Answers the version of the schema. */
  dump(visit: (rows: Rows) => Promise<void>): Promise<number>;
  /** Takes all of a dump or nothing, and declares the loss. `WalletExists` unless the store is empty. */
  fill(rows: () => AsyncIterable<Rows>, ledger: Bytes, at: number): Promise<void>;
  /** Wallets whose keygen began at `since` or later. */
  enrolledSince(since: number): Promise<number>;

  /** Health probe. */
  check(): Promise<void>;
  close(): Promise<void>;
}
