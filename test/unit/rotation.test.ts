/**
 * A cosigner changes its channel key: real server and real device over TLS, across restarts and deaths of both. A device learns
 * it over a channel made with the key before, from the signing key alone, whenever it comes, and never an older one.
 */
import { copyFileSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup, restore } from '../../src/cosigner/backup.ts';
import { channelKeyFile, retireChannelKeys, rotateChannelKey } from '../../src/cosigner/channelKeys.ts';
import type { Cosigner } from '../../src/cosigner/cosigner.ts';
import { checkHealth } from '../../src/cosigner/health.ts';
import { announcedKey, type OwnChannelKey } from '../../src/cosigner/identity.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { sayChannelKey } from '../../src/frost/channelKey.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { newWords } from '../../src/recovery/words.ts';
import {
  addressOf,
  Client,
  newDevice,
  type Running,
  removeFolder,
  START,
  startCosigner,
  testFolder,
} from '../support/cosigner.ts';
import {
  copyOf,
  type Death,
  databaseOf,
  Killed,
  newProfile,
  type Profile,
  Worker,
} from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { askToReturn, MovedClock, takePlace } from '../support/returning.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const DAY = 86_400_000;

let folder: string;
let clock: MovedClock;
let running: Running;
let words: string[];
let profile: Profile;

beforeEach(async () => {
  folder = testFolder();
  clock = new MovedClock(START);
  running = await startCosigner({ folder, clock });
  words = newWords();
  profile = fresh();
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running), words);
  worker.kill();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

function fresh(): Profile {
  const made = newProfile();
  made.clock.wall = clock.time;
  return made;
}

type Around = (cosigner: Cosigner) => Cosigner;

/** Where it was, with the files and the store as they are now. */
async function restart(around?: Around): Promise<void> {
  const { port } = running.listener;
  await running.stop();
  running = await startCosigner({ folder, clock, port, ...(around === undefined ? {} : { around }) });
}

const told = async () => (await running.cosigner.store.greeting()).channelKey?.number ?? 0;
const keyNamed = (number: number) =>
  running.cosigner.identity.channelKeys.find((key) => key.number === number)!.noise.publicKey;
const announce = (number: number) => running.cosigner.store.announce({ number, noiseKey: keyNamed(number) });
const channelFiles = () => readdirSync(folder).filter((name) => name.startsWith('noise'));

/** All of a rotation but the end of the overlap. */
async function rotate(): Promise<void> {
  const next = await rotateChannelKey(folder, await told(), systemRandom);
  await restart();
  await announce(next);
}
async function retire(): Promise<void> {
  await retireChannelKeys(folder, await told());
  await restart();
}

/** A life of the worker that connects once: what it pins then, and why it could not. */
async function visit(who = profile, death?: Death): Promise<{ pins: string; error: string | null }> {
  const worker = await Worker.start(who, death === undefined ? {} : { death });
  try {
    if ((await worker.call('state', null)).phase === 'locked')
      await worker.call('unlock', { password: PASSWORD });
    await worker.call('refresh', null);
    const state = await worker.call('state', null);
    if (state.phase !== 'unlocked') throw new Error(state.phase);
    return { pins: state.wallet.fingerprint, error: state.wallet.syncError };
  } finally {
    worker.kill();
  }
}
const well = (key: Uint8Array) => ({ pins: hex.encode(key), error: null });
const shakes = async (noiseKey: Uint8Array<ArrayBuffer>) => {
  const client = await Client.connect({ ...addressOf(running), noiseKey }, await generateNoiseKeyPair());
  await client.close();
};

