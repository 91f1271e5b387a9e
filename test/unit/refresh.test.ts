import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import type { Random } from '../../src/crypto/random.ts';
import { sealTo } from '../../src/crypto/seal.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, SignerModule } from '../../src/crypto/signer.ts';
import { advance, bodyAfter, completeRecord, type Epoch, testSignInput } from '../../src/frost/epoch.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import { dropRefresh, finishRefresh, openRefresh, revealRefresh } from '../../src/frost/refresh.ts';
import { answerAll, commitAll, finishAll } from '../../src/frost/signing.ts';
import { decode } from '../../src/protocol/codec.ts';
import { epochCertify } from '../../src/protocol/epoch.ts';
import { refreshOpen, refreshReveal } from '../../src/protocol/refresh.ts';
import { seededRandom } from '../support/parties.ts';
import {
  begin,
  everyPairSigns,
  forged,
  interpolate,
  type Life,
  numberOf,
  opens,
  refreshBoth,
  refreshed,
  type Spoil,
  secretsOf,
  signTogether,
} from '../support/shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const { Fn } = secp256k1.Point;
const random = seededRandom('refresh');
const code = (c: string, more: object = {}) => expect.objectContaining({ code: c, ...more });

let signer: SignerModule;
/** The same wallet in epochs 0, 1, 2 and 3. */
const lives: Life[] = [];
let old: Life;
let last: Life;

beforeAll(async () => {
  signer = await load();
  lives.push(await begin(signer, random));
  for (let e = 1; e <= 3; e++) lives.push(await refreshed(signer, lives[e - 1]!, random));
  old = lives[0]!;
  last = lives[3]!;
});

const from3 = (life: Life, ...copies: (readonly Bytes[])[]) =>
  recoverAtEpoch(signer, life.words.privateKey, life.born.certificate, copies);

