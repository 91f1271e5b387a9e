/** The device's eye on the cosigner's receipts (DESIGN section 4): one chain, of this wallet, that counts on without a gap. */
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import { followReceipts, NO_RECEIPTS, readReceipt, recentReceipts } from '../../src/device/receipts.ts';
import { receiptHash } from '../../src/frost/proofs.ts';
import { encode, type TypeOf } from '../../src/protocol/codec.ts';
import { type Receipt, receiptBody } from '../../src/protocol/messages.ts';

type Body = TypeOf<typeof receiptBody>;

const code = (name: string) => expect.objectContaining({ code: name });
const WALLET = new Uint8Array(32).fill(1);
const host = Secret.own(systemRandom(32));
let signer: Signer;
beforeAll(async () => {
  signer = await load();
});
const hostKey = () => Uint8Array.from(signer.publicKey(host).subarray(1));

/** As many receipts of 10 sats each, from the first on, or behind others; `change` says what one of them says otherwise. */
function chainOf(count: number, change: (body: Body) => Partial<Body> = () => ({}), behind: Receipt[] = []) {
  const receipts = [...behind];
  while (receipts.length < count) {
    const sequence = receipts.length + 1;
    const last = receipts.at(-1);
    const usual: Body = {
      sequence,
      previous: last === undefined ? new Uint8Array(32) : receiptHash(last.body),
      wallet: WALLET,
      spend: new Uint8Array(32).fill(sequence),
      policyVersion: 1,
      before: BigInt(10 * (sequence - 1)),
      after: BigInt(10 * sequence),
      verdict: { kind: 'signs', leftInWindow: null },
      at: sequence,
    };
    const body = encode(receiptBody, { ...usual, ...change(usual) });
    const signature = Uint8Array.from(signer.schnorrSign(host, receiptHash(body), systemRandom(32)));
    receipts.push({ body, signature });
  }
  return receipts;
}

/** A cosigner that shows these, three at a time. */
const shows = (receipts: Receipt[]) => ({
  signer,
  hostKey: hostKey(),
  wallet: WALLET,
  fetch: async (from: number) => receipts.slice(from - 1, from + 2),
});
const headOf = (receipts: Receipt[]) => ({
  sequence: receipts.length,
  hash: receiptHash(receipts.at(-1)!.body),
  after: BigInt(10 * receipts.length),
});
const follow = (told: Receipt[], at: number, known: Receipt[] | null) =>
  followReceipts(shows(told), known === null ? NO_RECEIPTS : headOf(known), told[at - 1]!);

describe('followed', () => {
  test('the next one, one after many that were missed, and one of before that is told again', async () => {
    const all = chainOf(12);
    expect(await follow(all, 1, null)).toEqual(headOf(all.slice(0, 1)));
    expect(await follow(all, 12, all.slice(0, 2))).toEqual(headOf(all));
    expect(await follow(all, 3, all)).toEqual(headOf(all));
    expect(await follow(all, 12, all)).toEqual(headOf(all));
  });

  test('a receipt of another wallet, or by another key, is none', () => {
    const [foreign] = chainOf(1, () => ({ wallet: new Uint8Array(32).fill(2) }));
    expect(() => readReceipt(signer, foreign!, hostKey(), WALLET)).toThrow(code('WrongContext'));
    const [own] = chainOf(1);
    const other = Uint8Array.from(signer.publicKey(Secret.own(systemRandom(32))).subarray(1));
    expect(() => readReceipt(signer, own!, other, WALLET)).toThrow(code('BadSignature'));
  });

  test('two stories: another receipt where one is known, and one of before that leads elsewhere', async () => {
    const known = chainOf(6);
    const other = chainOf(6, ({ at }) => ({ at: at + 100 }), known.slice(0, 3));
    for (const at of [4, 5, 6])
      await expect(follow(other, at, known)).rejects.toEqual(code('TranscriptMismatch'));
    const longer = chainOf(8, undefined, other);
    await expect(follow(longer, 8, known)).rejects.toEqual(code('TranscriptMismatch'));
    await expect(recentReceipts(shows(other), headOf(known))).rejects.toEqual(code('TranscriptMismatch'));
  });

  test('a gap, receipts that are held back, and counts that do not go on from each other', async () => {
    const gap = chainOf(4, ({ sequence }) =>
      sequence === 3 ? { previous: new Uint8Array(32).fill(9) } : {},
    );
    await expect(follow(gap, 4, null)).rejects.toEqual(code('TranscriptMismatch'));
    const all = chainOf(5);
    const silent = { ...shows(all), fetch: async () => [] };
    await expect(followReceipts(silent, NO_RECEIPTS, all[4]!)).rejects.toEqual(code('TranscriptMismatch'));
    await expect(recentReceipts(shows(all.slice(0, 3)), headOf(all))).rejects.toEqual(
      code('TranscriptMismatch'),
    );
    for (const wrong of [{ before: 0n }, { after: 0n }]) {
      const counted = chainOf(4, ({ sequence }) => (sequence === 3 ? wrong : {}));
      await expect(follow(counted, 4, null)).rejects.toEqual(code('TranscriptMismatch'));
    }
  });
});
