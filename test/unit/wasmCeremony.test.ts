import { schnorr } from '@noble/curves/secp256k1.js';
import { randomBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId } from '../../src/crypto/signer.ts';
import { loadWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { committed, type Key, refusal, runKeygen } from '../conformance/signer/fixture.ts';

const { Point } = schnorr;
const { Fn } = Point;
const signer = loadWasmSigner();
const IDS = [1, 2, 3] as const;
const copy = (bytes: Uint8Array) => Secret.own(Uint8Array.from(bytes));
const randomSecret = () => Secret.own(Uint8Array.from(schnorr.utils.randomSecretKey()));
const keyOf = (): Key => runKeygen(signer).key;

describe('refresh', () => {
  test('every share moves by its id times a; group key and signatures stay', () => {
    const key = keyOf();
    const contributions = [randomSecret(), randomSecret()] as const;
    const a = contributions.reduce((sum, s) => Fn.add(sum, Fn.fromBytes(s.expose())), 0n);
    const { delta, recoveryDelta, slope } = signer.refreshDelta(contributions);
    expect(Fn.fromBytes(delta.expose())).toBe(a);
    expect(Fn.fromBytes(recoveryDelta.expose())).toBe(Fn.mul(3n, a));
    expect(slope).toEqual(Point.BASE.multiply(a).toBytes());

    const fresh = IDS.map((id) => signer.refreshShare({ id, share: copy(key.shares[id]), delta }));
    const recovery = signer.sumSecrets([copy(key.shares[3]), recoveryDelta]);
    expect(recovery.expose()).toEqual(fresh[2]!.share.expose());

    // The epoch's slope is the old one plus a*G: Y_i = K0 + i*F.
    const minusK0 = Uint8Array.from(key.groupKey);
    minusK0[0]! ^= 1;
    const oldSlope = signer.sumPointsVar([key.verifyingShares[0]!, minusK0]);
    const ys = signer.verifyingSharesVar(key.groupKey, signer.sumPointsVar([oldSlope, slope]));
    expect(ys).toEqual(fresh.map((f) => f.verifyingShare));
    expect(signer.verifyingSharesVar(key.groupKey, oldSlope)).toEqual(key.verifyingShares);

    const shares = Object.fromEntries(IDS.map((id) => [id, fresh[id - 1]!.share.expose()])) as Key['shares'];
    const refreshed: Key = { groupKey: key.groupKey, shares, verifyingShares: ys };
    const { pkg, asking, answering } = committed(signer, refreshed, { ids: [1, 3] });
    const z = signer.signShare({ id: 3, share: copy(shares[3]), nonces: answering.nonces, package: pkg });
    signer.finish({
      id: 1,
      share: copy(shares[1]),
      nonces: asking.nonces,
      package: pkg,
      peer: { id: 3, verifyingShare: ys[2], signatureShare: z },
    });
  });

  test('attack-17: a slope of zero is refused', () => {
    const s = randomSecret();
    const minus = Secret.own(Uint8Array.from(Fn.toBytes(Fn.neg(Fn.fromBytes(s.expose())))));
    expect(refusal(() => signer.refreshDelta([s, minus])).code).toBe('BadEncoding');
    expect(
      refusal(() =>
        signer.refreshShare({ id: 1, share: randomSecret(), delta: Secret.own(new Uint8Array(32)) }),
      ).code,
    ).toBe('BadEncoding');
  });
});

describe('repair', () => {
  const repaired = (key: Key, target: PartyId, spoil = false) => {
    const [i, j] = IDS.filter((id) => id !== target) as [PartyId, PartyId];
    const split = (id: PartyId, helper: PartyId) =>
      signer.repairSplit({ id, helper, target, share: copy(key.shares[id]), randomness: randomBytes(32) });
    const [from, to] = [split(i, j), split(j, i)];
    return signer.repairFinish({
      sums: [
        signer.sumSecrets([from.kept, to.sent]),
        signer.sumSecrets(spoil ? [to.kept, from.sent, randomSecret()] : [to.kept, from.sent]),
      ],
      verifyingShare: key.verifyingShares[target - 1]!,
    });
  };

  test('any two give the third its share back', () => {
    const key = keyOf();
    for (const target of IDS) expect(repaired(key, target).expose()).toEqual(key.shares[target]);
  });

  test('attack-18: a wrong summand is RepairedShareMismatch', () => {
    expect(refusal(() => repaired(keyOf(), 2, true)).code).toBe('RepairedShareMismatch');
  });

  test('ids that are not three different ones are refused', () => {
    const share = randomSecret();
    for (const [id, helper, target] of [
      [1, 1, 2],
      [1, 2, 1],
      [1, 2, 2],
      [0, 2, 3],
      [1, 2, 4],
    ] as [PartyId, PartyId, PartyId][]) {
      const act = () => signer.repairSplit({ id, helper, target, share, randomness: randomBytes(32) });
      expect(refusal(act).code).toBe('BadIdentifier');
    }
  });
});

describe('bulk derivation', () => {
  test('children and output keys, odd and even counts over the size of one call', () => {
    for (const count of [0, 1, 2, 7, 131]) {
      const parent = Point.BASE.multiply(Fn.fromBytes(schnorr.utils.randomSecretKey()));
      const tweaks = Array.from({ length: count }, () => schnorr.utils.randomSecretKey());
      const children = signer.deriveChildrenVar(parent.toBytes(), tweaks);
      expect(children).toEqual(tweaks.map((t) => parent.add(Point.BASE.multiply(Fn.fromBytes(t))).toBytes()));
      for (const root of [new Uint8Array(0), randomBytes(32)]) {
        const want = children.map((child) => {
          const x = child.slice(1);
          const tau = Fn.fromBytes(schnorr.utils.taggedHash('TapTweak', x, root));
          return Point.fromBytes(Uint8Array.of(2, ...x))
            .add(Point.BASE.multiply(tau))
            .toBytes();
        });
        expect(signer.outputKeysVar(children, root)).toEqual(want);
      }
    }
  });

  test('a child at infinity, a tweak of n and a bad point are refused', () => {
    const t = schnorr.utils.randomSecretKey();
    const minus = Point.BASE.multiply(Fn.neg(Fn.fromBytes(t))).toBytes();
    expect(refusal(() => signer.deriveChildrenVar(minus, [t])).code).toBe('BadEncoding');
    const n = Uint8Array.from(Buffer.from(Fn.ORDER.toString(16), 'hex'));
    expect(refusal(() => signer.deriveChildrenVar(minus, [n])).code).toBe('BadEncoding');
    expect(refusal(() => signer.outputKeysVar([new Uint8Array(33)], new Uint8Array(0))).code).toBe(
      'BadEncoding',
    );
    expect(refusal(() => signer.sumPointsVar([])).code).toBe('TooLarge');
  });
});

describe('ECDH and batches', () => {
  test('x of k*P', () => {
    for (const k of [1n, 2n, 3n, Fn.ORDER - 1n, Fn.fromBytes(schnorr.utils.randomSecretKey())]) {
      const peer = Point.BASE.multiply(Fn.fromBytes(schnorr.utils.randomSecretKey()));
      const x = signer.ecdhX(copy(Fn.toBytes(k)), peer.toBytes());
      expect(x.expose()).toEqual(peer.multiply(k).toBytes().slice(1));
    }
  });

  test('BIP-340 batch: all valid, or any one spoiled in any part, at every place', () => {
    const list = Array.from({ length: 35 }, () => {
      const secret = schnorr.utils.randomSecretKey();
      const message = randomBytes(32);
      return { publicKey: schnorr.getPublicKey(secret), message, signature: schnorr.sign(message, secret) };
    });
    for (const length of [0, 1, 2, 16, 17, 35])
      expect(signer.schnorrVerifyBatch(list.slice(0, length))).toBe(true);
    for (const at of [0, 1, 15, 16, 34]) {
      for (const part of ['publicKey', 'message', 'signature'] as const) {
        for (const byte of [0, 31]) {
          const spoiled = list.map((entry, i) => {
            if (i !== at) return entry;
            const bytes = Uint8Array.from(entry[part]);
            bytes[byte]! ^= 1;
            return { ...entry, [part]: bytes };
          });
          expect(signer.schnorrVerifyBatch(spoiled)).toBe(false);
        }
      }
    }
    // Two errors that cancel in a plain sum: s + 1 and s' - 1.
    const [first, second] = list.slice(0, 2).map((entry, i) => {
      const s = Fn.fromBytes(entry.signature.slice(32));
      const moved = Fn.toBytes(i ? Fn.sub(s, 1n) : Fn.add(s, 1n));
      return { ...entry, signature: Uint8Array.of(...entry.signature.slice(0, 32), ...moved) };
    });
    expect(signer.schnorrVerifyBatch([first!, second!])).toBe(false);
  });
});
