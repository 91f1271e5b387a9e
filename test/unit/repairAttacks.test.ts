import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { openSealed, sealTo } from '../../src/crypto/seal.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, SignerModule } from '../../src/crypto/signer.ts';
import { advance } from '../../src/frost/epoch.ts';
import {
  approveRepair,
  finishRepair,
  helpersOf,
  joinRepair,
  openRepair,
  splitRepair,
  sumRepair,
} from '../../src/frost/repair.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochBody, epochCertify, epochRecord } from '../../src/protocol/epoch.ts';
import { signedBody } from '../../src/protocol/keygen.ts';
import { repairDelta, repairHello, repairOpen, repairSum } from '../../src/protocol/repair.ts';
import { seededRandom } from '../support/parties.ts';
import {
  begin,
  forged,
  type Life,
  newHolder,
  type RepairKind,
  refreshed,
  renewBoth,
  repairAll,
  type Spoil,
} from '../support/shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const random = seededRandom('repair');
const code = (c: string, more: object = {}) => expect.objectContaining({ code: c, ...more });

let signer: SignerModule;
let life: Life;
let before: Life;

beforeAll(async () => {
  signer = await load();
  before = await begin(signer, random);
  life = await refreshed(signer, before, random);
});

const directions = [
  [1, 'recovery and cosigner make a new device'],
  [2, 'device and recovery make a new cosigner'],
  [3, 'device and cosigner make a new kit'],
] as const;

const hostKeyOf = (host: Secret) => signer.publicKey(host).slice(1) as Bytes;

/** Both helpers up to their opens; with each the other's message. */
async function joinedPair(target: PartyId) {
  const ceremony = random(32);
  const self = await newHolder(target, random, ceremony);
  const [, hello] = openRepair(signer, self, random);
  const joined = [];
  const renewed = await renewBoth(signer, life, random);
  for (const id of helpersOf(target)) {
    const hostKey = hostKeyOf(self.host);
    const shown =
      target === 3
        ? { id: target, hostKey, slope: renewed[id === 1 ? 0 : 1].slope }
        : { id: target, hostKey };
    const { host } = life.holders[id - 1]!;
    joined.push(
      await joinRepair(signer, { id, host, epoch: life.epoch, ceremony, target: shown }, hello, random),
    );
  }
  const [[a, fromA], [b, fromB]] = joined as [(typeof joined)[0], (typeof joined)[0]];
  return [
    [a, fromB],
    [b, fromA],
  ] as const;
}

/** Both helpers up to their summands. */
async function splitBoth(target: PartyId) {
  const split = async ([state, open]: Awaited<ReturnType<typeof joinedPair>>[0]) =>
    splitRepair(signer, state, life.holders[state.self.id - 1]!.share, open, random);
  const [a, b] = await joinedPair(target);
  return [await split(a), await split(b)] as const;
}

/** A repair in which the first helper is malicious, towards everybody else. */
const attacked = (target: PartyId, spoil: Spoil<RepairKind>) => {
  const [bad] = helpersOf(target);
  const only = Object.fromEntries(
    Object.entries(spoil).map(([kind, change]) => [
      kind,
      (m: Bytes, from: PartyId, to: PartyId) => (from === bad ? change(m, from, to) : m),
    ]),
  );
  return repairAll(signer, life, target, random, only);
};

const forge = <T>(step: string, codec: { write: any; read: any }, change: (said: any) => T) =>
  forged(signer, life.holders, `hoarfrost/repair-${step}`, codec as any, change as any);

