/** The device under a lock at the wrong moment, a cosigner that stalls or forgets, and a profile that was tampered with. */
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { Connection } from '../../src/device/connection.ts';
import type { PaymentRecord } from '../../src/device/payments.ts';
import type { PaymentProgress } from '../../src/device/port.ts';
import { receiptHash } from '../../src/frost/proofs.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { keygenCertificate } from '../../src/protocol/keygen.ts';
import { GAP_SCAN } from '../../src/protocol/limits.ts';
import { type Answer, type Request, receiptBody } from '../../src/protocol/messages.ts';
import { RecoveryKeygen } from '../../src/recovery/onboarding.ts';
import { newWords } from '../../src/recovery/words.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { termsOf } from '../support/terms.ts';

type Bytes = Uint8Array<ArrayBuffer>;
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
  }, 60_000);
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
  const signer: SignerModule = {
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
    await vi.waitFor(() => expect(live.size).toBe(0));
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

describe('profile files: a row that somebody wrote without the password', () => {
  const rowsOf = async () => (await databaseOf(profile)).all('requests');
  const put = async (row: PaymentRecord) =>
    (await databaseOf(profile)).write([{ store: 'requests', key: row.id, value: row }]);

  /** Two payments, of which the first was pressed just before the worker died. */
  async function pressedAndDrafted(): Promise<[PaymentRecord, PaymentRecord]> {
    const worker = await Worker.start(profile, { death: { by: 'write', at: 3, when: 'after' } });
    const other = await draft(worker, 15_000n);
    const { request } = await draft(worker);
    await worker.call('press', { request }).catch(() => {});
    const rows = await rowsOf();
    const of = (id: string) => rows.find((row) => row.id === id)!;
    expect(of(request).state).toBe('pressed');
    return [of(request), of(other.request)];
  }

  const changes: [string, (mine: PaymentRecord, other: PaymentRecord) => PaymentRecord][] = [
    ['a draft that was never pressed', ({ pressedAt }, other) => ({ ...other, state: 'pressed', pressedAt })],
    [
      'with the seal of another press',
      ({ pressedAt, press }, other) => ({ ...other, state: 'pressed', pressedAt, press }),
    ],
    ['another payment under the press', (mine, { psbt, digest, txid }) => ({ ...mine, psbt, digest, txid })],
    ['an old press made new', (mine) => ({ ...mine, pressedAt: mine.pressedAt! + 1 })],
  ];
  test.each(changes)('VaultDamaged: %s is not signed', async (_name, change) => {
    const forged = change(...(await pressedAndDrafted()));
    for (const { id } of await rowsOf())
      await (await databaseOf(profile)).write([{ store: 'requests', key: id, value: null }]);
    await put(forged);
    profile.clock.pass(10);
    let asked = 0;
    onWire(async ({ kind }, really) => {
      if (kind === 'sign') asked++;
      return really();
    });
    const worker = await Worker.start(profile);
    expect(await settled(worker, forged.id)).toMatchObject({ state: 'failed', error: 'VaultDamaged' });
    expect(asked).toBe(0);
    worker.kill();
  });

  test('VaultDamaged: what asks again is pressed as it was shown, or not at all', async () => {
    const [mine] = await pressedAndDrafted();
    await put({ ...mine, state: 'requested', address: `${mine.address.slice(0, -1)}x` });
    const worker = await Worker.start(profile);
    await expect(worker.call('press', { request: mine.id })).rejects.toMatchObject({ code: 'VaultDamaged' });
    worker.kill();
  });
});

describe('receipts', () => {
  async function pay(worker: Worker, amount?: bigint): Promise<PaymentProgress> {
    const { request } = await draft(worker, amount);
    await worker.call('press', { request });
    return settled(worker, request);
  }
  async function isBroken(worker: Worker): Promise<boolean> {
    const state = await worker.call('state', null);
    if (state.phase !== 'unlocked') throw new Error(state.phase);
    return state.wallet.receiptsBroken;
  }
  /** The cosigner itself signs another receipt than it keeps. */
  function forge(answer: Answer, change: Partial<ReturnType<typeof said>>): Answer {
    if (answer.kind !== 'signed') return answer;
    const { identity, signer } = running.cosigner;
    const body = encode(receiptBody, { ...said(answer), ...change });
    const signature = signer.schnorrSign(identity.host, receiptHash(body), new Uint8Array(32));
    return { ...answer, receipt: { body, signature: Uint8Array.from(signature) } };
  }
  const said = (answer: Extract<Answer, { kind: 'signed' }>) => decode(receiptBody, answer.receipt.body);

  test.each<[string, Parameters<typeof forge>[1], boolean]>([
    [
      'of a number that we have, as from a restored backup',
      { sequence: 1, previous: new Uint8Array(32) },
      false,
    ],
    ['of a number that we have, and nothing that leads on from it', { sequence: 1 }, true],
    ['of number 0', { sequence: 0 }, false],
    ['far ahead, with nothing in between', { sequence: 9 }, true],
    ['far ahead, and another at its place in the chain', { sequence: 4, at: 1 }, false],
    ['next in number, and another at its place in the chain', { at: 1 }, false],
    ['that counts from less than the one before it ended with', { before: 0n }, false],
    ['that counts from more than the one before it ended with', { before: 30_000n, after: 40_000n }, false],
    ['that counts down', { after: 0n }, false],
  ])('a cosigner that tells two stories is shown: a receipt %s', async (name, change, silent) => {
    const worker = await Worker.start(profile);
    await pay(worker);
    await pay(worker);
    expect(await isBroken(worker)).toBe(false);
    onWire(async ({ kind }, really) => {
      if (kind === 'receipts' && silent) return { kind: 'receipts', receipts: [] };
      return forge(await really(), kind === 'sign' ? change : {});
    });
    expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
    if (name.startsWith('next')) await pay(worker);
    expect(await isBroken(worker)).toBe(true);
    worker.kill();
  });

  test('a signature with a receipt of a refusal is MessageMismatch', async () => {
    const worker = await Worker.start(profile);
    onWire(async ({ kind }, really) =>
      forge(
        await really(),
        kind === 'sign' ? { verdict: { kind: 'refuses', rule: 'freeze', over: 0n } } : {},
      ),
    );
    expect(await pay(worker)).toMatchObject({ state: 'failed', error: 'MessageMismatch' });
    expect(running.chain.sent).toEqual([]);
    worker.kill();
  });

  test('a stored answer told again is of the chain, though others came after it', async () => {
    const worker = await Worker.start(profile);
    let lost = false;
    onWire(async ({ kind }, really) => {
      const answer = await really();
      if (kind !== 'sign' || lost) return answer;
      lost = true;
      expect(await pay(worker, 15_000n)).toMatchObject({ state: 'broadcast' });
      throw new HoarfrostError('ChannelClosed');
    });
    expect(await pay(worker)).toMatchObject({ state: 'broadcast' });
    expect(lost).toBe(true);
    expect(await isBroken(worker)).toBe(false);
    expect((await (await databaseOf(profile)).get('wallet', 'wallet'))?.receipts.sequence).toBe(2);
    worker.kill();
  });
});

test('a far next index, said again and again, moves no address out of reach of a scan', async () => {
  const worker = await Worker.start(profile);
  running.chain.scanned = { ...running.chain.scanned, nextReceive: 1_000_000, nextChange: 1_000_000 };
  for (let i = 0; i < 3; i++) await worker.call('refresh', null);
  expect((await worker.call('receiveAddress', null)).index).toBe(GAP_SCAN - 1);
  await draft(worker);
  const [row] = await (await databaseOf(profile)).all('requests');
  expect(row!.changeIndex).toBe(GAP_SCAN - 1);
  worker.kill();
});

test('audit: change stays where a scan finds it, however many drafts are open', async () => {
  const worker = await Worker.start(profile);
  for (let i = 0; i < 2 * GAP_SCAN; i++) await draft(worker);
  const rows = await (await databaseOf(profile)).all('requests');
  const indices = rows.map(({ changeIndex }) => changeIndex ?? 0);
  expect(Math.max(...indices)).toBe(GAP_SCAN - 1);
  expect(new Set(indices).size).toBe(GAP_SCAN);
  worker.kill();
});

describe('audit-24: keygen keeps no secret longer than it needs it', () => {
  /** Every secret that signs or is made, to see what is left of it while the device waits. */
  async function tracked() {
    const watched = await watchedSigner();
    const secrets: Secret[] = [];
    const signer: SignerModule = {
      ...watched.signer,
      schnorrSign(secret, message, aux) {
        secrets.push(secret);
        return watched.signer.schnorrSign(secret, message, aux);
      },
      keygenFinish(args) {
        const result = watched.signer.keygenFinish(args);
        watched.live.delete(args.polynomial);
        secrets.push(result.share);
        return result;
      },
    };
    return { signer, live: watched.live, secrets };
  }

  test('while the certificate is awaited, neither share nor host key is in the clear', async () => {
    const fresh = newProfile();
    const { signer, live, secrets } = await tracked();
    const worker = await Worker.start(fresh, { signer });
    const seen: string[] = [];
    onWire(async ({ kind }, really) => {
      if (kind === 'keygenCertify' || kind === 'keygenFetch') {
        seen.push(kind);
        expect(secrets.length).toBeGreaterThan(0);
        expect(secrets.every(({ wiped }) => wiped)).toBe(true);
        expect(live.size).toBe(0);
      }
      const answer = await really();
      if (kind === 'keygenCertify') throw new HoarfrostError('ChannelClosed');
      return answer;
    });
    await expect(onboard(worker, await linkOf(running))).rejects.toMatchObject({ code: 'ChannelClosed' });
    expect((await worker.call('keygenResume', null)).certificate).not.toBeNull();
    expect(seen).toEqual(['keygenCertify', 'keygenFetch']);
    worker.kill();
  });

  test('a connection lost between two rounds takes polynomial and host key with it', async () => {
    const { signer, live, secrets } = await tracked();
    const worker = await Worker.start(newProfile(), { signer });
    const recovery = new RecoveryKeygen(await load());
    const uri = await linkOf(running);
    const recoveryHello = await recovery.begin(newWords(), 'regtest', termsOf(1n));
    const start = { uri, network: 'regtest', password: PASSWORD, terms: termsOf(1n), recoveryHello } as const;
    let connection: Connection | undefined;
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(function (this: Connection, ...args) {
      connection = this;
      return original.apply(this, args) as never;
    });
    const { hellos } = await worker.call('keygenStart', start);
    await worker.call('keygenRound1', { recovery: await recovery.round1(hellos as never) });
    recovery.wipe();
    expect(live.size).toBe(1);
    connection!.close();
    await vi.waitFor(() => expect(live.size).toBe(0));
    expect(secrets.every(({ wiped }) => wiped)).toBe(true);
    await expect(worker.call('keygenRound2', { recovery: recoveryHello })).rejects.toMatchObject({
      code: 'SessionUnknown',
    });
    worker.kill();
  });
});

describe('keygen out of turn', () => {
  const start = async (dailyLimit = 1n) => {
    const recovery = new RecoveryKeygen(await load());
    const recoveryHello = await recovery.begin(newWords(), 'regtest', termsOf(1n));
    const uri = await linkOf(running);
    return {
      uri,
      network: 'regtest',
      password: PASSWORD,
      terms: termsOf(dailyLimit),
      recoveryHello,
    } as const;
  };

  test.each([0n, -1n, 2_100_000_000_000_001n])('BadAmount: a daily limit of %s', async (limit) => {
    const worker = await Worker.start(newProfile());
    await expect(worker.call('keygenStart', await start(limit))).rejects.toMatchObject({ code: 'BadAmount' });
    worker.kill();
  });

  test('WrongSession: a round before its turn, and no round after that', async () => {
    const worker = await Worker.start(newProfile());
    await worker.call('keygenStart', await start());
    const recovery = new Uint8Array(1);
    for (const round of ['keygenRound2', 'keygenCertify'] as const) {
      await expect(worker.call(round, { recovery })).rejects.toMatchObject({ code: 'WrongSession' });
    }
    worker.kill();
  });

  test('attack-08: our transcript with a signature that is none stays Pending', async () => {
    const worker = await Worker.start(newProfile());
    let lies = true;
    onWire(async (_, really) => {
      const answer = await really();
      if (answer.kind !== 'certificate' || !lies) return answer;
      const { transcript, signatures } = decode(keygenCertificate, answer.certificate);
      const [device, , recovery] = signatures as [Bytes, Bytes, Bytes];
      return {
        ...answer,
        certificate: encode(keygenCertificate, { transcript, signatures: [device, device, recovery] }),
      };
    });
    await expect(onboard(worker, await linkOf(running))).rejects.toMatchObject({ code: 'BadCertificate' });
    await expect(worker.call('receiveAddress', null)).rejects.toMatchObject({ code: 'Pending' });
    lies = false;
    expect((await worker.call('keygenResume', null)).certificate).not.toBeNull();
    worker.kill();
  });
});
