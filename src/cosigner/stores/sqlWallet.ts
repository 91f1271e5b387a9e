/** One wallet in one transaction, over any SQL database: every statement names the wallet by its id. */
import { ensure } from '../../protocol/errors.ts';
import type {
  AttemptRecord,
  Bytes,
  NewAttempt,
  RecordKind,
  StoredReceipt,
  StoredRecord,
  Value,
  WalletRecord,
  WalletTx,
} from '../store.ts';
import type { Sql } from './sql.ts';

/** What every decision reads, and few have any of: one statement brings all of it. */
const DECISIVE: readonly RecordKind[] = ['epoch', 'policy', 'ceremony'];

const SELECT_WALLET =
  'SELECT w.device_key, w.epoch, w.certificate, w.next_receive, w.next_change, w.begun_at, w.born_at, ' +
  'w.lost_at, c.ledger, c.lost_at AS ledger_lost_at FROM wallet w, cosigner c WHERE w.id = ?';
const selectRecords = byCount(
  (n) => `SELECT kind, key, body FROM record WHERE wallet = ? AND kind IN ${tuples(1, n)} ORDER BY kind, key`,
);
const selectCommitments = byCount(
  (n) => `SELECT 1 FROM commitment WHERE wallet = ? AND epoch = ? AND hash IN ${tuples(1, n)} LIMIT 1`,
);
const selectReserves = byCount(
  (n) => `SELECT outpoint, amount FROM reserve WHERE wallet = ? AND outpoint IN ${tuples(1, n)}`,
);
const insertCommitments = byCount(
  (n) => `INSERT INTO commitment (wallet, epoch, hash, request) VALUES ${tuples(n, 4)}`,
);

/** The wallet's row is read at once, so that an unknown one fails before `work` begins. */
export async function openWallet(sql: Sql, id: Bytes, lock: string): Promise<WalletTx> {
  // The ledger stays the same while the row is locked: only another timeline of the database brings a new one.
  const [row] = await sql.all(lock === '' ? SELECT_WALLET : `${SELECT_WALLET}${lock} OF w`, [id]);
  ensure(row !== undefined, 'NotEnrolled');
  const begunAt = Number(row.begun_at);
  // What was charged here before a loss, and elsewhere before it came here.
  const losses = [Number(row.ledger_lost_at), Number(row.lost_at)].filter((at) => at > 0 && at >= begunAt);
  return new SqlWallet(sql, {
    id,
    deviceKey: bytesOf(row.device_key),
    epoch: Number(row.epoch),
    certificate: bytesOf(row.certificate),
    nextReceive: Number(row.next_receive),
    nextChange: Number(row.next_change),
    bornAt: Number(row.born_at ?? begunAt),
    ledger: ledgerOf(row),
    lostAt: losses.length === 0 ? null : Math.max(...losses),
  });
}

class SqlWallet implements WalletTx {
  readonly #sql: Sql;
  readonly #id: Bytes;
  #wallet: WalletRecord;
  /** Asked for by every rule that counts; nobody else can append one here. */
  #last: Promise<StoredReceipt | null> | undefined;
  /** Until one of them is written. */
  #decisive: Promise<Map<RecordKind, StoredRecord[]>> | undefined;

  constructor(sql: Sql, wallet: WalletRecord) {
    this.#sql = sql;
    this.#id = wallet.id;
    this.#wallet = wallet;
  }

  get wallet(): WalletRecord {
    return this.#wallet;
  }