describe('audit-01 a device', () => {
  test('hears of the new key once it is announced, pins it from then on, and the old one may go', async () => {
    const first = keyNamed(0);
    await rotateChannelKey(folder, 0, systemRandom);
    await restart();
    // Answered, and told to nobody.
    await shakes(keyNamed(1));
    expect(await visit()).toEqual(well(first));
    await announce(1);
    expect(await visit()).toEqual(well(keyNamed(1)));
    await retire();
    expect(channelFiles()).toEqual(['noise-1.key']);
    await expect(shakes(first)).rejects.toThrow('WrongCosignerKey');
    expect(await visit()).toEqual(well(keyNamed(1)));
  });

  test('that missed several takes the last, over the oldest', async () => {
    await rotate();
    await rotate();
    await rotate();
    expect(channelFiles()).toHaveLength(4);
    expect(await visit()).toEqual(well(keyNamed(3)));
    await expect(rotateChannelKey(folder, 3, systemRandom)).rejects.toEqual(code('BadConfiguration'));
    await retire();
    await rotate();
    expect(await visit()).toEqual(well(keyNamed(4)));
  });

  test('that slept through all of the overlap is told apart, and comes back over the old key alone', async () => {
    const first = readFileSync(join(folder, 'noise.key'));
    const pins = hex.encode(keyNamed(0));
    await rotate();
    await retire();
    expect(await visit()).toEqual({ pins, error: 'WrongCosignerKey' });
    // No link brings another key to a wallet that is here.
    const worker = await Worker.start(profile);
    const tried = worker.call('tryPairing', { uri: await linkOf(running), network: 'regtest' });
    await expect(tried).rejects.toEqual(code('WalletExists'));
    worker.kill();
    writeFileSync(join(folder, 'noise.key'), first, { mode: 0o600 });
    await restart();
    expect(await visit()).toEqual(well(keyNamed(1)));
  });

  test.each([
    ['before', ['old', 'new']],
    ['after', ['new']],
  ] as const)(
    'that dies just %s any of its writes pins one of the two, and then the new one',
    { timeout: 60_000 },
    async (when, left) => {
      await rotate();
      let died = true;
      const seen = new Set<string>();
      for (let at = 1; died; at++) {
        const copy = await copyOf(profile);
        died = await visit(copy, { by: 'write', at, when }).then(
          () => false,
          (e) => {
            if (e instanceof Killed) return true;
            throw e;
          },
        );
        const db = await databaseOf(copy);
        const row = await db.get('wallet', 'wallet');
        db.close();
        seen.add((row?.channelKey ?? null) === null ? 'old' : 'new');
        expect(await visit(copy)).toEqual(well(keyNamed(1)));
      }
      expect(seen).toEqual(new Set(left));
    },
  );

  test('uses the new key only once it is on disk', async () => {
    const pins = hex.encode(keyNamed(0));
    await rotate();
    const worker = await Worker.start(profile);
    const { db } = worker.life;
    const write = db.write.bind(db);
    let full = true;
    db.write = async (changes) => {
      if (full && changes.some(({ store }) => store === 'wallet')) throw new Error('disk full');
      await write(changes);
    };
    const pinned = async () => {
      const state = await worker.call('state', null);
      return state.phase === 'unlocked' ? state.wallet.fingerprint : state.phase;
    };
    await worker.call('refresh', null);
    expect(await pinned()).toBe(pins);
    full = false;
    await worker.call('refresh', null);
    expect(await pinned()).toBe(hex.encode(keyNamed(1)));
    worker.kill();
  });
});

