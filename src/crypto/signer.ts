/**
 * The signer: all secret and all hot group arithmetic of the house, behind one synchronous surface.
 * Suite FROST-secp256k1-SHA256-TR-v1 (RFC 9591 with the BIP-340/341 changes of ZF `frost-secp256k1-tr`),
 * t = 2 over ids 1..3, nothing but bytes, `Secret` and opaque one-use handles.
 *
 * Encodings: point 33 bytes compressed SEC1; x-only key 32; scalar 32 big-endian; commitment pair 66 (hiding || binding);
 * keygen commitment 66 (phi0 || phi1); signature 64 (BIP-340). Every point, scalar and id is checked on entry:
 * off-curve, x >= p, identity, scalar >= n, wrong length, 65-byte forms -> `BadEncoding`; id not in 1..3, duplicate,
 * missing -> `BadIdentifier`. On any error there is no partial output and all scratch is wiped.
 */
import type { Culprit } from '../protocol/errors.ts';
import type { Secret } from './secret.ts';

export type PartyId = Culprit;

/** The name that rides in every message and record. */
export const SUITE = 'FROST-secp256k1-SHA256-TR-v1';

/** Secret nonce pair inside the signer's memory: consumed by the first use, cannot be copied or serialised. */
declare const nonceHandle: unique symbol;
export interface NonceHandle {
  readonly [nonceHandle]: true;
}

/** Secret keygen polynomial inside the signer's memory. */
declare const polynomialHandle: unique symbol;
export interface PolynomialHandle {
  readonly [polynomialHandle]: true;
}

/** How the signing key descends from the raw group key K0 (DESIGN section 2, "Tweaks"). */
export interface KeyTweak {
  /** T, the sum of the BIP-32 I_L values along the unhardened path: scalar, may be zero. */
  readonly derivation: Uint8Array;
  /** `key`: BIP-341 output key Q = P + H_TapTweak(x(P) || root)*G. `leaf`: the untweaked even-Y P, for script paths. */
  readonly path: 'key' | 'leaf';
  /** Merkle root: empty or 32 bytes. Must be empty for `leaf`. */
  readonly merkleRoot: Uint8Array;
}

export interface SignerCommitment {
  readonly id: PartyId;
  /** hiding || binding, 66 bytes. */
  readonly commitment: Uint8Array;
}

/** Everything public that the two signers of one input must agree on. */
export interface SigningPackage {
  /** K0, raw and untweaked with its real parity: 33 bytes. */
  readonly groupKey: Uint8Array;
  readonly tweak: KeyTweak;
  /** x of the key that the signature must verify under: 32 bytes. Another result of the tweak -> `KeyMismatch`. */
  readonly expectedKey: Uint8Array;
  /** The sighash: 32 bytes. */
  readonly message: Uint8Array;
  /** Exactly two distinct ids; any order gives the same bytes. */
  readonly commitments: readonly SignerCommitment[];
}

export interface Signer {
  /** secret*G in constant time. 33 bytes. */
  publicKey(secret: Secret): Uint8Array;

  /** BIP-340 signature under the even-Y form of `secret`. `message` 32 bytes, `aux` 32 fresh random bytes. */
  schnorrSign(secret: Secret, message: Uint8Array, aux: Uint8Array): Uint8Array;

  /** BIP-340 verification; malformed input is `false`, as in the BIP. Public data only. */
  schnorrVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  /**
   * PedPop round 1. `randomness`: 96 bytes, 32 each for f(0), f(1) and the proof's nonce; a value that reduces to zero -> `BadEncoding`.
   * `session`: 32 bytes; the proof's challenge DST is SUITE + 'dkg' + lowercase hex(session).
   */
  keygenCommit(args: { id: PartyId; session: Uint8Array; randomness: Uint8Array }): {
    polynomial: PolynomialHandle;
    commitment: Uint8Array;
    proof: Uint8Array;
  };

  /** Throws `BadProof`, blaming `id`. A commitment of another length than 66 -> `BadDegree`. */
  keygenVerifyProof(args: {
    id: PartyId;
    session: Uint8Array;
    commitment: Uint8Array;
    proof: Uint8Array;
  }): void;

  /** f(recipient): 32 bytes. */
  keygenShareFor(polynomial: PolynomialHandle, recipient: PartyId): Secret;

  /**
   * Checks every sub-share against its sender's commitment (`BadShare`, blaming the sender), sums, and consumes `polynomial`
   * (also on error). `commitments`: of ids 1, 2, 3 in this order, own included. `subShares`: from the other two.
   */
  keygenFinish(args: {
    id: PartyId;
    polynomial: PolynomialHandle;
    commitments: readonly Uint8Array[];
    subShares: readonly { from: PartyId; share: Secret }[];
  }): KeygenResult;

  /** Recovery's way back: share 3 as the sum of three sub-shares, each checked against its commitment. */
  sumSubShares(args: {
    id: PartyId;
    commitments: readonly Uint8Array[];
    subShares: readonly { from: PartyId; share: Secret }[];
  }): KeygenResult;

