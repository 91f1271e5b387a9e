/** Guards of the change of a channel key: what a device takes for one, when it uses it, and what instances of a cosigner agree on. */
import { guards } from './guard.ts';

const ROTATION = 'test/unit/rotation.test.ts';
const THIEF = 'audit-01 a server that holds the pinned key and not the signing key';

export const CHANNEL_KEY_GUARDS = [
  ...guards('src/frost/channelKey.ts', ROTATION, [
    [
      'audit-01',
      'the signature of the cosigner under its channel key',
      "  ensure(signed, 'ChannelKeyRefused', { detail: 'signature' });\n",
      '  void signed;\n',
      `${THIEF} > forges none`,
    ],
    [
      'audit-01',
      'the number that must rise',
      "  ensure(said.number > pinned.number, 'ChannelKeyRefused', { detail: 'not newer' });\n",
      '',
      `${THIEF} > sets no device back with an old one`,
    ],
  ]),
  ...guards('src/frost/channelKey.ts', 'test/unit/channelKey.test.ts', [
    [
      'audit-01',
      'whose channel key it is',
      "  ensure(equalVar(said.cosigner, cosigner), 'ChannelKeyRefused', { detail: 'another cosigner' });\n",
      '',
      'audit-01 the next key > is not the word of another cosigner, be it signed by that one or by ours',
    ],
  ]),
  ...guards('src/device/channel.ts', ROTATION, [
    [
      'audit-01',
      'the look at the greeting before anything is asked',
      '      await this.#args.greet(hello);\n',
      '      void this.#args.greet(hello).catch(() => {});\n',
      `${THIEF} > forges none`,
    ],
  ]),
  ...guards('src/device/wallet.ts', ROTATION, [
    [
      'audit-01',
      'a new key on disk before its use',
      '    await this.#save({ channelKey: statement });\n    this.#channelKey = next;\n',
      '    this.#channelKey = next;\n    await this.#save({ channelKey: statement });\n',
      'audit-01 a device > uses the new key only once it is on disk',
    ],
    [
      'audit-01',
      'the signature under a channel key that lay in the profile',
      "    throw new HoarfrostError('VaultDamaged', { detail: 'channel key', cause });\n",
      '    return null;\n',
      'audit-01 a row that was written into the profile brings no key that the cosigner never signed',
    ],
  ]),
  ...guards('src/device/wallet.ts', 'test/unit/deviceRepairs.test.ts', [
    [
      'audit-01',
      'the end of what a cosigner said with the move away from it',
      'receiptsBroken: false, channelKey: null });',
      'receiptsBroken: false });',
      'another cosigner > audit-01 and back to one that has changed its channel key meanwhile: what it said before counts for nothing',
    ],
  ]),
  ...guards('src/device/repairDevice.ts', ROTATION, [
    [
      'audit-01',
      "the records' or the signing key's word on the channel key of a newcomer's link",
      '  ensure(known && equalVar(epoch.hostKeys[1], hostKey)',
      '  void known;\n  ensure(equalVar(epoch.hostKeys[1], hostKey)',
      'audit-01 a new device for an old wallet > not by one that nobody vouches for',
    ],
  ]),
  ...guards('src/cosigner/session.ts', ROTATION, [
    [
      'audit-01',
      'the key that a device has already, in what it is told',
      ' || announced.number <= own.number',
      '',
      'audit-01 the server > never says an older key to who has a newer one, be the announcement lost with the store',
    ],
    [
      'audit-01',
      'the key of the link, in what a stranger is told',
      '!this.enrolled || ',
      '',
      'audit-01 a new device for an old wallet > comes in by a link whose key is not the newest any more, as long as it is answered',
      'HoarfrostError: WrongCosignerKey: certificate',
    ],
    [
      'audit-01',
      'the announced key itself, in what an instance with another of its number says',
      'number === announced.number && equalVar(noise.publicKey, announced.noiseKey)',
      'number === announced.number',
      'audit-01 the server > of two instances each tells the same, in one moment, once both answer',
    ],
  ]),
  ...guards('src/cosigner/identity.ts', ROTATION, [
    [
      'audit-01',
      'one key under one number in all instances',
      '(announced === null || equalVar(key.noise.publicKey, announced.noiseKey))',
      'true',
      'audit-01 the server > of two instances each tells the same, in one moment, once both answer',
    ],
  ]),
  ...guards('src/cosigner/health.ts', ROTATION, [
    [
      'audit-01',
      'the announced key in what an instance must have to be given work',
      'Promise.all([keyWrap.check(), checkChannelKey(store, identity)])',
      'keyWrap.check()',
      'audit-01 the server > of two instances each tells the same, in one moment, once both answer',
    ],
  ]),
  ...guards('src/cosigner/channelKeys.ts', ROTATION, [
    [
      'audit-01',
      'the announced key beside those that go',
      '  ensure(numbers.includes(announced),',
      '  ensure(true,',
      'audit-01 the server > retires nothing while the announced key is not here',
    ],
  ]),
  ...guards('src/cosigner/stores/sql.ts', 'test/conformance/store.test.ts', [
    [
      'audit-01',
      'the later one of two channel keys',
      'SET channel = ?, channel_key = ? WHERE channel < ?',
      'SET channel = ?, channel_key = ? WHERE ? >= 0',
      'store: sqlite > audit-01 of two channel keys the later one is announced, whoever of two instances says it last',
    ],
  ]),
];
