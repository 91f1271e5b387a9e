import { beforeAll, describe, expect, test } from 'vitest';
import { encodeMessageSignature, verifyMessage } from '../../src/bitcoin/message.ts';
import { load } from '../../src/crypto/load.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochRecord } from '../../src/protocol/epoch.ts';
import type { OfflineTask } from '../../src/protocol/offline.ts';
import { answerRequest, openRequest } from '../../src/recovery/cosign.ts';
import { keysFromWords, newWords } from '../../src/recovery/words.ts';
import { accountOf, finish, keysOf, paymentTask, requestOf } from '../support/offline.ts';
import { seededRandom } from '../support/parties.ts';
import { begin, type Life, refreshed, secretsOf } from '../support/shares.ts';

const random = seededRandom('recovery cosign');
const code = (c: string, more: object = {}) => expect.objectContaining({ code: c, ...more });
const AT = Date.UTC(2026, 10, 21, 12, 30, 5);

let signer: SignerModule;
/** The same wallet before and after two refreshes. */
let young: Life;
let old: Life;
let stranger: Life;

beforeAll(async () => {
  signer = await load();
  young = await begin(signer, random);
  stranger = await begin(signer, seededRandom('stranger'));
  old = await refreshed(signer, await refreshed(signer, young, random), random);
});

const answer = (life: Life, message: Parameters<typeof openRequest>[1]) =>
  answerRequest(signer, keysOf(life).encryption.privateKey, openRequest(signer, message), random);

