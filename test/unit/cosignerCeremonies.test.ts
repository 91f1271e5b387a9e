/** Ceremonies at a real cosigner over its own channel, with its clock handed in: who is heard, what waiting brings, what a contest stops. */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { lookAtAll, ripeCeremony } from '../../src/cosigner/ceremonies.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { CONTEST_MS, RIPE_MS, STEP_MAX_MS, wordsActHash } from '../../src/policy/ceremony.ts';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { signedPolicy } from '../../src/policy/versions.ts';
import { type CeremonyPurpose, ceremonyAct, wordsAct } from '../../src/protocol/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import type { HoarfrostError } from '../../src/protocol/errors.ts';
import { receiptBody } from '../../src/protocol/messages.ts';
import {
  byDevice,
  byWords,
  idOf,
  newDeviceKeys,
  newKitKeys,
  opening,
  saying,
  signedByWords,
} from '../support/ceremonies.ts';
import {
  ask,
  born,
  client,
  device,
  eachInItsOwnWorld,
  folder,
  listed,
  meetStranger,
  pass,
  restart,
  running,
  start,
  statusOf,
  stranger,
  time,
} from '../support/ceremonyWorld.ts';
import { addressOf, Client, newDevice, policyOf, START } from '../support/cosigner.ts';
import { changePolicy, type PolicySigner } from '../support/policyChange.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DELAY = 7 * DAY;

eachInItsOwnWorld();

const eventsOf = async () =>
  (await client.ask({ kind: 'receipts', from: 1 }, 'receipts')).receipts
    .map(({ body }) => decode(receiptBody, body).verdict)
    .filter((verdict) => verdict.kind === 'ceremony')
    .map(({ event, by }) => [event, by]);
const ripe = (id: Uint8Array<ArrayBuffer>, kind: 'replaceDevice' | 'replaceKit') =>
  running.cosigner.store.viewWallet(device.keys.wallet, (view) =>
    ripeCeremony(running.cosigner, view, id, kind),
  );

