/**
 * The one wallet: its keys, the last look at its coins, its history. What is stored here is public; whose it is stands in
 * the certificate, which the vault's seal names, so that a swapped row cannot swap the addresses.
 */
import { hex } from '@scure/base';
import { type Account, deriveKey, exportDescriptor } from '../bitcoin/descriptor.ts';
import type { Coin } from '../bitcoin/psbt.ts';
import type { AccountScan, ChainSource, HistoryEntry } from '../chain/source.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { type ChannelKey, nextChannelKey, readChannelKey } from '../frost/channelKey.ts';
import { type KeyRecord, verifyCertificate } from '../frost/keygen.ts';
import { decodePolicy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { HISTORY_MAX } from '../protocol/limits.ts';
import type { Change, Database } from './database.ts';
import type { Environment } from './environment.ts';
import { Epochs } from './epochs.ts';
import type { Cosigner } from './pairing.ts';
import { nextVisible, type Reached, reachedBy } from './reached.ts';
import { NO_RECEIPTS, type ReceiptHead } from './receipts.ts';
import type { VaultContext } from './vault.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface WalletRecord {
  readonly certificate: Bytes;
  readonly host: string;
  readonly port: number;
  /** Whose address that is, and whose receipts and statement these are. Another cosigner may answer at the same one. */
  readonly hostKey: Bytes;
  readonly look: Look | null;
  /** How far the cosigner's receipts were followed. */
  readonly receipts: ReceiptHead;
  /** Set for good once the chain of receipts broke. */
  readonly receiptsBroken: boolean;
  /** The last statement of the cosigner's channel key that was taken up; none while the key of the last record stands. */
  readonly channelKey?: Bytes | null;
}

/** The last whole look at the chain, without the history, which has rows of its own. */
export interface Look extends Omit<AccountScan, 'history'> {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What the transactions show of it; the next indices are the word of whoever looked. */
  readonly reached: Reached;
}

export type HistoryRecord = HistoryEntry;

/** Nobody else can undo it: it is in a block, or we made it. */
const isSettled = ({ height, branch }: Coin) => height > 0 || branch === 1;

/** `channelKey`: a statement that was verified, or null for the key that the last record names. */
export function newWallet(
  certificate: Bytes,
  { host, port, hostKey }: Cosigner,
  channelKey: Bytes | null,
): WalletRecord {
  const receipts = NO_RECEIPTS;
  return { certificate, host, port, hostKey, look: null, receipts, receiptsBroken: false, channelKey };
}

export class Wallet {
  readonly key: KeyRecord;
  readonly account: Account;
  readonly epochs: Epochs;
  /** Why the last look failed. */
  syncError: ErrorCode | null = null;
  readonly #db: Database;
  readonly #env: Environment;
  readonly #signer: SignerModule;
  #record: WalletRecord;
  /** By its statement, which is on disk. */
  #channelKey: ChannelKey | null;
  #history: HistoryRecord[] = [];
  #looking: Promise<void> | undefined;
  #lookingAgain: Promise<void> | undefined;

  private constructor(
    { db, env, signer }: { db: Database; env: Environment; signer: SignerModule },
    record: WalletRecord,
    key: KeyRecord,
    epochs: Epochs,
  ) {
    this.#db = db;
    this.#env = env;
    this.#signer = signer;
    this.#record = record;
    this.#channelKey = keptChannelKey(signer, record, epochs);
    this.key = key;
    this.epochs = epochs;
    this.account = { network: key.network, groupKey: key.groupKey, chainCode: key.chainCode, account: 0 };
  }

  /** Null without a full certificate. Throws `VaultDamaged` if the certificate is not the one that the vault was sealed for. */
  static async open(
    parts: { db: Database; env: Environment; signer: SignerModule },
    vault: VaultContext,
  ): Promise<Wallet | null> {
    const { db, signer } = parts;
    const record = await db.get('wallet', 'wallet');
    if (record === null) return null;
    const key = verifyCertificate(signer, record.certificate);
    ensure(equalVar(key.wallet, vault.wallet) && key.network === vault.network, 'VaultDamaged', {
      detail: 'certificate',
    });
    const wallet = new Wallet(parts, record, key, await Epochs.open(parts, key));
    await wallet.#readHistory();
    return wallet;
  }

