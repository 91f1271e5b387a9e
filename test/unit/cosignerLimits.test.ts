/** What one may ask for, and that nobody's asking too much is anybody else's loss. */
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/cosigner/clock.ts';
import { TIMING } from '../../src/cosigner/connection.ts';
import { busyLoop, Gate } from '../../src/cosigner/gate.ts';
import { addressName, Buckets, Recently } from '../../src/cosigner/limits.ts';
import { TokenUse } from '../../src/cosigner/tokens.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { encode } from '../../src/protocol/codec.ts';
import { CLOSE, SUBPROTOCOL, splitMessage } from '../../src/protocol/frames.ts';
import { request } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  Client,
  coinsOf,
  enrol,
  newDevice,
  pay,
  payment,
  RawSocket,
  type Running,
  removeFolder,
  START,
  type StartOptions,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';
import { refreshedFully, refreshRounds } from '../support/refreshing.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const idle = () => false;
const limited = (retryAfterMs: unknown = expect.any(Number)) =>
  expect.objectContaining({ code: 'RateLimited', retryAfterMs });

let folder: string;
let running: Running;
let now: number;
const clock: Clock = { now: () => now, monotonic: () => performance.now() };
async function start(options: Partial<StartOptions> = {}): Promise<void> {
  running = await startCosigner({ folder, clock, ...options });
}
async function restart(options: Partial<StartOptions> = {}): Promise<void> {
  await running.stop();
  await start(options);
}
beforeEach(async () => {
  now = START;
  folder = testFolder();
});
afterEach(async () => {
  await running?.stop();
  removeFolder(folder);
});

const from = (address: string) => ({ ...addressOf(running), from: address });
const stranger = async (address = '127.0.0.1') => Client.shake(from(address), await generateNoiseKeyPair());
const socketFrom = (address: string) => RawSocket.open(running.listener.port, SUBPROTOCOL, address);
const ask = (client: Client) => client.ask({ kind: 'fees' }, 'fees');

