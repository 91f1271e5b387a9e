import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { backoff, Channel, pauseAfter } from '../../src/device/channel.ts';
import { Connection } from '../../src/device/connection.ts';
import type { Socket } from '../../src/device/environment.ts';
import { remoteChain } from '../../src/device/remoteChain.ts';
import { HoarfrostError } from '../../src/protocol/errors.ts';
import { CLOSE } from '../../src/protocol/frames.ts';
import { HANDSHAKE_DEADLINE_MS, REHANDSHAKE_MS, REQUEST_DEADLINE_MS } from '../../src/protocol/limits.ts';
import type { Answer } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';
import { removeFolder, startCosigner, testFolder, within } from '../support/cosigner.ts';
import { environmentOf, newProfile, type Profile } from '../support/deviceHost.ts';
import { HostileSocket, helloAnswer, type Script } from '../support/hostileCosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const fees: Answer = { kind: 'fees', fast: 4, medium: 3, slow: 2, floor: 1 };

let profile: Profile;
let local: NoiseKeyPair;
let pinned: NoiseKeyPair;
let sockets: HostileSocket[];
beforeEach(async () => {
  profile = newProfile();
  [local, pinned] = [await generateNoiseKeyPair(), await generateNoiseKeyPair()];
  sockets = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function argumentsFor(script: Script, key = pinned) {
  const openSocket = () => {
    const socket = new HostileSocket(key, script);
    sockets.push(socket);
    return socket;
  };
  const cosigner = { host: 'a', port: 1, noiseKey: pinned.publicKey, hostKey: new Uint8Array(32) };
  return { cosigner, network: 'regtest' as const, local, env: environmentOf(profile, openSocket) };
}
const open = (script: Script, key?: NoiseKeyPair) => Connection.open(argumentsFor(script, key));

describe('a connection that does not come about', () => {
  test.each<[string, string, Script]>([
    ['CosignerUnreachable', 'nobody there', { open: { close: 1006 } }],
    ['CosignerUnreachable', 'closed before message 2', { handshake: () => ({ close: 1006 }) }],
    ['CosignerUnreachable', 'draining', { handshake: () => ({ close: CLOSE.draining }) }],
    ['RateLimited', 'too many at once', { handshake: () => ({ close: CLOSE.rateLimited }) }],
    ['WrongCosignerKey', 'refused our handshake', { handshake: () => ({ close: CLOSE.handshake }) }],
    [
      'WrongCosignerKey',
      'a message 2 of another key',
      { handshake: (m) => m.map((b, i) => (i === 40 ? b ^ 1 : b)) },
    ],
    ['BadEncoding', 'a message 2 too long', { handshake: () => new Uint8Array(49) }],
    ['WrongVersion', 'another version of the protocol', { hello: { ...helloAnswer, version: 2 } }],
    ['UnknownMessage', 'no hello at all', { hello: fees }],
  ])('%s: %s', async (expected, _name, script) => {
    await expect(open(script)).rejects.toEqual(code(expected));
    expect(sockets[0]!.closedWith).toBeDefined();
  });

  test('audit-01, CosignerUnreachable: a certificate that is not trusted', async () => {
    const folder = testFolder();
    const running = await startCosigner({ folder });
    try {
      const cosigner = {
        host: '127.0.0.1',
        port: running.listener.port,
        noiseKey: running.cosigner.identity.channelKeys[0]!.noise.publicKey,
        hostKey: running.cosigner.identity.hostKey,
      };
      const env = environmentOf(profile, (url, subprotocol) => {
        const ws = new WebSocket(url, subprotocol);
        ws.on('error', () => {});
        return ws as unknown as Socket;
      });
      const args = { cosigner, network: 'regtest' as const, local, env };
      await expect(Connection.open(args)).rejects.toEqual(code('CosignerUnreachable'));
    } finally {
      await running.stop();
      removeFolder(folder);
    }
  });

  test.each<[string, Script]>([
    ['a socket that never opens', { open: 'never' }],
    ['silence after message 1', { handshake: () => null }],
  ])('audit-25, CosignerUnreachable at the deadline: %s', async (_name, script) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const opening = expect(open(script)).rejects.toEqual(code('CosignerUnreachable'));
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    await vi.advanceTimersByTimeAsync(HANDSHAKE_DEADLINE_MS);
    await opening;
    expect(sockets[0]!.closedWith).toBeDefined();
  });
});

describe('a connection', () => {
  test('answers are matched by number', async () => {
    const later: (() => Promise<void>)[] = [];
    const { connection } = await open({
      answer: (asked, number, peer) => {
        const rate = asked.kind === 'receipts' ? asked.from : 0;
        later.unshift(() => peer.say(number, { ...fees, fast: rate }));
        return null;
      },
    });
    const asked = [1, 2, 3].map((from) => connection.request({ kind: 'receipts', from }, 'fees'));
    await vi.waitFor(() => expect(later).toHaveLength(3));
    for (const answer of later) await answer();
    expect((await Promise.all(asked)).map((a) => a.fast)).toEqual([1, 2, 3]);
  });

  test('audit-06: when it drops, all that waits fails at once', async () => {
    const { connection } = await open({ answer: () => null });
    const waiting = [1, 2].map((from) => connection.request({ kind: 'receipts', from }, 'receipts'));
    const failed = waiting.map((w) => expect(w).rejects.toEqual(code('ChannelClosed')));
    sockets[0]!.drop();
    await within('failure', Promise.all(failed));
    await connection.closed;
    await expect(connection.request({ kind: 'fees' }, 'fees')).rejects.toEqual(code('ChannelClosed'));
  });

  test('audit-25: a request has a deadline, and takes the connection with it', async () => {
    const { connection } = await open({ answer: () => null });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = expect(connection.request({ kind: 'fees' }, 'fees')).rejects.toEqual(
      code('DeadlineExceeded'),
    );
    await vi.advanceTimersByTimeAsync(REQUEST_DEADLINE_MS);
    await waiting;
    expect(connection.usable).toBe(false);
    expect(sockets[0]!.closedWith).toBe(CLOSE.deadline);
  });

  test.each<[string, string, (peer: HostileSocket, number: number) => unknown]>([
    ['OutOfSequence', 'a frame that does not decrypt', (peer) => peer.deliver(new Uint8Array(64))],
    ['OutOfSequence', 'an answer to nothing', (peer, number) => peer.say(number + 1, fees)],
    ['BadEncoding', 'a text frame', (peer) => peer.deliver('hello')],
    ['TooLarge', 'a frame over the limit', (peer) => peer.deliver(new Uint8Array(65_536))],
    [
      'UnknownMessage',
      'an answer of another kind',
      (peer, n) => peer.say(n, { kind: 'receipts', receipts: [] }),
    ],
  ])('%s ends it: %s', async (expected, _name, send) => {
    const { connection } = await open({
      answer: (_asked, number, peer) => {
        void send(peer, number);
        return null;
      },
    });
    await expect(connection.request({ kind: 'fees' }, 'fees')).rejects.toEqual(code(expected));
    await connection.closed;
    expect(sockets[0]!.closedWith).toBe(CLOSE.protocol);
  });

  test('an error answer is that error, and the connection goes on', async () => {
    let first = true;
    const { connection } = await open({
      answer: () => {
        if (!first) return fees;
        first = false;
        return { kind: 'error', code: 'RateLimited', culprit: 0, detail: '', retryAfterMs: 5 };
      },
    });
    await expect(connection.request({ kind: 'fees' }, 'fees')).rejects.toEqual(
      expect.objectContaining({ code: 'RateLimited', retryAfterMs: 5 }),
    );
    expect(await connection.request({ kind: 'fees' }, 'fees')).toMatchObject(fees);
  });

  test('the hello comes first', async () => {
    const { connection } = await open({ answer: () => fees });
    await connection.request({ kind: 'fees' }, 'fees');
    expect(sockets[0]!.asked.map(({ kind }) => kind)).toEqual(['hello', 'fees']);
  });
});

describe('the channel', () => {
  function channelFor(script: Script) {
    const connected = vi.fn();
    const greet = vi.fn(async () => {});
    const away = vi.fn();
    const on = { greet, onNotice: () => {}, onConnected: connected, onAway: away };
    return { channel: new Channel({ ...argumentsFor(script), ...on }), connected, greet, away };
  }

  test('one connection serves all who ask at once', async () => {
    const { channel } = channelFor({ answer: () => fees });
    await Promise.all([1, 2, 3].map(() => remoteChain(channel).fees()));
    expect(sockets).toHaveLength(1);
    channel.close();
  });

  test('audit-06, audit-26, audit-30: after a drop it comes back by itself, and what was missed is looked up', async () => {
    const { channel, connected } = channelFor({ answer: () => fees });
    channel.stay(true);
    await vi.waitFor(() => expect(connected).toHaveBeenCalledTimes(1));
    sockets[0]!.drop();
    await vi.waitFor(() => expect(connected).toHaveBeenCalledTimes(2));
    channel.close();
  });

  test('audit-25: a try of its own that fails is told; one that somebody waits for, he hears of himself', async () => {
    const { channel, away } = channelFor({ open: { close: 1006 } });
    await expect(channel.connection()).rejects.toEqual(code('CosignerUnreachable'));
    expect(away).not.toHaveBeenCalled();
    channel.stay(true);
    await vi.waitFor(() => expect(away).toHaveBeenCalledWith(code('CosignerUnreachable')));
    channel.close();
  });

  test('a fresh handshake after ten minutes; what waits on the old connection is still answered', async () => {
    let release: () => unknown = () => {};
    const { channel } = channelFor({
      answer: (asked, number, peer) => {
        if (asked.kind !== 'policy') return fees;
        release = () => peer.say(number, { kind: 'policy', document: new Uint8Array(), spentInWindows: [] });
        return null;
      },
    });
    const first = await channel.connection();
    const waiting = first.request({ kind: 'policy' }, 'policy');
    profile.clock.pass(REHANDSHAKE_MS - 1);
    expect(await channel.connection()).toBe(first);
    profile.clock.pass(1);
    const second = await channel.connection();
    expect(second.handshakeHash).not.toEqual(first.handshakeHash);
    expect(sockets[0]!.closedWith).toBeUndefined();
    await vi.waitFor(() => expect(sockets[0]!.asked).toHaveLength(2));
    release();
    await waiting;
    expect(sockets[0]!.closedWith).toBe(1000);
    channel.close();
  });

  test('closed on lock, also while it is being opened', async () => {
    const { channel, connected, greet } = channelFor({ answer: () => fees });
    const opening = expect(channel.connection()).rejects.toEqual(code('Locked'));
    channel.close();
    await opening;
    await expect(channel.connection()).rejects.toEqual(code('Locked'));
    // Nor is anything written of what it said: the next life of the wallet may have written already.
    expect(greet).not.toHaveBeenCalled();
    expect(connected).not.toHaveBeenCalled();
  });

  test('closed on lock, also while its greeting is taken up', async () => {
    const { channel, connected, greet } = channelFor({ answer: () => fees });
    greet.mockImplementation(async () => channel.close());
    await expect(channel.connection()).rejects.toEqual(code('Locked'));
    expect(sockets[0]!.closedWith).toBe(1000);
    expect(connected).not.toHaveBeenCalled();
  });

  test('audit-20: fee rates come in order and within bounds, whatever the cosigner says', async () => {
    const dear: Answer = { kind: 'fees', fast: 1, medium: 2 ** 32 - 1, slow: 0, floor: 2 ** 32 - 1 };
    const { channel } = channelFor({ answer: () => dear });
    expect(await remoteChain(channel).fees()).toEqual({
      fast: 100_000,
      medium: 100_000,
      slow: 100_000,
      floor: 100_000,
    });
    channel.close();
  });

  test.each([2, 255])('BadEncoding: a coin of branch %i is no coin of ours', async (branch) => {
    const outpoint = { txid: new Uint8Array(32), vout: 0 };
    const coin = { outpoint, value: 1n, branch, index: 0, height: 1, coinbase: false };
    const { channel } = channelFor({
      answer: () => ({
        kind: 'scanned',
        height: 1,
        tip: new Uint8Array(32),
        coins: [coin],
        history: [],
        nextReceive: 0,
        nextChange: 0,
      }),
    });
    await expect(remoteChain(channel).scan({} as never)).rejects.toEqual(code('BadEncoding'));
    channel.close();
  });

  test('closed on lock: a retired connection that is owed an answer too', async () => {
    const { channel } = channelFor({ answer: () => null });
    const first = await channel.connection();
    const waiting = expect(first.request({ kind: 'fees' }, 'fees')).rejects.toEqual(code('ChannelClosed'));
    profile.clock.pass(REHANDSHAKE_MS);
    await channel.connection();
    expect(sockets[0]!.closedWith).toBeUndefined();
    channel.close();
    await waiting;
    expect(sockets.map(({ closedWith }) => closedWith)).toEqual([1000, 1000]);
  });

  test('a pause is as long as the other end asks, but never below our own back-off or over half a minute', () => {
    const random = (length: number) => new Uint8Array(length);
    const paused = (retryAfterMs?: number) =>
      pauseAfter(
        new HoarfrostError('RateLimited', retryAfterMs === undefined ? {} : { retryAfterMs }),
        0,
        random,
      );
    expect([paused(), paused(1), paused(5000), paused(2 ** 32 - 1)]).toEqual([250, 250, 5000, 30_000]);
  });

  test('reconnects back off, jittered, to at most half a minute', () => {
    const at = (byte: number) => (length: number) => new Uint8Array(length).fill(byte);
    expect(backoff(0, at(0))).toBe(250);
    expect(backoff(0, at(255))).toBe(500);
    expect(backoff(3, at(255))).toBe(4000);
    expect(backoff(1000, at(255))).toBe(30_000);
  });
});
