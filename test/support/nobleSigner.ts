/**
 * The signer once more, over `@noble/curves` points: the tests' reference. BigInt scalars, not constant time, nothing
 * it computes with can be wiped. The equations of DESIGN section 2 are written out by hand and owe nothing to noble's own
 * FROST, which is the other oracle (test/conformance/signer/oracle.ts).
 *
 * Where the interface leaves the code of an error open: a consumed, dropped or foreign handle of either kind is
 * `NonceConsumed`; an own commitment in the list that is not the handle's is `TranscriptMismatch`; a derived key or group
 * commitment at infinity is `BadEncoding`, like an identity on entry; a signature share may be zero, a secret may not.
 */
import { expand_message_xmd } from '@noble/curves/abstract/hash-to-curve.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { Secret } from '../../src/crypto/secret.ts';
import {
  type KeygenResult,
  type KeyTweak,
  type NonceHandle,
  type PartyId,
  type PolynomialHandle,
  type Signer,
  type SigningPackage,
  SUITE,
} from '../../src/crypto/signer.ts';
import { type ErrorDetails, ensure } from '../../src/protocol/errors.ts';

const { Point } = secp256k1;
const { BASE, ZERO, Fn, Fp } = Point;
type Point = typeof BASE;

const IDS = [1, 2, 3] as const satisfies readonly PartyId[];

// --- encodings -----------------------------------------------------------------------------------------------------

function bytes(value: Uint8Array, length: number, what: string, details?: ErrorDetails): Uint8Array {
  ensure(value instanceof Uint8Array && value.length === length, 'BadEncoding', {
    detail: `${what} length`,
    ...details,
  });
  return value;
}

/** Big-endian integer of 32 bytes, any value. */
const integer = (value: Uint8Array): bigint => BigInt(`0x${bytesToHex(value)}`);

/** 0 <= s < n. */
function scalar(value: Uint8Array, what: string, details?: ErrorDetails): bigint {
  const s = integer(bytes(value, 32, what, details));
  ensure(s < Fn.ORDER, 'BadEncoding', { detail: `${what} range`, ...details });
  return s;
}

/** 0 < s < n. */
function secretScalar(secret: Secret, what: string, details?: ErrorDetails): bigint {
  const s = scalar(secret.expose(), what, details);
  ensure(s !== 0n, 'BadEncoding', { detail: `${what} zero`, ...details });
  return s;
}

function point(value: Uint8Array, what: string, details?: ErrorDetails): Point {
  bytes(value, 33, what, details);
  const refusal = { detail: what, ...details };
  ensure(value[0] === 2 || value[0] === 3, 'BadEncoding', refusal);
  const even = liftX(value.subarray(1));
  ensure(even !== undefined, 'BadEncoding', refusal);
  return value[0] === 2 ? even : even.negate();
}

/** BIP-340 lift_x; undefined when x >= p or no point has it. */
function liftX(value: Uint8Array): Point | undefined {
  const x = integer(value);
  if (x >= Fp.ORDER) return undefined;
  try {
    const p = Point.fromBytes(concatBytes(Uint8Array.of(2), value));
    p.assertValidity();
    return p;
  } catch {
    return undefined;
  }
}

function partyId(id: PartyId): PartyId {
  ensure(IDS.includes(id), 'BadIdentifier');
  return id;
}

/** `ids` are `expected`, in any order and each once. */
function exactly(ids: readonly PartyId[], expected: readonly PartyId[]): void {
  ensure(ids.length === expected.length && expected.every((id) => ids.includes(id)), 'BadIdentifier');
}

function finite(p: Point, what: string): Point {
  ensure(!p.is0(), 'BadEncoding', { detail: `${what} is the identity` });
  return p;
}

const encode = (p: Point): Uint8Array => p.toBytes(true);
const xOf = (p: Point): Uint8Array => p.toBytes(true).subarray(1);
const isEven = (p: Point): boolean => p.toBytes(true)[0] === 2;
const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
const idBytes = (id: PartyId): Uint8Array => Fn.toBytes(BigInt(id));
const splitPair = (pair: Uint8Array) => [pair.subarray(0, 33), pair.subarray(33, 66)] as const;

// --- hashes --------------------------------------------------------------------------------------------------------

