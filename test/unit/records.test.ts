import { hex } from '@scure/base';
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { openSealed, sealTo } from '../../src/crypto/seal.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import {
  advance,
  bodyAfter,
  certifyChange,
  epochAfter,
  firstEpoch,
  readCertify,
  recoveryContext,
} from '../../src/frost/epoch.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { epochBody, epochRecord } from '../../src/protocol/epoch.ts';
import { partyOf, seededRandom } from '../support/parties.ts';
import { begin, type Life, recovered, refreshBoth, refreshed, secretsOf } from '../support/shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const random = seededRandom('records');
const code = (c: string, more: object = {}) => expect.objectContaining({ code: c, ...more });

let signer: SignerModule;
/** The same wallet in epochs 0, 1, 2 and 3. */
const lives: Life[] = [];
let last: Life;

beforeAll(async () => {
  signer = await load();
  lives.push(await begin(signer, random));
  for (let e = 1; e <= 3; e++) lives.push(await refreshed(signer, lives[e - 1]!, random));
  last = lives[3]!;
});

const from3 = (life: Life, ...copies: (readonly Bytes[])[]) =>
  recoverAtEpoch(signer, life.words.privateKey, life.born.certificate, copies);

describe('the chain of records', () => {
  const changed = (record: Bytes, change: (r: any) => any) =>
    encode(epochRecord, change(decode(epochRecord, record)));

  test('records that do not follow are RefreshInvalid', async () => {
    const [first, second, third] = last.records[1] as [Bytes, Bytes, Bytes];
    const start = firstEpoch(signer, last.born.record);
    expect(advance(signer, start, first)).toEqual(lives[1]!.epoch);
    for (const record of [second, third])
      expect(() => advance(signer, start, record)).toThrow(code('RefreshInvalid'));
    expect(() => advance(signer, lives[1]!.epoch, first)).toThrow(code('RefreshInvalid'));
    const stranger = await begin(signer, seededRandom('stranger'));
    expect(() => advance(signer, stranger.epoch, first)).toThrow(code('RefreshInvalid'));
  });

  test('attack-06: recovery has no certificate to give over a refresh', async () => {
    const [[{ pending }, message]] = await refreshBoth(signer, last, random);
    expect(readCertify(signer, last.epoch, pending, 1, message)).toEqual(pending.certificate);
    expect(() => readCertify(signer, last.epoch, pending, 3, message)).toThrow(code('BadIdentifier'));
  });

  test('a signature missing, foreign or over another body is BadCertificate', () => {
    const record = last.records[1][0]!;
    const start = firstEpoch(signer, last.born.record);
    for (const change of [
      (r: any) => ({ ...r, certificates: r.certificates.slice(0, 1) }),
      (r: any) => ({ ...r, certificates: [r.certificates[0], r.certificates[0]] }),
      (r: any) => ({ ...r, certificates: [r.certificates[1], r.certificates[0]] }),
      (r: any) => ({ ...r, certificates: [...r.certificates, r.certificates[0]] }),
      (r: any) => {
        const body = decode(epochBody, r.body) as any;
        body.change.slope = Uint8Array.from(last.epoch.groupKey);
        return { ...r, body: encode(epochBody, body) };
      },
    ])
      expect(() => advance(signer, start, changed(record, change))).toThrow(code('BadCertificate'));
  });

  test('even under both signatures: a slope that stands still, a number skipped, another suite or version', () => {
    const { epoch, holders } = last;
    const slope = lives[1]!.epoch.slope as Bytes;
    const honest = decode(epochBody, bodyAfter(epoch, { kind: 'refresh', slope }));
    const recordOf = (said: typeof honest): Bytes => {
      const body = encode(epochBody, said);
      const certificates = ([1, 2] as const).map(
        (id) =>
          certifyChange(
            signer,
            holders[id - 1]!.host,
            { id, session: new Uint8Array(32), body, sealed: new Uint8Array(80) },
            random,
          )[0].certificate,
      );
      return encode(epochRecord, { body, certificates, sealed: new Uint8Array(80) });
    };
    expect(advance(signer, epoch, recordOf(honest)).number).toBe(4);
    for (const [change, error] of [
      [{ change: { kind: 'refresh', slope: epoch.slope } }, 'RefreshInvalid'],
      [{ epoch: 5 }, 'RefreshInvalid'],
      [{ epoch: 3 }, 'RefreshInvalid'],
      [{ wallet: new Uint8Array(32) }, 'RefreshInvalid'],
      [{ previous: new Uint8Array(32) }, 'RefreshInvalid'],
      [{ suite: 'other' }, 'WrongSuite'],
      [{ version: 2 }, 'WrongVersion'],
      [{ change: { kind: 'refresh', slope: new Uint8Array(33) } }, 'BadEncoding'],
    ] as const)
      expect(() => advance(signer, epoch, recordOf({ ...honest, ...change } as typeof honest))).toThrow(
        code(error),
      );
    const bare = changed(recordOf(honest), (r) => ({ ...r, sealed: new Uint8Array(0) }));
    expect(() => advance(signer, epoch, bare)).toThrow(code('BadEncoding'));
  });

  test('verifying shares that are not on one line are no first epoch', () => {
    const { record } = last.born;
    const [y1, y2] = record.verifyingShares;
    expect(() => firstEpoch(signer, { ...record, verifyingShares: [y1, y2, y1] })).toThrow(
      code('BadCertificate'),
    );
  });
});

