/** The lock of the vault over its life: costlier parameters, another password, a security key, and death in between. */
import { beforeAll, describe, expect, test } from 'vitest';
import { KDF_FLOOR } from '../../src/crypto/kdf.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { PasswordLock } from '../../src/device/password.ts';
import {
  type Credentials,
  derivePasswordKey,
  sealVault,
  Vault,
  vaultChanges,
} from '../../src/device/vault.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  databaseOf,
  environmentOf,
  MortalDatabase,
  newProfile,
  type Profile,
} from '../support/deviceHost.ts';

const OLD = 'winter morning train';
const NEW = 'evening ferry lantern';
const SHARE = new Uint8Array(32).fill(0x5a);
const KEY = { credential: new Uint8Array(20).fill(9), salt: new Uint8Array(32).fill(4) };
const code = (name: string) => expect.objectContaining({ code: name });
const alone = (password: string): Credentials => ({ password, factor: null });
const withKey = (password: string, byte = 0x11): Credentials => ({ password, factor: factorOf(byte) });
const factorOf = (byte = 0x11) => Secret.own(new Uint8Array(32).fill(byte));

let stored: Awaited<ReturnType<typeof sealVault>>['vault'];
beforeAll(async () => {
  const { vault, dataKey } = await sealVault({
    password: await derivePasswordKey(OLD, systemRandom),
    context: { wallet: new Uint8Array(32).fill(7), network: 'regtest' },
    epoch: 0,
    share: Secret.own(SHARE.slice()),
    host: Secret.own(new Uint8Array(32).fill(0xa5)),
    channel: await generateNoiseKeyPair(true),
    random: systemRandom,
  });
  dataKey.wipe();
  stored = vault;
});

async function newVault(): Promise<Profile> {
  const profile = newProfile();
  await (await databaseOf(profile)).write(vaultChanges(stored));
  return profile;
}
const lockOf = async (profile: Profile, cost = KDF_FLOOR) =>
  new PasswordLock({ db: await databaseOf(profile), env: environmentOf(profile) }, cost);
const recordOf = async (profile: Profile) => (await (await databaseOf(profile)).get('vault', 'vault'))!;

/** Whether the credentials open the lock, and the share behind it. */
async function opens(profile: Profile, credentials: Credentials): Promise<boolean> {
  const db = await databaseOf(profile);
  try {
    const dataKey = await (await lockOf(profile)).open(credentials);
    const vault = await Vault.open(db, await recordOf(profile), dataKey);
    expect((await vault.share(0)).expose()).toEqual(SHARE);
    return true;
  } catch (e) {
    expect(e).toEqual(code(credentials.factor === null ? 'WrongPassword' : (e as { code: string }).code));
    return false;
  }
}

describe('parameters', () => {
  const costlier = { ...KDF_FLOOR, passes: KDF_FLOOR.passes + 1 };

  test('upgrade at unlock when what is current has risen, with a salt of its own; then no more', async () => {
    const profile = await newVault();
    const lock = await lockOf(profile, costlier);
    (await lock.open(alone(OLD))).wipe();
    const upgraded = await recordOf(profile);
    expect(upgraded).toMatchObject({ lock: { kdf: costlier } });
    const { salt } = (upgraded as typeof stored.record).lock.kdf;
    expect(salt).not.toEqual(stored.record.lock.kdf.salt);
    (await lock.open(alone(OLD))).wipe();
    expect(await recordOf(profile)).toEqual(upgraded);
    expect(await opens(profile, alone(OLD))).toBe(true);
  });

  test('never downgrade: a vault that cost more than what is current stays as it is', async () => {
    const profile = await newVault();
    (await (await lockOf(profile, costlier)).open(alone(OLD))).wipe();
    const before = await recordOf(profile);
    (await (await lockOf(profile)).open(alone(OLD))).wipe();
    expect(await recordOf(profile)).toEqual(before);
  });

  test('a wrong password upgrades nothing', async () => {
    const profile = await newVault();
    await expect((await lockOf(profile, costlier)).open(alone(NEW))).rejects.toEqual(code('WrongPassword'));
    expect(await recordOf(profile)).toEqual(stored.record);
  });
});

