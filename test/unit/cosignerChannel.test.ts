/** The channel from the outside: TLS, handshake, frames, limits, closing. */

import { readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TIMING } from '../../src/cosigner/connection.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { SUITE } from '../../src/crypto/signer.ts';
import { encode } from '../../src/protocol/codec.ts';
import { CLOSE, PROLOGUE, splitMessage } from '../../src/protocol/frames.ts';
import { MESSAGE_MAX, NOISE_MESSAGE_MAX } from '../../src/protocol/limits.ts';
import { envelope, type Request, request } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, initiate } from '../../src/protocol/noise.ts';
import {
  addressOf,
  Client,
  coinsOf,
  newDevice,
  pay,
  payment,
  RawSocket,
  type Running,
  removeFolder,
  type StartOptions,
  startCosigner,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });

let folder: string;
let running: Running;
async function start(options: Partial<StartOptions> = {}): Promise<void> {
  running = await startCosigner({ folder, ...options });
}
beforeEach(async () => {
  folder = testFolder();
  await start();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});
async function restart(options: Partial<StartOptions>): Promise<void> {
  await running.stop();
  await start(options);
}

const hello: Request = { kind: 'hello', version: 1, suite: SUITE, network: 'regtest' };
const stranger = async () => Client.shake(addressOf(running), await generateNoiseKeyPair());
const closing = (socket: RawSocket) => within('close', socket.closed);

