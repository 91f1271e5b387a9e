/**
 * Looks for a secret in a module's whole linear memory: as big-endian and little-endian bytes, and as the limbs of 29 bits
 * that scalars and field elements are kept in, of the value and of its negative mod n. Any eight bytes of it count.
 * Not seen: values masked or blended with others, digits of a recoding, and what engines keep outside linear memory
 * (registers, spills).
 */
import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex } from '@noble/hashes/utils.js';

const { Fn } = schnorr.Point;
const FRAGMENT = 8;

/** Nine limbs of 29 bits in words of 32, unsigned. */
function limbs(value: bigint): Uint8Array {
  const words = new DataView(new ArrayBuffer(36));
  for (let i = 0; i < 9; i++)
    words.setUint32(4 * i, Number(BigInt.asUintN(29, value >> BigInt(29 * i))), true);
  return new Uint8Array(words.buffer);
}

function forms(secret: Uint8Array): Uint8Array[] {
  const value = BigInt(`0x${bytesToHex(secret)}`);
  const both = [secret];
  if (secret.length === 32) both.push(Fn.toBytes(Fn.neg(Fn.create(value))));
  return both.flatMap((bytes) => [
    bytes,
    bytes.toReversed(),
    ...(bytes.length === 32 ? [limbs(BigInt(`0x${bytesToHex(bytes)}`))] : []),
  ]);
}

/** Where a fragment of `secret` lies, or undefined. `secret` must be random: small numbers are everywhere. */
export function find(memory: WebAssembly.Memory, secret: Uint8Array): number | undefined {
  const bytes = Buffer.from(memory.buffer);
  for (const form of forms(secret)) {
    for (let at = 0; at + FRAGMENT <= form.length; at += FRAGMENT / 2) {
      const found = bytes.indexOf(form.subarray(at, at + FRAGMENT));
      if (found >= 0) return found;
    }
  }
  return undefined;
}