describe('password change', () => {
  test('the new password opens, the old one does not, and the contents were not touched', async () => {
    const profile = await newVault();
    await (await lockOf(profile)).changePassword(alone(OLD), NEW);
    expect(await opens(profile, alone(OLD))).toBe(false);
    expect(await opens(profile, alone(NEW))).toBe(true);
    const { lock, ...rest } = (await recordOf(profile)) as typeof stored.record;
    const { lock: before, ...restBefore } = stored.record;
    expect(rest).toEqual(restBefore);
    expect(lock.kdf.salt).not.toEqual(before.kdf.salt);
  });

  test.each([
    ['a wrong old password', 'WrongPassword', NEW, `${NEW}!`],
    ['a weak new password', 'WeakPassword', OLD, '7 chars'],
  ])('%s changes nothing', async (_name, error, old, next) => {
    const profile = await newVault();
    await expect((await lockOf(profile)).changePassword(alone(old), next)).rejects.toEqual(code(error));
    expect(await recordOf(profile)).toEqual(stored.record);
    expect(await opens(profile, alone(OLD))).toBe(true);
  });

  test.each(['before', 'after'] as const)(
    'the worker dies %s its write: exactly one password opens, and asked again it ends with the new one',
    async (when) => {
      const profile = await newVault();
      const db = new MortalDatabase(await databaseOf(profile), { at: 1, when });
      const dying = new PasswordLock({ db, env: environmentOf(profile) });
      await expect(dying.changePassword(alone(OLD), NEW)).rejects.toThrow();
      expect(db.writes).toBe(1);
      expect(await opens(profile, alone(OLD))).toBe(when === 'before');
      expect(await opens(profile, alone(NEW))).toBe(when === 'after');
      await (await lockOf(profile)).changePassword(alone(OLD), NEW);
      expect(await opens(profile, alone(OLD))).toBe(false);
      expect(await opens(profile, alone(NEW))).toBe(true);
    },
  );

  test('two changes at once: one of them builds on the other, or finds its password gone', async () => {
    const profile = await newVault();
    const lock = await lockOf(profile);
    const [first, second] = await Promise.allSettled([
      lock.changePassword(alone(OLD), NEW),
      lock.changePassword(alone(OLD), 'a third one of these'),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'WrongPassword' } });
    expect(await opens(profile, alone(NEW))).toBe(true);
  });
});

describe('security key', () => {
  const guarded = async () => {
    const profile = await newVault();
    await (await lockOf(profile)).changeSecurityKey(alone(OLD), { ...KEY, factor: factorOf() });
    return profile;
  };

  test('both together open; neither does alone', async () => {
    const profile = await guarded();
    expect(await recordOf(profile)).toMatchObject({ lock: { securityKey: KEY } });
    expect(await opens(profile, withKey(OLD))).toBe(true);
    expect(await opens(profile, withKey(NEW))).toBe(false);
    expect(await opens(profile, withKey(OLD, 0x12))).toBe(false);
    await expect((await lockOf(profile)).open(alone(OLD))).rejects.toEqual(code('SecurityKeyNeeded'));
  });

  test('striking it off the row does not let the password in alone', async () => {
    const profile = await guarded();
    const record = (await recordOf(profile)) as typeof stored.record;
    const value = { ...record, lock: { ...record.lock, securityKey: null } };
    await (await databaseOf(profile)).write([{ store: 'vault', key: 'vault', value }]);
    expect(await opens(profile, alone(OLD))).toBe(false);
  });

  test('stays through a password change and an upgrade, and goes when it is taken away', async () => {
    const profile = await guarded();
    await (await lockOf(profile)).changePassword(withKey(OLD), NEW);
    (await (await lockOf(profile, { ...KDF_FLOOR, passes: 4 })).open(withKey(NEW))).wipe();
    expect(await recordOf(profile)).toMatchObject({ lock: { securityKey: KEY, kdf: { passes: 4 } } });
    await expect((await lockOf(profile)).changeSecurityKey(alone(NEW), null)).rejects.toEqual(
      code('SecurityKeyNeeded'),
    );
    await (await lockOf(profile)).changeSecurityKey(withKey(NEW), null);
    expect(await opens(profile, alone(NEW))).toBe(true);
  });

  test('asked for again after it was made, it is made', async () => {
    const profile = await guarded();
    const lock = await lockOf(profile);
    await lock.changeSecurityKey(alone(OLD), { ...KEY, factor: factorOf() });
    expect(await opens(profile, withKey(OLD))).toBe(true);
    await expect(lock.changeSecurityKey(alone(NEW), { ...KEY, factor: factorOf() })).rejects.toEqual(
      code('SecurityKeyNeeded'),
    );
  });
});

test('nothing is derived from a password below the floor, whoever asks', async () => {
  const profile = await newVault();
  const kdf = { ...stored.record.lock.kdf, memory: 1024 };
  const value = { ...stored.record, lock: { ...stored.record.lock, kdf } };
  await (await databaseOf(profile)).write([{ store: 'vault', key: 'vault', value }]);
  const lock = await lockOf(profile);
  await expect(lock.open(alone(OLD))).rejects.toEqual(code('VaultDamaged'));
  await expect(lock.changePassword(alone(OLD), NEW)).rejects.toEqual(code('VaultDamaged'));
  expect(await recordOf(profile)).toEqual(value);
});
