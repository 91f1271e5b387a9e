/** attack-15 as a device meets it: two windows pay at once, and the cosigner decides which payment it lets end first. */
import { expect, test } from 'vitest';
import type { Caller } from '../../src/device/handlers/subject.ts';
import { decode } from '../../src/protocol/codec.ts';
import { type AnswerOf, signBody } from '../../src/protocol/messages.ts';
import { Worker } from '../support/deviceHost.ts';
import {
  draft,
  onWire,
  profile,
  receiptCount,
  running,
  settled,
  useThreeCoins,
  verifyPaid,
} from '../support/payingDevice.ts';

useThreeCoins();

type Bytes = Uint8Array<ArrayBuffer>;
const WINDOWS: readonly Caller[] = [{}, {}];
const AMOUNTS = [100_000n, 150_000n];

/** Each window presses its own payment; `change` has both signed answers, in the order of the payments. */
async function bothPay(
  change: (answers: [AnswerOf<'signed'>, AnswerOf<'signed'>], which: 0 | 1) => AnswerOf<'signed'>,
) {
  const worker = await Worker.start(profile);
  const drafts = [await draft(worker, AMOUNTS[0]), await draft(worker, AMOUNTS[1])];
  const heard = new Map<string, AnswerOf<'signed'>>();
  const order: number[] = [];
  const both = Promise.withResolvers<void>();
  const psbts: string[] = [];
  const bodies = onWire(async (answer, asked) => {
    if (answer.kind !== 'signed' || asked.kind !== 'sign') return answer;
    const psbt = String(decode(signBody, asked.body as Bytes).psbt);
    psbts.push(psbt);
    heard.set(psbt, answer);
    if (heard.size === 2) both.resolve();
    await both.promise;
    // The one that was asked first is let go last.
    const which = psbts.indexOf(psbt) as 0 | 1;
    if (which === 0) await new Promise((resolve) => setTimeout(resolve, 300));
    order.push(which);
    return change([heard.get(psbts[0]!)!, heard.get(psbts[1]!)!], which);
  });
  await Promise.all(drafts.map(({ request }, i) => worker.call('press', { request }, WINDOWS[i]!)));
  const ends = [];
  for (const { request } of drafts) ends.push(await settled(worker, request));
  worker.kill();
  return { ends, order, bodies: bodies.map((body) => decode(signBody, body as Bytes)) };
}

test('attack-15: two windows pay two payments at once, and the cosigner ends the second first: both are paid', async () => {
  const { ends, order, bodies } = await bothPay((answers, which) => answers[which]);
  expect(order).toEqual([1, 0]);
  expect(ends).toMatchObject([{ state: 'broadcast' }, { state: 'broadcast' }]);
  expect(running.chain.sent.map(verifyPaid).sort()).toEqual(AMOUNTS);
  const pairs = bodies.flatMap(({ commitments }) => commitments.map(String));
  expect(new Set(pairs).size).toBe(pairs.length);
  const attempts = bodies.map(({ attempt }) => String(attempt));
  expect(new Set(attempts).size).toBe(2);
});

test('attack-15: nothing of one payment binds another: answers that are exchanged are BadShare, and nothing is sent', async () => {
  const { ends } = await bothPay((answers, which) => {
    const { commitments, shares } = answers[1 - which]!;
    return { ...answers[which], commitments, shares };
  });
  expect(ends).toMatchObject([
    { state: 'failed', error: 'BadShare' },
    { state: 'failed', error: 'BadShare' },
  ]);
  expect(running.chain.sent).toEqual([]);
});

test('attack-15: one payment pressed in two windows at once is one attempt', async () => {
  const worker = await Worker.start(profile);
  const bodies = onWire();
  const { request } = await draft(worker);
  await Promise.all(WINDOWS.map((window) => worker.call('press', { request }, window)));
  expect(await settled(worker, request)).toMatchObject({ state: 'broadcast' });
  expect(bodies).toHaveLength(1);
  expect(await receiptCount()).toBe(1);
  worker.kill();
});