describe('refresh', () => {
  test('the group key and every address stay; all shares and verifying shares change, and still fit', () => {
    for (const [e, { epoch, holders }] of lives.entries()) {
      expect(epoch.number).toBe(e);
      expect(epoch.groupKey).toEqual(old.born.record.groupKey);
      for (const { id, share } of holders)
        expect(signer.publicKey(share)).toEqual(epoch.verifyingShares[id - 1]);
    }
    const ys = lives.flatMap(({ epoch }) => epoch.verifyingShares.map(String));
    expect(new Set(ys).size).toBe(12);
  });

  test('after three refreshes each pair signs, for an address and under K0', () => {
    for (const life of lives) everyPairSigns(signer, life, random);
    const { chainCode, groupKey, network } = old.born.record;
    const key = deriveKey({ network, groupKey, chainCode, account: 0 }, 0, 7);
    const input = {
      sighash: random(32),
      expectedKey: key.outputKey,
      tweak: { derivation: key.derivation, path: 'key' as const, merkleRoot: new Uint8Array(0) },
    };
    const [one, two, three] = last.holders;
    for (const pair of [
      [one, two],
      [one, three],
      [two, three],
    ] as const)
      expect(
        schnorr.verify(signTogether(signer, last.epoch, pair, input, random), input.sighash, key.outputKey),
      ).toBe(true);
  });

  test('shares of different epochs do not sign together', () => {
    const input = testSignInput(last.epoch);
    for (const a of [1, 2, 3] as const)
      for (const b of [1, 2, 3] as const) {
        if (a === b) continue;
        const mixed = [last.holders[a - 1]!, lives[2]!.holders[b - 1]!] as const;
        expect(() => signTogether(signer, last.epoch, mixed, input, random)).toThrow(
          code('BadShare', { culprit: b }),
        );
        const reversed = [lives[2]!.holders[a - 1]!, last.holders[b - 1]!] as const;
        expect(() => signTogether(signer, last.epoch, reversed, input, random)).toThrow(code('BadSignature'));
      }
  });

  test('issue 4.4: a stale cosigner backup and an old device share do not give the key, unless of one epoch', () => {
    const point = (life: Life, id: PartyId) => ({ id, share: numberOf(life.holders[id - 1]!.share) });
    for (const [d, device] of lives.entries())
      for (const [c, cosigner] of lives.entries()) {
        const key = interpolate(point(device, 1), point(cosigner, 2));
        expect([d, c, opens(old.epoch.groupKey, key)]).toEqual([d, c, d === c]);
      }
  });

  test('both sides write the same body; a is gone, and a ciphertext of 3a is each one’s own', async () => {
    const [[device], [cosigner]] = await refreshBoth(signer, last, random);
    expect(device.pending.body).toEqual(cosigner.pending.body);
    expect(device.pending.sealed).not.toEqual(cosigner.pending.sealed);
    expect(device.next).toEqual(cosigner.next);
    const [state] = await openRefresh(
      signer,
      { id: 1, host: last.holders[0].host, epoch: last.epoch },
      random,
    );
    expect(state.contribution.wiped).toBe(false);
    dropRefresh(state);
    expect(state.contribution.wiped).toBe(true);
  });

  test('the contribution is wiped by the last step and by every step that throws', async () => {
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: last.epoch });
    const [a, openA] = await openRefresh(signer, self(1), random);
    const [b, openB] = await openRefresh(signer, self(2), random);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [, revealB] = await revealRefresh(signer, b, openA, random);
    await finishRefresh(signer, a2, last.holders[0].share, revealB, random);
    expect(a.contribution.wiped).toBe(true);
    expect(last.holders[0].share.wiped).toBe(false);
    const [c] = await openRefresh(signer, self(1), random);
    await expect(revealRefresh(signer, c, revealB, random)).rejects.toMatchObject({ code: 'BadSignature' });
    expect(c.contribution.wiped).toBe(true);
    const [d] = await openRefresh(signer, self(1), random);
    const [d2] = await revealRefresh(signer, d, openB, random);
    await expect(finishRefresh(signer, d2, last.holders[0].share, revealB, random)).rejects.toMatchObject({
      code: 'WrongSession',
    });
    expect(d.contribution.wiped).toBe(true);
  });

  test('of all secrets that a refresh makes only the two new shares are left', async () => {
    const { result, left } = await secretsOf(() => refreshBoth(signer, last, random));
    const [[device], [cosigner]] = result as Awaited<ReturnType<typeof refreshBoth>>;
    expect(left).toHaveLength(2);
    expect(left[0]).toBe(device.share);
    expect(left[1]).toBe(cosigner.share);
    const stale = { epoch: last.epoch, holders: lives[2]!.holders };
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: last.epoch });
    const [a, openA] = await openRefresh(signer, self(1), random);
    const [b, openB] = await openRefresh(signer, self(2), random);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [, revealB] = await revealRefresh(signer, b, openA, random);
    const failed = await secretsOf(() => finishRefresh(signer, a2, stale.holders[0].share, revealB, random));
    expect(failed).toMatchObject({ result: { code: 'BadShare' }, left: [] });
  });

  test('a share of another epoch is found before anything is certified', async () => {
    const stale = [lives[2]!.holders[0], ...last.holders.slice(1)] as unknown as Life['holders'];
    const failed = refreshBoth(signer, { epoch: last.epoch, holders: stale }, random);
    await expect(failed).rejects.toMatchObject({ code: 'BadShare', culprit: undefined });
  });
});

/** A refresh of the last epoch by a malicious cosigner. */
const attacked = (spoil: Spoil<'open' | 'reveal'>, epochs?: readonly [Epoch, Epoch]) =>
  refreshBoth(signer, last, random, onlyFromCosigner(spoil), epochs);

function onlyFromCosigner(spoil: Spoil<'open' | 'reveal'>): Spoil<'open' | 'reveal'> {
  const only = (change: Spoil<'open'>['open']) => (m: Bytes, from: PartyId, to: PartyId) =>
    from === 2 && change !== undefined ? change(m, from, to) : m;
  return { open: only(spoil.open), reveal: only(spoil.reveal) };
}

const forgedOpen = (change: (said: any) => any) =>
  forged(signer, last.holders, 'hoarfrost/refresh-open', refreshOpen, change);
const forgedReveal = (change: (said: any) => any) =>
  forged(signer, last.holders, 'hoarfrost/refresh-reveal', refreshReveal, change);

