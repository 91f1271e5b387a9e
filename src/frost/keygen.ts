/**
 * Distributed keygen of the three parties: PedPop (RFC 9591 appendix C's dealerless sibling; Komlo-Goldberg 2020,
 * with ChillDKG's certificate in place of an assumed broadcast). Every step is
 * `(state, all three messages in id order) -> [new state, own message]`; own messages come back in the list and must be
 * byte-equal to what was sent. A step that throws has dropped every secret it held.
 *
 *   openKeygen -> hello   keygenRound1 -> commitment and proof   keygenRound2 -> sealed sub-shares
 *   keygenFinish -> share, transcript, certificate signature     keygenCertificate -> all three signatures
 */
import type { Random } from '../crypto/random.ts';
import { openSealed, sealTo } from '../crypto/seal.ts';
import { Secret } from '../crypto/secret.ts';
import {
  type KeygenResult,
  type PartyId,
  type PolynomialHandle,
  type Signer,
  SUITE,
} from '../crypto/signer.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import {
  keygenCertificate as certificateCodec,
  type KeygenHello,
  keygenCertify,
  keygenHello,
  keygenTranscript,
  PROTOCOL_VERSION,
  keygenRound1 as round1Codec,
  keygenRound2 as round2Codec,
  signedBody,
} from '../protocol/keygen.ts';
import type { Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { delimited, openBody, signBody } from './signedBody.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export const PARTIES = [1, 2, 3] as const;
const THRESHOLD = 2;
const COMMITMENT_LENGTH = 33 * THRESHOLD;

/** Of each message's signature. */
const TAGS = {
  hello: 'hoarfrost/keygen-hello',
  round1: 'hoarfrost/keygen-round1',
  round2: 'hoarfrost/keygen-round2',
  certify: 'hoarfrost/keygen-certify',
};

/** A party's own keys for one session. `host` belongs to the caller; `encryption` is this session's or the words'. */
export interface KeygenSelf {
  readonly id: PartyId;
  readonly network: Network;
  /** BIP-340 host key. */
  readonly host: Secret;
  /** X25519 private key, for `deriveBits`, and its public key. */
  readonly encryption: { readonly privateKey: CryptoKey; readonly publicKey: Bytes };
  /** Noise static of device and cosigner; empty for recovery. */
  readonly noiseKey: Bytes;
  /** The first policy's bytes, from the device; empty from the others. */
  readonly policy: Bytes;
}

export interface AwaitingHellos {
  readonly self: KeygenSelf;
  readonly hello: Bytes;
}

export interface AwaitingRound1 {
  readonly self: KeygenSelf;
  readonly hellos: Bytes[];
  readonly hostKeys: Bytes[];
  readonly encryptionKeys: Bytes[];
  readonly session: Bytes;
  readonly polynomial: PolynomialHandle;
  readonly own: Bytes;
}

export interface AwaitingRound2 extends AwaitingRound1 {
  readonly round1: Bytes[];
  readonly round1Hash: Bytes;
  readonly commitments: Bytes[];
}

/** The share and what must be stored with it before the certificate signature may leave. */
export interface KeygenFinished {
  readonly self: KeygenSelf;
  readonly result: KeygenResult;
  readonly hostKeys: Bytes[];
  readonly session: Bytes;
  readonly transcript: Bytes;
}

/** What a full certificate says. */
export interface KeyRecord {
  readonly network: Network;
  readonly session: Bytes;
  /** Tagged hash of the transcript: the wallet's name between its parties. */
  readonly wallet: Bytes;
  readonly groupKey: Bytes;
  readonly verifyingShares: readonly [Bytes, Bytes, Bytes];
  readonly chainCode: Bytes;
  readonly hostKeys: readonly [Bytes, Bytes, Bytes];
  readonly deviceNoiseKey: Bytes;
  readonly cosignerNoiseKey: Bytes;
  /** Recovery's X25519 key, from the words. */
  readonly recoveryEncryptionKey: Bytes;
  readonly policy: Bytes;
}

export function openKeygen(signer: Signer, self: KeygenSelf, random: Random): [AwaitingHellos, Bytes] {
  const body = encode(keygenHello, {
    suite: SUITE,
    version: PROTOCOL_VERSION,
    network: self.network,
    id: self.id,
    hostKey: signer.publicKey(self.host).slice(1) as Bytes,
    encryptionKey: self.encryption.publicKey,
    noiseKey: self.noiseKey,
    random: random(32),
    policy: self.policy,
  });
  const hello = signBody(signer, self.host, TAGS.hello, body, random);
  return [{ self, hello }, hello];
}

export function keygenRound1(
  signer: Signer,
  state: AwaitingHellos,
  hellos: Bytes[],
  random: Random,
): [AwaitingRound1, Bytes] {
  const { self } = state;
  ensure(hellos.length === 3, 'BadEncoding', { detail: 'three hellos' });
  ensure(equalVar(hellos[self.id - 1]!, state.hello), 'WrongSession', { detail: 'own hello altered' });
  const parsed = hellos.map((message, i) => readHello(signer, message, PARTIES[i]!, self.network));
  const hostKeys = parsed.map((p) => p.hello.hostKey);
  ensure(new Set(hostKeys.map(String)).size === 3, 'BadIdentifier', { detail: 'one host key twice' });
  const session = sessionOf(parsed.map((p) => p.body));
  const randomness = random(96);
  const { polynomial, commitment, proof } = signer.keygenCommit({ id: self.id, session, randomness });
  randomness.fill(0);
  const body = encode(round1Codec, {
    session,
    id: self.id,
    commitment: Uint8Array.from(commitment),
    proof: Uint8Array.from(proof),
  });
  const own = signBody(signer, self.host, TAGS.round1, body, random);
  return [
    {
      self,
      hellos: parsed.map((p) => p.body),
      hostKeys,
      encryptionKeys: parsed.map((p) => p.hello.encryptionKey),
      session,
      polynomial,
      own,
    },
    own,
  ];
}

export async function keygenRound2(
  signer: Signer,
  state: AwaitingRound1,
  messages: Bytes[],
  random: Random,
): Promise<[AwaitingRound2, Bytes]> {
  return orDrop(signer, state, async () => {
    const { self, session } = state;
    checkOwn(state, messages);
    const bodies = messages.map((m, i) => openBody(signer, m, state.hostKeys[i]!, TAGS.round1));
    const commitments = bodies.map((body, i) => {
      const id = PARTIES[i]!;
      const r1 = decode(round1Codec, body);
      ensure(equalVar(r1.session, session), 'WrongSession', { culprit: id });
      ensure(r1.id === id, 'BadIdentifier', { culprit: id });
      ensure(r1.commitment.length === COMMITMENT_LENGTH, 'BadDegree', { culprit: id });
      signer.keygenVerifyProof({ id, session, commitment: r1.commitment, proof: r1.proof });
      return r1.commitment;
    });
    const round1Hash = taggedHash('hoarfrost/keygen-round1-all', session, ...bodies.map(delimited));
    const shares = [];
    for (const to of recipientsOf(self.id)) {
      const share = signer.keygenShareFor(state.polynomial, to);
      try {
        const context = sealContext(session, self.id, to, round1Hash);
        const ephemeral = Secret.own(random(32));
        shares.push({ to, sealed: await sealTo(state.encryptionKeys[to - 1]!, share, context, ephemeral) });
      } finally {
        share.wipe();
      }
    }
    const body = encode(round2Codec, { session, id: self.id, round1Hash, shares });
    const own = signBody(signer, self.host, TAGS.round2, body, random);
    return [{ ...state, round1: bodies, round1Hash, commitments, own }, own];
  });
}

/**
 * The share. Whoever stores (device, cosigner) must make result and transcript durable before the returned
 * certificate signature leaves: from then on the key lives.
 */
export async function keygenFinish(
  signer: Signer,
  state: AwaitingRound2,
  messages: Bytes[],
  random: Random,
): Promise<[KeygenFinished, Bytes]> {
  return orDrop(signer, state, async () => {
    const { self, session } = state;
    checkOwn(state, messages);
    const bodies = messages.map((m, i) => openBody(signer, m, state.hostKeys[i]!, TAGS.round2));
    const subShares: { from: PartyId; share: Secret }[] = [];
    try {
      for (const [i, body] of bodies.entries()) {
        const from = PARTIES[i]!;
        const r2 = decode(round2Codec, body);
        ensure(equalVar(r2.session, session), 'WrongSession', { culprit: from });
        ensure(r2.id === from, 'BadIdentifier', { culprit: from });
        ensure(equalVar(r2.round1Hash, state.round1Hash), 'TranscriptMismatch');
        const expected = recipientsOf(from);
        ensure(
          r2.shares.length === expected.length && r2.shares.every((s, k) => s.to === expected[k]),
          'BadIdentifier',
          { culprit: from },
        );
        const mine = r2.shares.find((s) => s.to === self.id);
        if (mine === undefined) continue;
        const context = sealContext(session, from, self.id, state.round1Hash);
        subShares.push({ from, share: await openSealed(self.encryption.privateKey, mine.sealed, context) });
      }
      // Recovery seals to itself too and must live from ciphertexts alone, so it uses nothing of its polynomial.
      const args = { id: self.id, commitments: state.commitments, subShares };
      const result =
        self.id === 3
          ? signer.sumSubShares(args)
          : signer.keygenFinish({ ...args, polynomial: state.polynomial });
      if (self.id === 3) signer.dropPolynomial(state.polynomial);
      const transcript = encode(keygenTranscript, {
        hellos: state.hellos,
        round1: state.round1,
        round2: bodies,
        groupKey: Uint8Array.from(result.groupKey),
        verifyingShares: result.verifyingShares.map((y) => Uint8Array.from(y)),
      });
      const signature = signer.schnorrSign(self.host, certificateHash(transcript), random(32));
      const body = encode(keygenCertify, { session, id: self.id, signature: Uint8Array.from(signature) });
      return [
        { self, result, hostKeys: state.hostKeys, session, transcript },
        signBody(signer, self.host, TAGS.certify, body, random),
      ];
    } finally {
      for (const s of subShares) s.share.wipe();
    }
  });
}

/** One party's certificate signature over the transcript that we hold. Throws `TranscriptMismatch` if it signed another. */
export function checkCertify(
  signer: Signer,
  finished: Pick<KeygenFinished, 'hostKeys' | 'session' | 'transcript'>,
  message: Bytes,
  from: PartyId,
): Bytes {
  const body = openBody(signer, message, finished.hostKeys[from - 1]!, TAGS.certify);
  const { session, id, signature } = decode(keygenCertify, body);
  ensure(equalVar(session, finished.session), 'WrongSession', { culprit: from });
  ensure(id === from, 'BadIdentifier', { culprit: from });
  const hash = certificateHash(finished.transcript);
  ensure(signer.schnorrVerify(finished.hostKeys[from - 1]!, hash, signature), 'TranscriptMismatch');
  return signature;
}

/** The full certificate, from the three certify messages in id order. */
export function keygenCertificate(
  signer: Signer,
  finished: Pick<KeygenFinished, 'hostKeys' | 'session' | 'transcript'>,
  messages: Bytes[],
): Bytes {
  ensure(messages.length === 3, 'BadCertificate', { detail: 'three signatures' });
  const signatures = messages.map((m, i) => checkCertify(signer, finished, m, PARTIES[i]!));
  return encode(certificateCodec, { transcript: finished.transcript, signatures });
}

/** Checks all three signatures and reads what they signed. Throws `BadCertificate`. */
export function verifyCertificate(signer: Signer, certificate: Bytes): KeyRecord {
  const { transcript, signatures } = decode(certificateCodec, certificate);
  const said = decode(keygenTranscript, transcript);
  const hellos = said.hellos.map((body) => decode(keygenHello, body));
  const hash = certificateHash(transcript);
  for (const [i, hello] of hellos.entries()) {
    ensure(hello.id === PARTIES[i], 'BadCertificate', { detail: 'party' });
    ensure(hello.suite === SUITE && hello.version === PROTOCOL_VERSION, 'BadCertificate', {
      detail: 'suite',
    });
    ensure(hello.network === hellos[0]!.network, 'BadCertificate', { detail: 'network' });
    ensure(signer.schnorrVerify(hello.hostKey, hash, signatures[i]!), 'BadCertificate', {
      detail: 'signature',
    });
  }
  const [device, cosigner, recovery] = hellos as [KeygenHello, KeygenHello, KeygenHello];
  return {
    network: device.network,
    session: sessionOf(said.hellos),
    wallet: walletOf(transcript),
    groupKey: said.groupKey,
    verifyingShares: said.verifyingShares as [Bytes, Bytes, Bytes],
    chainCode: taggedHash('hoarfrost/chain-code', transcript),
    hostKeys: [device.hostKey, cosigner.hostKey, recovery.hostKey],
    deviceNoiseKey: device.noiseKey,
    cosignerNoiseKey: cosigner.noiseKey,
    recoveryEncryptionKey: recovery.encryptionKey,
    policy: device.policy,
  };
}

/** Whether the certificate is over this very transcript. */
export function certifies(certificate: Bytes, transcript: Bytes): boolean {
  return equalVar(decode(certificateCodec, certificate).transcript, transcript);
}

/** Share 3 from the words' keys and the certificate alone: how recovery returns, with no polynomial and no memory. */
export async function recoverShare(
  signer: Signer,
  encryption: CryptoKey,
  certificate: Bytes,
): Promise<KeygenResult> {
  const { session } = verifyCertificate(signer, certificate);
  const said = decode(keygenTranscript, decode(certificateCodec, certificate).transcript);
  const commitments = said.round1.map((body) => decode(round1Codec, body).commitment);
  const subShares: { from: PartyId; share: Secret }[] = [];
  try {
    for (const [i, body] of said.round2.entries()) {
      const r2 = decode(round2Codec, body);
      const mine = r2.shares.find((s) => s.to === 3);
      ensure(mine !== undefined, 'BadCertificate', { detail: 'no ciphertext for recovery' });
      const context = sealContext(session, PARTIES[i]!, 3, r2.round1Hash);
      subShares.push({ from: PARTIES[i]!, share: await openSealed(encryption, mine.sealed, context) });
    }
    return signer.sumSubShares({ id: 3, commitments, subShares });
  } finally {
    for (const s of subShares) s.share.wipe();
  }
}

export function dropKeygen(signer: Signer, state: { polynomial: PolynomialHandle }): void {
  signer.dropPolynomial(state.polynomial);
}

/** H(suite, version, network, t, n, and each party's keys and random bytes): all of it stands in the hello bodies. */
function sessionOf(hellos: Bytes[]): Bytes {
  return taggedHash(
    'hoarfrost/keygen-session',
    Uint8Array.of(THRESHOLD, PARTIES.length),
    ...hellos.map(delimited),
  );
}

/** The wallet's name between its parties, 32 bytes: known to each as soon as it has the transcript. */
export function walletOf(transcript: Bytes): Bytes {
  return taggedHash('hoarfrost/wallet', transcript);
}

function certificateHash(transcript: Bytes): Bytes {
  return taggedHash('hoarfrost/certificate', transcript);
}

/** Recovery also seals to itself: words and transcript must be enough to come back. */
function recipientsOf(sender: PartyId): PartyId[] {
  return PARTIES.filter((id) => id !== sender || id === 3);
}

function sealContext(session: Bytes, from: PartyId, to: PartyId, round1Hash: Bytes): Bytes {
  return concat(session, Uint8Array.of(from, to), round1Hash);
}

function readHello(
  signer: Signer,
  message: Bytes,
  id: PartyId,
  network: Network,
): { hello: KeygenHello; body: Bytes } {
  const { body, signature } = decode(signedBody, message);
  const hello = decode(keygenHello, body);
  ensure(hello.suite === SUITE, 'WrongSuite');
  ensure(hello.version === PROTOCOL_VERSION, 'WrongVersion');
  ensure(hello.id === id, 'BadIdentifier');
  ensure(hello.network === network, 'WrongNetwork');
  ensure(hello.noiseKey.length === (id === 3 ? 0 : 32), 'BadEncoding', { detail: 'noise key' });
  ensure(hello.policy.length > 0 === (id === 1), 'BadEncoding', { detail: 'policy' });
  ensure(signer.schnorrVerify(hello.hostKey, taggedHash(TAGS.hello, body), signature), 'BadSignature');
  return { hello, body };
}

function checkOwn(state: AwaitingRound1, messages: Bytes[]): void {
  ensure(messages.length === 3, 'BadEncoding', { detail: 'three messages' });
  ensure(equalVar(messages[state.self.id - 1]!, state.own), 'WrongSession', {
    detail: 'own message altered',
  });
}

/** A step that fails leaves no polynomial behind. */
async function orDrop<T>(signer: Signer, state: AwaitingRound1, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (e) {
    try {
      signer.dropPolynomial(state.polynomial);
    } catch {
      // Consumed already.
    }
    throw e instanceof HoarfrostError ? e : new HoarfrostError('Internal', { cause: e });
  }
}
