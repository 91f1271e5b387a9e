/** Guards of a new epoch: the rounds, and the records that name it. */
import { guards } from './guard.ts';

const EPOCH = 'src/frost/epoch.ts';
const REFRESH = 'src/frost/refresh.ts';
const SIGNED = 'src/frost/signedBody.ts';
const AT_COSIGNER = 'src/cosigner/refresh.ts';
const AT_DEVICE = 'src/device/refresh.ts';
const REFRESHING = 'test/unit/refresh.test.ts';
const COSIGNER = 'test/unit/cosignerRefresh.test.ts';
const DEVICE = 'test/unit/deviceRefresh.test.ts';

export const REFRESH_GUARDS = [
  ...guards(SIGNED, REFRESHING, [
    [
      'attack-05',
      'the session of a message of a refresh',
      "  ensure(equalVar(said.session, sender.session), 'WrongSession', { culprit: sender.id });\n",
      '',
      'attack-05: a reveal and a certificate of another refresh are WrongSession',
    ],
    [
      'attack-06',
      'the sender of a message of a refresh',
      "  ensure(said.id === sender.id, 'BadIdentifier', { culprit: sender.id });\n",
      '',
      'attack-06: a reflected message is BadSignature, a foreign id BadIdentifier',
    ],
    [
      'attack-06',
      'the signature of a reflected message',
      "  ensure(signer.schnorrVerify(hostKey, taggedHash(tag, body), signature), 'BadSignature');\n",
      '',
      'attack-06: a reflected message is BadSignature, a foreign id BadIdentifier',
    ],
  ]),
  ...guards('src/crypto/seal.ts', REFRESHING, [
    [
      'attack-09',
      'the context of what is opened',
      "      { name: 'AES-GCM', iv: ZERO_NONCE, additionalData: context },\n      key,\n      sealed.subarray(32),\n    );",
      "      { name: 'AES-GCM', iv: ZERO_NONCE, additionalData: context },\n      key,\n      sealed.subarray(32),\n    ).catch(() => new ArrayBuffer(32));",
      'attack-09: a contribution sealed for another sender, recipient or session is WrongContext',
    ],
  ]),
  ...guards(REFRESH, REFRESHING, [
    [
      'attack-06',
      'the sender of a first message',
      "    ensure(said.id === peer.id, 'BadIdentifier', { culprit: peer.id });\n",
      '',
      'attack-06: a reflected message is BadSignature, a foreign id BadIdentifier',
    ],
    [
      'attack-17',
      'the threshold that a party announces, raised',
      "    ensure(said.threshold === THRESHOLD, 'RefreshInvalid', { culprit: peer.id, detail: 'threshold' });\n",
      '',
      'attack-17: refresh > with a raised threshold is RefreshInvalid',
    ],
    [
      'attack-17',
      'the threshold that a party announces, lowered',
      "    ensure(said.threshold === THRESHOLD, 'RefreshInvalid', { culprit: peer.id, detail: 'threshold' });\n",
      '',
      'attack-17: refresh > with a lowered threshold is RefreshInvalid',
    ],
    [
      'attack-17',
      'the wallet',
      "    ensure(equalVar(said.wallet, epoch.wallet), 'RefreshInvalid', { culprit: peer.id, detail: 'wallet' });\n",
      '',
      'attack-17: refresh > with another wallet is RefreshInvalid',
    ],
    [
      'attack-17',
      'the number of the epoch',
      "    ensure(said.epoch === epoch.number + 1, 'RefreshInvalid', { detail: 'stale epoch' });\n",
      '',
      'attack-17: refresh > with a stale epoch is RefreshInvalid',
    ],
    [
      'attack-17',
      'the head of the records',
      "    ensure(equalVar(said.previous, epoch.head), 'RefreshInvalid', { detail: 'heads differ' });\n",
      '',
      'attack-17: refresh > with another head is RefreshInvalid',
    ],
    [
      'attack-17',
      'the degree of the polynomial',
      "  ensure(said.coefficients.length === THRESHOLD, 'RefreshInvalid', { culprit, detail: 'threshold' });\n",
      '',
      'attack-17: refresh > with a higher degree is RefreshInvalid and blames its maker',
    ],
    [
      'attack-17',
      'the constant term',
      "  ensure(constant.length === 0, 'RefreshInvalid', { culprit, detail: 'constant term' });\n",
      '',
      'attack-17: refresh > with a non-zero constant is RefreshInvalid and blames its maker',
    ],
    [
      'attack-17',
      'the commitment to a contribution',
      '  ensure(equalVar(commitmentTo(self.epoch.head, peer.id, coefficient), state.commitment), ',
      '  ensure(true, ',
      'attack-17: refresh > with a contribution chosen after the device revealed its own is RefreshInvalid',
    ],
    [
      'attack-17',
      'the contribution against its point',
      '    ensure(equalVar(publicKeyOf(signer, contribution), coefficient), ',
      '    ensure(true, ',
      'attack-17: refresh > with a contribution of one in place of the committed one is RefreshInvalid',
    ],
  ]),
  ...guards('wasm/assembly/ceremony.ts', REFRESHING, [
    [
      'attack-17',
      'a slope that is not zero, between parties',
      '  return valid & (1 - scIsZero(r));\n',
      '  return valid;\n',
      'attack-17: refresh > with contributions that cancel is RefreshInvalid',
    ],
  ]),
  ...guards(EPOCH, REFRESHING, [
    [
      'attack-17',
      'the record that a certificate is over',
      "  ensure(equalVar(said.record, body), kind === 'refresh' ? ",
      "  ensure(true, kind === 'refresh' ? ",
      'attack-17: refresh > a certificate over another F_e is RefreshInvalid and blames its signer',
    ],
    [
      'attack-17',
      'the signature of a certificate',
      '  ensure(signer.schnorrVerify(hostKey, recordHash(body), said.certificate), ',
      '  ensure(true, ',
      'attack-17: refresh > a certificate over another F_e is RefreshInvalid and blames its signer',
    ],
    [
      'attack-16',
      "the other side's certificate, without which nothing rolls forward",
      "    ensure(message !== undefined, 'Pending', { detail: 'certificate missing' });\n",
      '    if (message === undefined) return pending.certificate;\n',
      'attack-16: a refresh that breaks off > before both have certified the old epoch signs; with both certificates both roll forward',
    ],
  ]),
  ...guards(EPOCH, 'test/unit/records.test.ts', [
    [
      'attack-06',
      'who certifies a refresh',
      '  const hostKey = certifiersOf(epoch, body).find(({ id }) => id === from)?.hostKey;\n',
      '  const hostKey = epoch.hostKeys[from - 1];\n',
      'attack-06: recovery has no certificate to give over a refresh',
    ],
    [
      'attack-09',
      'the wallet in the context of a ciphertext for recovery',
      '  return concat(wallet, u32Bytes(epoch), slope);\n',
      '  return concat(u32Bytes(epoch), slope);\n',
      'attack-09: a ciphertext of another epoch or wallet opens nowhere else',
    ],
    [
      'attack-09',
      'the epoch in the context of a ciphertext for recovery',
      '  return concat(wallet, u32Bytes(epoch), slope);\n',
      '  return concat(wallet, slope);\n',
      'attack-09: a ciphertext of another epoch or wallet opens nowhere else',
    ],
    [
      'attack-09',
      'the slope in the context of a ciphertext for recovery',
      '  return concat(wallet, u32Bytes(epoch), slope);\n',
      '  return concat(wallet, u32Bytes(epoch + 0 * slope.length));\n',
      'attack-09: a ciphertext of another epoch or wallet opens nowhere else',
    ],
  ]),
  ...guards(AT_COSIGNER, COSIGNER, [
    [
      'attack-16',
      'the stored answer to a certificate',
      '    if (running === null) return this.#again(wallet, message);\n',
      "    ensure(running !== null, 'SessionUnknown');\n",
      'attack-16: one side gone between certifying and knowing > the same certify message again, on any connection and after a restart, gets the same answer',
      'HoarfrostError: SessionUnknown',
    ],
    [
      'attack-16',
      'the note that a session is void',
      "    await tx.putRecord('refresh', session, encode(outcome, never));\n",
      '',
      'attack-16: one side gone between certifying and knowing > void is for good: the rounds may live on another connection, and still never complete',
    ],
    [
      'attack-16',
      'the look whether a session is void',
      "  ensure((await tx.record('refresh', session)) === null, 'SessionUnknown', { detail: 'void' });\n",
      '',
      'attack-16: one side gone between certifying and knowing > void is for good: the rounds may live on another connection, and still never complete',
    ],
    [
      'attack-16',
      'the head that a change must follow',
      "    ensure(equalVar(now.epoch.head, epoch.head), 'EpochStale');\n",
      '',
      'attack-16: one side gone between certifying and knowing > also if the other completes while the key of this one is being made, and that key is destroyed',
    ],
    [
      'attack-16',
      'the deadline of the rounds',
      '    const timer = setTimeout(() => this.drop(), REFRESH_DEADLINE_MS);\n',
      '    const timer = setTimeout(() => {}, REFRESH_DEADLINE_MS);\n',
      'attack-16: one side gone between certifying and knowing > the rounds end with their deadline',
    ],
  ]),
  ...guards(REFRESH, COSIGNER, [
    [
      'attack-17',
      'the constant term, before the cosigner stores anything',
      "  ensure(constant.length === 0, 'RefreshInvalid', { culprit, detail: 'constant term' });\n",
      '',
      'attack-17: a refresh that does not follow from the epoch before > a constant term is refused before anything is stored; key and addresses stay',
    ],
    [
      'attack-17',
      'the threshold, at the cosigner',
      "    ensure(said.threshold === THRESHOLD, 'RefreshInvalid', { culprit: peer.id, detail: 'threshold' });\n",
      '',
      'attack-17: a refresh that does not follow from the epoch before > a lowered threshold is refused at once',
    ],
    [
      'attack-17',
      'the epoch, at the cosigner',
      "    ensure(said.epoch === epoch.number + 1, 'RefreshInvalid', { detail: 'stale epoch' });\n",
      '',
      'attack-17: a refresh that does not follow from the epoch before > an epoch skipped is refused at once',
    ],
  ]),
  ...guards(AT_DEVICE, DEVICE, [
    [
      'attack-16',
      'the signature under a void statement',
      "  ensure(said, 'BadSignature', { detail: 'void' });\n",
      '',
      'attack-16, BadSignature: a void that the cosigner did not sign ends no doubt',
    ],
    [
      'attack-16',
      'the change on disk before its certificate leaves',
      '      await epochs.keep(finished.pending, share);\n    } finally {\n      finished.share.wipe();\n    }\n',
      '    } finally {\n      finished.share.wipe();\n    }\n    queueMicrotask(() => {});\n',
      'attack-16: a cosigner that fails at each step of a refresh > gone at refreshCertify, after acting: one epoch signs, and the next run ends it',
    ],
    [
      'attack-21',
      "the test of the cosigner's new share before the old ones go",
      '      signature = Uint8Array.from((await withShare(finish))[0]!);\n',
      '      signature = Uint8Array.from((await withShare(finish).catch(() => [new Uint8Array(64)]))[0]!);\n',
      'attack-21 BadShare: a share that does not fit keeps the old one, and no other refresh begins',
    ],
  ]),
];
