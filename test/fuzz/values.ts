/** Valid values of any codec, from what the codec says of itself. */
import type { Shape } from '../../src/protocol/codec.ts';
import type { Rng } from './rng.ts';

const EDGES64 = [0n, 1n, 0xffff_ffffn, 1n << 32n, (1n << 53n) - 1n, (1n << 63n) - 1n, (1n << 64n) - 1n];

export function valueFor(shape: Shape, rng: Rng): unknown {
  switch (shape.is) {
    case 'uint': {
      if (shape.size === 8)
        return rng.one(2) ? rng.pick(EDGES64) : (BigInt(rng.u32()) << 32n) | BigInt(rng.u32());
      const end = 2 ** (8 * shape.size);
      return rng.one(4) ? rng.pick([0, 1, end - 1]) : rng.u32() % end;
    }
    case 'time':
      return rng.one(4) ? rng.pick([0, Number.MAX_SAFE_INTEGER]) : rng.u32() * 500;
    case 'bool':
      return rng.one(2);
    case 'bytes':
      return rng.bytes(shape.length);
    case 'blob':
      return rng.bytes(rng.length(shape.max));
    case 'text':
      return textOf(shape.max, rng);
    case 'oneOf':
      return rng.pick(shape.names);
    case 'option':
      return rng.one(3) ? null : valueFor(shape.inner, rng);
    case 'list':
      return Array.from({ length: Math.min(shape.max, rng.length(8)) }, () => valueFor(shape.inner, rng));
    case 'tuple':
      return Array.from({ length: shape.count }, () => valueFor(shape.inner, rng));
    case 'struct':
      return fieldsOf(shape.parts, rng);
    case 'union': {
      const kind = rng.pick(Object.keys(shape.parts));
      return { kind, ...(valueFor(shape.parts[kind]!, rng) as object) };
    }
  }
}

function fieldsOf(parts: Readonly<Record<string, Shape>>, rng: Rng): Record<string, unknown> {
  return Object.fromEntries(Object.entries(parts).map(([name, inner]) => [name, valueFor(inner, rng)]));
}

function textOf(maxBytes: number, rng: Rng): string {
  let out = '';
  for (let n = rng.length(Math.floor(maxBytes / 4)); n > 0; n--)
    out += rng.one(3)
      ? rng.pick(['é', '\u{1F9CA}', '\0', '\uFEFF', '\u2028'])
      : String.fromCharCode(32 + rng.below(95));
  return out;
}