describe('who has only the words', () => {
  test('begins a ceremony from a device without a wallet, sees it wait, and it is allowed to the hour', async () => {
    await born();
    const act = opening(newDeviceKeys());
    const { ceremony } = await byWords(stranger, device, act);
    expect(ceremony).toMatchObject({
      id: idOf(act),
      phase: 'waiting',
      openedBy: 'words',
      leftMs: BigInt(DELAY),
    });
    // The same bytes again begin nothing.
    time.now += HOUR;
    expect((await byWords(stranger, device, act)).ceremony).toMatchObject({
      id: ceremony.id,
      openedAt: START,
    });
    expect(await listed()).toHaveLength(1);
    time.now = START;

    await pass(DELAY - 1);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'waiting', leftMs: 1n });
    await expect(ripe(ceremony.id, 'replaceDevice')).rejects.toEqual(code('CeremonyWaits'));
    await pass(1);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'ripe', leftMs: BigInt(RIPE_MS) });
    expect(await ripe(ceremony.id, 'replaceDevice')).toEqual(act.kind === 'open' ? act.purpose : null);
    await expect(ripe(ceremony.id, 'replaceKit')).rejects.toEqual(code('SessionUnknown'));
    expect(await eventsOf()).toEqual([
      ['opened', 'words'],
      ['ripe', null],
    ]);
  });

  test('waits as long as the policy said when it began', async () => {
    await born({ delay: DAY });
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys()));
    await pass(DAY);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'ripe' });
  });

  test('attack-22: gets nothing at once, and nothing after the delay once the owner has contested', async () => {
    await born();
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys()));
    await expect(ripe(ceremony.id, 'replaceDevice')).rejects.toEqual(code('CeremonyWaits'));
    await byDevice(client, device, saying(ceremony, 'contest', time.now));
    await pass(DELAY + DAY);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'contested' });
    await expect(ripe(ceremony.id, 'replaceDevice')).rejects.toEqual(code('CeremonyWaits'));
  });

  test('is told the same of a wallet that is not here, of a bad signature, and of a ceremony that never was', async () => {
    await born();
    const { device: other } = await newDevice(running);
    const nobody = { recoveryHost: (await newDevice(running)).device.host };
    await expect(byWords(stranger, nobody, opening(newDeviceKeys()))).rejects.toEqual(code('SessionUnknown'));
    // Another's wallet, named; another's ceremony.
    await expect(byWords(stranger, device, opening(newDeviceKeys(), other.keys.wallet))).rejects.toEqual(
      code('SessionUnknown'),
    );
    const { ceremony } = await byWords(stranger, other, opening(newDeviceKeys()));
    for (const says of ['approve', 'contest'] as const)
      await expect(byWords(stranger, device, saying(ceremony, says, time.now))).rejects.toEqual(
        code('SessionUnknown'),
      );
    await expect(statusOf(systemRandom(32))).rejects.toEqual(code('SessionUnknown'));
    await expect(
      byWords(stranger, nobody, { kind: 'freeze', network: 'regtest', random: systemRandom(16) }),
    ).rejects.toEqual(code('SessionUnknown'));

    // A bad signature is one answer, whether the key has a wallet here or not.
    for (const words of [device, nobody]) {
      const good = decode(wordsAct, await signedByWords(words, opening(newDeviceKeys())));
      const message = encode(wordsAct, { ...good, signature: systemRandom(64) });
      await expect(stranger.ask({ kind: 'actByWords', message }, 'ceremony')).rejects.toMatchObject({
        code: 'Unauthorised',
        detail: 'words',
      });
    }
    await expect(
      byWords(stranger, device, { ...opening(newDeviceKeys()), network: 'mainnet' } as never),
    ).rejects.toEqual(code('WrongNetwork'));
    expect(await listed()).toEqual([]);
  });

  test('names keys that are new to the wallet', async () => {
    await born();
    for (const hostKey of device.keys.hostKeys)
      await expect(
        byWords(stranger, device, opening({ ...newDeviceKeys(), hostKey } as CeremonyPurpose)),
      ).rejects.toEqual(code('BadIdentifier'));
  });

  test('may not begin what takes the device, and the device not what takes the words', async () => {
    await born();
    await expect(byWords(stranger, device, opening(newKitKeys()))).rejects.toEqual(code('Unauthorised'));
    await expect(byDevice(client, device, opening(newDeviceKeys()))).rejects.toEqual(code('Unauthorised'));
    await expect(
      byWords(
        stranger,
        device,
        opening({ kind: 'loosenPolicy', document: encodePolicy({ ...policyOf(), version: 2, windows: [] }) }),
      ),
    ).rejects.toEqual(code('Unauthorised'));
  });

  test('is held to a few ceremonies at a time, a few a day, and to the rate of its address', async () => {
    await born({}, { strangers: { burst: 400, perMinute: 1 } });
    const begin = async () => (await byWords(stranger, device, opening(newDeviceKeys()))).ceremony;
    const first = [await begin(), await begin(), await begin()];
    await expect(begin()).rejects.toEqual(code('RateLimited'));
    for (const each of first) await byWords(stranger, device, saying(each, 'contest', ++time.now));
    // Six within a day, whether they have ended or not.
    const second = [await begin(), await begin(), await begin()];
    for (const each of second) await byWords(stranger, device, saying(each, 'contest', ++time.now));
    await expect(begin()).rejects.toMatchObject({ code: 'RateLimited', detail: 'ceremonies' });
    time.now += DAY;
    await begin();
    // And the address pays, for whatever is brought: an enrolled device that brings the words of others too.
    const refused = () =>
      byWords(client, device, opening(newDeviceKeys())).then(
        () => 'not at all',
        (e: HoarfrostError) => e.detail ?? e.code,
      );
    await expect.poll(refused, { interval: 1, timeout: 30_000 }).toBe('RateLimited');
  });

  test('finds the youngest wallet of its words, and each that it names', async () => {
    await born();
    const { store } = running.cosigner;
    const { device: other } = await newDevice(running);
    // The words of the first wallet are put down for the other: an index, which the certified keys do not bear out.
    await store.withWallet(other.keys.wallet, (tx) => tx.replaceRecovery(device.keys.hostKeys[2]));
    await expect(byWords(stranger, device, opening(newDeviceKeys(), other.keys.wallet))).rejects.toEqual(
      code('SessionUnknown'),
    );
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys(), device.keys.wallet));
    expect((await listed())[0]).toMatchObject({ id: ceremony.id });
  });

  test('freezes at once, whatever the limits, and no copy of the order freezes what two have thawed', async () => {
    await born({}, { decisions: { most: 1, inMs: DAY } });
    await ask('signed');
    const order = { kind: 'freeze', network: 'regtest', random: systemRandom(16) } as const;
    const elsewhere = { ...order, network: 'signet' } as const;
    await expect(byWords(stranger, device, elsewhere, 'frozen')).rejects.toEqual(code('WrongNetwork'));
    await byWords(stranger, device, order, 'frozen');
    await byWords(stranger, device, order, 'frozen');
    expect((await client.hello()).policyVersion).toBe(2);
    time.now += DAY;
    await restart();
    expect(await ask('refused')).toMatchObject({ verdict: { rule: 'frozen' } });

    const frozen = { ...policyOf(), version: 2, frozen: true };
    await changeTo(frozen, { ...policyOf(), version: 3 }, ['device', 'recovery']);
    await ask('signed');
    await expect(byWords(stranger, device, order, 'frozen')).rejects.toEqual(code('Unauthorised'));
    await ask('signed');
    // Nor does the device bring the copy, as a version of its own.
    const signer = await load();
    const body = encode(ceremonyAct, order);
    const copy = encode(signedPolicy, {
      document: encodePolicy({ ...policyOf(), version: 4, frozen: true }),
      epoch: 0,
      device: null,
      recovery: Uint8Array.from(
        signer.schnorrSign(device.recoveryHost, wordsActHash(body), systemRandom(32)),
      ),
      freeze: body,
      ceremony: null,
    });
    await expect(client.ask({ kind: 'changePolicy', signed: copy }, 'done')).rejects.toEqual(
      code('Unauthorised'),
    );
    await byWords(stranger, device, { ...order, random: systemRandom(16) }, 'frozen');
    await ask('refused');
  });
});