/** RFC 9591 section 6.5: hash_to_field of RFC 9380 with L = 48 over the scalar field. */
function hashToScalar(dst: string, ...message: Uint8Array[]): bigint {
  return Fn.create(BigInt(`0x${bytesToHex(expand_message_xmd(concatBytes(...message), dst, 48, sha256))}`));
}

/** BIP-340 tagged hash. */
function tagged(tag: string, ...message: Uint8Array[]): Uint8Array {
  const prefix = sha256(utf8ToBytes(tag));
  return sha256(concatBytes(prefix, prefix, ...message));
}

const challenge = (r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint =>
  Fn.create(integer(tagged('BIP0340/challenge', r, key, message)));

// --- BIP-340 -------------------------------------------------------------------------------------------------------

function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || message.length !== 32 || signature.length !== 64) return false;
  const key = liftX(publicKey);
  const r = signature.subarray(0, 32);
  const s = integer(signature.subarray(32));
  if (key === undefined || integer(r) >= Fp.ORDER || s >= Fn.ORDER) return false;
  const e = challenge(r, publicKey, message);
  const nonce = BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(e));
  return !nonce.is0() && isEven(nonce) && equal(xOf(nonce), r);
}

function sign(secret: Secret, message: Uint8Array, aux: Uint8Array): Uint8Array {
  const d0 = secretScalar(secret, 'secret');
  bytes(message, 32, 'message');
  bytes(aux, 32, 'aux');
  const key = BASE.multiply(d0);
  const d = isEven(key) ? d0 : Fn.neg(d0);
  const mask = tagged('BIP0340/aux', aux);
  const t = Fn.toBytes(d).map((byte, i) => byte ^ mask[i]!);
  const k0 = Fn.create(integer(tagged('BIP0340/nonce', t, xOf(key), message)));
  ensure(k0 !== 0n, 'BadEncoding', { detail: 'nonce zero' });
  const nonce = BASE.multiply(k0);
  const k = isEven(nonce) ? k0 : Fn.neg(k0);
  const e = challenge(xOf(nonce), xOf(key), message);
  return concatBytes(xOf(nonce), Fn.toBytes(Fn.create(k + e * d)));
}

// --- the signing key and what both signers derive from the package (DESIGN section 2) ------------------------------

/** s* = a*s + b, and `key` = the even-Y key that signs. */
interface Tweaked {
  readonly a: bigint;
  readonly b: bigint;
  readonly key: Point;
}

function applyTweak(groupKey: Uint8Array, tweak: KeyTweak): Tweaked {
  const k0 = point(groupKey, 'group key');
  const t = scalar(tweak.derivation, 'derivation');
  const root = tweak.merkleRoot;
  ensure(tweak.path === 'key' || tweak.path === 'leaf', 'BadEncoding', { detail: 'path' });
  ensure(root.length === 0 || (root.length === 32 && tweak.path === 'key'), 'BadEncoding', {
    detail: 'merkle root length',
  });
  const k = finite(k0.add(BASE.multiplyUnsafe(t)), 'derived key');
  const g1 = isEven(k) ? 1n : Fn.neg(1n);
  const p = isEven(k) ? k : k.negate();
  if (tweak.path === 'leaf') return { a: g1, b: Fn.mul(g1, t), key: p };
  const tau = scalar(tagged('TapTweak', xOf(p), root), 'TapTweak');
  const q = finite(p.add(BASE.multiplyUnsafe(tau)), 'output key');
  const g2 = isEven(q) ? 1n : Fn.neg(1n);
  return {
    a: Fn.mul(g1, g2),
    b: Fn.mul(g2, Fn.add(Fn.mul(g1, t), tau)),
    key: isEven(q) ? q : q.negate(),
  };
}

interface Member {
  readonly commitment: Uint8Array;
  /** Binding factor rho. */
  readonly rho: bigint;
  readonly lambda: bigint;
  /** g3*(D + rho*E). */
  readonly nonceShare: Point;
}

interface Session extends Tweaked {
  readonly r: Uint8Array;
  readonly g3: bigint;
  readonly c: bigint;
  readonly members: ReadonlyMap<PartyId, Member>;
}

