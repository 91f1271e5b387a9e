/** Changes to bytes and texts that were valid: few enough to get deep, wild enough to hit every length and tag. */
import type { Rng } from './rng.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const EDGES = [0, 1, 2, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff];
const EDGES32 = [0, 1, 0xff, 0x100, 0xfffe, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

export function mutate(bytes: Uint8Array, rng: Rng, other?: Uint8Array): Bytes {
  let out = Uint8Array.from(bytes);
  for (let n = 1 + rng.below(rng.one(4) ? 6 : 2); n > 0; n--) out = step(out, rng, other);
  return out;
}

function step(bytes: Bytes, rng: Rng, other: Uint8Array | undefined): Bytes {
  if (bytes.length === 0) return rng.bytes(1 + rng.below(8));
  const at = rng.below(bytes.length);
  const out = Uint8Array.from(bytes);
  switch (rng.below(10)) {
    case 0:
      out[at] = out[at]! ^ (1 << rng.below(8));
      return out;
    case 1:
      out[at] = rng.pick(EDGES);
      return out;
    case 2:
      out[at] = rng.u32();
      return out;
    case 3:
      // A length or an amount, either end first.
      if (out.length >= 4) {
        const view = new DataView(out.buffer);
        view.setUint32(rng.below(out.length - 3), rng.pick(EDGES32), rng.one(2));
      }
      return out;
    case 4:
      return join(out.subarray(0, at), rng.bytes(1 + rng.below(9)), out.subarray(at));
    case 5:
      return join(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + rng.below(9))));
    case 6:
      return out.slice(0, at);
    case 7: {
      const chunk = out.subarray(at, at + 1 + rng.below(80));
      const to = rng.below(out.length);
      return join(out.subarray(0, to), chunk, out.subarray(to));
    }
    case 8: {
      const from = other ?? bytes;
      return join(out.subarray(0, at), from.subarray(rng.below(from.length + 1)));
    }
    default:
      return join(out, rng.bytes(1 + rng.below(4)));
  }
}

const PIECES = [
  '',
  '&',
  '=',
  '%',
  '%00',
  ':',
  '?',
  '[',
  ']',
  '"',
  '\\',
  '\\u0000',
  '{',
  '}',
  '\u{1F512}',
  '-',
  '0',
];

export function mutateText(text: string, rng: Rng): string {
  const at = rng.below(text.length + 1);
  const to = Math.min(text.length, at + rng.below(6));
  switch (rng.below(5)) {
    case 0:
      return text.slice(0, at) + rng.pick(PIECES) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(to);
    case 2:
      return (
        text.slice(0, at) + String.fromCharCode(rng.below(rng.one(4) ? 0x10000 : 128)) + text.slice(at + 1)
      );
    case 3:
      return text.slice(0, to) + text.slice(at);
    default:
      return text.slice(0, at) + rng.pick(PIECES) + text.slice(to);
  }
}

export function join(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
