import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { vectorJson } from './vectors.ts';

export interface EcdhTest {
  tcId: number;
  flags: string[];
  /** SubjectPublicKeyInfo in DER. */
  public: string;
  private: string;
  shared: string;
  result: 'valid' | 'invalid' | 'acceptable';
}

const all = vectorJson<{ testGroups: { tests: EcdhTest[] }[] }>('wycheproof/ecdh_secp256k1_test.json');

/** A point, uncompressed or compressed, on the named curve; the rest tests DER parsers and other curves. */
const SPKI = /^30[35]6301006072a8648ce3d020106052b8104000a03[24]200(?=0[234])/;

export const wycheproofTests = all.testGroups
  .flatMap((g) => g.tests)
  .filter((t) => SPKI.test(t.public) && !t.flags.includes('InvalidAsn'));

/** y^2 = x^3 + 7 modulo p. */
function onCurve(x: bigint, y: bigint): boolean {
  const p = 2n ** 256n - 2n ** 32n - 977n;
  return (y * y - x * x * x - 7n) % p === 0n;
}

const integer = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

/** The 33-byte form, which alone we take; undefined where an uncompressed point has no such form: it is off the curve. */
export function wycheproofPoint(t: EcdhTest): Uint8Array | undefined {
  const bytes = hexToBytes(t.public.replace(SPKI, ''));
  if (bytes.length !== 65) return bytes;
  if (!onCurve(integer(bytes.slice(1, 33)), integer(bytes.slice(33)))) return undefined;
  return concatBytes(Uint8Array.of(2 + (bytes[64]! & 1)), bytes.slice(1, 33));
}

/** The private key as 32 bytes: DER's sign byte dropped, leading zeros filled in. */
export const wycheproofSecret = (t: EcdhTest): Uint8Array =>
  hexToBytes(t.private.replace(/^00(?=.{64}$)/, '').padStart(64, '0'));