const changeTo = (previous: Policy, next: Policy, by: PolicySigner[]) =>
  changePolicy(client, device, running.cosigner.identity, previous, next, by);

describe('a contest', () => {
  test('stops the device’s signing until two agree', async () => {
    await born();
    await ask('signed');
    const ceremony = await byDevice(client, device, opening(newKitKeys()));
    await ask('signed');
    await byWords(stranger, device, saying(ceremony, 'contest', time.now));
    expect(await ask('refused')).toMatchObject({ verdict: { rule: 'contested' } });
    await restart();
    expect(await ask('refused')).toMatchObject({ verdict: { rule: 'contested' } });
    // The device withdraws what it had asked for: two are against it.
    await byDevice(client, device, saying(ceremony, 'contest', time.now));
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'void', leftMs: 0n });
    await ask('signed');
    expect(await eventsOf()).toEqual([
      ['opened', 'device'],
      ['contested', 'words'],
      ['contested', 'device'],
      ['void', null],
    ]);
  });

  test('that nobody settles goes as the words would have it, after 30 days', async () => {
    await born();
    const ceremony = await byDevice(client, device, opening(newKitKeys()));
    await byWords(stranger, device, saying(ceremony, 'contest', time.now));
    await pass(CONTEST_MS - 1);
    await ask('refused');
    await pass(1);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'void' });
    await ask('signed');

    const other = (await byWords(stranger, device, opening(newDeviceKeys()))).ceremony;
    await byDevice(client, device, saying(other, 'contest', time.now));
    await pass(CONTEST_MS);
    expect(await statusOf(other.id)).toMatchObject({ phase: 'ripe' });
  });

  test('of one that has ended is told so, and of one that is another’s nothing', async () => {
    await born();
    const ceremony = await byDevice(client, device, opening(newKitKeys()));
    await byDevice(client, device, saying(ceremony, 'contest', time.now));
    await expect(byDevice(client, device, saying(ceremony, 'approve', time.now + 1))).rejects.toEqual(
      code('CeremonyEnded'),
    );
    const other = await newDevice(running);
    await expect(byDevice(other.client, other.device, saying(ceremony, 'contest', time.now))).rejects.toEqual(
      code('SessionUnknown'),
    );
  });
});

