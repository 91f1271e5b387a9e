/** Guards of what is left when something ends: secrets after their use and the lock, half a wallet after keygen. */
import { guards } from './guard.ts';

export const ENDS_GUARDS = [
  ...guards('src/cosigner/ceremonies.ts', 'test/unit/cosignerCeremonies.test.ts', [
    [
      'attack-22',
      'the delay and the contest before stolen words do anything',
      '  ensureRipe(look(state, cosigner.clock.now()));\n',
      '',
      'attack-22: gets nothing at once, and nothing after the delay once the owner has contested',
    ],
  ]),
  ...guards('src/policy/ceremony.ts', 'test/unit/cosignerCeremonies.test.ts', [
    [
      'attack-22',
      'the contest of one against one',
      "  return 'contested';\n",
      "  return 'waiting';\n",
      'attack-22: gets nothing at once, and nothing after the delay once the owner has contested',
    ],
  ]),
  ...guards('src/device/attempt.ts', 'test/unit/deviceAttack.test.ts', [
    [
      'attack-22',
      'the end of nonces with their attempt',
      '  } finally {\n    dropAll(signer, committed);\n  }\n',
      '  } finally {\n  }\n',
      'attack-22: locking while a payment runs > nonces do not outlive the lock',
    ],
  ]),
  ...guards('src/device/vault.ts', 'test/unit/deviceAttack.test.ts', [
    [
      'attack-22',
      'the end of the data key with the lock',
      '  lock(): void {\n    this.#key = null;\n  }\n',
      '  lock(): void {}\n',
      'attack-22: locking while a payment runs > an answer that comes after the lock opens no share, and the payment goes on after the unlock',
    ],
  ]),
  ...guards('src/device/attempt.ts', 'test/unit/deviceRefreshAttack.test.ts', [
    [
      'attack-22',
      "the wiping of the device's share after its use",
      '  return withSecrets([share], () => use(share));\n',
      '  return use(share);\n',
      'attack-22: after signing, a refresh and the lock, no secret of either side is left anywhere',
    ],
  ]),
  ...guards('src/cosigner/sign.ts', 'test/unit/deviceRefreshAttack.test.ts', [
    [
      'attack-22',
      "the wiping of the cosigner's share after its use",
      '  } finally {\n    share.wipe();\n  }\n',
      '  } finally {\n  }\n',
      'attack-22: after signing, a refresh and the lock, no secret of either side is left anywhere',
    ],
  ]),
  ...guards('src/crypto/seal.ts', 'test/unit/deviceRefreshAttack.test.ts', [
    [
      'attack-22',
      'the wiping of a one-time key',
      '  ephemeral.wipe();\n',
      '',
      'attack-22: after signing, a refresh and the lock, no secret of either side is left anywhere',
    ],
  ]),
  ...guards('src/device/keygen.ts', 'test/unit/deviceAttack.test.ts', [
    [
      'attack-08',
      'the signatures of the certificate that the cosigner answers',
      '  frost.verifyCertificate(signer, certificate);\n',
      '',
      'attack-08: our transcript with a signature that is none stays Pending',
    ],
  ]),
  ...guards('src/device/keygen.ts', 'test/unit/deviceKeygen.test.ts', [
    [
      'attack-02',
      'the transcript that a certificate is over',
      "  ensure(frost.certifies(certificate, pending.transcript), 'TranscriptMismatch');\n",
      '',
      'attack-02, attack-08: a certificate > TranscriptMismatch: the full certificate of another wallet, and this one stays Pending',
    ],
    [
      'attack-08',
      "recovery's certification, before anything is stored",
      '        frost.checkCertify(signer, finished, recovery, 3);\n',
      '',
      'attack-02, attack-08: a certificate > WrongSession: recovery certified another session, and nothing was stored',
    ],
  ]),
];
