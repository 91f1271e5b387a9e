/**
 * What is measured, on our signer and on each peer that has it, in whichever engine this runs. noble gets the same work:
 * its FROST with the session-bound keygen of the suite, packages parsed from bytes in every call, as ours.
 */
import { instantiateSecp256k1 } from '@bitauth/libauth';
import { createFROST, type FrostPublic, type FrostSecret } from '@noble/curves/abstract/frost.js';
import { schnorr, schnorr_FROST, secp256k1, secp256k1_hasher } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, randomBytes } from '@noble/hashes/utils.js';
import * as tiny from 'tiny-secp256k1';
import { Secret } from '../../src/crypto/secret.ts';
import { type PartyId, type Signer, type SigningPackage, SUITE } from '../../src/crypto/signer.ts';

export const PEERS = ['noble', 'tiny', 'libauth', 'libauthSchnorr', 'native'] as const;
export type Peer = (typeof PEERS)[number];

/** Prepares `count` calls, unmeasured, and answers the milliseconds that they take. */
export type Contender = (count: number) => Promise<number> | number;

export interface Operation {
  readonly name: string;
  readonly ours: Contender;
  readonly peers: Partial<Record<Peer, Contender>>;
}

/** Runs a batch of an operation on native libsecp256k1 and answers the milliseconds. */
export type Native = (operation: 'gmul' | 'verify', count: number) => Promise<number>;

const IDS = [1, 2, 3] as const;
const SIGNERS = { min: 2, max: 3 };
const { Point } = schnorr;
const empty = new Uint8Array(0);

/** The same call again and again. */
const repeat =
  (call: () => unknown): Contender =>
  (count) => {
    const from = performance.now();
    for (let i = 0; i < count; i++) call();
    return performance.now() - from;
  };

/** One call each on things made beforehand, for calls that consume what they are given. */
const each =
  <T>(make: () => T, call: (made: T) => unknown, after?: (made: T) => void): Contender =>
  (count) => {
    const made = Array.from({ length: count }, make);
    const from = performance.now();
    for (const one of made) call(one);
    const elapsed = performance.now() - from;
    if (after) for (const one of made) after(one);
    return elapsed;
  };

function agree(what: string, a: Uint8Array, b: Uint8Array): void {
  if (bytesToHex(a) !== bytesToHex(b)) throw new Error(`${what}: the contenders disagree`);
}

function keygenOurs(signer: Signer, session: Uint8Array) {
  const parties = IDS.map((id) => signer.keygenCommit({ id, session, randomness: randomBytes(96) }));
  const commitments = parties.map((p) => p.commitment);
  return IDS.map((id) => {
    const others = IDS.filter((other) => other !== id);
    for (const from of others) signer.keygenVerifyProof({ id: from, session, ...parties[from - 1]! });
    return {
      id,
      subShares: others.map((to) => [to, signer.keygenShareFor(parties[id - 1]!.polynomial, to)] as const),
    };
  }).map(({ id }, _, all) =>
    signer.keygenFinish({
      id,
      polynomial: parties[id - 1]!.polynomial,
      commitments,
      subShares: all
        .filter((sender) => sender.id !== id)
        .map((sender) => ({ from: sender.id, share: sender.subShares.find(([to]) => to === id)![1] })),
    }),
  );
}

function keygenNoble(session: Uint8Array) {
  const frost = createFROST({
    name: SUITE,
    Point,
    hash: sha256,
    hashToScalar: secp256k1_hasher.hashToScalar,
    HDKG: `${SUITE}dkg${bytesToHex(session)}`,
    adjustScalar: (k) => (Point.BASE.multiply(k).toBytes()[0] === 2 ? k : Point.Fn.neg(k)),
    adjustTx: { encode: (proof) => proof.slice(1), decode: (proof) => Uint8Array.from([2, ...proof]) },
  });
  const ids = IDS.map((id) => frost.Identifier.fromNumber(id));
  const first = ids.map((id) => frost.DKG.round1(id, SIGNERS));
  const othersOf = (i: number) => first.filter((_, j) => j !== i).map((p) => p.public);
  const second = first.map((p, i) => frost.DKG.round2(p.secret, othersOf(i)));
  return first.map((p, i) =>
    frost.DKG.round3(
      p.secret,
      othersOf(i),
      second.filter((_, j) => j !== i).map((packages) => packages[ids[i]!]!),
    ),
  );
}

