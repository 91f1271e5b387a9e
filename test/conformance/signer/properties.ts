import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeyTweak, PartyId, Signer, SigningPackage } from '../../../src/crypto/signer.ts';
import { createNobleSigner } from '../../support/nobleSigner.ts';
import type { Backing } from './backings.ts';
import { be } from './badEncodings.ts';
import { committed, KEY_PATH, type Key, refusal, runKeygen, secretOf } from './fixture.ts';
import {
  BASE,
  expressible,
  Fn,
  IDS,
  integer,
  oracleKeygen,
  oracleKeyOf,
  oracleSign,
  scalarBytes,
} from './oracle.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** 1..n-1, its ends and small values often. */
const scalar = fc.oneof(
  { arbitrary: fc.bigInt({ min: 1n, max: Fn.ORDER - 1n }), weight: 3 },
  { arbitrary: fc.constantFrom(1n, 2n, 3n, Fn.ORDER - 1n, Fn.ORDER - 2n, Fn.ORDER >> 1n), weight: 1 },
);
/** Randomness of one scalar as the host hands it in: sometimes not reduced, never zero modulo n. */
const rawScalar = fc.oneof(bytes(32), scalar.map(be)).filter((b) => integer(b) % Fn.ORDER !== 0n);
const keygenRandomness = fc.tuple(rawScalar, rawScalar, rawScalar).map((parts) => concatBytes(...parts));
const reference = createNobleSigner();
const empty = new Uint8Array(0);

const tweak: fc.Arbitrary<KeyTweak> = fc
  .record({
    derivation: fc.oneof(fc.constant(be(0n)), scalar.map(be)),
    path: fc.constantFrom('key', 'key', 'leaf'),
    merkleRoot: fc.oneof(fc.constant(empty), bytes(32)),
  })
  .map((t) => (t.path === 'leaf' ? { ...t, merkleRoot: empty } : t) as KeyTweak);

const PAIRS: readonly (readonly [PartyId, PartyId])[] = IDS.flatMap((a) =>
  IDS.filter((b) => b !== a).map((b) => [a, b] as const),
);

const signing = fc.record({
  tweak,
  ids: fc.constantFrom(...PAIRS),
  message: bytes(32),
  randomness: fc.tuple(bytes(64), bytes(64)),
  contexts: fc.tuple(
    fc.oneof(fc.constant(empty), fc.uint8Array({ maxLength: 200 })),
    fc.oneof(fc.constant(empty), fc.uint8Array({ maxLength: 200 })),
  ),
  reversed: fc.boolean(),
});
type Signing = typeof signing extends fc.Arbitrary<infer T> ? T : never;

/** Sessions of one key: a fresh keygen costs the oracle as much as ten signatures. */
const SESSIONS_PER_KEY = 10;

/** The failing case is printed as it came: to shrink it would take the oracle minutes. */
const runs = { endOnFailure: true };