describe('device and recovery sign alone', () => {
  test('a payment of two coins, in two messages, in the first epoch and in a later one', async () => {
    for (const life of [young, old]) {
      const asked = requestOf(signer, life, paymentTask(life, random), random);
      const { read } = openRequest(signer, asked.message);
      expect(read.effect).toMatchObject({ kind: 'payment', summary: { loss: 101_000n, fee: 1_000n } });
      const said = await answer(life, asked.message);
      expect(said.digest).toEqual(read.digest);
      const signatures = finish(signer, life, asked, said);
      for (const [i, input] of asked.inputs.entries())
        expect(signer.schnorrVerify(input.expectedKey, input.sighash, signatures[i]!)).toBe(true);
    }
  });

  test('a drill signs a dated message of the first address and nothing else', async () => {
    const asked = requestOf(signer, old, { kind: 'drill', at: AT }, random);
    const { effect } = openRequest(signer, asked.message).read;
    if (effect.kind !== 'drill') throw new Error('no drill');
    expect(effect.message).toBe('Hoarfrost drill 2026-11-21T12:30:05.000Z');
    const [signature] = finish(signer, old, asked, await answer(old, asked.message));
    const text = encodeMessageSignature(signature!);
    const { network } = accountOf(old);
    expect(verifyMessage(effect.address, network, effect.message, text)).toBe('valid');
    expect(verifyMessage(effect.address, network, `${effect.message} `, text)).toBe('invalid');
  });

  test('attack-23: only the device of the present epoch is answered, and only what it signed', async () => {
    const task = paymentTask(old, random);
    const { message } = requestOf(signer, old, task, random);
    const altered = {
      ...message,
      body: message.body.map((b, i) => (i === message.body.length - 1 ? b ^ 1 : b)),
    };
    expect(() => openRequest(signer, altered)).toThrow(code('BadSignature'));
    // Somebody with the same certificate, records and payment, and no key of the device.
    const thief = {
      ...old,
      holders: [{ ...old.holders[0], host: Secret.own(random(32)) }, ...old.holders.slice(1)],
    };
    const theirs = requestOf(signer, thief as unknown as Life, task, random);
    expect(() => openRequest(signer, theirs.message)).toThrow(code('BadSignature'));
    const stale = requestOf(signer, old, task, random, (body) => ({ ...body, epoch: 1 }));
    expect(() => openRequest(signer, stale.message)).toThrow(code('EpochStale'));
  });

  test('attack-23: an answer is for one request, and the device can use one of two', async () => {
    const asked = requestOf(signer, old, paymentTask(old, random), random);
    const [one, two] = [await answer(old, asked.message), await answer(old, asked.message)];
    expect(one.commitments).not.toEqual(two.commitments);
    expect(new Set([...one.commitments, ...two.commitments].map(String)).size).toBe(4);
    finish(signer, old, asked, one);
    expect(() => finish(signer, old, asked, two)).toThrow(code('NonceConsumed'));
    const other = requestOf(signer, old, paymentTask(old, random), random);
    expect(() => finish(signer, old, other, one)).toThrow(code('BadShare', { culprit: 3 }));
  });

  test('commitments that are missing, doubled or no points are refused before a word is typed', () => {
    const task = paymentTask(old, random);
    for (const [change, error] of [
      [(c: Uint8Array[]) => c.slice(1), 'BadEncoding'],
      [(c: Uint8Array[]) => [c[0]!, new Uint8Array(66)], 'BadEncoding'],
    ] as const) {
      const { message } = requestOf(signer, old, task, random, (body) => ({
        ...body,
        commitments: change(body.commitments) as Uint8Array<ArrayBuffer>[],
      }));
      expect(() => openRequest(signer, message)).toThrow(code(error));
    }
  });

  test('one commitment pair for two coins is AttemptReused', async () => {
    const asked = requestOf(signer, old, paymentTask(old, random), random, (body) => ({
      ...body,
      commitments: [body.commitments[0]!, body.commitments[0]!],
    }));
    await expect(answer(old, asked.message)).rejects.toMatchObject({ code: 'AttemptReused' });
  });

  test('a payment that is not of this wallet, or a date that is none, is not shown as one', () => {
    const { psbt } = paymentTask(stranger, random) as Extract<OfflineTask, { kind: 'payment' }>;
    for (const [bytes, error] of [
      [psbt, 'ForeignInput'],
      [psbt.slice(0, -1), 'BadPsbt'],
    ] as const) {
      const { message } = requestOf(signer, old, paymentTask(old, random), random, (body) => ({
        ...body,
        task: { kind: 'payment', psbt: bytes, receive: 2, change: 0 },
      }));
      expect(() => openRequest(signer, message)).toThrow(code(error));
    }
    const late = requestOf(signer, old, { kind: 'drill', at: AT }, random, (body) => ({
      ...body,
      task: { kind: 'drill', at: Number.MAX_SAFE_INTEGER },
    }));
    expect(() => openRequest(signer, late.message)).toThrow(code('BadEncoding'));
  });

  test('the words of another wallet are BadWords; with the right ones no secret is left', async () => {
    const asked = requestOf(signer, old, paymentTask(old, random), random);
    const opened = openRequest(signer, asked.message);
    const other = await keysFromWords(newWords());
    await expect(answerRequest(signer, other.encryption.privateKey, opened, random)).rejects.toMatchObject({
      code: 'BadWords',
    });
    const { left } = await secretsOf(() => answer(old, asked.message));
    expect(left).toEqual([]);
    const refused = requestOf(signer, old, paymentTask(old, random), random, (body) => ({
      ...body,
      commitments: [body.commitments[0]!, body.commitments[0]!],
    }));
    expect((await secretsOf(() => answer(old, refused.message))).left).toEqual([]);
  });

  test('records of the partner that do not follow, or none at all, are refused', () => {
    const task = paymentTask(old, random);
    const none = requestOf(signer, old, task, random, (body) => ({
      ...body,
      bundle: { ...body.bundle, copies: [] },
    }));
    expect(() => openRequest(signer, none.message)).toThrow(code('BadEncoding'));
    const torn = requestOf(signer, old, task, random, (body) => ({
      ...body,
      bundle: { ...body.bundle, copies: [body.bundle.copies[0]!.slice(1)] },
    }));
    expect(() => openRequest(signer, torn.message)).toThrow(code('RefreshInvalid'));
  });

  test('where only the other party’s copy leads to a share, of an earlier epoch, nothing is signed with it', async () => {
    const [first, last] = old.records[1] as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
    const said = decode(epochRecord, last);
    const poisoned = encode(epochRecord, {
      ...said,
      sealed: said.sealed.map((b, i) => (i === 50 ? b ^ 1 : b)),
    });
    const copies = (second: Uint8Array<ArrayBuffer>[]) =>
      requestOf(signer, old, paymentTask(old, random), random, (body) => ({
        ...body,
        bundle: { ...body.bundle, copies: [[first, poisoned], second] },
      }));
    await expect(answer(old, copies([old.records[2][0]!]).message)).rejects.toMatchObject({
      code: 'EpochStale',
    });
    // With the other's whole copy the poison is harmless.
    const asked = copies([...old.records[2]]);
    finish(signer, old, asked, await answer(old, asked.message));
  });
});
