/** Everything that is decoded with no key: codecs, parts, policies, pairing links, the port's texts, transactions. */
import { encodeTransaction, parseTransaction } from '../../src/bitcoin/transaction.ts';
import { parsePairing } from '../../src/device/pairing.ts';
import { decodePolicy, encodePolicy, firstPolicy } from '../../src/policy/document.ts';
import { type Codec, decode, encode } from '../../src/protocol/codec.ts';
import { Joiner, splitMessage } from '../../src/protocol/frames.ts';
import { MESSAGE_MAX } from '../../src/protocol/limits.ts';
import { envelope } from '../../src/protocol/messages.ts';
import { NETWORKS } from '../../src/protocol/networks.ts';
import {
  decodePort,
  decodePortReply,
  decodePortRequest,
  encodePort,
  PORT_DEPTH_MAX,
} from '../../src/protocol/portCodec.ts';
import { termsOf } from '../support/terms.ts';
import { mutate, mutateText } from './mutate.ts';
import type { Rng } from './rng.ts';
import { hold, type Target } from './run.ts';
import { valueFor } from './values.ts';

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** decode(encode(x)) = x for a value of the codec's own shape, and encode(decode(b)) = b for whatever is taken. */
export function codecTarget(name: string, codec: Codec<unknown>): Target {
  return {
    name: `codec ${name}`,
    weight: 1,
    run(rng, note) {
      const valid = encode(codec, valueFor(codec.shape, rng));
      note(valid);
      hold(same(encode(codec, decode(codec, valid)), valid), 'a valid value changes on its way');
      const input = rng.one(8) ? rng.bytes(rng.length(300)) : mutate(valid, rng);
      note(input);
      hold(same(encode(codec, decode(codec, input)), input), 'not canonical');
    },
  };
}

const parts: Target = {
  name: 'parts',
  weight: 6,
  run(rng, note) {
    const max = rng.one(2) ? MESSAGE_MAX : 64 << 10;
    const message = rng.bytes(1 + rng.length(1000));
    const long = rng.one(20) ? new Uint8Array(65_500 * 2 + rng.below(1000)).fill(rng.u32()) : message;
    const joiner = new Joiner(max);
    const envelopes = splitMessage(1 + rng.below(1000), long);
    if (long.length <= max) {
      const joined = envelopes.map((part) => joiner.push(part)).at(-1);
      hold(joined != null && same(joined.message, long), 'parts do not join');
    }
    for (const part of envelopes) {
      const { number, part: at, total, chunk } = decode(envelope, part);
      const lie = {
        number: rng.one(4) ? rng.u32() : number,
        part: rng.one(4) ? rng.below(65_536) : at,
        total: rng.one(3) ? rng.pick([0, 1, max, max + 1, 0xffff_ffff, rng.u32()]) : total,
        chunk: rng.one(3) ? mutate(chunk.subarray(0, 2000), rng) : chunk,
      };
      const input = rng.one(2) ? encode(envelope, lie) : mutate(part.subarray(0, 4000), rng);
      note(input);
      const got = joiner.push(input);
      hold(got === null || got.message.length <= max, 'a message over the limit');
    }
  },
};

const policies: Target = {
  name: 'policy',
  weight: 6,
  run(rng, note) {
    const policy = firstPolicy(rng.pick(NETWORKS), termsOf(BigInt(rng.u32())), rng.u32());
    const windows = Array.from({ length: rng.below(9) }, () => ({
      limit: BigInt(rng.u32()),
      start: rng.u32(),
      interval: BigInt(rng.u32()),
    }));
    const input = mutate(encodePolicy({ ...policy, windows, version: 1 + rng.below(9) }), rng);
    note(input);
    const read = decodePolicy(input);
    hold(same(encodePolicy(read), input), 'not canonical');
    hold(read.version >= 1 && read.windows.every(({ interval }) => interval > 0n), 'a policy without sense');
  },
};

