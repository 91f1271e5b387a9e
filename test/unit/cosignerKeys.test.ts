/** Where the cosigner's secrets live: files of their own, each share under a key outside the database. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Identity, openIdentity } from '../../src/cosigner/identity.ts';
import { keyName, openKeyFolder } from '../../src/cosigner/keywrap.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const wallet = new Uint8Array(32).fill(1);
const other = new Uint8Array(32).fill(2);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (...path: string[]) => statSync(join(folder, ...path)).mode & 0o777;

describe('key wrap', () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => i + 100);
  const share = () => Secret.own(secret.slice());

  test('a share opens for its wallet and epoch, after a restart too, and for no other', async () => {
    const wrap = await openKeyFolder(folder, systemRandom);
    const sealed = await wrap.seal(wallet, 3, share());
    const reopened = await openKeyFolder(folder, systemRandom);
    expect((await reopened.open(wallet, 3, sealed)).expose()).toEqual(secret);

    await wrap.seal(other, 3, share());
    await wrap.seal(wallet, 4, share());
    await expect(wrap.open(other, 3, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
    await expect(wrap.open(wallet, 4, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
    await expect(wrap.open(wallet, 5, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
    sealed[20]! ^= 1;
    await expect(wrap.open(wallet, 3, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
  });

  test('the AAD names wallet and epoch: a key under another name opens nothing', async () => {
    const wrap = await openKeyFolder(folder, systemRandom);
    const sealed = await wrap.seal(wallet, 0, share());
    const [name] = readdirSync(folder);
    const key = readFileSync(join(folder, name!));
    writeFileSync(join(folder, name!.replace(/^(01){32}/, '02'.repeat(32))), key, { mode: 0o600 });
    await expect(wrap.open(other, 0, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
    await expect(wrap.open(wallet, 1, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
  });

  test('destroying the key destroys the share, and may be repeated', async () => {
    const wrap = await openKeyFolder(folder, systemRandom);
    const sealed = await wrap.seal(wallet, 0, share());
    await wrap.destroy(wallet, keyName(sealed));
    await wrap.destroy(wallet, keyName(sealed));
    expect(readdirSync(folder)).toEqual([]);
    await expect(wrap.open(wallet, 0, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
  });

  test('a key that was used is kept for a minute, however often it is used, and not past its destruction', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      const wrap = await openKeyFolder(folder, systemRandom);
      const sealed = await wrap.seal(wallet, 0, share());
      const opens = async () => (await wrap.open(wallet, 0, sealed)).expose();
      expect(await opens()).toEqual(secret);
      // Another instance destroys it.
      rmSync(join(folder, readdirSync(folder)[0]!));
      vi.advanceTimersByTime(59_000);
      expect(await opens()).toEqual(secret);
      vi.advanceTimersByTime(1000);
      await expect(opens()).rejects.toEqual(code('ShareUnrecoverable'));

      const again = await wrap.seal(wallet, 0, share());
      (await wrap.open(wallet, 0, again)).wipe();
      await wrap.destroy(wallet, keyName(again));
      await expect(wrap.open(wallet, 0, again)).rejects.toEqual(code('ShareUnrecoverable'));
    } finally {
      vi.useRealTimers();
    }
  });

  test('a second try at an epoch has a key of its own, and destroying one leaves the other', async () => {
    const wrap = await openKeyFolder(folder, systemRandom);
    const sealed = await wrap.seal(wallet, 0, share());
    const again = await wrap.seal(wallet, 0, share());
    await wrap.destroy(wallet, keyName(again));
    expect((await wrap.open(wallet, 0, sealed)).expose()).toEqual(secret);
    await expect(wrap.open(wallet, 0, again)).rejects.toEqual(code('ShareUnrecoverable'));
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test('key files are for this user alone, and one that is not is refused', async () => {
    const wrap = await openKeyFolder(join(folder, 'sub'), systemRandom);
    const sealed = await wrap.seal(wallet, 0, share());
    const [name] = readdirSync(join(folder, 'sub'));
    expect(modeOf('sub')).toBe(0o700);
    expect(modeOf('sub', name!)).toBe(0o600);
    chmodSync(join(folder, 'sub', name!), 0o644);
    await expect(wrap.open(wallet, 0, sealed)).rejects.toEqual(code('ShareUnrecoverable'));
  });

  test('a folder that is gone fails the health probe', async () => {
    const wrap = await openKeyFolder(join(folder, 'sub'), systemRandom);
    await wrap.check();
    rmSync(join(folder, 'sub'), { recursive: true });
    await expect(wrap.check()).rejects.toEqual(code('StoreUnavailable'));
  });
});

describe('identity', () => {
  const noiseOf = ({ channelKeys }: Identity) => channelKeys.map(({ noise }) => noise.publicKey);

  test('is made once and stays', async () => {
    const signer = await load();
    const first = await openIdentity(folder, true, signer, systemRandom);
    const second = await openIdentity(folder, false, signer, systemRandom);
    expect(second.hostKey).toEqual(first.hostKey);
    expect(noiseOf(second)).toEqual(noiseOf(first));
    expect(first.hostKey).not.toEqual(noiseOf(first));
    const noise = readFileSync(join(folder, 'noise.key')).toString('hex');
    expect(inspect(first.channelKeys, { showHidden: true })).not.toContain(noise);
    expect(modeOf('host.key')).toBe(0o600);
    expect(modeOf('noise.key')).toBe(0o600);
  });

  test('two commands that start at once become one cosigner', async () => {
    const signer = await load();
    const both = await Promise.all([1, 2].map(() => openIdentity(folder, true, signer, systemRandom)));
    expect(both[0]!.hostKey).toEqual(both[1]!.hostKey);
    expect(noiseOf(both[0]!)).toEqual(noiseOf(both[1]!));
  });

  test('is not made anew where wallets know another one', async () => {
    const signer = await load();
    await expect(openIdentity(folder, false, signer, systemRandom)).rejects.toEqual(code('BadConfiguration'));
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a key file that others may read, or that is damaged, is refused', async () => {
    const signer = await load();
    await openIdentity(folder, true, signer, systemRandom);
    chmodSync(join(folder, 'noise.key'), 0o640);
    await expect(openIdentity(folder, true, signer, systemRandom)).rejects.toEqual(code('BadConfiguration'));
    chmodSync(join(folder, 'noise.key'), 0o600);
    writeFileSync(join(folder, 'noise.key'), new Uint8Array(31));
    await expect(openIdentity(folder, true, signer, systemRandom)).rejects.toEqual(code('BadConfiguration'));
  });
});
