import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { followRecords } from '../../src/frost/records.ts';
import { seededRandom } from '../support/parties.ts';
import {
  begin,
  everyPairSigns,
  type Life,
  numberOf,
  opens,
  recovered,
  refreshed,
  repaired,
} from '../support/shares.ts';

const { Point } = secp256k1;
const random = seededRandom('sequences');
let signer: SignerModule;
let start: Life;

beforeAll(async () => {
  signer = await load();
  start = await begin(signer, random);
});

const addressOf = ({ epoch, born }: Life) =>
  deriveKey(
    { network: 'regtest', groupKey: epoch.groupKey, chainCode: born.record.chainCode, account: 0 },
    0,
    0,
  ).address;

test('after any sequence of refreshes and repairs: one key, one line of shares, both copies lead there', async () => {
  const step = fc.constantFrom('refresh' as const, 1 as const, 2 as const, 3 as const);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      let life = start;
      for (const each of steps)
        life =
          each === 'refresh'
            ? await refreshed(signer, life, random)
            : await repaired(signer, life, each, random);
      const { epoch, holders, records, born } = life;
      expect(epoch.groupKey).toEqual(start.epoch.groupKey);
      expect(addressOf(life)).toBe(addressOf(start));
      expect(epoch.number).toBe(steps.filter((s) => s === 'refresh' || s === 3).length);
      const k0 = Point.fromBytes(epoch.groupKey);
      const slope = Point.fromBytes(epoch.slope);
      const [s1, s2, s3] = holders.map(({ share }) => numberOf(share)) as [bigint, bigint, bigint];
      for (const [i, s] of [s1, s2, s3].entries()) {
        const y = Point.BASE.multiply(s);
        expect(y.equals(k0.add(slope.multiplyUnsafe(BigInt(i + 1))))).toBe(true);
        expect(y.toBytes(true)).toEqual(epoch.verifyingShares[i]);
      }
      // s1 - 2*s2 + s3 = 0, and 2*s1 - s2 is the key.
      expect(Point.Fn.create(s1 - 2n * s2 + s3)).toBe(0n);
      expect(opens(epoch.groupKey, Point.Fn.create(2n * s1 - s2))).toBe(true);
      for (const id of [1, 2] as const)
        expect(followRecords(signer, born.record, records[id]).at(-1)).toEqual(epoch);
      expect((await recovered(signer, life)).expose()).toEqual(holders[2].share.expose());
      everyPairSigns(signer, life, random);
    }),
    { numRuns: 12 },
  );
});
