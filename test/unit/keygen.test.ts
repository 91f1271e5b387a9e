import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { sealTo } from '../../src/crypto/seal.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, Signer } from '../../src/crypto/signer.ts';
import { certifies, recoverShare, verifyCertificate } from '../../src/frost/keygen.ts';
import { concat } from '../../src/protocol/bytes.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import {
  keygenCertificate,
  keygenCertify,
  keygenHello,
  keygenRound1,
  keygenRound2,
  keygenTranscript,
  signedBody,
} from '../../src/protocol/keygen.ts';
import { taggedHash } from '../../src/protocol/sha256.ts';
import { partyOf, runKeygen, seededRandom, type Tamper } from '../support/parties.ts';

type Bytes = Uint8Array<ArrayBuffer>;
let signer: Signer;
beforeAll(async () => {
  signer = await load();
});

/** Rewrites one party's message as that party itself would have signed it: a malicious party, not a broken wire. */
async function forge(seed: string, from: PartyId, kind: string, change: (body: Bytes) => Bytes) {
  // The same seed gives the same party, so its host key is at hand.
  const random = seededRandom(seed);
  let host: Secret | undefined;
  for (const id of [1, 2, 3] as const) {
    const self = await partyOf(id, random);
    if (id === from) host = self.host;
  }
  return (messages: Bytes[]): Bytes[] =>
    messages.map((m, i) => {
      if (i !== from - 1) return m;
      const body = change(decode(signedBody, m).body);
      const signature = signer.schnorrSign(
        host!,
        taggedHash(`hoarfrost/keygen-${kind}`, body),
        new Uint8Array(32),
      );
      return encode(signedBody, { body, signature: Uint8Array.from(signature) });
    });
}

const run = (seed: string, tamper: Tamper) => runKeygen(signer, seededRandom(seed), tamper);

/** Only what others see of `from` changes; `from` keeps its own message. */
const toOthers =
  (from: PartyId, change: (m: Bytes[]) => Bytes[]) =>
  (messages: Bytes[], to: PartyId): Bytes[] =>
    to === from ? messages : change(messages);

describe('keygen of three honest parties', () => {
  test('ends with one certificate, one group key and shares that fit their verifying shares', async () => {
    const born = await run('honest', {});
    expect(born.record.network).toBe('regtest');
    for (const f of born.finished) {
      expect(f.result.groupKey).toEqual(born.record.groupKey);
      expect(signer.publicKey(f.result.share)).toEqual(born.record.verifyingShares[f.self.id - 1]);
      expect(certifies(born.certificate, f.transcript)).toBe(true);
    }
  });

  test('words and certificate alone bring share 3 back', async () => {
    const born = await run('recover', {});
    const again = await recoverShare(signer, born.selves[2]!.encryption.privateKey, born.certificate);
    expect(again.share.expose()).toEqual(born.finished[2]!.result.share.expose());
    await expect(
      recoverShare(signer, born.selves[0]!.encryption.privateKey, born.certificate),
    ).rejects.toMatchObject({
      code: 'WrongContext',
    });
  });

  test('the same seed gives the same certificate: nothing depends on a clock or on I/O', async () => {
    expect((await run('replay', {})).certificate).toEqual((await run('replay', {})).certificate);
  });
});

