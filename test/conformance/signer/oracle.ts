/**
 * What a signer must answer, by `@noble/curves`' own FROST: the suite's keygen without its taproot adjustment and with the
 * session in the proof's DST, and `schnorr_FROST` signing on tweaked shares. It shares no line with nobleSigner.
 * It is no guard: it accepts what facts/attacks.md lists at its end, so refusals are tested without it.
 */
import { createFROST, type FrostPublic, type FrostSecret } from '@noble/curves/abstract/frost.js';
import { __TEST, schnorr_FROST, secp256k1, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { type KeyTweak, type PartyId, SUITE } from '../../../src/crypto/signer.ts';

export const { Point } = secp256k1;
export const { BASE, Fn, Fp } = Point;
export const IDS = [1, 2, 3] as const satisfies readonly PartyId[];

const SIGNERS = { min: 2, max: 3 };
const { hashToScalar } = secp256k1_hasher;

export const integer = (bytes: Uint8Array): bigint => BigInt(`0x${bytesToHex(bytes)}`);
export const scalarBytes = (value: bigint): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Fn.toBytes(Fn.create(value)));
const idOf = (id: PartyId) => schnorr_FROST.Identifier.fromNumber(id);
const isEven = (p: typeof BASE) => p.toBytes(true)[0] === 2;

export interface OracleKey {
  readonly parties: readonly { readonly commitment: Uint8Array; readonly proof: Uint8Array }[];
  /** By id: subShares[to][from]. */
  readonly subShares: Readonly<Record<PartyId, Readonly<Record<PartyId, Uint8Array>>>>;
  readonly groupKey: Uint8Array;
  readonly shares: Readonly<Record<PartyId, Uint8Array>>;
  readonly verifyingShares: readonly Uint8Array[];
}

/** `randomness` of 48 bytes that noble's hash to the field maps to `value` mod n. */
const seedFor = (value: Uint8Array): Uint8Array => {
  const seed = new Uint8Array(48);
  seed.set(scalarBytes((integer(value) % Fn.ORDER) - 1n), 16);
  return seed;
};

