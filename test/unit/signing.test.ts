import { schnorr } from '@noble/curves/secp256k1.js';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import {
  type Attempt,
  answerAll,
  commitAll,
  dropAll,
  finishAll,
  type InputToSign,
} from '../../src/frost/signing.ts';
import { type Born, runKeygen, seededRandom } from '../support/parties.ts';

let signer: Signer;
let born: Born;
let inputs: InputToSign[];
let attempt: Attempt;
const code = (c: string, more: object = {}) => expect.objectContaining({ code: c, ...more });

beforeAll(async () => {
  signer = await load();
  born = await runKeygen(signer, seededRandom('signing'));
  const { network, groupKey, chainCode } = born.record;
  inputs = [0, 1, 2].map((index) => {
    const key = deriveKey({ network, groupKey, chainCode, account: 0 }, 0, index);
    return {
      sighash: new Uint8Array(32).fill(index + 1),
      expectedKey: key.outputKey,
      tweak: { derivation: key.derivation, path: 'key', merkleRoot: new Uint8Array(0) },
    };
  });
  attempt = { groupKey, handshakeHash: new Uint8Array(32), attempt: new Uint8Array(16), epoch: 0 };
});

const share = (id: 1 | 2 | 3) => born.finished[id - 1]!.result.share;
const random = seededRandom('nonces');
const commit = () => commitAll(signer, share(1), attempt, inputs, random);
const answer = (commitments: Uint8Array[]) =>
  answerAll(signer, 2, share(2), attempt, inputs, { id: 1, commitments }, random);
const peer = (a: ReturnType<typeof answer>) => ({
  id: 2 as const,
  verifyingShare: born.record.verifyingShares[1],
  ...a,
});

describe('signing all inputs in one round trip', () => {
  test('every signature verifies under its own output key, by another library', () => {
    const own = commit();
    const signatures = finishAll(signer, 1, share(1), attempt, inputs, own, peer(answer(own.commitments)));
    expect(signatures).toHaveLength(3);
    for (const [i, s] of signatures.entries())
      expect(schnorr.verify(s, inputs[i]!.sighash, inputs[i]!.expectedKey)).toBe(true);
  });

  test('nonces are consumed by the first answer, right or wrong', () => {
    const own = commit();
    const good = answer(own.commitments);
    finishAll(signer, 1, share(1), attempt, inputs, own, peer(good));
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, own, peer(good))).toThrow(
      code('NonceConsumed'),
    );
    const second = commit();
    const bad = answer(second.commitments);
    const spoiled = {
      ...bad,
      shares: bad.shares.map((z, i) => (i === 2 ? z.map((b, k) => (k === 31 ? b ^ 1 : b)) : z)),
    };
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, second, peer(spoiled))).toThrow(
      code('BadShare', { culprit: 2 }),
    );
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, second, peer(bad))).toThrow(
      code('NonceConsumed'),
    );
  });

  test('attack-21: a bad share of the last input stops before the first own share is made', () => {
    const own = commit();
    const bad = answer(own.commitments);
    bad.shares[2] = new Uint8Array(32).fill(1);
    const finish = vi.spyOn(signer, 'finish');
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, own, peer(bad))).toThrow(
      code('BadShare', { culprit: 2 }),
    );
    expect(finish).not.toHaveBeenCalled();
    finish.mockRestore();
  });

  test('attack-12: a commitment of the cosigner that cancels the device’s own is refused', () => {
    const own = commit();
    const a = answer(own.commitments);
    const negated = own.commitments[0]!.slice();
    negated[0] = negated[0]! ^ 1;
    negated[33] = negated[33]! ^ 1;
    a.commitments[0] = negated;
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, own, peer(a))).toThrow();
  });

  test('one commitment pair under two inputs is refused by both sides', () => {
    const own = commit();
    const twice = [own.commitments[0]!, own.commitments[0]!, own.commitments[2]!];
    expect(() => answer(twice)).toThrow(code('AttemptReused'));
    const a = answer(own.commitments);
    a.commitments[1] = a.commitments[0]!;
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, own, peer(a))).toThrow(
      code('AttemptReused'),
    );
  });

  test('all or none: fewer or more commitments or shares than inputs are refused', () => {
    const own = commit();
    expect(() => answer(own.commitments.slice(1))).toThrow(code('BadEncoding'));
    expect(() => answer([...own.commitments, commit().commitments[0]!])).toThrow(code('BadEncoding'));
    const a = answer(own.commitments);
    const more = { ...a, commitments: [...a.commitments, commit().commitments[0]!] };
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, commit(), peer(more))).toThrow(
      code('BadEncoding'),
    );
    expect(() =>
      finishAll(signer, 1, share(1), attempt, inputs, own, peer({ ...a, shares: a.shares.slice(1) })),
    ).toThrow(code('BadEncoding'));
  });

  test('no input at all, and dropped nonces', () => {
    expect(() => commitAll(signer, share(1), attempt, [], random)).toThrow(code('TooLarge'));
    const own = commit();
    dropAll(signer, own);
    expect(() => finishAll(signer, 1, share(1), attempt, inputs, own, peer(answer(own.commitments)))).toThrow(
      code('NonceConsumed'),
    );
  });

  test('attack-14: with one fixed generator, any change of the attempt changes both nonces', () => {
    const fixed = () => seededRandom('stuck generator');
    const base = commitAll(signer, share(1), attempt, inputs, fixed()).commitments.map(String);
    const variants: [Attempt, InputToSign[]][] = [
      [{ ...attempt, handshakeHash: new Uint8Array(32).fill(1) }, inputs],
      [{ ...attempt, attempt: new Uint8Array(16).fill(1) }, inputs],
      [{ ...attempt, epoch: 1 }, inputs],
      [attempt, inputs.map((i) => ({ ...i, sighash: new Uint8Array(32).fill(9) }))],
      [attempt, inputs.map((i) => ({ ...i, expectedKey: new Uint8Array(32).fill(9) }))],
      [attempt, [1, 2, 0].map((i) => inputs[i]!)],
    ];
    for (const [a, list] of variants) {
      const other = commitAll(signer, share(1), a, list, fixed()).commitments.map(String);
      for (const [i, c] of other.entries()) expect(c).not.toBe(base[i]);
    }
    expect(commitAll(signer, share(1), attempt, inputs, fixed()).commitments.map(String)).toEqual(base);
  });

  test('attack-14 with one fixed generator, any commitment of the device changes all nonces of the cosigner', () => {
    const nonces = (heard: Uint8Array[]) =>
      answerAll(
        signer,
        2,
        share(2),
        attempt,
        inputs,
        { id: 1, commitments: heard },
        seededRandom('stuck'),
      ).commitments.map(String);
    const heard = commit().commitments;
    const base = nonces(heard);
    expect(nonces(heard)).toEqual(base);
    for (const changed of [0, 2]) {
      const others = heard.map((pair, i) => (i === changed ? commit().commitments[i]! : pair));
      for (const [i, c] of nonces(others).entries()) expect(c).not.toBe(base[i]);
    }
  });
});