describe('audit-01 TLS', () => {
  test('plain ws:// is refused', async () => {
    const ws = new WebSocket(`ws://127.0.0.1:${running.listener.port}/v1`, 'hoarfrost.1');
    const opened = new Promise((resolve, reject) => {
      ws.on('open', resolve);
      ws.on('error', reject);
    });
    await expect(within('ws', opened)).rejects.toThrow();
  });

  test('plain HTTP gets no page', async () => {
    const socket = connectPlain(running.listener.port, '127.0.0.1');
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    let heard = '';
    socket.on('data', (data) => {
      heard += data.toString('latin1');
    });
    await within('close', new Promise((resolve) => socket.on('close', resolve)));
    expect(heard).not.toContain('HTTP/1.1');
  });

  test('TLS 1.2 is refused, 1.3 is spoken', async () => {
    const ca = readFileSync((await testTls).caFile);
    const tls = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<string | null>((resolve, reject) => {
        const options = {
          host: '127.0.0.1',
          port: running.listener.port,
          ca,
          maxVersion,
          minVersion: 'TLSv1.2' as const,
        };
        const socket = connectTls(options, () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.on('error', reject);
      });
    await expect(within('tls', tls('TLSv1.2'))).rejects.toThrow();
    expect(await within('tls', tls('TLSv1.3'))).toBe('TLSv1.3');
  });

  test('another path or subprotocol is no channel', async () => {
    await expect(RawSocket.open(running.listener.port, 'other.1')).rejects.toThrow();
    const ca = readFileSync((await testTls).caFile);
    const ws = new WebSocket(`wss://127.0.0.1:${running.listener.port}/v2`, 'hoarfrost.1', { ca });
    await expect(within('ws', new Promise((_, reject) => ws.on('error', reject)))).rejects.toThrow('404');
  });
});

describe('handshake', () => {
  test('a device that pinned another key is told so, and no session is opened', async () => {
    const pinned = { ...addressOf(running), noiseKey: (await generateNoiseKeyPair()).publicKey };
    const socket = await RawSocket.open(pinned.port);
    const local = await generateNoiseKeyPair();
    socket.ws.send((await initiate({ local, remote: pinned.noiseKey, prologue: PROLOGUE })).message);
    expect(await closing(socket)).toEqual({ code: CLOSE.handshake, reason: 'WrongCosignerKey' });
    expect(socket.frames).toEqual([]);
  });

  test.each([
    ['empty', 0],
    ['truncated', 95],
    ['too long', 97],
    ['huge', NOISE_MESSAGE_MAX],
  ])('a first message that is %s closes before any Diffie-Hellman', async (_, length) => {
    const socket = await RawSocket.open(running.listener.port);
    socket.ws.send(systemRandom(Math.min(length, 65_535)));
    expect(await closing(socket)).toEqual({ code: CLOSE.handshake, reason: 'BadEncoding' });
  });

  test('audit-17 a replayed first message gets no further than the handshake', async () => {
    const noise = await generateNoiseKeyPair();
    const { message } = await initiate({
      local: noise,
      remote: addressOf(running).noiseKey,
      prologue: PROLOGUE,
    });
    const replies: string[] = [];
    for (let i = 0; i < 2; i++) {
      const socket = await RawSocket.open(running.listener.port);
      socket.ws.send(message);
      replies.push(String(await socket.next()));
      // Without the ephemeral's secret nothing that follows decrypts.
      socket.ws.send(systemRandom(64));
      expect(await closing(socket)).toEqual({ code: CLOSE.protocol, reason: 'OutOfSequence' });
    }
    expect(replies[0]).not.toBe(replies[1]);
  });

  test('half-open connections are capped before any handshake, and counted until the first transport message', async () => {
    await restart({ halfOpen: 2 });
    const silent = await RawSocket.open(running.listener.port);
    const shaken = await stranger();
    const third = await RawSocket.open(running.listener.port);
    expect(await closing(third)).toEqual({ code: CLOSE.rateLimited, reason: 'RateLimited' });
    await shaken.hello();
    const fourth = await stranger();
    await fourth.hello();
    await silent.close();
    await (await stranger()).hello();
  });

  test('a connection that proves nothing is closed after its deadline', async () => {
    await restart({ timing: { ...TIMING, handshakeMs: 1500 } });
    const silent = await RawSocket.open(running.listener.port);
    const shaken = await stranger();
    for (const socket of [silent, shaken.socket]) {
      expect(await closing(socket)).toEqual({ code: CLOSE.deadline, reason: 'DeadlineExceeded' });
    }
  });

  test('a transport is given up when its time has come, between two requests', async () => {
    await restart({ timing: { ...TIMING, rehandshakeMs: 1500 } });
    const client = await stranger();
    await client.hello();
    expect(await closing(client.socket)).toMatchObject({ code: CLOSE.deadline });
  });
});

describe('audit-05 audit-18 frames', () => {
  test('a frame over the limit of Noise is cut off by its size', async () => {
    const client = await stranger();
    await client.hello();
    client.socket.ws.send(new Uint8Array(NOISE_MESSAGE_MAX + 1));
    expect(await closing(client.socket)).toMatchObject({ code: 1009 });
  });

  test('truncated and altered frames close the channel', async () => {
    const spoils: ((client: Client) => Promise<void>)[] = [
      async ({ socket, transport }) =>
        socket.ws.send((await transport.seal(encode(request, hello))).subarray(1)),
      async ({ socket }) => socket.ws.send(new Uint8Array(15)),
      async ({ socket, transport }) => {
        const frame = await transport.seal(encode(request, hello));
        frame[3]! ^= 1;
        socket.ws.send(frame);
      },
    ];
    for (const spoil of spoils) {
      const client = await stranger();
      await client.hello();
      await spoil(client);
      expect(await closing(client.socket)).toMatchObject({ code: CLOSE.protocol });
    }
  });

  test('a text frame is refused as such', async () => {
    const client = await stranger();
    await client.hello();
    client.socket.ws.send('hello');
    expect(await closing(client.socket)).toEqual({ code: CLOSE.protocol, reason: 'BadEncoding' });
  });

  test('audit-04 while a request is worked on, what the device sends on waits at the device', async () => {
    const { client } = await newDevice(running);
    let release: () => void = () => {};
    running.chain.fees = () =>
      new Promise((_, reject) => {
        release = () => reject(new Error('released'));
      });
    await client.send(encode(request, { kind: 'fees' }));
    // One after the other, each once the one before has left this process: what is sent in one go tells nothing on its way.
    const frame = new Uint8Array(65_535);
    const left = () => new Promise<boolean>((resolve) => client.socket.ws.send(frame, () => resolve(true)));
    let megabytes = 0;
    const stuck = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 3000));
    while (megabytes < 40 && (await Promise.race([left(), stuck()]))) megabytes += 1 / 16;
    // Kernel buffers hold some of it; the server only a few frames.
    expect(megabytes).toBeLessThan(20);
    client.socket.ws.terminate();
    release();
  });

  test('frames repeated, dropped or swapped do not decrypt', async () => {
    const repeated = await stranger();
    const frame = await repeated.transport.seal(splitMessage(1, encode(request, hello))[0]!);
    repeated.socket.ws.send(frame);
    repeated.socket.ws.send(frame);
    expect(await closing(repeated.socket)).toEqual({ code: CLOSE.protocol, reason: 'OutOfSequence' });
    const dropped = await stranger();
    await dropped.transport.seal(new Uint8Array(1));
    await dropped.send(encode(request, hello));
    expect(await closing(dropped.socket)).toEqual({ code: CLOSE.protocol, reason: 'OutOfSequence' });
  });

  test.each([
    ['empty', new Uint8Array(0), 'BadEncoding'],
    ['garbage', new Uint8Array(40).fill(7), 'TooLarge'],
    ['a wrong number', envelopeOf({ number: 9 }), 'OutOfSequence'],
    ['number 0', envelopeOf({ number: 0 }), 'OutOfSequence'],
    ['a part out of order', envelopeOf({ part: 1 }), 'OutOfSequence'],
    ['a part of another length', envelopeOf({ total: 30 }), 'BadEncoding'],
    ['too large a whole', envelopeOf({ total: MESSAGE_MAX + 1 }), 'TooLarge'],
    ['trailing bytes', Uint8Array.of(...envelopeOf({}), 0), 'BadEncoding'],
  ])('an envelope that is %s closes the channel', async (_, plaintext, reason) => {
    const client = await stranger();
    await client.sendPlain(plaintext);
    const expected = reason === 'TooLarge' ? CLOSE.tooLarge : CLOSE.protocol;
    expect(await closing(client.socket)).toEqual({ code: expected, reason });
  });

  function envelopeOf(change: Partial<{ number: number; part: number; total: number }>) {
    const chunk = encode(request, hello);
    return encode(envelope, { number: 1, part: 0, total: chunk.length, chunk, ...change });
  }

  test('a request that does not decode is answered by its code, and the channel goes on', async () => {
    const { client, device } = await newDevice(running);
    const good = encode(request, { kind: 'fees' });
    for (const [bad, answered] of [
      [Uint8Array.of(200), 'UnknownMessage'],
      [Uint8Array.of(...good, 0), 'BadEncoding'],
      [encode(request, hello).slice(0, -1), 'BadEncoding'],
      [encode(request, { kind: 'evaluate', psbt: new Uint8Array(5) }).fill(255, 1, 5), 'TooLarge'],
    ] as const) {
      await client.send(bad);
      expect(await client.receive()).toMatchObject({ kind: 'error', code: answered });
    }
    await pay(client, device, 1000n);
  });

  test('a PSBT that is malformed or foreign is refused by its code', async () => {
    const { client, device } = await newDevice(running);
    const evaluate = (psbt: Uint8Array<ArrayBuffer>) => client.ask({ kind: 'evaluate', psbt }, 'evaluated');
    const good = payment(device, { amount: 1000n });
    await expect(evaluate(new Uint8Array(0))).rejects.toEqual(code('BadPsbt'));
    await expect(evaluate(systemRandom(200))).rejects.toEqual(code('BadPsbt'));
    await expect(evaluate(good.slice(0, -3))).rejects.toEqual(code('BadPsbt'));
    const stranger = await newDevice(running);
    await expect(evaluate(payment(stranger.device, { amount: 1000n }))).rejects.toEqual(code('ForeignInput'));
    await evaluate(good);
  });

  test('messages of many parts pass, in both directions', async () => {
    const { client, device } = await newDevice(running);
    // An answer of 400 kB, by history; a request of 100 kB, by PSBT.
    running.chain.scanned.history = Array.from({ length: 100 }, (_, i) => ({
      txid: i.toString(16).padStart(64, '0'),
      height: 1,
      time: 1,
      received: 1n,
      sent: 0n,
      fee: null,
      transaction: systemRandom(4000),
    }));
    const { history } = await client.ask({ kind: 'scan' }, 'scanned');
    expect(history.map((h) => h.transaction)).toEqual(
      running.chain.scanned.history.map((h) => h.transaction),
    );
    const psbt = payment(device, { amount: 1000n, coins: coinsOf(400, 10_000n) });
    expect(psbt.length).toBeGreaterThan(65_535);
    await client.ask({ kind: 'evaluate', psbt }, 'evaluated');
  });

  test('audit-04 a stranger may not send what only a wallet needs to', async () => {
    const client = await stranger();
    await client.hello();
    await client.sendPlain(splitMessage(2, new Uint8Array(70_000))[0]!);
    expect(await closing(client.socket)).toEqual({ code: CLOSE.tooLarge, reason: 'TooLarge' });
  });

  test('requests sent ahead are answered one after the other, however many wait', async () => {
    const { client } = await newDevice(running);
    const first = client.answered;
    for (let i = 0; i < 50; i++) void client.send(encode(request, { kind: 'fees' }));
    for (let i = 1; i <= 50; i++) {
      expect(await client.receive()).toMatchObject({ kind: 'fees' });
      expect(client.answered).toBe(first + i);
    }
    expect(await client.ask({ kind: 'fees' }, 'fees')).toMatchObject({ fast: 3000 });
  });
});
