import { hex } from '@scure/base';
import { describe, expect, test, vi } from 'vitest';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { decode } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { receiptBody, signBody } from '../../src/protocol/messages.ts';
import { type Death, databaseOf, Killed, Worker } from '../support/deviceHost.ts';
import { PASSWORD } from '../support/onboard.ts';

import {
  draft,
  keys,
  onWire,
  profile,
  receiptCount,
  running,
  settled,
  useThreeCoins,
  verifyPaid,
} from '../support/payingDevice.ts';

const code = (name: string) => expect.objectContaining({ code: name });

useThreeCoins();

describe('attempts', () => {
  test('AttemptBurned: the device commits afresh, and the spend is charged once', async () => {
    const worker = await Worker.start(profile);
    let burned = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || burned) return answer;
      burned = true;
      throw new HoarfrostError('AttemptBurned');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    const [first, second] = bodies.map((body) => decode(signBody, body as never));
    expect(bodies).toHaveLength(2);
    expect(second!.attempt).not.toEqual(first!.attempt);
    expect(second!.commitments).not.toEqual(first!.commitments);
    expect(second!.psbt).toEqual(first!.psbt);
    const [a, b] = await running.cosigner.store.viewWallet(keys.wallet, (view) => view.receipts(0, 9));
    const charge = ({ body }: { body: Uint8Array }) => {
      const r = decode(receiptBody, body);
      return r.after - r.before;
    };
    expect(charge(a!)).toBeGreaterThan(100_000n);
    expect(charge(b!)).toBe(0n);
    worker.kill();
  });

  test('a cosigner that was restored behind a live connection is greeted anew, and the payment goes on', async () => {
    const worker = await Worker.start(profile);
    const bodies = onWire();
    const { request } = await draft(worker);
    await worker.call('evaluate', { request });
    const { store } = running.cosigner;
    const ledger = new Uint8Array(16).fill(7);
    await store.declareLoss(ledger, 0);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    expect(bodies).toHaveLength(2);
    expect(decode(signBody, bodies[1] as never).ledger).toEqual(ledger);
    worker.kill();
  });

  test('a lost answer is asked for again, with the same nonces, and is the stored one', async () => {
    const worker = await Worker.start(profile);
    let lost = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || lost) return answer;
      lost = true;
      throw new HoarfrostError('ChannelClosed');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toEqual(bodies[0]);
    expect(await receiptCount()).toBe(1);
    worker.kill();
  });

  test.each([
    ['30 s', () => profile.clock.pass(30_000)],
    ['a clock set on', () => (profile.clock.skew = 60_000)],
    ['a clock set back', () => (profile.clock.skew = -60_000)],
  ])('attack-14: nonces do not survive %s', async (_name, happen) => {
    const worker = await Worker.start(profile);
    let lost = false;
    const bodies = onWire((answer) => {
      if (answer.kind !== 'signed' || lost) return answer;
      lost = true;
      happen();
      throw new HoarfrostError('ChannelClosed');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await vi.waitFor(() => expect(lost).toBe(true), 60_000);
    await vi.waitFor(async () => {
      const [row] = await (await databaseOf(profile)).all('requests');
      expect(['broadcast', 'requested']).toContain(row?.state);
    }, 60_000);
    for (const body of bodies.slice(1)) {
      expect(decode(signBody, body as never).commitments).not.toEqual(
        decode(signBody, bodies[0] as never).commitments,
      );
    }
    worker.kill();
  });
});

test.each([
  ['refused', 1_200_000n],
  ['not answered', 100_000n],
] as const)('a payment that is %s leaves no nonce in the signer', async (what, amount) => {
  const signer = await load();
  const open = new Set<object>();
  let made = 0;
  const watched: SignerModule = {
    ...signer,
    commit(args) {
      const committed = signer.commit(args);
      open.add(committed.nonces);
      made++;
      return committed;
    },
    dropNonces(nonces) {
      open.delete(nonces);
      signer.dropNonces(nonces);
    },
  };
  const worker = await Worker.start(profile, { signer: watched });
  onWire((answer, asked) => {
    if (what === 'not answered' && asked.kind === 'sign') throw new HoarfrostError('Internal');
    return answer;
  });
  const { request } = await draft(worker, amount);
  await worker.call('press', { request });
  expect(await settled(worker, request)).toMatchObject({ state: 'failed' });
  expect(made).toBeGreaterThan(0);
  expect(open.size).toBe(0);
  worker.kill();
});

