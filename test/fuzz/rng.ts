/** A small fast generator (sfc32): the same seed gives the same cases on every machine. Not for secrets. */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number, stream = 0, index = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = index >>> 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const t = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return (this.#c | 0) >>> 0;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** True once in `n`. */
  one(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.u32());
  }

  /** Mostly small, now and then at or near `max`. */
  length(max: number): number {
    const kind = this.below(16);
    if (kind === 0) return Math.min(max, 2000);
    if (kind === 1) return 0;
    return Math.min(max, this.below(1 << this.below(8)));
  }
}
