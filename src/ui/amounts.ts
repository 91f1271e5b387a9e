/** How sats are written and read. Groups of three, never a comma or a point between them: no separator can be taken for a decimal. */

const SATS_PER_BTC = 100_000_000n;
const SUPPLY = 21_000_000n * SATS_PER_BTC;
/** Narrow no-break space: between the groups of running text only. */
const THIN = '\u202f';
const SPACES = /\s/g;

export type Unit = 'sats' | 'BTC';

export interface AmountGroup {
  /** The leading zeros of a BTC amount, which are dimmed; else empty. */
  dim: string;
  bright: string;
}

/** Sats in groups of three; BTC with eight places in groups 2-3-3 behind the point. The sign is left to the caller. */
export function amountGroups(sats: bigint, unit: Unit): AmountGroup[] {
  const size = sats < 0n ? -sats : sats;
  if (unit === 'sats') return groupsOfThree(size.toString()).map((bright) => ({ dim: '', bright }));
  const places = (size % SATS_PER_BTC).toString().padStart(8, '0');
  const thousands = groupsOfThree((size / SATS_PER_BTC).toString());
  const last = `${thousands.pop()}.${places.slice(0, 2)}`;
  let leading = true;
  return [...thousands, last, places.slice(2, 5), places.slice(5)].map((group) => {
    const dim = leading ? (/^[0.]*/.exec(group)?.[0] ?? '') : '';
    leading = dim === group;
    return { dim, bright: group.slice(dim.length) };
  });
}

function groupsOfThree(digits: string): string[] {
  return digits.replace(/\B(?=(\d{3})+$)/g, ' ').split(' ');
}

/** For running text and labels: `250 000 sats`, in thin spaces. */
export function satsText(sats: bigint): string {
  const sign = sats < 0n ? '−' : '';
  return `${sign}${plainGroups(sats, 'sats').join(THIN)}${THIN}sats`;
}

/** A count, as of blocks: groups of three in thin spaces. */
export function countText(count: number): string {
  return groupsOfThree(count.toString()).join(THIN);
}

export function btcText(sats: bigint): string {
  return `${plainGroups(sats, 'BTC').join(THIN)}${THIN}BTC`;
}

function plainGroups(sats: bigint, unit: Unit): string[] {
  return amountGroups(sats, unit).map(({ dim, bright }) => dim + bright);
}

/**
 * What a person typed, in sats: digits with spaces between them; in BTC one point and at most eight places behind it.
 * A comma is no separator here and so null, as is anything over the supply. Zero is a number like others.
 */
export function parseAmount(text: string, unit: Unit): bigint | null {
  const bare = text.replace(SPACES, '');
  if (unit === 'sats') return /^\d{1,16}$/.test(bare) ? withinSupply(BigInt(bare)) : null;
  const match = /^(\d{0,8})(?:\.(\d{0,8}))?$/.exec(bare);
  if (match === null || `${match[1]}${match[2] ?? ''}` === '') return null;
  return withinSupply(BigInt(match[1] || '0') * SATS_PER_BTC + BigInt((match[2] ?? '').padEnd(8, '0')));
}

function withinSupply(sats: bigint): bigint | null {
  return sats <= SUPPLY ? sats : null;
}

/** What stands in the field when the unit is switched: bare enough to be edited. */
export function amountInput(sats: bigint, unit: Unit): string {
  if (unit === 'sats') return plainGroups(sats, 'sats').join(' ');
  return `${sats / SATS_PER_BTC}.${(sats % SATS_PER_BTC).toString().padStart(8, '0')}`;
}

/** A rate in thousandths of a sat per vbyte: at most one decimal under 10, none above. */
export function rateText(thousandths: number): string {
  const rate = thousandths / 1000;
  const figure = rate < 10 ? (Math.round(rate * 10) / 10).toString() : Math.round(rate).toString();
  return `${figure} sat/vB`;
}

/** A typed rate in sat per vbyte, with a point, as thousandths; null unless above zero and at most 10 000. */
export function parseRate(text: string): number | null {
  const bare = text.replace(SPACES, '');
  if (!/^\d{1,5}(?:\.\d{1,3})?$/.test(bare)) return null;
  const thousandths = Math.round(Number(bare) * 1000);
  return thousandths > 0 && thousandths <= 10_000_000 ? thousandths : null;
}

export type FeeWeight = 'usual' | 'high' | 'typed';

/** Over 5 % of the amount: an amber line. Over 25 %, or ten times the next block's rate: the user types the fee. */
export function feeWeight(
  amount: bigint,
  fee: bigint,
  feeRate: number,
  nextBlockRate: number | null,
): FeeWeight {
  if (fee * 4n > amount) return 'typed';
  if (nextBlockRate !== null && feeRate > nextBlockRate * 10) return 'typed';
  return fee * 20n > amount ? 'high' : 'usual';
}

/** Whole per cent, rounded up, so that a warning never understates. */
export function percentOf(part: bigint, whole: bigint): string {
  if (whole <= 0n) return 'all';
  return `${(part * 100n + whole - 1n) / whole}${THIN}%`;
}
