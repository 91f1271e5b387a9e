/** attack: a cosigner that names a far next index, so that coins come where no other wallet looks for them. */
import { expect, test } from 'vitest';
import { type Account, deriveKey } from '../../src/bitcoin/descriptor.ts';
import { finalize } from '../../src/bitcoin/psbt.ts';
import type { HistoryEntry } from '../../src/chain/source.ts';
import { nextVisible, reachedBy } from '../../src/device/reached.ts';
import { paymentOf } from '../support/payments.ts';
import { wholeKey } from '../support/wholeKey.ts';

const { account } = wholeKey('reached');
const NONE = { receive: 0, change: 0 };

function paying(to: Account, branch: 0 | 1, index: number): HistoryEntry {
  const output = { script: deriveKey(to, branch, index).script, value: 50_000n };
  const psbt = paymentOf(to, { outputs: [output], change: null });
  const { transaction, txid } = finalize(psbt, [new Uint8Array(64).fill(7)]);
  return { txid, height: 1, time: 1, received: 50_000n, sent: 0n, fee: null, transaction };
}
const after = (paid: [0 | 1, number][], before = NONE) =>
  reachedBy(
    account,
    paid.map(([branch, index]) => paying(account, branch, index)),
    before,
  );

test('a branch is used as far as transactions pay it without a gap of 20', () => {
  expect(after([])).toEqual(NONE);
  expect(after([[0, 0]])).toEqual({ receive: 1, change: 0 });
  expect(after([[1, 19]])).toEqual({ receive: 0, change: 20 });
  expect(after([[0, 20]])).toEqual(NONE);
  expect(
    after([
      [0, 39],
      [0, 19],
      [1, 3],
    ]),
  ).toEqual({ receive: 40, change: 4 });
  expect(after([[0, 9_000]])).toEqual(NONE);
});

test('it goes on from where it was, and never back', () => {
  expect(after([[0, 45]], { receive: 40, change: 4 })).toEqual({ receive: 46, change: 4 });
  expect(after([[0, 2]], { receive: 40, change: 4 })).toEqual({ receive: 40, change: 4 });
});

test('what pays another account, or came without its transaction, shows nothing', () => {
  expect(reachedBy(account, [paying(wholeKey('another').account, 0, 0)], NONE)).toEqual(NONE);
  expect(reachedBy(account, [{ ...paying(account, 0, 0), transaction: new Uint8Array() }], NONE)).toEqual(
    NONE,
  );
});

test('an index is given out only where a scan still finds it', () => {
  expect(nextVisible(4, 4)).toBe(4);
  expect(nextVisible(19, 0)).toBe(19);
  expect(nextVisible(20, 0)).toBe(19);
  expect(nextVisible(2 ** 31 - 1, 7)).toBe(26);
});
