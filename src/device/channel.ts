/** The way to the cosigner as the wallet sees it: a live connection when asked, a new one when the old is gone or aged. */
import type { Random } from '../crypto/random.ts';
import { HoarfrostError } from '../protocol/errors.ts';
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
  /** After every handshake: what was missed meanwhile must be looked up again. */
  onConnected(hello: AnswerOf<'hello'>): void;
}

export class Channel {
  readonly #args: ChannelArguments;
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #staying = false;
  #closed = false;

  constructor(args: ChannelArguments) {
    this.#args = args;
  }

  /** Throws as `Connection.open`; `ChannelClosed` after `close`. */
  async connection(): Promise<Connection> {
    if (this.#closed) throw new HoarfrostError('ChannelClosed', { detail: 'locked' });
    const current = this.#current;
    if (current?.usable) {
      if (this.#args.env.monotonic() - current.openedAt < REHANDSHAKE_MS) return current;
      current.retire();
    }
    this.#opening ??= this.#open().finally(() => {
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

  close(): void {
    this.#closed = true;
    this.#staying = false;
    this.#current?.close();
  }

  async #open(): Promise<Connection> {
    const { connection, hello } = await Connection.open(this.#args);
    if (this.#closed) {
      connection.close();
      throw new HoarfrostError('ChannelClosed', { detail: 'locked' });
    }
    this.#current = connection;
    this.#args.onConnected(hello);
    return connection;
  }

  async #keep(): Promise<void> {
    for (let failures = 0; this.#staying; ) {
      try {
        const connection = await this.connection();
        failures = 0;
        await Promise.race([connection.closed, sleep(REHANDSHAKE_MS)]);
      } catch {
        failures++;
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
