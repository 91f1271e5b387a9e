/** Guards of signing: the device, the cosigner, and the steps that both run. */
import { guards } from './guard.ts';

const STEPS = 'src/frost/signing.ts';
const ATTEMPT = 'src/device/attempt.ts';
const PAYMENTS = 'src/device/payments.ts';
const AUTHORISE = 'src/cosigner/authorise.ts';
const SIGN = 'src/cosigner/sign.ts';
const SIGHASH = 'src/bitcoin/sighash.ts';
const FIXED = 'attack-14: with one fixed generator, any change of the attempt changes both nonces';
const CONTEXT =
  '  return concat(attempt.handshakeHash, attempt.attempt, numbers, input.sighash, input.expectedKey, heard);\n';
const NO_PROOF =
  'attack-20 a request without proof by share 1 on this connection is Unauthorised, and nothing of it was read';
const MISFIT =
  'attack-20 another epoch, another wallet’s coins, or a number of commitments that does not fit is refused, and nothing was written';

export const SIGNING_GUARDS = [
  ...guards(ATTEMPT, 'test/unit/devicePayments.test.ts', [
    [
      'attack-10',
      "the cosigner's reading of what is signed",
      "    ensure(equalVar(answer.digest, shown.digest), 'MessageMismatch', { culprit: COSIGNER });\n",
      '',
      'attack-10: MessageMismatch for another digest, and zero signer calls on it',
    ],
    [
      'attack-10',
      'the payment that a receipt names',
      'ensure(equalVar(receipt.spend, hex.decode(shown.txid)), ',
      'ensure(true, ',
      'attack-10: a receipt of another payment is refused',
    ],
    [
      'attack-10',
      'what a receipt says was decided',
      'ensure(receipt.verdict.kind === expected[answer.kind], ',
      'ensure(true, ',
      'attack-10: a receipt that says refused is none for a signature',
    ],
  ]),
  ...guards(PAYMENTS, 'test/unit/devicePayments.test.ts', [
    [
      'attack-10',
      "the cosigner's reading of what is evaluated",
      "    ensure(equalVar(evaluated.digest, digest), 'MessageMismatch', { culprit: 2 });\n",
      '',
      'attack-10: the same on evaluate, before anything is signed',
    ],
  ]),
  ...guards(STEPS, 'test/unit/devicePayments.test.ts', [
    [
      'attack-21',
      'the look at all shares before the first own one is made',
      '      if (inputs.length > 1) {\n',
      '      if (inputs.length > INPUTS_MAX) {\n',
      'attack-21: BadShare for an invalid share among several; our own are never made',
    ],
  ]),
  ...guards('wasm/assembly/frost.ts', 'test/unit/devicePayments.test.ts', [
    [
      'attack-21',
      "the check of the only share, with the device's own behind it",
      '  error = checkShare(z, other, IN + 32);\n  if (error) return error;\n',
      '',
      'attack-21: BadShare for the only share, which the signer checks before it makes our own',
    ],
  ]),
  ...guards(STEPS, 'test/unit/signing.test.ts', [
    [
      'attack-21',
      'the look at the last share before the first own one is made',
      '      if (inputs.length > 1) {\n',
      '      if (inputs.length > INPUTS_MAX) {\n',
      'attack-21: a bad share of the last input stops before the first own share is made',
    ],
    [
      'attack-14',
      "the device's commitments in the cosigner's nonces",
      "  const heard = taggedHash('hoarfrost/commitments', ...peer.commitments);\n",
      '  const heard = new Uint8Array(0);\n',
      'attack-14 with one fixed generator, any commitment of the device changes all nonces of the cosigner',
    ],
    [
      'attack-14',
      'the connection in the nonces',
      CONTEXT,
      CONTEXT.replace('attempt.handshakeHash, ', ''),
      FIXED,
    ],
    ['attack-14', 'the attempt in the nonces', CONTEXT, CONTEXT.replace('attempt.attempt, ', ''), FIXED],
    ['attack-14', 'epoch and input in the nonces', CONTEXT, CONTEXT.replace('numbers, ', ''), FIXED],
    ['attack-14', 'the epoch in the nonces', 'setUint32(0, attempt.epoch)', 'setUint32(0, 0)', FIXED],
    ['attack-14', 'what is signed in the nonces', CONTEXT, CONTEXT.replace('input.sighash, ', ''), FIXED],
    ['attack-14', 'the key in the nonces', CONTEXT, CONTEXT.replace('input.expectedKey, ', ''), FIXED],
  ]),
  ...guards('wasm/assembly/frost.ts', 'test/unit/refresh.test.ts', [
    [
      'attack-14',
      'the share in the nonces',
      '    shaUpdate(ctx, IN, 32);\n    shaUpdate(ctx, IN + 96, length);\n',
      '',
      'attack-14: with one fixed generator, no commitment pair serves two epochs',
    ],
  ]),
  ...guards(ATTEMPT, 'test/unit/deviceAttempts.test.ts', [
    [
      'attack-14',
      'the age of nonces',
      'ensure(age < lifetimeMs && jump < CLOCK_JUMP_MS, ',
      'ensure(jump < CLOCK_JUMP_MS, ',
      'attack-14: nonces do not survive 30 s',
    ],
    [
      'attack-14',
      'a clock that jumps',
      'ensure(age < lifetimeMs && jump < CLOCK_JUMP_MS, ',
      'ensure(age < lifetimeMs, ',
      'attack-14: nonces do not survive a clock set on',
    ],
    [
      'attack-14',
      'a clock that jumps back',
      'const jump = Math.abs(env.now() - since.now - age);',
      'const jump = env.now() - since.now - age;',
      'attack-14: nonces do not survive a clock set back',
    ],
  ]),
  ...guards(PAYMENTS, 'test/unit/deviceWindows.test.ts', [
    [
      'attack-15',
      'one run of one payment',
      '    if (this.#running.has(id)) return;\n',
      '',
      'attack-15: one payment pressed in two windows at once is one attempt',
    ],
  ]),
  ...guards('wasm/assembly/frost.ts', 'test/unit/deviceWindows.test.ts', [
    [
      'attack-15',
      'the check of shares against their session',
      '  return right ? OK : blame(BAD_SHARE, id);\n',
      '  return OK;\n',
      'attack-15: nothing of one payment binds another: answers that are exchanged are BadShare, and nothing is sent',
    ],
  ]),
  ...guards(AUTHORISE, 'test/unit/cosignerSigning.test.ts', [
    [
      'attack-13',
      'the answer that was stored',
      '  if (before === null) {\n    ensure(!used',
      '  if (before !== undefined) {\n    ensure(!used',
      'attack-13 audit-16 the identical request gets the identical answer, on any connection, for ever',
      'HoarfrostError: AttemptReused',
    ],
    [
      'attack-14',
      'the ledger of commitments',
      "    ensure(!used, 'AttemptReused');\n",
      '',
      'attack-14 the same commitments with anything else are AttemptReused',
    ],
    [
      'attack-14',
      'one pair for one input',
      '    commitments.length === 1 || new Set(commitments.map(String)).size === commitments.length,\n',
      '    true,\n',
      'attack-14 the same commitments with anything else are AttemptReused',
    ],
    [
      'attack-07',
      'the points of commitments, before anything is written',
      '  checkCommitments(signer, asked.commitments);\n',
      '',
      'attack-07 commitments that are no points are refused, and nothing was written',
    ],
    ['attack-20', 'the epoch', "  ensure(tx.wallet.epoch === epoch, 'EpochStale');\n", '', MISFIT],
    [
      'attack-20',
      'a pair of commitments for each input',
      "  ensure(asked.commitments.length === inputs, 'BadEncoding', { detail: 'one commitment pair an input' });\n",
      '',
      MISFIT,
    ],
  ]),
  ...guards(SIGHASH, 'test/unit/cosignerSigning.test.ts', [
    [
      'attack-20',
      'coins of the account alone, by derivation',
      '  return equalVar(script, key.script) ? key : null;\n',
      '  return key;\n',
      MISFIT,
    ],
  ]),
  ...guards(SIGN, 'test/unit/cosignerSigning.test.ts', [
    [
      'attack-20',
      'the proof by share 1',
      '    if (!provedIn(wallet.epoch)) {\n',
      '    if (false) {\n',
      NO_PROOF,
    ],
  ]),
  ...guards('src/frost/proofs.ts', 'test/unit/cosignerSigning.test.ts', [
    [
      'attack-20',
      'the connection in the proof',
      "  return taggedHash('hoarfrost/sign-proof', handshakeHash, signRequestHash(body));\n",
      "  return taggedHash('hoarfrost/sign-proof', signRequestHash(body));\n",
      NO_PROOF,
    ],
    [
      'attack-20',
      'the request in the proof',
      "  return taggedHash('hoarfrost/sign-proof', handshakeHash, signRequestHash(body));\n",
      "  return taggedHash('hoarfrost/sign-proof', handshakeHash);\n",
      NO_PROOF,
    ],
  ]),
  ...guards(SIGN, 'test/unit/cosignerMessages.test.ts', [
    [
      'attack-20',
      "a text's own kind of proof",
      '(payment ? signProofHash : messageProofHash)(',
      '(handshakeHash ? signProofHash : messageProofHash)(',
      'attack-20 a proof for a text is none for a payment, and the other way about; nor is one request read as the other',
    ],
    [
      'attack-20',
      "a payment's own kind of proof",
      '(payment ? signProofHash : messageProofHash)(',
      '(handshakeHash ? messageProofHash : signProofHash)(',
      'attack-20 a proof for a text is none for a payment, and the other way about; nor is one request read as the other',
    ],
  ]),
  ...guards(AUTHORISE, 'test/unit/cosignerMessages.test.ts', [
    [
      'attack-13',
      'the ledger of commitments, which texts share with payments',
      "    ensure(!used, 'AttemptReused');\n",
      '',
      'attack-13 the same request is told the same, and its commitments sign nothing else: no other text, no payment',
    ],
  ]),
  ...guards(AUTHORISE, 'test/unit/cosignerPolicy.test.ts', [
    [
      'attack-20',
      'ANYONECANPAY by the policy alone',
      "  ensure(whole || policy.anyoneCanPay, 'SighashRefused', { detail: 'policy' });\n",
      '',
      'attack-20 sighash NONE and bare SINGLE are refused, and ANYONECANPAY outside the policy',
    ],
  ]),
  ...guards(SIGHASH, 'test/unit/cosignerPolicy.test.ts', [
    [
      'attack-20',
      'the sighash types that may be signed at all',
      '    ensure(allowed.includes(sighashType), ',
      '    ensure(true, ',
      'attack-20 where the policy lets others complete, ALL|ANYONECANPAY is charged in full, NONE still refused',
    ],
  ]),
  ...guards(AUTHORISE, 'test/unit/cosignerBackup.test.ts', [
    [
      'attack-14',
      'the ledger of before a restored backup',
      "  ensure(equalVar(tx.wallet.ledger, ledger), 'AttemptBurned', { detail: 'ledger' });\n",
      '',
      'attack-14 answers no request of before, whether the backup knows it or not, and never one pair with two answers',
    ],
  ]),
  ...guards('src/cosigner/refresh.ts', 'test/unit/cosignerRefresh.test.ts', [
    [
      'attack-14',
      'the ledger of commitments, for test signatures',
      "      ensure(!(await tx.commitmentsUsed(commitments)), 'AttemptReused');\n",
      '',
      'attack-14 a commitment of a payment is not answered by a test',
    ],
    [
      'attack-14',
      'the note of what a test signature used',
      '      await tx.insertAttempt({ request, commitments, spend: NO_SPEND, at: clock.now() });\n',
      '',
      'attack-14 a commitment is answered once: the same again gets the same share, in no other epoch another',
      'HoarfrostError: Internal: answer stored twice',
    ],
  ]),
];