/** Random and edge inputs, every byte against the oracle. */
export function properties(backing: Backing): void {
  describe(`${backing.name}: properties`, () => {
    let signer: Signer;
    beforeAll(() => {
      signer = backing.create();
    });

    /** One signature of two parties, each byte that leaves them compared. */
    function session(key: Key, s: Signing, aggregated = true): void {
      const { ids, message } = s;
      const made = ids.map((id, i) => ({
        id,
        ...signer.commit({
          share: secretOf(key.shares[id]),
          randomness: s.randomness[i]!,
          context: s.contexts[i]!,
        }),
      }));
      const [asking, answering] = made as [(typeof made)[0], (typeof made)[0]];
      const listed = made.map(({ id, commitment }) => ({ id, commitment }));
      const pkg: SigningPackage = {
        groupKey: key.groupKey,
        tweak: s.tweak,
        expectedKey: oracleKeyOf(key.groupKey, s.tweak),
        message,
        commitments: s.reversed ? listed.reverse() : listed,
      };
      const want = oracleSign({
        key,
        tweak: s.tweak,
        message,
        ids,
        randomness: { [ids[0]]: s.randomness[0], [ids[1]]: s.randomness[1] },
        contexts: { [ids[0]]: s.contexts[0], [ids[1]]: s.contexts[1] },
      });
      for (const { id, commitment } of made) expect(commitment).toEqual(want.commitments[id]);
      const signatureShare = signer.signShare({
        id: answering.id,
        share: secretOf(key.shares[answering.id]),
        nonces: answering.nonces,
        package: pkg,
      });
      expect(signatureShare).toEqual(want.signatureShares[answering.id]);
      const peer = {
        id: answering.id,
        verifyingShare: key.verifyingShares[answering.id - 1]!,
        signatureShare,
      };
      signer.verifyShare({ ...peer, package: pkg });
      const signature = signer.finish({
        id: asking.id,
        share: secretOf(key.shares[asking.id]),
        nonces: asking.nonces,
        package: pkg,
        peer,
      });
      const [z1, z2] = ids.map((id) => integer(want.signatureShares[id]!)) as [bigint, bigint];
      expect(signature.slice(32)).toEqual(scalarBytes(z1 + z2));
      if (aggregated) expect(signature).toEqual(want.aggregate());
      expect(
        signer.aggregate({
          shares: [peer, { id: asking.id, signatureShare: want.signatureShares[asking.id]! }],
          package: pkg,
        }),
      ).toEqual(signature);
      expect(signer.schnorrVerify(pkg.expectedKey, message, signature)).toBe(true);
    }

    const keygenInputs = fc.record({
      session: bytes(32),
      randomness: fc.tuple(keygenRandomness, keygenRandomness, keygenRandomness),
    });

    /** Honest randomness never meets these; fast-check's edge values do (f0 and f1 that cancel between parties). */
    const degenerate = (randomness: readonly Uint8Array[]): boolean => {
      const at = (i: number) => (r: Uint8Array) => integer(r.subarray(32 * i, 32 * i + 32));
      const f0 = randomness.reduce((sum, r) => sum + at(0)(r), 0n);
      const f1 = randomness.reduce((sum, r) => sum + at(1)(r), 0n);
      const zero = (v: bigint) => Fn.create(v) === 0n;
      return (
        zero(f0) ||
        zero(f1) ||
        IDS.some((id) => zero(f0 + BigInt(id) * f1)) ||
        randomness.some((r) => IDS.some((id) => zero(at(0)(r) + BigInt(id) * at(1)(r))))
      );
    };

    test(`whole sessions, byte-equal with noble's FROST (${backing.sessions})`, {
      timeout: 600_000 + 200 * backing.sessions,
    }, () => {
      fc.assert(
        fc.property(
          keygenInputs,
          fc.array(signing, { minLength: SESSIONS_PER_KEY, maxLength: SESSIONS_PER_KEY }),
          (inputs, signings) => {
            fc.pre(!degenerate(inputs.randomness));
            const run = runKeygen(signer, inputs.session, inputs.randomness);
            const want = oracleKeygen(inputs.session, inputs.randomness);
            expect(run.parties).toEqual(want.parties);
            expect(run.key.groupKey).toEqual(want.groupKey);
            expect(run.key.verifyingShares).toEqual(want.verifyingShares);
            expect(run.key.shares).toEqual(want.shares);
            for (const to of IDS) {
              const { [to]: _own, ...received } = run.subShares[to];
              expect(received).toEqual(want.subShares[to]);
            }
            signings.forEach((s, i) => {
              if (expressible(run.key, s.tweak.derivation)) session(run.key, s, i === 0);
            });
          },
        ),
        { ...runs, numRuns: Math.max(1, Math.ceil(backing.sessions / SESSIONS_PER_KEY)) },
      );
    });

    test("recovery's way back: sumSubShares gives what keygenFinish gave", () => {
      fc.assert(
        fc.property(keygenInputs, fc.constantFrom(...IDS), (inputs, id) => {
          fc.pre(!degenerate(inputs.randomness));
          const run = runKeygen(signer, inputs.session, inputs.randomness);
          const again = signer.sumSubShares({
            id,
            commitments: run.parties.map((p) => p.commitment),
            subShares: [...IDS].reverse().map((from) => ({ from, share: secretOf(run.subShares[id][from]) })),
          });
          expect(again.share.expose()).toEqual(run.key.shares[id]);
          expect(again.groupKey).toEqual(run.key.groupKey);
          expect(again.verifyingShares).toEqual(run.key.verifyingShares);
        }),
        { ...runs, numRuns: 5 },
      );
    });

    test('attack-11: permuted commitments give identical bytes', () => {
      const { key } = runKeygen(signer);
      const randomness = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)] as const;
      const sign = (flip: boolean) => {
        const made = ([3, 1] as const).map((id, i) => ({
          id,
          ...signer.commit({ share: secretOf(key.shares[id]), randomness: randomness[i]!, context: empty }),
        }));
        const listed = made.map(({ id, commitment }) => ({ id, commitment }));
        const pkg: SigningPackage = {
          groupKey: key.groupKey,
          tweak: KEY_PATH,
          expectedKey: oracleKeyOf(key.groupKey, KEY_PATH),
          message: new Uint8Array(32).fill(3),
          commitments: flip ? listed.reverse() : listed,
        };
        const shares = made.map(({ id, nonces }) => ({
          id,
          signatureShare: signer.signShare({ id, share: secretOf(key.shares[id]), nonces, package: pkg }),
        }));
        return [...shares.map((s) => s.signatureShare), signer.aggregate({ shares, package: pkg })];
      };
      expect(sign(true)).toEqual(sign(false));
    });

    test('public keys and BIP-340 signatures, byte-equal with the oracle', () => {
      fc.assert(
        fc.property(scalar, bytes(32), bytes(32), (d, message, aux) => {
          expect(signer.publicKey(secretOf(be(d)))).toEqual(BASE.multiply(d).toBytes());
          const signature = signer.schnorrSign(secretOf(be(d)), message, aux);
          expect(signature).toEqual(schnorr.sign(message, be(d), aux));
          expect(signer.schnorrVerify(BASE.multiply(d).toBytes().slice(1), message, signature)).toBe(true);
        }),
        { ...runs, numRuns: Math.max(10, backing.sessions) },
      );
    });

    test('k*G for k at every power of two and its neighbours', () => {
      for (let bit = 0n; bit < 256n; bit++) {
        for (const k of [(1n << bit) - 1n, 1n << bit, (1n << bit) + 1n, Fn.ORDER - (1n << bit)]) {
          if (k <= 0n || k >= Fn.ORDER) continue;
          expect(signer.publicKey(secretOf(be(k)))).toEqual(BASE.multiply(k).toBytes());
        }
      }
    });

    // --- the exceptional cases of the group law, reached through what a peer may send --------------------------------

    /** The asking party's own share where the peer's commitment is chosen against it, judged by `verifyShare`. */
    function againstPeer(
      key: Key,
      peerCommitment: (own: Uint8Array) => Uint8Array,
      tweakUsed = KEY_PATH,
    ): void {
      const { pkg, asking } = committed(signer, key, { tweak: tweakUsed });
      const own = pkg.commitments[0]!.commitment;
      const chosen = {
        ...pkg,
        commitments: [pkg.commitments[0]!, { id: 2 as PartyId, commitment: peerCommitment(own) }],
      };
      const signatureShare = signer.signShare({
        id: 1,
        share: secretOf(key.shares[1]),
        nonces: asking.nonces,
        package: chosen,
      });
      const args = {
        id: 1 as PartyId,
        verifyingShare: key.verifyingShares[0]!,
        signatureShare,
        package: chosen,
      };
      signer.verifyShare(args);
      reference.verifyShare(args);
      expect(
        refusal(() =>
          signer.verifyShare({ ...args, signatureShare: scalarBytes(integer(signatureShare) + 1n) }),
        ).code,
      ).toBe('BadShare');
    }

    const negatedPair = (pair: Uint8Array) => {
      const copy = Uint8Array.from(pair);
      copy[0]! ^= 1;
      copy[33]! ^= 1;
      return copy;
    };

    test('attack-12: a peer commitment equal or opposite to the own one, crossed, or small multiples of G', () => {
      const { key } = runKeygen(signer);
      const G = BASE.toBytes();
      againstPeer(key, (own) => own);
      againstPeer(key, negatedPair);
      againstPeer(key, (own) => concatBytes(own.slice(33), own.slice(0, 33)));
      againstPeer(key, (own) => concatBytes(own.slice(0, 33), own.slice(0, 33)));
      againstPeer(key, (own) => concatBytes(own.slice(0, 33), negatedPair(own).slice(0, 33)));
      againstPeer(key, () => concatBytes(G, G));
      againstPeer(key, () => concatBytes(BASE.negate().toBytes(), G));
      againstPeer(key, () => concatBytes(BASE.double().toBytes(), BASE.multiply(3n).toBytes()));
    });

    test('keys at G, 2G and -G, and derivations that double or step next to infinity', () => {
      for (const k0 of [1n, 2n, Fn.ORDER - 1n, 5n]) {
        for (const f1 of [1n, 2n, Fn.ORDER - 4n]) {
          const s = (id: PartyId) => Fn.create(k0 + f1 * BigInt(id));
          if (IDS.some((id) => s(id) === 0n)) continue;
          const shares = { 1: be(s(1)), 2: be(s(2)), 3: be(s(3)) };
          const key = {
            groupKey: BASE.multiply(k0).toBytes(),
            shares,
            verifyingShares: IDS.map((id) => BASE.multiply(s(id)).toBytes()),
          };
          for (const derivation of [0n, 1n, k0, Fn.create(1n - k0), Fn.create(-2n * k0)]) {
            if (!expressible(key, be(derivation))) continue;
            for (const path of ['key', 'leaf'] as const) {
              session(key, {
                tweak: { derivation: be(derivation), path, merkleRoot: empty },
                ids: [1, 3],
                message: be(derivation),
                randomness: [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)],
                contexts: [empty, empty],
                reversed: false,
              });
            }
          }
        }
      }
    });

    test('a share that its derivation sends to zero signs, with the bytes of the reference', () => {
      const { key } = runKeygen(signer);
      const derivation = scalarBytes(-integer(key.shares[2]));
      const sign = (by: Signer) => {
        const made = ([1, 2] as const).map((id) => ({
          id,
          ...by.commit({
            share: secretOf(key.shares[id]),
            randomness: new Uint8Array(64).fill(id),
            context: empty,
          }),
        }));
        const used: KeyTweak = { derivation, path: 'leaf', merkleRoot: empty };
        const pkg: SigningPackage = {
          groupKey: key.groupKey,
          tweak: used,
          expectedKey: oracleKeyOf(key.groupKey, used),
          message: new Uint8Array(32),
          commitments: made.map(({ id, commitment }) => ({ id, commitment })),
        };
        const shares = made.map(({ id, nonces }) => ({
          id,
          signatureShare: by.signShare({ id, share: secretOf(key.shares[id]), nonces, package: pkg }),
        }));
        for (const { id, signatureShare } of shares) {
          by.verifyShare({ id, verifyingShare: key.verifyingShares[id - 1]!, signatureShare, package: pkg });
        }
        return [shares, by.aggregate({ shares, package: pkg })];
      };
      expect(sign(signer)).toEqual(sign(reference));
    });

    test('equal and opposite keygen commitments', () => {
      // All parties alike: every addition is a doubling. Opposite ones leave the third alone.
      const one = (f0: bigint, f1: bigint) => concatBytes(scalarBytes(f0), scalarBytes(f1), be(1n));
      const sets = [
        [one(1n, 1n), one(1n, 1n), one(1n, 1n)],
        [one(7n, 9n), one(-7n, -9n), one(5n, 6n)],
        [one(7n, 9n), one(5n, 6n), one(-7n, -9n)],
        [one(7n, -3n), one(7n, 3n), one(-13n, 8n)],
      ];
      for (const randomness of sets) {
        const session = new Uint8Array(32);
        const run = runKeygen(signer, session, randomness);
        const want = oracleKeygen(session, randomness);
        expect(run.key.groupKey).toEqual(want.groupKey);
        expect(run.key.verifyingShares).toEqual(want.verifyingShares);
        expect(run.key.shares).toEqual(want.shares);
      }
    });

    test(`attack-15: ${backing.open} open sessions finished in another order share no nonce and all verify`, {
      timeout: 120_000,
    }, () => {
      const { key } = runKeygen(signer);
      const count = backing.open;
      const open = Array.from({ length: count }, () => committed(signer, key));
      const seen = new Set(open.flatMap(({ pkg }) => pkg.commitments.map((c) => bytesToHex(c.commitment))));
      expect(seen.size).toBe(2 * count);
      // A fixed permutation that is neither order of creation nor its reverse.
      const order = open.map((_, i) => (i * 7 + 3) % count);
      expect(new Set(order).size).toBe(count);
      for (const i of order) {
        const { pkg, asking, answering } = open[i]!;
        const signatureShare = signer.signShare({
          id: answering.id,
          share: secretOf(key.shares[answering.id]),
          nonces: answering.nonces,
          package: pkg,
        });
        const signature = signer.finish({
          id: asking.id,
          share: secretOf(key.shares[asking.id]),
          nonces: asking.nonces,
          package: pkg,
          peer: { id: answering.id, verifyingShare: key.verifyingShares[answering.id - 1]!, signatureShare },
        });
        expect(signer.schnorrVerify(pkg.expectedKey, pkg.message, signature)).toBe(true);
      }
    });

    test('attack-15: binding factors cover the message, the whole list of commitments and the ids', () => {
      // The oracle hashes all of them (RFC 9591 section 4.4): without one of them the shares are others.
      const { key } = runKeygen(signer);
      const message = new Uint8Array(32).fill(6);
      const randomness = {
        1: new Uint8Array(64).fill(1),
        2: new Uint8Array(64).fill(2),
        3: new Uint8Array(64),
      };
      const contexts = { 1: empty, 2: empty, 3: empty };
      const ids: PartyId[] = [1, 2];
      const want = oracleSign({ key, tweak: KEY_PATH, message, ids, randomness, contexts });
      const made = ids.map((id) => ({
        id,
        ...signer.commit({ share: secretOf(key.shares[id]), randomness: randomness[id], context: empty }),
      }));
      const expectedKey = oracleKeyOf(key.groupKey, KEY_PATH);
      const commitments = made.map(({ id, commitment }) => ({ id, commitment }));
      const pkg = { groupKey: key.groupKey, tweak: KEY_PATH, expectedKey, message, commitments };
      for (const { id, nonces } of made) {
        const share = signer.signShare({ id, share: secretOf(key.shares[id]), nonces, package: pkg });
        expect(share).toEqual(want.signatureShares[id]);
      }
    });

    test('attack-15: a share answers the session it was made in, and no other of the same message', () => {
      const { key } = runKeygen(signer);
      const message = new Uint8Array(32).fill(5);
      const open = Array.from({ length: 4 }, () => committed(signer, key, { message }));
      const shares = open.map(({ pkg, answering }) =>
        signer.signShare({
          id: answering.id,
          share: secretOf(key.shares[answering.id]),
          nonces: answering.nonces,
          package: pkg,
        }),
      );
      for (const [i, { pkg, answering }] of open.entries()) {
        for (const [k, signatureShare] of shares.entries()) {
          const verifyingShare = key.verifyingShares[answering.id - 1]!;
          const check = () =>
            signer.verifyShare({ id: answering.id, verifyingShare, signatureShare, package: pkg });
          if (i === k) check();
          else expect(refusal(check)).toEqual({ code: 'BadShare', culprit: answering.id });
          // With the other session's commitments beside the own ones, neither: the binding factors are another's.
          const mixed = [pkg.commitments[0]!, open[k]!.pkg.commitments[1]!];
          const mixedUp = () =>
            signer.verifyShare({
              id: answering.id,
              verifyingShare,
              signatureShare,
              package: { ...pkg, commitments: mixed },
            });
          if (i !== k) expect(refusal(mixedUp).code).toBe('BadShare');
        }
      }
    });
  });
}