describe('attack-14, audit-22: a worker killed at any boundary', () => {
  const deaths: Death[] = [];
  // Drafted, pressed, attempted, receipt followed, signed, broadcast.
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; at <= 6; at++) deaths.push({ by: 'write', at, when });
    for (let at = 1; at <= 8; at++) deaths.push({ by: 'frame', at, when });
  }

  test.each(deaths)('$when $by $at: paid once, or plainly not sent', async (death) => {
    const bodies = onWire();
    const worker = await Worker.start(profile, { death });
    let request: string | undefined;
    let pressed = false;
    try {
      ({ request } = await draft(worker));
      await worker.call('press', { request });
      pressed = true;
      await settled(worker, request);
    } catch (e) {
      expect(e).toBeInstanceOf(Killed);
    }
    worker.kill();
    const rows = await (await databaseOf(profile)).all('requests');

    const next = await Worker.start(profile);
    if (rows.length === 0 || rows[0]!.state === 'requested') {
      // Never pressed, as far as anything durable knows: rejected, and nothing was asked of anybody.
      expect(pressed).toBe(false);
      expect(await (await databaseOf(profile)).all('requests')).toEqual([]);
      if (request !== undefined) {
        await expect(next.call('payment', { request })).rejects.toEqual(code('SessionUnknown'));
      }
      expect(bodies).toEqual([]);
      expect(running.chain.sent).toEqual([]);
    } else {
      const progress = await settled(next, rows[0]!.id);
      expect(progress).toMatchObject({ state: 'broadcast', error: null });
      expect(new Set(running.chain.sent.map((tx) => hex.encode(txidOf(parseTransaction(tx)))))).toEqual(
        new Set([progress.txid]),
      );
      for (const transaction of running.chain.sent) expect(verifyPaid(transaction)).toBe(100_000n);
    }
    // No pair of commitments is ever sent for two different requests.
    const seen = new Map<string, string>();
    for (const body of bodies) {
      for (const pair of decode(signBody, body as never).commitments) {
        const name = hex.encode(pair);
        expect(seen.get(name) ?? hex.encode(body)).toBe(hex.encode(body));
        seen.set(name, hex.encode(body));
      }
    }
    next.kill();
  });

  test('the deaths above cover a whole payment', async () => {
    const worker = await Worker.start(profile);
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await settled(worker, request);
    expect(worker.life.db.writes).toBeGreaterThanOrEqual(6);
    expect(worker.life.frames).toBeGreaterThanOrEqual(8);
    worker.kill();
  });

  async function pressedAndKilled(): Promise<string> {
    const worker = await Worker.start(profile, { death: { by: 'write', at: 2, when: 'after' } });
    const { request } = await draft(worker);
    await expect(worker.call('press', { request })).rejects.toBeInstanceOf(Killed);
    return request;
  }

  test('after ten minutes a pressed payment asks again instead of going on', async () => {
    const request = await pressedAndKilled();
    profile.clock.pass(10 * 60_000);
    const worker = await Worker.start(profile);
    expect(await settled(worker, request)).toMatchObject({ state: 'requested' });
    expect(running.chain.sent).toEqual([]);
    worker.kill();
    const later = await Worker.start(profile);
    await later.call('press', { request });
    expect(await settled(later, request)).toMatchObject({ state: 'broadcast' });
    later.kill();
  });

  test('pressed later than it is now, by a clock that was set back: a payment asks again instead of going on', async () => {
    const request = await pressedAndKilled();
    // Less than would lock the wallet.
    profile.clock.skew = -3_000;
    const worker = await Worker.start(profile);
    expect(await settled(worker, request)).toMatchObject({ state: 'requested' });
    expect(running.chain.sent).toEqual([]);
    worker.kill();
  });

  test('a locked wallet goes on with what was pressed once it is unlocked', async () => {
    const request = await pressedAndKilled();
    profile.session.clear();
    const worker = await Worker.start(profile);
    await expect(worker.call('payment', { request })).rejects.toEqual(code('Locked'));
    expect(running.chain.sent).toEqual([]);
    await worker.call('unlock', { password: PASSWORD });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    worker.kill();
  });

  test('auto-lock: fifteen minutes without the user, and the next wake is locked', async () => {
    profile.clock.pass(15 * 60_000);
    const worker = await Worker.start(profile);
    expect(await worker.call('state', null)).toMatchObject({ phase: 'locked' });
    expect(profile.session.size).toBe(0);
    worker.kill();
  });
});
