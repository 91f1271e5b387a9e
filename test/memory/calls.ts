/** Every call that takes, makes or gives a secret, also where it refuses: what must be gone afterwards. */
import { schnorr } from '@noble/curves/secp256k1.js';
import { randomBytes } from '@noble/hashes/utils.js';
import type { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, SignerModule, SigningPackage } from '../../src/crypto/signer.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { committed, runKeygen, secretOf } from '../conformance/signer/fixture.ts';
import { IDS, integer, oracleNonces, scalarBytes } from '../conformance/signer/oracle.ts';

export interface Call {
  readonly name: string;
  /** Runs it and answers the secrets that must be gone. */
  readonly run: (signer: SignerModule) => readonly Uint8Array[];
}

const { Fn } = schnorr.Point;
const empty = new Uint8Array(0);
const secretBytes = (): Uint8Array => schnorr.utils.randomSecretKey();
const taken = (secret: Secret): Uint8Array => secret.expose().slice();

function refused(act: () => unknown): void {
  try {
    act();
  } catch (e) {
    if (isHoarfrostError(e)) return;
    throw e;
  }
  throw new Error('accepted');
}

/** BIP-340's intermediate secrets. */
function schnorrSecrets(secret: Uint8Array, message: Uint8Array, aux: Uint8Array): Uint8Array[] {
  const { taggedHash, pointToBytes } = schnorr.utils;
  const p = schnorr.Point.BASE.multiply(Fn.fromBytes(secret));
  const d = p.toBytes()[0] === 2 ? secret : Fn.toBytes(Fn.neg(Fn.fromBytes(secret)));
  const mask = taggedHash('BIP0340/aux', aux);
  const t = d.map((byte, i) => byte ^ mask[i]!);
  const nonce = scalarBytes(integer(taggedHash('BIP0340/nonce', t, pointToBytes(p), message)));
  return [secret, nonce, t];
}

/** A package in which both nonce pairs are known to the test. */
function session(signer: SignerModule) {
  const { key } = runKeygen(signer);
  const randomness = [randomBytes(64), randomBytes(64)] as const;
  const context = randomBytes(50);
  const made = ([1, 2] as const).map((id, i) => {
    const { nonces } = oracleNonces(id, key.shares[id], randomness[i]!, context);
    return {
      id,
      secrets: [nonces.hiding, nonces.binding],
      ...signer.commit({ share: secretOf(key.shares[id]), randomness: randomness[i]!, context }),
    };
  });
  const t = secretBytes();
  const groupKey = key.groupKey;
  const derived = schnorr.Point.fromBytes(groupKey).add(schnorr.Point.BASE.multiply(Fn.fromBytes(t)));
  const pkg: SigningPackage = {
    groupKey,
    tweak: { derivation: t, path: 'leaf', merkleRoot: empty },
    expectedKey: derived.toBytes().slice(1),
    message: randomBytes(32),
    commitments: made.map(({ id, commitment }) => ({ id, commitment })),
  };
  const tweaked = (id: PartyId) => scalarBytes(integer(key.shares[id]) + integer(t));
  return { key, pkg, asking: made[0]!, answering: made[1]!, randomness, tweaked };
}

/** Party 3's last step of keygen, and its secrets. */
function lastStep(signer: SignerModule) {
  const randomness = IDS.map(() => randomBytes(96));
  const parties = IDS.map((id, i) =>
    signer.keygenCommit({ id, session: new Uint8Array(32), randomness: randomness[i]! }),
  );
  const inbox = IDS.map((from) => taken(signer.keygenShareFor(parties[from - 1]!.polynomial, 3)));
  for (const at of [0, 1]) signer.dropPolynomial(parties[at]!.polynomial);
  const coefficients = randomness.flatMap((r) => [r.slice(0, 32), r.slice(32, 64)]);
  return {
    args: {
      id: 3 as PartyId,
      polynomial: parties[2]!.polynomial,
      commitments: parties.map((p) => p.commitment),
      subShares: ([1, 2] as const).map((from) => ({
        from: from as PartyId,
        share: secretOf(inbox[from - 1]!),
      })),
    },
    own: inbox[2]!,
    secrets: [...inbox, ...coefficients],
  };
}

