/**
 * SHA-256 (FIPS 180-4), BIP-340 tagged hashes and hash_to_field by expand_message_xmd (RFC 9380, section 5.3.1).
 * A context is 112 bytes: eight words of state, the number of bytes so far, and a block of 64.
 */
import { enter, leave } from './memory';
import { scFromBytes48 } from './scalar';
import { Z_PAD } from './texts.generated';

/** Bytes of a context. */
// @ts-ignore: decorator
@inline
export const SHA: usize = 112;

const K: usize = memory.data<u32>(
  [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
  ],
  16,
);

// @ts-ignore: decorator
@inline
function small0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}
// @ts-ignore: decorator
@inline
function small1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}
/** T1 of one round. */
// @ts-ignore: decorator
@inline
function t1(e: u32, f: u32, g: u32, h: u32, kw: u32): u32 {
  return h + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (g ^ (e & (f ^ g))) + kw;
}
/** T2 of one round. */
// @ts-ignore: decorator
@inline
function t2(a: u32, b: u32, c: u32): u32 {
  return (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) | (c & (a | b)));
}

function compress(state: usize, block: usize): void {
  const w = enter(256);
  for (let i: usize = 0; i < 64; i += 4) store<u32>(w + i, bswap<u32>(load<u32>(block + i)));
  for (let i: usize = 64; i < 256; i += 4) {
    const x = load<u32>(w + i - 64) + small0(load<u32>(w + i - 60)) + load<u32>(w + i - 28);
    store<u32>(w + i, x + small1(load<u32>(w + i - 8)));
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  let f = load<u32>(state, 20);
  let g = load<u32>(state, 24);
  let h = load<u32>(state, 28);
  let t: u32 = 0;
  // Eight rounds a turn: the variables are back in place after it.
  for (let i: usize = 0; i < 256; i += 32) {
    t = t1(e, f, g, h, load<u32>(K + i) + load<u32>(w + i));
    d += t;
    h = t + t2(a, b, c);
    t = t1(d, e, f, g, load<u32>(K + i, 4) + load<u32>(w + i, 4));
    c += t;
    g = t + t2(h, a, b);
    t = t1(c, d, e, f, load<u32>(K + i, 8) + load<u32>(w + i, 8));
    b += t;
    f = t + t2(g, h, a);
    t = t1(b, c, d, e, load<u32>(K + i, 12) + load<u32>(w + i, 12));
    a += t;
    e = t + t2(f, g, h);
    t = t1(a, b, c, d, load<u32>(K + i, 16) + load<u32>(w + i, 16));
    h += t;
    d = t + t2(e, f, g);
    t = t1(h, a, b, c, load<u32>(K + i, 20) + load<u32>(w + i, 20));
    g += t;
    c = t + t2(d, e, f);
    t = t1(g, h, a, b, load<u32>(K + i, 24) + load<u32>(w + i, 24));
    f += t;
    b = t + t2(c, d, e);
    t = t1(f, g, h, a, load<u32>(K + i, 28) + load<u32>(w + i, 28));
    e += t;
    a = t + t2(b, c, d);
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
  store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24);
  store<u32>(state, load<u32>(state, 28) + h, 28);
  leave(w);
}

export function shaInit(ctx: usize): void {
  store<u32>(ctx, 0x6a09e667);
  store<u32>(ctx, 0xbb67ae85, 4);
  store<u32>(ctx, 0x3c6ef372, 8);
  store<u32>(ctx, 0xa54ff53a, 12);
  store<u32>(ctx, 0x510e527f, 16);
  store<u32>(ctx, 0x9b05688c, 20);
  store<u32>(ctx, 0x1f83d9ab, 24);
  store<u32>(ctx, 0x5be0cd19, 28);
  store<u64>(ctx, 0, 32);
}

export function shaUpdate(ctx: usize, data: usize, length: usize): void {
  let fill = <usize>load<u32>(ctx, 32) & 63;
  store<u32>(ctx, load<u32>(ctx, 32) + <u32>length, 32);
  while (length > 0) {
    if (fill == 0 && length >= 64) {
      compress(ctx, data);
      data += 64;
      length -= 64;
      continue;
    }
    const part = min<usize>(64 - fill, length);
    memory.copy(ctx + 48 + fill, data, part);
    data += part;
    length -= part;
    fill += part;
    if (fill == 64) {
      compress(ctx, ctx + 48);
      fill = 0;
    }
  }
}

export function shaByte(ctx: usize, value: u8): void {
  const b = enter(16);
  store<u8>(b, value);
  shaUpdate(ctx, b, 1);
  leave(b);
}

/** Writes 32 bytes; the context is spent. */
export function shaFinal(out: usize, ctx: usize): void {
  const length = load<u32>(ctx, 32);
  const fill = <usize>length & 63;
  const block = ctx + 48;
  store<u8>(block + fill, 0x80);
  memory.fill(block + fill + 1, 0, 63 - fill);
  if (fill >= 56) {
    compress(ctx, block);
    memory.fill(block, 0, 64);
  }
  store<u64>(block, bswap<u64>(<u64>length << 3), 56);
  compress(ctx, block);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(ctx + i)));
}

/** Starts a context whose first block is behind it, from the state after that block. */
function resume(ctx: usize, state: usize): void {
  memory.copy(ctx, state, 32);
  store<u64>(ctx, 64, 32);
}

/** Starts a tagged hash (BIP-340); `tag` is the state after its tag. */
export function taggedInit(ctx: usize, tag: usize): void {
  resume(ctx, tag);
}

/** Starts the context of hash_to_field: Z_pad, one block of zeros. The message follows by shaUpdate. */
export function fieldHashInit(ctx: usize): void {
  resume(ctx, Z_PAD);
}

/** Ends hash_to_field with the given DST (at most 255 bytes): scalar of 48 uniform bytes. */
export function fieldHashFinal(r: usize, ctx: usize, dst: usize, dstLength: usize): void {
  const frame = enter(128);
  const b0 = frame;
  const b1 = frame + 32;
  const b2 = frame + 64;
  store<u32>(b1, 0x003000); // I2OSP(48, 2) || 0
  shaUpdate(ctx, b1, 3);
  shaUpdate(ctx, dst, dstLength);
  shaByte(ctx, <u8>dstLength);
  shaFinal(b0, ctx);
  shaInit(ctx);
  shaUpdate(ctx, b0, 32);
  shaByte(ctx, 1);
  shaUpdate(ctx, dst, dstLength);
  shaByte(ctx, <u8>dstLength);
  shaFinal(b1, ctx);
  for (let i: usize = 0; i < 32; i += 8) store<u64>(b2 + i, load<u64>(b0 + i) ^ load<u64>(b1 + i));
  shaInit(ctx);
  shaUpdate(ctx, b2, 32);
  shaByte(ctx, 2);
  shaUpdate(ctx, dst, dstLength);
  shaByte(ctx, <u8>dstLength);
  shaFinal(b2, ctx);
  scFromBytes48(r, b1);
  leave(frame);
}
