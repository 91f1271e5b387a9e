/**
 * Two-party FROST signing of all inputs of one transaction in one round trip (DESIGN section 3; RFC 9591 section 5):
 * device `commitAll` -> cosigner `answerAll` -> device `finishAll`. All inputs or none.
 */
import type { Random } from '../crypto/random.ts';
import type { Secret } from '../crypto/secret.ts';
import type {
  KeyTweak,
  NonceHandle,
  PartyId,
  PublicDerivation,
  Signer,
  SigningPackage,
} from '../crypto/signer.ts';
import { concat } from '../protocol/bytes.ts';
import { ensure } from '../protocol/errors.ts';
import { INPUTS_MAX } from '../protocol/limits.ts';
import { taggedHash } from '../protocol/sha256.ts';

/** One input as both sides compute it for themselves. */
export interface InputToSign {
  readonly sighash: Uint8Array;
  /** x-only key that the signature must verify under. */
  readonly expectedKey: Uint8Array;
  readonly tweak: KeyTweak;
}

/** What this one attempt is, and so what its nonces are bound to. */
export interface Attempt {
  /** K0. */
  readonly groupKey: Uint8Array;
  readonly handshakeHash: Uint8Array;
  /** 16 random bytes, chosen before the nonces. */
  readonly attempt: Uint8Array;
  readonly epoch: number;
}

export interface Committed {
  /** One-use handles, in input order. They live in the signer and die with it. */
  readonly nonces: NonceHandle[];
  /** hiding || binding, 66 bytes each. */
  readonly commitments: Uint8Array[];
}

/** Device, step 1. */
export function commitAll(
  signer: Signer,
  share: Secret,
  attempt: Attempt,
  inputs: readonly InputToSign[],
  random: Random,
): Committed {
  return commitEach(signer, share, attempt, inputs, new Uint8Array(0), random);
}

/** Cosigner, before anything is written of the attempt: each pair is two points. Throws `BadEncoding`. */
export function checkCommitments(
  signer: Pick<PublicDerivation, 'sumPointsVar'>,
  commitments: readonly Uint8Array[],
): void {
  for (const pair of commitments) signer.sumPointsVar([pair.subarray(0, 33), pair.subarray(33)]);
}

/** Cosigner, the only step: nonces, shares, gone. Throws `AttemptReused` if two inputs carry one commitment pair. */
export function answerAll(
  signer: Signer,
  id: PartyId,
  share: Secret,
  attempt: Attempt,
  inputs: readonly InputToSign[],
  peer: { id: PartyId; commitments: readonly Uint8Array[] },
  random: Random,
): { commitments: Uint8Array[]; shares: Uint8Array[] } {
  checkPeer(inputs, peer.commitments);
  // The whole list of the device's commitments hedges the cosigner's nonces against a repeated generator state; hashed,
  // for it is long and each input's nonces take it in.
  const heard = taggedHash('hoarfrost/commitments', ...peer.commitments);
  const committed = commitEach(signer, share, attempt, inputs, heard, random);
  const shares = useEach(signer, committed.nonces, (nonces, i) =>
    signer.signShare({
      id,
      share,
      nonces,
      package: packageOf(attempt, inputs[i]!, [
        { id, commitment: committed.commitments[i]! },
        { id: peer.id, commitment: peer.commitments[i]! },
      ]),
    }),
  );
  return { commitments: committed.commitments, shares };
}

/**
 * Device, step 2: every share of the peer is checked before the first own share is made, and each own share leaves
 * only inside a finished signature that verifies under BIP-340. Throws `BadShare`, blaming the peer. Nonces are gone either way.
 */