describe('audit-01 a server that holds the pinned key and not the signing key', () => {
  /** Says `statement` of its newest key, in place of what the host key says. */
  const saying =
    (statement: (key: OwnChannelKey) => Uint8Array<ArrayBuffer> | null): Around =>
    (parts) => {
      const { identity } = parts;
      const channelKeys = identity.channelKeys.map((key) => ({ ...key, statement: statement(key) }));
      return { ...parts, identity: { ...identity, channelKeys } };
    };
  const thief = () => Secret.own(systemRandom(32));
  let pins: string;
  beforeEach(async () => {
    await rotate();
    await rotate();
    await visit();
    pins = hex.encode(keyNamed(2));
  });
  async function refused(around: Around): Promise<void> {
    const row = async () => {
      const db = await databaseOf(profile);
      const { channelKey } = (await db.get('wallet', 'wallet'))!;
      db.close();
      return channelKey;
    };
    const before = await row();
    expect(before).toBeDefined();
    await restart(around);
    expect(await visit()).toEqual({ pins, error: 'ChannelKeyRefused' });
    expect(await row()).toEqual(before);
    // And nothing is lost: with the true one all is as it was.
    await restart();
    expect(await visit()).toEqual(well(keyNamed(2)));
  }

  test('forges none', async () => {
    const signer = await load();
    const { hostKey } = running.cosigner.identity;
    const said = { cosigner: hostKey, number: 9, noiseKey: systemRandom(32) };
    await refused(saying(() => sayChannelKey(signer, thief(), said, systemRandom)));
  });

  test('brings none of another cosigner', async () => {
    const signer = await load();
    const host = thief();
    const cosigner = Uint8Array.from(signer.publicKey(host).subarray(1));
    const said = { cosigner, number: 9, noiseKey: systemRandom(32) };
    await refused(saying(() => sayChannelKey(signer, host, said, systemRandom)));
  });

  test('sets no device back with an old one', async () => {
    const old = running.cosigner.identity.channelKeys[1]!.statement;
    await refused(saying(() => old));
  });

  test('gives no other key under the same number', async () => {
    const signer = await load();
    const { host, hostKey } = running.cosigner.identity;
    const said = { cosigner: hostKey, number: 2, noiseKey: systemRandom(32) };
    const again = sayChannelKey(signer, host, said, systemRandom);
    await refused(saying(() => again));
  });
});

test('audit-01 a row that was written into the profile brings no key that the cosigner never signed', async () => {
  await rotate();
  const signer = await load();
  const { hostKey } = running.cosigner.identity;
  const put = async (host: Secret, cosigner: Uint8Array<ArrayBuffer>) => {
    const db = await databaseOf(profile);
    const row = (await db.get('wallet', 'wallet'))!;
    const channelKey = sayChannelKey(
      signer,
      host,
      { cosigner, number: 7, noiseKey: systemRandom(32) },
      systemRandom,
    );
    await db.write([{ store: 'wallet', key: 'wallet', value: { ...row, channelKey } }]);
    db.close();
  };
  const thief = Secret.own(systemRandom(32));
  await put(thief, hostKey);
  const worker = await Worker.start(profile);
  expect(await worker.call('state', null)).toMatchObject({ phase: 'locked' });
  await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code('VaultDamaged'));
  worker.kill();
  // Of a cosigner that the wallet has left, for all that can be known: it counts for nothing.
  await put(thief, Uint8Array.from(signer.publicKey(thief).subarray(1)));
  expect(await visit()).toEqual(well(keyNamed(1)));
});

describe('audit-01 a new wallet', () => {
  async function birth(uri: string): Promise<[Profile, Uint8Array<ArrayBuffer>]> {
    const born = fresh();
    const worker = await Worker.start(born);
    const certificate = await onboard(worker, uri);
    worker.kill();
    return [born, certificate];
  }

  test('is paired by the announced key, and never knows of the one before', async () => {
    const before = await linkOf(running);
    await rotateChannelKey(folder, 0, systemRandom);
    await restart();
    expect(await linkOf(running, 't')).toContain(`k=${hex.encode(keyNamed(0))}`);
    await announce(1);
    const link = await linkOf(running);
    expect(link).toContain(`k=${hex.encode(keyNamed(1))}`);
    const [born, certificate] = await birth(link);
    expect(verifyCertificate(await load(), certificate).cosignerNoiseKey).toEqual(keyNamed(1));
    expect(await visit(born)).toEqual(well(keyNamed(1)));
    // A link from before the announcement is good as long as its key is.
    const [late] = await birth(before);
    expect(await visit(late)).toEqual(well(keyNamed(1)));
    await retire();
    expect(await visit(born)).toEqual(well(keyNamed(1)));
    expect(await visit(late)).toEqual(well(keyNamed(1)));
  });

  test('knows the number of its key from the first greeting: an old statement does not set it back', async () => {
    await rotate();
    await rotate();
    const [born] = await birth(await linkOf(running));
    expect(await visit(born)).toEqual(well(keyNamed(2)));
    const old = running.cosigner.identity.channelKeys[1]!.statement;
    await restart((parts) => {
      const channelKeys = parts.identity.channelKeys.map((key) => ({ ...key, statement: old }));
      return { ...parts, identity: { ...parts.identity, channelKeys } };
    });
    expect(await visit(born)).toEqual({ pins: hex.encode(keyNamed(2)), error: 'ChannelKeyRefused' });
  });
});