describe('audit-12 token buckets', () => {
  let at = 0;
  const buckets = (burst: number, perMinute: number, names?: number) =>
    new Buckets({ burst, perMinute }, () => at, names);

  test('a burst is there at once, then as much as comes back, to the millisecond', () => {
    at = 0;
    const b = buckets(3, 60);
    for (let i = 0; i < 3; i++) b.take('a');
    expect(() => b.take('a')).toThrow(limited(1000));
    b.take('b', 3);
    at = 999;
    expect(() => b.take('a')).toThrow(limited(1));
    at = 1000;
    b.take('a');
    expect(() => b.take('a', 2)).toThrow(limited(2000));
    at = 1e9;
    b.take('a', 3);
    expect(() => b.take('a')).toThrow(limited());
    // What costs more than there ever is must wait for all there is, not for ever.
    at = 2e9;
    b.take('a', 50);
  });

  test('names are bounded, and making new ones frees nobody', () => {
    at = 0;
    const b = buckets(2, 60, 3);
    for (const name of ['a', 'b', 'c']) b.take(name, 2);
    b.take('d', 2);
    expect(() => b.take('e')).toThrow(limited());
    expect(() => b.take('a')).toThrow(limited());
    expect(b.names).toBe(4);
    at = 2000;
    b.take('f');
    expect(b.names).toBe(1);
  });

  test('an address is an IPv4 address or the /64 of one customer', () => {
    expect(addressName('::ffff:10.0.0.1')).toBe(addressName('10.0.0.1'));
    expect(addressName('2001:db8:1:2:3:4:5:6')).toBe(addressName('2001:db8:1:2::9'));
    expect(addressName('2001:db8::1')).toBe(addressName('2001:db8:0:0:ffff::'));
    expect(addressName('2001:db8:1:3::1')).not.toBe(addressName('2001:db8:1:2::1'));
    expect(addressName('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    expect(addressName('::1')).toBe('0:0:0:0::/64');
  });
});

describe('audit-12 addresses', () => {
  test('an address over its connections is cut off before TLS; another is served', async () => {
    await start({ limits: { addressConnections: 2 } });
    const a = await socketFrom('127.0.0.2');
    await socketFrom('127.0.0.2');
    await expect(socketFrom('127.0.0.2')).rejects.toThrow();
    await (await stranger()).hello();
    await a.close();
    await expect
      .poll(() =>
        socketFrom('127.0.0.2').then(
          () => 'in',
          () => 'out',
        ),
      )
      .toBe('in');
  });

  test('an address that opens too fast is cut off before TLS; another is served', async () => {
    await start({ limits: { addressOpens: { burst: 3, perMinute: 1 } } });
    for (let i = 0; i < 3; i++) await (await socketFrom('127.0.0.2')).close();
    await expect(socketFrom('127.0.0.2')).rejects.toThrow();
    await (await stranger()).hello();
  });

  test('handshakes begin at their rate: addresses take turns, and where an enrolled device was seen goes first', async () => {
    // Four when two have begun, and one in half a second from when the clock runs: it stands until all wait.
    let since: number | undefined;
    const monotonic = () => (since === undefined ? 0 : performance.now() - since);
    const limits = { handshakes: { burst: 6, perMinute: 120 } };
    await start({ clock: { ...clock, monotonic }, limits });
    const noise = await generateNoiseKeyPair();
    const first = await Client.connect(from('127.0.0.9'), noise);
    await enrol(first, noise, await running.token());
    await first.close();
    await (await Client.connect(from('127.0.0.9'), noise)).close();

    const order: string[] = [];
    const open = (address: string) =>
      socketFrom(address).then(
        (socket) => {
          order.push(address);
          return socket;
        },
        () => null,
      );
    const flood = Array.from({ length: 12 }, () => open('127.0.0.2'));
    await expect.poll(() => order.length).toBe(4);
    const stranger = open('127.0.0.3');
    // The stranger waits before the device comes.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const device = open('127.0.0.9');
    await new Promise((resolve) => setTimeout(resolve, 50));
    since = performance.now();
    expect(await stranger).not.toBeNull();
    expect(await device).not.toBeNull();
    expect(order.indexOf('127.0.0.9')).toBeLessThan(order.indexOf('127.0.0.3'));
    const before = order.slice(4, order.indexOf('127.0.0.3'));
    expect(before.filter((address) => address === '127.0.0.2').length).toBeLessThanOrEqual(2);
    await running.stop();
    await Promise.all(flood);
    await start();
  });

  test('however many may begin a handshake, one does in a turn of the loop', async () => {
    const buckets = new Buckets({ burst: 16, perMinute: 60 }, () => 0);
    const gate = new Gate({ handshakes: buckets, known: new Recently(1, () => 0) }, () => 0, idle, 100);
    let begun = 0;
    for (let i = 0; i < 3; i++) gate.enter(new Socket(), `127.0.0.${i}`, () => begun++);
    for (let turn = 1; turn <= 3; turn++) {
      expect(begun).toBe(turn);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(begun).toBe(3);
    gate.enter(new Socket(), '127.0.0.4', () => begun++);
    expect(begun).toBe(4);
    gate.close();
  });

  test('while those who are in need the loop, few begin a handshake, however many may', async () => {
    const buckets = new Buckets({ burst: 16, perMinute: 60_000 }, () => 0);
    let [at, busy] = [0, true];
    const gate = new Gate(
      { handshakes: buckets, known: new Recently(1, () => 0) },
      () => at,
      () => busy,
      100,
    );
    let begun = 0;
    for (let i = 0; i < 4; i++) gate.enter(new Socket(), `127.0.0.${i}`, () => begun++);
    const looked = () => new Promise((resolve) => setTimeout(resolve, 40));
    await looked();
    expect(begun).toBe(1);
    at = 50;
    await looked();
    expect(begun).toBe(2);
    busy = false;
    await expect.poll(() => begun).toBe(4);
    gate.close();
  });

  test('a loop is busy while it has little time left, and not any more when it has', async () => {
    const isBusy = busyLoop();
    const work = (ms: number) => {
      for (const until = performance.now() + ms; performance.now() < until; );
    };
    work(150);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isBusy()).toBe(true);
    await expect.poll(isBusy).toBe(false);
  });

  test('who waits at the gate is let go when the cosigner stops', async () => {
    await start({ limits: { handshakes: { burst: 1, perMinute: 1 } } });
    await (await socketFrom('127.0.0.2')).close();
    const waiting = expect(socketFrom('127.0.0.3')).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await running.stop();
    await waiting;
    await start();
  });

  test('addresses that were met are forgotten in time, and the oldest first', () => {
    let at = 0;
    const recently = new Recently(1000, () => at, 2);
    recently.add('a');
    at = 999;
    expect(recently.has('a')).toBe(true);
    at = 1000;
    expect(recently.has('a')).toBe(false);
    for (const name of ['b', 'c', 'b', 'd']) recently.add(name);
    expect(['b', 'c', 'd'].map((name) => recently.has(name))).toEqual([true, false, true]);
  });

  test('who asks for the health pages too often is answered so, and asks no chain source', async () => {
    await start({ limits: { strangers: { burst: 3, perMinute: 1 } } });
    let asked = 0;
    const { height } = running.chain;
    running.chain.height = () => {
      asked++;
      return height.call(running.chain);
    };
    const ca = readFileSync((await testTls).caFile);
    const status = (localAddress: string) =>
      new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', port: running.listener.port, path: '/readyz', ca, localAddress };
        get({ ...options, agent: false }, (response) => resolve(response.resume().statusCode)).on(
          'error',
          reject,
        );
      });
    const heard: unknown[] = [];
    for (let i = 0; i < 5; i++) heard.push(await within('page', status('127.0.0.2')));
    expect(heard).toEqual([200, 200, 200, 429, 429]);
    expect(asked).toBe(3);
    expect(await within('page', status('127.0.0.1'))).toBe(200);
  });

  test('strangers of one address share one rate, however many keys they make', async () => {
    await start({ limits: { strangers: { burst: 3, perMinute: 1 } } });
    for (let i = 0; i < 3; i++) await (await stranger('127.0.0.2')).hello();
    await expect((await stranger('127.0.0.2')).hello()).rejects.toEqual(limited());
    await (await stranger('127.0.0.3')).hello();
  });
});

