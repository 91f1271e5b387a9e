/** Guards of a share that is made anew: the rounds, who may begin them, and what the one that was lost can still do. */
import { guards } from './guard.ts';

const EPOCH = 'src/frost/epoch.ts';
const REPAIR = 'src/frost/repair.ts';
const SIGNED = 'src/frost/signedBody.ts';
const REPAIRING = 'test/unit/repairAttacks.test.ts';

export const REPAIR_GUARDS = [
  ...guards(SIGNED, REPAIRING, [
    [
      'attack-05',
      'the session of a message of a repair',
      "  ensure(equalVar(said.session, sender.session), 'WrongSession', { culprit: sender.id });\n",
      '',
      'attack-05: a summand, sum or certificate of another repair is WrongSession',
    ],
    [
      'attack-06',
      'the sender of a message of a repair',
      "  ensure(said.id === sender.id, 'BadIdentifier', { culprit: sender.id });\n",
      '',
      'attack-06: reflected messages are BadSignature, foreign ids BadIdentifier',
    ],
    [
      'attack-06',
      'the signature of a reflected summand',
      "  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');\n",
      '',
      'attack-06: reflected messages are BadSignature, foreign ids BadIdentifier',
    ],
  ]),
  ...guards('wasm/assembly/ceremony.ts', REPAIRING, [
    [
      'attack-18',
      'the repaired share against the known point, for a wrong sum',
      '  if (!sameBytesVar(y, IN + 64, 33)) return REPAIRED_SHARE_MISMATCH;\n',
      '',
      'attack-18: repair > share 1: with a wrong sum is RepairedShareMismatch',
    ],
    [
      'attack-18',
      'the repaired share against the known point, for a wrong summand',
      '  if (!sameBytesVar(y, IN + 64, 33)) return REPAIRED_SHARE_MISMATCH;\n',
      '',
      'attack-18: repair > share 2: with a wrong summand is RepairedShareMismatch',
    ],
  ]),
  {
    number: 'attack-18',
    out: "the new holder's key as this helper was shown it: in the signature and in the hello",
    changes: [
      {
        file: SIGNED,
        text: "  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');\n",
      },
      {
        file: REPAIR,
        text: "  ensure(equalVar(said.hostKey, target.hostKey), 'BadSignature', { detail: 'host key' });\n",
      },
    ],
    test: {
      file: REPAIRING,
      name: 'attack-18: repair > with a new holder that one helper was not shown is BadSignature, and its hello TranscriptMismatch',
    },
  },
  ...guards(REPAIR, REPAIRING, [
    [
      'attack-18',
      'the epoch that a helper stands in',
      "  ensure(said.epoch === epoch.number && equalVar(said.previous, epoch.head), 'EpochStale');\n",
      '',
      'attack-18: repair > with helpers, or a new holder, at different epochs is EpochStale before anything is split',
    ],
    [
      'attack-18',
      'the hello that the other helper saw',
      "  ensure(equalVar(said.hello, helloHash(hello)), 'TranscriptMismatch', { detail: 'new holder' });\n",
      '',
      'attack-18: repair > with a new holder that one helper was not shown is BadSignature, and its hello TranscriptMismatch',
    ],
    [
      'attack-18',
      'the ceremony of a hello',
      "  ensure(equalVar(said.ceremony, ceremony), 'WrongSession', { detail: 'ceremony' });\n",
      '',
      'attack-18: repair > with a hello that the right host signed for other things is refused',
    ],
    [
      'attack-18',
      'the share that a hello asks for',
      "  ensure(said.target === target.id, 'BadIdentifier', { detail: 'target' });\n",
      '',
      'attack-18: repair > with a hello that the right host signed for other things is refused',
    ],
    [
      'attack-18',
      'the host key in a hello',
      "  ensure(equalVar(said.hostKey, target.hostKey), 'BadSignature', { detail: 'host key' });\n",
      '',
      'attack-18: repair > with a hello that the right host signed for other things is refused',
    ],
    [
      'attack-18',
      'the helpers of a repair',
      "  ensure(helpersOf(target.id).includes(id), 'BadIdentifier', { detail: 'helper' });\n",
      '',
      'attack-18: repair > with a hello that the right host signed for other things is refused',
    ],
    [
      'attack-09',
      'the sender of what is sealed in a repair',
      '  return concat(session, Uint8Array.of(from, to));\n',
      '  return concat(session, Uint8Array.of(from * 0, to));\n',
      'attack-09: a summand sent on as a sum, to its own maker, or as somebody else’s is WrongContext',
    ],
  ]),
  ...guards(EPOCH, REPAIRING, [
    [
      'attack-08',
      'the number of signatures under a record',
      "  ensure(certificates.length === certifiers.length, 'BadCertificate', { detail: 'signatures' });\n",
      '',
      'attack-08: a repair record lacks no signature, and its keys are new',
    ],
    [
      'attack-08',
      'the signatures under a record',
      '    ensure(signer.schnorrVerify(hostKey, recordHash(body), certificates[i]!), ',
      '    ensure(true, ',
      'attack-08: a repair record lacks no signature, and its keys are new',
    ],
  ]),
  ...guards('src/cosigner/ceremonies.ts', 'test/unit/cosignerRepair.test.ts', [
    [
      'attack-23',
      'the delay before anything of a share is told',
      '  ensureRipe(look(state, cosigner.clock.now()));\n',
      '',
      'sqlite > a lost device > attack-23 nothing of it is told before the ceremony is ripe, to another device, or of none',
    ],
  ]),
  {
    number: 'attack-23',
    out: 'the end of the old words: in the index, and by the keys that are certified',
    changes: [
      {
        file: 'src/cosigner/repair.ts',
        text: 'tx.replaceRecovery(purpose.hostKey);\n',
        becomes: 'tx.wallet;\n',
      },
      {
        file: 'src/cosigner/acts.ts',
        text: "  ensure(equalVar(in_.wallet.epoch.hostKeys[2], hostKey), 'SessionUnknown');\n",
      },
    ],
    test: {
      file: 'test/unit/cosignerRepair.test.ts',
      name: 'sqlite > a lost kit > attack-23 is replaced by device and cosigner; the old words can do nothing',
    },
  },
  ...guards('src/cosigner/repair.ts', 'test/unit/cosignerRepair.test.ts', [
    [
      'attack-23',
      'the end of the lost device',
      'tx.replaceDevice(purpose.noiseKey);\n',
      'tx.wallet;\n',
      'sqlite > a lost device > attack-23 is replaced: the new one signs, the lost one is nobody, on its open connection too',
    ],
  ]),
  ...guards('src/cosigner/sign.ts', 'test/unit/cosignerRepair.test.ts', [
    [
      'attack-23',
      'the device that a connection speaks for, at each signature',
      "    ensure(equalVar(tx.wallet.deviceKey, deviceKey), 'NotEnrolled', { detail: 'another device' });\n",
      '',
      'sqlite > a lost device > attack-23 is replaced: the new one signs, the lost one is nobody, on its open connection too',
    ],
  ]),
  ...guards('src/cosigner/session.ts', 'test/unit/cosignerRepair.test.ts', [
    [
      'attack-23',
      'the device that a connection speaks for, at each question',
      '    if (this.#wallet !== null) this.#wallet = await this.#cosigner.store.walletOfDevice(this.#peer.deviceKey);\n',
      '',
      'sqlite > a lost device > attack-23 is replaced: the new one signs, the lost one is nobody, on its open connection too',
    ],
  ]),
  ...guards(SIGNED, 'test/unit/cosignerRepair.test.ts', [
    [
      'attack-18',
      "the signature of a helper's summand, at the cosigner",
      "  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');\n",
      '',
      'sqlite > a lost device > attack-18 of a wrong summand, sum or certificate nothing is stored',
    ],
  ]),
  ...guards(SIGNED, 'test/unit/cosignerTakeover.test.ts', [
    [
      'attack-18',
      'the signature of a sum, at a new cosigner',
      "  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');\n",
      '',
      'attack-18 of a wrong sum nothing is stored',
    ],
  ]),
  ...guards('src/recovery/cosign.ts', 'test/unit/recoveryCosign.test.ts', [
    [
      'attack-23',
      "the device's signature under a request to recovery",
      "  ensure(signer.schnorrVerify(hostKey, hash, message.signature), 'BadSignature', { detail: 'request' });\n",
      '',
      'attack-23: only the device of the present epoch is answered, and only what it signed',
    ],
    [
      'attack-23',
      'the epoch of a request to recovery',
      "  ensure(body.epoch === wallet.epoch.number, 'EpochStale', { culprit: DEVICE });\n",
      '',
      'attack-23: only the device of the present epoch is answered, and only what it signed',
    ],
  ]),
];