describe('audit-01 a new device for an old wallet', () => {
  async function ripe(meanwhile = async () => {}): Promise<Worker> {
    const newcomer = fresh();
    let worker = await Worker.start(newcomer);
    await askToReturn(worker, running, words);
    worker.kill();
    await meanwhile();
    await clock.pass(running, 7 * DAY);
    newcomer.clock.wall = clock.time;
    worker = await Worker.start(newcomer);
    return worker;
  }

  test('comes in by a link whose key the records do not name, and the signing key does', async () => {
    await rotate();
    await retire();
    const worker = await ripe();
    await takePlace(worker, words);
    await worker.call('refresh', null);
    expect(await worker.call('state', null)).toMatchObject({
      phase: 'unlocked',
      wallet: { syncError: null, fingerprint: hex.encode(keyNamed(1)) },
    });
    worker.kill();
  });

  test('comes in by a link whose key is not the newest any more, as long as it is answered', async () => {
    await rotate();
    const worker = await ripe(rotate);
    await takePlace(worker, words);
    await worker.call('refresh', null);
    expect(await worker.call('state', null)).toMatchObject({
      phase: 'unlocked',
      wallet: { syncError: null, fingerprint: hex.encode(keyNamed(2)) },
    });
    worker.kill();
  });

  test('not by one that nobody vouches for', async () => {
    await rotate();
    await restart((parts) => {
      const channelKeys = parts.identity.channelKeys.map((key) => ({ ...key, statement: null }));
      return { ...parts, identity: { ...parts.identity, channelKeys } };
    });
    const worker = await ripe();
    await expect(takePlace(worker, words)).rejects.toEqual(code('WrongCosignerKey'));
    worker.kill();
  });
});