function openPackage(pkg: SigningPackage): Session {
  const tweaked = applyTweak(pkg.groupKey, pkg.tweak);
  bytes(pkg.expectedKey, 32, 'expected key');
  bytes(pkg.message, 32, 'message');
  ensure(pkg.commitments.length === 2, 'BadIdentifier', { detail: 'two signers' });
  const list = pkg.commitments
    .map(({ id, commitment }) => {
      const [hiding, binding] = splitPair(bytes(commitment, 66, 'commitment', { culprit: partyId(id) }));
      return {
        id,
        commitment,
        d: point(hiding, 'hiding commitment', { culprit: id }),
        e: point(binding, 'binding commitment', { culprit: id }),
      };
    })
    .sort((x, y) => x.id - y.id);
  ensure(list[0]!.id !== list[1]!.id, 'BadIdentifier', { detail: 'duplicate' });
  ensure(equal(xOf(tweaked.key), pkg.expectedKey), 'KeyMismatch');

  // RFC 9591 section 4.4, with the tweaked even-Y key as the group public key.
  const encoded = concatBytes(...list.flatMap(({ id, commitment }) => [idBytes(id), commitment]));
  const prefix = concatBytes(
    encode(tweaked.key),
    sha256(concatBytes(utf8ToBytes(`${SUITE}msg`), pkg.message)),
    sha256(concatBytes(utf8ToBytes(`${SUITE}com`), encoded)),
  );
  const shares = list.map(({ id, commitment, d, e }) => {
    const rho = hashToScalar(`${SUITE}rho`, prefix, idBytes(id));
    return { id, commitment, rho, raw: d.add(e.multiplyUnsafe(rho)) };
  });
  const nonce = finite(
    shares.reduce((sum, s) => sum.add(s.raw), ZERO),
    'group commitment',
  );
  const even = isEven(nonce);
  const members = new Map<PartyId, Member>();
  for (const { id, commitment, rho, raw } of shares) {
    const other = BigInt(shares.find((s) => s.id !== id)!.id);
    const lambda = Fn.div(other, Fn.sub(other, BigInt(id)));
    members.set(id, { commitment, rho, lambda, nonceShare: even ? raw : raw.negate() });
  }
  return {
    ...tweaked,
    r: xOf(nonce),
    g3: even ? 1n : Fn.neg(1n),
    c: challenge(xOf(nonce), pkg.expectedKey, pkg.message),
    members,
  };
}

function memberOf(session: Session, id: PartyId): Member {
  const member = session.members.get(partyId(id));
  ensure(member !== undefined, 'BadIdentifier', { detail: 'not a signer of this package' });
  return member;
}

function checkShare(
  session: Session,
  id: PartyId,
  verifyingShare: Uint8Array,
  signatureShare: Uint8Array,
): bigint {
  const { nonceShare, lambda } = memberOf(session, id);
  const y = point(verifyingShare, 'verifying share');
  const z = scalar(signatureShare, 'signature share', { culprit: id });
  const tweakedY = y.multiplyUnsafe(session.a).add(BASE.multiplyUnsafe(session.b));
  const right = nonceShare.add(tweakedY.multiplyUnsafe(Fn.mul(session.c, lambda)));
  ensure(BASE.multiplyUnsafe(z).equals(right), 'BadShare', { culprit: id });
  return z;
}

interface Nonces {
  readonly hiding: bigint;
  readonly binding: bigint;
  readonly commitment: Uint8Array;
}

function makeShare(session: Session, id: PartyId, share: Secret, nonces: Nonces): bigint {
  const { commitment, rho, lambda } = memberOf(session, id);
  const s = secretScalar(share, 'share');
  ensure(equal(commitment, nonces.commitment), 'TranscriptMismatch', { detail: 'own commitment' });
  const tweaked = Fn.create(session.a * s + session.b);
  const nonce = Fn.mul(session.g3, Fn.create(nonces.hiding + rho * nonces.binding));
  return Fn.create(nonce + session.c * Fn.mul(lambda, tweaked));
}

function sumShares(session: Session, pkg: SigningPackage, z1: bigint, z2: bigint): Uint8Array {
  const signature = concatBytes(session.r, Fn.toBytes(Fn.add(z1, z2)));
  ensure(verify(pkg.expectedKey, pkg.message, signature), 'BadSignature');
  return signature;
}

