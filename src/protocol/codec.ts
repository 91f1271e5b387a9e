/**
 * Canonical binary encoding: one value has one byte string, and decoding refuses everything else (`BadEncoding`):
 * trailing bytes, unknown tags, booleans other than 0 and 1, text that is not UTF-8 in its shortest form.
 * Integers are big-endian. Lengths are checked against their bound before a byte is copied (`TooLarge`).
 */
import { ensure, HoarfrostError } from './errors.ts';

const UINT = { detail: 'uint' };
const TRUNCATED = { detail: 'truncated' };

class Writer {
  /** An integer stands as eight times its value plus its size: an array of its own for each would cost more than all the rest. */
  #parts: (Uint8Array | number)[] = [];
  #length = 0;

  put(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  uint(value: number, size: 1 | 2 | 4): void {
    ensure(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size), 'BadEncoding', UINT);
    this.#parts.push(8 * value + size);
    this.#length += size;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      if (typeof part === 'number') {
        const size = part % 8;
        for (let i = at + size - 1, v = (part - size) / 8; i >= at; i--, v = Math.floor(v / 256)) out[i] = v;
        at += size;
      } else {
        out.set(part, at);
        at += part.length;
      }
    }
    return out;
  }
}

class Reader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(length);
    return Uint8Array.prototype.slice.call(this.#bytes, at, at + length);
  }

  uint(size: 1 | 2 | 4): number {
    const at = this.#advance(size);
    let value = 0;
    for (let i = at; i < at + size; i++) value = value * 256 + this.#bytes[i]!;
    return value;
  }

  #advance(length: number): number {
    const at = this.#at;
    ensure(at + length <= this.#bytes.length, 'BadEncoding', TRUNCATED);
    this.#at += length;
    return at;
  }

  end(): void {
    ensure(this.#at === this.#bytes.length, 'BadEncoding', { detail: 'trailing bytes' });
  }
}

/** What a codec puts on the wire, for whoever must describe it (docs/protocol.md) or make values of it (the fuzzer). */
export type Shape =
  | { readonly is: 'uint'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly is: 'time' | 'bool' }
  | { readonly is: 'bytes'; readonly length: number }
  | { readonly is: 'blob' | 'text'; readonly max: number }
  | { readonly is: 'oneOf'; readonly names: readonly string[] }
  | { readonly is: 'option'; readonly inner: Shape }
  | { readonly is: 'list'; readonly inner: Shape; readonly max: number }
  | { readonly is: 'tuple'; readonly inner: Shape; readonly count: number }
  | { readonly is: 'struct' | 'union'; readonly parts: Readonly<Record<string, Shape>> };

export interface Codec<T> {
  readonly shape: Shape;
  write(w: Writer, value: T): void;
  read(r: Reader): T;
}

export type TypeOf<C> = C extends Codec<infer T> ? T : never;

export function encode<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  codec.write(w, value);
  return w.finish();
}

export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const r = new Reader(bytes);
  const value = codec.read(r);
  r.end();
  return value;
}

function uint(size: 1 | 2 | 4): Codec<number> {
  return { shape: { is: 'uint', size }, write: (w, v) => w.uint(v, size), read: (r) => r.uint(size) };
}
export const u8 = uint(1);
export const u16 = uint(2);
export const u32 = uint(4);

/** Sats, milliseconds and other counts that outgrow 53 bits or must stay exact. */
export const u64: Codec<bigint> = {
  shape: { is: 'uint', size: 8 },
  write(w, v) {
    ensure(v >= 0n && v < 1n << 64n, 'BadEncoding', { detail: 'u64' });
    w.uint(Number(v >> 32n), 4);
    w.uint(Number(v & 0xffff_ffffn), 4);
  },
  read: (r) => (BigInt(r.uint(4)) << 32n) | BigInt(r.uint(4)),
};

/** Milliseconds since 1970 as a safe integer. */
export const time: Codec<number> = {
  shape: { is: 'time' },
  write: (w, v) => u64.write(w, BigInt(v)),
  read(r) {
    const v = Number(u64.read(r));
    ensure(Number.isSafeInteger(v), 'BadEncoding', { detail: 'time' });
    return v;
  },
};

export const bool: Codec<boolean> = {
  shape: { is: 'bool' },
  write: (w, v) => w.uint(v ? 1 : 0, 1),
  read(r) {
    const v = r.uint(1);
    ensure(v < 2, 'BadEncoding', { detail: 'bool' });
    return v === 1;
  },
};

/** Exactly `length` bytes. */
export function bytes(length: number): Codec<Uint8Array<ArrayBuffer>> {
  const otherLength = { detail: `expected ${length} bytes` };
  return {
    shape: { is: 'bytes', length },
    write(w, v) {
      ensure(v.length === length, 'BadEncoding', otherLength);
      w.put(v);
    },
    read: (r) => r.take(length),
  };
}

