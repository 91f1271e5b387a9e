/** secp256k1 in BigInt, for the generators only: nothing secret passes here. */
export const P = 2n ** 256n - 2n ** 32n - 977n;
export const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
export const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n;
export const BETA = 0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501een;

export interface Affine {
  readonly x: bigint;
  readonly y: bigint;
}

export const G: Affine = {
  x: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  y: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
};

const mod = (a: bigint): bigint => ((a % P) + P) % P;

function inverse(a: bigint): bigint {
  let [r0, r1, t0, t1] = [P, mod(a), 0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1, t0, t1] = [r1, r0 - q * r1, t1, t0 - q * t1];
  }
  return mod(t0);
}

/** p + q for points of different x, or p = q; never called with opposite points. */
export function addPoints(p: Affine, q: Affine): Affine {
  const slope = p.x === q.x ? 3n * p.x * p.x * inverse(2n * p.y) : (q.y - p.y) * inverse(q.x - p.x);
  const x = mod(slope * slope - p.x - q.x);
  return { x, y: mod(slope * (p.x - x) - p.y) };
}

export function negate(p: Affine): Affine {
  return { x: p.x, y: P - p.y };
}

/** 2^k * p. */
export function doubleTimes(p: Affine, k: number): Affine {
  let r = p;
  for (let i = 0; i < k; i++) r = addPoints(r, r);
  return r;
}

/** Nine unsigned limbs of 29 bits. */
export function limbs29(value: bigint): number[] {
  return Array.from({ length: 9 }, (_, i) => Number((value >> BigInt(29 * i)) & 0x1fffffffn));
}

/** Nine limbs in [-2^28, 2^28), limb 8 in [-2^23, 2^23]: what a field product returns. */
export function balancedLimbs(value: bigint): number[] {
  let rest = value >= 1n << 255n ? value - P : value;
  return Array.from({ length: 9 }, (_, i) => {
    if (i === 8) return Number(rest);
    let limb = rest & 0x1fffffffn;
    if (limb >= 0x10000000n) limb -= 0x20000000n;
    rest = (rest - limb) >> 29n;
    return Number(limb);
  });
}
