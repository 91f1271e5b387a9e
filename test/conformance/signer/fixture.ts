import { randomBytes } from '@noble/hashes/utils.js';
import { expect } from 'vitest';
import { Secret } from '../../../src/crypto/secret.ts';
import type { KeyTweak, PartyId, Signer, SigningPackage } from '../../../src/crypto/signer.ts';
import { type ErrorCode, isHoarfrostError } from '../../../src/protocol/errors.ts';
import { IDS, integer, oracleKeyOf, scalarBytes } from './oracle.ts';

/** A `Secret` over a copy, so that the test keeps the bytes. */
export const secretOf = (bytes: Uint8Array): Secret => Secret.own(Uint8Array.from(bytes));

/** The code that `act` throws, and whom it blames; fails when it returns or throws anything else. */
export function refusal(act: () => unknown): { code: ErrorCode; culprit: PartyId | undefined } {
  let result: unknown;
  try {
    result = act();
  } catch (e) {
    if (isHoarfrostError(e)) return { code: e.code, culprit: e.culprit };
    throw e;
  }
  return expect.fail(`accepted: ${String(result)}`);
}

/** The bytes with the lowest bit of one of them changed; at 0 of a point that negates it. */
export const flip = (bytes: Uint8Array, at = bytes.length - 1): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
};
export const negatedPoint = (point: Uint8Array): Uint8Array => flip(point, 0);
export const addOne = (scalar: Uint8Array): Uint8Array => scalarBytes(integer(scalar) + 1n);
export const asId = (id: unknown): PartyId => id as PartyId;

export interface Key {
  readonly groupKey: Uint8Array;
  readonly shares: Readonly<Record<PartyId, Uint8Array>>;
  readonly verifyingShares: readonly Uint8Array[];
}

export interface KeygenRun {
  readonly session: Uint8Array;
  readonly parties: readonly { commitment: Uint8Array; proof: Uint8Array }[];
  /** subShares[to][from], own included. */
  readonly subShares: Readonly<Record<PartyId, Readonly<Record<PartyId, Uint8Array>>>>;
  readonly key: Key;
}

/** Keygen by three honest parties, all run on `signer`. */
export function runKeygen(
  signer: Signer,
  session: Uint8Array = randomBytes(32),
  randomness: readonly Uint8Array[] = IDS.map(() => randomBytes(96)),
): KeygenRun {
  const parties = IDS.map((id, i) => signer.keygenCommit({ id, session, randomness: randomness[i]! }));
  const subShares = {} as Record<PartyId, Record<PartyId, Uint8Array>>;
  for (const to of IDS) {
    const from = IDS.map((id) =>
      signer
        .keygenShareFor(parties[id - 1]!.polynomial, to)
        .expose()
        .slice(),
    );
    subShares[to] = { 1: from[0]!, 2: from[1]!, 3: from[2]! };
  }
  const commitments = parties.map((p) => p.commitment);
  const results = IDS.map((id) => {
    for (const other of IDS) {
      signer.keygenVerifyProof({ id: other, session, ...parties[other - 1]! });
    }
    return signer.keygenFinish({
      id,
      polynomial: parties[id - 1]!.polynomial,
      commitments,
      subShares: IDS.filter((other) => other !== id).map((from) => ({
        from,
        share: secretOf(subShares[id][from]),
      })),
    });
  });
  for (const r of results) {
    expect(r.groupKey).toEqual(results[0]!.groupKey);
    expect(r.verifyingShares).toEqual(results[0]!.verifyingShares);
  }
  const [s1, s2, s3] = results.map((r) => r.share.expose().slice());
  return {
    session,
    parties: parties.map(({ commitment, proof }) => ({ commitment, proof })),
    subShares,
    key: {
      groupKey: results[0]!.groupKey,
      shares: { 1: s1!, 2: s2!, 3: s3! },
      verifyingShares: results[0]!.verifyingShares,
    },
  };
}

export const KEY_PATH: KeyTweak = {
  derivation: new Uint8Array(32),
  path: 'key',
  merkleRoot: new Uint8Array(0),
};

/** A package ready to sign: two parties have committed and nobody has signed. */
export function committed(
  signer: Signer,
  key: Key,
  options: { ids?: readonly [PartyId, PartyId]; tweak?: KeyTweak; message?: Uint8Array } = {},
) {
  const { ids = [1, 2] as const, tweak = KEY_PATH, message = randomBytes(32) } = options;
  const made = ids.map((id) => ({
    id,
    ...signer.commit({
      share: secretOf(key.shares[id]),
      randomness: randomBytes(64),
      context: new Uint8Array(0),
    }),
  })) as [ReturnType<Signer['commit']> & { id: PartyId }, ReturnType<Signer['commit']> & { id: PartyId }];
  const pkg: SigningPackage = {
    groupKey: key.groupKey,
    tweak,
    expectedKey: oracleKeyOf(key.groupKey, tweak),
    message,
    commitments: made.map(({ id, commitment }) => ({ id, commitment })),
  };
  return { pkg, asking: made[0], answering: made[1] };
}