describe('attack-18: repair', () => {
  test.each(directions)('share %i: with a wrong sum is RepairedShareMismatch', async (target) => {
    const [bad] = helpersOf(target);
    let encryptionKey: Bytes | undefined;
    // The new holder's key and the session are on the wire: the liar seals another number in the right context.
    const hold: { session?: Bytes } = {};
    await repairAll(signer, life, target, seededRandom(`sum-${target}`), {
      hello: (m) => ((encryptionKey = decode(repairHello, decode(signedBody, m).body).encryptionKey), m),
      sum: (m) => ((hold.session = decode(repairSum, decode(signedBody, m).body).session), m),
    });
    const context = Uint8Array.of(...hold.session!, bad, target);
    const sealed = await sealTo(encryptionKey!, Secret.own(random(32)), context, Secret.own(random(32)));
    const change = forge('sum', repairSum, (s) => ({ ...s, sealed }));
    const failed = repairAll(signer, life, target, seededRandom(`sum-${target}`), {
      sum: (m, from) => (from === bad ? change(m, from) : m),
    });
    await expect(failed).rejects.toMatchObject({ code: 'RepairedShareMismatch' });
  });

  test.each(directions)('share %i: with a wrong summand is RepairedShareMismatch', async (target) => {
    const [bad, honest] = helpersOf(target);
    let encryptionKey: Bytes | undefined;
    const hold: { session?: Bytes } = {};
    const seed = `delta-${target}`;
    await repairAll(signer, life, target, seededRandom(seed), {
      open: (m, from) => {
        if (from === honest) encryptionKey = decode(repairOpen, decode(signedBody, m).body).encryptionKey;
        return m;
      },
      delta: (m) => ((hold.session = decode(repairDelta, decode(signedBody, m).body).session), m),
    });
    const context = Uint8Array.of(...hold.session!, bad, honest);
    const sealed = await sealTo(encryptionKey!, Secret.own(random(32)), context, Secret.own(random(32)));
    const change = forge('delta', repairDelta, (s) => ({ ...s, sealed }));
    const failed = repairAll(signer, life, target, seededRandom(seed), {
      delta: (m, from) => (from === bad ? change(m, from) : m),
    });
    await expect(failed).rejects.toMatchObject({ code: 'RepairedShareMismatch' });
  });

  test('with a helper’s share of another epoch is RepairedShareMismatch', async () => {
    const stale = [before.holders[0], life.holders[1], life.holders[2]] as const;
    const failed = repairAll(signer, { ...life, holders: stale }, 2, random);
    await expect(failed).rejects.toMatchObject({ code: 'RepairedShareMismatch' });
    // A new kit of shares that sign today would be a second paper beside the lost one.
    const [one, two] = await renewBoth(signer, life, random);
    const old = { ...one, share: life.holders[0].share };
    const kit = repairAll(signer, life, 3, random, {}, () => life.epoch, undefined, [old, two]);
    await expect(kit).rejects.toMatchObject({ code: 'RepairedShareMismatch' });
  });

  test('a new kit without a new epoch is RefreshInvalid for the new holder, whoever agrees on it', async () => {
    const slope = Uint8Array.from(life.epoch.slope);
    const same = [
      { share: life.holders[0].share, slope },
      { share: life.holders[1].share, slope },
    ] as const;
    const failed = repairAll(signer, life, 3, random, {}, () => life.epoch, undefined, same);
    await expect(failed).rejects.toMatchObject({ code: 'RefreshInvalid', detail: 'slope unchanged' });
  });

  test('with two epochs to come is RefreshInvalid, for the other helper and for the new kit', async () => {
    const [one] = await renewBoth(signer, life, random);
    const [, two] = await renewBoth(signer, life, random);
    const apart = repairAll(signer, life, 3, random, {}, () => life.epoch, undefined, [one, two]);
    await expect(apart).rejects.toMatchObject({ code: 'RefreshInvalid', detail: 'slopes differ' });
    const other = forge('open', repairOpen, (s) => ({ ...s, slope: one.slope }));
    const toKit = repairAll(signer, life, 3, random, {
      open: (m, from, to) => (from === 1 && to === 3 ? other(m, from) : m),
    });
    await expect(toKit).rejects.toMatchObject({ code: 'RefreshInvalid', detail: 'slopes differ' });
    // A new device or cosigner gets the share as it was: no epoch to come is spoken of.
    const sloped = forge('open', repairOpen, (s) => ({ ...s, slope: one.slope }));
    for (const target of [1, 2] as const)
      await expect(attacked(target, { open: sloped })).rejects.toMatchObject({
        code: 'RefreshInvalid',
        detail: 'slopes differ',
      });
  });

  test('with helpers, or a new holder, at different epochs is EpochStale before anything is split', async () => {
    for (const late of [1, 2, 3] as const) {
      let split = false;
      const failed = repairAll(signer, life, 3, random, { delta: (m) => ((split = true), m) }, (id) =>
        id === late ? before.epoch : life.epoch,
      );
      await expect(failed).rejects.toMatchObject({ code: 'EpochStale' });
      expect(split).toBe(late === 3);
    }
  });

  test('with a new holder that one helper was not shown is BadSignature, and its hello TranscriptMismatch', async () => {
    const thief = await newHolder(3, random, random(32));
    const [, theirs] = openRepair(signer, thief, random);
    // The cosigner puts its own key in place of the kit's on the way to the device.
    await expect(
      repairAll(signer, life, 3, random, { hello: (m, _, to) => (to === 1 ? theirs : m) }),
    ).rejects.toMatchObject({ code: 'BadSignature' });
    const change = forge('open', repairOpen, (s) => ({ ...s, hello: new Uint8Array(32) }));
    await expect(attacked(3, { open: change })).rejects.toMatchObject({ code: 'TranscriptMismatch' });
  });

  test('with a hello that the right host signed for other things is refused', async () => {
    const ceremony = random(32);
    const self = await newHolder(3, random, ceremony);
    const [, hello] = openRepair(signer, self, random);
    const hostKey = hostKeyOf(self.host);
    const target = { id: 3, hostKey, slope: Uint8Array.from(life.epoch.slope) } as const;
    const helper = { id: 1 as const, host: life.holders[0].host, epoch: life.epoch, ceremony, target };
    const said = (change: (s: any) => any) =>
      forged(signer, [self, self, self], 'hoarfrost/repair-hello', repairHello, change)(hello, 3);
    await joinRepair(signer, helper, hello, random);
    for (const [message, error, as] of [
      [said((s) => ({ ...s, ceremony: new Uint8Array(32) })), 'WrongSession', helper],
      [said((s) => ({ ...s, target: 2 })), 'BadIdentifier', helper],
      [said((s) => ({ ...s, hostKey: new Uint8Array(32) })), 'BadSignature', helper],
      [said((s) => ({ ...s, noiseKey: new Uint8Array(32) })), 'BadEncoding', helper],
      [said((s) => ({ ...s, suite: 'other' })), 'WrongSuite', helper],
      [said((s) => ({ ...s, version: 9 })), 'WrongVersion', helper],
      [hello, 'BadIdentifier', { ...helper, target: { hostKey, id: 1 as const } }],
    ] as const)
      await expect(joinRepair(signer, as, message, random)).rejects.toMatchObject({ code: error });
    // Nobody helps to make its own share.
    const [, ownHello] = openRepair(signer, { ...self, id: 1, noiseKey: random(32) }, random);
    const own = { ...helper, target: { hostKey, id: 1 as const } };
    await expect(joinRepair(signer, own, ownHello, random)).rejects.toMatchObject({ code: 'BadIdentifier' });
    await joinRepair(signer, { ...own, id: 2, host: life.holders[1].host }, ownHello, random);
  });
});

