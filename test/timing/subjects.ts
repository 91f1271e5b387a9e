import { schnorr } from '@noble/curves/secp256k1.js';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { Secret } from '../../src/crypto/secret.ts';
import type { NonceHandle, SignerModule, SigningPackage } from '../../src/crypto/signer.ts';

/** One secret-dependent operation. The class of an input must not show in how long `run` takes. */
export interface Subject {
  readonly name: string;
  /** Controls leak on purpose and must be caught. */
  readonly leaking: boolean;
  /** Runs of one sample where the clock is coarse; 4 when not given. */
  readonly batch?: number;
  /** Sets the secret for `count` runs; unmeasured. */
  load(input: Uint8Array, count: number): void;
  run(count: number): void;
}

/** Exports of wasm/assembly/testing.ts. */
interface Low {
  readonly memory: WebAssembly.Memory;
  inverse(result: number, value: number, lane: number): void;
  multiplyVar(result: number, scalars: number, points: number, count: number): number;
  decodeVar(result: number, encoded: number): number;
  scFromBytes(result: number, bytes: number): number;
}

const { Point } = schnorr;
const { Fn } = Point;

export const CLASSES = ['random', 'one', 'small', 'n-1'] as const;
export type Class = (typeof CLASSES)[number];

/** Writes one input of the class: a scalar of 32 bytes in 1..n-1. */
export function writeInput(of: Class, into: Uint8Array<ArrayBuffer>): void {
  switch (of) {
    case 'random':
      // n is 2^256 less a 127-bit number: a random string is out of range once in 2^128.
      crypto.getRandomValues(into);
      return;
    case 'one':
      into.fill(0);
      into[31] = 1;
      return;
    case 'small':
      into.fill(0);
      crypto.getRandomValues(into.subarray(30));
      into[31]! |= 2;
      return;
    case 'n-1':
      into.set(numberToBytesBE(Fn.ORDER - 1n, 32));
      return;
  }
}

const empty = new Uint8Array(0);

/** The nine limbs of 29 bits, not balanced, with the same steps for every value. */
function limbs(bytes: Uint8Array, into: number[]): void {
  for (let i = 0; i < 9; i++) {
    const bit = 29 * i;
    let limb = 0;
    for (let j = 4; j >= 0; j--) limb = limb * 256 + (bytes[31 - (bit >> 3) - j] ?? 0);
    into[i] = Math.floor(limb / 2 ** (bit & 7)) % 2 ** 29;
  }
}

export function subjects(signer: SignerModule, arithmetic: WebAssembly.Instance): Subject[] {
  const secret = Secret.own(new Uint8Array(32));
  const live = secret.expose();
  const load = (input: Uint8Array): void => live.set(input);
  const times =
    (call: () => unknown) =>
    (count: number): void => {
      for (let i = 0; i < count; i++) call();
    };

  const message = new Uint8Array(32).fill(7);
  const aux = new Uint8Array(32).fill(8);
  const point = Point.BASE.multiply(12345n).toBytes();
  const randomness = new Uint8Array(64).fill(9);

  // The nonces of a signature share never depend on the class: a fixed share makes them, so the package stays the same.
  const fixedShare = Secret.own(new Uint8Array(32).fill(3));
  const other = signer.commit({ share: fixedShare, randomness: new Uint8Array(64).fill(4), context: empty });
  const open = () => signer.commit({ share: fixedShare, randomness, context: empty });
  const first = open();
  const groupKey = Point.BASE.multiply(999n).toBytes();
  const pkg: SigningPackage = {
    groupKey,
    tweak: { derivation: new Uint8Array(32), path: 'leaf', merkleRoot: empty },
    expectedKey: groupKey.slice(1),
    message,
    commitments: [
      { id: 1, commitment: first.commitment },
      { id: 2, commitment: other.commitment },
    ],
  };
  signer.dropNonces(first.nonces);
  signer.dropNonces(other.nonces);
  const ready: NonceHandle[] = [];

  // The arithmetic below the exported calls, on addresses in the region of arguments (wasm/assembly/memory.ts, IN).
  const low = arithmetic.exports as unknown as Low;
  const at = (index: number) => 0x400 + 240 * index;
  const [field, inverted, product, scalarAt, affine, encoded] = [at(0), at(1), at(2), at(3), at(4), at(5)];
  const memory = new Uint8Array(low.memory.buffer);
  const view = new DataView(low.memory.buffer);
  memory.set(point, encoded);
  low.decodeVar(affine, encoded);
  const element = Array.from({ length: 9 }, () => 0);
  let slow = false;
  let sink = 1;

  return [
    { name: 'k*G (publicKey)', leaking: false, load, run: times(() => signer.publicKey(secret)) },
    { name: 'P*k (ecdhX)', leaking: false, load, run: times(() => signer.ecdhX(secret, point)) },
    {
      name: 'BIP-340 sign',
      leaking: false,
      load,
      run: times(() => signer.schnorrSign(secret, message, aux)),
    },
    {
      name: 'nonce derivation and commitment (commit)',
      leaking: false,
      load(input) {
        load(input);
        for (const handle of ready.splice(0)) signer.dropNonces(handle);
      },
      run: times(() => ready.push(signer.commit({ share: secret, randomness, context: message }).nonces)),
    },
    {
      name: 'signature share (signShare)',
      leaking: false,
      load(input, count) {
        load(input);
        for (const handle of ready.splice(0)) signer.dropNonces(handle);
        while (ready.length < count) ready.push(open().nonces);
      },
      run: times(() => signer.signShare({ id: 1, share: secret, nonces: ready.pop()!, package: pkg })),
    },
    {
      name: 'field inversion',
      leaking: false,
      batch: 32,
      load(input) {
        // Scalars below n are field elements below p: the same classes. No BigInt here: what it does before the run
        // depends on the value, and the run feels it.
        limbs(input, element);
        for (let i = 0; i < 18; i++) view.setInt32(field + 4 * i, element[i >> 1]!, true);
      },
      run: times(() => low.inverse(inverted, field, 0)),
    },
    {
      name: 'control: k*P in variable time (multiplyVar)',
      leaking: true,
      load(input) {
        memory.set(input, encoded);
        low.scFromBytes(scalarAt, encoded);
      },
      run: times(() => low.multiplyVar(product, scalarAt, affine, 1)),
    },
    {
      name: 'control: k*G, and 1 % more when k is odd',
      leaking: true,
      load(input) {
        load(input);
        slow = (input[31]! & 1) === 1;
      },
      run: times(() => {
        signer.publicKey(secret);
        if (slow) for (let i = 0; i < 60; i++) sink = (Math.imul(sink, 1664525) + 1013904223) | 0;
      }),
    },
  ];
}