test('audit-12 so many keygens run at a time, on whatever tokens, and each gives its place back once', () => {
  const use = new TokenUse();
  const begin = (n: number) => use.begin(Uint8Array.of(n >> 8, n));
  const ends = Array.from({ length: 256 }, (_, n) => begin(n));
  expect(() => begin(256)).toThrow(limited());
  ends[0]!();
  ends[0]!();
  begin(256);
  expect(() => begin(257)).toThrow(limited());
});

describe('audit-12 devices', () => {
  test('a device over its rate hears when to ask again, and is cut off if it does not listen', async () => {
    await start({ limits: { device: { burst: 10, perMinute: 1 } } });
    const { client } = await newDevice(running);
    const other = await newDevice(running);
    for (let i = 0; i < 10; i++) await ask(client);
    await expect(ask(client)).rejects.toEqual(limited());
    await ask(other.client);
    // A new connection is the same device.
    for (let i = 0; i < 60; i++) void client.send(encode(request, { kind: 'fees' })).catch(() => {});
    expect(await within('close', client.socket.closed)).toEqual({
      code: CLOSE.rateLimited,
      reason: 'RateLimited',
    });
    await ask(other.client);
  });

  test('questions to the chain cost more', async () => {
    await start({ limits: { device: { burst: 20, perMinute: 1 } } });
    const { client } = await newDevice(running);
    for (let i = 0; i < 4; i++) await client.ask({ kind: 'scan' }, 'scanned');
    await expect(client.ask({ kind: 'scan' }, 'scanned')).rejects.toEqual(limited());
  });

  test('a payment costs by its inputs: it is work, and rows that stay', async () => {
    await start({ limits: { device: { burst: 190, perMinute: 1 } } });
    const { client, device } = await newDevice(running);
    const small = payment(device, { amount: 1n });
    for (let i = 0; i < 20; i++) await client.ask({ kind: 'evaluate', psbt: small }, 'evaluated');
    const psbt = payment(device, { amount: 1n, coins: coinsOf(450, 10_000n) });
    let heard = 0;
    const asking = async () => {
      for (; ; heard++) await client.ask({ kind: 'evaluate', psbt }, 'evaluated');
    };
    await expect(asking()).rejects.toEqual(limited());
    expect(heard).toBe(Math.floor(170 / (2 + Math.floor(psbt.length / 2048))));
    // What one evaluation costs, a signature costs too.
    const { body } = await attemptOf(client, device, psbt);
    await expect(askToSign(client, device, body)).rejects.toEqual(limited());
  });

  test('audit-03 broadcasts of a wallet are limited, whatever they carry', async () => {
    await start({ limits: { broadcasts: { burst: 2, perMinute: 1 } } });
    const { client, device } = await newDevice(running);
    const broadcast = (transaction: Uint8Array<ArrayBuffer>) =>
      client.ask({ kind: 'broadcast', transaction }, 'broadcast');
    const { transaction } = await pay(client, device, 1000n);
    await broadcast(transaction);
    await expect(broadcast(systemRandom(80))).rejects.toEqual(code('BroadcastRejected'));
    await expect(broadcast(transaction)).rejects.toEqual(limited());
    expect(running.chain.sent).toHaveLength(1);
  });

  test('test signatures of a wallet are limited, and one that was given is given again', async () => {
    await start({ limits: { tests: { burst: 2, perMinute: 1 } } });
    const { client, device } = await newDevice(running);
    const asked = async () => {
      const { committed } = await attemptOf(client, device, payment(device, { amount: 1000n }));
      const commitment = Uint8Array.from(committed.commitments[0]!);
      return { kind: 'testSign', epoch: 0, commitment } as const;
    };
    const first = await asked();
    const tested = await client.ask(first, 'tested');
    await client.ask(await asked(), 'tested');
    await expect(client.ask(await asked(), 'tested')).rejects.toEqual(limited());
    expect(await client.ask(first, 'tested')).toEqual(tested);
    await pay(client, device, 1000n);
  });
});

