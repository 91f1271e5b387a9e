import { secp256k1 } from '@noble/curves/secp256k1.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { openSealed, sealTo } from '../../src/crypto/seal.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, SignerModule } from '../../src/crypto/signer.ts';
import { advance, bodyAfter, certifyChange, testSignInput } from '../../src/frost/epoch.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import {
  dropRepair,
  helpersOf,
  joinRepair,
  openRepair,
  splitRepair,
  sumRepair,
} from '../../src/frost/repair.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochBody, epochRecord } from '../../src/protocol/epoch.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { signedBody } from '../../src/protocol/keygen.ts';
import { repairDelta, repairOpen, repairSum } from '../../src/protocol/repair.ts';
import { seededRandom } from '../support/parties.ts';
import {
  begin,
  everyPairSigns,
  forged,
  interpolate,
  type Life,
  newHolder,
  numberOf,
  opens,
  recovered,
  refreshed,
  renewBoth,
  repairAll,
  repaired,
  secretsOf,
  signTogether,
} from '../support/shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const { Fn } = secp256k1.Point;
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

describe('repair', () => {
  test.each(directions)('attack-23: share %i: %s', async (target) => {
    const after = await repaired(signer, life, target, random);
    const share = after.holders[target - 1]!.share;
    expect(after.epoch.groupKey).toEqual(life.epoch.groupKey);
    if (target === 3) {
      expect(after.epoch.number).toBe(life.epoch.number + 1);
      expect((await recovered(signer, after)).expose()).toEqual(share.expose());
    } else {
      expect(share.expose()).toEqual(life.holders[target - 1]!.share.expose());
      expect(after.epoch.number).toBe(life.epoch.number);
      expect(after.epoch.verifyingShares).toEqual(life.epoch.verifyingShares);
    }
    everyPairSigns(signer, after, random);
    // A refresh that follows is certified by the keys that stand now.
    const next = await refreshed(signer, after, random);
    everyPairSigns(signer, next, random);
    expect((await recovered(signer, next)).expose()).toEqual(next.holders[2].share.expose());
    // The share that was lost, wherever it turns up, signs nothing.
    for (const helper of helpersOf(target)) {
      const mixed = [next.holders[helper - 1]!, life.holders[target - 1]!] as const;
      expect(() => signTogether(signer, next.epoch, mixed, testSignInput(next.epoch), random)).toThrow(
        code('BadShare', { culprit: target }),
      );
    }
  });

  test('attack-23: with a new kit the lost paper fits no share that is left, and nothing was sealed to it', async () => {
    const kit = await repaired(signer, life, 3, random);
    for (const [i, y] of kit.epoch.verifyingShares.entries())
      expect(y).not.toEqual(life.epoch.verifyingShares[i]);
    // The thief has the old words, and the records up to the new kit.
    const paper = await recovered(signer, life);
    expect(paper.expose()).toEqual(life.holders[2].share.expose());
    const thief = { id: 3, share: paper } as const;
    for (const holder of [kit.holders[0], kit.holders[1]]) {
      const input = testSignInput(kit.epoch);
      for (const pair of [
        [holder, thief],
        [thief, holder],
      ] as const)
        expect(() => signTogether(signer, kit.epoch, pair, input, random)).toThrow(HoarfrostError);
      const key = interpolate(
        { id: holder.id, share: numberOf(holder.share) },
        { id: 3, share: numberOf(paper) },
      );
      expect(opens(kit.epoch.groupKey, key)).toBe(false);
    }
    // Together with a share of its own epoch it is the key: that is why those must go.
    const before = { id: 1 as const, share: numberOf(life.holders[0].share) };
    expect(opens(life.epoch.groupKey, interpolate(before, { id: 3, share: numberOf(paper) }))).toBe(true);
    for (const id of [1, 2] as const) {
      expect(kit.records[id]).toHaveLength(life.records[id].length + 1);
      expect(decode(epochRecord, kit.records[id].at(-1)!).sealed).toHaveLength(0);
    }
  });

  test.each(directions)('share %i: the old keys of that party certify nothing any more', async (target) => {
    const after = await repaired(signer, life, target, random);
    expect(after.epoch.hostKeys[target - 1]).not.toEqual(life.epoch.hostKeys[target - 1]);
    for (const helper of helpersOf(target))
      expect(after.epoch.hostKeys[helper - 1]).toEqual(life.epoch.hostKeys[helper - 1]);
    if (target === 3) return;
    expect(after.epoch.noiseKeys[target - 1]).not.toEqual(life.epoch.noiseKeys[target - 1]);
    const struckOff = after.holders.map((h) => (h.id === target ? life.holders[target - 1]! : h));
    const failed = refreshed(signer, { ...after, holders: struckOff as unknown as Life['holders'] }, random);
    await expect(failed).rejects.toMatchObject({ code: 'BadSignature' });
  });

  test('a new kit: the new words recover, the old ones do not, and what is new is sealed to the new key', async () => {
    const kit = await repaired(signer, life, 3, random);
    const next = await refreshed(signer, kit, random);
    expect(next.epoch.recoveryKey).toEqual(kit.words.publicKey);
    const copies = [next.records[1], next.records[2]];
    const certificate = next.born.certificate;
    const { share } = await recoverAtEpoch(signer, next.words.privateKey, certificate, copies);
    expect(share.expose()).toEqual(next.holders[2].share.expose());
    await expect(recoverAtEpoch(signer, life.words.privateKey, certificate, copies)).rejects.toMatchObject({
      code: 'BadWords',
    });
    // A partner whose copy is from before the new kit does not hide it.
    const late = await recoverAtEpoch(signer, next.words.privateKey, certificate, [
      life.records[2],
      next.records[1],
    ]);
    expect(late.epoch).toEqual(next.epoch);
    // The thief of the old words takes the records apart by hand: nothing from the repair on opens.
    for (const record of next.records[1].slice(1)) {
      const { body, sealed } = decode(epochRecord, record);
      const { change } = decode(epochBody, body);
      const all = change.kind === 'kit' ? change.sums : [sealed];
      for (const each of all)
        for (const context of contextsOf(next, change))
          await expect(openSealed(life.words.privateKey, each, context)).rejects.toMatchObject({
            code: 'WrongContext',
          });
    }
  });

  test('after a repair recovery needs no ciphertext from before it', async () => {
    for (const target of [1, 2, 3] as const) {
      const after = await refreshed(signer, await repaired(signer, life, target, random), random);
      const gutted = after.records[1].map((record, i) => {
        const said = decode(epochRecord, record);
        return i === 0 ? encode(epochRecord, { ...said, sealed: new Uint8Array(80) }) : record;
      });
      const copies = [gutted];
      const { result, left } = await secretsOf(() =>
        recoverAtEpoch(signer, after.words.privateKey, after.born.certificate, copies),
      );
      const { share } = result as { share: Secret };
      expect(left).toHaveLength(1);
      expect(left[0]).toBe(share);
      expect(share.expose()).toEqual(after.holders[2].share.expose());
    }
  });

  test('a repair record whose ciphertext is not share 3 is RecordsCorrupt', async () => {
    const { epoch, holders } = life;
    const session = new Uint8Array(32);
    const self = await newHolder(1, random, random(32));
    const keys = {
      hostKey: hostKeyOf(self.host),
      encryptionKey: self.encryption.publicKey,
      noiseKey: random(32),
    };
    const wrong = Secret.own(random(32));
    const context = Uint8Array.of(...session, 3, 3);
    const recovery = await sealTo(epoch.recoveryKey, wrong, context, Secret.own(random(32)));
    const body = bodyAfter(epoch, { kind: 'repair', session, target: 1, ...keys, recovery });
    const certificates = [self.host, holders[1].host, holders[2].host].map(
      (host, i) =>
        certifyChange(
          signer,
          host,
          { id: (i + 1) as PartyId, session, body, sealed: new Uint8Array(0) },
          random,
        )[0].certificate,
    );
    const record = encode(epochRecord, { body, certificates, sealed: new Uint8Array(0) });
    expect(advance(signer, epoch, record).hostKeys[0]).toEqual(keys.hostKey);
    await expect(
      recoverAtEpoch(signer, life.words.privateKey, life.born.certificate, [[...life.records[1], record]]),
    ).rejects.toMatchObject({ code: 'RecordsCorrupt' });
  });
});

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