describe('attack-17: refresh', () => {
  test.each([
    ['a raised threshold', (s: any) => ({ ...s, threshold: 3 }), 2],
    ['a lowered threshold', (s: any) => ({ ...s, threshold: 1 }), 2],
    ['another wallet', (s: any) => ({ ...s, wallet: new Uint8Array(32) }), 2],
    ['a stale epoch', (s: any) => ({ ...s, epoch: s.epoch - 1 }), undefined],
    ['an epoch skipped', (s: any) => ({ ...s, epoch: s.epoch + 1 }), undefined],
    ['another head', (s: any) => ({ ...s, previous: new Uint8Array(32) }), undefined],
  ])('with %s is RefreshInvalid', async (_, change, culprit) => {
    await expect(attacked({ open: forgedOpen(change) })).rejects.toMatchObject({
      code: 'RefreshInvalid',
      culprit,
    });
  });

  test.each([
    ['a higher degree', (c: Bytes[]) => [...c, c[1]!]],
    ['a lower degree', (c: Bytes[]) => [c[0]!]],
    ['no coefficient', () => []],
    ['a non-zero constant', (c: Bytes[]) => [c[1]!, c[1]!]],
    ['a zero slope', (c: Bytes[]) => [c[0]!, new Uint8Array(0)]],
    ['another slope than committed', (c: Bytes[]) => [c[0]!, Uint8Array.from(last.epoch.groupKey)]],
    ['a negated slope', (c: Bytes[]) => [c[0]!, c[1]!.map((b, i) => (i === 0 ? b ^ 1 : b))]],
  ])('with %s is RefreshInvalid and blames its maker', async (_, change) => {
    const reveal = forgedReveal((s) => ({ ...s, coefficients: change(s.coefficients) }));
    await expect(attacked({ reveal })).rejects.toMatchObject({ code: 'RefreshInvalid', culprit: 2 });
  });

  test.each([
    ['one', new Uint8Array(32).fill(1)],
    ['zero', new Uint8Array(32)],
    ['n or more', new Uint8Array(32).fill(0xff)],
  ])('with a contribution of %s in place of the committed one is RefreshInvalid', async (_, value) => {
    const epochs = last.epoch;
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: epochs });
    const [a, openA] = await openRefresh(signer, self(1), random);
    const [b, openB] = await openRefresh(signer, self(2), random);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [b2, revealB] = await revealRefresh(signer, b, openA, random);
    const context = Uint8Array.from([...b2.session, 2, 1]);
    const { encryptionKey } = decode(refreshOpen, a.body);
    const sealed = await sealTo(encryptionKey, Secret.own(value), context, Secret.own(random(32)));
    const message = forgedReveal((s) => ({ ...s, contribution: sealed }))(revealB, 2);
    await expect(finishRefresh(signer, a2, last.holders[0].share, message, random)).rejects.toMatchObject({
      code: 'RefreshInvalid',
      culprit: 2,
    });
  });

  test('with a contribution chosen after the device revealed its own is RefreshInvalid', async () => {
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: last.epoch });
    const [a, openA] = await openRefresh(signer, self(1), random);
    const [b, openB] = await openRefresh(signer, self(2), random);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [b2, revealB] = await revealRefresh(signer, b, openA, random);
    const chosen = Secret.own(random(32));
    const coefficient = Uint8Array.from(signer.publicKey(chosen));
    const { encryptionKey } = decode(refreshOpen, a.body);
    const context = Uint8Array.from([...b2.session, 2, 1]);
    const contribution = await sealTo(encryptionKey, chosen, context, Secret.own(random(32)));
    const coefficients = [new Uint8Array(0), coefficient];
    const message = forgedReveal((s) => ({ ...s, coefficients, contribution }))(revealB, 2);
    await expect(finishRefresh(signer, a2, last.holders[0].share, message, random)).rejects.toMatchObject({
      code: 'RefreshInvalid',
      culprit: 2,
    });
  });

  test('with contributions that cancel is RefreshInvalid', async () => {
    const drawn: Bytes[] = [];
    const recording: Random = (n) => {
      drawn.push(random(n).slice());
      return drawn.at(-1)!.slice();
    };
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: last.epoch });
    const [a, openA] = await openRefresh(signer, self(1), recording);
    const contribution = drawn.find((d) => d.length === 32 && String(d) === String(a.contribution.expose()))!;
    const negative = Uint8Array.from(Fn.toBytes(Fn.neg(Fn.fromBytes(contribution))));
    let draws = 0;
    const cancelling: Random = (n) => (draws++ === 1 ? negative.slice() : random(n));
    const [b, openB] = await openRefresh(signer, self(2), cancelling);
    expect(b.contribution.expose()).toEqual(negative);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [, revealB] = await revealRefresh(signer, b, openA, random);
    await expect(finishRefresh(signer, a2, last.holders[0].share, revealB, random)).rejects.toMatchObject({
      code: 'RefreshInvalid',
      culprit: undefined,
    });
  });

  test('between parties in different epochs is RefreshInvalid', async () => {
    await expect(attacked({}, [last.epoch, lives[2]!.epoch])).rejects.toMatchObject({
      code: 'RefreshInvalid',
    });
  });

  test('a certificate over another F_e is RefreshInvalid and blames its signer', async () => {
    const [[device], [, message]] = await refreshBoth(signer, last, random);
    const other = bodyAfter(last.epoch, { kind: 'refresh', slope: Uint8Array.from(last.epoch.groupKey) });
    const wrong = forged(signer, last.holders, 'hoarfrost/epoch-certify', epochCertify, (s) => ({
      ...s,
      record: other,
    }))(message, 2);
    expect(() => completeRecord(signer, last.epoch, device.pending, [{ from: 2, message: wrong }])).toThrow(
      code('RefreshInvalid', { culprit: 2 }),
    );
    const unsigned = forged(signer, last.holders, 'hoarfrost/epoch-certify', epochCertify, (s) => ({
      ...s,
      certificate: new Uint8Array(64),
    }))(message, 2);
    expect(() =>
      completeRecord(signer, last.epoch, device.pending, [{ from: 2, message: unsigned }]),
    ).toThrow(code('BadCertificate', { culprit: 2 }));
    expect(() => completeRecord(signer, last.epoch, device.pending, [])).toThrow(code('Pending'));
  });
});