/** At most `max` bytes, with a 4-byte length. */
export function blob(max: number): Codec<Uint8Array<ArrayBuffer>> {
  return {
    shape: { is: 'blob', max },
    write(w, v) {
      ensure(v.length <= max, 'TooLarge');
      w.uint(v.length, 4);
      w.put(v);
    },
    read(r) {
      const length = r.uint(4);
      ensure(length <= max, 'TooLarge');
      return r.take(length);
    },
  };
}

/** UTF-8 text of at most `max` bytes. */
export function text(max: number): Codec<string> {
  const inner = blob(max);
  return {
    shape: { is: 'text', max },
    write: (w, v) => inner.write(w, new TextEncoder().encode(v)),
    read(r) {
      const raw = inner.read(r);
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
      } catch {
        throw new HoarfrostError('BadEncoding', { detail: 'utf-8' });
      }
    },
  };
}

/** One of the given names, by its position. The list is append-only. */
export function oneOf<const T extends string>(...names: readonly T[]): Codec<T> {
  return {
    shape: { is: 'oneOf', names },
    write(w, v) {
      const i = names.indexOf(v);
      ensure(i >= 0, 'BadEncoding', { detail: 'name' });
      w.uint(i, 1);
    },
    read(r) {
      const name = names[r.uint(1)];
      ensure(name !== undefined, 'BadEncoding', { detail: 'name' });
      return name;
    },
  };
}

export function option<T>(inner: Codec<T>): Codec<T | null> {
  return {
    shape: { is: 'option', inner: inner.shape },
    write(w, v) {
      bool.write(w, v !== null);
      if (v !== null) inner.write(w, v);
    },
    read: (r) => (bool.read(r) ? inner.read(r) : null),
  };
}

/** At most `max` items, with a 2-byte count. */
export function list<T>(inner: Codec<T>, max: number): Codec<T[]> {
  return {
    shape: { is: 'list', inner: inner.shape, max },
    write(w, v) {
      ensure(v.length <= max, 'TooLarge');
      w.uint(v.length, 2);
      for (const item of v) inner.write(w, item);
    },
    read(r) {
      const count = r.uint(2);
      ensure(count <= max, 'TooLarge');
      const out: T[] = [];
      for (let i = 0; i < count; i++) out.push(inner.read(r));
      return out;
    },
  };
}

/** Exactly `count` items, with no count on the wire. */
export function tuple<T>(inner: Codec<T>, count: number): Codec<T[]> {
  return {
    shape: { is: 'tuple', inner: inner.shape, count },
    write(w, v) {
      ensure(v.length === count, 'BadEncoding', { detail: `expected ${count} items` });
      for (const item of v) inner.write(w, item);
    },
    read(r) {
      const out: T[] = [];
      for (let i = 0; i < count; i++) out.push(inner.read(r));
      return out;
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a field's own type is restored by Struct
type Fields = Record<string, Codec<any>>;
export type Struct<F extends Fields> = { [K in keyof F]: TypeOf<F[K]> };

function shapesOf(fields: Fields): Record<string, Shape> {
  return Object.fromEntries(Object.entries(fields).map(([name, { shape }]) => [name, shape]));
}

/** Fields in the order written. */
export function struct<F extends Fields>(fields: F): Codec<Struct<F>> {
  const entries = Object.entries(fields);
  return {
    shape: { is: 'struct', parts: shapesOf(fields) },
    write(w, v) {
      for (const [name, codec] of entries) codec.write(w, v[name]);
    },
    read(r) {
      const out: Record<string, unknown> = {};
      for (const [name, codec] of entries) out[name] = codec.read(r);
      return out as Struct<F>;
    },
  };
}

export type Tagged<V extends Fields> = { [K in keyof V & string]: { kind: K } & TypeOf<V[K]> }[keyof V &
  string];

/** One of several structs, by a one-byte tag: its position in the list, which is append-only. */
export function union<V extends Fields>(variants: V): Codec<Tagged<V>> {
  const names = Object.keys(variants);
  return {
    shape: { is: 'union', parts: shapesOf(variants) },
    write(w, v) {
      const i = names.indexOf(v.kind);
      ensure(i >= 0, 'UnknownMessage');
      w.uint(i, 1);
      variants[v.kind]!.write(w, v);
    },
    read(r) {
      const name = names[r.uint(1)];
      ensure(name !== undefined, 'UnknownMessage');
      return { kind: name, ...(variants[name]!.read(r) as object) } as Tagged<V>;
    },
  };
}
