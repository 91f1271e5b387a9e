/** What pages are shown of the wallet and its payments. */
import { addressOf } from '../bitcoin/address.ts';
import { readPayment } from './draft.ts';
import type { Epochs } from './epochs.ts';
import type { PaymentRecord } from './payments.ts';
import type { ActivityView, EpochView, ReviewView, WalletView } from './port.ts';
import type { Refresher } from './refresh.ts';
import type { HistoryRecord, Wallet } from './wallet.ts';

export function reviewOf(
  wallet: Wallet,
  row: PaymentRecord,
  rows: readonly PaymentRecord[],
): Omit<ReviewView, 'verdictError'> {
  const { summary } = readPayment(wallet, row.psbt);
  const paidBefore = rows.some(
    ({ id, address, state }) => id !== row.id && address === row.address && state === 'broadcast',
  );
  const change = summary.outputs.filter((o) => o.own?.branch === 1);
  return {
    request: row.id,
    address: row.address,
    amount: row.amount,
    fee: summary.fee,
    feeRate: Number(summary.feeRate),
    leaves: row.amount + summary.fee,
    change: change.reduce((sum, o) => sum + o.value, 0n),
    balanceAfter: wallet.balance.confirmed - summary.loss,
    firstTime: !paidBefore,
    verdict: row.verdict,
    inputs: summary.inputs.map(({ outpoint, value }) => ({ ...outpoint, value })),
    outputs: summary.outputs.map(({ script, value, own }) => ({
      address: addressOf(script, wallet.key.network) ?? '',
      value,
      own: own !== null,
    })),
  };
}

export function walletView(
  wallet: Wallet,
  payments: readonly PaymentRecord[],
  autoLockMinutes: number,
): Omit<
  WalletView,
  'route' | 'sweeping' | 'hasFormer' | 'lastDrill' | 'epoch' | 'ceremonies' | 'rulesVersion' | 'frozen'
> {
  const { host, port } = wallet.cosigner;
  return {
    network: wallet.key.network,
    cosignerHost: `${host}:${port}`,
    fingerprint: wallet.fingerprint,
    ...wallet.balance,
    height: wallet.look?.height ?? 0,
    syncedAt: wallet.look?.at ?? null,
    syncError: wallet.syncError,
    activity: activityOf(wallet, payments),
    autoLockMinutes,
    receiptsBroken: wallet.receiptsBroken,
  };
}

/** `enrolled`: whether the cosigner knows this device. To a stranger it tells of no wallet, so there are no heads to compare. */
export function epochView(
  { current, last, doubt, untested }: Epochs,
  refresher: Refresher,
  enrolled: boolean,
): EpochView {
  const { dueAt, busy, error } = refresher;
  const alert = enrolled ? refresher.alert : 'NotEnrolled';
  return {
    number: current.number,
    changedAt: last?.at ?? null,
    dueAt,
    underWay: busy,
    unfinished: doubt !== null || untested,
    alert,
    error,
  };
}

/** Own payments and what the chain shows, each once, newest first. A draft is no activity until it was pressed. */
export function activityOf(wallet: Wallet, payments: readonly PaymentRecord[]): ActivityView[] {
  const height = wallet.look?.height ?? 0;
  const history = new Map(wallet.history.map((entry) => [entry.txid, entry]));
  const own = payments
    .filter(({ state, pressedAt }) => state !== 'requested' || pressedAt !== null)
    .map((row) => paymentView(row, history.get(row.txid), height));
  const paid = new Set(payments.filter((row) => row.transaction !== null).map((row) => row.txid));
  const rest = wallet.history.filter(({ txid }) => !paid.has(txid)).map((entry) => chainView(entry, height));
  return [...own, ...rest].sort((a, b) => b.time - a.time);
}

function paymentView(row: PaymentRecord, seen: HistoryRecord | undefined, tip: number): ActivityView {
  const at = seen?.height ?? 0;
  const toSelf = seen !== undefined && seen.fee !== null && seen.sent - seen.received === seen.fee;
  return {
    id: row.id,
    txid: row.transaction === null ? null : row.txid,
    direction: toSelf ? 'self' : 'out',
    amount: row.amount,
    fee: row.fee,
    address: row.address,
    state: at > 0 ? 'confirmed' : row.state,
    height: at,
    confirmations: confirmations(at, tip),
    shown: seen !== undefined,
    time: row.pressedAt ?? row.createdAt,
    error: row.error,
  };
}

/** Something that this device did not make: received, or spent by device and recovery or by another profile. */
function chainView(entry: HistoryRecord, tip: number): ActivityView {
  const { txid, received, sent, fee, height, time } = entry;
  const left = sent - received;
  const direction = sent === 0n ? 'in' : fee !== null && left === fee ? 'self' : left > 0n ? 'out' : 'in';
  const amounts = { in: -left, out: left - (fee ?? 0n), self: received };
  return {
    id: txid,
    txid,
    direction,
    amount: amounts[direction],
    fee: direction === 'in' ? null : fee,
    address: null,
    state: direction === 'in' ? 'received' : height > 0 ? 'confirmed' : 'broadcast',
    height,
    confirmations: confirmations(height, tip),
    shown: true,
    time,
    error: null,
  };
}

function confirmations(height: number, tip: number): number {
  return height === 0 ? 0 : Math.max(0, tip - height + 1);
}
