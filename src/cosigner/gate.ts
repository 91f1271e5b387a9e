/**
 * Who may begin a TLS handshake, and when. A handshake costs us some thousand times what it costs a flooder to ask for one, so
 * they begin one after the other at a steady rate that leaves most of the processor to those who are in, and at a lower one while
 * these need it. Who waits costs a socket that is not read. Sites take turns, and the addresses of each; those where an enrolled
 * device was seen lately go before all others.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type Buckets, type Recently, siteOf } from './limits.ts';

const WAIT_MAX_MS = 10_000;
/** Between two handshakes of a busy loop: twenty a second begin however busy it is. */
const BUSY_EVERY_MS = 50;
const BUSY_LOOK_MS = 10;
/** The part of the last `WINDOW_MS` in which the loop worked, or waited for its core, from which it is busy. */
const BUSY = 0.5;
const WINDOW_MS = 100;

interface Waiting {
  readonly socket: Socket;
  readonly begin: () => void;
  readonly until: number;
}

/** Those who wait, by site and address. */
class Line {
  readonly #sites = new Map<string, { size: number; readonly addresses: Map<string, Waiting[]> }>();
  readonly #most: number;
  #size = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * When there is room for no more, the site with the most gives up the last of its address with the most; of a newcomer's own site,
   * its own address must have fewer. Nobody comes in who would take as much as he pushes out.
   */
  add(address: string, waiting: Waiting): boolean {
    const name = siteOf(address);
    if (this.#size >= this.#most && !this.#makeRoom(name, address)) return false;
    const site = this.#sites.get(name) ?? { size: 0, addresses: new Map<string, Waiting[]>() };
    this.#sites.set(name, site);
    const own = site.addresses.get(address) ?? [];
    site.addresses.set(address, own);
    own.push(waiting);
    site.size++;
    this.#size++;
    return true;
  }

  #makeRoom(name: string, address: string): boolean {
    const own = this.#sites.get(name);
    const most = [...this.#sites.values()].reduce((a, b) => (b.size > a.size ? b : a));
    const full = own !== undefined && own.size + 1 >= most.size ? own : most;
    const [from, largest] = [...full.addresses].reduce((a, b) => (b[1].length > a[1].length ? b : a));
    const mine = own?.addresses.get(address)?.length ?? 0;
    if (full === own ? largest.length <= mine + 1 : full.size <= 1) return false;
    largest.pop()!.socket.destroy();
    if (largest.length === 0) full.addresses.delete(from);
    full.size--;
    this.#size--;
    return true;
  }

  /** The next site's next address's first; both go to the end of their lines. */
  take(): Waiting | undefined {
    const [first] = this.#sites;
    if (first === undefined) return undefined;
    const [name, site] = first;
    const [address, own] = site.addresses.entries().next().value!;
    const next = own.shift();
    site.size--;
    this.#size--;
    this.#sites.delete(name);
    site.addresses.delete(address);
    if (own.length > 0) site.addresses.set(address, own);
    if (site.size > 0) this.#sites.set(name, site);
    return next;
  }
}

export class Gate {
  readonly #handshakes: Buckets;
  readonly #known: Recently;
  readonly #monotonic: () => number;
  readonly #isBusy: () => boolean;
  /** When the last one began. */
  #begun = Number.NEGATIVE_INFINITY;
  readonly #lines: { readonly known: Line; readonly others: Line };
  /** The one whose turn it is next. */
  #held: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(
    { handshakes, known }: { handshakes: Buckets; known: Recently },
    monotonic: () => number,
    isBusy: () => boolean,
    waiting: number,
  ) {
    this.#lines = { known: new Line(waiting), others: new Line(waiting) };
    this.#handshakes = handshakes;
    this.#known = known;
    this.#monotonic = monotonic;
    this.#isBusy = isBusy;
  }

  /** Calls `begin` when the socket's turn has come, or destroys the socket. */
  enter(socket: Socket, address: string, begin: () => void): void {
    const line = this.#known.has(address) ? this.#lines.known : this.#lines.others;
    const waiting = { socket, begin, until: this.#monotonic() + WAIT_MAX_MS };
    if (!line.add(address, waiting)) socket.destroy();
    else if (this.#timer === undefined && this.#immediate === undefined) this.#serve();
  }

  /** Nobody who still waits gets in. */
  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    for (let next = this.#next(); next !== undefined; next = this.#next()) next.socket.destroy();
  }

  /** One in a turn of the loop: when it was held up, all that came due meanwhile would hold up those who are in once more. */
  #serve(): void {
    this.#timer = undefined;
    this.#immediate = undefined;
    const next = this.#next();
    if (next === undefined) return;
    const soon = this.#monotonic() - this.#begun < BUSY_EVERY_MS;
    const waitMs = soon && this.#isBusy() ? BUSY_LOOK_MS : this.#handshakes.wait('');
    if (waitMs > 0) {
      this.#held = next;
      this.#timer = setTimeout(() => this.#serve(), waitMs);
      return;
    }
    this.#begun = this.#monotonic();
    next.begin();
    this.#immediate = setImmediate(() => this.#serve());
  }

  /** Whose device has not given up: nobody reads from the socket, so nobody was told. */
  #next(): Waiting | undefined {
    for (;;) {
      const next = this.#held ?? this.#lines.known.take() ?? this.#lines.others.take();
      this.#held = undefined;
      if (next === undefined || (!next.socket.destroyed && next.until > this.#monotonic())) return next;
      next.socket.destroy();
    }
  }
}

/** Whether this thread's event loop had little time left, looked at again after each window. */
export function busyLoop(): () => boolean {
  let before = performance.eventLoopUtilization();
  let at = performance.now();
  let busy = false;
  return () => {
    const now = performance.now();
    if (now - at >= WINDOW_MS) {
      busy = performance.eventLoopUtilization(before).utilization > BUSY;
      before = performance.eventLoopUtilization();
      at = now;
    }
    return busy;
  };
}
