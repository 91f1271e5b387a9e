import { beforeAll, describe, expect, test } from 'vitest';
import { KDF_FLOOR } from '../../src/crypto/kdf.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import {
  derivePasswordKey,
  type SealedShare,
  sealVault,
  unlockVault,
  Vault,
  type VaultRecord,
} from '../../src/device/vault.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';

const PASSWORD = 'winter morning train';
const EPOCH = 3;
const context = { wallet: new Uint8Array(32).fill(7), network: 'regtest' } as const;
const share = () => Secret.own(new Uint8Array(32).fill(0x5a));
const host = () => Secret.own(new Uint8Array(32).fill(0xa5));

let record: VaultRecord;
let row: SealedShare;
let channel: NoiseKeyPair;

beforeAll(async () => {
  channel = await generateNoiseKeyPair(true);
  const sealed = await sealVault({
    password: await derivePasswordKey(PASSWORD, systemRandom),
    context,
    epoch: EPOCH,
    share: share(),
    host: host(),
    channel,
    random: systemRandom,
  });
  sealed.dataKey.wipe();
  ({ record, share: row } = sealed.vault);
});

const open = (changed: VaultRecord, password = PASSWORD) => unlockVault(changed, { password, factor: null });
/** With the data key of the true record, over the changed one. */
const unlocked = async (changed: VaultRecord = record, rows: SealedShare[] = [row]) => {
  const get = async (_store: string, epoch: number) => rows.find((r) => r.epoch === epoch) ?? null;
  return Vault.open({ get } as never, changed, await open(record));
};

test('the password opens share, host key and channel key', async () => {
  const vault = await unlocked();
  expect((await vault.share(EPOCH)).expose()).toEqual(share().expose());
  expect((await vault.host()).expose()).toEqual(host().expose());
  const { privateKey, publicKey } = await vault.channel();
  expect(publicKey).toEqual(channel.publicKey);
  const other = await generateNoiseKeyPair();
  const bits = (key: CryptoKey, publicRaw: Uint8Array<ArrayBuffer>) =>
    crypto.subtle
      .importKey('raw', publicRaw, 'X25519', true, [])
      .then((p) => crypto.subtle.deriveBits({ name: 'X25519', public: p }, key, 256));
  expect(new Uint8Array(await bits(privateKey, other.publicKey))).toEqual(
    new Uint8Array(await bits(other.privateKey, channel.publicKey)),
  );
});

test('each epoch has a share of its own, and none stands in for another', async () => {
  const vault = await unlocked();
  const next = Secret.own(new Uint8Array(32).fill(0x33));
  const added = await vault.sealShare(EPOCH + 1, next, systemRandom);
  expect(added).toMatchObject({ epoch: EPOCH + 1 });
  const both = await unlocked(record, [row, added]);
  expect((await both.share(EPOCH)).expose()).toEqual(share().expose());
  expect((await both.share(EPOCH + 1)).expose()).toEqual(next.expose());
  await expect(both.share(EPOCH + 2)).rejects.toMatchObject({ code: 'VaultDamaged' });
  const swapped = await unlocked(record, [{ epoch: EPOCH, sealed: added.sealed }]);
  await expect(swapped.share(EPOCH)).rejects.toMatchObject({ code: 'VaultDamaged' });
});

test('a locked vault opens nothing, whoever still holds it', async () => {
  const vault = await unlocked();
  vault.lock();
  const uses = [vault.share(EPOCH), vault.host(), vault.channel(), vault.openShare(row)];
  for (const use of await Promise.allSettled(uses)) {
    expect(use).toMatchObject({ status: 'rejected', reason: { code: 'Locked' } });
  }
});

