/**
 * The oracle itself against the published vectors, whole: with it equal to the RFC and to ZF, and the signer equal to it on
 * 32-byte messages, the vectors that the signer's surface cannot take (4-byte messages, the RFC's own suite) still count.
 */
import type { FROST, FrostPublic, FrostSecret } from '@noble/curves/abstract/frost.js';
import { schnorr_FROST, secp256k1, secp256k1_FROST } from '@noble/curves/secp256k1.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import { expect, test } from 'vitest';
import { vectorJson } from './vectors.ts';

interface Vector {
  inputs: {
    verifying_key_key?: string;
    group_public_key?: string;
    message: string;
    participant_shares: { identifier: number; participant_share: string }[];
  };
  round_one_outputs: {
    outputs: {
      identifier: number;
      hiding_nonce_randomness: string;
      binding_nonce_randomness: string;
      hiding_nonce: string;
      binding_nonce: string;
      hiding_nonce_commitment: string;
      binding_nonce_commitment: string;
    }[];
  };
  round_two_outputs: { outputs: { identifier: number; sig_share: string }[] };
  final_output: { sig: string };
}

function check(frost: FROST, v: Vector): void {
  const id = (n: number) => frost.Identifier.fromNumber(n);
  const share = (n: number) => hexToBytes(v.inputs.participant_shares[n - 1]!.participant_share);
  const groupKey = hexToBytes(v.inputs.verifying_key_key ?? v.inputs.group_public_key!);
  const rounds = v.round_one_outputs.outputs.map((o) => {
    const random = [hexToBytes(o.hiding_nonce_randomness), hexToBytes(o.binding_nonce_randomness)];
    const secret = { identifier: id(o.identifier), signingShare: share(o.identifier) } as FrostSecret;
    const { nonces, commitments } = frost.commit(secret, () => random.shift()!);
    expect(nonces).toEqual({ hiding: hexToBytes(o.hiding_nonce), binding: hexToBytes(o.binding_nonce) });
    expect(commitments.hiding).toEqual(hexToBytes(o.hiding_nonce_commitment));
    expect(commitments.binding).toEqual(hexToBytes(o.binding_nonce_commitment));
    return { n: o.identifier, secret, nonces, commitments };
  });
  const pub = {
    signers: { min: 2, max: 3 },
    commitments: [groupKey, groupKey],
    verifyingShares: Object.fromEntries([1, 2, 3].map((n) => [id(n), secp256k1.getPublicKey(share(n))])),
  } as FrostPublic;
  const list = rounds.map((r) => r.commitments);
  const message = hexToBytes(v.inputs.message);
  const shares = rounds.map((r) => [r.n, frost.signShare(r.secret, pub, r.nonces, list, message)] as const);
  for (const { identifier, sig_share } of v.round_two_outputs.outputs) {
    expect(shares.find(([n]) => n === identifier)![1]).toEqual(hexToBytes(sig_share));
  }
  const signature = frost.aggregate(
    pub,
    list,
    message,
    Object.fromEntries(shares.map(([n, z]) => [id(n), z])),
  );
  expect(signature).toEqual(hexToBytes(v.final_output.sig));
}

test('RFC 9591 E.5, whole, by the oracle', () => {
  check(secp256k1_FROST, vectorJson<Vector>('rfc9591/frost-secp256k1-sha256.json'));
});

test('ZF frost-secp256k1-tr signing, whole, by the oracle', () => {
  check(schnorr_FROST, vectorJson<Vector>('zf-frost-secp256k1-tr/vectors.json'));
});