  dropPolynomial(polynomial: PolynomialHandle): void;

  /**
   * One nonce pair: hiding = H3(randomness[0..32] || share || context), binding = H3(randomness[32..64] || share || context).
   * With an empty context this is RFC 9591 nonce_generate. `randomness`: 64 fresh bytes.
   */
  commit(args: { share: Secret; randomness: Uint8Array; context: Uint8Array }): {
    nonces: NonceHandle;
    commitment: Uint8Array;
  };

  /** Signature share z of `id`, 32 bytes. Consumes `nonces` whatever happens; a second use -> `NonceConsumed`. */
  signShare(args: { id: PartyId; share: Secret; nonces: NonceHandle; package: SigningPackage }): Uint8Array;

  /** Checks one signature share; `verifyingShare` is Y_i, untweaked, 33 bytes. Throws `BadShare`, blaming `id`. */
  verifyShare(args: {
    id: PartyId;
    verifyingShare: Uint8Array;
    signatureShare: Uint8Array;
    package: SigningPackage;
  }): void;

  /** Sums two signature shares and verifies the result under BIP-340 (`BadSignature`). */
  aggregate(args: {
    shares: readonly { id: PartyId; signatureShare: Uint8Array }[];
    package: SigningPackage;
  }): Uint8Array;

  /**
   * The asking party's last step: checks the peer's share first, then makes its own, which leaves only inside
   * the finished and verified signature. Consumes `nonces` whatever happens.
   */
  finish(args: {
    id: PartyId;
    share: Secret;
    nonces: NonceHandle;
    package: SigningPackage;
    peer: { id: PartyId; verifyingShare: Uint8Array; signatureShare: Uint8Array };
  }): Uint8Array;

  dropNonces(nonces: NonceHandle): void;
}

export interface KeygenResult {
  share: Secret;
  /** K0, 33 bytes. */
  groupKey: Uint8Array;
  /** Y1, Y2, Y3, 33 bytes each. */
  verifyingShares: readonly [Uint8Array, Uint8Array, Uint8Array];
}

export interface SignedMessage {
  /** x-only key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** Arithmetic on shares between epochs and in repair (DESIGN section 5). A sum or share of zero -> `BadEncoding`. */
export interface ShareArithmetic {
  /** Sum of 1 to 64 secrets mod n, such as share 3 + 3a, or the parts that a repair's helper holds. */
  sumSecrets(secrets: readonly Secret[]): Secret;

  /** From both parties' contributions to the slope of g(x) = a*x: a, what the recovery share gains (3a), and a*G. */
  refreshDelta(contributions: readonly [Secret, Secret]): {
    delta: Secret;
    recoveryDelta: Secret;
    slope: Uint8Array;
  };

  /** share + id*delta, and its verifying share. */
  refreshShare(args: { id: PartyId; share: Secret; delta: Secret }): {
    share: Secret;
    verifyingShare: Uint8Array;
  };

  /**
   * A helper's first step: lambda*share = kept + sent, lambda being its Lagrange coefficient at `target` with the other
   * `helper`. `sent` goes to the other helper; `kept` and what comes back are summed and go to the target.
   * `randomness`: 32 fresh bytes.
   */
  repairSplit(args: {
    id: PartyId;
    helper: PartyId;
    target: PartyId;
    share: Secret;
    randomness: Uint8Array;
  }): {
    kept: Secret;
    sent: Secret;
  };

  /** The lost share from both helpers' sums. Not the one of `verifyingShare` -> `RepairedShareMismatch`. */
  repairFinish(args: { sums: readonly [Secret, Secret]; verifyingShare: Uint8Array }): Secret;
}

/** Public derivation in bulk, in variable time. Points are 33 bytes; infinity -> `BadEncoding`. */
export interface PublicDerivation {
  /** parent + I_L*G for each I_L of BIP-32 (refused at >= n). */
  deriveChildrenVar(parent: Uint8Array, tweaks: readonly Uint8Array[]): Uint8Array[];

  /** BIP-341 output keys with their parity: even-Y form of each key + H_TapTweak(x || root)*G. Root of 0 or 32 bytes. */
  outputKeysVar(internalKeys: readonly Uint8Array[], merkleRoot: Uint8Array): Uint8Array[];

  /** Y_i = K0 + i*F. */
  verifyingSharesVar(groupKey: Uint8Array, slope: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array];

  /** Sum of 1 to 128 points. */
  sumPointsVar(points: readonly Uint8Array[]): Uint8Array;
}

/** All that the WebAssembly module does. */
export interface SignerModule extends Signer, ShareArithmetic, PublicDerivation {
  /** True when every signature is valid, by one multiplication for 16 of them. */
  schnorrVerifyBatch(list: readonly SignedMessage[]): boolean;

  /** x of secret*point, in constant time: 32 bytes. */
  ecdhX(secret: Secret, point: Uint8Array): Secret;
}
