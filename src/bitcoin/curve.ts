/**
 * The two operations on public points that derivation is made of. The signer's module (crypto/signer, `PublicDerivation`) does
 * them in bulk and far faster: whoever has it hands it in. This one is slow, needs nothing, and says what is right.
 */
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { ensure, HoarfrostError } from '../protocol/errors.ts';

/** Points are 33 bytes, compressed; tweaks are 32-byte scalars below n. Everything else, and infinity, is `BadEncoding`. */
export interface Curve {
  /** parent + tweak*G for each tweak. */
  deriveChildrenVar(parent: Uint8Array, tweaks: readonly Uint8Array[]): Uint8Array[];
  /** BIP-341: even-Y form of each key + H_TapTweak(x || merkleRoot)*G. The root is empty or 32 bytes. */
  outputKeysVar(internalKeys: readonly Uint8Array[], merkleRoot: Uint8Array): Uint8Array[];
}

const { Point } = secp256k1;
type Point = InstanceType<typeof Point>;

function pointOf(bytes: Uint8Array): Point {
  try {
    return Point.fromBytes(bytes);
  } catch (cause) {
    throw new HoarfrostError('BadEncoding', { detail: 'point', cause });
  }
}

function plusG(point: Point, scalar: Uint8Array): Uint8Array {
  let tweak: bigint;
  try {
    tweak = Point.Fn.fromBytes(scalar);
  } catch (cause) {
    throw new HoarfrostError('BadEncoding', { detail: 'derivation', cause });
  }
  const sum = tweak === 0n ? point : point.add(Point.BASE.multiplyUnsafe(tweak));
  ensure(!sum.is0(), 'BadEncoding', { detail: 'derivation' });
  return sum.toBytes(true);
}

export const nobleCurve: Curve = {
  deriveChildrenVar(parent, tweaks) {
    const point = pointOf(parent);
    return tweaks.map((tweak) => plusG(point, tweak));
  },

  outputKeysVar(internalKeys, merkleRoot) {
    return internalKeys.map((key) => {
      const tweak = schnorr.utils.taggedHash('TapTweak', key.subarray(1), merkleRoot);
      return plusG(pointOf(Uint8Array.of(2, ...key.subarray(1))), tweak);
    });
  },
};
