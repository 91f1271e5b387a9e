/** Which coins pay for a payment. Amounts in sats. */
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { INPUTS_MAX } from '../protocol/limits.ts';
import { dustThreshold, type FeeRate, feeFor, paymentVsize } from './fees.ts';
import type { Coin } from './psbt.ts';
import { MAX_MONEY, outpointText, type TxOutput } from './transaction.ts';

/** Confirmations before a block's reward may be spent. */
const COINBASE_MATURITY = 100;
const CHANGE_SCRIPT_LENGTH = 34;
/** Change below this costs more to make and spend at a middling rate than it is worth, so the miners get it. */
const CHANGE_MIN = 1000n;

export interface Selection {
  inputs: Coin[];
  fee: bigint;
  /** 0 when nothing comes back. */
  change: bigint;
}

interface Wanted {
  coins: readonly Coin[];
  feeRate: FeeRate;
  /** Height of the best block: an immature reward is left alone. */
  height: number;
  /** Coins, some of `coins`, that are spent in any case, whatever they are worth. */
  must?: readonly Coin[];
}

/**
 * Spendable now and worth more than its own fee: confirmed first, then the largest; equals by their outpoints. What a
 * stranger sent is left until it is in a block, since it may never get there; own change is spent at once. What must be
 * spent is left out: it comes first anyway.
 */
function worthwhile({ coins, feeRate, height: tip, must = [] }: Wanted): Coin[] {
  const ownFee = feeFor(feeRate, paymentVsize(2, [])) - feeFor(feeRate, paymentVsize(1, []));
  return coins
    .filter((coin) => coin.value > ownFee && !must.includes(coin))
    .filter(({ branch, height }) => height > 0 || branch === 1)
    .filter((coin) => !coin.coinbase || (coin.height > 0 && tip - coin.height + 1 >= COINBASE_MATURITY))
    .sort((a, b) => {
      if (a.height > 0 !== b.height > 0) return a.height > 0 ? -1 : 1;
      if (a.value !== b.value) return a.value > b.value ? -1 : 1;
      return outpointText(a.outpoint) < outpointText(b.outpoint) ? -1 : 1;
    });
}

const total = (items: readonly { value: bigint }[]) => items.reduce((sum, { value }) => sum + value, 0n);

/** `BadAmount` for nothing or more than there is, `Dust` for what no node would relay. */
export function checkOutput({ script, value }: TxOutput): void {
  ensure(value > 0n && value <= MAX_MONEY, 'BadAmount');
  const least = dustThreshold(script);
  ensure(value >= least, 'Dust', { detail: `least ${least} sats` });
}

function insufficient(missing: bigint): HoarfrostError {
  return new HoarfrostError('InsufficientFunds', { detail: `missing ${missing} sats` });
}

/**
 * Inputs, fee and change for `outputs` at `feeRate`: what must be spent, and if that does not pay, the smallest coin that
 * then does alone, or else the largest ones.
 * `fee` is at least the rate times the finished transaction's vsize; change too small to be worth it is added to it.
 * `BadAmount`, `Dust`, `BadFee`; `InsufficientFunds` says in its detail how many sats are missing.
 */
export function selectCoins(wanted: Wanted & { outputs: readonly TxOutput[] }): Selection {
  const { outputs, feeRate, must = [] } = wanted;
  ensure(outputs.length > 0, 'BadAmount', { detail: 'no outputs' });
  for (const output of outputs) checkOutput(output);
  const target = total(outputs);
  ensure(target <= MAX_MONEY, 'BadAmount');
  const lengths = outputs.map(({ script }) => script.length);
  const feeAlone = (inputs: number) => feeFor(feeRate, paymentVsize(inputs, lengths));
  const pays = (inputs: readonly Coin[]) => total(inputs) >= target + feeAlone(inputs.length);

  const inputs = [...must];
  if (inputs.length === 0 || !pays(inputs)) {
    const usable = worthwhile(wanted);
    const alone = usable.filter((coin) => pays([...must, coin]));
    // A confirmed coin that pays alone goes before an unconfirmed one, whichever is smaller.
    const smallest = alone.findLast((coin) => coin.height > 0) ?? alone.at(-1);
    for (const coin of smallest ? [smallest] : usable.slice(0, INPUTS_MAX - must.length)) {
      inputs.push(coin);
      if (pays(inputs)) break;
    }
  }
  if (inputs.length === 0 || !pays(inputs)) {
    throw insufficient(target + feeAlone(Math.max(inputs.length, 1)) - total(inputs));
  }

  const change =
    total(inputs) - target - feeFor(feeRate, paymentVsize(inputs.length, [...lengths, CHANGE_SCRIPT_LENGTH]));
  if (change >= CHANGE_MIN) return { inputs, change, fee: total(inputs) - target - change };
  return { inputs, change: 0n, fee: total(inputs) - target };
}

/**
 * Everything that is worth its own fee, or must be spent, to one script. At most INPUTS_MAX coins, the most valuable ones.
 * `InsufficientFunds` when the fee eats it, or when what is left is dust.
 */
export function sendAll(wanted: Wanted & { script: Uint8Array }): {
  inputs: Coin[];
  fee: bigint;
  value: bigint;
} {
  const { script, feeRate, must = [] } = wanted;
  const richest = worthwhile(wanted).sort((a, b) => (a.value > b.value ? -1 : a.value < b.value ? 1 : 0));
  const inputs = [...must, ...richest].slice(0, INPUTS_MAX);
  const fee = feeFor(feeRate, paymentVsize(Math.max(inputs.length, 1), [script.length]));
  const value = total(inputs) - fee;
  const least = dustThreshold(script) || 1n;
  if (value < least) throw insufficient(least - value);
  return { inputs, fee, value };
}
