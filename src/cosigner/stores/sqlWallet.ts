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
  const one = async (text: string, values: readonly Value[]) => (await sql.all(text, values))[0];
  // The ledger stays the same while the row is locked: only another timeline of the database brings a new one.
  const row = await one(lock === '' ? SELECT_WALLET : `${SELECT_WALLET}${lock} OF w`, [id]);
  ensure(row !== undefined, 'NotEnrolled');
  const begunAt = Number(row.begun_at);
  // What was charged here before a loss, and elsewhere before it came here.
  const losses = [Number(row.ledger_lost_at), Number(row.lost_at)].filter((at) => at > 0 && at >= begunAt);
  let epoch = Number(row.epoch);
  let wallet: WalletRecord = {
    id,
    deviceKey: bytesOf(row.device_key),
    epoch,
    certificate: bytesOf(row.certificate),
    nextReceive: Number(row.next_receive),
    nextChange: Number(row.next_change),
    bornAt: Number(row.born_at ?? begunAt),
    ledger: ledgerOf(row),
    lostAt: losses.length === 0 ? null : Math.max(...losses),
  };

  /** Asked for by every rule that counts; nobody else can append one here. */
  let last: Promise<StoredReceipt | null> | undefined;
  /** Until one of them is written. */
  let decisive: Promise<Map<RecordKind, StoredRecord[]>> | undefined;

  async function recordsOf(kinds: readonly RecordKind[]): Promise<Map<RecordKind, StoredRecord[]>> {
    const found = new Map(kinds.map((kind): [RecordKind, StoredRecord[]] => [kind, []]));
    for (const { kind, key, body } of await sql.all(selectRecords(kinds.length), [id, ...kinds])) {
      found.get(kind as RecordKind)!.push({ key: bytesOf(key), body: bytesOf(body) });
    }
    return found;
  }

  return {
    get wallet() {
      return wallet;
    },

    async sealedShare() {
      const found = await one('SELECT sealed FROM share WHERE wallet = ? AND epoch = ?', [id, epoch]);
      ensure(found !== undefined, 'ShareUnrecoverable');
      return bytesOf(found.sealed);
    },

    async attempt(request): Promise<AttemptRecord | null> {
      const found = await one('SELECT answer FROM attempt WHERE wallet = ? AND epoch = ? AND request = ?', [
        id,
        epoch,
        request,
      ]);
      return found === undefined ? null : { answer: blobOf(found.answer) };
    },

    async commitmentsUsed(commitments) {
      const text = selectCommitments(commitments.length);
      return (await sql.all(text, [id, epoch, ...commitments])).length > 0;
    },

    async reserves(outpoints) {
      if (outpoints.length === 0) return new Map();
      const rows = await sql.all(selectReserves(outpoints.length), [id, ...outpoints]);
      return new Map(rows.map(({ outpoint, amount }) => [outpoint as string, amount as bigint]));
    },

    async chargedSince(since) {
      const text = 'SELECT coalesce(sum(amount), 0) AS total FROM charge WHERE wallet = ? AND at >= ?';
      return (await one(text, [id, since]))!.total as bigint;
    },

    lastReceipt() {
      last ??= one(
        'SELECT sequence, body, signature FROM receipt WHERE wallet = ? ORDER BY sequence DESC LIMIT 1',
        [id],
      ).then((found) => (found === undefined ? null : receiptOf(found)));
      return last;
    },

    async receipts(from, max) {
      const text =
        'SELECT sequence, body, signature FROM receipt WHERE wallet = ? AND sequence >= ? ORDER BY sequence LIMIT ?';
      return (await sql.all(text, [id, from, max])).map(receiptOf);
    },

    async record(kind, key) {
      const found = await one('SELECT body FROM record WHERE wallet = ? AND kind = ? AND key = ?', [
        id,
        kind,
        key,
      ]);
      return blobOf(found?.body);
    },

    async records(kind) {
      if (!DECISIVE.includes(kind)) return (await recordsOf([kind])).get(kind)!;
      decisive ??= recordsOf(DECISIVE);
      return [...(await decisive).get(kind)!];
    },

    async putRecord(kind, key, body) {
      decisive = undefined;
      await putRecord(sql, id, kind, key, body);
    },

    async deleteRecord(kind, key) {
      decisive = undefined;
      await sql.run('DELETE FROM record WHERE wallet = ? AND kind = ? AND key = ?', [id, kind, key]);
    },

    async replaceRecovery(hostKey) {
      await sql.run('DELETE FROM record WHERE wallet = ? AND kind = ?', [id, 'recovery']);
      await putRecord(sql, id, 'recovery', hostKey, NOTHING);
    },

    async replaceDevice(deviceKey) {
      const taken = await one('SELECT 1 FROM wallet WHERE device_key = ?', [deviceKey]);
      ensure(taken === undefined, 'WalletExists');
      await sql.run('UPDATE wallet SET device_key = ? WHERE id = ?', [deviceKey, id]);
      wallet = { ...wallet, deviceKey };
    },

    async beginEpoch(next, sealedShare) {
      await sql.run('INSERT INTO share (wallet, epoch, sealed) VALUES (?, ?, ?)', [id, next, sealedShare]);
      await sql.run('UPDATE wallet SET epoch = ? WHERE id = ?', [next, id]);
      epoch = next;
      wallet = { ...wallet, epoch };
    },

    async dropOldEpochs() {
      const old = 'wallet = ? AND epoch < ?';
      const shares = await sql.all(`SELECT sealed FROM share WHERE ${old}`, [id, epoch]);
      for (const table of ['commitment', 'attempt', 'share'])
        await sql.run(`DELETE FROM ${table} WHERE ${old}`, [id, epoch]);
      return shares.map(({ sealed }) => bytesOf(sealed));
    },

    async retire() {
      const shares = await sql.all('SELECT sealed FROM share WHERE wallet = ?', [id]);
      for (const table of ['commitment', 'attempt', 'share'])
        await sql.run(`DELETE FROM ${table} WHERE wallet = ?`, [id]);
      // A name that is no key of anybody's, and unique.
      await sql.run('UPDATE wallet SET device_key = id WHERE id = ?', [id]);
      return shares.map(({ sealed }) => bytesOf(sealed));
    },

    async insertAttempt({ request, commitments, spend, at }: NewAttempt) {
      await Promise.all([
        sql.run('INSERT INTO attempt (wallet, epoch, request, spend, at) VALUES (?, ?, ?, ?, ?)', [
          id,
          epoch,
          request,
          spend,
          at,
        ]),
        sql.run(
          insertCommitments(commitments.length),
          commitments.flatMap((hash) => [id, epoch, hash, request]),
        ),
      ]);
    },

    async storeAnswer(request, answer) {
      const text =
        'UPDATE attempt SET answer = ? WHERE wallet = ? AND epoch = ? AND request = ? AND answer IS NULL';
      const stored = await sql.run(text, [answer, id, epoch, request]);
      ensure(stored === 1, 'Internal', { detail: 'answer stored twice' });
    },

    async setReserve(outpoint, amount) {
      const text =
        'INSERT INTO reserve (wallet, outpoint, amount) VALUES (?, ?, ?) ' +
        'ON CONFLICT (wallet, outpoint) DO UPDATE SET amount = excluded.amount';
      await sql.run(text, [id, outpoint, amount]);
    },

    async charge(amount, at) {
      await sql.run('INSERT INTO charge (wallet, at, amount) VALUES (?, ?, ?)', [id, at, amount]);
    },

    async appendReceipt(receipt) {
      const { sequence, body, signature } = receipt;
      const text = 'INSERT INTO receipt (wallet, sequence, body, signature) VALUES (?, ?, ?, ?)';
      await sql.run(text, [id, sequence, body, signature]);
      last = Promise.resolve(receipt);
    },

    async raiseNextIndices(nextReceive, nextChange) {
      const raise = (column: string, to: number) =>
        sql.run(`UPDATE wallet SET ${column} = ? WHERE id = ? AND ${column} < ?`, [to, id, to]);
      await raise('next_receive', nextReceive);
      await raise('next_change', nextChange);
    },
  };
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
