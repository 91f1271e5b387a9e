import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { nodePrimitives, noiseKeyPair } from '../../src/cosigner/noisePrimitives.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { importX25519, x25519PublicKey } from '../../src/crypto/x25519.ts';
import { NOISE_PLAINTEXT_MAX } from '../../src/protocol/limits.ts';
import {
  generateNoiseKeyPair,
  initiate,
  type NoiseKeyPair,
  type NoisePrimitives,
  respond as respondBy,
  webPrimitives,
} from '../../src/protocol/noise.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const bytes = (hex: string): Bytes => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (b: Uint8Array) => Buffer.from(b).toString('hex');

async function pair(secretHex: string): Promise<NoiseKeyPair> {
  const privateKey = await importX25519(Secret.own(bytes(secretHex)));
  return { privateKey, publicKey: await x25519PublicKey(privateKey) };
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../vectors/data/noise-ik.json', import.meta.url), 'utf8'),
);
const prologue = new TextEncoder().encode('test');

/** Everything below holds for both: the device speaks by WebCrypto, the cosigner by Node's own crypto. */
function holdsFor<Key>(
  name: string,
  primitives: NoisePrimitives<Key>,
  responderPair: (secretHex: string) => Promise<NoiseKeyPair<Key>>,
): void {
  const respond = (args: Omit<Parameters<typeof respondBy<Key>>[0], 'primitives'>) =>
    respondBy({ primitives, ...args });
  const serverKeys = async () => primitives.generate();

  async function connected() {
    const server = await serverKeys();
    const client = await generateNoiseKeyPair();
    const opening = await initiate({ local: client, remote: server.publicKey, prologue });
    const answered = await respond({ local: server, prologue, message1: opening.message });
    return { server, client, opening, answered, transport: await opening.complete(answered.message) };
  }

  describe(`Noise_IK_25519_AESGCM_SHA256 by ${name} against an independent implementation`, () => {
    test.each<any>(vectors)('prologue $prologue', async (v) => {
      const initiator = await pair(v.initiatorStatic);
      const responder = await responderPair(v.responderStatic);
      const p = bytes(v.prologue);
      const opening = await initiate({
        local: initiator,
        remote: responder.publicKey,
        prologue: p,
        ephemeral: await pair(v.initiatorEphemeral),
      });
      expect(hex(opening.message)).toBe(v.message1);
      const answered = await respond({
        local: responder,
        prologue: p,
        message1: opening.message,
        ephemeral: await responderPair(v.responderEphemeral),
      });
      expect(hex(answered.message)).toBe(v.message2);
      expect(answered.remote).toEqual(initiator.publicKey);
      const transport = await opening.complete(answered.message);
      expect(hex(transport.handshakeHash)).toBe(v.handshakeHash);
      for (const m of v.transport) {
        const [from, to] =
          m.from === 'initiator' ? [transport, answered.transport] : [answered.transport, transport];
        const sealed = await from.seal(bytes(m.plaintext));
        expect(hex(sealed)).toBe(m.ciphertext);
        expect(hex(await to.open(sealed))).toBe(m.plaintext);
      }
    });
  });

  describe(`the channel by ${name} refuses`, () => {
    test('audit-01: a cosigner without the pinned key, on both ends', async () => {
      const pinned = await serverKeys();
      const impostor = await serverKeys();
      const client = await generateNoiseKeyPair();
      const opening = await initiate({ local: client, remote: pinned.publicKey, prologue });
      await expect(respond({ local: impostor, prologue, message1: opening.message })).rejects.toMatchObject({
        code: 'Unauthorised',
      });
      // An impostor that makes up message 2 from what it can compute.
      const other = await initiate({ local: client, remote: impostor.publicKey, prologue });
      const forged = await respond({ local: impostor, prologue, message1: other.message });
      await expect(opening.complete(forged.message)).rejects.toMatchObject({ code: 'WrongCosignerKey' });
    });

    test('another prologue', async () => {
      const server = await serverKeys();
      const opening = await initiate({
        local: await generateNoiseKeyPair(),
        remote: server.publicKey,
        prologue,
      });
      const downgraded = new TextEncoder().encode('test.0');
      await expect(
        respond({ local: server, prologue: downgraded, message1: opening.message }),
      ).rejects.toMatchObject({
        code: 'Unauthorised',
      });
    });

    test('a low-order ephemeral key', async () => {
      const server = await serverKeys();
      const message1 = new Uint8Array(96);
      await expect(respond({ local: server, prologue, message1 })).rejects.toMatchObject({
        code: 'Unauthorised',
      });
    });

    test('audit-16, audit-17: a message repeated, skipped, reordered or altered, and everything after it', async () => {
      for (const spoil of ['repeat', 'skip', 'alter'] as const) {
        const { transport, answered } = await connected();
        const [a, b, c] = [
          await transport.seal(bytes('aa')),
          await transport.seal(bytes('bb')),
          await transport.seal(bytes('cc')),
        ];
        expect(hex(await answered.transport.open(a!))).toBe('aa');
        const wrong =
          spoil === 'repeat' ? a! : spoil === 'skip' ? c! : b!.map((x, i) => (i === 0 ? x ^ 1 : x));
        await expect(answered.transport.open(wrong)).rejects.toMatchObject({ code: 'OutOfSequence' });
        // The third has the number that is due by now.
        for (const next of [c!, b!])
          await expect(answered.transport.open(next)).rejects.toMatchObject({ code: 'OutOfSequence' });
      }
    });

    test('a replayed message 1 gives its sender a transport that it cannot speak', async () => {
      const { server, opening, transport } = await connected();
      const again = await respond({ local: server, prologue, message1: opening.message });
      await expect(again.transport.open(await transport.seal(bytes('01')))).rejects.toMatchObject({
        code: 'OutOfSequence',
      });
    });

    test('audit-18: a plaintext over 65,519 bytes', async () => {
      const { transport } = await connected();
      expect(() => transport.seal(new Uint8Array(NOISE_PLAINTEXT_MAX + 1))).toThrow(
        expect.objectContaining({ code: 'TooLarge' }),
      );
      expect((await transport.seal(new Uint8Array(NOISE_PLAINTEXT_MAX))).length).toBe(65_535);
    });
  });
}

test('a key of low order is refused also where a library lets it pass', async () => {
  const local = await generateNoiseKeyPair();
  const { message } = await initiate({
    local: await generateNoiseKeyPair(),
    remote: local.publicKey,
    prologue,
  });
  const lax = { ...webPrimitives, x25519: async () => new Uint8Array(32) };
  await expect(respondBy({ primitives: lax, local, prologue, message1: message })).rejects.toMatchObject({
    code: 'Unauthorised',
    cause: { code: 'BadEncoding', detail: 'low-order key' },
  });
});

holdsFor('WebCrypto', webPrimitives, pair);
holdsFor("Node's crypto", nodePrimitives, async (secretHex) => noiseKeyPair(Secret.own(bytes(secretHex))));
