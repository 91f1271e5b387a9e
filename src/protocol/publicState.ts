/**
 * All that is public of a wallet, as its device knows it, in one file that outlives the browser (DESIGN section 6). It holds no
 * share and no key, sealed or not. A new device that takes a lost one's place brings it along: where the cosigner's copy of the
 * records leads nowhere, the lost device's copy in here does. It travels as an offline message; `offlineText` is its file.
 */
import {
  blob,
  bool,
  bytes,
  decode,
  encode,
  list,
  oneOf,
  option,
  struct,
  type TypeOf,
  text,
  time,
  u8,
  u16,
  u32,
} from './codec.ts';
import { ensure } from './errors.ts';
import { POLICY_VERSIONS_MAX, SIGNED_POLICY_MAX } from './limits.ts';
import { receipt, STATEMENT_MAX } from './messages.ts';
import { NETWORKS } from './networks.ts';
import { type OfflineOf, offlineBundle } from './offline.ts';

const VERSION = 1;
/** The last ones: as many as a device reads at all. */
export const RECEIPTS_MAX = 200;

export const publicState = struct({
  version: u8,
  at: time,
  network: oneOf(...NETWORKS),
  bundle: offlineBundle,
  descriptor: text(600),
  policies: list(blob(SIGNED_POLICY_MAX), POLICY_VERSIONS_MAX),
  receiptCount: u32,
  receiptHead: bytes(32),
  receiptsBroken: bool,
  receipts: option(list(receipt, RECEIPTS_MAX)),
  cosignerHost: text(300),
  cosignerPort: u16,
  cosignerHostKey: bytes(32),
  cosignerNoiseKey: bytes(32),
  cosignerStatement: option(blob(STATEMENT_MAX)),
  autoLock: option(u16),
  route: option(text(300)),
  drill: option(time),
});
export type PublicState = TypeOf<typeof publicState>;

export function exportedState(state: Omit<PublicState, 'version'>): OfflineOf<'exported'> {
  return { kind: 'exported', state: encode(publicState, { version: VERSION, ...state }) };
}

/** Read, not yet believed. Throws `WrongVersion`, `BadEncoding`, `TooLarge`. */
export function readExported({ state }: OfflineOf<'exported'>): PublicState {
  ensure(state[0] === VERSION, 'WrongVersion', { detail: 'public state' });
  return decode(publicState, state);
}
