import { beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import {
  derivePasswordKey,
  sealVault,
  unlockVault,
  Vault,
  type VaultRecord,
} from '../../src/device/vault.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';

const PASSWORD = 'winter morning train';
const context = { wallet: new Uint8Array(32).fill(7), network: 'regtest', epoch: 0 } as const;
const share = () => Secret.own(new Uint8Array(32).fill(0x5a));
const host = () => Secret.own(new Uint8Array(32).fill(0xa5));

let record: VaultRecord;
let channel: NoiseKeyPair;

beforeAll(async () => {
  channel = await generateNoiseKeyPair(true);
  const password = await derivePasswordKey(PASSWORD, systemRandom);
  const sealed = await sealVault({
    password,
    context,
    share: share(),
    host: host(),
    channel,
    random: systemRandom,
  });
  sealed.dataKey.wipe();
  record = sealed.record;
});

const unlocked = async (changed: VaultRecord = record) =>
  Vault.open(changed, await unlockVault(record, PASSWORD));

test('the password opens share, host key and channel key', async () => {
  const vault = await unlocked();
  expect((await vault.share()).expose()).toEqual(share().expose());
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

test('audit-10: the channel key that comes out cannot be exported', async () => {
  const { privateKey } = await (await unlocked()).channel();
  expect(privateKey.extractable).toBe(false);
  await expect(crypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow();
});

test('audit-10: the record holds no secret in the clear', async () => {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', channel.privateKey));
  const stored = Object.values(record).filter((v) => v instanceof Uint8Array);
  const holds = (secret: Uint8Array) =>
    stored.some((bytes) => Buffer.from(bytes).includes(Buffer.from(secret)));
  expect(holds(channel.publicKey)).toBe(true); // the search finds what is there
  for (const secret of [share().expose(), host().expose(), pkcs8.slice(-32)])
    expect(holds(secret)).toBe(false);
});

test('WrongPassword', async () => {
  await expect(unlockVault(record, `${PASSWORD}!`)).rejects.toMatchObject({ code: 'WrongPassword' });
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

  test.each([
    ['memory under the floor', { memory: 64 * 1024 - 1 }],
    ['fewer passes', { passes: 2 }],
    ['no lane', { lanes: 0 }],
    ['another version', { version: 2 as never }],
    ['a short salt', { salt: new Uint8Array(8) }],
    ['memory that nobody has', { memory: 1 << 30 }],
  ])('kdf with %s is VaultDamaged before anything is derived', async (_name, change) => {
    const changed = { ...record, kdf: { ...record.kdf, ...change } };
    await expect(unlockVault(changed, PASSWORD)).rejects.toMatchObject({ code: 'VaultDamaged' });
  });

  const relabelled: [string, Partial<VaultRecord>][] = [
    ['wallet', { wallet: new Uint8Array(32).fill(8) }],
    ['network', { network: 'mainnet' }],
    ['epoch', { epoch: 1 }],
  ];
  test.each(relabelled)('another %s does not unlock', async (_name, change) => {
    await expect(unlockVault({ ...record, ...change }, PASSWORD)).rejects.toMatchObject({
      code: 'WrongPassword',
    });
  });
  test('another salt, as a swapped record has it, does not unlock', async () => {
    const kdf = { ...record.kdf, salt: flipped(record.kdf.salt) };
    await expect(unlockVault({ ...record, kdf }, PASSWORD)).rejects.toMatchObject({ code: 'WrongPassword' });
  });
  test.each(relabelled)('another %s opens nothing, even with the data key', async (_name, change) => {
    const vault = await unlocked({ ...record, ...change });
    for (const open of [vault.share(), vault.host(), vault.channel()]) {
      await expect(open).rejects.toMatchObject({ code: 'VaultDamaged' });
    }
  });

  test('ciphertexts are not interchangeable', async () => {
    const vault = await unlocked({ ...record, share: record.host });
    await expect(vault.share()).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
  test.each(['share', 'host', 'channel'] as const)('a flipped bit of %s is found', async (what) => {
    const vault = await unlocked({ ...record, [what]: flipped(record[what]) });
    await expect(vault[what]()).rejects.toMatchObject({ code: 'VaultDamaged' });
  });
  test('a version of the future is refused', async () => {
    await expect(unlockVault({ ...record, version: 2 as never }, PASSWORD)).rejects.toMatchObject({
      code: 'WrongVersion',
    });
  });
  test('another share id is refused', async () => {
    await expect(unlockVault({ ...record, shareId: 2 }, PASSWORD)).rejects.toMatchObject({
      code: 'VaultDamaged',
    });
  });
});