describe('refresh messages elsewhere', () => {
  test('attack-05: a reveal and a certificate of another refresh are WrongSession', async () => {
    let kept: Bytes | undefined;
    const [, [, certify]] = await attacked({ reveal: (m) => ((kept = m), m) });
    await expect(attacked({ reveal: () => kept! })).rejects.toMatchObject({
      code: 'WrongSession',
      culprit: 2,
    });
    const [[device]] = await refreshBoth(signer, last, random);
    expect(() => completeRecord(signer, last.epoch, device.pending, [{ from: 2, message: certify }])).toThrow(
      code('WrongSession'),
    );
  });

  test('attack-06: a reflected message is BadSignature, a foreign id BadIdentifier', async () => {
    const self = { id: 1 as const, host: last.holders[0].host, epoch: last.epoch };
    const [a, openA] = await openRefresh(signer, self, random);
    await expect(revealRefresh(signer, a, openA, random)).rejects.toMatchObject({ code: 'BadSignature' });
    for (const id of [0, 1, 3, 4]) {
      await expect(attacked({ open: forgedOpen((s) => ({ ...s, id })) })).rejects.toMatchObject({
        code: 'BadIdentifier',
      });
      await expect(attacked({ reveal: forgedReveal((s) => ({ ...s, id })) })).rejects.toMatchObject({
        code: 'BadIdentifier',
      });
    }
  });

  test('attack-09: a contribution sealed for another sender, recipient or session is WrongContext', async () => {
    const reflected = forgedReveal((s) => ({ ...s, contribution: new Uint8Array(80).fill(1) }));
    await expect(attacked({ reveal: reflected })).rejects.toMatchObject({ code: 'WrongContext' });
    const self = (id: 1 | 2) => ({ id, host: last.holders[id - 1]!.host, epoch: last.epoch });
    const [a, openA] = await openRefresh(signer, self(1), random);
    const [b, openB] = await openRefresh(signer, self(2), random);
    const [a2] = await revealRefresh(signer, a, openB, random);
    const [b2, revealB] = await revealRefresh(signer, b, openA, random);
    const { encryptionKey } = decode(refreshOpen, a.body);
    for (const context of [
      [...b2.session, 1, 2],
      [...b2.session, 2, 3],
      [...last.epoch.wallet, 2, 1],
    ]) {
      const own = Secret.take(b2.contribution.expose().slice());
      const sealed = await sealTo(encryptionKey, own, Uint8Array.from(context), Secret.own(random(32)));
      const message = forgedReveal((s) => ({ ...s, contribution: sealed }))(revealB, 2);
      await expect(
        finishRefresh(
          signer,
          { ...a2, contribution: Secret.own(random(32)) },
          last.holders[0].share,
          message,
          random,
        ),
      ).rejects.toMatchObject({ code: 'WrongContext' });
    }
  });

  test.each(['suite', 'version'])('another %s is refused', async (field) => {
    const change = (s: any) => ({ ...s, [field]: field === 'suite' ? 'FROST-other' : 9 });
    await expect(attacked({ open: forgedOpen(change) })).rejects.toMatchObject({
      code: field === 'suite' ? 'WrongSuite' : 'WrongVersion',
    });
  });
});