describe('recovery from words, certificate and records', () => {
  /** The copy with the ciphertext of one epoch altered. */
  const poisoned = (copy: readonly Bytes[], epoch: number, sealed?: Bytes) =>
    copy.map((record, i) => {
      if (i !== epoch - 1) return record;
      const said = decode(epochRecord, record);
      return encode(epochRecord, {
        ...said,
        sealed: sealed ?? said.sealed.map((b, k) => (k === 50 ? b ^ 1 : b)),
      });
    });

  test('either copy alone gives share 3 of its last epoch', async () => {
    for (const id of [1, 2] as const)
      for (const life of lives) {
        const { share, epoch } = await from3(life, life.records[id]);
        expect(share.expose()).toEqual(life.holders[2].share.expose());
        expect(epoch).toEqual(life.epoch);
      }
  });

  test('a poisoned copy harms only its own pairing, and the other copy helps', async () => {
    const right = last.holders[2].share.expose();
    const bad = poisoned(last.records[2], 2);
    expect((await from3(last, last.records[1])).share.expose()).toEqual(right);
    await expect(from3(last, bad)).rejects.toMatchObject({ code: 'RecordsCorrupt' });
    expect((await from3(last, bad, last.records[1])).share.expose()).toEqual(right);
    // Poisoned at different epochs, the two copies still make one whole.
    expect((await from3(last, bad, poisoned(last.records[1], 1))).share.expose()).toEqual(right);
    await expect(from3(last, bad, poisoned(last.records[1], 2))).rejects.toMatchObject({
      code: 'RecordsCorrupt',
    });
  });

  test('a ciphertext that opens to another 3a is found by s3*G = K0 + 3*F_e', async () => {
    const { epoch } = lives[2]!;
    const context = recoveryContext(epoch.wallet, epoch.number, epoch.slope);
    const wrong = await sealTo(last.words.publicKey, Secret.own(random(32)), context, Secret.own(random(32)));
    const bad = poisoned(last.records[2], 2, wrong);
    await expect(from3(last, bad)).rejects.toMatchObject({ code: 'RecordsCorrupt' });
    expect((await from3(last, bad, last.records[1])).epoch).toEqual(last.epoch);
  });

  test('attack-09: a ciphertext of another epoch or wallet opens nowhere else', async () => {
    const other = decode(epochRecord, last.records[1][0]!).sealed;
    const { privateKey } = last.words;
    const [wallet, slope] = [last.epoch.wallet, lives[1]!.epoch.slope];
    await openSealed(privateKey, other, recoveryContext(wallet, 1, slope));
    for (const context of [
      recoveryContext(new Uint8Array(32), 1, slope),
      recoveryContext(wallet, 2, slope),
      recoveryContext(wallet, 1, lives[2]!.epoch.slope),
    ])
      await expect(openSealed(privateKey, other, context)).rejects.toMatchObject({ code: 'WrongContext' });
    await expect(from3(last, poisoned(last.records[1], 2, other))).rejects.toMatchObject({
      code: 'RecordsCorrupt',
    });
  });

  test('of all secrets on the way only share 3 is left, and none where there is no way', async () => {
    const bad = poisoned(last.records[2], 3);
    const wrong = await sealTo(
      last.words.publicKey,
      Secret.own(random(32)),
      recoveryContext(last.epoch.wallet, 3, last.epoch.slope),
      Secret.own(random(32)),
    );
    for (const copies of [
      [last.records[1]],
      [bad, last.records[1]],
      [poisoned(bad, 3, wrong), last.records[1]],
    ]) {
      const { result, left } = await secretsOf(() => from3(last, ...copies));
      expect(left).toHaveLength(1);
      expect(left[0]).toBe((result as { share: Secret }).share);
    }
    for (const copy of [bad, poisoned(bad, 3, wrong)]) {
      const failed = await secretsOf(() => from3(last, copy));
      expect(failed).toMatchObject({ result: { code: 'RecordsCorrupt' }, left: [] });
    }
  });

  test('a copy whose records do not verify is passed over', async () => {
    const garbage = [new Uint8Array(7), ...last.records[2].slice(1)];
    const { epoch } = await from3(last, garbage, last.records[1]);
    expect(epoch).toEqual(last.epoch);
    await expect(from3(last, garbage)).rejects.toMatchObject({ code: 'RecordsCorrupt' });
    await expect(from3(last, last.records[1].slice(1))).rejects.toMatchObject({ code: 'RecordsCorrupt' });
  });

  test('a copy that stops earlier gives the earlier epoch: its partner’s', async () => {
    const { share, epoch } = await from3(last, last.records[1].slice(0, 2), last.records[2]);
    expect(epoch).toEqual(lives[2]!.epoch);
    expect(share.expose()).toEqual(lives[2]!.holders[2].share.expose());
  });

  test('other words are BadWords', async () => {
    const stranger = await partyOf(3, seededRandom('stranger words'));
    const failed = recoverAtEpoch(signer, stranger.encryption.privateKey, last.born.certificate, [
      last.records[1],
    ]);
    await expect(failed).rejects.toMatchObject({ code: 'BadWords' });
    expect((await recovered(signer, last)).expose()).toEqual(last.holders[2].share.expose());
  });

  test('a body says nothing that is not public', () => {
    const body = decode(epochRecord, last.records[1][2]!).body;
    expect(epochAfter(signer, lives[2]!.epoch, body)).toEqual(last.epoch);
    for (const { share } of last.holders) expect(hex.encode(body)).not.toContain(hex.encode(share.expose()));
  });
});
