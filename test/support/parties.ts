/** Three honest parties in one process, and a deterministic generator: what keygen and signing tests start from. */

import type { Random } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import type { PartyId, Signer } from '../../src/crypto/signer.ts';
import { importX25519, x25519PublicKey } from '../../src/crypto/x25519.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { firstPolicy, policyDocument } from '../../src/policy/document.ts';
import { encode } from '../../src/protocol/codec.ts';
import { taggedHash } from '../../src/protocol/sha256.ts';
import { termsOf } from './terms.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A stream that depends on nothing but its seed. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  return (length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const n = new Uint8Array(4);
      new DataView(n.buffer).setUint32(0, counter++);
      out.set(taggedHash(`test/random/${seed}`, n).subarray(0, length - at), at);
    }
    return out;
  };
}

export const testPolicy = encode(
  policyDocument,
  firstPolicy('regtest', termsOf(1_000_000n), 1_700_000_000_000),
);

export async function partyOf(id: PartyId, random: Random): Promise<keygen.KeygenSelf> {
  const privateKey = await importX25519(Secret.own(random(32)));
  return {
    id,
    network: 'regtest',
    host: Secret.own(random(32)),
    encryption: { privateKey, publicKey: await x25519PublicKey(privateKey) },
    noiseKey: id === 3 ? new Uint8Array(0) : random(32),
    policy: id === 1 ? testPolicy : new Uint8Array(0),
  };
}

/** What a test changes on the way: one list of three messages a round. */
export type Tamper = Partial<
  Record<'hello' | 'round1' | 'round2' | 'certify', (messages: Bytes[], to: PartyId) => Bytes[]>
>;

export interface Born {
  finished: keygen.KeygenFinished[];
  certificate: Bytes;
  record: keygen.KeyRecord;
  selves: keygen.KeygenSelf[];
}

/** Runs a whole keygen; `tamper` sees each list as it is delivered to each party. */
export async function runKeygen(
  signer: Signer,
  random: Random,
  tamper: Tamper = {},
  /** Recovery's keys, where they come from words. */
  recovery?: Pick<keygen.KeygenSelf, 'host' | 'encryption'>,
): Promise<Born> {
  const ids = keygen.PARTIES;
  // One after the other, so that a seed always gives the same parties.
  const selves: keygen.KeygenSelf[] = [];
  for (const id of ids) selves.push({ ...(await partyOf(id, random)), ...(id === 3 ? recovery : {}) });
  const seen = (kind: keyof Tamper, messages: Bytes[], to: PartyId) =>
    tamper[kind]?.([...messages], to) ?? messages;

  const opened = selves.map((self) => keygen.openKeygen(signer, self, random));
  const hellos = opened.map(([, m]) => m);
  const r1 = opened.map(([state], i) =>
    keygen.keygenRound1(signer, state, seen('hello', hellos, ids[i]!), random),
  );
  const round1 = r1.map(([, m]) => m);
  const r2 = [];
  for (const [i, [state]] of r1.entries())
    r2.push(await keygen.keygenRound2(signer, state, seen('round1', round1, ids[i]!), random));
  const round2 = r2.map(([, m]) => m);
  const r3 = [];
  for (const [i, [state]] of r2.entries())
    r3.push(await keygen.keygenFinish(signer, state, seen('round2', round2, ids[i]!), random));
  const certify = r3.map(([, m]) => m);
  const finished = r3.map(([state]) => state);
  const certificates = finished.map((f, i) =>
    keygen.keygenCertificate(signer, f, seen('certify', certify, ids[i]!)),
  );
  return {
    finished,
    certificate: certificates[0]!,
    record: keygen.verifyCertificate(signer, certificates[0]!),
    selves,
  };
}
