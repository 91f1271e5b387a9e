/**
 * JSON lines by an allow-list of fields (DESIGN section 9, rule 7): what is not listed here cannot be logged. No user data:
 * no id of a wallet, session or device, no key, address, amount, txid or peer address. `event` is one of the program's own words.
 */
import type { Clock } from './clock.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogFields {
  /** Error code, or a WebSocket close code. */
  code?: string | number;
  /** Request kind. */
  request?: string;
  /** The program's own words about an error: `HoarfrostError.detail`, or the name of an unexpected error. */
  detail?: string;
  /** Counts connections since start. */
  connection?: number;
  count?: number;
  height?: number;
  ms?: number;
  port?: number;
  signal?: string;
  level?: LogLevel;
}

/** Each field with the check its value must pass at run time: types do not hold what comes through `unknown`. */
/** Short, plain, and without anything as long as a hash: a node's words about a transaction name it. */
const word = (v: unknown) =>
  typeof v === 'string' && /^[\w .,:'()/+-]{1,120}$/.test(v) && !/[\w]{32}/.test(v);
const number = (v: unknown) => typeof v === 'number';
const FIELDS: Record<keyof LogFields, (value: unknown) => boolean> = {
  code: (v) => word(v) || number(v),
  request: word,
  detail: word,
  connection: number,
  count: number,
  height: number,
  ms: number,
  port: number,
  signal: word,
  level: word,
};

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  level: LogLevel;
}

export function createLog(level: LogLevel, clock: Clock, write: (line: string) => void): Log {
  const at =
    (own: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (LOG_LEVELS.indexOf(own) < LOG_LEVELS.indexOf(log.level)) return;
      const line: Record<string, unknown> = { time: new Date(clock.now()).toISOString(), level: own, event };
      for (const [name, allowed] of Object.entries(FIELDS)) {
        const value = fields[name as keyof LogFields];
        if (value !== undefined && allowed(value)) line[name === 'level' ? 'to' : name] = value;
      }
      write(`${JSON.stringify(line)}\n`);
    };
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), level };
  return log;
}
