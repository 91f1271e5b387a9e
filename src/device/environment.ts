/** What the device takes from its host, handed in so that Node runs the same code. */
import type { Random } from '../crypto/random.ts';

/** The part of a browser's WebSocket that the channel uses; binary frames are `ArrayBuffer`s. */
export interface Socket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
  send(frame: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** `storage.session`: in memory of the browser, gone when it ends. Values are strings. */
export interface SessionStore {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface Environment {
  /** Wall clock, milliseconds since 1970: for what outlives the worker. */
  now(): number;
  /** Milliseconds that never go back: for durations. */
  monotonic(): number;
  random: Random;
  openSocket(url: string, subprotocol: string): Socket;
  session: SessionStore;
}