test('audit-12 the device alone begins only so many epochs in the life of a wallet: what replaces it needs records too', async () => {
  await start({ limits: { refreshes: 3 } });
  const born = await newDevice(running);
  const { client } = born;
  let { device } = born;
  for (let i = 0; i < 3; i++) device = await refreshedFully(client, device);
  await expect(refreshRounds(client, device)).rejects.toEqual(code('TooLarge'));
  expect(await client.hello()).toMatchObject({ epoch: 3 });
  await pay(client, device, 1000n);
});

describe('audit-12 what guards the share survives a restart', () => {
  let device: TestDevice;
  let client: Client;
  const sign = async (amount: bigint) => {
    const psbt = payment(device, { amount, coins: coinsOf(1, 3_000_000n) });
    const { body } = await attemptOf(client, device, psbt);
    return client.ask(await signRequest(client, device, body), 'signed');
  };
  const again = async (limits: StartOptions['limits']) => {
    await restart({ limits: limits! });
    client = await Client.connect(addressOf(running), device.noise);
  };

  test('decisions of a wallet in a time; a stored answer is none', async () => {
    const limits = { decisions: { most: 3, inMs: 60_000 } };
    await start({ limits });
    ({ device, client } = await newDevice(running));
    for (let i = 0; i < 2; i++) {
      await sign(1000n);
      now += 1000;
    }
    const attempted = await attemptOf(client, device, payment(device, { amount: 5n }));
    const third = await askToSign(client, device, attempted.body);
    await expect(sign(1000n)).rejects.toEqual(limited(58_000));
    await again(limits);
    await expect(sign(1000n)).rejects.toEqual(limited(58_000));
    expect(await askToSign(client, device, attempted.body)).toEqual(third);
    now += 58_000;
    await sign(1000n);
    await expect(sign(1000n)).rejects.toEqual(limited(1000));
  });

  test('refusals write receipts, so they are limited on their own, and signing goes on', async () => {
    const limits = { refusals: { most: 2, inMs: 3_600_000 } };
    await start({ limits });
    ({ device, client } = await newDevice(running));
    for (let i = 0; i < 2; i++) await expect(sign(2_000_000n)).rejects.toThrow('refused');
    await again(limits);
    await expect(sign(2_000_000n)).rejects.toEqual(limited(3_600_000));
    await sign(1000n);
    expect((await client.ask({ kind: 'receipts', from: 1 }, 'receipts')).receipts).toHaveLength(3);
    now += 3_600_000;
    await expect(sign(2_000_000n)).rejects.toThrow('refused');
  });
});

