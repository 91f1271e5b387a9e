/** Guards of the module's loader, which looks at lengths and lists. */
import { guards } from './guard.ts';

const LOADER = 'src/crypto/wasmSigner.ts';
const TEST = 'test/conformance/signer.wasm.test.ts';

export const LOADER_GUARDS = [
  ...guards(LOADER, TEST, [
    [
      'attack-01',
      'the length of a commitment whose proof is checked',
      "      ensure(commitment.length === 66, 'BadDegree', { culprit: id });\n      sized(proof",
      '      sized(proof',
      'attack-01: a keygen commitment of another degree (three points) is BadDegree and blamed',
    ],
    [
      'attack-01',
      'the length of a commitment that a share is summed under',
      "      ensure(commitment.length === 66, 'BadDegree', { culprit: IDS[i]! });\n",
      '',
      'attack-01: a keygen commitment of another degree (three points) is BadDegree and blamed',
    ],
    [
      'attack-06',
      "the host's look at an id, which the module takes for a number of 32 bits",
      "  ensure(IDS.includes(id), 'BadIdentifier');\n",
      '',
      'attack-06: id 4294967297 is refused wherever an id goes',
    ],
    [
      'attack-06',
      'the senders of sub-shares and the members of a list, each once',
      "  ensure(ids.length === expected.length && expected.every((id) => ids.includes(id)), 'BadIdentifier');\n",
      '',
      'attack-06: sub-shares missing, twice, own or too many are BadIdentifier',
    ],
    [
      'attack-06',
      'the members of a list of signature shares',
      "  ensure(ids.length === expected.length && expected.every((id) => ids.includes(id)), 'BadIdentifier');\n",
      "  ensure(ids.length === expected.length, 'BadIdentifier');\n",
      'attack-06: a peer that is oneself, and shares of one signer twice, one or three',
    ],
    [
      'attack-07',
      'the length of a point',
      "    sized(groupKey, 33, 'group key');\n",
      '',
      'attack-07: a group key: 34 bytes',
    ],
    [
      'attack-07',
      'the length of a secret',
      "sized(secret.expose(), 32, 'secret', culprit);",
      'secret.expose();',
      'attack-07: a share of 33 bytes neither commits nor signs',
    ],
    [
      'attack-07',
      'the length of a signature share',
      "      put(33, sized(signatureShare, 32, 'signature share', id));",
      '      put(33, signatureShare);',
      'attack-07: a signature share of 33 bytes',
    ],
    [
      'attack-07',
      'the length of a proof of knowledge',
      "      sized(proof, 64, 'proof', id);\n",
      '',
      'attack-07: a malformed proof of knowledge',
    ],
    [
      'attack-07',
      'the length of a pair of nonce commitments',
      "sized(commitment, 66, 'commitment', partyId(id));",
      'partyId(id);',
      'attack-07, attack-12: a nonce commitment: 67 bytes',
    ],
    [
      'attack-11',
      'two commitments and no more',
      'ensure(commitments.length === 2, ',
      'ensure(commitments.length >= 2, ',
      'attack-11: commitments missing, twice or of three signers are BadIdentifier',
    ],
    [
      'attack-11',
      'the order of the commitments',
      'const sorted = commitments[0]!.id < commitments[1]!.id ? commitments : [commitments[1]!, commitments[0]!];',
      'const sorted = commitments;',
      'attack-11: permuted commitments give identical bytes',
      'HoarfrostError: BadIdentifier',
    ],
    [
      'attack-13',
      'the end of a nonce handle with its first answer',
      '      return use(value);\n    } finally {\n      dropNonces(handle);\n    }',
      '      return use(value);\n    } finally {\n    }',
      'attack-13, attack-14: a nonce handle gives one answer, whatever it was',
    ],
    [
      'attack-14',
      'the end of a nonce handle when it is given up',
      '    nonceHandles.delete(handle);\n    lostNonces.unregister(handle);\n    wasm.dropNonces(value);\n',
      '',
      'attack-13, attack-14: a nonce handle gives one answer, whatever it was',
    ],
    [
      'attack-19',
      'the path of a tweak',
      "    ensure(path === 'key' || path === 'leaf', 'BadEncoding', { detail: 'path' });\n",
      '',
      'attack-19: a merkle root of another length, on a leaf, or an unknown path',
    ],
  ]),
];