  async sealedShare(): Promise<Bytes> {
    const found = await this.#one('SELECT sealed FROM share WHERE wallet = ? AND epoch = ?', [
      this.#id,
      this.#wallet.epoch,
    ]);
    ensure(found !== undefined, 'ShareUnrecoverable');
    return bytesOf(found.sealed);
  }

  async attempt(request: Bytes): Promise<AttemptRecord | null> {
    const found = await this.#one(
      'SELECT answer FROM attempt WHERE wallet = ? AND epoch = ? AND request = ?',
      [this.#id, this.#wallet.epoch, request],
    );
    return found === undefined ? null : { answer: blobOf(found.answer) };
  }

  async commitmentsUsed(commitments: readonly Bytes[]): Promise<boolean> {
    const text = selectCommitments(commitments.length);
    return (await this.#sql.all(text, [this.#id, this.#wallet.epoch, ...commitments])).length > 0;
  }

  async reserves(outpoints: readonly string[]): Promise<Map<string, bigint>> {
    if (outpoints.length === 0) return new Map();
    const rows = await this.#sql.all(selectReserves(outpoints.length), [this.#id, ...outpoints]);
    return new Map(rows.map(({ outpoint, amount }) => [outpoint as string, amount as bigint]));
  }

  async chargedSince(since: number): Promise<bigint> {
    const text = 'SELECT coalesce(sum(amount), 0) AS total FROM charge WHERE wallet = ? AND at >= ?';
    return (await this.#one(text, [this.#id, since]))!.total as bigint;
  }

  lastReceipt(): Promise<StoredReceipt | null> {
    this.#last ??= this.#one(
      'SELECT sequence, body, signature FROM receipt WHERE wallet = ? ORDER BY sequence DESC LIMIT 1',
      [this.#id],
    ).then((found) => (found === undefined ? null : receiptOf(found)));
    return this.#last;
  }

  async receipts(from: number, max: number): Promise<StoredReceipt[]> {
    const text =
      'SELECT sequence, body, signature FROM receipt WHERE wallet = ? AND sequence >= ? ORDER BY sequence LIMIT ?';
    return (await this.#sql.all(text, [this.#id, from, max])).map(receiptOf);
  }

  async record(kind: RecordKind, key: Bytes): Promise<Bytes | null> {
    const found = await this.#one('SELECT body FROM record WHERE wallet = ? AND kind = ? AND key = ?', [
      this.#id,
      kind,
      key,
    ]);
    return blobOf(found?.body);
  }

  async records(kind: RecordKind): Promise<StoredRecord[]> {
    if (!DECISIVE.includes(kind)) return (await this.#recordsOf([kind])).get(kind)!;
    this.#decisive ??= this.#recordsOf(DECISIVE);
    return [...(await this.#decisive).get(kind)!];
  }

  async putRecord(kind: RecordKind, key: Bytes, body: Bytes): Promise<void> {
    this.#decisive = undefined;
    await putRecord(this.#sql, this.#id, kind, key, body);
  }

  async deleteRecord(kind: RecordKind, key: Bytes): Promise<void> {
    this.#decisive = undefined;
    await this.#sql.run('DELETE FROM record WHERE wallet = ? AND kind = ? AND key = ?', [
      this.#id,
      kind,
      key,
    ]);
  }

  async replaceRecovery(hostKey: Bytes): Promise<void> {
    await this.#sql.run('DELETE FROM record WHERE wallet = ? AND kind = ?', [this.#id, 'recovery']);
    await putRecord(this.#sql, this.#id, 'recovery', hostKey, NOTHING);
  }

  async replaceDevice(deviceKey: Bytes): Promise<void> {
    const taken = await this.#one('SELECT 1 FROM wallet WHERE device_key = ?', [deviceKey]);
    ensure(taken === undefined, 'WalletExists');
    await this.#sql.run('UPDATE wallet SET device_key = ? WHERE id = ?', [deviceKey, this.#id]);
    this.#wallet = { ...this.#wallet, deviceKey };
  }

  async beginEpoch(next: number, sealedShare: Bytes): Promise<void> {
    await this.#sql.run('INSERT INTO share (wallet, epoch, sealed) VALUES (?, ?, ?)', [
      this.#id,
      next,
      sealedShare,
    ]);
    await this.#sql.run('UPDATE wallet SET epoch = ? WHERE id = ?', [next, this.#id]);
    this.#wallet = { ...this.#wallet, epoch: next };
  }

  async dropOldEpochs(): Promise<Bytes[]> {
    const old = 'wallet = ? AND epoch < ?';
    const shares = await this.#sql.all(`SELECT sealed FROM share WHERE ${old}`, [
      this.#id,
      this.#wallet.epoch,
    ]);
    for (const table of ['commitment', 'attempt', 'share'])
      await this.#sql.run(`DELETE FROM ${table} WHERE ${old}`, [this.#id, this.#wallet.epoch]);
    return shares.map(({ sealed }) => bytesOf(sealed));
  }

  async retire(): Promise<Bytes[]> {
    const shares = await this.#sql.all('SELECT sealed FROM share WHERE wallet = ?', [this.#id]);
    for (const table of ['commitment', 'attempt', 'share'])
      await this.#sql.run(`DELETE FROM ${table} WHERE wallet = ?`, [this.#id]);
    // A name that is no key of anybody's, and unique.
    await this.#sql.run('UPDATE wallet SET device_key = id WHERE id = ?', [this.#id]);
    return shares.map(({ sealed }) => bytesOf(sealed));
  }

  async insertAttempt({ request, commitments, spend, at }: NewAttempt): Promise<void> {
    await Promise.all([
      this.#sql.run('INSERT INTO attempt (wallet, epoch, request, spend, at) VALUES (?, ?, ?, ?, ?)', [
        this.#id,
        this.#wallet.epoch,
        request,
        spend,
        at,
      ]),
      this.#sql.run(
        insertCommitments(commitments.length),
        commitments.flatMap((hash) => [this.#id, this.#wallet.epoch, hash, request]),
      ),
    ]);
  }

  async storeAnswer(request: Bytes, answer: Bytes): Promise<void> {
    const text =
      'UPDATE attempt SET answer = ? WHERE wallet = ? AND epoch = ? AND request = ? AND answer IS NULL';
    const stored = await this.#sql.run(text, [answer, this.#id, this.#wallet.epoch, request]);
    ensure(stored === 1, 'Internal', { detail: 'answer stored twice' });
  }

  async setReserve(outpoint: string, amount: bigint): Promise<void> {
    const text =
      'INSERT INTO reserve (wallet, outpoint, amount) VALUES (?, ?, ?) ' +
      'ON CONFLICT (wallet, outpoint) DO UPDATE SET amount = excluded.amount';
    await this.#sql.run(text, [this.#id, outpoint, amount]);
  }

  async charge(amount: bigint, at: number): Promise<void> {
    await this.#sql.run('INSERT INTO charge (wallet, at, amount) VALUES (?, ?, ?)', [this.#id, at, amount]);
  }

  async appendReceipt(receipt: StoredReceipt): Promise<void> {
    const { sequence, body, signature } = receipt;
    const text = 'INSERT INTO receipt (wallet, sequence, body, signature) VALUES (?, ?, ?, ?)';
    await this.#sql.run(text, [this.#id, sequence, body, signature]);
    this.#last = Promise.resolve(receipt);
  }

  async raiseNextIndices(nextReceive: number, nextChange: number): Promise<void> {
    const raise = (column: string, to: number) =>
      this.#sql.run(`UPDATE wallet SET ${column} = ? WHERE id = ? AND ${column} < ?`, [to, this.#id, to]);
    await raise('next_receive', nextReceive);
    await raise('next_change', nextChange);
  }

  async #one(text: string, values: readonly Value[]): Promise<Record<string, unknown> | undefined> {
    return (await this.#sql.all(text, values))[0];
  }

  async #recordsOf(kinds: readonly RecordKind[]): Promise<Map<RecordKind, StoredRecord[]>> {
    const found = new Map(kinds.map((kind): [RecordKind, StoredRecord[]] => [kind, []]));
    for (const { kind, key, body } of await this.#sql.all(selectRecords(kinds.length), [
      this.#id,
      ...kinds,
    ])) {
      found.get(kind as RecordKind)!.push({ key: bytesOf(key), body: bytesOf(body) });
    }
    return found;
  }
}

