/** Noise and keygen as a hostile peer would speak them, in its own name: bodies are changed and signed again. */

import { load } from '../../src/crypto/load.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { PROLOGUE } from '../../src/protocol/frames.ts';
import { keygenHello, keygenRound1, keygenRound2, signedBody } from '../../src/protocol/keygen.ts';
import { generateNoiseKeyPair, initiate, respond, webPrimitives } from '../../src/protocol/noise.ts';
import { taggedHash } from '../../src/protocol/sha256.ts';
import { type Born, partyOf, runKeygen, seededRandom } from '../support/parties.ts';
import { mutate } from './mutate.ts';
import type { Rng } from './rng.ts';
import { hold, type Target } from './run.ts';
import { valueFor } from './values.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const statics = Promise.all([generateNoiseKeyPair(), generateNoiseKeyPair()]);

const noise: Target = {
  name: 'noise',
  weight: 2,
  async run(rng, note) {
    const [device, cosigner] = await statics;
    const started = await initiate({ local: device, remote: cosigner.publicKey, prologue: PROLOGUE });
    const altered = rng.below(3);
    const maybe = (which: number, message: Bytes): Bytes => {
      const out =
        which === altered ? (rng.one(4) ? rng.bytes(message.length) : mutate(message, rng)) : message;
      note(out);
      return out;
    };
    const message1 = maybe(0, started.message);
    const answered = await respond({
      primitives: webPrimitives,
      local: cosigner,
      prologue: PROLOGUE,
      message1,
    });
    hold(same(message1, started.message), 'an altered message 1 is answered');
    const message2 = maybe(1, answered.message);
    const transport = await started.complete(message2);
    hold(same(message2, answered.message), 'an altered message 2 is believed');
    const plain = rng.bytes(rng.below(200));
    const sealed = await transport.seal(plain);
    const frame = maybe(2, sealed);
    const opened = await answered.transport.open(frame);
    hold(same(frame, sealed) && same(opened, plain), 'an altered frame opens');
  },
};

let born: Promise<Born> | undefined;

/** A body of the same kind: changed here or there, or made up whole. */
function hostile<T>(body: Bytes, codec: Parameters<typeof encode<T>>[0], rng: Rng): Bytes {
  if (rng.one(3)) return mutate(body, rng);
  const value = decode(codec, body) as Record<string, unknown>;
  const other = valueFor(codec.shape, rng) as Record<string, unknown>;
  const field = rng.pick(Object.keys(value));
  const was = value[field];
  value[field] = was instanceof Uint8Array && !rng.one(3) ? mutate(was, rng) : other[field];
  try {
    return encode(codec, value as T);
  } catch {
    return mutate(body, rng);
  }
}

function signed(signer: Signer, host: Secret, kind: string, body: Bytes, rng: Rng): Bytes {
  const signature = signer.schnorrSign(host, taggedHash(`hoarfrost/keygen-${kind}`, body), rng.bytes(32));
  return encode(signedBody, { body, signature: Uint8Array.from(signature) });
}

const bodyOf = (message: Bytes) => decode(signedBody, message).body;

/** The device's side of a keygen in which the cosigner or recovery says `stage` in its own way. */
const keygenTarget: Target = {
  name: 'keygen',
  weight: 2,
  async run(rng, note) {
    const signer = await load();
    const random = seededRandom(`fuzz/${rng.u32()}`);
    const selves = [await partyOf(1, random), await partyOf(2, random), await partyOf(3, random)];
    const liar = 1 + rng.below(2);
    const stage = rng.pick(['hello', 'round1', 'round2'] as const);
    const codecs = { hello: keygenHello, round1: keygenRound1, round2: keygenRound2 };
    const lie = (kind: typeof stage, messages: Bytes[]): Bytes[] => {
      if (kind !== stage) return messages;
      const out = [...messages];
      const body = hostile(bodyOf(messages[liar]!), codecs[kind] as never, rng);
      out[liar] = rng.one(8)
        ? mutate(messages[liar]!, rng)
        : signed(signer, selves[liar]!.host, kind, body, rng);
      note(out[liar]!);
      return out;
    };
    const opened = selves.map((self) => keygen.openKeygen(signer, self, random));
    const hellos = opened.map(([, message]) => message);
    const others = [1, 2].map((i) => keygen.keygenRound1(signer, opened[i]![0], hellos, random));
    const left = others.map(([state]) => state);
    try {
      const [d1, own1] = keygen.keygenRound1(signer, opened[0]![0], lie('hello', hellos), random);
      if (stage === 'hello') return keygen.dropKeygen(signer, d1);
      const round1 = [own1, ...others.map(([, message]) => message)];
      const [d2, own2] = await keygen.keygenRound2(signer, d1, lie('round1', round1), random);
      if (stage === 'round1') return keygen.dropKeygen(signer, d2);
      const round2 = [own2];
      for (const [i, [state]] of others.entries()) {
        const [next, message] = await keygen.keygenRound2(signer, state, round1, random);
        left[i] = next;
        round2.push(message);
      }
      const said = lie('round2', round2);
      const [finished] = await keygen.keygenFinish(signer, d2, said, random);
      finished.result.share.wipe();
      const shares = (message: Bytes) => decode(keygenRound2, bodyOf(message)).shares;
      const mine = (message: Bytes) => shares(message).find(({ to }) => to === 1)!.sealed;
      hold(same(mine(said[liar]!), mine(round2[liar]!)), 'another sub-share is believed');
    } finally {
      for (const state of left) {
        try {
          keygen.dropKeygen(signer, state);
        } catch {
          // Consumed by its own step.
        }
      }
    }
  },
};

const certificates: Target = {
  name: 'certificate',
  weight: 4,
  async run(rng, note) {
    const signer = await load();
    born ??= runKeygen(signer, seededRandom('fuzz'));
    const { certificate } = await born;
    const input = mutate(certificate, rng);
    note(input);
    keygen.verifyCertificate(signer, input);
    hold(same(input, certificate), 'an altered certificate verifies');
  },
};

export const ceremonyTargets: readonly Target[] = [noise, keygenTarget, certificates];