export function finishAll(
  signer: Signer,
  id: PartyId,
  share: Secret,
  attempt: Attempt,
  inputs: readonly InputToSign[],
  own: Committed,
  peer: {
    id: PartyId;
    verifyingShare: Uint8Array;
    commitments: readonly Uint8Array[];
    shares: readonly Uint8Array[];
  },
): Uint8Array[] {
  const packages = guarded(signer, own.nonces, () => {
    checkPeer(inputs, peer.commitments);
    ensure(peer.shares.length === inputs.length, 'BadEncoding', {
      detail: 'one share an input',
      culprit: peer.id,
    });
    return inputs.map((input, i) => {
      const signing = packageOf(attempt, input, [
        { id, commitment: own.commitments[i]! },
        { id: peer.id, commitment: peer.commitments[i]! },
      ]);
      // The only share is checked by `finish`, before it makes the own one.
      if (inputs.length > 1) {
        signer.verifyShare({
          id: peer.id,
          verifyingShare: peer.verifyingShare,
          signatureShare: peer.shares[i]!,
          package: signing,
        });
      }
      return signing;
    });
  });
  return useEach(signer, own.nonces, (nonces, i) =>
    signer.finish({
      id,
      share,
      nonces,
      package: packages[i]!,
      peer: { id: peer.id, verifyingShare: peer.verifyingShare, signatureShare: peer.shares[i]! },
    }),
  );
}

/** For an attempt that ends without an answer. */
export function dropAll(signer: Signer, committed: Committed): void {
  for (const nonces of committed.nonces) signer.dropNonces(nonces);
}

function commitEach(
  signer: Signer,
  share: Secret,
  attempt: Attempt,
  inputs: readonly InputToSign[],
  heard: Uint8Array,
  random: Random,
): Committed {
  ensure(inputs.length > 0 && inputs.length <= INPUTS_MAX, 'TooLarge');
  const nonces: NonceHandle[] = [];
  const commitments: Uint8Array[] = [];
  guarded(signer, nonces, () => {
    for (const [i, input] of inputs.entries()) {
      const randomness = random(64);
      const made = signer.commit({ share, randomness, context: nonceContext(attempt, i, input, heard) });
      randomness.fill(0);
      nonces.push(made.nonces);
      commitments.push(made.commitment);
    }
  });
  return { nonces, commitments };
}

/** Fixed-length fields first, so nothing here can be read two ways. */
function nonceContext(attempt: Attempt, index: number, input: InputToSign, heard: Uint8Array): Uint8Array {
  const numbers = new Uint8Array(8);
  new DataView(numbers.buffer).setUint32(0, attempt.epoch);
  new DataView(numbers.buffer).setUint32(4, index);
  return concat(attempt.handshakeHash, attempt.attempt, numbers, input.sighash, input.expectedKey, heard);
}

function packageOf(
  attempt: Attempt,
  input: InputToSign,
  commitments: { id: PartyId; commitment: Uint8Array }[],
): SigningPackage {
  return {
    groupKey: attempt.groupKey,
    tweak: input.tweak,
    expectedKey: input.expectedKey,
    message: input.sighash,
    commitments,
  };
}

function checkPeer(inputs: readonly InputToSign[], commitments: readonly Uint8Array[]): void {
  ensure(commitments.length === inputs.length, 'BadEncoding', { detail: 'one commitment pair an input' });
  ensure(
    commitments.length === 1 || new Set(commitments.map(String)).size === commitments.length,
    'AttemptReused',
    { detail: 'pair twice' },
  );
}

/** Runs `use` on each handle in turn; after the first failure the rest are dropped, and nothing is returned. */
function useEach(
  signer: Signer,
  nonces: readonly NonceHandle[],
  use: (n: NonceHandle, i: number) => Uint8Array,
) {
  const out: Uint8Array[] = [];
  guarded(signer, nonces, () => {
    for (const [i, n] of nonces.entries()) out.push(use(n, i));
  });
  return out;
}

function guarded<T>(signer: Signer, nonces: readonly NonceHandle[], step: () => T): T {
  try {
    return step();
  } catch (e) {
    for (const n of nonces) signer.dropNonces(n);
    throw e;
  }
}
