/** The device under a lock at the wrong moment, a cosigner that stalls or forgets, and a profile that was tampered with. */
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import { Connection } from '../../src/device/connection.ts';
import type { PaymentProgress } from '../../src/device/port.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import type { Answer, Request } from '../../src/protocol/messages.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';

const payee = addressOf(PAYEE, 'regtest')!;

let folder: string;
let running: Running;
let profile: Profile;

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running));
  const coins = Array.from({ length: 30 }, (_, index) => ({
    outpoint: { txid: (index + 1).toString(16).padStart(64, '0'), vout: 0 },
    value: 20_000n,
    branch: 0 as const,
    index,
    height: 10,
    coinbase: false,
  }));
  running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 30 };
  running.chain.broadcast = async (transaction) => {
    running.chain.sent.push(transaction);
    return hex.encode(txidOf(parseTransaction(transaction)));
  };
  await worker.call('refresh', null);
  worker.kill();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await running.stop();
  removeFolder(folder);
});

const draft = (worker: Worker, amount = 10_000n) =>
  worker.call('draft', { address: payee, amount, feeRate: 2000 });

async function settled(worker: Worker, request: string): Promise<PaymentProgress> {
  return vi.waitFor(async () => {
    const progress = await worker.call('payment', { request });
    expect(['broadcast', 'failed', 'requested']).toContain(progress.state);
    return progress;
  }, 15_000);
}

/** What the cosigner is asked, and what comes of it instead. */
function onWire(change: (asked: Request, really: () => Promise<Answer>) => Promise<Answer>) {
  const original = Connection.prototype.request;
  vi.spyOn(Connection.prototype, 'request').mockImplementation(function (
    this: Connection,
    asked: Request,
    ...kinds
  ) {
    return change(asked, () => original.call(this, asked, ...kinds) as Promise<Answer>) as never;
  });
}

/** A signer that tells what lives in it and what it was asked. */
async function watchedSigner() {
  const real = await load();
  const live = new Set<unknown>();
  const calls: string[] = [];
  const signer: Signer = {
    ...real,
    commit(args) {
      const made = real.commit(args);
      live.add(made.nonces);
      return made;
    },
    dropNonces(nonces) {
      live.delete(nonces);
      real.dropNonces(nonces);
    },
    keygenCommit(args) {
      const made = real.keygenCommit(args);
      live.add(made.polynomial);
      return made;
    },
    dropPolynomial(polynomial) {
      live.delete(polynomial);
      real.dropPolynomial(polynomial);
    },
    schnorrSign(secret, message, aux) {
      calls.push('schnorrSign');
      return real.schnorrSign(secret, message, aux);
    },
    finish(args) {
      calls.push('finish');
      return real.finish(args);
    },
  };
  return { signer, live, calls };
}

describe('attack-22: locking while a payment runs', () => {
  test('nonces do not outlive the lock', async () => {
    const { signer, live } = await watchedSigner();
    const worker = await Worker.start(profile, { signer });
    let asked = 0;
    onWire(async ({ kind }, really) => {
      if (kind !== 'sign') return really();
      asked++;
      throw new HoarfrostError('ChannelClosed');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await vi.waitFor(() => expect(asked).toBeGreaterThan(0));
    expect(live.size).toBe(1);
    await worker.call('lock', null);
    await vi.waitFor(() => expect(live.size).toBe(0), 200);
    worker.kill();
  });

  test('an answer that comes after the lock opens no share, and the payment goes on after the unlock', async () => {
    const { signer, live, calls } = await watchedSigner();
    const worker = await Worker.start(profile, { signer });
    let locked = false;
    onWire(async ({ kind }, really) => {
      const answer = await really();
      if (kind === 'sign' && !locked) {
        await worker.call('lock', null);
        locked = true;
        calls.length = 0;
      }
      return answer;
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    await vi.waitFor(() => expect(locked).toBe(true));
    await vi.waitFor(() => expect(live.size).toBe(0));
    expect(calls).toEqual([]);
    expect((await (await databaseOf(profile)).all('requests'))[0]).toMatchObject({ state: 'attempted' });
    await worker.call('unlock', { password: PASSWORD });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
    worker.kill();
  });
});

describe('a cosigner that stalls', () => {
  test.each([4_294_967_295, 2_147_483_647, 1])(
    'a pause of %i ms is not taken at its word',
    async (retryAfterMs) => {
      const timers = vi.spyOn(globalThis, 'setTimeout');
      const worker = await Worker.start(profile);
      onWire(async ({ kind }, really) => {
        if (kind !== 'broadcast') return really();
        throw new HoarfrostError('RateLimited', { retryAfterMs });
      });
      const { request } = await draft(worker);
      await worker.call('press', { request });
      await vi.waitFor(async () => {
        expect(await worker.call('payment', { request })).toMatchObject({ error: 'RateLimited' });
      }, 10_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(timers.mock.calls.map(([, ms]) => ms)).not.toContain(retryAfterMs);
      worker.kill();
    },
  );

  test('StoreUnavailable: a database of the cosigner that is back is asked again', async () => {
    const worker = await Worker.start(profile);
    let failures = 0;
    onWire(async ({ kind }, really) => {
      const due = kind === 'sign' ? 1 : kind === 'broadcast' ? 2 : 0;
      if (failures + 1 !== due) return really();
      failures++;
      throw new HoarfrostError('StoreUnavailable');
    });
    const { request } = await draft(worker);
    await worker.call('press', { request });
    expect(await settled(worker, request)).toMatchObject({ state: 'broadcast', error: null });
    expect(failures).toBe(2);
    worker.kill();
  });
});
