/** What each method of the port takes, checked before anything runs: `BadEncoding` for everything else. */
import { ensure } from '../protocol/errors.ts';
import { OFFLINE_MAX, PAYEES_MAX } from '../protocol/limits.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import type { PortMethod, PortMethods, Rules } from './port.ts';

type Check<T> = (value: unknown) => value is T;

const TEXT_MAX = 4096;
const BYTES_MAX = 64 << 10;

const text: Check<string> = (v): v is string => typeof v === 'string' && v.length <= TEXT_MAX;
const textOrNull: Check<string | null> = (v): v is string | null => v === null || text(v);
const integer: Check<number> = (v): v is number => Number.isSafeInteger(v);
const sats: Check<bigint> = (v): v is bigint => typeof v === 'bigint';
const bytes: Check<Uint8Array> = (v): v is Uint8Array => v instanceof Uint8Array && v.length <= BYTES_MAX;
const file: Check<Uint8Array> = (v): v is Uint8Array => v instanceof Uint8Array && v.length <= OFFLINE_MAX;
const network: Check<Network> = (v): v is Network => (NETWORKS as readonly unknown[]).includes(v);
const amount: Check<bigint | 'all'> = (v): v is bigint | 'all' => v === 'all' || sats(v);
const nothing: Check<null> = (v): v is null => v === null;

function fields<T extends object>(checks: { [K in keyof T]: Check<T[K]> }): Check<T> {
  const names = Object.keys(checks) as (keyof T & string)[];
  return (v): v is T =>
    typeof v === 'object' &&
    v !== null &&
    Object.keys(v).length === names.length &&
    names.every((name) => Object.hasOwn(v, name) && checks[name]((v as T)[name]));
}

function orNull<T>(check: Check<T>): Check<T | null> {
  return (v): v is T | null => v === null || check(v);
}

const flag: Check<boolean> = (v): v is boolean => typeof v === 'boolean';
const choice: Check<'approve' | 'contest'> = (v): v is 'approve' | 'contest' =>
  v === 'approve' || v === 'contest';
const order: Check<'approve' | 'contest' | 'freeze'> = (v): v is 'approve' | 'contest' | 'freeze' =>
  v === 'freeze' || choice(v);
const satsOrNull: Check<bigint | null> = (v): v is bigint | null => v === null || sats(v);
const holdFields = fields({ above: sats, delayMs: integer });
const hold: Check<Rules['hold']> = (v): v is Rules['hold'] => v === null || holdFields(v);
const payees: Check<string[] | null> = (v): v is string[] | null =>
  v === null || (Array.isArray(v) && v.length <= PAYEES_MAX && v.every(text));

const request = fields({ request: text });
const recovery = fields({ recovery: bytes });

const ARGUMENTS: { [M in PortMethod]: Check<PortMethods[M][0]> } = {
  state: nothing,
  readPairing: fields({ uri: text }),
  tryPairing: fields({ uri: text, network }),
  keygenStart: fields({
    uri: text,
    network,
    password: text,
    terms: fields({ dailyLimit: sats, delay: integer, contact: textOrNull }),
    recoveryHello: bytes,
  }),
  keygenRound1: recovery,
  keygenRound2: recovery,
  keygenCertify: recovery,
  keygenResume: nothing,
  keygenStop: nothing,
  unlock: fields({ password: text }),
  unlockWithSecurityKey: fields({ password: text, factor: bytes }),
  changePassword: fields({ password: text, factor: orNull(bytes), next: text }),
  setSecurityKey: fields({
    password: text,
    factor: orNull(bytes),
    securityKey: orNull(fields({ credential: bytes, salt: bytes, factor: bytes })),
  }),
  lock: nothing,
  receiveAddress: nothing,
  refresh: nothing,
  fees: nothing,
  draft: fields({ address: text, amount, feeRate: integer }),
  evaluate: request,
  press: request,
  payment: request,
  discard: request,
  descriptor: nothing,
  refreshShares: nothing,
  setAutoLock: fields({ minutes: integer }),
  receipts: nothing,
  exportState: nothing,
  activityDetail: fields({ id: text }),
  offlineRequest: request,
  offlineFinish: fields({ request: text, message: bytes }),
  sendThrough: fields({ request: text, url: textOrNull }),
  setRoute: fields({ url: textOrNull }),
  testRoute: fields({ url: text }),
  drillRequest: nothing,
  drillFinish: fields({ message: bytes }),
  returnBegin: fields({ uri: text, network, password: text }),
  returning: nothing,
  returnQuestion: nothing,
  returnLook: nothing,
  returnFreeze: nothing,
  returnStart: fields({ password: text, saved: orNull(file) }),
  returnAnswer: fields({ message: bytes }),
  returnStop: nothing,
  ceremonies: nothing,
  sayCeremony: fields({ id: text, says: choice }),
  askWords: fields({ id: text, says: order }),
  bringWords: fields({ message: bytes }),
  rules: nothing,
  setRules: fields({
    dailyLimit: satsOrNull,
    perTransaction: satsOrNull,
    hold,
    payees,
    frozen: flag,
    delayMs: integer,
    contact: textOrNull,
  }),
  holds: nothing,
  cancelHold: fields({ ticket: text }),
  carryOut: fields({ id: text }),
  kit: nothing,
  kitWords: nothing,
  kitAsk: fields({ message: bytes }),
  kitStart: nothing,
  kitAnswer: fields({ message: bytes }),
  kitStop: nothing,
  moving: nothing,
  moveStart: fields({ uri: text }),
  moveAnswer: fields({ message: bytes }),
  moveResume: nothing,
  sweep: nothing,
  sweepAdopt: nothing,
  sweepDraft: fields({ feeRate: integer }),
  sweepFinish: nothing,
};

/** `UnknownMessage` for a method that is none. */
export function checkCall(method: string, argument: unknown): PortMethod {
  ensure(Object.hasOwn(ARGUMENTS, method), 'UnknownMessage', { detail: 'method' });
  const known = method as PortMethod;
  ensure(ARGUMENTS[known](argument), 'BadEncoding', { detail: `argument of ${known}` });
  return known;
}
