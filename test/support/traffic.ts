/** Devices that sign without a pause while something happens to their cosigner, and what must hold of it afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { receiptHash } from '../../src/frost/proofs.ts';
import { decode } from '../../src/protocol/codec.ts';
import { type AnswerOf, type Receipt, receiptBody } from '../../src/protocol/messages.ts';
import {
  askToSign,
  attemptOf,
  type Bytes,
  type Client,
  payment,
  type TestDevice,
  within,
} from './cosigner.ts';

/** Sats, with the fee: what each of them costs. */
export const EACH = 1500n;

export interface Traffic {
  readonly answered: { body: Bytes; answer: AnswerOf<'signed'> }[];
  /** Codes of those that failed otherwise than by a lost connection. */
  readonly failed: string[];
  /** Resolves once that many were answered. */
  until(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Signs and signs, in each lane with a pause; what fails is tried anew on a new connection. */
export function keepSigning(
  device: TestDevice,
  connect: (lane: number) => Promise<Client>,
  lanes: number,
  pauseMs = 0,
): Traffic {
  const answered: Traffic['answered'] = [];
  const failed: string[] = [];
  let stopped = false;
  const running = Array.from({ length: lanes }, async (_, lane) => {
    let client: Client | undefined;
    while (!stopped) {
      try {
        client ??= await connect(lane);
        const { body } = await attemptOf(client, device, payment(device, { amount: EACH - 500n }));
        answered.push({ body, answer: await askToSign(client, device, body) });
        await sleep(pauseMs);
      } catch (e) {
        const { code } = e as { code?: unknown };
        if (typeof code === 'string') failed.push(code);
        client?.socket.ws.terminate();
        client = undefined;
        await sleep(100);
      }
    }
    await client?.close();
  });
  return {
    answered,
    failed,
    async until(count) {
      while (answered.length < count) await sleep(10);
    },
    async stop() {
      stopped = true;
      await within('stop', Promise.all(running));
    },
  };
}

/** All receipts, each checked against the one before. */
export async function receiptsOf(client: Client, device: TestDevice): Promise<{ after: bigint }[]> {
  const signer = await load();
  const receipts: Receipt[] = [];
  for (let more = true; more; ) {
    const page = await client.ask({ kind: 'receipts', from: receipts.length + 1 }, 'receipts');
    receipts.push(...page.receipts);
    more = page.receipts.length > 0;
  }
  let previous = new Uint8Array(32);
  let after = 0n;
  return receipts.map(({ body, signature }, i) => {
    const receipt = decode(receiptBody, body);
    expect(receipt).toMatchObject({ sequence: i + 1, previous, before: after });
    expect(signer.schnorrVerify(device.keys.hostKeys[1], receiptHash(body), signature)).toBe(true);
    previous = receiptHash(body);
    after = receipt.after;
    return receipt;
  });
}

/** Every answer that was given is told again as it was, nothing was charged twice, and the receipts are one chain over all of it. */
export async function expectNothingLost(
  client: Client,
  device: TestDevice,
  { answered }: Pick<Traffic, 'answered'>,
): Promise<void> {
  for (const { body, answer } of answered) expect(await askToSign(client, device, body)).toEqual(answer);
  const receipts = await receiptsOf(client, device);
  const spent = (await client.ask({ kind: 'policy' }, 'policy')).spentInWindows[0]!;
  // An attempt may be charged whose answer never left.
  expect(spent).toBeGreaterThanOrEqual(BigInt(answered.length) * EACH);
  expect(receipts.at(-1)?.after ?? 0n).toBe(spent);
}