describe('repair messages elsewhere', () => {
  test.each([
    ['ceremony', new Uint8Array(32), 'WrongSession'],
    ['epoch', 0, 'EpochStale'],
    ['previous', new Uint8Array(32), 'EpochStale'],
    ['id', 3, 'BadIdentifier'],
    ['suite', 'other', 'WrongSuite'],
    ['version', 9, 'WrongVersion'],
  ])('an open with another %s is refused', async (field, value, error) => {
    const open = forge('open', repairOpen, (s) => ({ ...s, [field]: value }));
    await expect(attacked(3, { open })).rejects.toMatchObject({ code: error });
  });

  test('attack-05: a summand, sum or certificate of another repair is WrongSession', async () => {
    const earlier = await repairAll(signer, life, 3, random);
    for (const [kind, list] of [
      ['delta', earlier.deltas],
      ['sum', earlier.sums],
    ] as const)
      await expect(attacked(3, { [kind]: () => list[0]! })).rejects.toMatchObject({
        code: 'WrongSession',
        culprit: 1,
      });
    // An open is bound to its hello.
    await expect(attacked(3, { open: () => earlier.opens[0]! })).rejects.toMatchObject({
      code: 'WrongSession',
    });
  });

  test('attack-06: reflected messages are BadSignature, foreign ids BadIdentifier', async () => {
    const [[a, deltaA]] = await splitBoth(3);
    await expect(sumRepair(signer, a, deltaA, random)).rejects.toMatchObject({ code: 'BadSignature' });
    for (const [kind, codec] of [
      ['delta', repairDelta],
      ['sum', repairSum],
    ] as const) {
      const change = forge(kind, codec, (s) => ({ ...s, id: 2 }));
      await expect(attacked(3, { [kind]: change })).rejects.toMatchObject({
        code: 'BadIdentifier',
        culprit: 1,
      });
    }
  });

  test('attack-09: a summand sent on as a sum, to its own maker, or as somebody else’s is WrongContext', async () => {
    const [[a], [, deltaB]] = await splitBoth(3);
    const { sealed, session } = decode(repairDelta, decode(signedBody, deltaB).body);
    await expect(openSealed(a.encryption, sealed, Uint8Array.of(...session, 2, 3))).rejects.toMatchObject({
      code: 'WrongContext',
    });
    const redirected = forge('sum', repairSum, (s) => ({ ...s, sealed: new Uint8Array(80).fill(1) }));
    await expect(attacked(3, { sum: redirected })).rejects.toMatchObject({ code: 'WrongContext' });
    // The other helper's sum as the own one: both are sealed to one key.
    let first: Bytes | undefined;
    const copied = (m: Bytes, from: PartyId) => {
      first ??= decode(repairSum, decode(signedBody, m).body).sealed;
      return forge('sum', repairSum, (s) => ({ ...s, sealed: first! }))(m, from);
    };
    await expect(repairAll(signer, life, 3, random, { sum: copied })).rejects.toMatchObject({
      code: 'WrongContext',
    });
  });

  test('fewer or more than two helpers are BadEncoding', async () => {
    const [waiting] = openRepair(signer, await newHolder(3, random, random(32)), random);
    for (const [opens, sums] of [
      [0, 0],
      [1, 2],
      [2, 1],
      [3, 3],
    ] as const) {
      const messages = (count: number) => Array.from({ length: count }, () => new Uint8Array(0));
      await expect(
        finishRepair(signer, waiting, life.epoch, messages(opens), messages(sums), random),
      ).rejects.toMatchObject({ code: 'BadEncoding', detail: 'two helpers' });
    }
  });

  test('a sum that brings recovery’s ciphertext too many or too few is BadEncoding', async () => {
    const more = forge('sum', repairSum, (s) => ({ ...s, recovery: [new Uint8Array(80)] }));
    await expect(attacked(3, { sum: more })).rejects.toMatchObject({ code: 'BadEncoding', culprit: 1 });
    const less = forge('sum', repairSum, (s) => ({ ...s, recovery: [] }));
    const failed = repairAll(signer, life, 1, random, { sum: (m, from) => (from === 3 ? less(m, from) : m) });
    await expect(failed).rejects.toMatchObject({ code: 'BadEncoding', culprit: 3 });
  });

  test('a helper approves only what the new holder certified over the same record', async () => {
    const run = async (spoil: Spoil<RepairKind>) => repairAll(signer, life, 3, random, spoil);
    // Helper 1 is shown another sum of helper 2 than the new holder got: another record.
    const other = forge('sum', repairSum, (s) => ({ ...s, sealed: new Uint8Array(80) }));
    await expect(
      run({ sum: (m, from, to) => (from === 2 && to === 1 ? other(m, from) : m) }),
    ).rejects.toMatchObject({ code: 'TranscriptMismatch', culprit: 3 });
    // A certificate that another party's key made.
    await expect(
      run({
        certify: forged(
          signer,
          [before.holders[0], before.holders[1], before.holders[1]] as any,
          'hoarfrost/epoch-certify',
          epochCertify,
          (s) => s,
        ),
      }),
    ).rejects.toMatchObject({ code: 'BadSignature' });
  });

  test('a helper whose own sum was replaced on the way approves nothing', async () => {
    const [[a, deltaA], [b, deltaB]] = await splitBoth(3);
    const [summed, own] = await sumRepair(signer, a, deltaB, random);
    const [, theirs] = await sumRepair(signer, b, deltaA, random);
    for (const sums of [[theirs, theirs], [own], [theirs, own]])
      expect(() => approveRepair(signer, summed, sums, own, random)).toThrow(code('WrongSession'));
  });

  test('attack-08: a repair record lacks no signature, and its keys are new', async () => {
    const [hostKeys, { slope, number, recoveryKey }] = [life.epoch.hostKeys, life.epoch];
    const wrong = {
      1: [
        [{ target: 3 }, 'BadIdentifier'],
        [{ target: 4 }, 'BadIdentifier'],
        [{ hostKey: hostKeys[0] }, 'BadIdentifier'],
        [{ hostKey: hostKeys[2] }, 'BadIdentifier'],
      ],
      3: [
        [{ hostKey: hostKeys[0] }, 'BadIdentifier'],
        [{ hostKey: hostKeys[2] }, 'BadIdentifier'],
        [{ encryptionKey: recoveryKey }, 'BadIdentifier'],
        [{ slope }, 'RefreshInvalid'],
        [{ slope: new Uint8Array(33) }, 'BadEncoding'],
      ],
    } as const;
    for (const target of [1, 3] as const) {
      const { record } = await repairAll(signer, life, target, random);
      expect(advance(signer, life.epoch, record).number).toBe(target === 3 ? number + 1 : number);
      const said = decode(epochRecord, record);
      for (const certificates of [
        said.certificates.slice(0, 2),
        [said.certificates[0]!, said.certificates[1]!, said.certificates[0]!],
      ])
        expect(() => advance(signer, life.epoch, encode(epochRecord, { ...said, certificates }))).toThrow(
          code('BadCertificate'),
        );
      const sealed = new Uint8Array(80);
      expect(() => advance(signer, life.epoch, encode(epochRecord, { ...said, sealed }))).toThrow(
        code('BadEncoding'),
      );
      const body = decode(epochBody, said.body);
      const change = (more: object): Bytes =>
        encode(epochRecord, {
          ...said,
          body: encode(epochBody, { ...body, change: { ...body.change, ...more } } as typeof body),
        });
      for (const [more, error] of wrong[target])
        expect(() => advance(signer, life.epoch, change(more))).toThrow(code(error));
    }
  });
});
