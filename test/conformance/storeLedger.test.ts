/** What signing needs of every store: attempts, reserves, charges and receipts, all or nothing, and serialised. */
import { beforeEach, expect, test } from 'vitest';
import type { Store } from '../../src/cosigner/store.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { a, b, onEachStore } from '../support/storeSuite.ts';
import { bytes, code, NOW } from '../support/stores.ts';

await onEachStore(({ first, another }) => {
  let store: Store;
  beforeEach(() => {
    store = first();
  });

  test('an attempt is burned until its answer is stored, once', async () => {
    const attempt = { request: bytes(1), commitments: [bytes(2), bytes(3)], spend: bytes(4), at: NOW };
    await store.withWallet(a.id, async (tx) => {
      expect(await tx.attempt(attempt.request)).toBeNull();
      expect(await tx.commitmentsUsed(attempt.commitments)).toBe(false);
      await tx.insertAttempt(attempt);
    });
    await store.viewWallet(a.id, async (view) => {
      expect(await view.attempt(attempt.request)).toEqual({ answer: null });
      expect(await view.commitmentsUsed([bytes(9), bytes(3)])).toBe(true);
    });
    const answer = bytes(7, 5000);
    await store.withWallet(a.id, (tx) => tx.storeAnswer(attempt.request, answer));
    await expect(store.withWallet(a.id, (tx) => tx.storeAnswer(attempt.request, bytes(8)))).rejects.toEqual(
      code('Internal'),
    );
    expect(await (await another()).viewWallet(a.id, (view) => view.attempt(attempt.request))).toEqual({
      answer,
    });
  });

  test('a commitment pair enters once, and a clash takes the whole transaction with it', async () => {
    const attempt = (request: number, ...commitments: number[]) => ({
      request: bytes(request),
      commitments: commitments.map((c) => bytes(c)),
      spend: bytes(4),
      at: NOW,
    });
    await store.withWallet(a.id, (tx) => tx.insertAttempt(attempt(1, 2, 3)));
    const clash = store.withWallet(a.id, async (tx) => {
      await tx.charge(5n, NOW);
      await tx.insertAttempt(attempt(2, 4, 3));
    });
    await expect(clash).rejects.toEqual(code('StoreUnavailable'));
    await store.viewWallet(a.id, async (view) => {
      expect(await view.attempt(bytes(2))).toBeNull();
      expect(await view.commitmentsUsed([bytes(4)])).toBe(false);
      expect(await view.chargedSince(0)).toBe(0n);
    });
    // Another wallet's ledger is another ledger.
    await store.withWallet(b.id, (tx) => tx.insertAttempt(attempt(1, 2, 3)));
  });

  test('audit-08 audit-22 what a failed transaction did is gone, and the next one is not concerned', async () => {
    const failing = store.withWallet(a.id, async (tx) => {
      await tx.charge(1n, NOW);
      await tx.setReserve('aa:0', 9n);
      throw new HoarfrostError('Internal');
    });
    const next = store.withWallet(a.id, (tx) => tx.charge(2n, NOW));
    await expect(failing).rejects.toEqual(code('Internal'));
    await next;
    await store.viewWallet(a.id, async (view) => {
      expect(await view.chargedSince(0)).toBe(2n);
      expect(await view.reserves(['aa:0'])).toEqual(new Map());
    });
  });

  test('reserves are set, charges add up from a moment on, to the last sat', async () => {
    const all = 2_100_000_000_000_000n;
    await store.withWallet(a.id, async (tx) => {
      await tx.setReserve('aa:0', 5n);
      await tx.setReserve('aa:0', all);
      await tx.setReserve('aa:1', 0n);
      await tx.charge(all, NOW);
      await tx.charge(1n, NOW + 1);
      expect(await tx.chargedSince(NOW + 1)).toBe(1n);
    });
    await store.viewWallet(a.id, async (view) => {
      expect(await view.reserves(['aa:0', 'aa:1', 'aa:2'])).toEqual(
        new Map([
          ['aa:0', all],
          ['aa:1', 0n],
        ]),
      );
      expect(await view.chargedSince(NOW)).toBe(all + 1n);
      expect(await view.chargedSince(NOW + 1)).toBe(1n);
      expect(await view.chargedSince(NOW + 2)).toBe(0n);
    });
  });

  test('receipts come in order and in pages, and a sequence number is given once', async () => {
    const receiptOf = (sequence: number) => ({ sequence, body: bytes(sequence), signature: bytes(9, 64) });
    for (const n of [1, 2, 3]) await store.withWallet(a.id, (tx) => tx.appendReceipt(receiptOf(n)));
    await expect(store.withWallet(a.id, (tx) => tx.appendReceipt(receiptOf(3)))).rejects.toEqual(
      code('StoreUnavailable'),
    );
    await store.viewWallet(a.id, async (view) => {
      expect(await view.lastReceipt()).toEqual(receiptOf(3));
      expect(await view.receipts(2, 10)).toEqual([receiptOf(2), receiptOf(3)]);
      expect(await view.receipts(1, 1)).toEqual([receiptOf(1)]);
    });
  });

  test('a view shows what is committed, never what is under way', async () => {
    let insideDone: () => void = () => {};
    const inside = new Promise<void>((resolve) => {
      insideDone = resolve;
    });
    let seen: () => void = () => {};
    const looked = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const writing = store.withWallet(a.id, async (tx) => {
      await tx.charge(5n, NOW);
      insideDone();
      await looked;
    });
    await inside;
    expect(await store.viewWallet(a.id, (view) => view.chargedSince(0))).toBe(0n);
    seen();
    await writing;
    expect(await store.viewWallet(a.id, (view) => view.chargedSince(0))).toBe(5n);
  });

  test('100 transactions through three instances at once never pass a limit that each checks', async () => {
    const instances = [store, await another(), await another()];
    const limit = 37n;
    const spends = Array.from({ length: 100 }, (_, i) =>
      instances[i % 3]!.withWallet(a.id, async (tx) => {
        if ((await tx.chargedSince(0)) >= limit) return false;
        await tx.charge(1n, NOW);
        return true;
      }),
    );
    const done = await Promise.all(spends);
    expect(done.filter(Boolean)).toHaveLength(Number(limit));
    expect(await store.viewWallet(a.id, (view) => view.chargedSince(0))).toBe(limit);
  });
});
