/** Versions of the policy as a device meets them: over the wire, against the real store and the real signer. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Limits } from '../../src/cosigner/limits.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { encodePolicy, type Policy, policyHash } from '../../src/policy/document.ts';
import { signedPolicy } from '../../src/policy/versions.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { POLICY_VERSIONS_ALONE_MAX, POLICY_VERSIONS_MAX } from '../../src/protocol/limits.ts';
import { receiptBody } from '../../src/protocol/messages.ts';
import {
  addressOf,
  attemptOf,
  Client,
  coinsOf,
  newDevice,
  payment,
  policyOf,
  type Running,
  removeFolder,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import { changePolicy, type PolicySigner } from '../support/policyChange.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const code = (name: string) => expect.objectContaining({ code: name });

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;

beforeEach(() => {
  folder = testFolder();
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});
async function born(limits: Partial<Limits> = {}): Promise<void> {
  running = await startCosigner({ folder, limits });
  ({ device, client } = await newDevice(running, policyOf({})));
}
async function restart(): Promise<void> {
  await running.stop();
  running = await startCosigner({ folder });
  client = await Client.connect(addressOf(running), device.noise);
}

const ask = async <K extends 'signed' | 'refused'>(psbt: Bytes, kind: K) => {
  const { body } = await attemptOf(client, device, psbt);
  return client.ask(await signRequest(client, device, body), kind);
};
const pay = (amount: bigint) => payment(device, { amount, coins: coinsOf(1, 900_000n) });
const current = async () => client.ask({ kind: 'policy' }, 'policy');
const change = (previous: Policy, next: Policy, by: PolicySigner[]) =>
  changePolicy(client, device, running.cosigner.identity, previous, next, by);

const tight = { ...policyOf({ perTransaction: 10_000n }), version: 2 };

test('the device alone tightens at once; looser needs the words or a ceremony too; each has its receipt', async () => {
  await born();
  const receipt = await change(policyOf(), tight, ['device']);
  expect(decode(receiptBody, receipt.body)).toMatchObject({
    policyVersion: 2,
    verdict: { kind: 'changed', policy: policyHash(tight) },
  });
  expect(await ask(pay(10_000n), 'refused')).toMatchObject({ verdict: { rule: 'perTransaction' } });
  expect((await current()).document).toEqual(encodePolicy(tight));

  const loose = { ...policyOf(), version: 3 };
  await expect(change(tight, loose, ['device'])).rejects.toEqual(code('Unauthorised'));
  await expect(change(tight, loose, ['recovery'])).rejects.toEqual(code('Unauthorised'));
  await restart();
  expect(await ask(pay(10_000n), 'refused')).toMatchObject({ verdict: { rule: 'perTransaction' } });
  await change(tight, loose, ['device', 'recovery']);
  await ask(pay(10_000n), 'signed');
  const looser = { ...loose, version: 4, windows: [] };
  // The cosigner's word alone, without a ceremony of this wallet, is not enough even from itself.
  await expect(change(loose, looser, ['device', 'ceremony'])).rejects.toEqual(code('SessionUnknown'));
  await change(loose, looser, ['device', 'recovery']);
  expect((await client.hello()).policyVersion).toBe(4);
  expect((await current()).spentInWindows).toEqual([]);
});

test('the device freezes at once, and only device and words thaw', async () => {
  await born();
  const frozen = { ...policyOf(), version: 2, frozen: true };
  await expect(change(policyOf(), frozen, ['recovery'])).rejects.toEqual(code('Unauthorised'));
  await change(policyOf(), frozen, ['device']);
  expect(await ask(pay(1n), 'refused')).toMatchObject({ verdict: { kind: 'refuses', rule: 'frozen' } });
  const thawed = { ...policyOf(), version: 3 };
  await expect(change(frozen, thawed, ['device'])).rejects.toEqual(code('Unauthorised'));
  await change(frozen, thawed, ['device', 'recovery']);
  await ask(pay(1n), 'signed');
});

test('no limit on decisions keeps a wallet from being frozen', async () => {
  await born({ refusals: { most: 2, inMs: 3_600_000 } });
  const tighter = { ...tight, version: 3, unseen: 1n };
  await change(policyOf(), tight, ['device']);
  await change(tight, tighter, ['device']);
  const next = { ...tighter, version: 4 };
  await expect(change(tighter, { ...next, unseen: 0n }, ['device'])).rejects.toEqual(code('RateLimited'));
  await change(tighter, { ...next, frozen: true }, ['device']);
  expect((await client.hello()).policyVersion).toBe(4);
});

test('a version is not skipped, repeated, or taken from another wallet', async () => {
  await born();
  await change(policyOf(), tight, ['device']);
  await expect(change(policyOf(), tight, ['device'])).rejects.toEqual(code('WrongVersion'));
  await expect(change(tight, { ...tight, version: 4 }, ['device'])).rejects.toEqual(code('WrongVersion'));
  await expect(
    client.ask({ kind: 'changePolicy', signed: systemRandom(300) }, 'done'),
  ).rejects.toBeInstanceOf(Error);
  expect((await client.hello()).policyVersion).toBe(2);
});

test('all versions are read at every evaluation, so they are few: 128 by the device alone, 256 with the words, and a freeze', async () => {
  const often = { most: 1000, inMs: 1 };
  const device = { burst: 10_000, perMinute: 60 };
  await born({ refusals: often, decisions: often, device });
  let previous = policyOf();
  const next = async (by: PolicySigner[], rules: Partial<Policy>) => {
    const version = { ...previous, ...rules, version: previous.version + 1 };
    await change(previous, version, by);
    previous = version;
  };
  const tighten = (by: PolicySigner[]) => next(by, { perTransaction: 1_000_000n - BigInt(previous.version) });
  while (previous.version < POLICY_VERSIONS_ALONE_MAX) await tighten(['device']);
  await expect(tighten(['device'])).rejects.toEqual(code('PolicyFull'));
  await next(['device'], { frozen: true });
  await expect(tighten(['device'])).rejects.toEqual(code('PolicyFull'));

  while (previous.version < POLICY_VERSIONS_MAX)
    await next(['device', 'recovery'], { frozen: !previous.frozen });
  expect(previous.frozen).toBe(false);
  await expect(tighten(['device', 'recovery'])).rejects.toEqual(code('PolicyFull'));
  await next(['device'], { frozen: true });
  await expect(next(['device', 'recovery'], { frozen: false })).rejects.toEqual(code('PolicyFull'));
  expect(await ask(pay(1n), 'refused')).toMatchObject({ verdict: { rule: 'frozen' } });
});

test('who writes to the database can neither loosen the policy nor go back behind its receipts', async () => {
  await born();
  await change(policyOf(), tight, ['device']);
  const database = async (sql: string, ...values: Bytes[]) => {
    await running.stop();
    const db = new DatabaseSync(join(folder, 'cosigner.sqlite'));
    db.prepare(sql).run(...values);
    db.close();
    running = await startCosigner({ folder });
    client = await Client.shake(addressOf(running), device.noise);
  };
  const row = (body: Uint8Array<ArrayBuffer>) =>
    database("UPDATE record SET body = ? WHERE kind = 'policy'", body);
  const read = async () => {
    const db = new DatabaseSync(join(folder, 'cosigner.sqlite'), { readOnly: true });
    const { body } = db.prepare("SELECT body FROM record WHERE kind = 'policy'").get() as { body: Bytes };
    db.close();
    return Uint8Array.from(body);
  };
  const real = await read();
  const forged = { ...decode(signedPolicy, real), document: encodePolicy({ ...policyOf(), version: 2 }) };
  await row(encode(signedPolicy, forged));
  await expect(client.hello()).rejects.toEqual(code('Unauthorised'));
  await row(real);
  await client.hello();
  await database("UPDATE record SET key = ? WHERE kind = 'policy'", Uint8Array.of(0, 0, 0, 9));
  await expect(client.hello()).rejects.toEqual(code('WrongVersion'));
  await database("DELETE FROM record WHERE kind = 'policy'");
  await expect(client.hello()).rejects.toEqual(code('WrongVersion'));
  await expect(current()).rejects.toEqual(code('WrongVersion'));
});

test('what was verified before counts for the very same bytes: a row that changes under a running server is caught', async () => {
  await born();
  await change(policyOf(), tight, ['device']);
  await ask(pay(100n), 'signed');
  const db = new DatabaseSync(join(folder, 'cosigner.sqlite'));
  const real = Uint8Array.from(
    db.prepare("SELECT body FROM record WHERE kind = 'policy'").get()!.body as Bytes,
  );
  const forged = { ...decode(signedPolicy, real), document: encodePolicy({ ...policyOf(), version: 2 }) };
  const policy = db.prepare("UPDATE record SET body = ? WHERE kind = 'policy'");
  policy.run(encode(signedPolicy, forged));
  await expect(ask(pay(100n), 'signed')).rejects.toEqual(code('Unauthorised'));
  policy.run(real);
  await ask(pay(100n), 'signed');

  const certificate = Uint8Array.from(
    db.prepare('SELECT certificate FROM wallet').get()!.certificate as Bytes,
  );
  const other = certificate.with(certificate.length - 1, certificate.at(-1)! ^ 1);
  const row = db.prepare('UPDATE wallet SET certificate = ?');
  row.run(Uint8Array.from(other));
  await expect(ask(pay(100n), 'signed')).rejects.toEqual(code('BadCertificate'));
  row.run(certificate);
  await ask(pay(100n), 'signed');
  db.close();
});