export const CALLS: readonly Call[] = [
  {
    name: 'publicKey',
    run(signer) {
      const secret = secretBytes();
      signer.publicKey(secretOf(secret));
      return [secret];
    },
  },
  {
    name: 'ecdhX',
    run(signer) {
      const secret = secretBytes();
      const point = schnorr.Point.BASE.multiply(Fn.fromBytes(secretBytes())).toBytes();
      return [secret, taken(signer.ecdhX(secretOf(secret), point))];
    },
  },
  {
    name: 'ecdhX, refused point',
    run(signer) {
      const secret = secretBytes();
      refused(() => signer.ecdhX(secretOf(secret), new Uint8Array(33)));
      return [secret];
    },
  },
  {
    name: 'schnorrSign',
    run(signer) {
      const [secret, message, aux] = [secretBytes(), randomBytes(32), randomBytes(32)];
      signer.schnorrSign(secretOf(secret), message, aux);
      return schnorrSecrets(secret, message, aux);
    },
  },
  {
    name: 'keygenCommit and dropPolynomial',
    run(signer) {
      const randomness = randomBytes(96);
      const { polynomial } = signer.keygenCommit({ id: 1, session: randomBytes(32), randomness });
      signer.dropPolynomial(polynomial);
      return [0, 32, 64].map((at) => randomness.slice(at, at + 32));
    },
  },
  {
    name: "keygenCommit: the proof's nonce, while the polynomial lives",
    run(signer) {
      const randomness = randomBytes(96);
      signer.keygenCommit({ id: 1, session: randomBytes(32), randomness });
      return [randomness.slice(64)];
    },
  },
  {
    name: 'keygenCommit, refused randomness',
    run(signer) {
      const randomness = randomBytes(96);
      randomness.fill(0, 32, 64);
      refused(() => signer.keygenCommit({ id: 1, session: randomBytes(32), randomness }));
      return [randomness.slice(0, 32), randomness.slice(64)];
    },
  },
  {
    name: 'keygenShareFor',
    run(signer) {
      const { polynomial } = signer.keygenCommit({
        id: 1,
        session: randomBytes(32),
        randomness: randomBytes(96),
      });
      return [taken(signer.keygenShareFor(polynomial, 2))];
    },
  },
  {
    name: 'keygenFinish',
    run(signer) {
      const { args, secrets } = lastStep(signer);
      return [...secrets, taken(signer.keygenFinish(args).share)];
    },
  },
  {
    name: 'keygenFinish, a wrong sub-share',
    run(signer) {
      const { args, secrets } = lastStep(signer);
      const wrong = secretBytes();
      refused(() =>
        signer.keygenFinish({
          ...args,
          subShares: [args.subShares[0]!, { from: 2, share: secretOf(wrong) }],
        }),
      );
      return [...secrets, wrong];
    },
  },
  {
    name: 'sumSubShares',
    run(signer) {
      const { args, own, secrets } = lastStep(signer);
      signer.dropPolynomial(args.polynomial);
      const subShares = [...args.subShares, { from: 3 as PartyId, share: secretOf(own) }];
      return [...secrets, taken(signer.sumSubShares({ ...args, subShares }).share)];
    },
  },
  {
    name: 'commit: share and randomness, while the nonces live',
    run(signer) {
      const [share, randomness] = [secretBytes(), randomBytes(64)];
      signer.commit({ share: secretOf(share), randomness, context: randomBytes(99) });
      return [share, randomness];
    },
  },
  {
    name: 'dropNonces',
    run(signer) {
      const [share, randomness] = [secretBytes(), randomBytes(64)];
      const { nonces } = oracleNonces(1, share, randomness, empty);
      signer.dropNonces(signer.commit({ share: secretOf(share), randomness, context: empty }).nonces);
      return [share, randomness, nonces.hiding, nonces.binding];
    },
  },
  {
    name: 'signShare',
    run(signer) {
      const { key, pkg, asking, tweaked } = session(signer);
      signer.signShare({ id: 1, share: secretOf(key.shares[1]), nonces: asking.nonces, package: pkg });
      return [key.shares[1], tweaked(1), ...asking.secrets];
    },
  },
  {
    name: 'signShare, another expected key',
    run(signer) {
      const { key, pkg, asking, tweaked } = session(signer);
      const wrong = { ...pkg, expectedKey: randomBytes(32) };
      refused(() =>
        signer.signShare({ id: 1, share: secretOf(key.shares[1]), nonces: asking.nonces, package: wrong }),
      );
      return [key.shares[1], tweaked(1), ...asking.secrets];
    },
  },
  {
    name: 'finish: share, nonces and the own signature share',
    run(signer) {
      const { key, pkg, asking, answering, tweaked } = session(signer);
      const signatureShare = signer.signShare({
        id: 2,
        share: secretOf(key.shares[2]),
        nonces: answering.nonces,
        package: pkg,
      });
      const signature = signer.finish({
        id: 1,
        share: secretOf(key.shares[1]),
        nonces: asking.nonces,
        package: pkg,
        peer: { id: 2, verifyingShare: key.verifyingShares[1]!, signatureShare },
      });
      const own = scalarBytes(integer(signature.slice(32)) - integer(signatureShare));
      return [key.shares[1], tweaked(1), own, ...asking.secrets, ...answering.secrets];
    },
  },
  {
    name: "finish, the peer's share wrong",
    run(signer) {
      const { key, pkg, asking } = session(signer);
      refused(() =>
        signer.finish({
          id: 1,
          share: secretOf(key.shares[1]),
          nonces: asking.nonces,
          package: pkg,
          peer: { id: 2, verifyingShare: key.verifyingShares[1]!, signatureShare: scalarBytes(5n) },
        }),
      );
      return [key.shares[1], ...asking.secrets];
    },
  },
  {
    name: 'finish, the own share wrong: the signature that fails is gone too',
    run(signer) {
      const { key } = runKeygen(signer);
      const { pkg, asking, answering } = committed(signer, key);
      const signatureShare = signer.signShare({
        id: 2,
        share: secretOf(key.shares[2]),
        nonces: answering.nonces,
        package: pkg,
      });
      const wrong = secretBytes();
      refused(() =>
        signer.finish({
          id: 1,
          share: secretOf(wrong),
          nonces: asking.nonces,
          package: pkg,
          peer: { id: 2, verifyingShare: key.verifyingShares[1]!, signatureShare },
        }),
      );
      return [wrong];
    },
  },
  {
    name: 'sumSecrets',
    run(signer) {
      const parts = [secretBytes(), secretBytes(), secretBytes()];
      return [...parts, taken(signer.sumSecrets(parts.map(secretOf)))];
    },
  },
  {
    name: 'refreshDelta and refreshShare',
    run(signer) {
      const [a, b, share] = [secretBytes(), secretBytes(), secretBytes()];
      const { delta, recoveryDelta } = signer.refreshDelta([secretOf(a), secretOf(b)]);
      const refreshed = signer.refreshShare({ id: 2, share: secretOf(share), delta });
      return [a, b, share, taken(delta), taken(recoveryDelta), taken(refreshed.share)];
    },
  },
  {
    name: 'repairSplit',
    run(signer) {
      const [share, randomness] = [secretBytes(), randomBytes(32)];
      const { kept, sent } = signer.repairSplit({
        id: 1,
        helper: 2,
        target: 3,
        share: secretOf(share),
        randomness,
      });
      return [share, randomness, taken(kept), taken(sent)];
    },
  },
  {
    name: 'repairFinish',
    run(signer) {
      const sums = [secretBytes(), secretBytes()] as const;
      const share = scalarBytes(integer(sums[0]) + integer(sums[1]));
      const verifyingShare = schnorr.Point.BASE.multiply(Fn.fromBytes(share)).toBytes();
      signer.repairFinish({ sums: [secretOf(sums[0]), secretOf(sums[1])], verifyingShare });
      return [...sums, share];
    },
  },
  {
    name: 'repairFinish, another verifying share',
    run(signer) {
      const sums = [secretBytes(), secretBytes()] as const;
      const verifyingShare = schnorr.Point.BASE.toBytes();
      refused(() => signer.repairFinish({ sums: [secretOf(sums[0]), secretOf(sums[1])], verifyingShare }));
      return [...sums, scalarBytes(integer(sums[0]) + integer(sums[1]))];
    },
  },
];
