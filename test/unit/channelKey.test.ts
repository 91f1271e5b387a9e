/** What a device takes from a cosigner's word on its channel key, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import {
  type ChannelKey,
  nextChannelKey,
  readChannelKey,
  sayChannelKey,
} from '../../src/frost/channelKey.ts';
import { signBody } from '../../src/frost/signedBody.ts';
import { channelKeyBody } from '../../src/protocol/channelKey.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { signedBody } from '../../src/protocol/keygen.ts';

const signer = await load();
const hostOf = () => Secret.own(systemRandom(32));
const hostKeyOf = (host: Secret) => Uint8Array.from(signer.publicKey(host).subarray(1));
const [host, other] = [hostOf(), hostOf()];
const cosigner = hostKeyOf(host);
const keyOf = (number: number, noiseKey = systemRandom(32)): ChannelKey => ({ cosigner, number, noiseKey });
const say = (key: ChannelKey, by = host) => sayChannelKey(signer, by, key, systemRandom);
const refused = (detail: string) => expect.objectContaining({ code: 'ChannelKeyRefused', detail });
const thrown = (work: () => unknown) => {
  try {
    work();
  } catch (e) {
    return e;
  }
  throw new Error('not refused');
};

test('audit-01 a statement is read as it was said', () => {
  const key = keyOf(3);
  expect(readChannelKey(signer, cosigner, say(key))).toMatchObject(key);
});

describe('audit-01 the next key', () => {
  const pinned = keyOf(2);
  const next = (statement: Uint8Array<ArrayBuffer>) => nextChannelKey(signer, pinned, statement);

  test('is any later one, also after rotations that the device has missed', () => {
    for (const number of [3, 4, 4_294_967_295]) {
      const key = keyOf(number);
      expect(next(say(key))).toMatchObject(key);
    }
  });

  test('what is said again is no news', () => {
    expect(next(say(pinned))).toBe(pinned);
  });

  test('gets its number where the records alone have named it', () => {
    const born = { ...pinned, number: 0 };
    expect(nextChannelKey(signer, born, say(pinned))).toMatchObject({ number: 2 });
  });

  test.each([
    ['an earlier one', keyOf(1)],
    ['the first one', keyOf(0)],
    ['another one under the same number', keyOf(2)],
    ['the same key under an earlier number', { ...pinned, number: 1 }],
  ])('is not %s', (_name, key) => {
    expect(thrown(() => next(say(key)))).toEqual(refused('not newer'));
  });

  test('is not the word of another cosigner, be it signed by that one or by ours', () => {
    const foreign = { ...keyOf(3), cosigner: hostKeyOf(other) };
    expect(thrown(() => next(say(foreign, other)))).toEqual(refused('another cosigner'));
    expect(thrown(() => next(say(foreign)))).toEqual(refused('another cosigner'));
  });

  test('is not signed by anybody else, nor under any other tag, nor altered', () => {
    expect(thrown(() => next(say(keyOf(3), other)))).toEqual(refused('signature'));
    const { body, signature } = decode(signedBody, say(keyOf(3)));
    const elsewhere = signBody(signer, host, 'hoarfrost/repair-hello', body, systemRandom);
    expect(thrown(() => next(elsewhere))).toEqual(refused('signature'));
    const altered = encode(channelKeyBody, { ...decode(channelKeyBody, body), noiseKey: systemRandom(32) });
    expect(thrown(() => next(encode(signedBody, { body: altered, signature })))).toEqual(
      refused('signature'),
    );
  });

  test('is of this protocol', () => {
    const { body } = decode(signedBody, say(keyOf(3)));
    const said = decode(channelKeyBody, body);
    const signed = (change: Partial<typeof said>) =>
      signBody(
        signer,
        host,
        'hoarfrost/channel-key',
        encode(channelKeyBody, { ...said, ...change }),
        systemRandom,
      );
    const code = (name: string) => expect.objectContaining({ code: name });
    expect(thrown(() => next(signed({ suite: 'another' })))).toEqual(code('WrongSuite'));
    expect(thrown(() => next(signed({ version: 2 })))).toEqual(code('WrongVersion'));
    expect(thrown(() => next(say(keyOf(3)).slice(1)))).toEqual(
      expect.objectContaining({ code: expect.stringMatching(/^(BadEncoding|TooLarge)$/) }),
    );
  });
});
