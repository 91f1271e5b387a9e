/** Backups (AUDIT 07): what is in one and what never is, who can read it, and what a restored cosigner still answers. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';
import {
  type BackupParts,
  type BackupSecret,
  backup,
  restore,
  verifyBackup,
} from '../../src/cosigner/backup.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import type { Rows, Store } from '../../src/cosigner/store.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  type Bytes,
  Client,
  enrol,
  newDevice,
  pay,
  payment,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';

const DAY = 86_400_000;
const code = (name: string) => expect.objectContaining({ code: name });

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
let keyFile: BackupSecret;
let file: string;
/** Added to the wall clock. */
let later = 0;
const clock = { ...systemClock, now: () => systemClock.now() + later };

beforeEach(async () => {
  folder = testFolder();
  later = 0;
  running = await startCosigner({ folder, clock });
  ({ device, client } = await newDevice(running));
  keyFile = { kind: 'keyFile', path: join(folder, 'backup.key') };
  writeFileSync(keyFile.path, systemRandom(32), { mode: 0o600 });
  file = join(folder, 'backup');
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

const partsOf = ({ cosigner }: Running): BackupParts => ({ ...cosigner, now: clock.now });
const take = (secret = keyFile) => backup(running.cosigner.store, partsOf(running), file, secret);
const verify = (secret = keyFile) => verifyBackup(partsOf(running), file, secret);

/** Ends the cosigner and starts it again on nothing but its key files and what the backup holds. */
async function startRestored(): Promise<void> {
  await running.stop();
  for (const name of readdirSync(folder)) if (name.startsWith('cosigner.sqlite')) rmSync(join(folder, name));
  const store = openSqlite(join(folder, 'cosigner.sqlite'));
  await restore(store, partsOf(running), file, keyFile);
  await store.close();
  running = await startCosigner({ folder, clock });
  client = await Client.connect(addressOf(running), device.noise);
}

/** Everything that a backup carries, as one run of bytes. */
async function carried(): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await running.cosigner.store.dump(async ({ rows }) => {
    for (const v of rows.flat()) parts.push(v instanceof Uint8Array ? v : Buffer.from(String(v)));
  });
  return Buffer.concat(parts);
}

describe('a backup', () => {
  test('verifies, says what is in it, and shows nothing of it to who has not its key', async () => {
    await pay(client, device, 1000n);
    await take();
    expect(await verify()).toMatchObject({ wallets: 1, openShares: 1 });
    expect((await verify()).rows).toEqual(
      new Map([
        ['wallet', 1n],
        ['share', 1n],
        ['attempt', 1n],
        ['commitment', 1n],
        ['reserve', 1n],
        ['charge', 1n],
        ['receipt', 1n],
        ['record', 2n],
      ]),
    );
    const sealed = readFileSync(file);
    expect((await carried()).includes(Buffer.from(device.certificate))).toBe(true);
    for (const known of [device.certificate, device.keys.wallet, device.keys.groupKey]) {
      expect(sealed.includes(Buffer.from(known))).toBe(false);
    }
  });

  test('audit-07 holds no key: not of an epoch, not of the host, not of the channel', async () => {
    const plain = await carried();
    const epochs = join(folder, 'epoch-keys');
    const keys = [
      ...readdirSync(epochs).map((name) => join(epochs, name)),
      join(folder, 'host.key'),
      join(folder, 'noise.key'),
    ];
    expect(keys).toHaveLength(3);
    for (const path of keys) {
      const key = readFileSync(path);
      expect([plain.includes(key), plain.includes(key.toString('hex'))]).toEqual([false, false]);
    }
    // The share is in it as the key store sealed it, and in no other form.
    const { store } = running.cosigner;
    const sealedShare = await store.viewWallet(device.keys.wallet as Bytes, (view) => view.sealedShare());
    expect(plain.includes(Buffer.from(sealedShare))).toBe(true);
  });

  test('a passphrase serves instead of a key, and one that is too short does not', async () => {
    const passphrase: BackupSecret = { kind: 'passphrase', path: join(folder, 'passphrase') };
    writeFileSync(passphrase.path, 'too short\n');
    await expect(take(passphrase)).rejects.toEqual(code('BadConfiguration'));
    expect(existsSync(file)).toBe(false);
    writeFileSync(passphrase.path, 'correct horse battery staple\n');
    await take(passphrase);
    expect(await verify(passphrase)).toMatchObject({ wallets: 1 });
    writeFileSync(passphrase.path, 'correct horse battery stable\n');
    await expect(verify(passphrase)).rejects.toEqual(code('WrongPassword'));
    await expect(verify(keyFile)).rejects.toEqual(code('WrongPassword'));
  });

  test('another key, another cosigner and another network are named', async () => {
    await take();
    const other = { ...keyFile, path: join(folder, 'other.key') };
    writeFileSync(other.path, systemRandom(32), { mode: 0o600 });
    await expect(verify(other)).rejects.toEqual(code('WrongPassword'));
    const hostKey = systemRandom(32);
    const parts = partsOf(running);
    const stranger = { ...parts, identity: { ...parts.identity, hostKey } };
    await expect(verifyBackup(stranger, file, keyFile)).rejects.toEqual(code('BadConfiguration'));
    const elsewhere = { ...parts, network: 'mainnet' as const };
    await expect(verifyBackup(elsewhere, file, keyFile)).rejects.toEqual(code('WrongNetwork'));
  });

  test('one bit changed, the end cut off, parts moved or left out: refused, and a restore leaves nothing', async () => {
    await pay(client, device, 1000n);
    await take();
    const whole = readFileSync(file);
    const parts: Buffer[] = [];
    for (let at = 0; at < whole.length; at += parts.at(-1)!.length) {
      parts.push(whole.subarray(at, at + 4 + whole.readUInt32BE(at)));
    }
    const flipped = (at: number) => Buffer.from(whole.map((byte, i) => (i === at ? byte ^ 1 : byte)));
    const [head, start, first, second, ...rest] = parts as [Buffer, Buffer, Buffer, Buffer, ...Buffer[]];
    const damaged = [
      flipped(whole.length - 1),
      flipped(whole.length >> 1),
      whole.subarray(0, -1),
      Buffer.concat(parts.slice(0, -1)),
      Buffer.concat([head, start, second, first, ...rest]),
      Buffer.concat([head, start, second, ...rest]),
      Buffer.concat([head, start, rest.at(-1)!]),
      Buffer.alloc(0),
      systemRandom(500),
    ];
    const empty = openSqlite(join(folder, 'empty.sqlite'));
    for (const bytes of damaged) {
      writeFileSync(file, bytes);
      await expect(restore(empty, partsOf(running), file, keyFile)).rejects.toMatchObject({
        code: 'BadEncoding',
      });
    }
    expect(await empty.bound()).toBe(false);
    await empty.close();
  });

  test('audit-23 one of a newer version is refused', async () => {
    const { store } = running.cosigner;
    const newer = { dump: async (visit) => (await store.dump(visit)) + 1 } as Pick<Store, 'dump'> as Store;
    await backup(newer, partsOf(running), file, keyFile);
    await expect(verify()).rejects.toEqual(code('WrongVersion'));
  });

  test('a wallet whose certificate is not its own is named', async () => {
    const { store } = running.cosigner;
    const forged = async (visit: (rows: Rows) => Promise<void>) =>
      store.dump((page) => {
        const rows = page.rows.map((row) =>
          row.map((v, i) => (page.table === 'wallet' && page.columns[i] === 'id' ? new Uint8Array(32) : v)),
        );
        return visit({ ...page, rows });
      });
    await backup({ dump: forged } as Pick<Store, 'dump'> as Store, partsOf(running), file, keyFile);
    await expect(verify()).rejects.toEqual(code('BadCertificate'));
  });

  test('never replaces a file, and is never restored over wallets', async () => {
    await take();
    const before = readFileSync(file);
    await expect(take()).rejects.toThrow('backup: there is such a file');
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup.') && name !== 'backup.key')).toEqual(
      [],
    );
    const { store } = running.cosigner;
    const greeting = await store.greeting();
    await expect(restore(store, partsOf(running), file, keyFile)).rejects.toEqual(code('WalletExists'));
    expect(await store.greeting()).toEqual(greeting);
  });
});