describe('attack-16: a refresh that breaks off', () => {
  test('before both have certified the old epoch signs; with both certificates both roll forward', async () => {
    const [[device, fromDevice], [cosigner, fromCosigner]] = await refreshBoth(signer, last, random);
    // The device has certified; the cosigner died before it did. The old shares are untouched and sign.
    everyPairSigns(signer, last, random);
    const half = [{ id: 1 as const, share: device.share }, last.holders[1]] as const;
    expect(() => signTogether(signer, device.next, half, testSignInput(device.next), random)).toThrow(
      code('BadShare', { culprit: 2 }),
    );
    expect(() => completeRecord(signer, last.epoch, device.pending, [])).toThrow(code('Pending'));
    // What each made durable is enough to go on after a restart, in any order and any number of times.
    const stored = structuredClone(cosigner.pending);
    for (let i = 0; i < 2; i++) {
      const kept = completeRecord(signer, last.epoch, device.pending, [{ from: 2, message: fromCosigner }]);
      const theirs = completeRecord(signer, last.epoch, stored, [{ from: 1, message: fromDevice }]);
      expect(advance(signer, last.epoch, kept)).toEqual(device.next);
      expect(advance(signer, last.epoch, theirs)).toEqual(device.next);
    }
    const both = [
      { id: 1 as const, share: device.share },
      { id: 2 as const, share: cosigner.share },
    ] as const;
    signTogether(signer, device.next, both, testSignInput(device.next), random);
  });

  test('in doubt, device and words work in either epoch', async () => {
    const [[device], [, fromCosigner]] = await refreshBoth(signer, last, random);
    const before = await from3(last, last.records[1]);
    signTogether(
      signer,
      last.epoch,
      [last.holders[0], { id: 3, share: before.share }],
      testSignInput(last.epoch),
      random,
    );
    const record = completeRecord(signer, last.epoch, device.pending, [{ from: 2, message: fromCosigner }]);
    const after = await from3(last, [...last.records[1], record]);
    signTogether(
      signer,
      device.next,
      [
        { id: 1, share: device.share },
        { id: 3, share: after.share },
      ],
      testSignInput(device.next),
      random,
    );
  });
});

describe('the test signature', () => {
  test('is under x(K0), another one in every epoch, and fails for a share that does not fit', () => {
    const inputs = lives.map(({ epoch }) => testSignInput(epoch));
    expect(new Set(inputs.map(({ sighash }) => String(sighash))).size).toBe(4);
    const [one, two] = last.holders;
    const signature = signTogether(signer, last.epoch, [one, two], inputs[3]!, random);
    expect(schnorr.verify(signature, inputs[3]!.sighash, last.epoch.groupKey.slice(1))).toBe(true);
    const wrong = { id: 2 as const, share: Secret.own(random(32)) };
    expect(() => signTogether(signer, last.epoch, [one, wrong], inputs[3]!, random)).toThrow(
      code('BadShare'),
    );
  });

  test('attack-13: answered three times over one commitment, it gives one signature at most', () => {
    const input = testSignInput(last.epoch);
    const [one, two] = last.holders;
    const attempt = {
      groupKey: last.epoch.groupKey,
      handshakeHash: random(32),
      attempt: random(16),
      epoch: 3,
    };
    const own = commitAll(signer, one.share, attempt, [input], random);
    const finish = () => {
      const answer = answerAll(
        signer,
        2,
        two.share,
        attempt,
        [input],
        { id: 1, commitments: own.commitments },
        random,
      );
      const verifyingShare = last.epoch.verifyingShares[1];
      return finishAll(signer, 1, one.share, attempt, [input], own, { id: 2, verifyingShare, ...answer });
    };
    expect(finish()).toHaveLength(1);
    expect(finish).toThrow(code('NonceConsumed'));
    expect(finish).toThrow(code('NonceConsumed'));
  });

  test('attack-14: with one fixed generator, no commitment pair serves two epochs', () => {
    const pairs = lives.map(({ epoch, holders }) => {
      const stuck = seededRandom('stuck');
      const attempt = {
        groupKey: epoch.groupKey,
        handshakeHash: new Uint8Array(32),
        attempt: new Uint8Array(16),
        epoch: epoch.number,
      };
      return String(
        commitAll(signer, holders[0].share, attempt, [testSignInput(epoch)], stuck).commitments[0],
      );
    });
    expect(new Set(pairs).size).toBe(4);
  });
});