export async function operations(signer: Signer, native?: Native): Promise<Operation[]> {
  const libauth = await instantiateSecp256k1();

  const keyBytes = schnorr.utils.randomSecretKey();
  const secret = Secret.own(Uint8Array.from(keyBytes));
  const message = randomBytes(32);
  const publicKey = secp256k1.getPublicKey(keyBytes);
  const x = publicKey.slice(1);
  const signature = schnorr.sign(message, keyBytes);
  agree('k*G', signer.publicKey(secret), publicKey);
  agree('k*G', tiny.pointFromScalar(keyBytes)!, publicKey);
  agree('k*G', libauth.derivePublicKeyCompressed(keyBytes) as Uint8Array, publicKey);
  // libauth has no BIP-340: `libauth` is its ECDSA verification, and beside it stands Bitcoin Cash's Schnorr, which is
  // closer to BIP-340: the same sum under another challenge.
  const bchSignature = libauth.signMessageHashSchnorr(keyBytes, message) as Uint8Array;
  const ecdsaSignature = libauth.signMessageHashCompact(keyBytes, message) as Uint8Array;
  const verified = [
    signer.schnorrVerify(x, message, signature),
    schnorr.verify(signature, message, x),
    tiny.verifySchnorr(message, x, signature),
    libauth.verifySignatureSchnorr(bchSignature, publicKey, message),
    libauth.verifySignatureCompact(ecdsaSignature, publicKey, message),
  ];
  if (!verified.every(Boolean)) throw new Error(`verify: ${verified}`);

  // One key, dealt by noble so that both sides have its packages. Untweaked (a leaf with T = 0): noble has no derivation.
  const deal = schnorr_FROST.trustedDealer(SIGNERS);
  const ids = IDS.map((id) => schnorr_FROST.Identifier.fromNumber(id));
  const pub: FrostPublic = deal.public;
  const secrets: FrostSecret[] = ids.map((id) => deal.secretShares[id]!);
  const shares = secrets.map((s) => Secret.own(Uint8Array.from(s.signingShare)));
  const verifyingShares = ids.map((id) => pub.verifyingShares[id]!);
  const groupKey = pub.commitments[0]!;
  const commitOurs = (id: PartyId) => ({
    id,
    ...signer.commit({ share: shares[id - 1]!, randomness: randomBytes(64), context: empty }),
  });
  type Committed = ReturnType<typeof commitOurs>;
  const packageOf = (made: readonly Committed[]): SigningPackage => ({
    groupKey,
    tweak: { derivation: new Uint8Array(32), path: 'leaf', merkleRoot: empty },
    expectedKey: groupKey.slice(1),
    message,
    commitments: made.map(({ id, commitment }) => ({ id, commitment })),
  });
  const openOurs = () => {
    const asking = commitOurs(1);
    const answering = commitOurs(2);
    return { asking, answering, pkg: packageOf([asking, answering]) };
  };
  const openNoble = () => {
    const made = [0, 1].map((i) => schnorr_FROST.commit(secrets[i]!));
    return { made, list: made.map((m) => m.commitments) };
  };
  const answerOurs = ({ answering, pkg }: ReturnType<typeof openOurs>) =>
    signer.signShare({ id: 2, share: shares[1]!, nonces: answering.nonces, package: pkg });
  const signNoble = (i: number, { made, list }: ReturnType<typeof openNoble>) =>
    schnorr_FROST.signShare(secrets[i]!, pub, made[i]!.nonces, list, message);

  const open = openOurs();
  const z1 = signer.signShare({ id: 1, share: shares[0]!, nonces: open.asking.nonces, package: open.pkg });
  const z2 = answerOurs(open);
  const list = [open.asking, open.answering].map(({ id, commitment }) => ({
    identifier: ids[id - 1]!,
    hiding: commitment.slice(0, 33),
    binding: commitment.slice(33),
  }));
  const byId = { [ids[0]!]: z1, [ids[1]!]: z2 };
  const sharesOurs = [
    { id: 1 as PartyId, signatureShare: z1 },
    { id: 2 as PartyId, signatureShare: z2 },
  ];
  if (!schnorr_FROST.verifyShare(pub, list, message, ids[1]!, z2)) throw new Error('noble refuses our share');
  agree(
    'aggregate',
    signer.aggregate({ shares: sharesOurs, package: open.pkg }),
    schnorr_FROST.aggregate(pub, list, message, byId),
  );

  const sessionOurs = () => {
    const run = openOurs();
    return signer.finish({
      id: 1,
      share: shares[0]!,
      nonces: run.asking.nonces,
      package: run.pkg,
      peer: { id: 2, verifyingShare: verifyingShares[1]!, signatureShare: answerOurs(run) },
    });
  };
  const sessionNoble = () => {
    const run = openNoble();
    const theirs = signNoble(1, run);
    if (!schnorr_FROST.verifyShare(pub, run.list, message, ids[1]!, theirs)) throw new Error('share');
    return schnorr_FROST.aggregate(pub, run.list, message, {
      [ids[0]!]: signNoble(0, run),
      [ids[1]!]: theirs,
    });
  };

  return [
    {
      name: 'gmul',
      ours: repeat(() => signer.publicKey(secret)),
      peers: {
        noble: repeat(() => secp256k1.getPublicKey(keyBytes)),
        tiny: repeat(() => tiny.pointFromScalar(keyBytes)),
        libauth: repeat(() => libauth.derivePublicKeyCompressed(keyBytes)),
        ...(native && { native: (count: number) => native('gmul', count) }),
      },
    },
    {
      name: 'verify',
      ours: repeat(() => signer.schnorrVerify(x, message, signature)),
      peers: {
        noble: repeat(() => schnorr.verify(signature, message, x)),
        tiny: repeat(() => tiny.verifySchnorr(message, x, signature)),
        libauth: repeat(() => libauth.verifySignatureCompact(ecdsaSignature, publicKey, message)),
        libauthSchnorr: repeat(() => libauth.verifySignatureSchnorr(bchSignature, publicKey, message)),
        ...(native && { native: (count: number) => native('verify', count) }),
      },
    },
    {
      name: 'commit',
      ours: (count) => {
        const made: Committed[] = [];
        const from = performance.now();
        for (let i = 0; i < count; i++) made.push(commitOurs(1));
        const elapsed = performance.now() - from;
        for (const { nonces } of made) signer.dropNonces(nonces);
        return elapsed;
      },
      peers: { noble: repeat(() => schnorr_FROST.commit(secrets[0]!)) },
    },
    {
      name: 'share',
      ours: each(openOurs, answerOurs, ({ asking }) => signer.dropNonces(asking.nonces)),
      peers: { noble: each(openNoble, (run) => signNoble(1, run)) },
    },
    // What follows from the package is kept until another one comes, so these two show it reused, as within a session;
    // `share` and `session` work it out anew each time.
    {
      name: 'shareVerify',
      ours: repeat(() =>
        signer.verifyShare({
          id: 2,
          verifyingShare: verifyingShares[1]!,
          signatureShare: z2,
          package: open.pkg,
        }),
      ),
      peers: { noble: repeat(() => schnorr_FROST.verifyShare(pub, list, message, ids[1]!, z2)) },
    },
    {
      name: 'aggregate',
      ours: repeat(() => signer.aggregate({ shares: sharesOurs, package: open.pkg })),
      peers: { noble: repeat(() => schnorr_FROST.aggregate(pub, list, message, byId)) },
    },
    { name: 'session', ours: repeat(sessionOurs), peers: { noble: repeat(sessionNoble) } },
    {
      name: 'keygen',
      ours: repeat(() => keygenOurs(signer, message)),
      peers: { noble: repeat(() => keygenNoble(message)) },
    },
  ];
}
