import { schnorr } from '@noble/curves/secp256k1.js';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PartyId, PolynomialHandle, Signer } from '../../../src/crypto/signer.ts';
import type { Backing } from './backings.ts';
import {
  BAD_IDS,
  BAD_PAIR_LENGTHS,
  BAD_PAIRS,
  BAD_SCALARS,
  BAD_SECRETS,
  BAD_X,
  badLengths,
  be,
} from './badEncodings.ts';
import {
  addOne,
  asId,
  committed,
  flip,
  type Key,
  negatedPoint,
  refusal,
  runKeygen,
  secretOf,
} from './fixture.ts';
import { BASE, Fn, IDS, integer, scalarBytes } from './oracle.ts';

/** Every bad input of single keys and keygen, each with its code. */
export function keygenRefusals(backing: Backing): void {
  describe(`${backing.name}: keygen refusals`, () => {
    let signer: Signer;
    let key: Key;
    beforeAll(() => {
      signer = backing.create();
      key = runKeygen(signer).key;
    });

    // --- single keys -----------------------------------------------------------------------------------------------

    test.each(BAD_SECRETS)('attack-07: a secret of %s has no public key and signs nothing', (_, bytes) => {
      expect(refusal(() => signer.publicKey(secretOf(bytes))).code).toBe('BadEncoding');
      expect(
        refusal(() => signer.schnorrSign(secretOf(bytes), new Uint8Array(32), new Uint8Array(32))).code,
      ).toBe('BadEncoding');
    });

    test.each(badLengths(32))('BIP-340 sign refuses a message or aux of %s', (_, bytes) => {
      const secret = () => secretOf(scalarBytes(3n));
      expect(refusal(() => signer.schnorrSign(secret(), bytes, new Uint8Array(32))).code).toBe('BadEncoding');
      expect(refusal(() => signer.schnorrSign(secret(), new Uint8Array(32), bytes)).code).toBe('BadEncoding');
    });

    test('BIP-340 verify answers false to every malformed input', () => {
      const message = new Uint8Array(32).fill(5);
      const signature = signer.schnorrSign(secretOf(scalarBytes(3n)), message, new Uint8Array(32));
      const x = signer.publicKey(secretOf(scalarBytes(3n))).slice(1);
      expect(signer.schnorrVerify(x, message, signature)).toBe(true);
      for (const [, bad] of [...BAD_X, ...badLengths(32)]) {
        expect(signer.schnorrVerify(bad, message, signature)).toBe(false);
      }
      for (const [, bad] of badLengths(32)) expect(signer.schnorrVerify(x, bad, signature)).toBe(false);
      for (const [, bad] of badLengths(64)) expect(signer.schnorrVerify(x, message, bad)).toBe(false);
      for (let at = 0; at < 64; at += 7) {
        expect(signer.schnorrVerify(x, message, flip(signature, at))).toBe(false);
      }
      for (const [, bad] of BAD_X) {
        expect(signer.schnorrVerify(x, message, Uint8Array.from([...bad, ...signature.slice(32)]))).toBe(
          false,
        );
      }
      for (const s of [Fn.ORDER, 2n ** 256n - 1n]) {
        expect(signer.schnorrVerify(x, message, Uint8Array.from([...signature.slice(0, 32), ...be(s)]))).toBe(
          false,
        );
      }
    });

    test('BIP-340 verify refuses a negated s and a nonce at infinity', () => {
      const message = new Uint8Array(32).fill(6);
      const signature = signer.schnorrSign(secretOf(scalarBytes(3n)), message, new Uint8Array(32));
      const x = BASE.multiply(3n).toBytes().slice(1);
      const negated = Uint8Array.from([
        ...signature.slice(0, 32),
        ...scalarBytes(Fn.ORDER - integer(signature.slice(32))),
      ]);
      expect(signer.schnorrVerify(x, message, negated)).toBe(false);
      // s = e*d makes s*G - e*P the point at infinity, for any r.
      const r = signature.slice(0, 32);
      const e = Fn.create(integer(schnorr.utils.taggedHash('BIP0340/challenge', r, x, message)));
      const d = BASE.multiply(3n).toBytes()[0] === 2 ? 3n : -3n;
      expect(signer.schnorrVerify(x, message, Uint8Array.from([...r, ...scalarBytes(e * d)]))).toBe(false);
    });

    // --- keygen ----------------------------------------------------------------------------------------------------

    const session = new Uint8Array(32).fill(9);
    const randomness = (fill: number) => new Uint8Array(96).fill(fill);

    test.each(badLengths(32))('keygen refuses a session of %s', (_, bad) => {
      const { commitment, proof } = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      expect(
        refusal(() => signer.keygenCommit({ id: 1, session: bad, randomness: randomness(1) })).code,
      ).toBe('BadEncoding');
      expect(refusal(() => signer.keygenVerifyProof({ id: 1, session: bad, commitment, proof })).code).toBe(
        'BadEncoding',
      );
    });

    test.each(badLengths(96))('keygen refuses randomness of %s', (_, bad) => {
      expect(refusal(() => signer.keygenCommit({ id: 1, session, randomness: bad })).code).toBe(
        'BadEncoding',
      );
    });

    test.each([0, 32, 64])('keygen refuses randomness that reduces to zero at byte %i', (at) => {
      for (const zero of [be(0n), be(Fn.ORDER)]) {
        const bad = randomness(1);
        bad.set(zero, at);
        expect(refusal(() => signer.keygenCommit({ id: 1, session, randomness: bad })).code).toBe(
          'BadEncoding',
        );
      }
    });

    test.each(BAD_IDS)('attack-06: id %s is refused wherever an id goes', (bad) => {
      const id = asId(bad);
      const made = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      const { commitment, proof } = made;
      const { pkg, asking } = committed(signer, key);
      const share = () => secretOf(key.shares[1]);
      const subShares = [
        { from: id, share: share() },
        ...[2, 3].map((from) => ({ from: asId(from), share: share() })),
      ];
      const commitments = [commitment, commitment, commitment];
      const acts: Record<string, () => unknown> = {
        keygenCommit: () => signer.keygenCommit({ id, session, randomness: randomness(1) }),
        keygenVerifyProof: () => signer.keygenVerifyProof({ id, session, commitment, proof }),
        keygenShareFor: () => signer.keygenShareFor(made.polynomial, id),
        keygenFinish: () =>
          signer.keygenFinish({
            id,
            polynomial: made.polynomial,
            commitments,
            subShares: subShares.slice(1),
          }),
        sumSubShares: () => signer.sumSubShares({ id, commitments, subShares: subShares.slice() }),
        'sumSubShares from': () => signer.sumSubShares({ id: 1, commitments, subShares }),
        signShare: () => signer.signShare({ id, share: share(), nonces: asking.nonces, package: pkg }),
        verifyShare: () =>
          signer.verifyShare({
            id,
            verifyingShare: key.verifyingShares[0]!,
            signatureShare: scalarBytes(1n),
            package: pkg,
          }),
        aggregate: () =>
          signer.aggregate({
            shares: [
              { id, signatureShare: scalarBytes(1n) },
              { id: 2, signatureShare: scalarBytes(1n) },
            ],
            package: pkg,
          }),
        'package commitment': () =>
          signer.verifyShare({
            id: 1,
            verifyingShare: key.verifyingShares[0]!,
            signatureShare: scalarBytes(1n),
            package: { ...pkg, commitments: [pkg.commitments[0]!, { ...pkg.commitments[1]!, id }] },
          }),
      };
      for (const [name, act] of Object.entries(acts)) {
        expect([name, refusal(act).code]).toEqual([name, 'BadIdentifier']);
      }
    });

    test.each(BAD_PAIR_LENGTHS)(
      'attack-01: a keygen commitment of another degree (%s) is BadDegree and blamed',
      (_, bad) => {
        const run = runKeygen(signer);
        expect(
          refusal(() =>
            signer.keygenVerifyProof({
              id: 2,
              session: run.session,
              commitment: bad,
              proof: run.parties[1]!.proof,
            }),
          ),
        ).toEqual({ code: 'BadDegree', culprit: 2 });
        const commitments = [run.parties[0]!.commitment, bad, run.parties[2]!.commitment];
        const subShares = IDS.map((from) => ({ from, share: secretOf(run.subShares[3][from]) }));
        expect(refusal(() => signer.sumSubShares({ id: 3, commitments, subShares }))).toEqual({
          code: 'BadDegree',
          culprit: 2,
        });
      },
    );

    test.each(BAD_PAIRS)('attack-07: a keygen commitment with %s', (_, bad) => {
      const made = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      expect(
        refusal(() => signer.keygenVerifyProof({ id: 1, session, commitment: bad, proof: made.proof })).code,
      ).toBe('BadEncoding');
      const subShares = IDS.map((from) => ({ from, share: signer.keygenShareFor(made.polynomial, 3) }));
      for (const at of [0, 1, 2]) {
        const commitments = [made.commitment, made.commitment, made.commitment].with(at, bad);
        expect(refusal(() => signer.sumSubShares({ id: 3, commitments, subShares })).code).toBe(
          'BadEncoding',
        );
      }
      const finish = signer.keygenCommit({ id: 1, session, randomness: randomness(2) });
      expect(
        refusal(() =>
          signer.keygenFinish({
            id: 1,
            polynomial: finish.polynomial,
            commitments: [finish.commitment, made.commitment, bad],
            subShares: [2, 3].map((from) => ({
              from: asId(from),
              share: signer.keygenShareFor(made.polynomial, 1),
            })),
          }),
        ).code,
      ).toBe('BadEncoding');
    });

    test('attack-03: a proof of knowledge that is not of this party, session or secret is BadProof and blamed', () => {
      const a = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      const b = signer.keygenCommit({ id: 2, session, randomness: randomness(2) });
      const check = (over: Partial<Parameters<Signer['keygenVerifyProof']>[0]>) => () =>
        signer.keygenVerifyProof({ id: 2, session, commitment: b.commitment, proof: b.proof, ...over });
      expect(check({})()).toBeUndefined();
      const wrong: Parameters<typeof check>[0][] = [
        { proof: flip(b.proof) },
        { proof: a.proof },
        { session: flip(session) },
        { commitment: a.commitment },
        {
          commitment: Uint8Array.from([
            ...negatedPoint(b.commitment.slice(0, 33)),
            ...b.commitment.slice(33),
          ]),
        },
      ];
      for (const over of wrong) expect(refusal(check(over))).toEqual({ code: 'BadProof', culprit: 2 });
      // Of R and its negative, which have one x, only the even one is a proof: mu' = c*phi0 - k.
      const even = BASE.multiply(integer(randomness(2).slice(64))).toBytes()[0] === 2;
      const k = integer(randomness(2).slice(64)) * (even ? 1n : -1n);
      const odd = scalarBytes(integer(b.proof.slice(32)) - 2n * k);
      expect(refusal(check({ proof: Uint8Array.from([...b.proof.slice(0, 32), ...odd]) }))).toEqual({
        code: 'BadProof',
        culprit: 2,
      });
      // The same proof replayed under another id (a reflected package): the id is in the challenge.
      expect(refusal(check({ id: 3 }))).toEqual({ code: 'BadProof', culprit: 3 });
      // attack-03, rogue key: phi0 = target - others, with no proof that can be made for it.
      const rogue = BASE.multiply(77n).subtract(BASE.multiply(5n)).toBytes();
      expect(refusal(check({ commitment: Uint8Array.from([...rogue, ...b.commitment.slice(33)]) }))).toEqual({
        code: 'BadProof',
        culprit: 2,
      });
    });

    test('attack-07: a malformed proof of knowledge', () => {
      const a = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      const check = (proof: Uint8Array) =>
        refusal(() => signer.keygenVerifyProof({ id: 1, session, commitment: a.commitment, proof })).code;
      for (const [, bad] of badLengths(64)) expect(check(bad)).toBe('BadEncoding');
      for (const [, bad] of BAD_X)
        expect(check(Uint8Array.from([...bad, ...a.proof.slice(32)]))).toBe('BadEncoding');
      for (const [, bad] of BAD_SCALARS.filter(([, b]) => b.length === 32)) {
        expect(check(Uint8Array.from([...a.proof.slice(0, 32), ...bad]))).toBe('BadEncoding');
      }
    });

    /** The arguments of party 3's last step, from one honest run. */
    function lastStep() {
      const parties = IDS.map((id) => signer.keygenCommit({ id, session, randomness: randomness(id) }));
      const share = (from: PartyId) => signer.keygenShareFor(parties[from - 1]!.polynomial, 3);
      return {
        id: 3 as PartyId,
        polynomial: parties[2]!.polynomial,
        commitments: parties.map((p) => p.commitment),
        subShares: ([1, 2] as const).map((from) => ({ from: from as PartyId, share: share(from) })),
        own: { from: 3 as PartyId, share: share(3) },
      };
    }

    test('attack-04: a sub-share off by one is BadShare and blames its sender', () => {
      for (const cheat of [1, 2] as const) {
        const { own, ...args } = lastStep();
        const subShares = args.subShares.map((s) =>
          s.from === cheat ? { from: s.from, share: secretOf(addOne(s.share.expose())) } : s,
        );
        const blamed = { code: 'BadShare', culprit: cheat };
        expect(refusal(() => signer.keygenFinish({ ...args, subShares }))).toEqual(blamed);
        expect(refusal(() => signer.sumSubShares({ ...args, subShares: [...subShares, own] }))).toEqual(
          blamed,
        );
      }
      // Recovery's own ciphertext is one of three that others carry.
      const { own, ...args } = lastStep();
      const subShares = [...args.subShares, { from: own.from, share: secretOf(addOne(own.share.expose())) }];
      expect(refusal(() => signer.sumSubShares({ ...args, subShares }))).toEqual({
        code: 'BadShare',
        culprit: 3,
      });
    });

    test('attack-09: sub-shares of another recipient, or swapped between senders, are BadShare', () => {
      const { own: _, ...args } = lastStep();
      const [a, b] = args.subShares;
      expect(
        refusal(() =>
          signer.keygenFinish({
            ...args,
            subShares: [
              { from: 1, share: b!.share },
              { from: 2, share: a!.share },
            ],
          }),
        ).code,
      ).toBe('BadShare');
    });

    test.each(BAD_SECRETS)('attack-07: a sub-share of %s', (_, bad) => {
      for (const at of [0, 1]) {
        const { own, ...args } = lastStep();
        const subShares = args.subShares.with(at, { from: asId(at + 1), share: secretOf(bad) });
        expect(refusal(() => signer.keygenFinish({ ...args, subShares })).code).toBe('BadEncoding');
        expect(refusal(() => signer.sumSubShares({ ...args, subShares: [...subShares, own] })).code).toBe(
          'BadEncoding',
        );
      }
    });

    test('attack-06: sub-shares missing, twice, own or too many are BadIdentifier', () => {
      const senders: PartyId[][] = [[], [1], [1, 1], [1, 3], [3, 3], [1, 2, 3], [1, 2, 2]];
      for (const from of senders) {
        const { own, ...args } = lastStep();
        const subShares = from.map((f) => [...args.subShares, own].find((s) => s.from === f)!);
        expect([from, refusal(() => signer.keygenFinish({ ...args, subShares })).code]).toEqual([
          from,
          'BadIdentifier',
        ]);
      }
      for (const from of [[], [1, 2], [1, 2, 2], [1, 1, 3], [1, 2, 3, 3]] as PartyId[][]) {
        const { own, ...args } = lastStep();
        const subShares = from.map((f) => [...args.subShares, own].find((s) => s.from === f)!);
        expect([from, refusal(() => signer.sumSubShares({ ...args, subShares })).code]).toEqual([
          from,
          'BadIdentifier',
        ]);
      }
    });

    test.each([0, 1, 2, 4])('%i commitments instead of three', (count) => {
      const { own, ...args } = lastStep();
      const commitments = [...args.commitments, args.commitments[0]!].slice(0, count);
      expect(
        refusal(() => signer.sumSubShares({ ...args, commitments, subShares: [...args.subShares, own] }))
          .code,
      ).toBe('BadIdentifier');
      expect(refusal(() => signer.keygenFinish({ ...args, commitments })).code).toBe('BadIdentifier');
    });

    test('attack-02: an own commitment that is not the one published is refused', () => {
      const { own: _, ...args } = lastStep();
      const other = signer.keygenCommit({ id: 3, session, randomness: randomness(44) });
      expect(
        refusal(() =>
          signer.keygenFinish({ ...args, commitments: args.commitments.with(2, other.commitment) }),
        ).code,
      ).toBe('TranscriptMismatch');
    });

    test("another party's polynomial is refused", () => {
      const { own, ...args } = lastStep();
      expect(
        refusal(() => signer.keygenFinish({ ...args, id: 2, subShares: [args.subShares[0]!, own] })).code,
      ).toBe('BadIdentifier');
    });

    test.each([
      ['a group key at infinity', 0],
      ['shares that are each the whole key', 32],
    ])('commitments that cancel to %s are refused', (_what, at) => {
      const a = signer.keygenCommit({ id: 1, session, randomness: randomness(1) });
      const cancelling = Uint8Array.from(randomness(3));
      cancelling.set(scalarBytes(-2n * integer(randomness(1).slice(at, at + 32))), at);
      const b = signer.keygenCommit({ id: 3, session, randomness: cancelling });
      const subShares = [a, a, b].map((p, i) => ({
        from: IDS[i]!,
        share: signer.keygenShareFor(p.polynomial, 3),
      }));
      const commitments = [a, a, b].map((p) => p.commitment);
      expect(refusal(() => signer.sumSubShares({ id: 3, commitments, subShares })).code).toBe('BadEncoding');
    });

    test('a polynomial is consumed by keygenFinish, also when it fails, and by dropPolynomial', () => {
      const done = lastStep();
      signer.keygenFinish(done);
      const failed = lastStep();
      refusal(() => signer.keygenFinish({ ...failed, subShares: [] }));
      const dropped = lastStep();
      signer.dropPolynomial(dropped.polynomial);
      signer.dropPolynomial(dropped.polynomial);
      for (const args of [done, failed, dropped]) {
        expect(refusal(() => signer.keygenShareFor(args.polynomial, 1)).code).toBe('NonceConsumed');
        expect(refusal(() => signer.keygenFinish(args)).code).toBe('NonceConsumed');
      }
    });

    test('a foreign polynomial handle is refused and leaves its own signer untouched', () => {
      const stranger = backing.create();
      const { own: _, ...args } = lastStep();
      expect(refusal(() => stranger.keygenFinish(args)).code).toBe('NonceConsumed');
      expect(refusal(() => stranger.keygenShareFor(args.polynomial, 1)).code).toBe('NonceConsumed');
      stranger.dropPolynomial(args.polynomial);
      for (const forged of [{}, null, undefined, 1, { ...args.polynomial }]) {
        const polynomial = forged as unknown as PolynomialHandle;
        expect(refusal(() => signer.keygenFinish({ ...args, polynomial })).code).toBe('NonceConsumed');
      }
      const nonces = committed(signer, key).asking.nonces as unknown as PolynomialHandle;
      expect(refusal(() => signer.keygenFinish({ ...args, polynomial: nonces })).code).toBe('NonceConsumed');
      expect(signer.keygenFinish(args).groupKey).toHaveLength(33);
    });
  });
}