describe('keygen under attack', () => {
  test.each([
    ['longer', 99],
    ['shorter', 33],
  ])(
    'attack-01: a %s commitment is BadDegree, blames the cosigner, before any sub-share leaves',
    async (_, length) => {
      const seed = `degree-${length}`;
      const change = await forge(seed, 2, 'round1', (body) => {
        const r1 = decode(keygenRound1, body);
        const commitment = new Uint8Array(length);
        for (let at = 0; at < length; at += 33) commitment.set(r1.commitment.subarray(0, 33), at);
        return encode(keygenRound1, { ...r1, commitment });
      });
      let delivered = false;
      const failed = run(seed, {
        round1: toOthers(2, change),
        round2: (m) => {
          delivered = true;
          return m;
        },
      });
      await expect(failed).rejects.toMatchObject({ code: 'BadDegree', culprit: 2 });
      expect(delivered).toBe(false);
    },
  );

  test('attack-02: different round 1 to device and recovery is TranscriptMismatch', async () => {
    const other = await run('equivocation', {});
    const theirs = decode(keygenCertificate, other.certificate);
    expect(theirs.signatures).toHaveLength(3);
    // The cosigner makes a second, valid round 1 for recovery alone: same session, another polynomial.
    const seed = 'equivocation-2';
    const change = await forge(seed, 2, 'round1', (body) => {
      const r1 = decode(keygenRound1, body);
      const fresh = signer.keygenCommit({
        id: 2,
        session: r1.session,
        randomness: seededRandom('other polynomial')(96),
      });
      return encode(keygenRound1, {
        ...r1,
        commitment: Uint8Array.from(fresh.commitment),
        proof: Uint8Array.from(fresh.proof),
      });
    });
    const failed = run(seed, { round1: (m, to) => (to === 3 ? change(m) : m) });
    await expect(failed).rejects.toMatchObject({ code: 'TranscriptMismatch' });
  });

  test('attack-03: a bad proof of knowledge is BadProof and blames its maker', async () => {
    const seed = 'proof';
    const change = await forge(seed, 2, 'round1', (body) => {
      const r1 = decode(keygenRound1, body);
      const proof = r1.proof.slice();
      proof[63] = proof[63]! ^ 1;
      return encode(keygenRound1, { ...r1, proof });
    });
    await expect(run(seed, { round1: toOthers(2, change) })).rejects.toMatchObject({
      code: 'BadProof',
      culprit: 2,
    });
  });

  test('attack-03: a rogue first coefficient has no proof', async () => {
    const seed = 'rogue';
    const change = await forge(seed, 2, 'round1', (body) => {
      const r1 = decode(keygenRound1, body);
      const commitment = r1.commitment.slice();
      commitment[0] = commitment[0]! ^ 1; // the negated point: a valid encoding whose discrete logarithm differs
      return encode(keygenRound1, { ...r1, commitment });
    });
    await expect(run(seed, { round1: toOthers(2, change) })).rejects.toMatchObject({
      code: 'BadProof',
      culprit: 2,
    });
  });

  test('attack-04: a sub-share off by one is BadShare and blames its sender', async () => {
    const seed = 'off-by-one';
    // The cosigner seals a share that its commitment does not give, in the right context for the right recipient.
    const random = seededRandom(seed);
    const recovery = [await partyOf(1, random), await partyOf(2, random), await partyOf(3, random)][2]!;
    let sealed: Bytes | undefined;
    const reseal = async (body: Bytes): Promise<Bytes> => {
      const r2 = decode(keygenRound2, body);
      const context = concat(r2.session, Uint8Array.of(2, 3), r2.round1Hash);
      const wrong = Secret.own(new Uint8Array(32).fill(1));
      const bad = await sealTo(
        recovery.encryption.publicKey,
        wrong,
        context,
        Secret.own(seededRandom('e')(32)),
      );
      return encode(keygenRound2, {
        ...r2,
        shares: r2.shares.map((s) => (s.to === 3 ? { to: 3, sealed: bad } : s)),
      });
    };
    await run(seed, { round2: (m) => ((sealed ??= decode(signedBody, m[1]!).body), m) });
    const replacement = await reseal(sealed!);
    const change = await forge(seed, 2, 'round2', () => replacement);
    await expect(run(seed, { round2: (m, to) => (to === 3 ? change(m) : m) })).rejects.toMatchObject({
      code: 'BadShare',
      culprit: 2,
    });
  });

  test('attack-05: round 1 of another session is WrongSession', async () => {
    const seed = 'replayed-session';
    const change = await forge(seed, 2, 'round1', (body) => {
      const r1 = decode(keygenRound1, body);
      return encode(keygenRound1, { ...r1, session: new Uint8Array(32).fill(7) });
    });
    await expect(run(seed, { round1: toOthers(2, change) })).rejects.toMatchObject({ code: 'WrongSession' });
  });

  test('attack-05: a whole round-1 message replayed from another keygen of the same parties is WrongSession', async () => {
    let kept: Bytes | undefined;
    await run('replay-a', { round1: (m) => ((kept ??= m[1]!), m) });
    // The parties of the second keygen have other host keys: as it stands the message is nobody's.
    const replayed = run('replay-b', { round1: toOthers(2, (m) => m.map((x, i) => (i === 1 ? kept! : x))) });
    await expect(replayed).rejects.toMatchObject({ code: 'BadSignature' });
    // A cosigner has one host key for all keygens.
    const again = await forge('replay-b', 2, 'round1', () => decode(signedBody, kept!).body);
    await expect(run('replay-b', { round1: toOthers(2, again) })).rejects.toMatchObject({
      code: 'WrongSession',
      culprit: 2,
    });
  });

  test.each([
    ['WrongSession', { session: new Uint8Array(32).fill(7) }, 2],
    ['BadIdentifier', { id: 3 }, 2],
    ['TranscriptMismatch', { round1Hash: new Uint8Array(32).fill(7) }, undefined],
    ['BadIdentifier', { shares: [] }, 2],
  ])('attack-05, attack-06: %s for round 2 with %o', async (code, change, culprit) => {
    const seed = `round2-${code}-${Object.keys(change)}`;
    const forged = await forge(seed, 2, 'round2', (body) =>
      encode(keygenRound2, { ...decode(keygenRound2, body), ...change }),
    );
    let certified = false;
    const certify = (messages: Bytes[]) => ((certified = true), messages);
    const failed = run(seed, { round2: toOthers(2, forged), certify });
    await expect(failed).rejects.toMatchObject({ code, culprit });
    expect(certified).toBe(false);
  });

  test.each([
    ['WrongSession', { session: new Uint8Array(32).fill(7) }],
    ['BadIdentifier', { id: 3 }],
    ['TranscriptMismatch', { signature: new Uint8Array(64).fill(7) }],
  ])('attack-08: %s for a certification with %o', async (code, change) => {
    const seed = `certify-${code}`;
    const forged = await forge(seed, 2, 'certify', (body) =>
      encode(keygenCertify, { ...decode(keygenCertify, body), ...change }),
    );
    await expect(run(seed, { certify: toOthers(2, forged) })).rejects.toMatchObject({ code });
  });

  test('attack-06: an own message that comes back altered is WrongSession, in each round', async () => {
    for (const round of ['hello', 'round1', 'round2'] as const) {
      const seed = `own-${round}`;
      // As valid as the one that was sent: the host key signs the same body twice.
      const resigned = await forge(seed, 2, round, (body) => body);
      const failed = run(seed, { [round]: (m: Bytes[], to: PartyId) => (to === 2 ? resigned(m) : m) });
      await expect(failed, round).rejects.toMatchObject({ code: 'WrongSession' });
    }
  });

  test('attack-06: one host key for two parties is BadIdentifier', async () => {
    const seed = 'one host key';
    const random = seededRandom(seed);
    const cosigner = [await partyOf(1, random), await partyOf(2, random)][1]!;
    const hostKey = Uint8Array.from(signer.publicKey(cosigner.host).subarray(1));
    // Recovery's hello under the cosigner's key.
    const doubled = (messages: Bytes[]) => {
      const body = encode(keygenHello, {
        ...decode(keygenHello, decode(signedBody, messages[2]!).body),
        hostKey,
      });
      const hash = taggedHash('hoarfrost/keygen-hello', body);
      const signature = Uint8Array.from(signer.schnorrSign(cosigner.host, hash, new Uint8Array(32)));
      return [messages[0]!, messages[1]!, encode(signedBody, { body, signature })];
    };
    await expect(run(seed, { hello: toOthers(3, doubled) })).rejects.toMatchObject({ code: 'BadIdentifier' });
  });

  test.each([
    ['WrongSuite', 2, { suite: 'FROST' }],
    ['WrongVersion', 2, { version: 2 }],
    ['WrongNetwork', 2, { network: 'mainnet' as const }],
    ['BadEncoding', 2, { noiseKey: new Uint8Array(0) }],
    ['BadEncoding', 3, { noiseKey: new Uint8Array(32) }],
    ['BadEncoding', 1, { policy: new Uint8Array(0) }],
    ['BadEncoding', 3, { policy: new Uint8Array(1) }],
  ] as const)('%s for a hello of party %i with %o', async (code, from, change) => {
    const seed = `hello-${code}-${from}-${Object.keys(change)}`;
    const forged = await forge(seed, from, 'hello', (body) =>
      encode(keygenHello, { ...decode(keygenHello, body), ...change }),
    );
    await expect(run(seed, { hello: toOthers(from, forged) })).rejects.toMatchObject({ code });
  });

  test('attack-06: two or four messages where three are due are refused', async () => {
    for (const round of ['hello', 'round1', 'round2'] as const) {
      await expect(run('few', { [round]: (m: Bytes[]) => m.slice(0, 2) })).rejects.toMatchObject({
        code: 'BadEncoding',
      });
      await expect(run('many', { [round]: (m: Bytes[]) => [...m, m[2]!] })).rejects.toMatchObject({
        code: 'BadEncoding',
      });
    }
    for (const certify of [(m: Bytes[]) => m.slice(0, 2), (m: Bytes[]) => [...m, m[2]!]]) {
      await expect(run('certify', { certify })).rejects.toMatchObject({ code: 'BadCertificate' });
    }
  });

  test.each([
    ['another order of parties', [{ id: 3 }, {}, { id: 1 }]],
    ['another suite', [{ suite: 'FROST' }, {}, {}]],
    ['another version', [{}, { version: 2 }, {}]],
    ['two networks', [{}, {}, { network: 'mainnet' as const }]],
  ])('attack-08: a certificate of %s is none, though all three signed it', async (name, changes) => {
    const born = await run('certified', {});
    const { transcript } = decode(keygenCertificate, born.certificate);
    const said = decode(keygenTranscript, transcript);
    const hellos = said.hellos.map((body, i) =>
      encode(keygenHello, { ...decode(keygenHello, body), ...changes[i] }),
    );
    const other = encode(keygenTranscript, { ...said, hellos });
    const hash = taggedHash('hoarfrost/certificate', other);
    const signatures = born.selves.map(({ host }) =>
      Uint8Array.from(signer.schnorrSign(host, hash, new Uint8Array(32))),
    );
    const certificate = encode(keygenCertificate, { transcript: other, signatures });
    expect(() => verifyCertificate(signer, certificate), name).toThrow(
      expect.objectContaining({ code: 'BadCertificate' }),
    );
  });

  test('a certificate without a ciphertext for recovery gives no share, and says why', async () => {
    const born = await run('nothing for recovery', {});
    const said = decode(keygenTranscript, decode(keygenCertificate, born.certificate).transcript);
    const round2 = said.round2.map((body) => {
      const r2 = decode(keygenRound2, body);
      return encode(keygenRound2, { ...r2, shares: r2.shares.filter(({ to }) => to !== 3) });
    });
    const transcript = encode(keygenTranscript, { ...said, round2 });
    const hash = taggedHash('hoarfrost/certificate', transcript);
    const signatures = born.selves.map(({ host }) =>
      Uint8Array.from(signer.schnorrSign(host, hash, new Uint8Array(32))),
    );
    const certificate = encode(keygenCertificate, { transcript, signatures });
    const { privateKey } = born.selves[2]!.encryption;
    await expect(recoverShare(signer, privateKey, certificate)).rejects.toMatchObject({
      code: 'BadCertificate',
    });
  });

  test.each([0, 1, 3, 4])('attack-06: round 1 under id %i is BadIdentifier', async (id) => {
    const seed = `id-${id}`;
    const change = await forge(seed, 2, 'round1', (body) =>
      encode(keygenRound1, { ...decode(keygenRound1, body), id }),
    );
    await expect(run(seed, { round1: toOthers(2, change) })).rejects.toMatchObject({ code: 'BadIdentifier' });
  });

  test('attack-06: a reflected hello is refused', async () => {
    const failed = run('reflected', { hello: toOthers(2, (m) => [m[0]!, m[0]!, m[2]!]) });
    await expect(failed).rejects.toMatchObject({ code: 'BadIdentifier' });
  });

  test.each([
    ['identity', new Uint8Array(33)],
    ['off-curve', Uint8Array.from([2, ...new Uint8Array(31), 5])],
    ['x >= p', Uint8Array.from([2, ...new Uint8Array(32).fill(0xff)])],
  ])('attack-07: a commitment point that is %s is BadEncoding', async (name, point) => {
    const seed = `encoding-${name}`;
    const change = await forge(seed, 2, 'round1', (body) => {
      const r1 = decode(keygenRound1, body);
      const commitment = r1.commitment.slice();
      commitment.set(point, 33);
      return encode(keygenRound1, { ...r1, commitment });
    });
    await expect(run(seed, { round1: toOthers(2, change) })).rejects.toMatchObject({ code: 'BadEncoding' });
  });

  test('attack-08: a certificate with a signature missing or foreign is none', async () => {
    const born = await run('withheld', {});
    const { transcript, signatures } = decode(keygenCertificate, born.certificate);
    const lacking = encode(keygenCertificate, {
      transcript,
      signatures: [signatures[0]!, signatures[0]!, signatures[2]!],
    });
    expect(() => verifyCertificate(signer, lacking)).toThrow(
      expect.objectContaining({ code: 'BadCertificate' }),
    );
    const failed = run('withheld', { certify: (m) => [m[0]!, m[0]!, m[2]!] });
    await expect(failed).rejects.toMatchObject({ code: 'BadSignature' });
  });

  test('attack-09: a sub-share redirected to another recipient is WrongContext', async () => {
    const seed = 'redirected';
    const change = await forge(seed, 2, 'round2', (body) => {
      const r2 = decode(keygenRound2, body);
      const [a, b] = r2.shares;
      return encode(keygenRound2, {
        ...r2,
        shares: [
          { to: a!.to, sealed: b!.sealed },
          { to: b!.to, sealed: a!.sealed },
        ],
      });
    });
    await expect(run(seed, { round2: toOthers(2, change) })).rejects.toMatchObject({ code: 'WrongContext' });
  });

  test('an altered byte on the wire is BadSignature and blames nobody', async () => {
    const failed = run('wire', {
      round2: toOthers(2, (m) => m.map((x, i) => (i === 1 ? x.map((b, k) => (k === 40 ? b ^ 1 : b)) : x))),
    });
    await expect(failed).rejects.toMatchObject({ code: 'BadSignature', culprit: undefined });
  });

  test('a hello that its host key did not sign is BadSignature', async () => {
    const altered = toOthers(3, (m) =>
      m.map((x, i) => {
        if (i !== 2) return x;
        const { body, signature } = decode(signedBody, x);
        return encode(signedBody, { body, signature: signature.map((b) => b ^ 1) });
      }),
    );
    await expect(run('unsigned', { hello: altered })).rejects.toMatchObject({ code: 'BadSignature' });
  });

  test.each(['round1', 'round2'] as const)('a %s that fails leaves its polynomial nowhere', async (round) => {
    const dropped: unknown[] = [];
    const watched: Signer = {
      ...signer,
      dropPolynomial(polynomial) {
        dropped.push(polynomial);
        signer.dropPolynomial(polynomial);
      },
    };
    const broken = (m: Bytes[]) => m.map((x, i) => (i === 1 ? x.map((b, k) => (k === 40 ? b ^ 1 : b)) : x));
    const failed = runKeygen(watched, seededRandom(round), { [round]: toOthers(2, broken) });
    await expect(failed).rejects.toMatchObject({ code: 'BadSignature' });
    expect(dropped).toHaveLength(1);
  });
});