describe('two at once', () => {
  test('device and words allow at once, and what is ripe is listed with its events', async () => {
    await born();
    const ceremony = await byDevice(client, device, opening(newKitKeys()));
    await byWords(stranger, device, saying(ceremony, 'approve', time.now));
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'ripe', approvals: ['device', 'words'] });
    expect(await ripe(ceremony.id, 'replaceKit')).toMatchObject({ kind: 'replaceKit' });
    await pass(RIPE_MS);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'void' });
  });

  test('a proof of the device holds on its own connection only, and by its share only', async () => {
    await born();
    const act = opening(newKitKeys());
    const again = await Client.connect(addressOf(running), device.noise);
    const elsewhere = { transport: again.transport, ask: client.ask.bind(client) } as unknown as Client;
    await expect(byDevice(elsewhere, device, act)).rejects.toEqual(code('Unauthorised'));
    await expect(byDevice(client, { share: device.recoveryShare }, act)).rejects.toEqual(
      code('Unauthorised'),
    );
    await expect(byDevice(stranger, device, act)).rejects.toEqual(code('NotEnrolled'));
    await expect(
      byDevice(client, device, { kind: 'freeze', network: 'regtest', random: systemRandom(16) }),
    ).rejects.toEqual(code('Unauthorised'));
    expect(await listed()).toEqual([]);
  });
});

describe('clocks and stores', () => {
  test('a restart a week later, or a clock that jumped, brings no ceremony nearer than one step', async () => {
    await born();
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys()));
    time.now += DELAY * 2;
    await restart();
    await lookAtAll(running.cosigner);
    expect(await statusOf(ceremony.id)).toMatchObject({
      phase: 'waiting',
      leftMs: BigInt(DELAY - STEP_MAX_MS),
    });
    // Back again by a day, and on: what was counted stays, nothing counts twice.
    time.now -= DAY;
    await lookAtAll(running.cosigner);
    expect(await statusOf(ceremony.id)).toMatchObject({ leftMs: BigInt(DELAY - STEP_MAX_MS) });
  });

  test('after a loss all waits anew, a contest that is known still stands, and what was ripe is not', async () => {
    await born();
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys()));
    await pass(DELAY);
    const contested = await byDevice(client, device, opening(newKitKeys()));
    await byWords(stranger, device, saying(contested, 'contest', time.now));
    await running.cosigner.store.declareLoss(systemRandom(16), time.now);
    await lookAtAll(running.cosigner);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'waiting', leftMs: BigInt(DELAY) });
    await expect(ripe(ceremony.id, 'replaceDevice')).rejects.toEqual(code('CeremonyWaits'));
    expect(await statusOf(contested.id)).toMatchObject({ phase: 'contested' });
    await pass(DELAY - 1);
    expect(await statusOf(ceremony.id)).toMatchObject({ phase: 'waiting', leftMs: 1n });
  });

  test('whoever writes to the database makes no ceremony ripe, nor that of another wallet their own', async () => {
    await born();
    const { ceremony } = await byWords(stranger, device, opening(newDeviceKeys()));
    const other = await newDevice(running);
    const theirs = await byDevice(other.client, other.device, opening(newKitKeys()));
    await byWords(stranger, other.device, saying(theirs, 'approve', time.now));
    await running.stop();
    const db = new DatabaseSync(join(folder, 'cosigner.sqlite'));
    const body = db
      .prepare("SELECT body FROM record WHERE kind = 'ceremony' AND key = ?")
      .get(theirs.id)!.body;
    db.prepare("UPDATE record SET body = ? WHERE kind = 'ceremony' AND key = ?").run(
      body as Uint8Array,
      ceremony.id,
    );
    db.close();
    await start();
    await meetStranger();
    await expect(ripe(ceremony.id, 'replaceDevice')).rejects.toEqual(code('Internal'));
    await expect(statusOf(ceremony.id)).rejects.toEqual(code('Internal'));
    // And nobody else's time stands still for it.
    await lookAtAll(running.cosigner);
    expect(running.logLines.some((line) => line.includes('ceremonies not looked at'))).toBe(true);
  });
});

test('the device of the wallet hears that something happened, and no other', async () => {
  await born();
  const other = await newDevice(running);
  await byWords(stranger, device, opening(newDeviceKeys()));
  await client.hello();
  await other.client.hello();
  await stranger.hello();
  expect(client.notices).toContainEqual({ kind: 'ceremony' });
  expect(other.client.notices).toEqual([]);
  expect(stranger.notices).toEqual([]);
});