describe('a restored cosigner', () => {
  test('attack-14 answers no request of before, whether the backup knows it or not, and never one pair with two answers', async () => {
    const known = await attemptOf(client, device, payment(device, { amount: 1000n }));
    await askToSign(client, device, known.body);
    await take();
    const lost = await attemptOf(client, device, payment(device, { amount: 1000n }));
    await askToSign(client, device, lost.body);
    const unasked = await attemptOf(client, device, payment(device, { amount: 1000n }));

    await startRestored();
    for (later of [0, DAY + 60_000]) {
      for (const { body } of [known, lost, unasked]) {
        await expect(askToSign(client, device, body)).rejects.toEqual(code('AttemptBurned'));
      }
    }
    // Nor does a pair that the backup knows serve for anything else.
    const commitments = known.committed.commitments;
    const again = await attemptOf(client, device, known.psbt, { commitments });
    await expect(askToSign(client, device, again.body)).rejects.toEqual(code('AttemptReused'));
    await pay(client, device, 1000n);
  });

  test('a backup restored twice takes up another ledger each time', async () => {
    await take();
    const ledgers = [client.ledger];
    for (let i = 0; i < 2; i++) {
      await startRestored();
      ledgers.push(client.ledger);
    }
    expect(new Set(ledgers.map(String)).size).toBe(3);
  });

  test('counts its windows as full until they have moved past, for wallets of before alone', async () => {
    await pay(client, device, 1000n);
    await take();
    await pay(client, device, 900_000n);
    await startRestored();
    const spent = async () => (await client.ask({ kind: 'policy' }, 'policy')).spentInWindows[0];
    expect(await spent()).toBe(1_000_000n);
    await expect(pay(client, device, 1000n)).rejects.toThrow('refused');
    later = DAY / 2;
    const fresh = await newDevice(running);
    await pay(fresh.client, fresh.device, 900_000n);
    later = DAY + 60_000;
    expect(await spent()).toBe(0n);
    await pay(client, device, 900_000n);
  });

  test('voids tokens: one that was used after the backup enrols nobody again', async () => {
    const token = await running.token(DAY);
    await take();
    const enrolWith = async () => {
      const noise = await generateNoiseKeyPair();
      return enrol(await Client.connect(addressOf(running), noise), noise, token);
    };
    await enrolWith();
    await startRestored();
    await expect(enrolWith()).rejects.toEqual(code('TokenUnknown'));
  });

  test('audit-07 without its key store it says ShareUnrecoverable, and keeps what leads to a repair', async () => {
    await take();
    await running.stop();
    rmSync(join(folder, 'epoch-keys'), { recursive: true });
    mkdirSync(join(folder, 'epoch-keys'), { mode: 0o700 });
    await running.stop();
    await startRestored();
    expect(await verify()).toMatchObject({ wallets: 1, openShares: 0 });
    later = DAY + 60_000;
    await expect(pay(client, device, 1000n)).rejects.toEqual(code('ShareUnrecoverable'));
    expect(await client.hello()).toMatchObject({ enrolled: true });
  });
});

