/**
 * Bitcoin's own byte encoding (little-endian integers, compact sizes), read strictly: a value has one form, and nothing is
 * copied before its length is known to fit. Everything else is `BadEncoding`.
 */
import { ensure } from '../protocol/errors.ts';

export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #advance(length: number): number {
    ensure(length <= this.left, 'BadEncoding', { detail: 'truncated' });
    const at = this.#at;
    this.#at += length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /** A length or a count; more than 2^32 - 1 cannot fit any message here. */
  compactSize(): number {
    const first = this.u8();
    if (first < 0xfd) return first;
    ensure(first !== 0xff, 'BadEncoding', { detail: 'compact size' });
    const value = first === 0xfd ? this.#view.getUint16(this.#advance(2), true) : this.u32();
    ensure(value >= (first === 0xfd ? 0xfd : 0x1_0000), 'BadEncoding', { detail: 'compact size' });
    return value;
  }

  /** A count of items that take at least `size` bytes each. */
  count(size: number): number {
    const count = this.compactSize();
    ensure(count * size <= this.left, 'BadEncoding', { detail: 'truncated' });
    return count;
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(length);
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + length);
  }

  /** Bytes after their compact size. */
  blob(): Uint8Array<ArrayBuffer> {
    return this.take(this.compactSize());
  }

  end(): void {
    ensure(this.left === 0, 'BadEncoding', { detail: 'trailing bytes' });
  }
}

export class WireWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Where the next bytes go. May replace the buffer, so it is called before the buffer is named. */
  #reserve(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  compactSize(value: number): this {
    if (value < 0xfd) return this.u8(value);
    if (value <= 0xffff) {
      this.u8(0xfd);
      const at = this.#reserve(2);
      this.#view.setUint16(at, value, true);
      return this;
    }
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

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Bytes that the compact size of `value` takes. */
export function compactSizeLength(value: number): number {
  return value < 0xfd ? 1 : value <= 0xffff ? 3 : 5;
}
