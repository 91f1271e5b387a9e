/**
 * Payments that wait by the policy's `hold`: one record a payment, by its spend id. While it waits nothing is charged and nobody
 * keeps a nonce; the device asks again when the delay is over, and cancels what it did not want.
 */
import { HELD_FOR_MS } from '../policy/evaluate.ts';
import { equalVar } from '../protocol/bytes.ts';
import { bytes, decode, encode, struct, type TypeOf, time, u64 } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { HOLDS_MAX } from '../protocol/limits.ts';
import { type Answer, type AnswerOf, receipt } from '../protocol/messages.ts';
import type { Cosigner } from './cosigner.ts';
import { appendReceipt, decisionTime } from './receipts.ts';
import type { Bytes, WalletTx, WalletView } from './store.ts';

const holdRecord = struct({
  ticket: bytes(16),
  since: time,
  until: time,
  /** Sats. */
  loss: u64,
  receipt,
});
type Hold = TypeOf<typeof holdRecord>;

export async function holdOf(view: WalletView, spend: Bytes): Promise<Hold | null> {
  const body = await view.record('hold', spend);
  return body === null ? null : decode(holdRecord, body);
}

/** The answer to one that waits: as it was given before, unless the time has changed. */
export async function defer(
  cosigner: Cosigner,
  tx: WalletTx,
  { spend, loss, policyVersion, until, at }: DeferredSpend,
): Promise<AnswerOf<'deferred'>> {
  const before = await holdOf(tx, spend);
  if (before?.until === until) {
    return { kind: 'deferred', ticket: before.ticket, until, receipt: before.receipt };
  }
  await dropExpired(tx, at);
  const held = (await tx.records('hold')).length;
  ensure(before !== null || held < HOLDS_MAX, 'RateLimited', {
    detail: 'payments wait',
    retryAfterMs: 60_000,
  });
  const verdict = { kind: 'waits', until, rule: 'hold' } as const;
  const given = await appendReceipt(cosigner, tx, { spend, policyVersion, charge: 0n, verdict, at });
  const live = before !== null && at < before.until + HELD_FOR_MS;
  const hold: Hold = {
    ticket: live ? before.ticket : cosigner.random(16),
    since: live ? before.since : at,
    until,
    loss,
    receipt: given,
  };
  await tx.putRecord('hold', spend, encode(holdRecord, hold));
  return { kind: 'deferred', ticket: hold.ticket, until, receipt: given };
}

export interface DeferredSpend {
  /** Unsigned txid. */
  readonly spend: Bytes;
  readonly loss: bigint;
  readonly policyVersion: number;
  readonly until: number;
  readonly at: number;
}

export async function holdsOf({ store }: Cosigner, id: Bytes): Promise<Answer> {
  const records = await store.viewWallet(id, (view) => view.records('hold'));
  const holds = records.map(({ key, body }) => {
    const { ticket, loss, until } = decode(holdRecord, body);
    return { ticket, spend: key, loss, until };
  });
  return { kind: 'holds', holds };
}

/** Asked for again, the payment waits from the beginning. `SessionUnknown` for a ticket that is not this wallet's. */
export async function cancelHold(cosigner: Cosigner, id: Bytes, ticket: Bytes): Promise<Answer> {
  const { store, wallets, policies } = cosigner;
  return store.withWallet(id, async (tx) => {
    const held = (await tx.records('hold')).find(({ body }) =>
      equalVar(decode(holdRecord, body).ticket, ticket),
    );
    if (held === undefined) throw new HoarfrostError('SessionUnknown');
    const { version } = await policies.inForce(cosigner, tx, await wallets.read(cosigner, tx));
    await tx.deleteRecord('hold', held.key);
    const given = await appendReceipt(cosigner, tx, {
      spend: held.key,
      policyVersion: version,
      charge: 0n,
      verdict: { kind: 'cancelled' },
      at: await decisionTime(cosigner, tx),
    });
    return { kind: 'done', receipt: given };
  });
}

async function dropExpired(tx: WalletTx, now: number): Promise<void> {
  for (const { key, body } of await tx.records('hold')) {
    if (decode(holdRecord, body).until + HELD_FOR_MS <= now) await tx.deleteRecord('hold', key);
  }
}
