/** A connection that carries lines of text: what `chain/transport` opens, and what the Electrum protocol is spoken over. */

export interface LineHandlers {
  /** A whole line, without its end. */
  onLine(line: string): void;
  /** Once, whoever ended it: nothing comes after. */
  onEnd(): void;
}

export interface Lines {
  /** Resolves when the socket takes more (back-pressure); a lost connection is told by `onEnd` alone. */
  write(line: string): Promise<void>;
  /** At once, whatever is still on its way. */
  close(): void;
}

/** Opens one connection. `ChainUnavailable` when nobody is there, not in time, or not who is expected. */
export type Dial = (handlers: LineHandlers, signal: AbortSignal) => Promise<Lines>;
