/**
 * The policy: a canonical document with a rising version (DESIGN section 4). Amounts in sats, times in milliseconds.
 */
import { hex } from '@scure/base';
import {
  blob,
  bool,
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
  u32,
  u64,
} from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { PAYEES_MAX, POLICY_MAX, WINDOWS_MAX } from '../protocol/limits.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { CONTACT_MAX, DELAY_MS, type KeygenTerms, readContact } from '../protocol/terms.ts';

/** The longest output script that has an address: a witness program of 40 bytes. */
const SCRIPT_MAX = 42;

/** At most `limit` sats of loss in any `interval`, of which nothing before `start` counts. */
const spendingWindow = struct({ limit: u64, start: time, interval: u64 });

export const policyDocument = struct({
  format: u8,
  network: oneOf(...NETWORKS),
  version: u32,
  perTransaction: option(u64),
  windows: list(spendingWindow, WINDOWS_MAX),
  /** Most that one transaction may pay to miners: sats, and thousandths of a sat per vbyte. */
  feeAbsolute: u64,
  feeRate: u64,
  /** The scripts that may be paid, in byte order, or null: any. Own ones always may. */
  payees: option(list(blob(SCRIPT_MAX), PAYEES_MAX)),
  /** A payment that loses more than `above` waits for `delay`. */
  hold: option(struct({ above: u64, delay: u64 })),
  /** Most that may be signed away and not yet seen on the chain. */
  unseen: option(u64),
  /** Whether inputs may be signed for a transaction that others complete (ANYONECANPAY). */
  anyoneCanPay: bool,
  /** Nothing is signed. */
  frozen: bool,
  /** How long one of the three alone waits before a ceremony goes its way, and who else hears of it and may contest. */
  delay: time,
  contact: option(text(CONTACT_MAX)),
});
export type Policy = TypeOf<typeof policyDocument>;

const FORMAT = 3;
const DAY_MS = 86_400_000n;
const HOLD_MAX_MS = 366n * DAY_MS;

/** What a wallet is born with. */
export function firstPolicy(
  network: Network,
  { dailyLimit, delay, contact }: KeygenTerms,
  now: number,
): Policy {
  return {
    format: FORMAT,
    network,
    version: 1,
    perTransaction: null,
    windows: [{ limit: dailyLimit, start: now, interval: DAY_MS }],
    feeAbsolute: 200_000n,
    feeRate: 500_000n,
    payees: null,
    hold: null,
    unseen: null,
    anyoneCanPay: false,
    frozen: false,
    delay,
    contact,
  };
}

export function encodePolicy(policy: Policy): Uint8Array<ArrayBuffer> {
  return encode(policyDocument, policy);
}

/** `TooLarge`, `BadEncoding`; `WrongVersion` for another format. */
export function decodePolicy(bytes: Uint8Array): Policy {
  ensure(bytes.length <= POLICY_MAX, 'TooLarge', { detail: 'policy' });
  ensure(bytes[0] === FORMAT, 'WrongVersion', { detail: 'policy' });
  const policy = decode(policyDocument, bytes);
  ensure(policy.version >= 1, 'BadEncoding', { detail: 'policy version' });
  ensure(
    policy.windows.every(({ interval }) => interval > 0n),
    'BadEncoding',
    { detail: 'policy window' },
  );
  const { hold, delay, contact } = policy;
  ensure(hold === null || (hold.delay > 0n && hold.delay <= HOLD_MAX_MS), 'BadEncoding', {
    detail: 'policy hold',
  });
  ensure(delay >= DELAY_MS.least && delay <= DELAY_MS.most, 'BadEncoding', { detail: 'policy delay' });
  ensure(contact === null || readContact(contact) === contact, 'BadEncoding', { detail: 'policy contact' });
  const payees = (policy.payees ?? []).map((script) => hex.encode(script));
  ensure(
    payees.every((script, i) => i === 0 || payees[i - 1]! < script),
    'BadEncoding',
    { detail: 'policy payees' },
  );
  return policy;
}

/** What the parties sign: 32 bytes over the canonical encoding. */
export function policyHash(policy: Policy): Uint8Array<ArrayBuffer> {
  return taggedHash('hoarfrost/policy', encodePolicy(policy));
}