  /** Who holds share 2 by the last record, and the key of its channel. */
  get cosigner(): Cosigner {
    const { cosigner: hostKey, noiseKey } = this.#pinned;
    return { host: this.#record.host, port: this.#record.port, noiseKey, hostKey };
  }

  /** What a cosigner that is not the wallet's any more has said counts for nothing. */
  get #pinned(): ChannelKey {
    const { hostKeys, noiseKeys } = this.epochs.current;
    const [cosigner, noiseKey] = [Uint8Array.from(hostKeys[1]), Uint8Array.from(noiseKeys[1])];
    const kept = this.#channelKey;
    return kept !== null && equalVar(kept.cosigner, cosigner) ? kept : { cosigner, number: 0, noiseKey };
  }

  /**
   * What the cosigner's greeting says of its channel key: a newer one is pinned from the next handshake on, durable before.
   * Throws `ChannelKeyRefused`, and then nothing has changed.
   */
  async heed(statement: Bytes | null): Promise<void> {
    if (statement === null) return;
    const pinned = this.#pinned;
    const next = nextChannelKey(this.#signer, pinned, statement);
    if (next === pinned) return;
    await this.#save({ channelKey: statement });
    this.#channelKey = next;
  }

  /** By which the cosigner put this key in the place of its record's, or null. */
  get channelKeyStatement(): Bytes | null {
    return this.#channelKey === null ? null : (this.#record.channelKey ?? null);
  }

  /** The cosigner's Noise static, hex. */
  get fingerprint(): string {
    return hex.encode(this.cosigner.noiseKey);
  }

  get look(): Look | null {
    return this.#record.look;
  }

  /** Newest first: unconfirmed, then by height. */
  get history(): readonly HistoryRecord[] {
    return this.#history;
  }

  /** Milliseconds since 1970: its first policy's day began then. */
  get bornAt(): number {
    return decodePolicy(this.key.policy).windows[0]?.start ?? 0;
  }

  get certificate(): Bytes {
    return this.#record.certificate;
  }

  get receiptsBroken(): boolean {
    return this.#record.receiptsBroken;
  }

  get receiptHead(): ReceiptHead {
    return this.#record.receipts;
  }

  /** Coins that a payment may spend: in a block, or our own change. */
  get spendable(): Coin[] {
    return (this.look?.coins ?? []).filter(isSettled);
  }

  /** Sats: what is in a block or is our own change, and what is on its way in. */
  get balance(): { confirmed: bigint; incoming: bigint } {
    let confirmed = 0n;
    let incoming = 0n;
    for (const coin of this.look?.coins ?? []) {
      if (isSettled(coin)) confirmed += coin.value;
      else incoming += coin.value;
    }
    return { confirmed, incoming };
  }

  /** Next unused index of each branch, as both readers of a PSBT count it. */
  get used(): { receive: number; change: number } {
    return { receive: this.look?.nextReceive ?? 0, change: this.look?.nextChange ?? 0 };
  }

  /** Next index of each branch to give out. */
  get next(): { receive: number; change: number } {
    const { used, reached } = this;
    return {
      receive: nextVisible(used.receive, reached.receive),
      change: nextVisible(used.change, reached.change),
    };
  }

  get reached(): Reached {
    return this.look?.reached ?? { receive: 0, change: 0 };
  }

  /**
   * Whether it is known which addresses were used. Of a wallet that came back to a new browser only the chain can tell, which has
   * not been read at first; of one that was born here and has not been read yet, none was.
   */
  get knowsUsed(): boolean {
    return this.look !== null || this.epochs.last === null;
  }

  /** Throws why the chain could not be read, while nothing else tells which address is fresh. */
  receiveAddress(): { address: string; uri: string; index: number } {
    ensure(this.knowsUsed, this.syncError ?? 'ChainUnavailable', { detail: 'never read' });
    const index = this.next.receive;
    const { address } = deriveKey(this.account, 0, index);
    return { address, uri: `bitcoin:${address}`, index };
  }

  descriptor(): string {
    return exportDescriptor(this.account);
  }

  /**
   * One look at a time. Who asks while one is on its way waits for the next, for that one may have read before what he knows
   * of happened; all who ask meanwhile share it. Never rejects: `syncError` says why it failed.
   */
  refresh(chain: ChainSource): Promise<void> {
    if (this.#looking === undefined) {
      this.#looking = this.#refresh(chain).finally(() => {
        this.#looking = undefined;
      });
      return this.#looking;
    }
    this.#lookingAgain ??= this.#looking.then(() => {
      this.#lookingAgain = undefined;
      return this.refresh(chain);
    });
    return this.#lookingAgain;
  }

  async #refresh(chain: ChainSource): Promise<void> {
    try {
      const { history, ...rest } = await chain.scan(this.account);
      const reached = reachedBy(this.account, [...this.#history, ...history], this.reached);
      const look = { ...rest, at: this.#env.now(), reached };
      await this.#save({ look }, diffHistory(this.#history, history));
      await this.#readHistory();
      this.syncError = null;
    } catch (e) {
      this.missLook(e);
    }
  }

  /** There was no look, and why. */
  missLook(e: unknown): void {
    this.syncError = isHoarfrostError(e) ? e.code : 'Internal';
  }

  /** Where the cosigner answers that the last record names. Its receipts are a chain of their own, its channel key is the record's. */
  async moveTo({ host, port, hostKey }: Cosigner): Promise<void> {
    if (equalVar(hostKey, this.#record.hostKey)) return;
    await this.#save({ host, port, hostKey, receipts: NO_RECEIPTS, receiptsBroken: false, channelKey: null });
  }

  keepReceipts(receipts: ReceiptHead): Promise<void> {
    return this.#save({ receipts });
  }

  breakReceipts(): Promise<void> {
    return this.#save({ receiptsBroken: true });
  }

  /** The row in memory is the newest at once, so that of two writers at a time neither undoes the other. */
  async #save(patch: Partial<WalletRecord>, history: Change[] = []): Promise<void> {
    this.#record = { ...this.#record, ...patch };
    await this.#db.write([...history, { store: 'wallet', key: 'wallet', value: this.#record }]);
  }

  async #readHistory(): Promise<void> {
    const rank = ({ height }: HistoryRecord) => (height === 0 ? Number.MAX_SAFE_INTEGER : height);
    this.#history = (await this.#db.all('transactions')).sort((a, b) => rank(b) - rank(a) || b.time - a.time);
  }
}

/** Null too for a statement of a cosigner that the wallet has left. Throws `VaultDamaged` for one that its own never signed. */
function keptChannelKey(
  signer: SignerModule,
  { channelKey = null }: WalletRecord,
  { current }: Epochs,
): ChannelKey | null {
  if (channelKey === null) return null;
  try {
    return readChannelKey(signer, current.hostKeys[1], channelKey);
  } catch (cause) {
    if (isHoarfrostError(cause) && cause.detail === 'another cosigner') return null;
    throw new HoarfrostError('VaultDamaged', { detail: 'channel key', cause });
  }
}

/**
 * Rows to write so that the stored history is the one just read: after a reorg or a replacement, rows vanish. A list cut
 * at its maximum says nothing of what is older than its last entry.
 */
export function diffHistory(stored: readonly HistoryRecord[], read: readonly HistoryEntry[]): Change[] {
  const now = new Map(read.map((entry) => [entry.txid, entry]));
  const before = new Map(stored.map((entry) => [entry.txid, entry]));
  const oldest = read.length < HISTORY_MAX ? 0 : (read.at(-1)?.height ?? 0);
  const changes: Change[] = [];
  for (const { txid, height } of stored) {
    const beyond = height > 0 && height < oldest;
    if (!now.has(txid) && !beyond) changes.push({ store: 'transactions', key: txid, value: null });
  }
  for (const [txid, entry] of now) {
    const old = before.get(txid);
    if (old !== undefined && sameEntry(old, entry)) continue;
    // A long history comes without its older transactions: one that is here already is kept.
    const kept = entry.transaction.length === 0 ? old?.transaction : undefined;
    const value = { ...entry, transaction: kept ?? entry.transaction };
    changes.push({ store: 'transactions', key: txid, value });
  }
  return changes;
}

function sameEntry(a: HistoryEntry, b: HistoryEntry): boolean {
  return (
    a.height === b.height &&
    a.time === b.time &&
    a.received === b.received &&
    a.sent === b.sent &&
    a.fee === b.fee
  );
}