export const NOTHING: Bytes = new Uint8Array(0);

export async function putRecord(
  sql: Sql,
  wallet: Bytes,
  kind: RecordKind,
  key: Bytes,
  body: Bytes,
): Promise<void> {
  const text =
    'INSERT INTO record (wallet, kind, key, body) VALUES (?, ?, ?, ?) ' +
    'ON CONFLICT (wallet, kind, key) DO UPDATE SET body = excluded.body';
  await sql.run(text, [wallet, kind, key, body]);
}

/** The text of a statement over a list, made once for each length: making and looking it up costs as much as it does. */
function byCount(make: (count: number) => string): (count: number) => string {
  const made: string[] = [];
  return (count) => {
    made[count] ??= make(count);
    return made[count];
  };
}

/** `(?, ?), (?, ?)` */
export function tuples(count: number, width: number): string {
  const tuple = `(${Array(width).fill('?').join(', ')})`;
  return Array(count).fill(tuple).join(', ');
}

/** Zeros before the store was bound. */
export function ledgerOf(row: Record<string, unknown> | undefined): Bytes {
  return blobOf(row?.ledger) ?? new Uint8Array(16);
}

function receiptOf(row: Record<string, unknown>): StoredReceipt {
  return { sequence: Number(row.sequence), body: bytesOf(row.body), signature: bytesOf(row.signature) };
}

export function blobOf(value: unknown): Bytes | null {
  return value === undefined || value === null ? null : bytesOf(value);
}

/** A driver may hand out a view of a larger buffer: then its own bytes alone. */
export function bytesOf(value: unknown): Bytes {
  const bytes = value as Bytes;
  return Buffer.isBuffer(bytes) || bytes.length !== bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}
