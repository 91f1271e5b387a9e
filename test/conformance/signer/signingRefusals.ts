import { beforeAll, describe, expect, test } from 'vitest';
import type { KeyTweak, NonceHandle, PartyId, Signer, SigningPackage } from '../../../src/crypto/signer.ts';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import type { Backing } from './backings.ts';
import {
  BAD_PAIR_LENGTHS,
  BAD_PAIRS,
  BAD_POINTS,
  BAD_SCALARS,
  BAD_SECRETS,
  badLengths,
} from './badEncodings.ts';
import {
  addOne,
  committed,
  flip,
  KEY_PATH,
  type Key,
  negatedPoint,
  refusal,
  runKeygen,
  secretOf,
} from './fixture.ts';
import { BASE, Fn, integer, scalarBytes } from './oracle.ts';

/** Every bad input of signing, each with its code. */
export function signingRefusals(backing: Backing): void {
  describe(`${backing.name}: signing refusals`, () => {
    let signer: Signer;
    let key: Key;
    beforeAll(() => {
      signer = backing.create();
      key = runKeygen(signer).key;
    });

    /** A whole session after the refused calls: no refusal may leave the signer worse. */
    function stillSigns(): void {
      const { pkg, asking, answering } = committed(signer, key);
      const signatureShare = answer(pkg, answering);
      const signature = signer.finish({
        id: asking.id,
        share: secretOf(key.shares[asking.id]),
        nonces: asking.nonces,
        package: pkg,
        peer: { id: answering.id, verifyingShare: key.verifyingShares[answering.id - 1]!, signatureShare },
      });
      expect(signer.schnorrVerify(pkg.expectedKey, pkg.message, signature)).toBe(true);
    }

    const answer = (pkg: SigningPackage, by: { id: PartyId; nonces: NonceHandle }) =>
      signer.signShare({ id: by.id, share: secretOf(key.shares[by.id]), nonces: by.nonces, package: pkg });

    // --- signing ---------------------------------------------------------------------------------------------------

    test.each(BAD_SECRETS)('attack-07: a share of %s neither commits nor signs', (_, bad) => {
      const randomness = new Uint8Array(64).fill(1);
      expect(
        refusal(() => signer.commit({ share: secretOf(bad), randomness, context: new Uint8Array(0) })).code,
      ).toBe('BadEncoding');
      const { pkg, asking } = committed(signer, key);
      const sign = () =>
        signer.signShare({ id: 1, share: secretOf(bad), nonces: asking.nonces, package: pkg });
      expect(refusal(sign).code).toBe('BadEncoding');
      expect(refusal(sign).code).toBe('NonceConsumed');
    });

    test.each(badLengths(64))('commit refuses randomness of %s', (_, bad) => {
      expect(
        refusal(() =>
          signer.commit({ share: secretOf(key.shares[1]), randomness: bad, context: new Uint8Array(0) }),
        ).code,
      ).toBe('BadEncoding');
    });

    /** Every call that reads a package, on the same bad package; those with nonces must consume them too. */
    function refusedByAll(pkg: SigningPackage): ErrorCode[] {
      const peer = {
        id: 2 as PartyId,
        verifyingShare: key.verifyingShares[1]!,
        signatureShare: scalarBytes(1n),
      };
      const handles = [0, 1].map(() => committed(signer, key).asking.nonces);
      const sign = () =>
        signer.signShare({ id: 1, share: secretOf(key.shares[1]), nonces: handles[0]!, package: pkg });
      const finish = () =>
        signer.finish({ id: 1, share: secretOf(key.shares[1]), nonces: handles[1]!, package: pkg, peer });
      const codes = [
        sign,
        finish,
        () => signer.verifyShare({ ...peer, package: pkg }),
        () => signer.aggregate({ shares: [peer, { ...peer, id: 1 }], package: pkg }),
      ].map((act) => refusal(act).code);
      expect([refusal(sign).code, refusal(finish).code]).toEqual(['NonceConsumed', 'NonceConsumed']);
      return [...new Set(codes)];
    }

    const tweaked = (over: Partial<KeyTweak>): KeyTweak => ({ ...KEY_PATH, ...over });

    test.each(BAD_POINTS)('attack-07: a group key: %s', (_, bad) => {
      expect(refusedByAll({ ...committed(signer, key).pkg, groupKey: bad })).toEqual(['BadEncoding']);
    });

    test.each(BAD_SCALARS)('attack-19: a derivation of %s', (_, bad) => {
      const { pkg } = committed(signer, key);
      expect(refusedByAll({ ...pkg, tweak: tweaked({ derivation: bad }) })).toEqual(['BadEncoding']);
    });

    test('attack-19: a merkle root of another length, on a leaf, or an unknown path', () => {
      const { pkg } = committed(signer, key);
      for (const length of [1, 31, 33, 64]) {
        const merkleRoot = new Uint8Array(length);
        expect(refusedByAll({ ...pkg, tweak: tweaked({ merkleRoot }) })).toEqual(['BadEncoding']);
      }
      for (const length of [1, 32]) {
        const tweak = tweaked({ path: 'leaf', merkleRoot: new Uint8Array(length) });
        expect(refusedByAll({ ...pkg, tweak })).toEqual(['BadEncoding']);
      }
      for (const path of ['', 'Key', 'constructor', undefined]) {
        const tweak = tweaked({ path: path as unknown as 'key' });
        expect(refusedByAll({ ...pkg, tweak })).toEqual(['BadEncoding']);
      }
    });

    test('attack-19: T that sends the derived key to infinity is refused', () => {
      const secret = integer(key.shares[1]) * 2n - integer(key.shares[2]);
      expect(BASE.multiply(Fn.create(secret)).toBytes()).toEqual(key.groupKey);
      const { pkg } = committed(signer, key);
      for (const path of ['key', 'leaf'] as const) {
        const tweak = tweaked({ path, derivation: scalarBytes(-secret) });
        expect(refusedByAll({ ...pkg, tweak })).toEqual(['BadEncoding']);
      }
    });

    test('attack-19: any other key than the one the tweak gives is KeyMismatch', () => {
      const { pkg } = committed(signer, key);
      const mismatching: SigningPackage[] = [
        { ...pkg, expectedKey: flip(pkg.expectedKey) },
        { ...pkg, expectedKey: pkg.groupKey.slice(1) },
        { ...pkg, expectedKey: new Uint8Array(32) },
        { ...pkg, groupKey: key.verifyingShares[0]! },
        { ...pkg, groupKey: negatedPoint(pkg.groupKey), tweak: tweaked({ derivation: scalarBytes(1n) }) },
        { ...pkg, tweak: tweaked({ derivation: scalarBytes(1n) }) },
        { ...pkg, tweak: tweaked({ merkleRoot: new Uint8Array(32) }) },
        { ...pkg, tweak: tweaked({ path: 'leaf' }) },
      ];
      for (const bad of mismatching) expect(refusedByAll(bad)).toEqual(['KeyMismatch']);
    });

    test.each(badLengths(32))('an expected key or message of %s', (_, bad) => {
      const { pkg } = committed(signer, key);
      expect(refusedByAll({ ...pkg, expectedKey: bad })).toEqual(['BadEncoding']);
      expect(refusedByAll({ ...pkg, message: bad })).toEqual(['BadEncoding']);
    });

    test.each([...BAD_PAIRS, ...BAD_PAIR_LENGTHS])(
      'attack-07, attack-12: a nonce commitment: %s',
      (_, bad) => {
        const { pkg } = committed(signer, key);
        for (const at of [0, 1]) {
          const commitments = pkg.commitments.with(at, { ...pkg.commitments[at]!, commitment: bad });
          expect(refusedByAll({ ...pkg, commitments })).toEqual(['BadEncoding']);
        }
      },
    );

    test('attack-11: commitments missing, twice or of three signers are BadIdentifier', () => {
      const { pkg } = committed(signer, key);
      const [a, b] = pkg.commitments;
      const lists = [[], [a!], [a!, a!], [a!, { ...b!, id: a!.id }], [a!, b!, { ...b!, id: 3 as PartyId }]];
      for (const commitments of lists)
        expect(refusedByAll({ ...pkg, commitments })).toEqual(['BadIdentifier']);
    });

    test('attack-11: a party outside the package is BadIdentifier', () => {
      const { pkg, asking, answering } = committed(signer, key, { ids: [1, 2] });
      const signatureShare = scalarBytes(1n);
      const acts = [
        () =>
          signer.signShare({ id: 3, share: secretOf(key.shares[3]), nonces: asking.nonces, package: pkg }),
        () =>
          signer.verifyShare({
            id: 3,
            verifyingShare: key.verifyingShares[2]!,
            signatureShare,
            package: pkg,
          }),
        () =>
          signer.aggregate({
            shares: [
              { id: 1, signatureShare },
              { id: 3, signatureShare },
            ],
            package: pkg,
          }),
        () =>
          signer.finish({
            id: 2,
            share: secretOf(key.shares[2]),
            nonces: answering.nonces,
            package: pkg,
            peer: { id: 3, verifyingShare: key.verifyingShares[2]!, signatureShare },
          }),
      ];
      for (const act of acts) expect(refusal(act).code).toBe('BadIdentifier');
    });

    test('attack-06: a peer that is oneself, and shares of one signer twice, one or three', () => {
      const { pkg, asking } = committed(signer, key);
      const signatureShare = scalarBytes(1n);
      const share = (id: PartyId) => ({ id, signatureShare });
      expect(
        refusal(() =>
          signer.finish({
            id: 1,
            share: secretOf(key.shares[1]),
            nonces: asking.nonces,
            package: pkg,
            peer: { id: 1, verifyingShare: key.verifyingShares[0]!, signatureShare },
          }),
        ).code,
      ).toBe('BadIdentifier');
      for (const shares of [[], [share(1)], [share(1), share(1)], [share(1), share(2), share(2)]]) {
        expect(refusal(() => signer.aggregate({ shares, package: pkg })).code).toBe('BadIdentifier');
      }
    });

    test("attack-11: an own commitment that is not the handle's gets no share", () => {
      for (const half of [0, 33]) {
        const { pkg, asking } = committed(signer, key);
        const altered = Uint8Array.from(pkg.commitments[0]!.commitment);
        altered.set(BASE.toBytes(), half);
        const commitments = [{ id: asking.id, commitment: altered }, pkg.commitments[1]!];
        expect(refusal(() => answer({ ...pkg, commitments }, asking)).code).toBe('TranscriptMismatch');
      }
      // The same handle used for another party of the list.
      const { pkg, asking } = committed(signer, key);
      expect(
        refusal(() =>
          signer.signShare({ id: 2, share: secretOf(key.shares[2]), nonces: asking.nonces, package: pkg }),
        ).code,
      ).toBe('TranscriptMismatch');
    });

    test.each(BAD_POINTS)('attack-07: a verifying share: %s', (_, verifyingShare) => {
      const { pkg, asking, answering } = committed(signer, key);
      const signatureShare = answer(pkg, answering);
      const peer = { id: answering.id, verifyingShare, signatureShare };
      expect(refusal(() => signer.verifyShare({ ...peer, package: pkg })).code).toBe('BadEncoding');
      const finish = () =>
        signer.finish({ id: 1, share: secretOf(key.shares[1]), nonces: asking.nonces, package: pkg, peer });
      expect(refusal(finish).code).toBe('BadEncoding');
      expect(refusal(finish).code).toBe('NonceConsumed');
    });

    test.each(BAD_SCALARS)('attack-07: a signature share of %s', (_, signatureShare) => {
      const { pkg, asking, answering } = committed(signer, key);
      const good = answer(pkg, answering);
      const peer = { id: answering.id, verifyingShare: key.verifyingShares[1]!, signatureShare };
      expect(refusal(() => signer.verifyShare({ ...peer, package: pkg })).code).toBe('BadEncoding');
      for (const shares of [
        [
          { id: 1 as PartyId, signatureShare },
          { id: 2 as PartyId, signatureShare: good },
        ],
        [{ id: 1 as PartyId, signatureShare: good }, peer],
      ]) {
        expect(refusal(() => signer.aggregate({ shares, package: pkg })).code).toBe('BadEncoding');
      }
      const finish = () =>
        signer.finish({ id: 1, share: secretOf(key.shares[1]), nonces: asking.nonces, package: pkg, peer });
      expect(refusal(finish).code).toBe('BadEncoding');
      expect(refusal(finish).code).toBe('NonceConsumed');
    });

    test('attack-21: a wrong signature share is BadShare, blamed, and brings no signature', () => {
      const { pkg, asking, answering } = committed(signer, key);
      const good = answer(pkg, answering);
      const verifyingShare = key.verifyingShares[1]!;
      const wrong = [addOne(good), new Uint8Array(32), scalarBytes(-integer(good))];
      for (const signatureShare of wrong) {
        expect(
          refusal(() => signer.verifyShare({ id: 2, verifyingShare, signatureShare, package: pkg })),
        ).toEqual({ code: 'BadShare', culprit: 2 });
      }
      for (const other of [key.verifyingShares[0]!, negatedPoint(verifyingShare)]) {
        expect(
          refusal(() =>
            signer.verifyShare({ id: 2, verifyingShare: other, signatureShare: good, package: pkg }),
          ),
        ).toEqual({ code: 'BadShare', culprit: 2 });
      }
      const finish = () =>
        signer.finish({
          id: 1,
          share: secretOf(key.shares[1]),
          nonces: asking.nonces,
          package: pkg,
          peer: { id: 2, verifyingShare, signatureShare: wrong[0]! },
        });
      expect(refusal(finish)).toEqual({ code: 'BadShare', culprit: 2 });
      expect(refusal(finish).code).toBe('NonceConsumed');
    });

    test('attack-10: a share for another message, tweak or commitment list is BadShare', () => {
      const { pkg, answering } = committed(signer, key);
      const signatureShare = answer(pkg, answering);
      const check = (over: Partial<SigningPackage>) =>
        refusal(() =>
          signer.verifyShare({
            id: 2,
            verifyingShare: key.verifyingShares[1]!,
            signatureShare,
            package: { ...pkg, ...over },
          }),
        ).code;
      expect(check({ message: flip(pkg.message) })).toBe('BadShare');
      const other = committed(signer, key).pkg.commitments;
      expect(check({ commitments: [other[0]!, pkg.commitments[1]!] })).toBe('BadShare');
      expect(check({ commitments: [pkg.commitments[0]!, other[1]!] })).toBe('BadShare');
    });

    test('attack-21: shares that do not add up to a signature are BadSignature', () => {
      const { pkg, asking, answering } = committed(signer, key);
      const z1 = answer(pkg, asking);
      const z2 = answer(pkg, answering);
      for (const signatureShare of [addOne(z2), z1, new Uint8Array(32)]) {
        const shares = [
          { id: asking.id, signatureShare: z1 },
          { id: answering.id, signatureShare },
        ];
        expect(refusal(() => signer.aggregate({ shares, package: pkg })).code).toBe('BadSignature');
      }
    });

    test('finish with a share that is not the own one is BadSignature: it never leaves unverified', () => {
      const { pkg, asking, answering } = committed(signer, key);
      const signatureShare = answer(pkg, answering);
      expect(
        refusal(() =>
          signer.finish({
            id: 1,
            share: secretOf(key.shares[3]),
            nonces: asking.nonces,
            package: pkg,
            peer: { id: 2, verifyingShare: key.verifyingShares[1]!, signatureShare },
          }),
        ).code,
      ).toBe('BadSignature');
    });

    test('attack-13, attack-14: a nonce handle gives one answer, whatever it was', () => {
      const { pkg, asking, answering } = committed(signer, key);
      const signatureShare = answer(pkg, answering);
      const other = { ...pkg, message: flip(pkg.message) };
      for (const again of [pkg, other])
        expect(refusal(() => answer(again, answering)).code).toBe('NonceConsumed');
      const finish = (package_: SigningPackage) =>
        signer.finish({
          id: 1,
          share: secretOf(key.shares[1]),
          nonces: asking.nonces,
          package: package_,
          peer: { id: 2, verifyingShare: key.verifyingShares[1]!, signatureShare },
        });
      expect(finish(pkg)).toHaveLength(64);
      for (const again of [pkg, other]) expect(refusal(() => finish(again)).code).toBe('NonceConsumed');
      // A list that is refused before the module hears of the handle is an answer too.
      const refused = committed(signer, key);
      expect(refusal(() => answer({ ...refused.pkg, commitments: [] }, refused.asking)).code).toBe(
        'BadIdentifier',
      );
      expect(refusal(() => answer(refused.pkg, refused.asking)).code).toBe('NonceConsumed');
      const dropped = committed(signer, key);
      signer.dropNonces(dropped.asking.nonces);
      signer.dropNonces(dropped.asking.nonces);
      expect(refusal(() => answer(dropped.pkg, dropped.asking)).code).toBe('NonceConsumed');
    });

    test('a foreign, forged, copied or wrong-kind nonce handle is refused and consumes nothing', () => {
      const stranger = backing.create();
      const { pkg, asking } = committed(signer, key);
      const sign = (by: Signer, nonces: unknown) => () =>
        by.signShare({
          id: asking.id,
          share: secretOf(key.shares[asking.id]),
          nonces: nonces as NonceHandle,
          package: pkg,
        });
      expect(refusal(sign(stranger, asking.nonces)).code).toBe('NonceConsumed');
      stranger.dropNonces(asking.nonces);
      const { polynomial } = signer.keygenCommit({
        id: 1,
        session: new Uint8Array(32),
        randomness: new Uint8Array(96).fill(1),
      });
      const copies = [
        { ...asking.nonces },
        Object.create(asking.nonces as object),
        structuredClone(asking.nonces),
      ];
      for (const forged of [...copies, {}, null, undefined, 0, 1, 'x', polynomial]) {
        expect(refusal(sign(signer, forged)).code).toBe('NonceConsumed');
      }
      expect(sign(signer, asking.nonces)()).toHaveLength(32);
    });

    test('after all of it the signer still signs', () => stillSigns());
  });
}
