/**
 * The signer's arithmetic below its exported calls, in two builds: as in the product, and with the checks of magnitude
 * and range. Values are BigInt here and only here: nothing in these tests is secret.
 */
import { buildVariant } from '../../wasm/build.ts';

type Call = (...args: number[]) => number;

export const P = 2n ** 256n - 2n ** 32n - 977n;
export const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
/** Bytes of a field pair and of projective lanes. */
export const FE = 80;
export const LANES = 240;

export type Lanes = readonly [bigint, bigint];

export class Arithmetic {
  readonly call: Record<string, Call>;
  readonly memory: DataView;
  readonly bytes: Uint8Array;

  constructor(wasm: Uint8Array<ArrayBuffer>) {
    // A checked build imports nothing either: a broken invariant is an `unreachable`.
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), {});
    const { buffer } = exports.memory as WebAssembly.Memory;
    this.call = exports as unknown as Record<string, Call>;
    this.memory = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** Addresses for the test's own values, in the region of arguments. */
  at(index: number): number {
    return 0x400 + index * LANES;
  }

  setBytes(at: number, value: bigint, length = 32): void {
    for (let i = length - 1; i >= 0; i--) {
      this.bytes[at + i] = Number(value & 255n);
      value >>= 8n;
    }
  }

  getBytes(at: number, length = 32): bigint {
    let value = 0n;
    for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(this.bytes[at + i]!);
    return value;
  }

  /** Raw limbs of one lane. */
  setLimbs(at: number, lane: number, limbs: readonly number[]): void {
    limbs.forEach((limb, i) => {
      this.memory.setInt32(at + 8 * i + 4 * lane, limb, true);
    });
    this.memory.setBigInt64(at + 72, 0n, true);
  }

  /** The value that the limbs stand for, not reduced. */
  raw(at: number, lane: number): bigint {
    let value = 0n;
    for (let i = 8; i >= 0; i--)
      value = value * 2n ** 29n + BigInt(this.memory.getInt32(at + 8 * i + 4 * lane, true));
    return value;
  }

  setField(at: number, [a, b]: Lanes): void {
    [a, b].forEach((value, lane) => {
      let rest = value >= P - value ? value - P : value;
      this.setLimbs(
        at,
        lane,
        Array.from({ length: 9 }, (_, i) => {
          if (i === 8) return Number(rest);
          let limb = BigInt.asUintN(29, rest);
          if (limb >= 2n ** 28n) limb -= 2n ** 29n;
          rest = (rest - limb) >> 29n;
          return Number(limb);
        }),
      );
    });
  }

  /** Canonical, by the module's own encoding. */
  getField(at: number): Lanes {
    const out = this.at(40);
    return [0, 1].map((lane) => {
      this.call.toBytes!(out, at, lane);
      return this.getBytes(out);
    }) as unknown as Lanes;
  }

  setScalar(at: number, value: bigint): void {
    const source = this.at(40);
    this.setBytes(source, value);
    this.call.scFromBytes!(at, source);
  }

  getScalar(at: number): bigint {
    const out = this.at(40);
    this.call.scToBytes!(out, at);
    return this.getBytes(out);
  }
}

export const BUILDS = [
  ['product', () => new Arithmetic(buildVariant({ name: 'testing', entry: 'testing.ts' }))],
  [
    'checked',
    () => new Arithmetic(buildVariant({ name: 'testing-checked', entry: 'testing.ts', define: ['CHECKS'] })),
  ],
] as const;

export const mod = (value: bigint, m: bigint): bigint => ((value % m) + m) % m;

export function power(base: bigint, exponent: bigint, m: bigint): bigint {
  let result = 1n;
  for (let b = mod(base, m), e = exponent; e > 0n; e >>= 1n, b = (b * b) % m)
    if (e & 1n) result = (result * b) % m;
  return result;
}