describe('enrolment', () => {
  const enrolWith = async (token: string) => {
    const noise = await generateNoiseKeyPair();
    return enrol(await Client.connect(addressOf(running), noise), noise, token);
  };

  test('audit-02 without open enrolment the word opens nothing', async () => {
    await start();
    await expect(enrolWith('open')).rejects.toEqual(code('TokenUnknown'));
  });

  test('audit-12 open enrolment makes so many wallets a day, also over a restart; tokens go on', async () => {
    await start({ limits: { openEnrolments: 2 } });
    for (let i = 0; i < 2; i++) await enrolWith('open');
    await restart({ limits: { openEnrolments: 2 } });
    await expect(enrolWith('open')).rejects.toEqual(limited());
    await enrolWith(await running.token());
    now += 86_400_001;
    await enrolWith('open');
  });
});

describe('audit-12 a flood starves nobody else', () => {
  /** Keeps opening what never proves itself: silent sockets, garbage, handshakes without an end. */
  async function flood(addresses: string[], each: number): Promise<RawSocket[]> {
    const opened: RawSocket[] = [];
    for (let i = 0; i < each; i++) {
      for (const address of addresses) {
        const socket = await socketFrom(address).catch(() => null);
        if (socket === null) continue;
        if (i % 3 === 1) socket.ws.send(systemRandom(96));
        if (i % 3 === 2) socket.ws.send(systemRandom(40_000));
        opened.push(socket);
      }
    }
    return opened;
  }

  test.each([
    ['one address', ['127.0.0.2'], 60],
    ['many addresses', Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`), 4],
  ])(
    'of half-open handshakes and garbage from %s, while a device connects and pays',
    async (_, addresses, each) => {
      await start({ halfOpen: 10 });
      const { device } = await newDevice(running);
      // A device that was turned away comes back, as the real one does.
      const connect = async (): Promise<Client> => {
        for (let tries = 1; ; tries++) {
          try {
            return await Client.connect(addressOf(running), device.noise);
          } catch (e) {
            if (tries === 10) throw e;
          }
        }
      };
      let flooding = true;
      const storm = (async () => {
        while (flooding) for (const socket of await flood(addresses, each)) socket.ws.terminate();
      })();
      // Of the flood alone, as many stay half-open as there may be.
      const two = addresses.slice(0, 10).flatMap((address) => [socketFrom(address), socketFrom(address)]);
      const held = await Promise.all(two.slice(0, 10));
      try {
        for (let i = 0; i < 5; i++) {
          const client = await connect();
          await pay(client, device, 1000n);
          await client.close();
        }
      } finally {
        flooding = false;
        await storm;
        for (const socket of held) socket.ws.terminate();
      }
      expect(running.listener.load.halfOpen).toBeLessThanOrEqual(10);
    },
  );

  test('a sender that never ends its message is cut off, and may not hold its place', async () => {
    await start({ timing: { ...TIMING, receiveMs: 200 } });
    const { client } = await newDevice(running);
    const [first] = splitMessage(client.answered + 1, new Uint8Array(100_000));
    await client.sendPlain(first!);
    expect(await within('close', client.socket.closed)).toMatchObject({ code: CLOSE.deadline });
  });
});