/** PedPop among three honest parties; `randomness` as in `keygenCommit`, of ids 1, 2, 3. */
export function oracleKeygen(session: Uint8Array, randomness: readonly Uint8Array[]): OracleKey {
  const frost = createFROST({
    name: SUITE,
    Point,
    hash: sha256,
    hashToScalar,
    HDKG: `${SUITE}dkg${bytesToHex(session)}`,
    adjustScalar: (k) => (isEven(BASE.multiply(k)) ? k : Fn.neg(k)),
    adjustTx: {
      encode: (proof) => proof.slice(1),
      decode: (proof) => Uint8Array.from([2, ...proof]),
    },
  });
  const first = IDS.map((id, i) => {
    const [f0, f1, k] = [0, 32, 64].map((at) => randomness[i]!.subarray(at, at + 32)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const seeds = [seedFor(f1), seedFor(k)];
    return frost.DKG.round1(idOf(id), SIGNERS, scalarBytes(integer(f0)), () => seeds.shift()!);
  });
  const others = <T>(list: readonly T[], i: number) => list.filter((_, j) => j !== i);
  const second = first.map((p, i) =>
    frost.DKG.round2(
      p.secret,
      others(
        first.map((q) => q.public),
        i,
      ),
    ),
  );
  const subShares = {} as Record<PartyId, Record<PartyId, Uint8Array>>;
  for (const to of IDS) {
    subShares[to] = {} as Record<PartyId, Uint8Array>;
    for (const from of IDS) {
      if (from !== to) subShares[to][from] = second[from - 1]![idOf(to)]!.signingShare;
    }
  }
  const keys = first.map((p, i) =>
    frost.DKG.round3(
      p.secret,
      others(
        first.map((q) => q.public),
        i,
      ),
      others(second, i).map((packages) => packages[idOf(IDS[i]!)]!),
    ),
  );
  const shares = {} as Record<PartyId, Uint8Array>;
  for (const id of IDS) shares[id] = keys[id - 1]!.secret.signingShare;
  return {
    parties: first.map((p) => ({
      commitment: concatBytes(...p.public.commitment),
      proof: p.public.proofOfKnowledge,
    })),
    subShares,
    groupKey: keys[0]!.public.commitments[0]!,
    shares,
    verifyingShares: IDS.map((id) => keys[0]!.public.verifyingShares[idOf(id)]!),
  };
}

export interface OracleSecrets {
  readonly groupKey: Uint8Array;
  readonly shares: Readonly<Record<PartyId, Uint8Array>>;
  readonly verifyingShares: readonly Uint8Array[];
}

/** noble's packages for the derived and, on the key path, taproot-tweaked key. */
function tweakedPackages(key: OracleSecrets, tweak: KeyTweak) {
  const t = integer(tweak.derivation);
  const shift = (p: Uint8Array) => Point.fromBytes(p).add(BASE.multiplyUnsafe(t)).toBytes();
  // noble hashes and signs under the constant commitment only; the slope is not read.
  const derived = {
    signers: SIGNERS,
    commitments: [shift(key.groupKey), BASE.toBytes()],
    verifyingShares: Object.fromEntries(key.verifyingShares.map((y, i) => [idOf(IDS[i]!), shift(y)])),
  } as FrostPublic;
  const secretOf = (id: PartyId): FrostSecret => {
    const secret = {
      identifier: idOf(id),
      signingShare: scalarBytes(integer(key.shares[id]) + t),
    } as FrostSecret;
    return tweak.path === 'key' ? __TEST.frostTweakSecret(secret, derived, tweak.merkleRoot) : secret;
  };
  return {
    pub: tweak.path === 'key' ? __TEST.frostTweakPublic(derived, tweak.merkleRoot) : derived,
    secretOf,
  };
}

/** noble encodes no identity, so a derived key or verifying share at infinity is beyond this oracle. */
export const expressible = (key: OracleSecrets, derivation: Uint8Array): boolean =>
  [key.groupKey, ...key.verifyingShares].every(
    (p) =>
      !Point.fromBytes(p)
        .add(BASE.multiplyUnsafe(integer(derivation)))
        .is0(),
  );

/** x of the key that signs under `tweak`. */
export function oracleKeyOf(groupKey: Uint8Array, tweak: KeyTweak): Uint8Array {
  const key = { groupKey, shares: {} as OracleSecrets['shares'], verifyingShares: [] };
  return tweakedPackages(key, tweak).pub.commitments[0]!.slice(1);
}

/** RFC 9591 nonce_generate, extended by the context. */
export function oracleNonces(id: PartyId, share: Uint8Array, randomness: Uint8Array, context: Uint8Array) {
  if (context.length === 0) {
    const halves = [randomness.slice(0, 32), randomness.slice(32)];
    return schnorr_FROST.commit(
      { identifier: idOf(id), signingShare: share } as FrostSecret,
      () => halves.shift()!,
    );
  }
  const [hiding, binding] = [0, 32].map((at) =>
    Fn.toBytes(
      hashToScalar(concatBytes(randomness.subarray(at, at + 32), share, context), {
        DST: utf8ToBytes(`${SUITE}nonce`),
      }),
    ),
  ) as [Uint8Array, Uint8Array];
  const public_ = (k: Uint8Array) => BASE.multiply(Fn.fromBytes(k)).toBytes();
  return {
    nonces: { hiding, binding },
    commitments: { identifier: idOf(id), hiding: public_(hiding), binding: public_(binding) },
  };
}

export interface OracleSession {
  readonly commitments: Readonly<Record<PartyId, Uint8Array>>;
  readonly signatureShares: Readonly<Record<PartyId, Uint8Array>>;
  /** noble's aggregation, verified by it: as dear as all the rest. */
  readonly aggregate: () => Uint8Array;
}

/** One signature by `ids`; the nonce inputs are by id. */
export function oracleSign(args: {
  key: OracleSecrets;
  tweak: KeyTweak;
  message: Uint8Array;
  ids: readonly PartyId[];
  randomness: Readonly<Partial<Record<PartyId, Uint8Array>>>;
  contexts: Readonly<Partial<Record<PartyId, Uint8Array>>>;
}): OracleSession {
  const { key, tweak, message, ids } = args;
  const { pub, secretOf } = tweakedPackages(key, tweak);
  const made = ids.map((id) => oracleNonces(id, key.shares[id], args.randomness[id]!, args.contexts[id]!));
  const list = made.map((m) => m.commitments);
  const commitments = {} as Record<PartyId, Uint8Array>;
  const signatureShares = {} as Record<PartyId, Uint8Array>;
  ids.forEach((id, i) => {
    commitments[id] = concatBytes(list[i]!.hiding, list[i]!.binding);
    signatureShares[id] = schnorr_FROST.signShare(secretOf(id), pub, made[i]!.nonces, list, message);
  });
  const aggregate = () =>
    schnorr_FROST.aggregate(
      pub,
      list,
      message,
      Object.fromEntries(ids.map((id) => [idOf(id), signatureShares[id]])),
    );
  return { commitments, signatureShares, aggregate };
}