test('audit-10: the channel key that comes out cannot be exported', async () => {
  const { privateKey } = await (await unlocked()).channel();
  expect(privateKey.extractable).toBe(false);
  await expect(crypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow();
});

test('audit-10: the rows hold no secret in the clear', async () => {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', channel.privateKey));
  const stored = [...Object.values(record), ...Object.values(record.lock), row.sealed].filter(
    (v) => v instanceof Uint8Array,
  );
  const holds = (secret: Uint8Array) =>
    stored.some((bytes) => Buffer.from(bytes).includes(Buffer.from(secret)));
  expect(holds(channel.publicKey)).toBe(true); // the search finds what is there
  for (const secret of [share().expose(), host().expose(), pkcs8.slice(-32)])
    expect(holds(secret)).toBe(false);
});

test('WrongPassword', async () => {
  await expect(open(record, `${PASSWORD}!`)).rejects.toMatchObject({ code: 'WrongPassword' });
});

test('WeakPassword under eight characters', async () => {
  await expect(derivePasswordKey('7 chars', systemRandom)).rejects.toMatchObject({ code: 'WeakPassword' });
});

describe('a record that was tampered with', () => {
  const flipped = (bytes: Uint8Array) => {
    const out = Uint8Array.from(bytes);
    out[out.length - 1]! ^= 1;
    return out;
  };
  const withKdf = (change: object): VaultRecord => ({
    ...record,
    lock: { ...record.lock, kdf: { ...record.lock.kdf, ...change } },
  });

  test.each([
    ['memory under the floor', { memory: KDF_FLOOR.memory - 1 }],
    ['fewer passes', { passes: KDF_FLOOR.passes - 1 }],
    ['no lane', { lanes: 0 }],
    ['another version', { version: 2 }],
    ['a short salt', { salt: new Uint8Array(8) }],
    ['memory that nobody has', { memory: 1 << 30 }],
    ['passes that nobody waits for', { passes: 17 }],
    ['half a pass', { passes: 3.5 }],
    ['no number', { memory: Number.NaN }],
  ])('kdf with %s is VaultDamaged before anything is derived', async (_name, change) => {
    await expect(open(withKdf(change))).rejects.toMatchObject({ code: 'VaultDamaged' });
  });

  /** Sane, so that they are derived with, and found out by the AAD or by another key. */
  test.each([
    ['another salt, as a swapped record has it', () => ({ salt: flipped(record.lock.kdf.salt) })],
    ['more memory', () => ({ memory: KDF_FLOOR.memory + 1024 })],
    ['more passes', () => ({ passes: KDF_FLOOR.passes + 1 })],
  ])('%s does not unlock', async (_name, change) => {
    await expect(open(withKdf(change()))).rejects.toMatchObject({ code: 'WrongPassword' });
  });

  const relabelled: [string, Partial<VaultRecord>][] = [
    ['wallet', { wallet: new Uint8Array(32).fill(8) }],
    ['network', { network: 'mainnet' }],
  ];
  test.each(relabelled)('another %s does not unlock', async (_name, change) => {
    await expect(open({ ...record, ...change })).rejects.toMatchObject({ code: 'WrongPassword' });
  });
  test.each(relabelled)('another %s opens nothing, even with the data key', async (_name, change) => {
    const vault = await unlocked({ ...record, ...change });
    const uses = [vault.share(EPOCH), vault.host(), vault.channel()];
    for (const use of await Promise.allSettled(uses)) {
      expect(use).toMatchObject({ status: 'rejected', reason: { code: 'VaultDamaged' } });
    }
  });
  test('a share moved to another epoch does not open', async () => {
    const vault = await unlocked(record, [{ ...row, epoch: EPOCH + 1 }]);
    await expect(vault.share(EPOCH + 1)).rejects.toMatchObject({ code: 'VaultDamaged' });
  });

  test('nor does one that stands, whole, in the place of another epoch', async () => {
    const vault = await Vault.open({ get: async () => row } as never, record, await open(record));
    expect((await vault.share(EPOCH)).expose()).toEqual(share().expose());
    await expect(vault.share(EPOCH + 1)).rejects.toMatchObject({ code: 'VaultDamaged' });
  });

  test('ciphertexts are not interchangeable', async () => {
    const vault = await unlocked(record, [{ epoch: 0, sealed: record.host }]);
    await expect(vault.share(0)).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
  test.each(['host', 'channel'] as const)('a flipped bit of %s is found', async (what) => {
    const vault = await unlocked({ ...record, [what]: flipped(record[what]) });
    await expect(vault[what]()).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
  test('a flipped bit of the share is found', async () => {
    const vault = await unlocked(record, [{ epoch: EPOCH, sealed: flipped(row.sealed) }]);
    await expect(vault.share(EPOCH)).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
  test('a security key that was put there does not take the password’s place, nor one that is named late', async () => {
    const securityKey = { credential: new Uint8Array(16), salt: new Uint8Array(32) };
    const changed = { ...record, lock: { ...record.lock, securityKey } };
    await expect(open(changed)).rejects.toMatchObject({ code: 'SecurityKeyNeeded' });
    const factor = Secret.own(new Uint8Array(32));
    await expect(unlockVault(changed, { password: PASSWORD, factor })).rejects.toMatchObject({
      code: 'WrongPassword',
    });
    await expect(unlockVault(record, { password: PASSWORD, factor })).rejects.toMatchObject({
      code: 'SecurityKeyNeeded',
    });
  });
  test.each([3, 1])('a version that is none of ours is refused: %s', async (version) => {
    await expect(open({ ...record, version: version as never })).rejects.toMatchObject({
      code: 'WrongVersion',
    });
  });
  test('another share id is refused', async () => {
    await expect(open({ ...record, shareId: 2 })).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
});