// --- keygen --------------------------------------------------------------------------------------------------------

interface Polynomial {
  readonly id: PartyId;
  readonly f0: bigint;
  readonly f1: bigint;
  readonly commitment: Uint8Array;
}

const evaluate = ({ f0, f1 }: Polynomial, at: PartyId): bigint => Fn.create(f0 + f1 * BigInt(at));

function proofChallenge(id: PartyId, session: Uint8Array, phi0: Uint8Array, nonce: Point): bigint {
  return hashToScalar(`${SUITE}dkg${bytesToHex(session)}`, idBytes(id), phi0, encode(nonce));
}

function keygenCommitment(commitment: Uint8Array, culprit: PartyId): readonly [Point, Point] {
  ensure(commitment.length === 66, 'BadDegree', { culprit });
  const [phi0, phi1] = splitPair(commitment);
  return [point(phi0, 'phi0', { culprit }), point(phi1, 'phi1', { culprit })];
}

/** Checks each sub-share of `senders` against its commitment and sums them; `own` is added unchecked. */
function sumKeygen(
  id: PartyId,
  commitments: readonly Uint8Array[],
  subShares: readonly { from: PartyId; share: Secret }[],
  senders: readonly PartyId[],
  own: bigint,
): KeygenResult {
  ensure(commitments.length === 3, 'BadIdentifier', { detail: 'three commitments' });
  exactly(
    subShares.map(({ from }) => partyId(from)),
    senders,
  );
  const phis = commitments.map((c, i) => keygenCommitment(c, IDS[i]!));
  const at = (phi: readonly [Point, Point], i: PartyId): Point =>
    phi[0].add(phi[1].multiplyUnsafe(BigInt(i)));
  let sum = own;
  for (const { from, share } of subShares) {
    const s = secretScalar(share, 'sub-share', { culprit: from });
    ensure(BASE.multiply(s).equals(at(phis[from - 1]!, id)), 'BadShare', { culprit: from });
    sum = Fn.add(sum, s);
  }
  const total = (pick: (phi: readonly [Point, Point]) => Point): Point =>
    phis.reduce((acc, phi) => acc.add(pick(phi)), ZERO);
  finite(
    total(([, phi1]) => phi1),
    'slope',
  );
  const groupKey = encode(
    finite(
      total(([phi0]) => phi0),
      'group key',
    ),
  );
  const [y1, y2, y3] = IDS.map((i) =>
    encode(
      finite(
        total((phi) => at(phi, i)),
        'verifying share',
      ),
    ),
  );
  return { share: Secret.own(secretBytes(sum)), groupKey, verifyingShares: [y1!, y2!, y3!] };
}

const secretBytes = (s: bigint): Uint8Array<ArrayBuffer> => Uint8Array.from(Fn.toBytes(s));

/** Secrets behind opaque handles that live until their first use. */
class HandleTable<Handle extends object, Value> {
  readonly #values = new WeakMap<object, Value>();

  open(value: Value): Handle {
    const handle = Object.freeze({}) as Handle;
    this.#values.set(handle, value);
    return handle;
  }

  peek(handle: Handle): Value {
    const value = this.#values.get(handle);
    ensure(value !== undefined, 'NonceConsumed');
    return value;
  }

  take(handle: Handle): Value {
    const value = this.peek(handle);
    this.#values.delete(handle);
    return value;
  }

  drop(handle: Handle): void {
    this.#values.delete(handle);
  }
}