const pairing: Target = {
  name: 'pairing',
  weight: 6,
  run(rng, note) {
    const hex = (n: number) => Buffer.from(rng.bytes(n)).toString('hex');
    const host = rng.pick(['127.0.0.1', 'cosigner.example', '[::1]', 'localhost', 'xn--bcher-kva.example']);
    let input = `hoarfrost:${host}:${1 + rng.below(65_535)}?k=${hex(32)}&h=${hex(32)}`;
    if (rng.one(2)) input += `&t=${hex(rng.below(60) + 1)}`;
    if (rng.one(2)) input += `&n=${rng.pick(NETWORKS)}`;
    for (let n = rng.below(4); n > 0; n--) input = mutateText(input, rng);
    note(input);
    const read = parsePairing(input);
    hold(read.port > 0 && read.port < 65_536, 'port');
    hold(read.noiseKey.length === 32 && read.hostKey.length === 32, 'keys');
    hold(read.token === null || /^[\w-]{1,128}$/.test(read.token), 'token');
    hold(new URL(`wss://${read.host}:${read.port}/`).hostname === read.host, 'host');
  },
};

function portValue(rng: Rng, depth = 0): unknown {
  switch (rng.below(depth > 4 ? 6 : 8)) {
    case 0:
      return null;
    case 1:
      return rng.one(2);
    case 2:
      return rng.pick([0, 1, -1, 1.5, 1e21, 2 ** 53, rng.u32()]);
    case 3:
      return rng.pick(['', 'text', '"\\\u2028', '\u{1F9CA}', '$b']);
    case 4:
      return BigInt(rng.u32()) * (rng.one(2) ? -1n : 1n) ** 3n;
    case 5:
      return rng.bytes(rng.below(40));
    case 6:
      return Array.from({ length: rng.below(5) }, () => portValue(rng, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: rng.below(5) }, () => [
          rng.pick(['id', 'method', 'argument', 'event', 'error', 'x']),
          portValue(rng, depth + 1),
        ]),
      );
  }
}

const port: Target = {
  name: 'port',
  weight: 8,
  run(rng, note) {
    const id = 1 + rng.below(100);
    const value = rng.pick([
      portValue(rng),
      { id, method: 'open', argument: portValue(rng) },
      { id, result: portValue(rng) },
      { id, error: { code: 'Locked', detail: '', retryAfterMs: 0 } },
    ]);
    const text = encodePort(value);
    note(text);
    hold(encodePort(decodePort(text)) === text, 'a valid value changes on its way');
    let input = text;
    for (let n = 1 + rng.below(3); n > 0; n--) input = mutateText(input, rng);
    if (rng.one(50)) input = '['.repeat(PORT_DEPTH_MAX + rng.below(5000));
    note(input);
    const read = rng.pick([decodePort, decodePortRequest, decodePortReply])(input);
    hold(encodePort(read) === input || typeof read === 'object', 'not canonical');
    hold(encodePort(decodePort(input)) === input, 'not canonical');
  },
};

const transactions: Target = {
  name: 'transaction',
  weight: 8,
  run(rng, note) {
    const witness = rng.one(2);
    const valid = encodeTransaction({
      version: rng.u32(),
      inputs: Array.from({ length: 1 + rng.below(4) }, () => ({
        outpoint: { txid: Buffer.from(rng.bytes(32)).toString('hex'), vout: rng.u32() },
        scriptSig: rng.bytes(rng.below(4) * 30),
        sequence: rng.u32(),
        witness: witness ? Array.from({ length: 1 + rng.below(3) }, () => rng.bytes(rng.below(70))) : [],
      })),
      outputs: Array.from({ length: rng.below(4) }, () => ({
        value: BigInt(rng.u32()),
        script: rng.bytes(rng.below(300)),
      })),
      locktime: rng.u32(),
    });
    note(valid);
    hold(same(encodeTransaction(parseTransaction(valid)), valid), 'a valid transaction changes on its way');
    const input = mutate(valid, rng);
    note(input);
    hold(same(encodeTransaction(parseTransaction(input)), input), 'not canonical');
  },
};

export const byteTargets: readonly Target[] = [parts, policies, pairing, port, transactions];
