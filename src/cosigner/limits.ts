/**
 * How much anybody may ask for (AUDIT 12). Token buckets for addresses, devices and wallets live in this process and are about
 * work; the limits that guard the share are read from the wallet's receipts, so they survive restarts and hold for all instances.
 */
import { HoarfrostError } from '../protocol/errors.ts';
import { RECORDS_MAX } from '../protocol/limits.ts';
import type { Clock } from './clock.ts';

/** Up to `burst` at once; one comes back every 60/`perMinute` seconds. */
export interface Rate {
  readonly burst: number;
  readonly perMinute: number;
}

export interface Limits {
  /** TCP connections of one address: at a time, and opened. */
  readonly addressConnections: number;
  readonly addressOpens: Rate;
  /** TLS handshakes that begin, of all addresses together: a second of them costs a fifth of a processor's. */
  readonly handshakes: Rate;
  /** What devices without a wallet may cost, all of one address together. */
  readonly strangers: Rate;
  readonly device: Rate;
  /** Transactions handed on for one wallet. */
  readonly broadcasts: Rate;
  /** Test signatures of one wallet: a refresh needs one, and another where its answer was lost. */
  readonly tests: Rate;
  /**
   * Changes of the shares in the life of one wallet until which the device may begin another by itself. All of them travel
   * together to whoever takes its place, so the rest of `RECORDS_MAX` is for who comes with the words.
   */
  readonly refreshes: number;
  /** Decisions about signatures of one wallet, and those among them that were no signature. */
  readonly decisions: { readonly most: number; readonly inMs: number };
  readonly refusals: { readonly most: number; readonly inMs: number };
  /** Wallets a day that need no token, or null: each needs one. */
  readonly openEnrolments: number | null;
}

export const USUAL_LIMITS: Limits = {
  addressConnections: 256,
  addressOpens: { burst: 256, perMinute: 256 },
  handshakes: { burst: 16, perMinute: 6000 },
  strangers: { burst: 240, perMinute: 120 },
  device: { burst: 600, perMinute: 1200 },
  broadcasts: { burst: 30, perMinute: 6 },
  tests: { burst: 60, perMinute: 1 },
  refreshes: RECORDS_MAX - 100,
  decisions: { most: 240, inMs: 60_000 },
  refusals: { most: 100, inMs: 3_600_000 },
  openEnrolments: null,
};

/** Names whose buckets are kept apart; beyond it, new names share one bucket. */
const NAMES_MAX = 100_000;

/** One bucket a name. A bucket is forgotten only when it is full again, so that forgetting never frees anybody. */
export class Buckets {
  readonly #burst: number;
  /** Milliseconds in which one comes back. */
  readonly #everyMs: number;
  readonly #monotonic: () => number;
  readonly #namesMax: number;
  /** When each bucket will be full again. */
  readonly #fullAt = new Map<string, number>();

  constructor({ burst, perMinute }: Rate, monotonic: () => number, namesMax = NAMES_MAX) {
    this.#burst = burst;
    this.#everyMs = 60_000 / perMinute;
    this.#monotonic = monotonic;
    this.#namesMax = namesMax;
  }

  /** `RateLimited` with the time until `cost` is there; then nothing was taken. */
  take(name: string, cost = 1): void {
    const waitMs = this.wait(name, cost);
    if (waitMs > 0) throw new HoarfrostError('RateLimited', { retryAfterMs: waitMs });
  }

  /** Milliseconds until `cost` is there, or 0: then it was taken. What costs more than a burst waits for a full bucket. */
  wait(name: string, cost = 1): number {
    const now = this.#monotonic();
    const key = this.#keyOf(name, now);
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? 0) + Math.min(cost, this.#burst) * this.#everyMs;
    const waitMs = Math.ceil(fullAt - this.#burst * this.#everyMs - now);
    if (waitMs > 0) return waitMs;
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  get names(): number {
    return this.#fullAt.size;
  }

  #keyOf(name: string, now: number): string {
    if (this.#fullAt.has(name) || this.#fullAt.size < this.#namesMax) return name;
    for (const [old, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(old);
    return this.#fullAt.size < this.#namesMax ? name : '';
  }
}

/** Names that were met not long ago. */
export class Recently {
  readonly #forMs: number;
  readonly #monotonic: () => number;
  readonly #namesMax: number;
  /** When each was last met, the longest ago first. */
  readonly #metAt = new Map<string, number>();

  constructor(forMs: number, monotonic: () => number, namesMax = NAMES_MAX) {
    this.#forMs = forMs;
    this.#monotonic = monotonic;
    this.#namesMax = namesMax;
  }

  add(name: string): void {
    this.#metAt.delete(name);
    this.#metAt.set(name, this.#monotonic());
    if (this.#metAt.size > this.#namesMax) this.#metAt.delete(this.#metAt.keys().next().value!);
  }

  has(name: string): boolean {
    const at = this.#metAt.get(name);
    return at !== undefined && this.#monotonic() - at < this.#forMs;
  }
}

const KNOWN_MS = 86_400_000;

/** The limits and the buckets of this process. */
export class Limiter {
  readonly limits: Limits;
  readonly opens: Buckets;
  readonly handshakes: Buckets;
  /** Addresses where an enrolled device was. */
  readonly known: Recently;
  readonly strangers: Buckets;
  readonly devices: Buckets;
  readonly broadcasts: Buckets;
  readonly tests: Buckets;

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits;
    const buckets = (rate: Rate) => new Buckets(rate, clock.monotonic);
    this.opens = buckets(limits.addressOpens);
    this.handshakes = buckets(limits.handshakes);
    this.known = new Recently(KNOWN_MS, clock.monotonic);
    this.strangers = buckets(limits.strangers);
    this.devices = buckets(limits.device);
    this.broadcasts = buckets(limits.broadcasts);
    this.tests = buckets(limits.tests);
  }
}

/** Whom a limit counts as one: an IPv4 address, or the /64 that one customer gets. */
export function addressName(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Where many addresses are one customer's or one flooder's: the /48 of an IPv6 name of `addressName`, an IPv4 address itself. */
export function siteOf(address: string): string {
  const groups = address.split('::/64')[0]!.split(':');
  return groups.length === 4 ? `${groups.slice(0, 3).join(':')}::/48` : address;
}
