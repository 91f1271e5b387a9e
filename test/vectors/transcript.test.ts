/** The recorded run of the protocol (docs/protocol.md): made again byte for byte, and read by its own contents alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { hex } from '@scure/base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';
import { parseTransaction } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { importX25519, x25519PublicKey } from '../../src/crypto/x25519.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { Joiner, PROLOGUE } from '../../src/protocol/frames.ts';
import { answer, request } from '../../src/protocol/messages.ts';
import { initiate } from '../../src/protocol/noise.ts';
import { removeFolder, testFolder } from '../support/cosigner.ts';
import { makeTranscript, type RecordedConnection, type Transcript } from '../support/transcript.ts';

const bytes = (text: string) => Uint8Array.from(hex.decode(text));
const folder = testFolder();
let recorded: Transcript;

beforeAll(async () => {
  recorded = JSON.parse(await readFile(join(root, 'test/vectors/data/transcript.json'), 'utf8'));
});
afterAll(() => removeFolder(folder));

async function pairOf(text: string) {
  const privateKey = await importX25519(Secret.own(bytes(text)));
  return { privateKey, publicKey: await x25519PublicKey(privateKey) };
}

/** The device's view: its own requests, and the cosigner's answers decrypted. */
async function replay(connection: RecordedConnection): Promise<string[]> {
  const { device, cosigner } = recorded.parties as Required<Transcript['parties']>;
  const started = await initiate({
    local: await pairOf(device!.noise!),
    remote: (await pairOf(cosigner!.noise!)).publicKey,
    prologue: PROLOGUE,
    ephemeral: await pairOf(connection.deviceEphemeral),
  });
  expect(hex.encode(started.message)).toBe(connection.message1);
  const transport = await started.complete(bytes(connection.message2));
  expect(hex.encode(transport.handshakeHash)).toBe(connection.handshakeHash);
  const kinds: string[] = [];
  const joiner = new Joiner();
  for (const { from, noise, envelope, message } of connection.frames) {
    if (from === 'device') expect(hex.encode(await transport.seal(bytes(envelope)))).toBe(noise);
    else expect(hex.encode(await transport.open(bytes(noise)))).toBe(envelope);
    const whole = joiner.push(bytes(envelope));
    expect(whole === null ? undefined : hex.encode(whole.message)).toBe(message);
    if (whole === null) continue;
    const codec = from === 'device' ? request : answer;
    const value = decode<{ kind: string }>(codec, whole.message);
    expect(hex.encode(encode<{ kind: string }>(codec, value))).toBe(message);
    kinds.push(value.kind);
  }
  return kinds;
}

describe('the recorded transcript', () => {
  test('is what the code says today, byte for byte (after a change of the protocol: npm run transcript)', async () => {
    expect(await makeTranscript(folder)).toEqual(recorded);
  });

  test('opens from the recorded keys: handshakes, every frame, every message', async () => {
    expect(await replay(recorded.connections[0]!)).toEqual(
      ['hello', 'hello', 'keygenHello', 'party', 'keygenRound1', 'party', 'keygenRound2', 'party'].concat([
        'keygenCertify',
        'certificate',
      ]),
    );
    expect(await replay(recorded.connections[1]!)).toEqual([
      'hello',
      'hello',
      'evaluate',
      'evaluated',
      'sign',
      'signed',
    ]);
    expect(await replay(recorded.connections[2]!)).toEqual([
      'hello',
      'hello',
      'refreshOpen',
      'party',
      'refreshReveal',
      'party',
      'refreshCertify',
      'party',
      'testSign',
      'tested',
      'refreshDone',
      'retired',
    ]);
  });

  test('ends in a key that its shares make, by noble alone', async () => {
    const { result } = recorded;
    const keys = verifyCertificate(await load(), bytes(result.certificate as string));
    const { Point } = secp256k1;
    const share = (text: unknown) => BigInt(`0x${text as string}`);
    const [s1, s3] = [share(result.deviceShare), share(result.recoveryShare)];
    // f(0) from f(1) and f(3): 3/2 f(1) - 1/2 f(3).
    const { Fn } = Point;
    const half = Fn.inv(2n);
    const key = Fn.sub(Fn.mul(Fn.mul(3n, half), s1), Fn.mul(half, s3));
    expect(Point.BASE.multiply(key).toHex(true)).toBe(result.groupKey);
    expect(hex.encode(keys.groupKey)).toBe(result.groupKey);
    expect(Point.BASE.multiply(s1).toHex(true)).toBe((result.verifyingShares as string[])[0]);
    // After the refresh: 2 f(1) - f(2).
    const { deviceShare, cosignerShare } = recorded.refresh;
    expect(Fn.sub(Fn.mul(2n, share(deviceShare)), share(cosignerShare))).toBe(key);
    const { sighash, signature } = recorded.refresh.test as Record<string, string>;
    expect(
      schnorr.verify(bytes(signature!), bytes(sighash!), bytes(result.groupKey as string).slice(1)),
    ).toBe(true);
  });

  test('ends in two BIP-340 signatures that noble verifies and the transaction carries', () => {
    const inputs = recorded.result.inputs as { sighash: string; key: string; signature: string }[];
    const { inputs: signed } = parseTransaction(bytes(recorded.result.transaction as string));
    expect(signed.map(({ witness }) => witness.map((item) => hex.encode(item)))).toEqual(
      inputs.map(({ signature }) => [signature]),
    );
    for (const { sighash, key, signature } of inputs)
      expect(schnorr.verify(bytes(signature), bytes(sighash), bytes(key))).toBe(true);
    expect(inputs).toHaveLength(2);
  });
});