describe('commands', () => {
  const main = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'src/cosigner/main.ts'), ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });

  test('backup, verify-backup and restore; a lost key store ends with its code', () => {
    const about = ['--backup', file, '--backup-key', keyFile.path];
    const taken = main('backup', '--data', folder, ...about);
    expect([taken.status, taken.stderr]).toEqual([0, '']);
    expect(taken.stdout).toContain('shares that open 1 of 1');
    expect(main('verify-backup', '--data', folder, ...about).stdout).toBe(taken.stdout);
    expect(main('backup', '--data', folder, '--backup', file).stderr).toContain(
      'BadConfiguration: backup-key',
    );

    const key = join(folder, 'open.key');
    writeFileSync(key, readFileSync(keyFile.path), { mode: 0o644 });
    expect(main('verify-backup', '--data', folder, '--backup', file, '--backup-key', key).stderr).toContain(
      'BadConfiguration: backup-key: a key file is open to other users',
    );

    const other = join(folder, 'other');
    mkdirSync(other, { mode: 0o700 });
    expect(main('restore', '--data', other, ...about).stderr).toContain('BadConfiguration');
    for (const name of ['host.key', 'noise.key']) cpSync(join(folder, name), join(other, name));
    const restored = main('restore', '--data', other, ...about);
    expect([restored.status, restored.stderr]).toEqual([
      1,
      expect.stringContaining('ShareUnrecoverable: 1 of 1'),
    ]);
    const again = main('restore', '--data', other, ...about);
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('WalletExists')]);
  });
});
