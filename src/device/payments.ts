/**
 * Own payments, each a row that says how far it got: requested -> pressed -> attempted -> signed -> broadcast, or failed.
 * What failed without a transaction never leaves the wallet; with one, it was refused and may yet be sent. Each step is durable before the next one begins, so a worker that dies
 * anywhere leaves a row from which the next one goes on. What was not pressed does not survive a restart; what was goes on
 * by itself for ten minutes and then asks again.
 */
import { hex } from '@scure/base';
import { equalVar } from '../protocol/bytes.ts';
import { blob, bytes, encode, option, struct, text, time, u64 } from '../protocol/codec.ts';
import { type ErrorCode, ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { PSBT_MAX, RESUME_PRESSED_MS } from '../protocol/limits.ts';
import type { WireVerdict } from '../protocol/messages.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { attemptToSign, mayPass, type SigningParts } from './attempt.ts';
import type { Database } from './database.ts';
import { draftPayment } from './draft.ts';
import type { PaymentDraft, PaymentProgress } from './port.ts';
import { isLive, refusedPayments } from './refusedPayments.ts';
import type { Route } from './route.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface PaymentRecord {
  /** 16 random bytes, hex. */
  readonly id: string;
  readonly state: 'requested' | 'pressed' | 'attempted' | 'signed' | 'broadcast' | 'failed';
  readonly createdAt: number;
  /** The last press; a row that was once pressed is kept over restarts. */
  readonly pressedAt: number | null;
  /** The vault's seal over that press: a row that somebody else wrote is no press. */
  readonly press: Bytes | null;
  readonly address: string;
  readonly amount: bigint;
  readonly fee: bigint;
  /** Thousandths of a sat per vbyte. */
  readonly feeRate: number;
  readonly psbt: Bytes;
  readonly digest: Bytes;
  readonly txid: string;
  readonly spends: readonly string[];
  readonly changeIndex: number | null;
  /** Of the last attempt, 16 bytes. */
  readonly attempt: Bytes | null;
  /** Final, from `signed` on: stored before anybody broadcasts. */
  readonly transaction: Bytes | null;
  readonly verdict: WireVerdict | null;
  /** Why it failed, or why it waits. */
  readonly error: ErrorCode | null;
  /** Milliseconds from the press to the finished signature. */
  readonly signMs: number | null;
}

export interface PaymentParts extends SigningParts {
  readonly db: Database;
  readonly route: Pick<Route, 'broadcast'>;
  onChange(record: PaymentRecord): void;
}

/** Attempts burned in a row before the fault is taken to be ours to report. */
const FRESH_ATTEMPTS_MAX = 5;
/** Whoever was to hand it over says that the network does not take it. */
const REJECTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BroadcastRejected', 'RouteRejected']);
const FRESH: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['AttemptBurned', 'AttemptReused', 'NonceConsumed']);

export class Payments {
  readonly #parts: PaymentParts;
  readonly #rows: Map<string, PaymentRecord>;
  readonly #running = new Map<string, Promise<void>>();
  #stopped = false;

  private constructor(parts: PaymentParts, rows: PaymentRecord[]) {
    this.#parts = parts;
    this.#rows = new Map(rows.map((row) => [row.id, row]));
  }

  /** Reads the rows; what was drafted and never pressed is rejected here. */
  static async open(parts: PaymentParts): Promise<Payments> {
    const rows = await parts.db.all('requests');
    const rejected = rows.filter((row) => row.state === 'requested' && row.pressedAt === null);
    if (rejected.length > 0)
      await parts.db.write(rejected.map(({ id }) => ({ store: 'requests', key: id, value: null })));
    return new Payments(
      parts,
      rows.filter((row) => !rejected.includes(row)),
    );
  }

  /** Takes up what was pressed. What is too old for that asks again. */
  resume(): void {
    for (const { id, state } of this.#rows.values()) {
      if (state === 'pressed' || state === 'attempted' || state === 'signed') this.#run(id);
    }
  }

