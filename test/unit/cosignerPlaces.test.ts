/** Who holds how much of what there is little of: a flooder with a network of addresses, strangers who stay, one device for many. */
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TIMING } from '../../src/cosigner/connection.ts';
import { Gate } from '../../src/cosigner/gate.ts';
import { addressName, Buckets, Recently, siteOf } from '../../src/cosigner/limits.ts';
import { Places } from '../../src/cosigner/places.ts';
import { CLOSE } from '../../src/protocol/frames.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  Client,
  newDevice,
  pay,
  type Running,
  removeFolder,
  type StartOptions,
  startCosigner,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';

/** Of one customer's network: each counts as an address. */
const ofOneSite = (n: number) => addressName(`2001:db8:1:${n.toString(16)}::1`);

test('a site is the /48 of an IPv6 address, and an IPv4 address', () => {
  expect(siteOf(addressName('2001:db8:1:2::9'))).toBe('2001:db8:1::/48');
  expect(siteOf(ofOneSite(1))).toBe(siteOf(ofOneSite(0xffff)));
  expect(siteOf(addressName('2001:db8:2:2::9'))).not.toBe(siteOf(ofOneSite(2)));
  expect(siteOf(addressName('::ffff:10.0.0.1'))).toBe('10.0.0.1');
  expect(siteOf('unknown')).toBe('unknown');
});

describe('audit-12 the gate', () => {
  test('a flooder with a network of addresses has one turn of all, and makes room for who comes from elsewhere', async () => {
    const handshakes = new Buckets({ burst: 1, perMinute: 600 }, () => performance.now());
    const now = () => performance.now();
    const gate = new Gate({ handshakes, known: new Recently(1, now) }, now, () => false, 20);
    const begun: string[] = [];
    const enter = (address: string) => gate.enter(new Socket(), address, () => begun.push(address));
    for (let n = 0; n < 40; n++) enter(ofOneSite(n));
    enter('10.0.0.1');
    enter('10.0.0.2');
    await expect.poll(() => begun.length).toBeGreaterThanOrEqual(6);
    expect(begun.slice(0, 6)).toEqual(expect.arrayContaining(['10.0.0.1', '10.0.0.2']));
    gate.close();
  });
});

describe('audit-12 places', () => {
  const of = (most: number) => {
    const gone: number[] = [];
    const places = new Places<number>(most, (holder) => gone.push(holder));
    let next = 0;
    const come = (address: string) => {
      const isRoom = places.hasRoomFor(address);
      if (isRoom) places.add(next++, address);
      return isRoom;
    };
    return { gone, places, come };
  };

  test('a flooder with a network of addresses makes room for who comes from elsewhere', () => {
    const { gone, come, places } = of(4);
    expect(come('10.0.0.1')).toBe(true);
    for (let n = 0; n < 10; n++) expect(come(ofOneSite(n))).toBe(true);
    expect(come('10.0.0.2')).toBe(true);
    // Never the first, who came before all of them.
    expect(gone).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(places.size).toBe(4);
  });

  test('of one site the address with the most gives up its oldest, and is turned away itself', () => {
    const { gone, come } = of(3);
    for (const n of [1, 1, 2]) expect(come(ofOneSite(n))).toBe(true);
    expect(come(ofOneSite(1))).toBe(false);
    expect(come(ofOneSite(3))).toBe(true);
    expect(gone).toEqual([0]);
  });
});

describe('audit-12 connections', () => {
  let folder: string;
  let running: Running;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(async () => {
    await running.stop();
    removeFolder(folder);
  });
  async function start(options: Partial<StartOptions> = {}): Promise<void> {
    running = await startCosigner({ folder, ...options });
  }
  const from = (address: string) => ({ ...addressOf(running), from: address });
  const stranger = async (address: string) => Client.connect(from(address), await generateNoiseKeyPair());

  test('strangers who stay hold a quarter of all, and make room for each other', async () => {
    await start({ connections: 12 });
    const { client, device } = await newDevice(running);
    const held = await Promise.all(['127.0.0.2', '127.0.0.3', '127.0.0.4'].map(stranger));
    for (let n = 0; n < 6; n++) await stranger(`127.0.1.${n + 1}`);
    await expect.poll(() => running.listener.load.connections).toBeLessThanOrEqual(1 + 3);
    for (const each of held)
      expect(await within('close', each.socket.closed)).toMatchObject({ code: CLOSE.rateLimited });
    await pay(client, device, 1000n);
    await pay(await Client.connect(addressOf(running), device.noise), device, 1000n);
  });

  test('a device that opens many connections closes its own oldest', async () => {
    await start();
    const { client, device } = await newDevice(running);
    const all = [client];
    while (all.length < 18) all.push(await Client.connect(addressOf(running), device.noise));
    await expect.poll(() => running.listener.load.connections).toBe(16);
    for (const each of all.slice(0, 2))
      expect(await within('close', each.socket.closed)).toMatchObject({ code: CLOSE.rateLimited });
    await pay(all[2]!, device, 1000n);
    const other = await newDevice(running);
    await pay(other.client, other.device, 1000n);
  });

  test('who says nothing after TLS is gone with the deadline of the handshake', async () => {
    await start({ timing: { ...TIMING, handshakeMs: 1000 } });
    const ca = readFileSync((await testTls).caFile);
    const socket = connect({ host: '127.0.0.1', port: running.listener.port, ca });
    socket.on('error', () => {});
    const states: string[] = [];
    for (const state of ['secureConnect', 'close']) socket.on(state, () => states.push(state));
    socket.resume();
    // By itself Node looks twice a minute.
    await expect.poll(() => states, { timeout: 20_000 }).toEqual(['secureConnect', 'close']);
  });

  test('no connection is kept after a page', async () => {
    await start();
    const ca = readFileSync((await testTls).caFile);
    const agent = new Agent({ keepAlive: true });
    const closing = new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: running.listener.port, path: '/livez', ca, agent };
      get(options, (response) => resolve(response.resume().headers.connection)).on('error', reject);
    });
    expect(await within('page', closing)).toBe('close');
    agent.destroy();
  });
});