describe('audit-01 the server', () => {
  test('killed between any two steps has lost nothing, and each step may be repeated', async () => {
    const first = keyNamed(0);
    expect(await rotateChannelKey(folder, 0, systemRandom)).toBe(1);
    const made = readFileSync(join(folder, channelKeyFile(1)));
    // Two that rotate at once, and one that was killed before it said so.
    expect(await Promise.all([1, 2].map(() => rotateChannelKey(folder, 0, systemRandom)))).toEqual([1, 1]);
    expect(readFileSync(join(folder, channelKeyFile(1)))).toEqual(made);
    await restart();
    expect(await visit()).toEqual(well(first));
    await announce(1);
    await announce(1);
    await restart();
    expect(await told()).toBe(1);
    expect(await visit()).toEqual(well(keyNamed(1)));
    await rotate();
    // Killed while it retired: the oldest is gone, the next is not.
    unlinkSync(join(folder, channelKeyFile(0)));
    await restart();
    expect(await visit()).toEqual(well(keyNamed(2)));
    expect(await retireChannelKeys(folder, 2)).toEqual([1]);
    expect(await retireChannelKeys(folder, 2)).toEqual([]);
    await restart();
    expect(await visit()).toEqual(well(keyNamed(2)));
  });

  test('retires nothing while the announced key is not here', async () => {
    await rotate();
    unlinkSync(join(folder, channelKeyFile(1)));
    await expect(retireChannelKeys(folder, 1)).rejects.toEqual(code('BadConfiguration'));
    expect(channelFiles()).toEqual(['noise.key']);
    // It is lost: who pins it must go on with the words, everybody else gets the one after.
    expect(await rotateChannelKey(folder, 1, systemRandom)).toBe(2);
    await restart();
    await announce(2);
    expect(await visit()).toEqual(well(keyNamed(2)));
  });

  test('of two instances each tells the same, in one moment, once both answer', async () => {
    const second = testFolder();
    const copy = (name: string) => copyFileSync(join(folder, name), join(second, name));
    for (const name of ['host.key', 'noise.key']) copy(name);
    const store = async () => openSqlite(join(folder, 'cosigner.sqlite'));
    let beside = await startCosigner({ folder: second, clock, store });
    const { device } = await newDevice(running);
    const greeted = async (at: Running, noiseKey: Uint8Array<ArrayBuffer>) => {
      const client = await Client.shake({ ...addressOf(at), noiseKey }, device.noise);
      const { channelKey } = await client.hello();
      await client.close();
      return channelKey;
    };
    const health = async (of: Running) => (await checkHealth(of.cosigner, false)).health.keys;
    try {
      const first = keyNamed(0);
      await rotate();
      // It was not restarted with a copy of the file: it says nothing wrong, and is not given work.
      expect(await greeted(beside, first)).toBeNull();
      expect(await health(running)).toBe('ok');
      expect(await health(beside)).toBe('BadConfiguration');
      const { channelKey } = await beside.cosigner.store.greeting();
      expect(() => announcedKey(beside.cosigner.identity, channelKey)).toThrow('noise-1.key');
      await beside.stop();
      // Nor with one that was made there: who pinned that would be answered by no other instance, and by none once it is put right.
      await rotateChannelKey(second, 0, systemRandom);
      beside = await startCosigner({ folder: second, clock, store });
      expect(await health(beside)).toBe('BadConfiguration');
      expect(await greeted(beside, first)).toBeNull();
      await beside.stop();

      copy(channelKeyFile(1));
      beside = await startCosigner({ folder: second, clock, store });
      expect(await health(beside)).toBe('ok');
      const number = await rotateChannelKey(folder, 1, systemRandom);
      copy(channelKeyFile(number));
      await restart();
      await beside.stop();
      beside = await startCosigner({ folder: second, clock, store });
      const one = await greeted(beside, first);
      await announce(2);
      const two = await greeted(beside, first);
      expect(two).not.toEqual(one);
      expect(beside.cosigner.identity.channelKeys.map(({ statement }) => statement)).toEqual([
        null,
        one,
        two,
      ]);
    } finally {
      await beside.stop();
      removeFolder(second);
    }
  });

  test('never says an older key to who has a newer one, be the announcement lost with the store', async () => {
    await rotate();
    await rotate();
    expect(await visit()).toEqual(well(keyNamed(2)));
    const before = { number: 1, noiseKey: keyNamed(1) };
    await restart((parts) => ({
      ...parts,
      store: new Proxy(parts.store, {
        get(store, name) {
          if (name === 'greeting') return async () => ({ ...(await store.greeting()), channelKey: before });
          const found = Reflect.get(store, name);
          return typeof found === 'function' ? found.bind(store) : found;
        },
      }),
    }));
    expect(await visit()).toEqual(well(keyNamed(2)));
  });

  test('restored from a backup of before the rotation announces the newest key that it has', async () => {
    const { cosigner } = running;
    const parts = { ...cosigner, now: clock.now };
    const secret = { kind: 'keyFile', path: join(folder, 'backup.key') } as const;
    writeFileSync(secret.path, systemRandom(32), { mode: 0o600 });
    await backup(cosigner.store, parts, join(folder, 'backup'), secret);
    await rotate();
    await retire();
    await running.stop();
    for (const name of readdirSync(folder))
      if (name.startsWith('cosigner.sqlite')) unlinkSync(join(folder, name));
    const store = openSqlite(join(folder, 'cosigner.sqlite'));
    await restore(store, { ...running.cosigner, now: clock.now }, join(folder, 'backup'), secret);
    await store.close();
    running = await startCosigner({ folder, clock });
    expect(await told()).toBe(1);
    expect(await linkOf(running)).toContain(hex.encode(keyNamed(1)));
  });
});
