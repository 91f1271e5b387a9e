/** The device's copies of the policy's versions, against a real cosigner that forgets: one that was put back to an earlier state. */
import { cpSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { Policies } from '../../src/device/policies.ts';
import { firstEpoch } from '../../src/frost/epoch.ts';
import { wordsActHash } from '../../src/policy/ceremony.ts';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { policyChangeHash, signedPolicy } from '../../src/policy/versions.ts';
import { ceremonyAct, wordsAct } from '../../src/protocol/ceremony.ts';
import { encode } from '../../src/protocol/codec.ts';
import type { Request } from '../../src/protocol/messages.ts';
import { keysFromWords, newWords } from '../../src/recovery/words.ts';
import {
  addressOf,
  Client,
  newDevice,
  policyOf,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import { databaseOf, environmentOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard } from '../support/onboard.ts';

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
let profile: Profile;
let asked: Request[];
const others: string[] = [];

beforeEach(async () => {
  folder = testFolder();
  profile = newProfile();
  asked = [];
  running = await startCosigner({ folder });
  ({ device, client } = await newDevice(running));
});
afterEach(async () => {
  await running.stop();
  for (const other of [folder, ...others.splice(0)]) removeFolder(other);
});

/** As a worker has it that has just been unlocked. */
async function open(): Promise<Policies> {
  const signer = await load();
  const db = await databaseOf(profile);
  const current = firstEpoch(signer, device.keys);
  return Policies.open({
    db,
    env: environmentOf(profile),
    signer,
    vault: { share: async () => Secret.own(Uint8Array.from(device.share.expose())) },
    wallet: { key: device.keys, epochs: { current, all: [current] } },
    channel: {
      connection: async () => ({
        request: (message: Request, kind: 'done') => {
          asked.push(message);
          return client.ask(message, kind);
        },
      }),
    },
  } as unknown as Parameters<typeof Policies.open>[0]);
}

/** What the hello says, and what follows from it. */
async function greet(policies: Policies): Promise<void> {
  await policies.settle((await client.hello()).policyVersion);
}

async function change(previous: Policy, next: Policy, by: ('device' | 'recovery')[]): Promise<Policy> {
  const signer = await load();
  const hash = policyChangeHash(device.keys.wallet, previous, next);
  const sign = (key: Secret) => Uint8Array.from(signer.schnorrSign(key, hash, systemRandom(32)));
  const signed = encode(signedPolicy, {
    document: encodePolicy(next),
    epoch: 0,
    device: by.includes('device') ? sign(device.share) : null,
    recovery: by.includes('recovery') ? sign(device.recoveryHost) : null,
    freeze: null,
    ceremony: null,
  });
  await client.ask({ kind: 'changePolicy', signed }, 'done');
  return next;
}

async function freezeByWords(host = device.recoveryHost): Promise<void> {
  const signer = await load();
  const act = encode(ceremonyAct, { kind: 'freeze', network: 'regtest', random: systemRandom(16) });
  const signature = Uint8Array.from(signer.schnorrSign(host, wordsActHash(act), systemRandom(32)));
  const hostKey = Uint8Array.from(signer.publicKey(host).subarray(1));
  const message = encode(wordsAct, { hostKey, act, signature });
  await client.ask({ kind: 'actByWords', message }, 'frozen');
}

/** All of the cosigner as it is now. */
async function snapshot(): Promise<string> {
  await running.stop();
  const copy = testFolder();
  others.push(copy);
  cpSync(folder, copy, { recursive: true });
  await start(folder);
  return copy;
}
async function start(place: string): Promise<void> {
  running = await startCosigner({ folder: place });
  client = await Client.connect(addressOf(running), device.noise);
}
/** And as it was then. */
async function putBack(copy: string): Promise<void> {
  await running.stop();
  await start(copy);
}

const inForce = async () => (await client.ask({ kind: 'policy' }, 'policy')).document;
const tight = { ...policyOf({ perTransaction: 10_000n }), version: 2 };

test('versions that others made are fetched, verified and kept over a restart', async () => {
  const policies = await open();
  await change(policyOf(), tight, ['device']);
  const loose = await change(tight, { ...policyOf(), version: 3 }, ['device', 'recovery']);
  await freezeByWords();
  await greet(policies);
  expect(policies.current).toEqual({ ...loose, version: 4, frozen: true });
  expect(policies.signed).toHaveLength(3);
  asked = [];
  const again = await open();
  expect(again.signed).toEqual(policies.signed);
  await greet(again);
  expect(asked).toEqual([]);
});

test('more versions than one answer holds', async () => {
  let last = policyOf();
  for (let version = 2; version <= 20; version++) {
    last = await change(last, { ...last, version, unseen: 1_000_000n - BigInt(version) }, ['device']);
  }
  const policies = await open();
  await greet(policies);
  expect(policies.current).toEqual(last);
});

test('a cosigner that was put back gets what it lacks, as it was signed', async () => {
  const policies = await open();
  const copy = await snapshot();
  await change(policyOf(), tight, ['device']);
  const tighter = await change(tight, { ...tight, version: 3, unseen: 0n }, ['device']);
  await greet(policies);
  await putBack(copy);
  expect(await inForce()).toEqual(encodePolicy(policyOf()));
  await greet(await open());
  expect(await inForce()).toEqual(encodePolicy(tighter));
  expect(asked.filter(({ kind }) => kind === 'changePolicy')).toHaveLength(2);
});

test('a freeze by the words that it has forgotten holds again, as the device’s own', async () => {
  const policies = await open();
  await change(policyOf(), tight, ['device']);
  const copy = await snapshot();
  await freezeByWords();
  await greet(policies);
  await putBack(copy);
  await greet(policies);
  expect(policies.current).toEqual({ ...tight, version: 3, frozen: true });
  expect(await inForce()).toEqual(encodePolicy(policies.current));
});

test('where it has gone another way since, its versions count, and nothing that is not simply tighter is guessed', async () => {
  const policies = await open();
  const copy = await snapshot();
  await change(policyOf(), tight, ['device']);
  await change(tight, { ...tight, version: 3, unseen: 0n }, ['device']);
  await greet(policies);
  await putBack(copy);
  const other = await change(policyOf(), { ...policyOf({ feeAbsolute: 100_000n }), version: 2 }, ['device']);
  await greet(policies);
  // What held before allowed dearer fees, so it is not simply tighter: nothing is guessed.
  expect(policies.current).toEqual(other);
  expect(await inForce()).toEqual(encodePolicy(other));
  expect((await open()).current).toEqual(other);
});

test('a looser version that it has forgotten is not missed where it must not be: it is brought with both signatures', async () => {
  const policies = await open();
  await change(policyOf(), tight, ['device']);
  const copy = await snapshot();
  const loose = await change(tight, { ...policyOf(), version: 3 }, ['device', 'recovery']);
  await greet(policies);
  await putBack(copy);
  await greet(policies);
  expect(await inForce()).toEqual(encodePolicy(loose));
});

test('what the cosigner tells is not believed without its signatures, and what lies in the browser neither', async () => {
  const policies = await open();
  await change(policyOf(), tight, ['device']);
  const forged = encode(signedPolicy, {
    document: encodePolicy({ ...tight, perTransaction: null }),
    epoch: 0,
    device: systemRandom(64),
    recovery: null,
    freeze: null,
    ceremony: null,
  });
  const { ask } = client;
  client.ask = (async (message: Request, kind: 'policyVersions') =>
    message.kind === 'policyVersions'
      ? { kind, versions: [forged] }
      : ask.call(client, message, kind)) as typeof ask;
  await expect(policies.settle(2)).rejects.toMatchObject({ code: 'Unauthorised' });
  expect(policies.current).toEqual(policyOf());
  client.ask = ask;

  const db = await databaseOf(profile);
  await db.write([{ store: 'policies', key: 2, value: { version: 2, signed: forged } }]);
  const again = await open();
  expect(again.current).toEqual(policyOf());
  await greet(again);
  expect(again.current).toEqual(tight);
});

test('a worker fetches what was made while it was away, and hears of what is made while it is there', async () => {
  profile.clock.wall = Date.now();
  const words = newWords();
  const { host } = await keysFromWords(words);
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running), words);
  const db = await databaseOf(profile);
  const kept = async () => (await db.all('policies')).map(({ version }) => version);
  worker.device.pageOpened();
  await worker.call('refresh', null);
  await freezeByWords(host);
  await expect.poll(kept).toEqual([2]);
  await db.write([{ store: 'policies', key: 2, value: null }]);
  worker.kill();

  const next = await Worker.start(profile);
  await next.call('refresh', null);
  await expect.poll(kept).toEqual([2]);
  next.kill();
});
