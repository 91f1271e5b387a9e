/** Guards inside the WebAssembly module, which looks at values. */
import { guards } from './guard.ts';

const LOADER = 'src/crypto/wasmSigner.ts';
const ENCODING = 'wasm/assembly/encoding.ts';
const FROST = 'wasm/assembly/frost.ts';
const KEYGEN = 'wasm/assembly/keygen.ts';
const TWEAK = 'wasm/assembly/tweak.ts';
const TEST = 'test/conformance/signer.wasm.test.ts';

export const MODULE_GUARDS = [
  ...guards(ENCODING, TEST, [
    [
      'attack-07',
      'the prefix of a point',
      'let valid = ((h0 & 0xfe) == 2 ? 1 : 0) | ((h1 & 0xfe) == 2 ? 2 : 0);',
      'let valid = 3;',
      'attack-07: a group key: prefix 04 on 33 bytes',
    ],
    [
      'attack-07',
      'the equation of the curve',
      'valid &= equal(t, rhs, 0) | (equal(t, rhs, 1) << 1);',
      '',
      'attack-07: a group key: x off the curve',
    ],
    [
      'attack-07',
      'the equation of the curve, for commitments',
      'valid &= equal(t, rhs, 0) | (equal(t, rhs, 1) << 1);',
      '',
      'attack-07: a keygen commitment with second: x off the curve',
    ],
    [
      'attack-07',
      'x below p',
      'let valid = bytesBelowP(x0) | (bytesBelowP(x1) << 1);',
      'let valid = 3;',
      'attack-07: a group key: x = p + 1, a point when reduced',
    ],
    [
      'attack-12',
      'x below p, for nonce commitments',
      'let valid = bytesBelowP(x0) | (bytesBelowP(x1) << 1);',
      'let valid = 3;',
      'attack-07, attack-12: a nonce commitment: second: x = p + 1, a point when reduced',
    ],
    [
      'attack-12',
      'the prefix of nonce commitments, and with it the identity',
      'let valid = ((h0 & 0xfe) == 2 ? 1 : 0) | ((h1 & 0xfe) == 2 ? 2 : 0);',
      'let valid = 3;',
      'attack-07, attack-12: a nonce commitment: first: prefix 00',
    ],
  ]),
  {
    number: 'attack-07',
    out: 'the identity: its prefix and the equation of the curve, which it has no y for either',
    changes: [
      {
        file: ENCODING,
        text: 'let valid = ((h0 & 0xfe) == 2 ? 1 : 0) | ((h1 & 0xfe) == 2 ? 2 : 0);',
        becomes: 'let valid = 3;',
      },
      { file: ENCODING, text: 'valid &= equal(t, rhs, 0) | (equal(t, rhs, 1) << 1);' },
    ],
    test: { file: TEST, name: 'attack-07: a verifying share: identity as 33 zero bytes' },
  },
  {
    number: 'attack-07',
    out: 'a point of 65 bytes: its length and its prefix',
    changes: [
      { file: LOADER, text: "    sized(groupKey, 33, 'group key');\n" },
      {
        file: ENCODING,
        text: 'let valid = ((h0 & 0xfe) == 2 ? 1 : 0) | ((h1 & 0xfe) == 2 ? 2 : 0);',
        becomes: 'let valid = 3;',
      },
    ],
    test: { file: TEST, name: 'attack-07: a group key: 65-byte form' },
  },
  {
    number: 'attack-10',
    out: 'the message, in the binding factors and in the challenge',
    changes: [
      { file: FROST, text: '  shaUpdate(ctx, input + MESSAGE, 32);\n' },
      {
        file: FROST,
        text: 'challenge(CHALLENGE, R_X, TWEAK_X, input + MESSAGE, 32);',
        becomes: 'challenge(CHALLENGE, R_X, TWEAK_X, TWEAK_X, 32);',
      },
    ],
    test: {
      file: TEST,
      name: 'attack-10: a share for another message, tweak or commitment list is BadShare',
    },
  },
  ...guards(FROST, TEST, [
    [
      'attack-07',
      'a share below n and not zero, where it commits',
      '  if (!scFromBytes(s, IN) | scIsZero(s)) return BAD_ENCODING;\n  for (let i: usize = 0; i < 2; i++) {',
      '  scFromBytes(s, IN);\n  for (let i: usize = 0; i < 2; i++) {',
      'attack-07: a share of zero neither commits nor signs',
    ],
    [
      'attack-07',
      'a share below n, where it signs',
      '  if (!scFromBytes(s, IN) | scIsZero(s)) return BAD_ENCODING;\n  if (!sameBytesVar',
      '  scFromBytes(s, IN);\n  if (!sameBytesVar',
      'attack-07: a share of n + 1 neither commits nor signs',
    ],
    [
      'attack-07',
      'a signature share below n, where it is verified',
      '  if (!scFromBytes(z, IN + 33)) return blame(BAD_ENCODING, id);\n',
      '  scFromBytes(z, IN + 33);\n',
      'attack-07: a signature share of n + 1',
    ],
    [
      'attack-07',
      'a signature share below n, where it is finished',
      '  if (!scFromBytes(z, IN + 65)) return blame(BAD_ENCODING, peer);\n',
      '  scFromBytes(z, IN + 65);\n',
      'attack-07: a signature share of n + 1',
    ],
    [
      'attack-07',
      'the point of a verifying share',
      '  if (!decodeVar(points + FE, verifyingShare)) return BAD_ENCODING;\n',
      '  decodeVar(points + FE, verifyingShare);\n',
      'attack-07: a verifying share: prefix ff',
    ],
    [
      'attack-11',
      "the handle's own commitment in the list",
      'if (!sameBytesVar(nonces + COMMITMENT, PACKAGE + MEMBERS + <usize>member * MEMBER + 1, 66)) return TRANSCRIPT_MISMATCH;',
      '',
      "attack-11: an own commitment that is not the handle's gets no share",
    ],
    [
      'attack-11',
      'a party outside of the list',
      '  return load<u8>(PACKAGE + MEMBERS + MEMBER) == id ? 1 : BAD_IDENTIFIER;\n',
      '  return 1;\n',
      'attack-11: a party outside the package is BadIdentifier',
    ],
    [
      'attack-11',
      'ids that ascend',
      'if (id0 < 1 || id1 > 3 || id0 >= id1) return BAD_IDENTIFIER;',
      'if (id0 < 1 || id1 > 3) return BAD_IDENTIFIER;',
      'attack-11: commitments missing, twice or of three signers are BadIdentifier',
    ],
    [
      'attack-12',
      'the points of nonce commitments',
      '  if (valid != 3) return blame(BAD_ENCODING, valid & 1 ? id1 : id0);\n',
      '',
      'attack-07, attack-12: a nonce commitment: first: prefix 04 on 33 bytes',
    ],
    [
      'attack-15',
      'the commitments in the binding factors',
      '    shaUpdate(ctx, member + 1, 66);\n',
      '',
      'attack-15: binding factors cover the message, the whole list of commitments and the ids',
    ],
    [
      'attack-15',
      'the message in the binding factors',
      '  shaUpdate(ctx, input + MESSAGE, 32);\n',
      '',
      'attack-15: binding factors cover the message, the whole list of commitments and the ids',
    ],
    [
      'attack-15',
      'the ids of the list in the binding factors',
      '    hashId(ctx, load<u8>(member));\n',
      '',
      'attack-15: binding factors cover the message, the whole list of commitments and the ids',
    ],
    [
      'attack-15',
      "the member's own id in the binding factors",
      '    hashId(ctx, load<u8>(input + MEMBERS + i * MEMBER));\n',
      '',
      'attack-15: binding factors cover the message, the whole list of commitments and the ids',
    ],
    [
      'attack-19',
      'the comparison of the key with the expected one',
      '  if (!sameBytesVar(TWEAK_X, input + EXPECTED, 32)) return KEY_MISMATCH;\n',
      '',
      'attack-19: any other key than the one the tweak gives is KeyMismatch',
    ],
    [
      'attack-21',
      "the check of the peer's signature share",
      '  return right ? OK : blame(BAD_SHARE, id);\n',
      '  return OK;\n',
      'attack-21: a wrong signature share is BadShare, blamed, and brings no signature',
    ],
    [
      'attack-21',
      'the check of the finished signature',
      '  if (!right) return BAD_SIGNATURE;\n',
      '',
      'attack-21: shares that do not add up to a signature are BadSignature',
    ],
  ]),
  {
    number: 'attack-19',
    out: 'the length of a merkle root, in the loader and in the module',
    changes: [
      {
        file: LOADER,
        text: "ensure(merkleRoot.length === 0 || (merkleRoot.length === 32 && path === 'key'), ",
        becomes: "ensure(path === 'key' || merkleRoot.length === 0, ",
      },
      { file: TWEAK, text: '(rootLength != 32 || leaf)', becomes: 'leaf' },
    ],
    test: {
      file: TEST,
      name: 'attack-19: a merkle root of another length, on a leaf, or an unknown path',
    },
  },
  {
    number: 'attack-19',
    out: 'no merkle root for a leaf, in the loader and in the module',
    changes: [
      {
        file: LOADER,
        text: "ensure(merkleRoot.length === 0 || (merkleRoot.length === 32 && path === 'key'), ",
        becomes: 'ensure(merkleRoot.length === 0 || merkleRoot.length === 32, ',
      },
      { file: TWEAK, text: '(rootLength != 32 || leaf)', becomes: 'rootLength != 32' },
    ],
    test: {
      file: TEST,
      name: 'attack-19: a merkle root of another length, on a leaf, or an unknown path',
    },
  },
  ...guards(TWEAK, TEST, [
    [
      'attack-19',
      'T below n',
      '    if (!scFromBytes(t, input + 33)) break;\n',
      '    scFromBytes(t, input + 33);\n',
      'attack-19: a derivation of n + 1',
    ],
    [
      'attack-19',
      'a derived key at infinity',
      '  const finite = 1 - isInfinity(frame, 0);\n  if (finite) lanesToAffine(r, frame);\n',
      '  const finite = 1;\n  if (finite) lanesToAffine(r, frame);\n',
      'attack-19: T that sends the derived key to infinity is refused',
    ],
  ]),
  ...guards(KEYGEN, TEST, [
    [
      'attack-02',
      'the own commitment that was published',
      '  if (!sameBytesVar(slot + COMMITMENT, IN + 66 * <usize>(id - 1), 66)) return TRANSCRIPT_MISMATCH;\n',
      '',
      'attack-02: an own commitment that is not the one published is refused',
    ],
    [
      'attack-03',
      'the equation of a proof of knowledge',
      '    right = oddMask(r) == 0 && sameBytesVar(x, proof, 32);\n',
      '    right = true;\n',
      'attack-03: a proof of knowledge that is not of this party, session or secret is BadProof and blamed',
    ],
    [
      'attack-03',
      "the party in a proof's challenge",
      '  store<u8>(head, <u8>id, 31);\n',
      '  store<u8>(head, 0, 31);\n',
      'attack-03: a proof of knowledge that is not of this party, session or secret is BadProof and blamed',
    ],
    [
      'attack-03',
      "the session in a proof's challenge",
      '  fieldHashFinal(c, ctx, dst, DKG_LENGTH + 64);\n',
      '  fieldHashFinal(c, ctx, dst, DKG_LENGTH);\n',
      'attack-03: a proof of knowledge that is not of this party, session or secret is BadProof and blamed',
    ],
    [
      'attack-03',
      'the even R of a proof, without which there are two proofs',
      '    right = oddMask(r) == 0 && sameBytesVar(x, proof, 32);\n',
      '    right = sameBytesVar(x, proof, 32);\n',
      'attack-03: a proof of knowledge that is not of this party, session or secret is BadProof and blamed',
    ],
    [
      'attack-04',
      'the sub-shares against their commitments',
      '    if (same != 3) return blame(BAD_SHARE, same & 1 ? <i32>b + 1 : <i32>a + 1);\n',
      '',
      'attack-04: a sub-share off by one is BadShare and blames its sender',
    ],
    [
      'attack-04',
      'who is to blame for a sub-share',
      'blame(BAD_SHARE, same & 1 ? <i32>b + 1 : <i32>a + 1)',
      'blame(BAD_SHARE, <i32>a + 1)',
      'attack-04: a sub-share off by one is BadShare and blames its sender',
    ],
    [
      'attack-04',
      'the third sub-share, where all three are given',
      '    if (slot || b == 2) break;\n',
      '    break;\n',
      'attack-04: a sub-share off by one is BadShare and blames its sender',
    ],
    [
      'attack-09',
      'the sub-shares against the commitments of who sent them',
      '    if (same != 3) return blame(BAD_SHARE, same & 1 ? <i32>b + 1 : <i32>a + 1);\n',
      '',
      'attack-09: sub-shares of another recipient, or swapped between senders, are BadShare',
    ],
    [
      'attack-07',
      'a sub-share below n',
      '    else if (!scFromBytes(s + j * SC, IN + 198 + 32 * j) | scIsZero(s + j * SC)) return blame(BAD_ENCODING, <i32>j + 1);\n',
      '    else scFromBytes(s + j * SC, IN + 198 + 32 * j);\n',
      'attack-07: a sub-share of n + 1',
    ],
    [
      'attack-07',
      'a proof of knowledge of which x is below p and the scalar below n',
      '  if (!bytesBelowP(proof) || !scFromBytes(mu, proof + 32)) return blame(BAD_ENCODING, id);\n',
      '  scFromBytes(mu, proof + 32);\n',
      'attack-07: a malformed proof of knowledge',
    ],
    [
      'attack-07',
      'the points of a commitment whose proof is checked',
      '  if (decodePairVar(phis, phis + FE, IN + 32, IN + 65) != 3) return blame(BAD_ENCODING, id);\n',
      '  decodePairVar(phis, phis + FE, IN + 32, IN + 65);\n',
      'attack-07: a keygen commitment with second: x off the curve',
    ],
  ]),
  ...guards(KEYGEN, 'test/unit/keygen.test.ts', [
    [
      'attack-04',
      'the sub-shares against their commitments, between parties',
      '    if (same != 3) return blame(BAD_SHARE, same & 1 ? <i32>b + 1 : <i32>a + 1);\n',
      '',
      'attack-04: a sub-share off by one is BadShare and blames its sender',
    ],
  ]),
  ...guards(ENCODING, 'test/unit/keygen.test.ts', [
    [
      'attack-07',
      'the equation of the curve, between parties',
      'valid &= equal(t, rhs, 0) | (equal(t, rhs, 1) << 1);',
      '',
      'attack-07: a commitment point that is off-curve is BadEncoding',
    ],
  ]),
  ...guards(FROST, 'test/unit/signerLastGuards.test.ts', [
    [
      'attack-12',
      'R at infinity',
      '    if (!groupCommitment()) return BAD_ENCODING;\n',
      '    groupCommitment();\n',
      'attack-12: R = infinity is never signed, though commitments were chosen to cancel',
    ],
    [
      'attack-13',
      'the end of a handle inside the module, whatever its host remembers',
      '  memory.copy(nonces, slotAt(index), 130);\n  close(index);\n',
      '  memory.copy(nonces, slotAt(index), 130);\n',
      'attack-13: a handle answers once inside the signer too, whatever its host remembers',
    ],
  ]),
  ...guards('wasm/assembly/ceremony.ts', 'test/unit/wasmCeremony.test.ts', [
    [
      'attack-17',
      'a slope that is not zero',
      '  return valid & (1 - scIsZero(r));\n',
      '  return valid;\n',
      'attack-17: a slope of zero is refused',
    ],
    [
      'attack-18',
      'the repaired share against the known point',
      '  if (!sameBytesVar(y, IN + 64, 33)) return REPAIRED_SHARE_MISMATCH;\n',
      '',
      'attack-18: a wrong summand is RepairedShareMismatch',
    ],
  ]),
  ...guards('wasm/assembly/memory.ts', 'test/unit/signerMemory.test.ts', [
    [
      'attack-22',
      'the wiping of every temporary',
      '    memory.fill(STACK, 0, highWater - STACK);\n',
      '',
      'attack-22: no call leaves a secret in linear memory > signShare',
    ],
    [
      'attack-22',
      'the wiping of the arguments',
      '    memory.fill(IN, 0, IN_SIZE);\n',
      '',
      'attack-22: no call leaves a secret in linear memory > publicKey',
    ],
  ]),
  ...guards('wasm/assembly/slots.ts', 'test/unit/signerMemory.test.ts', [
    [
      'attack-22',
      'the wiping of a slot',
      '  memory.fill(slot, 0, GENERATION);\n',
      '',
      'attack-22: no call leaves a secret in linear memory > dropNonces',
    ],
  ]),
];
