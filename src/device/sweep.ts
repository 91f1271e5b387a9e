/**
 * The sweep to a new key (DESIGN section 5): all coins, by ordinary payments, to a wallet that was born for it. What is kept
 * is only whose wallet that is; how far the sweep got is read off the coins and the payments, so that it goes on from
 * wherever a restart left it.
 */
import { sendAll } from '../bitcoin/coins.ts';
import { type Account, deriveKey } from '../bitcoin/descriptor.ts';
import type { Coin } from '../bitcoin/psbt.ts';
import { outpointText } from '../bitcoin/transaction.ts';
import type { Signer } from '../crypto/signer.ts';
import { verifyCertificate } from '../frost/keygen.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { taggedHash } from '../protocol/sha256.ts';
import type { PaymentRecord } from './payments.ts';
import type { SweepView } from './port.ts';
import type { Vault } from './vault.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface SweepRecord {
  /** The successor's keygen certificate. */
  readonly certificate: Bytes;
  /** The vault's seal over it: a successor that somebody else wrote here gets nothing. */
  readonly seal: Bytes;
}

export interface Sweep {
  readonly successor: Account;
}

/** Thousandths of a sat per vbyte: what is not worth this fee stays. */
const FLOOR_RATE = 1000n;

/** `WalletExists` if it is this wallet itself, `WrongNetwork`. */
export async function adoptSuccessor(
  signer: Signer,
  vault: Vault,
  wallet: Wallet,
  certificate: Bytes,
): Promise<SweepRecord> {
  const key = verifyCertificate(signer, certificate);
  ensure(!equalVar(key.wallet, wallet.key.wallet), 'WalletExists');
  ensure(key.network === wallet.key.network, 'WrongNetwork', { detail: 'successor' });
  return { certificate, seal: await vault.vouch(recordHash(certificate)) };
}

/** Throws `VaultDamaged` for a record that this vault did not seal. */
export async function readSweep(signer: Signer, vault: Vault, record: SweepRecord): Promise<Sweep> {
  await vault.ensureOurs(recordHash(record.certificate), record.seal);
  const { network, groupKey, chainCode } = verifyCertificate(signer, record.certificate);
  return { successor: { network, groupKey, chainCode, account: 0 } };
}

/** Each payment of the sweep pays an address of its own. */
export function sweepAddress(sweep: Sweep, rows: readonly PaymentRecord[]): string {
  return addressAt(sweep, sweepPayments(sweep, rows).length);
}

export function sweepView(sweep: Sweep, wallet: Wallet, rows: readonly PaymentRecord[]): SweepView {
  const own = sweepPayments(sweep, rows);
  const inBlock = new Set(wallet.history.filter(({ height }) => height > 0).map(({ txid }) => txid));
  const underWay = own.filter(({ txid }) => !inBlock.has(txid));
  const taken = new Set(underWay.flatMap(({ spends }) => spends));
  const coins = (wallet.look?.coins ?? []).filter(({ outpoint }) => !taken.has(outpointText(outpoint)));
  const arriving = coins.some(({ height, branch }) => height === 0 && branch === 0);
  const read = wallet.look !== null && wallet.syncError === null;
  const waits = underWay.length > 0 || arriving || !read;
  return {
    stage: pays(coins, sweep, wallet.look?.height ?? 0) ? 'move' : waits ? 'wait' : 'done',
    coins: coins.length,
    left: coins.reduce((sum, { value }) => sum + value, 0n),
    underWay: underWay.length,
    moved: own.reduce((sum, { amount }) => sum + amount, 0n),
  };
}

/** In the order in which they were drafted. What failed without a transaction moved nothing. */
function sweepPayments(sweep: Sweep, rows: readonly PaymentRecord[]): PaymentRecord[] {
  const addresses = new Set(Array.from({ length: rows.length + 1 }, (_, i) => addressAt(sweep, i)));
  return rows.filter(
    ({ address, state, pressedAt, transaction }) =>
      addresses.has(address) && pressedAt !== null && (state !== 'failed' || transaction !== null),
  );
}

/** Whether they pay for their own way at the lowest fee there is. */
function pays(coins: readonly Coin[], { successor }: Sweep, height: number): boolean {
  const { script } = deriveKey(successor, 0, 0);
  try {
    return sendAll({ coins, feeRate: FLOOR_RATE, height, script }).inputs.length > 0;
  } catch (e) {
    if (isHoarfrostError(e) && e.code === 'InsufficientFunds') return false;
    throw e;
  }
}

function addressAt({ successor }: Sweep, index: number): string {
  return deriveKey(successor, 0, index).address;
}

function recordHash(certificate: Bytes): Bytes {
  return taggedHash('hoarfrost/sweep', certificate);
}