  /** From here on nothing is written: rows stay where they stand, for whoever opens them next. */
  stop(): void {
    this.#stopped = true;
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** Whether one was sent that no look at the chain has shown. */
  get awaitsLook(): boolean {
    const seen = new Set(this.#parts.wallet.history.map(({ txid }) => txid));
    return this.rows.some(({ state, txid }) => state === 'broadcast' && !seen.has(txid));
  }

  get rows(): readonly PaymentRecord[] {
    return [...this.#rows.values()];
  }

  /** Throws `SessionUnknown` for a request that is not here: rejected by a restart, or discarded. */
  get(id: string): PaymentRecord {
    const row = this.#rows.get(id);
    ensure(row !== undefined, 'SessionUnknown', { detail: 'payment' });
    return row;
  }

  async draft(wanted: PaymentDraft): Promise<PaymentRecord> {
    const { wallet, env } = this.#parts;
    const spends = new Set(this.rows.filter(isLive).flatMap((row) => row.spends));
    const reserved = this.rows.filter((row) => row.state !== 'failed');
    const changeIndices = reserved.flatMap((row) => row.changeIndex ?? []);
    const drafted = draftPayment(wallet, wanted, { spends, changeIndices }, this.#refused, env.random);
    return this.#save({
      ...drafted,
      id: hex.encode(env.random(16)),
      state: 'requested',
      createdAt: env.now(),
      pressedAt: null,
      press: null,
      address: wanted.address,
      feeRate: wanted.feeRate,
      attempt: null,
      transaction: null,
      verdict: null,
      error: null,
      signMs: null,
    });
  }

  /** What the cosigner would do with this very PSBT. Throws `MessageMismatch` if it reads it otherwise. */
  async evaluate(id: string): Promise<PaymentRecord> {
    const { psbt, digest } = this.get(id);
    const connection = await this.#parts.channel.connection();
    const evaluated = await connection.request({ kind: 'evaluate', psbt }, 'evaluated');
    ensure(equalVar(evaluated.digest, digest), 'MessageMismatch', { culprit: 2 });
    return this.#save({ ...this.get(id), verdict: evaluated.verdict });
  }

  /** A drafted payment, once more looked at before it is signed: `InsufficientFunds`, `MayPayTwice`, as `press`. */
  drafted(id: string): PaymentRecord {
    const row = this.get(id);
    ensure(row.state === 'requested', 'WrongSession', { detail: `payment is ${row.state}` });
    this.#ensureFree(row);
    return row;
  }

  /** A drafted payment that was signed beside the cosigner: durable before anybody sends it. */
  async keepSigned(id: string, transaction: Bytes): Promise<PaymentRecord> {
    const row = this.drafted(id);
    const pressedAt = this.#parts.env.now();
    const press = await this.#parts.vault.vouch(pressHash({ ...row, pressedAt }));
    await this.#save({ ...row, state: 'signed', pressedAt, press, transaction, error: null });
    this.#run(id);
    return this.get(id);
  }

  /** The press. A second one changes nothing, but for a row that had to ask again. */
  async press(id: string): Promise<PaymentRecord> {
    const row = this.get(id);
    if (row.state === 'requested' || (row.state === 'signed' && !this.#running.has(id))) {
      const state = row.state === 'requested' ? 'pressed' : 'signed';
      this.#ensureFree(row);
      if (row.pressedAt !== null) await this.#ensurePressed(row);
      const pressedAt = this.#parts.env.now();
      const press = await this.#parts.vault.vouch(pressHash({ ...row, pressedAt }));
      await this.#save({ ...row, state, pressedAt, press, error: null });
      this.#run(id);
    }
    return this.get(id);
  }

  /** Only what has not been signed can be taken back; all else stays as it is, what was refused too. */
  async discard(id: string): Promise<void> {
    const row = this.#rows.get(id);
    if (row === undefined || isLive(row) || row.transaction !== null) return;
    await this.#parts.db.write([{ store: 'requests', key: id, value: null }]);
    this.#rows.delete(id);
  }

  /** The chain has shown these transactions: a broadcast whose answer was lost has succeeded. */
  async seen(txids: ReadonlySet<string>): Promise<void> {
    for (const row of this.rows) {
      const waits = row.state === 'signed' || (row.state === 'failed' && row.transaction !== null);
      if (waits && txids.has(row.txid)) await this.#save({ ...row, state: 'broadcast', error: null });
    }
  }

  /** Resolves when this payment rests; for tests and for the worker's life. */
  async settled(id: string): Promise<void> {
    await this.#running.get(id);
  }

  /** No other payment has taken its coins in the meantime, and none to the same payee was refused since it was drawn up. */
  #ensureFree(row: PaymentRecord): void {
    const spends = new Set(row.spends);
    const shares = (other: PaymentRecord) => other.spends.some((o) => spends.has(o));
    const rival = this.rows.some((other) => other.id !== row.id && isUnderWay(other) && shares(other));
    ensure(!rival, 'InsufficientFunds', { detail: 'coins of another payment' });
    if (row.state !== 'requested') return;
    const twice = this.#refused.some((other) => other.address === row.address && !shares(other));
    ensure(!twice, 'MayPayTwice');
  }

  get #refused(): PaymentRecord[] {
    return refusedPayments(this.rows, this.#parts.wallet.history);
  }

  #run(id: string): void {
    if (this.#running.has(id)) return;
    const run = this.#advance(id)
      .catch(() => {
        // Stopped, or the store failed: the row stands where it stood, and whoever opens it next goes on from there.
      })
      .finally(() => {
        this.#running.delete(id);
        const row = this.#rows.get(id);
        if (row !== undefined && !this.#stopped) this.#parts.onChange(row);
      });
    this.#running.set(id, run);
  }

  async #advance(id: string): Promise<void> {
    const { env, channel } = this.#parts;
    let burned = 0;
    for (let failures = 0; !this.#stopped; ) {
      const row = this.get(id);
      if (row.state !== 'pressed' && row.state !== 'attempted' && row.state !== 'signed') return;
      const age = env.now() - (row.pressedAt ?? 0);
      if (age < 0 || age >= RESUME_PRESSED_MS) {
        if (row.state !== 'signed') await this.#save({ ...row, state: 'requested' });
        return;
      }
      try {
        await (row.state === 'signed' ? this.#broadcast(row) : this.#sign(row));
        failures = 0;
      } catch (e) {
        if (!isHoarfrostError(e) || this.#stopped) throw e;
        if (FRESH.has(e.code) && ++burned < FRESH_ATTEMPTS_MAX) continue;
        // Meanwhile somebody else has sent it.
        if (this.get(id).state === 'broadcast') return;
        if (mayPass(e) || (row.state === 'signed' && !REJECTED.has(e.code))) {
          await this.#save({ ...this.get(id), error: e.code });
          await channel.pause(e, failures++);
        } else {
          await this.#save({ ...this.get(id), state: 'failed', error: e.code });
        }
      }
    }
  }

  async #sign(row: PaymentRecord): Promise<void> {
    const { env } = this.#parts;
    await this.#ensurePressed(row);
    const outcome = await attemptToSign(this.#parts, row, async (attempt) => {
      await this.#save({ ...row, state: 'attempted', attempt });
    });
    const now: PaymentRecord = { ...this.get(row.id), error: null };
    switch (outcome.kind) {
      case 'signed':
        await this.#save({
          ...now,
          state: 'signed',
          transaction: outcome.transaction,
          verdict: outcome.verdict,
          signMs: env.now() - (row.pressedAt ?? env.now()),
        });
        return;
      case 'undecided':
        // The rule's delay runs; when it is over the user presses again.
        await this.#save({ ...now, state: 'requested', verdict: outcome.verdict });
        return;
      case 'refused':
        await this.#save({ ...now, state: 'failed', error: 'PolicyRefused', verdict: outcome.verdict });
        return;
    }
  }