export function createNobleSigner(): Signer {
  const nonceTable = new HandleTable<NonceHandle, Nonces>();
  const polynomialTable = new HandleTable<PolynomialHandle, Polynomial>();

  return {
    publicKey: (secret) => encode(BASE.multiply(secretScalar(secret, 'secret'))),
    schnorrSign: sign,
    schnorrVerify: verify,

    keygenCommit({ id, session, randomness }) {
      partyId(id);
      bytes(session, 32, 'session');
      bytes(randomness, 96, 'randomness');
      const [f0, f1, k0] = [0, 32, 64].map((from) => {
        const value = Fn.create(integer(randomness.subarray(from, from + 32)));
        ensure(value !== 0n, 'BadEncoding', { detail: 'randomness reduces to zero' });
        return value;
      }) as [bigint, bigint, bigint];
      const phi0 = encode(BASE.multiply(f0));
      const commitment = concatBytes(phi0, encode(BASE.multiply(f1)));
      const nonce = BASE.multiply(k0);
      const [k, even] = isEven(nonce) ? [k0, nonce] : [Fn.neg(k0), nonce.negate()];
      const c = proofChallenge(id, session, phi0, even);
      const proof = concatBytes(xOf(even), Fn.toBytes(Fn.create(k + c * f0)));
      return {
        polynomial: polynomialTable.open({ id, f0, f1, commitment }),
        commitment: commitment.slice(),
        proof,
      };
    },

    keygenVerifyProof({ id, session, commitment, proof }) {
      partyId(id);
      bytes(session, 32, 'session');
      const [phi0] = keygenCommitment(commitment, id);
      bytes(proof, 64, 'proof', { culprit: id });
      const nonce = liftX(proof.subarray(0, 32));
      ensure(nonce !== undefined, 'BadEncoding', { detail: 'proof nonce', culprit: id });
      const mu = scalar(proof.subarray(32), 'proof scalar', { culprit: id });
      const c = proofChallenge(id, session, commitment.subarray(0, 33), nonce);
      ensure(BASE.multiplyUnsafe(mu).subtract(phi0.multiplyUnsafe(c)).equals(nonce), 'BadProof', {
        culprit: id,
      });
    },

    keygenShareFor(polynomial, recipient) {
      const f = polynomialTable.peek(polynomial);
      return Secret.own(secretBytes(evaluate(f, partyId(recipient))));
    },

    keygenFinish({ id, polynomial, commitments, subShares }) {
      const f = polynomialTable.take(polynomial);
      ensure(partyId(id) === f.id, 'BadIdentifier', { detail: "not the polynomial's party" });
      const own = commitments[id - 1];
      ensure(own === undefined || own.length !== 66 || equal(own, f.commitment), 'TranscriptMismatch', {
        detail: 'own commitment',
      });
      return sumKeygen(
        id,
        commitments,
        subShares,
        IDS.filter((other) => other !== id),
        evaluate(f, id),
      );
    },

    sumSubShares: ({ id, commitments, subShares }) => sumKeygen(partyId(id), commitments, subShares, IDS, 0n),

    dropPolynomial: (polynomial) => polynomialTable.drop(polynomial),

    commit({ share, randomness, context }) {
      secretScalar(share, 'share');
      bytes(randomness, 64, 'randomness');
      const secret = share.expose();
      const [hiding, binding] = [0, 32].map((from) => {
        const k = hashToScalar(`${SUITE}nonce`, randomness.subarray(from, from + 32), secret, context);
        ensure(k !== 0n, 'BadEncoding', { detail: 'nonce zero' });
        return k;
      }) as [bigint, bigint];
      const commitment = concatBytes(encode(BASE.multiply(hiding)), encode(BASE.multiply(binding)));
      return { nonces: nonceTable.open({ hiding, binding, commitment }), commitment: commitment.slice() };
    },

    signShare({ id, share, nonces, package: pkg }) {
      const taken = nonceTable.take(nonces);
      return Fn.toBytes(makeShare(openPackage(pkg), id, share, taken));
    },

    verifyShare({ id, verifyingShare, signatureShare, package: pkg }) {
      checkShare(openPackage(pkg), id, verifyingShare, signatureShare);
    },

    aggregate({ shares, package: pkg }) {
      const session = openPackage(pkg);
      exactly(
        shares.map(({ id }) => partyId(id)),
        [...session.members.keys()],
      );
      const [z1, z2] = shares.map(({ id, signatureShare }) =>
        scalar(signatureShare, 'signature share', { culprit: id }),
      );
      return sumShares(session, pkg, z1!, z2!);
    },

    finish({ id, share, nonces, package: pkg, peer }) {
      const taken = nonceTable.take(nonces);
      const session = openPackage(pkg);
      exactly([partyId(id), partyId(peer.id)], [...session.members.keys()]);
      const theirs = checkShare(session, peer.id, peer.verifyingShare, peer.signatureShare);
      return sumShares(session, pkg, theirs, makeShare(session, id, share, taken));
    },

    dropNonces: (nonces) => nonceTable.drop(nonces),
  };
}