/** Every context in which something was ever sealed to recovery. */
function contextsOf(after: Life, change: { kind: string; session?: Bytes }): Bytes[] {
  const { wallet, number, slope } = after.epoch;
  const numbers = new Uint8Array(4);
  new DataView(numbers.buffer).setUint32(0, number);
  return [
    Uint8Array.of(...wallet, ...numbers, ...slope),
    ...[1, 2, 3].map((from) => Uint8Array.of(...(change.session ?? wallet), from, 3)),
  ];
}

describe('what a repair shows to whom', () => {
  test('a summand is uniform: another in every run, and its complement is kept', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const { kept, sent } = signer.repairSplit({
        id: 1,
        helper: 2,
        target: 3,
        share: life.holders[0].share,
        randomness: random(32),
      });
      // lambda_1 at 3 with 2 is -1.
      expect(Fn.add(numberOf(kept), numberOf(sent))).toBe(Fn.neg(numberOf(life.holders[0].share)));
      seen.add(String(sent.expose()));
    }
    expect(seen.size).toBe(8);
  });

  test.each(directions)(
    'share %i: neither the helpers nor a listener can open what is not theirs',
    async (target) => {
      const run = await repairAll(signer, life, target, random);
      const helpers = helpersOf(target);
      const [first, second] = run.oneTimeKeys as [CryptoKey, CryptoKey];
      const newHolders = run.self.encryption.privateKey;
      const others = [first, second, newHolders, life.words.privateKey];
      const opensOnlyFor = async (owner: CryptoKey, sealed: Bytes, context: Bytes) => {
        for (const key of others.filter((each) => each !== owner))
          await expect(openSealed(key, sealed, context)).rejects.toMatchObject({ code: 'WrongContext' });
        return openSealed(owner, sealed, context);
      };
      for (const [i, from] of helpers.entries()) {
        const delta = decode(repairDelta, decode(signedBody, run.deltas[i]!).body);
        const to = helpers[1 - i]!;
        await opensOnlyFor(i === 0 ? second : first, delta.sealed, Uint8Array.of(...delta.session, from, to));
        const sum = decode(repairSum, decode(signedBody, run.sums[i]!).body);
        const opened = await opensOnlyFor(
          newHolders,
          sum.sealed,
          Uint8Array.of(...sum.session, from, target),
        );
        // What the new holder sees is masked by a number that it never sees.
        const bare = [1n, 2n, Fn.neg(1n), Fn.inv(2n)].map((lambda) =>
          Fn.mul(lambda, numberOf(run.shareOf(from))),
        );
        expect(bare).not.toContain(numberOf(opened));
      }
    },
  );

  test('of all secrets that a repair makes only the share is left, and none of one that fails', async () => {
    const renewed = await renewBoth(signer, life, random);
    const all = (target: PartyId, host?: Secret) =>
      secretsOf(() => repairAll(signer, life, target, random, {}, () => life.epoch, host, renewed));
    for (const target of [1, 2, 3] as const) {
      const { result, left } = await all(target);
      const run = result as Awaited<ReturnType<typeof repairAll>>;
      expect(left).toEqual([run.self.host, run.finished.share]);
      expect(left[1]).toBe(run.finished.share);
    }
    // After the split: a key of low order, to which nothing can be sealed.
    const low = forged(signer, life.holders, 'hoarfrost/repair-open', repairOpen, (s) => ({
      ...s,
      encryptionKey: new Uint8Array(32),
    }));
    const [, open] = await joinedPair(3);
    const [state] = open;
    const stopped = await secretsOf(() =>
      splitRepair(signer, state, life.holders[1].share, low(open[1], 1), random),
    );
    expect(stopped).toMatchObject({ result: { code: 'BadEncoding' }, left: [] });
    // After the share is made: a new holder under a host key that is not new.
    const failed = await all(3, life.holders[2].host);
    expect(failed).toMatchObject({ result: { code: 'BadIdentifier' }, left: [] });
  });

  test('what a helper kept is wiped by the sum, by a bad message and by a drop', async () => {
    const states = await splitBoth(3);
    const [[a, deltaA], [b, deltaB]] = states;
    await sumRepair(signer, a, deltaB, random);
    expect(a.kept.wiped).toBe(true);
    await expect(sumRepair(signer, b, deltaB, random)).rejects.toMatchObject({ code: 'BadSignature' });
    expect(b.kept.wiped).toBe(true);
    const [[c]] = await splitBoth(3);
    dropRepair(c);
    expect(c.kept.wiped).toBe(true);
    expect(deltaA).not.toEqual(deltaB);
    for (const { share } of life.holders) expect(share.wiped).toBe(false);
  });
});
