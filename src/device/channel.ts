/** The way to the cosigner as the wallet sees it: a live connection when asked, a new one when the old is gone or aged. */
import type { Random } from '../crypto/random.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { REHANDSHAKE_MS } from '../protocol/limits.ts';
import type { AnswerOf, Notice } from '../protocol/messages.ts';
import type { Network } from '../protocol/networks.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';
import { Connection } from './connection.ts';
import { sleep } from './deadline.ts';
import type { Environment } from './environment.ts';
import type { Cosigner } from './pairing.ts';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;

export interface ChannelArguments {
  readonly cosigner: Cosigner;
  readonly network: Network;
  readonly local: NoiseKeyPair;
  readonly env: Environment;
  onNotice(notice: Notice): void;
  /** After every handshake, before anything is asked: what it throws ends the connection. */
  greet(hello: AnswerOf<'hello'>): Promise<void>;
  /** After every handshake: what was missed meanwhile must be looked up again. */
  onConnected(hello: AnswerOf<'hello'>): void;
  /** A try that nobody waits for, to keep a connection, came to nothing. */
  onAway(e: unknown): void;
}

export class Channel {
  readonly #args: ChannelArguments;
  #current: Connection | undefined;
  /** The current one, and retired ones that are still owed an answer. */
  readonly #live = new Set<Connection>();
  #opening: Promise<Connection> | undefined;
  #staying = false;
  readonly #closed = Promise.withResolvers<void>();
  #open = true;

  constructor(args: ChannelArguments) {
    this.#args = args;
  }

  /** Throws as `Connection.open`; `Locked` after `close`. */
  async connection(): Promise<Connection> {
    this.#ensureOpen();
    const current = this.#current;
    if (current?.usable) {
      if (this.#args.env.monotonic() - current.openedAt < REHANDSHAKE_MS) return current;
      current.retire();
    }
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Whether to keep a connection without being asked, so that the cosigner's notices arrive. */
  stay(on: boolean): void {
    if (this.#staying === on) return;
    this.#staying = on;
    if (on) void this.#keep();
  }

  /** Waits before another try after `e`, the `failures`th in a row; not beyond `close`. */
  async pause(e: unknown, failures: number): Promise<void> {
    await Promise.race([sleep(pauseAfter(e, failures, this.#args.env.random)), this.#closed.promise]);
  }

  /** For good: what waits fails at once, and there is no other connection. */
  close(): void {
    this.#open = false;
    this.#staying = false;
    this.#closed.resolve();
    for (const connection of this.#live) connection.close();
  }

  async #connect(): Promise<Connection> {
    const { connection, hello } = await Connection.open(this.#args);
    try {
      this.#ensureOpen();
      await this.#args.greet(hello);
      this.#ensureOpen();
    } catch (e) {
      connection.close();
      throw e;
    }
    this.#live.add(connection);
    void connection.closed.then(() => this.#live.delete(connection));
    this.#current = connection;
    this.#args.onConnected(hello);
    return connection;
  }

  #ensureOpen(): void {
    ensure(this.#open, 'Locked');
  }

  async #keep(): Promise<void> {
    for (let failures = 0; this.#staying; ) {
      try {
        const connection = await this.connection();
        failures = 0;
        await Promise.race([connection.closed, sleep(REHANDSHAKE_MS)]);
      } catch (e) {
        failures++;
        if (this.#staying) this.#args.onAway(e);
      }
      if (this.#staying) await sleep(backoff(failures, this.#args.env.random));
    }
  }
}

/** Milliseconds before try number `failures` + 1: doubling, capped, and half of it at random, so that devices do not return in step. */
export function backoff(failures: number, random: Random): number {
  const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 16));
  const [a, b] = random(2) as unknown as [number, number];
  return Math.round(whole / 2 + (whole / 2) * ((a * 256 + b) / 65_535));
}

/** The back-off, or longer if the other end asks for it, within the same bound: nobody else decides how long we wait. */
export function pauseAfter(e: unknown, failures: number, random: Random): number {
  const asked = isHoarfrostError(e) ? (e.retryAfterMs ?? 0) : 0;
  return Math.max(backoff(failures, random), Math.min(asked, BACKOFF_MAX_MS));
}
