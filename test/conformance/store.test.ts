/** What every store must do with wallets, tokens and records, and as a whole. What signing needs of one is storeLedger.test.ts. */
import { beforeEach, expect, test } from 'vitest';
import type { Bytes, NewWallet, Rows, Store, WalletRecord } from '../../src/cosigner/store.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { a, b, LEDGER, onEachStore } from '../support/storeSuite.ts';
import { bytes, code, NOW, walletOf } from '../support/stores.ts';

const recordOf = ({ id, deviceKey, epoch, certificate, begunAt }: NewWallet): WalletRecord => ({
  id,
  deviceKey,
  epoch,
  certificate,
  nextReceive: 0,
  nextChange: 0,
  bornAt: begunAt,
  ledger: LEDGER,
  lostAt: null,
});

await onEachStore(({ first, another, name: nameOf }) => {
  let store: Store;
  let name: string;
  beforeEach(() => {
    store = first();
    name = nameOf();
  });

  test('an enrolled wallet is found by device key and by session, here and by another instance', async () => {
    for (const s of [store, await another()]) {
      expect(await s.walletOfDevice(a.deviceKey)).toEqual(a.id);
      expect(await s.certificateOfSession(a.session)).toEqual(a.certificate);
      const seen = await s.viewWallet(a.id, async (view) => [view.wallet, await view.sealedShare()]);
      expect(seen).toEqual([recordOf(a), a.sealedShare]);
    }
    expect(await store.walletOfDevice(bytes(99))).toBeNull();
    expect(await store.certificateOfSession(bytes(99))).toBeNull();
  });

  test('a new epoch: its share and its ledger are its own, the one before stays until it is dropped', async () => {
    const request = bytes(1);
    const attempt = { request, commitments: [bytes(2)], spend: bytes(3), at: NOW };
    await store.withWallet(a.id, async (tx) => {
      await tx.insertAttempt(attempt);
      await tx.storeAnswer(request, bytes(4));
      await tx.beginEpoch(1, bytes(5));
      expect(tx.wallet.epoch).toBe(1);
      expect(await tx.sealedShare()).toEqual(bytes(5));
      expect(await tx.attempt(request)).toBeNull();
      expect(await tx.commitmentsUsed([bytes(2)])).toBe(false);
      await tx.insertAttempt(attempt);
    });
    const other = await another();
    expect(await other.viewWallet(a.id, async (view) => view.wallet.epoch)).toBe(1);
    expect(await other.withWallet(a.id, (tx) => tx.dropOldEpochs())).toEqual([a.sealedShare]);
    expect(await other.withWallet(a.id, (tx) => tx.dropOldEpochs())).toEqual([]);
    await store.viewWallet(a.id, async (view) => {
      expect(await view.sealedShare()).toEqual(bytes(5));
      expect(await view.attempt(request)).toEqual({ answer: null });
      expect(await view.commitmentsUsed([bytes(2)])).toBe(true);
    });
    expect(await store.viewWallet(b.id, (view) => view.sealedShare())).toEqual(b.sealedShare);
    const failing = store.withWallet(b.id, async (tx) => {
      await tx.beginEpoch(1, bytes(6));
      throw new HoarfrostError('Internal');
    });
    await expect(failing).rejects.toEqual(code('Internal'));
    expect(await store.viewWallet(b.id, async (view) => view.wallet.epoch)).toBe(0);
  });

  test('records of one kind are found over all wallets, no more than asked for', async () => {
    for (const { id } of [a, b]) {
      await store.withWallet(id, async (tx) => {
        await tx.putRecord('destroy', bytes(1), bytes(2));
        await tx.putRecord('epoch', bytes(1), bytes(3));
      });
    }
    const found = await (await another()).recordsEverywhere('destroy', 10);
    const byWallet = new Map(found.map((row) => [String(row.wallet), row]));
    for (const { id } of [a, b])
      expect(byWallet.get(String(id))).toEqual({ wallet: id, key: bytes(1), body: bytes(2) });
    expect(await store.recordsEverywhere('destroy', 1)).toHaveLength(1);
    expect(await store.recordsEverywhere('hold', 1)).toEqual([]);
  });

  test('an unknown wallet is NotEnrolled before the work begins', async () => {
    let ran = false;
    const work = async () => {
      ran = true;
    };
    await expect(store.withWallet(bytes(99), work)).rejects.toEqual(code('NotEnrolled'));
    await expect(store.viewWallet(bytes(99), work)).rejects.toEqual(code('NotEnrolled'));
    expect(ran).toBe(false);
  });

  test('another device takes the place of one, in the same transaction or not at all, and only if it is nobody’s', async () => {
    const key = bytes(98);
    await expect(
      store.withWallet(a.id, async (tx) => {
        await tx.replaceDevice(key);
        expect(tx.wallet.deviceKey).toEqual(key);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await store.walletOfDevice(key)).toBeNull();
    for (const taken of [a.deviceKey, b.deviceKey])
      await expect(store.withWallet(a.id, (tx) => tx.replaceDevice(taken))).rejects.toEqual(
        code('WalletExists'),
      );
    await store.withWallet(a.id, (tx) => tx.replaceDevice(key));
    for (const s of [store, await another()]) {
      expect(await s.walletOfDevice(key)).toEqual(a.id);
      expect(await s.walletOfDevice(a.deviceKey)).toBeNull();
      expect(await s.viewWallet(a.id, async ({ wallet }) => wallet.deviceKey)).toEqual(key);
    }
  });

  test('wallets are found by the key of their words, the youngest first, and by new words once they are changed', async () => {
    const words = bytes(97);
    const older = { ...walletOf(170), recoveryKey: words, begunAt: NOW - 5 };
    const younger = { ...walletOf(180), recoveryKey: words, begunAt: NOW + 5 };
    for (const wallet of [older, younger]) {
      await store.addToken(wallet.session, NOW * 2);
      await store.enrol(wallet, wallet.session);
    }
    for (const s of [store, await another()]) {
      expect(await s.walletsOfRecord('recovery', words)).toEqual([younger.id, older.id]);
      expect(await s.walletsOfRecord('recovery', a.recoveryKey)).toEqual([a.id]);
      expect(await s.walletsOfRecord('recovery', bytes(96))).toEqual([]);
      // Another kind of the same key is another thing.
      expect(await s.walletsOfRecord('ceremony', words)).toEqual([]);
    }
    await store.withWallet(younger.id, (tx) => tx.replaceRecovery(bytes(95)));
    expect(await store.walletsOfRecord('recovery', words)).toEqual([older.id]);
    expect(await store.walletsOfRecord('recovery', bytes(95))).toEqual([younger.id]);
  });

  test('a wallet that comes from elsewhere is furnished in the transaction that enrols it, or does not come', async () => {
    const c = { ...walletOf(200), before: { bornAt: NOW - 5000, lostAt: NOW + 7 } };
    await store.addToken(bytes(60), NOW + 1);
    await store.putTakeover(c.deviceKey, bytes(1));
    await store.putTakeover(c.deviceKey, bytes(2));
    const fail = store.enrol(c, bytes(60), async (tx) => {
      await tx.putRecord('policy', bytes(1, 4), bytes(5));
      throw new Error('unfit');
    });
    await expect(fail).rejects.toThrow('unfit');
    expect(await store.walletOfDevice(c.deviceKey)).toBeNull();
    expect(await store.takeover(c.deviceKey)).toEqual(bytes(2));
    await store.enrol(c, bytes(60), (tx) => tx.putRecord('policy', bytes(1, 4), bytes(5)));
    expect(await store.takeover(c.deviceKey)).toBeNull();
    const seen = await store.viewWallet(c.id, async (view) => [view.wallet, await view.records('policy')]);
    expect(seen).toEqual([
      { ...recordOf(c), bornAt: NOW - 5000, lostAt: NOW + 7 },
      [{ key: bytes(1, 4), body: bytes(5) }],
    ]);
  });

  test('a wallet that retires has no device and no share, here and for another instance', async () => {
    expect(await store.withWallet(a.id, (tx) => tx.retire())).toEqual([a.sealedShare]);
    for (const s of [store, await another()]) {
      expect(await s.walletOfDevice(a.deviceKey)).toBeNull();
      const share = s.viewWallet(a.id, (view) => view.sealedShare());
      await expect(share).rejects.toEqual(code('ShareUnrecoverable'));
    }
    expect(await store.walletOfDevice(b.deviceKey)).toEqual(b.id);
  });

  test('a wallet that was retired comes back from elsewhere, to its receipts and reserves; what waited is gone', async () => {
    const own = { sequence: 1, body: bytes(3, 100), signature: bytes(4, 64) };
    await store.withWallet(a.id, async (tx) => {
      await tx.appendReceipt(own);
      await tx.setReserve('aa:0', 9n);
      await tx.charge(5n, NOW);
      await tx.raiseNextIndices(7, 8);
      for (const kind of ['hold', 'ceremony', 'notice', 'unseen', 'policy'] as const)
        await tx.putRecord(kind, bytes(5), bytes(6));
    });
    const back = { ...a, deviceKey: bytes(91), recoveryKey: bytes(92), epoch: 3, sealedShare: bytes(93, 80) };
    const before = { bornAt: NOW - 5000, lostAt: NOW + 7 };
    await store.addToken(bytes(61), NOW + 1);
    await expect(store.enrol({ ...back, before }, bytes(61))).rejects.toEqual(code('WalletExists'));
    await store.withWallet(a.id, (tx) => tx.retire());
    await expect(store.enrol(back, bytes(61))).rejects.toEqual(code('WalletExists'));
    const taken = { ...back, before, deviceKey: b.deviceKey };
    await expect(store.enrol(taken, bytes(61))).rejects.toEqual(code('WalletExists'));
    await store.enrol({ ...back, before }, bytes(61));
    for (const s of [store, await another()]) {
      expect(await s.walletOfDevice(bytes(91))).toEqual(a.id);
      expect(await s.walletsOfRecord('recovery', a.recoveryKey)).toEqual([]);
      expect(await s.walletsOfRecord('recovery', bytes(92))).toEqual([a.id]);
      await s.viewWallet(a.id, async (view) => {
        expect(view.wallet).toMatchObject({ epoch: 3, lostAt: NOW + 7, nextReceive: 7, nextChange: 8 });
        expect(await view.sealedShare()).toEqual(bytes(93, 80));
        expect(await view.lastReceipt()).toEqual(own);
        expect(await view.reserves(['aa:0'])).toEqual(new Map([['aa:0', 9n]]));
        expect(await view.chargedSince(0)).toBe(5n);
        for (const kind of ['hold', 'ceremony', 'notice'] as const)
          expect(await view.records(kind)).toEqual([]);
        for (const kind of ['unseen', 'policy'] as const) expect(await view.records(kind)).toHaveLength(1);
      });
    }
  });

  test('a token enrols once, while it holds; a failed enrolment leaves it whole', async () => {
    const c = walletOf(200);
    await expect(store.checkToken(bytes(50), NOW)).rejects.toEqual(code('TokenUnknown'));
    await expect(store.enrol(c, bytes(50))).rejects.toEqual(code('TokenUnknown'));
    await expect(store.checkToken(bytes(0), NOW)).rejects.toEqual(code('TokenUnknown'));

    await store.addToken(bytes(51), NOW);
    await expect(store.checkToken(bytes(51), NOW)).rejects.toEqual(code('TokenExpired'));
    await store.checkToken(bytes(51), NOW - 1);
    await expect(store.enrol(c, bytes(51))).rejects.toEqual(code('TokenExpired'));

    await store.addToken(bytes(52), NOW + 1);
    for (const clash of [{ id: a.id }, { session: a.session }, { deviceKey: a.deviceKey }]) {
      await expect(store.enrol({ ...c, ...clash }, bytes(52))).rejects.toEqual(code('WalletExists'));
    }
    expect(await store.walletOfDevice(c.deviceKey)).toBeNull();
    await store.enrol(c, bytes(52));
    await expect(store.enrol(walletOf(220), bytes(52))).rejects.toEqual(code('TokenUnknown'));
  });

  test('one token enrols one wallet, however many try at once', async () => {
    await store.addToken(bytes(53), NOW + 1);
    const tries = [store, await another(), await another()].map((s, i) =>
      s.enrol(walletOf(200 + 10 * i), bytes(53)),
    );
    const done = await Promise.allSettled(tries);
    expect(done.filter((d) => d.status === 'fulfilled')).toHaveLength(1);
  });

  test('a new folder awaits its first token', async () => {
    expect(await store.awaitsFirstToken(NOW)).toBe(false);
    const empty = await another(`${name}_empty`);
    expect(await empty.awaitsFirstToken(NOW)).toBe(true);
    await empty.addToken(bytes(1), NOW + 1);
    expect(await empty.awaitsFirstToken(NOW)).toBe(false);
    expect(await empty.awaitsFirstToken(NOW + 1)).toBe(true);
  });

  test('audit-19 nothing of one wallet shows in another', async () => {
    await store.withWallet(a.id, async (tx) => {
      await tx.insertAttempt({ request: bytes(1), commitments: [bytes(2)], spend: bytes(4), at: NOW });
      await tx.storeAnswer(bytes(1), bytes(5));
      await tx.setReserve('aa:0', 9n);
      await tx.charge(1n, NOW);
      await tx.appendReceipt({ sequence: 1, body: bytes(6), signature: bytes(7, 64) });
      await tx.raiseNextIndices(4, 5);
    });
    await store.viewWallet(b.id, async (view) => {
      expect(view.wallet).toEqual(recordOf(b));
      expect(await view.sealedShare()).toEqual(b.sealedShare);
      expect(await view.attempt(bytes(1))).toBeNull();
      expect(await view.commitmentsUsed([bytes(2)])).toBe(false);
      expect(await view.reserves(['aa:0'])).toEqual(new Map());
      expect(await view.chargedSince(0)).toBe(0n);
      expect(await view.lastReceipt()).toBeNull();
      expect(await view.receipts(1, 10)).toEqual([]);
    });
  });

  test('next indices only rise', async () => {
    await store.withWallet(a.id, (tx) => tx.raiseNextIndices(7, 2));
    await store.withWallet(a.id, (tx) => tx.raiseNextIndices(3, 5));
    const { wallet } = await store.viewWallet(a.id, async (view) => view);
    expect([wallet.nextReceive, wallet.nextChange]).toEqual([7, 5]);
  });

  test('records are kept by kind and key, in order, replaced and removed, each wallet its own', async () => {
    await store.withWallet(a.id, async (tx) => {
      await tx.putRecord('hold', bytes(2), bytes(1, 300));
      await tx.putRecord('hold', bytes(1), bytes(2, 0));
      await tx.putRecord('policy', bytes(1), bytes(3));
      await tx.putRecord('hold', bytes(2), bytes(4, 5));
    });
    await (await another()).viewWallet(a.id, async (view) => {
      expect(await view.records('hold')).toEqual([
        { key: bytes(1), body: bytes(2, 0) },
        { key: bytes(2), body: bytes(4, 5) },
      ]);
      expect(await view.record('policy', bytes(1))).toEqual(bytes(3));
      expect(await view.record('unseen', bytes(1))).toBeNull();
    });
    await store.viewWallet(b.id, async (view) => {
      expect(await view.record('hold', bytes(1))).toBeNull();
      expect(await view.records('hold')).toEqual([]);
    });
    await store.withWallet(a.id, async (tx) => {
      await tx.deleteRecord('hold', bytes(1));
      await tx.deleteRecord('hold', bytes(9));
    });
    expect(await store.viewWallet(a.id, (view) => view.records('hold'))).toHaveLength(1);
  });

  test('enrolments are counted from a moment on', async () => {
    expect(await store.enrolledSince(NOW)).toBe(2);
    expect(await store.enrolledSince(NOW + 1)).toBe(0);
  });

  test('a store is bound once, to one cosigner, and keeps the name of its ledger and the channel key', async () => {
    const empty = await another(`${name}_empty`);
    const key = (number: number, byte: number) => ({ number, noiseKey: bytes(byte) });
    expect(await empty.bound()).toBe(false);
    expect(await empty.greeting()).toEqual({ ledger: bytes(0, 16), channelKey: null });
    await empty.bind(bytes(1), bytes(2, 16), key(2, 8));
    await empty.bind(bytes(1), bytes(3, 16), key(3, 9));
    expect(await empty.bound()).toBe(true);
    expect(await empty.greeting()).toEqual({ ledger: bytes(2, 16), channelKey: key(2, 8) });
    await expect(empty.bind(bytes(4), bytes(5, 16), key(2, 8))).rejects.toEqual(code('BadConfiguration'));
  });

  test('audit-01 of two channel keys the later one is announced, whoever of two instances says it last', async () => {
    const other = await another();
    const key = (number: number) => ({ number, noiseKey: bytes(number) });
    await store.announce(key(2));
    await other.announce(key(1));
    await other.announce({ number: 2, noiseKey: bytes(99) });
    expect((await store.greeting()).channelKey).toEqual(key(2));
    expect((await other.greeting()).channelKey).toEqual(key(2));
  });

  test('a loss names another ledger and voids tokens and waiting payments; wallets made later lost nothing', async () => {
    const c = { ...walletOf(200), begunAt: NOW + 11 };
    await store.addToken(bytes(54), NOW + 100);
    await store.withWallet(a.id, async (tx) => {
      await tx.putRecord('hold', bytes(1), bytes(2));
      await tx.putRecord('policy', bytes(1), bytes(3));
    });
    await store.declareLoss(bytes(78, 16), NOW + 10);
    await expect(store.checkToken(bytes(54), NOW)).rejects.toEqual(code('TokenUnknown'));
    await store.addToken(bytes(55), NOW + 100);
    await store.enrol(c, bytes(55));
    for (const s of [store, await another()]) {
      const seen = (id: Bytes) => s.viewWallet(id, async ({ wallet }) => [wallet.ledger, wallet.lostAt]);
      expect(await seen(a.id)).toEqual([bytes(78, 16), NOW + 10]);
      expect(await seen(c.id)).toEqual([bytes(78, 16), null]);
      expect(await s.viewWallet(a.id, (view) => view.records('hold'))).toEqual([]);
      expect(await s.viewWallet(a.id, (view) => view.records('policy'))).toHaveLength(1);
    }
  });

  test('audit-07 what is dumped fills an empty store with the same, in pages, all or nothing', async () => {
    await store.withWallet(a.id, async (tx) => {
      await tx.insertAttempt({ request: bytes(1), commitments: [bytes(2)], spend: bytes(4), at: NOW });
      await tx.insertAttempt({ request: bytes(9), commitments: [bytes(8)], spend: bytes(4), at: NOW });
      await tx.storeAnswer(bytes(1), bytes(5, 3000));
      await tx.setReserve('aa:0', 2_100_000_000_000_000n);
      for (let i = 0; i < 1200; i++) await tx.charge(BigInt(i), NOW + i);
      await tx.appendReceipt({ sequence: 1, body: bytes(6), signature: bytes(7, 64) });
      await tx.putRecord('policy', bytes(1), bytes(2, 0));
      await tx.raiseNextIndices(4, 5);
    });
    const rows = await dumped(store);
    expect(Math.max(...rows.map((page) => page.rows.length))).toBe(500);
    const copy = await another(`${name}_copy`);
    async function* broken() {
      yield* rows;
      throw new HoarfrostError('BadEncoding');
    }
    await expect(copy.fill(broken, bytes(78, 16), NOW)).rejects.toEqual(code('BadEncoding'));
    expect(await dumped(copy)).toEqual([]);
    const whole = async function* () {
      yield* rows;
    };
    await copy.fill(whole, bytes(78, 16), NOW);
    expect(sorted(await dumped(copy))).toEqual(sorted(rows));
    await copy.withWallet(a.id, (tx) => tx.charge(1n, NOW));
    await expect(copy.fill(whole, bytes(79, 16), NOW)).rejects.toEqual(code('WalletExists'));
  });

  test('after close everything fails at once', async () => {
    const s = await another();
    await s.check();
    await s.close();
    await expect(s.check()).rejects.toEqual(code('StoreUnavailable'));
    await expect(s.withWallet(a.id, async () => {})).rejects.toEqual(code('StoreUnavailable'));
  });
});

async function dumped(store: Store): Promise<Rows[]> {
  const pages: Rows[] = [];
  await store.dump(async (page) => {
    pages.push(page);
  });
  return pages;
}

/** Tables keep no order of their rows. */
function sorted(pages: readonly Rows[]): string[] {
  return pages
    .flatMap(({ table, columns, rows }) => rows.map((row) => [table, columns, ...row].join(' ')))
    .sort();
}
