/**
 * Bitcoin's own byte encoding (little-endian integers, compact sizes), read strictly: a value has one form, and nothing is
 * copied before its length is known to fit. Everything else is `BadEncoding`.
 */
import { ensure } from '../protocol/errors.ts';

const TRUNCATED = { detail: 'truncated' };
const NOTHING = new Uint8Array(0);

export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #advance(length: number): number {
    ensure(length <= this.left, 'BadEncoding', TRUNCATED);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  /** Byte by byte: a view of its own for every few bytes would cost more than what is read. */
  #uint(size: 1 | 2 | 4): number {
    const end = this.#advance(size) + size;
    let value = 0;
    for (let i = end - 1; i >= end - size; i--) value = value * 256 + this.#bytes[i]!;
    return value;
  }

  u8(): number {
    return this.#uint(1);
  }

  u32(): number {
    return this.#uint(4);
  }

  u64(): bigint {
    const low = this.#uint(4);
    return (BigInt(this.#uint(4)) << 32n) | BigInt(low);
  }

  /** A length or a count; more than 2^32 - 1 cannot fit any message here. */
  compactSize(): number {
    const first = this.u8();
    if (first < 0xfd) return first;
    ensure(first !== 0xff, 'BadEncoding', { detail: 'compact size' });
    const value = this.#uint(first === 0xfd ? 2 : 4);
    ensure(value >= (first === 0xfd ? 0xfd : 0x1_0000), 'BadEncoding', { detail: 'compact size' });
    return value;
  }

  /** A count of items that take at least `size` bytes each. */
  count(size: number): number {
    const count = this.compactSize();
    ensure(count * size <= this.left, 'BadEncoding', TRUNCATED);
    return count;
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(length);
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + length);
  }

  /** Not copied: for what is read at once. */
  view(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Bytes after their compact size. */
  blob(): Uint8Array<ArrayBuffer> {
    return this.take(this.compactSize());
  }

  end(): void {
    ensure(this.left === 0, 'BadEncoding', { detail: 'trailing bytes' });
  }
}

/** Buffers of writers that have finished. Nothing secret is ever written in this encoding. */
const spare: Uint8Array<ArrayBuffer>[] = [];
const SPARE_MAX = 8;
const SPARE_BYTES = 4096;

export class WireWriter {
  #bytes = spare.pop() ?? new Uint8Array(256);
  #length = 0;

  /** Where the next bytes go. May replace the buffer, so it is called before the buffer is named. */
  #reserve(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }

  #uint(value: number, size: 1 | 2 | 4): this {
    const at = this.#reserve(size);
    for (let i = 0; i < size; i++) this.#bytes[at + i] = value >>> (8 * i);
    return this;
  }

  u8(value: number): this {
    return this.#uint(value, 1);
  }

  u32(value: number): this {
    return this.#uint(value, 4);
  }

  u64(value: bigint): this {
    return this.u32(Number(value & 0xffff_ffffn)).u32(Number((value >> 32n) & 0xffff_ffffn));
  }

  compactSize(value: number): this {
    if (value < 0xfd) return this.u8(value);
    if (value <= 0xffff) return this.u8(0xfd).#uint(value, 2);
    return this.u8(0xfe).u32(value);
  }

  put(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  blob(bytes: Uint8Array): this {
    return this.compactSize(bytes.length).put(bytes);
  }

  /** Nothing is written after it. */
  finish(): Uint8Array<ArrayBuffer> {
    const done = this.#bytes.slice(0, this.#length);
    if (spare.length < SPARE_MAX && this.#bytes.length <= SPARE_BYTES) spare.push(this.#bytes);
    this.#bytes = NOTHING;
    this.#length = 0;
    return done;
  }
}

/** Bytes that the compact size of `value` takes. */
export function compactSizeLength(value: number): number {
  return value < 0xfd ? 1 : value <= 0xffff ? 3 : 5;
}
