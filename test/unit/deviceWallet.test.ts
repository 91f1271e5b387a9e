import { expect, test } from 'vitest';
import type { HistoryEntry } from '../../src/chain/source.ts';
import type { PaymentRecord } from '../../src/device/payments.ts';
import { activityOf } from '../../src/device/views.ts';
import { diffHistory, type Wallet } from '../../src/device/wallet.ts';
import { HISTORY_MAX } from '../../src/protocol/limits.ts';

const entry = (n: number, change: Partial<HistoryEntry> = {}): HistoryEntry => ({
  txid: n.toString(16).padStart(64, '0'),
  height: n,
  time: 1000 * n,
  received: 5000n,
  sent: 0n,
  fee: null,
  transaction: Uint8Array.of(n),
  ...change,
});
const changed = (stored: HistoryEntry[], read: HistoryEntry[]) =>
  diffHistory(stored, read).map(({ key, value }) => [Number.parseInt(String(key), 16), value !== null]);

test('audit-26: the stored history follows the one read, row by row', () => {
  const [a, b, c] = [entry(1), entry(2), entry(3)];
  expect(changed([], [b, a])).toEqual([
    [2, true],
    [1, true],
  ]);
  expect(changed([a, b], [c, b, a])).toEqual([[3, true]]);
  expect(changed([a, b], [b, a])).toEqual([]);
});

test('audit-26: a reorg moves rows and takes some away', () => {
  const stored = [entry(1), entry(2), entry(3)];
  const read = [entry(3, { height: 0 }), entry(1)];
  expect(changed(stored, read)).toEqual([
    [2, false],
    [3, true],
  ]);
});

test('a history cut at its maximum says nothing of what is older', () => {
  const read = Array.from({ length: HISTORY_MAX }, (_, i) => entry(5000 - i));
  expect(changed([...read, entry(7), entry(4500, { txid: 'ff'.repeat(32) })], read)).toEqual([
    [Number.parseInt('ff'.repeat(32), 16), false],
  ]);
});

test('a transaction that came once is kept when the next look leaves it out', () => {
  const stored = entry(1, { height: 0 });
  const [change] = diffHistory([stored], [entry(1, { transaction: new Uint8Array(0) })]);
  expect(change).toMatchObject({ value: { height: 1, transaction: stored.transaction } });
});

const payment = (change: Partial<PaymentRecord>): PaymentRecord => ({
  id: 'aa'.repeat(16),
  state: 'broadcast',
  createdAt: 1,
  pressedAt: 9_000_000,
  press: null,
  address: 'somebody',
  amount: 700n,
  fee: 30n,
  feeRate: 1000,
  psbt: new Uint8Array(),
  digest: new Uint8Array(),
  txid: entry(9).txid,
  spends: [],
  changeIndex: null,
  attempt: null,
  transaction: new Uint8Array(1),
  verdict: null,
  error: null,
  signMs: null,
  ...change,
});
const walletWith = (history: HistoryEntry[]) => ({ look: { height: 20 }, history }) as unknown as Wallet;

test('activity: a payment and its transaction are one row; drafts are none; newest first', () => {
  const history = [
    entry(9, { sent: 10_000n, received: 9270n, fee: 30n }),
    entry(4),
    entry(5, { height: 0, sent: 500n, received: 450n, fee: 50n }),
    entry(6, { sent: 900n, received: 100n, fee: 10n }),
  ];
  const payments = [
    payment({}),
    payment({ id: 'bb', state: 'requested', pressedAt: null, transaction: null }),
  ];
  expect(activityOf(walletWith(history), payments)).toMatchObject([
    { direction: 'out', state: 'confirmed', amount: 700n, fee: 30n, confirmations: 12, address: 'somebody' },
    { direction: 'out', state: 'confirmed', amount: 790n, fee: 10n, confirmations: 15, address: null },
    { direction: 'self', state: 'broadcast', amount: 450n, fee: 50n, confirmations: 0 },
    { direction: 'in', state: 'received', amount: 5000n, fee: null, confirmations: 17 },
  ]);
});

test('activity: what failed or waits has no transaction to show', () => {
  const failed = payment({ state: 'failed', error: 'PolicyRefused', transaction: null });
  expect(activityOf(walletWith([]), [failed])).toMatchObject([
    { state: 'failed', error: 'PolicyRefused', txid: null, height: 0 },
  ]);
});
