import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { advance, completeRecord } from '../../src/frost/epoch.ts';
import * as repair from '../../src/frost/repair.ts';
import type { OfflineOf } from '../../src/protocol/offline.ts';
import {
  approveOffer,
  dropOffer,
  finishKit,
  joinOffer,
  openKit,
  openOffer,
  sumOffer,
} from '../../src/recovery/repair.ts';
import { keysFromWords, newWords } from '../../src/recovery/words.ts';
import { bundleOf, keysOf } from '../support/offline.ts';
import { seededRandom } from '../support/parties.ts';
import {
  begin,
  everyPairSigns,
  type Life,
  newHolder,
  recovered,
  refreshed,
  renewBoth,
  secretsOf,
} from '../support/shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const random = seededRandom('recovery repair');
const code = (c: string) => expect.objectContaining({ code: c });

let signer: SignerModule;
let life: Life;

beforeAll(async () => {
  signer = await load();
  life = await refreshed(signer, await begin(signer, random), random);
});

/** The new holder and the other helper, up to the offer that they make to recovery. */
async function offered(target: 1 | 2) {
  const helper = target === 1 ? 2 : 1;
  const ceremony = random(32) as Bytes;
  const self = await newHolder(target, random, ceremony);
  const [waiting, hello] = repair.openRepair(signer, self, random);
  const hostKey = signer.publicKey(self.host).slice(1) as Bytes;
  const { host } = life.holders[helper - 1]!;
  const other = { id: helper, host, epoch: life.epoch, ceremony, target: { id: target, hostKey } } as const;
  const [joined, open] = await repair.joinRepair(signer, other, hello, random);
  const bundle = { ...bundleOf(life), copies: [[...life.records[helper]]] };
  const offer: OfflineOf<'repairOffer'> = { kind: 'repairOffer', bundle, ceremony, target, hello, open };
  return { helper, self, waiting, joined, open, offer, hostKey } as const;
}

describe('recovery helps with a repair, by offline messages', () => {
  test.each([1, 2] as const)('a new holder of share %i, and every pair signs afterwards', async (target) => {
    const { helper, self, waiting, joined, open, offer, hostKey } = await offered(target);
    const opened = openOffer(signer, offer);
    expect(opened.target).toEqual({ id: target, hostKey });
    const keys = keysOf(life);
    const [first, said] = await joinOffer(signer, keys, opened, random);
    const share = life.holders[helper - 1]!.share;
    const [split, delta] = await repair.splitRepair(signer, joined, share, said.open, random);
    const [summed, sum] = await repair.sumRepair(signer, split, said.delta, random);
    const [second, own] = await sumOffer(signer, first, { kind: 'repairDelta', delta, sum }, random);
    const [opens, sums] = [
      [open, said.open],
      [sum, own.sum],
    ];
    const [finished, certify] = await repair.finishRepair(signer, waiting, life.epoch, opens, sums, random);
    const approved = approveOffer(signer, second, { kind: 'repairHeld', certify }, random);
    const [pending, theirs] = repair.approveRepair(signer, summed, sums, certify, random);
    const record = completeRecord(signer, life.epoch, pending, [
      { from: target, message: certify },
      { from: 3, message: approved.certify },
    ]);
    expect(theirs.length).toBeGreaterThan(0);
    const holders = life.holders.map((holder) =>
      holder.id === target ? { id: target, host: self.host, share: finished.share } : holder,
    );
    const after: Life = {
      ...life,
      epoch: advance(signer, life.epoch, record),
      holders: holders as unknown as Life['holders'],
      records: { 1: [...life.records[1], record], 2: [...life.records[2], record] },
    };
    everyPairSigns(signer, after, random);
    // Share 3 comes from the record of the repair, sealed to the same words.
    expect((await recovered(signer, after)).expose()).toEqual(life.holders[2].share.expose());
  });

  test('a kit of new words: the old ones open nothing any more', async () => {
    const ceremony = random(32) as Bytes;
    const keys = await keysFromWords(newWords());
    const offer = { kind: 'kitOffer' as const, bundle: bundleOf(life), ceremony, hostKey: null };
    const [kit, { hello }] = openKit(signer, keys, offer, random);
    const hostKey = signer.publicKey(keys.host).slice(1) as Bytes;
    const renewed = await renewBoth(signer, life, random);
    const joined = [];
    for (const id of [1, 2] as const) {
      const { host } = life.holders[id - 1]!;
      const { slope } = renewed[id - 1]!;
      const self = { id, host, epoch: life.epoch, ceremony, target: { id: 3 as const, hostKey, slope } };
      joined.push(await repair.joinRepair(signer, self, hello, random));
    }
    const opens = joined.map(([, message]) => message);
    const split = [];
    for (const [i, [state]] of joined.entries())
      split.push(await repair.splitRepair(signer, state, renewed[i]!.share, opens[1 - i]!, random));
    const summed = [];
    for (const [i, [state]] of split.entries())
      summed.push(await repair.sumRepair(signer, state, split[1 - i]![1], random));
    const sums = summed.map(([, message]) => message);
    const run = await secretsOf(() => finishKit(signer, kit, { kind: 'kitSums', opens, sums }, random));
    expect(run.left).toEqual([]);
    const { certify } = run.result as OfflineOf<'kitHeld'>;
    const approved = summed.map(([state]) => repair.approveRepair(signer, state, sums, certify, random));
    const record = completeRecord(signer, life.epoch, approved[0]![0], [
      { from: 2, message: approved[1]![1] },
      { from: 3, message: certify },
    ]);
    const after = { ...life, records: { 1: [...life.records[1], record], 2: [...life.records[2], record] } };
    const share = await recovered(signer, { ...after, words: keys.encryption });
    const epoch = advance(signer, life.epoch, record);
    const [one, two] = [1, 2].map((id) => ({ ...life.holders[id - 1]!, share: renewed[id - 1]!.share }));
    const three = { ...life.holders[2], share };
    everyPairSigns(signer, { ...after, epoch, holders: [one!, two!, three] }, random);
    await expect(recovered(signer, after)).rejects.toMatchObject({ code: 'BadWords' });
  });

  test('an offer of share 3, of another holder than was shown, or under other words is refused', async () => {
    const { offer } = await offered(1);
    expect(() => openOffer(signer, { ...offer, target: 3 })).toThrow(code('BadIdentifier'));
    const { offer: other } = await offered(1);
    const opened = openOffer(signer, offer);
    // The person compared the key of `opened`; the hello that comes is somebody else's.
    await expect(
      joinOffer(signer, keysOf(life), { ...opened, hello: other.hello }, random),
    ).rejects.toMatchObject({
      code: 'BadSignature',
    });
    await expect(joinOffer(signer, await keysFromWords(newWords()), opened, random)).rejects.toMatchObject({
      code: 'BadWords',
    });
  });

  test('a helper that turns away leaves no secret behind', async () => {
    const { offer } = await offered(1);
    const opened = openOffer(signer, offer);
    const { left } = await secretsOf(async () => {
      const [state] = await joinOffer(signer, keysOf(life), opened, random);
      dropOffer(state);
    });
    expect(left).toEqual([]);
  });
});