  #ensurePressed(row: PaymentRecord): Promise<void> {
    return this.#parts.vault.ensureOurs(pressHash(row), row.press ?? new Uint8Array());
  }

  async #broadcast(row: PaymentRecord): Promise<void> {
    ensure(row.transaction !== null, 'Internal', { detail: 'signed without transaction' });
    const txid = await this.#parts.route.broadcast(row.transaction);
    ensure(txid === row.txid, 'UnknownMessage', { detail: 'txid' });
    await this.#save({ ...this.get(row.id), state: 'broadcast', error: null });
  }

  async #save(row: PaymentRecord): Promise<PaymentRecord> {
    if (this.#stopped) throw new HoarfrostError('Locked');
    await this.#parts.db.write([{ store: 'requests', key: row.id, value: row }]);
    this.#rows.set(row.id, row);
    this.#parts.onChange(row);
    return row;
  }
}

export function progressOf(row: PaymentRecord): PaymentProgress {
  return {
    request: row.id,
    state: row.state,
    txid: row.transaction === null ? null : row.txid,
    error: row.error,
    verdict: row.verdict,
    signMs: row.signMs,
  };
}

function isUnderWay(row: PaymentRecord): boolean {
  return row.state === 'pressed' || row.state === 'attempted' || row.state === 'signed';
}

/** What was shown and pressed: 32 bytes. */
function pressHash(row: PaymentRecord): Bytes {
  return taggedHash('hoarfrost/press', encode(pressed, row));
}

const pressed = struct({
  id: text(32),
  pressedAt: option(time),
  address: text(100),
  amount: u64,
  psbt: blob(PSBT_MAX),
  digest: bytes(32),
  txid: text(64),
});
