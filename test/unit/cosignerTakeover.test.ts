/** A wallet moves from one cosigner to another, each in a folder of its own: real TLS, Noise and SQLite; the test plays device and recovery page. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { advance, firstEpoch } from '../../src/frost/epoch.ts';
import { encodePolicy } from '../../src/policy/document.ts';
import { policyChangeHash, signedPolicy } from '../../src/policy/versions.ts';
import { encode } from '../../src/protocol/codec.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  Client,
  pay,
  payment,
  policyOf,
  type Running,
  removeFolder,
  START,
  startCosigner,
  testFolder,
} from '../support/cosigner.ts';
import { refreshedFully } from '../support/refreshing.ts';
import { askByWords, newDeviceAt, repairDevice } from '../support/repairing.ts';
import { epochOf, newOwner, type Owner, offerShare, takeOver } from '../support/takeover.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const DAY = 86_400_000;

let folders: [string, string];
let old: Running;
let next: Running;
let now: number;
let owner: Owner;
let client: Client;

const clock = { now: () => now, monotonic: () => performance.now() };
const keysIn = (folder: string) => readdirSync(join(folder, 'epoch-keys'));
const target = async () => ({ client, token: await next.token(), hostKey: next.cosigner.identity.hostKey });

beforeEach(async () => {
  now = START;
  folders = [testFolder(), testFolder()];
  old = await startCosigner({ folder: folders[0], clock });
  next = await startCosigner({ folder: folders[1], clock });
  owner = await newOwner(old);
  client = await Client.connect(addressOf(next), owner.device.noise);
});
afterEach(async () => {
  await old.stop();
  await next.stop();
  for (const folder of folders) removeFolder(folder);
});

async function changed(from: ReturnType<typeof policyOf>, to: ReturnType<typeof policyOf>) {
  const signer = await load();
  const { keys, share } = owner.device;
  const hash = policyChangeHash(keys.wallet, from, to);
  const device = Uint8Array.from(signer.schnorrSign(share, hash, systemRandom(32)));
  return encode(signedPolicy, {
    document: encodePolicy(to),
    epoch: 0,
    device,
    recovery: null,
    freeze: null,
    ceremony: null,
  });
}

describe('taking over', () => {
  test('attack-23 a new cosigner stands for a dead one: it signs, over a restart, and the old one is not needed', async () => {
    await old.stop();
    const record = await takeOver(owner, next, client);
    const signer = await load();
    const { hostKeys } = advance(signer, firstEpoch(signer, owner.device.keys), record);
    expect(hostKeys[1]).toEqual(next.cosigner.identity.hostKey);
    now += DAY;
    await pay(client, owner.device, 1000n);
    await next.stop();
    next = await startCosigner({ folder: folders[1], clock });
    const again = await Client.shake(addressOf(next), owner.device.noise);
    expect(await again.hello()).toMatchObject({ enrolled: true, epoch: 0, policyVersion: 1 });
    await pay(again, owner.device, 1000n);
    expect(await again.ask({ kind: 'records' }, 'records')).toMatchObject({
      certificate: owner.device.certificate,
      records: [record],
    });
    old = await startCosigner({ folder: folders[0], clock });
  });

  test('windows begin full: what others let it spend is not known', async () => {
    await pay(owner.client, owner.device, 900_000n);
    await takeOver(owner, next, client);
    const { spentInWindows } = await client.ask({ kind: 'policy' }, 'policy');
    expect(spentInWindows).toEqual([1_000_000n]);
    const { body } = await attemptOf(client, owner.device, payment(owner.device, { amount: 900_000n }));
    await expect(askToSign(client, owner.device, body)).rejects.toThrow('refused');
    now += DAY;
    await pay(client, owner.device, 900_000n);
  });

  test('the policy comes along with all its signed versions, and a forged or a missing one with none', async () => {
    const { device } = owner;
    const first = policyOf();
    const tighter = { ...first, version: 2, perTransaction: 5000n };
    const signed = await changed(first, tighter);
    await owner.client.ask({ kind: 'changePolicy', signed }, 'done');
    const looser = { ...tighter, version: 3, perTransaction: null };
    for (const [policies, error] of [
      [[signed, await changed(tighter, looser)], 'Unauthorised'],
      [[await changed(first, { ...tighter, version: 3 })], 'WrongVersion'],
    ] as const) {
      const { approvals } = await offerShare(owner, await target(), { policies: [...policies] });
      await expect(client.ask({ kind: 'takeoverApprove', approvals }, 'repaired')).rejects.toEqual(
        code(error),
      );
      expect(await next.cosigner.store.walletOfDevice(device.noise.publicKey)).toBeNull();
    }
    const { approvals } = await offerShare(owner, await target(), { policies: [signed] });
    await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
    const { document } = await client.ask({ kind: 'policy' }, 'policy');
    expect(document).toEqual(encodePolicy(tighter));
  });

  test('the share is durable before the certificate leaves: approvals may come after a restart, on another connection', async () => {
    const { approvals, complete } = await offerShare(owner, await target());
    expect(keysIn(folders[1])).toHaveLength(1);
    await next.stop();
    next = await startCosigner({ folder: folders[1], clock });
    client = await Client.shake(addressOf(next), owner.device.noise);
    expect(await client.hello()).toMatchObject({ enrolled: false });
    const { record } = await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
    expect(record).toEqual(complete());
    now += DAY;
    await pay(client, owner.device, 1000n);
    // The same again is answered the same.
    expect(await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired')).toMatchObject({ record });
  });

  test('a try that nobody approved leaves no key behind once there is another', async () => {
    await offerShare(owner, await target());
    await offerShare(owner, await target());
    expect(keysIn(folders[1])).toHaveLength(1);
    await takeOver(owner, next, client);
    expect(keysIn(folders[1])).toHaveLength(1);
  });

  test('needs a token, which is used up with the wallet and no sooner', async () => {
    const to = await target();
    await expect(offerShare(owner, { ...to, token: 'never-made' })).rejects.toEqual(code('TokenUnknown'));
    await offerShare(owner, to);
    const { approvals } = await offerShare(owner, to);
    await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
    const other = await newOwner(old);
    const theirs = await Client.connect(addressOf(next), other.device.noise);
    await expect(offerShare(other, { ...to, client: theirs })).rejects.toEqual(code('TokenUnknown'));
  });

  test('only for the device that the records name, and with both approvals of this very share', async () => {
    const noise = await generateNoiseKeyPair();
    const stranger = await Client.connect(addressOf(next), noise);
    await expect(offerShare(owner, { ...(await target()), client: stranger })).rejects.toEqual(
      code('Unauthorised'),
    );
    const { approvals: stale } = await offerShare(owner, await target());
    const { approvals } = await offerShare(owner, await target());
    for (const [wrong, error] of [
      [stale, 'WrongSession'],
      [[approvals[0]!], 'BadEncoding'],
      [[approvals[0]!, approvals[0]!], 'BadSignature'],
    ] as const)
      await expect(
        client.ask({ kind: 'takeoverApprove', approvals: [...wrong] }, 'repaired'),
      ).rejects.toEqual(code(error));
    await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
  });

  test('attack-18 of a wrong sum nothing is stored', async () => {
    const other = await newOwner(old);
    let foreign: Uint8Array[] = [];
    await offerShare(
      other,
      { ...(await target()), client: await Client.connect(addressOf(next), other.device.noise) },
      {
        spoil: (finish) => ((foreign = finish.sums), finish),
      },
    );
    const keys = keysIn(folders[1]);
    const spoil = (finish: any) => ({ ...finish, sums: foreign });
    await expect(offerShare(owner, await target(), { spoil })).rejects.toEqual(code('BadSignature'));
    expect(keysIn(folders[1])).toEqual(keys);
    expect(await next.cosigner.store.takeover(owner.device.noise.publicKey)).toBeNull();
    await expect(client.ask({ kind: 'takeoverApprove', approvals: [] }, 'repaired')).rejects.toEqual(
      code('SessionUnknown'),
    );
  });

  test('a wallet that is here is not taken over', async () => {
    const to = { client: owner.client, token: await old.token(), hostKey: next.cosigner.identity.hostKey };
    await expect(offerShare(owner, to)).rejects.toEqual(code('WalletExists'));
  });
});

describe('handing over', () => {
  test('the old cosigner destroys its share and knows the device no more', async () => {
    const record = await takeOver(owner, next, client);
    expect(keysIn(folders[0])).toHaveLength(1);
    await pay(owner.client, owner.device, 1000n);
    await owner.client.ask({ kind: 'handOver', record }, 'retired');
    expect(keysIn(folders[0])).toEqual([]);
    const { body } = await attemptOf(owner.client, owner.device, payment(owner.device, { amount: 1000n }));
    await expect(askToSign(owner.client, owner.device, body)).rejects.toEqual(code('NotEnrolled'));
    for (const kind of ['scan', 'policy', 'records'] as const)
      await expect(owner.client.ask({ kind }, 'done')).rejects.toEqual(code('NotEnrolled'));
    const again = await Client.shake(addressOf(old), owner.device.noise);
    expect(await again.hello()).toMatchObject({ enrolled: false });
  });

  test('only for a complete record that puts another in its place', async () => {
    const { complete, approvals } = await offerShare(owner, await target());
    const record = complete();
    const cut = record.slice(0, -1);
    await expect(owner.client.ask({ kind: 'handOver', record: cut }, 'retired')).rejects.toEqual(
      code('BadEncoding'),
    );
    const flipped = Uint8Array.from(record);
    flipped[record.length - 10]! ^= 1;
    await expect(owner.client.ask({ kind: 'handOver', record: flipped }, 'retired')).rejects.toMatchObject({
      code: expect.stringMatching(/BadCertificate|BadEncoding/),
    });
    const other = await newOwner(old);
    await expect(other.client.ask({ kind: 'handOver', record }, 'retired')).rejects.toEqual(
      code('RefreshInvalid'),
    );
    expect(keysIn(folders[0])).toHaveLength(2);
    await pay(owner.client, owner.device, 1000n);
    expect(approvals).toHaveLength(2);
  });
});

describe('coming back', () => {
  /** At the other cosigner, whose share is of an epoch of its own unless nobody has refreshed there. */
  async function away(options: { policies?: Uint8Array<ArrayBuffer>[]; refresh?: boolean } = {}) {
    const { policies = [], refresh = true } = options;
    const { approvals } = await offerShare(owner, await target(), { policies });
    const { record } = await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
    await owner.client.ask({ kind: 'handOver', record }, 'retired');
    const there = { ...owner.device, epoch: await epochOf(owner.device, [record]) };
    const device = refresh ? await refreshedFully(client, there) : there;
    const { records } = await client.ask({ kind: 'records' }, 'records');
    const back = await Client.connect(addressOf(old), owner.device.noise);
    const to = { client: back, token: await old.token(), hostKey: old.cosigner.identity.hostKey };
    return { gone: { ...owner, device, client: back }, records, to };
  }
  const comeBack = async (
    { gone, records, to }: Awaited<ReturnType<typeof away>>,
    options: { records?: Uint8Array<ArrayBuffer>[]; policies?: Uint8Array<ArrayBuffer>[] } = {},
  ) => {
    const { approvals } = await offerShare(gone, to, { records, ...options });
    return (await to.client.ask({ kind: 'takeoverApprove', approvals }, 'repaired')).record;
  };

  test('attack-23 the cosigner that was left takes the wallet back by newer records, with all that it knew of it', async () => {
    await pay(owner.client, owner.device, 900_000n);
    const receipts = (of: Client) => of.ask({ kind: 'receipts', from: 1 }, 'receipts');
    const before = (await receipts(owner.client)).receipts;
    const run = await away();
    expect(keysIn(folders[0])).toEqual([]);
    const record = await comeBack(run);
    const { gone, to, records } = run;
    const device = { ...gone.device, epoch: await epochOf(gone.device, [...records, record]) };
    expect(await to.client.ask({ kind: 'policy' }, 'policy')).toMatchObject({ spentInWindows: [1_000_000n] });
    const { body } = await attemptOf(to.client, device, payment(device, { amount: 1000n }));
    await expect(askToSign(to.client, device, body)).rejects.toThrow('refused');
    now += DAY;
    await pay(to.client, device, 1000n);
    expect((await receipts(to.client)).receipts.slice(0, before.length)).toEqual(before);
    const kept = await to.client.ask({ kind: 'records' }, 'records');
    expect(kept.records).toHaveLength(records.length + 1);
    // The share of before is nobody's, and the cosigner that is left now gives up its own.
    expect(keysIn(folders[0])).toHaveLength(1);
    await expect(pay(to.client, owner.device, 1000n)).rejects.toEqual(code('EpochStale'));
    await client.ask({ kind: 'handOver', record }, 'retired');
    expect(keysIn(folders[1])).toEqual([]);
    await old.stop();
    old = await startCosigner({ folder: folders[0], clock });
    await pay(await Client.connect(addressOf(old), device.noise), device, 1000n);
  });

  test('attack-18 not before another epoch has begun: what was signed in the one before is forgotten here', async () => {
    await expect(comeBack(await away({ refresh: false }))).rejects.toEqual(code('WalletExists'));
    expect(await old.cosigner.store.walletOfDevice(owner.device.noise.publicKey)).toBeNull();
  });

  test('attack-18 not by records that do not go on from those that it knows', async () => {
    // It was told of one move, and another one was made.
    const told = (await offerShare(owner, await target())).complete();
    const { approvals } = await offerShare(owner, await target());
    const { record } = await client.ask({ kind: 'takeoverApprove', approvals }, 'repaired');
    await owner.client.ask({ kind: 'handOver', record: told }, 'retired');
    const there = { ...owner.device, epoch: await epochOf(owner.device, [record]) };
    const device = await refreshedFully(client, there);
    const { records } = await client.ask({ kind: 'records' }, 'records');
    const back = await Client.connect(addressOf(old), device.noise);
    const to = { client: back, token: await old.token(), hostKey: old.cosigner.identity.hostKey };
    const run = { gone: { ...owner, device, client: back }, records, to };
    await expect(comeBack(run)).rejects.toEqual(code('WalletExists'));
  });

  test('attack-18 not without a version of its policy that it knows', async () => {
    const tighter = { ...policyOf(), version: 2, perTransaction: 5000n };
    const signed = await changed(policyOf(), tighter);
    await owner.client.ask({ kind: 'changePolicy', signed }, 'done');
    const run = await away({ policies: [signed] });
    await expect(comeBack(run)).rejects.toEqual(code('WalletExists'));
    await comeBack({ ...run, to: { ...run.to, token: await old.token() } }, { policies: [signed] });
    const { document } = await run.to.client.ask({ kind: 'policy' }, 'policy');
    expect(document).toEqual(encodePolicy(tighter));
  });

  test('a ceremony that nobody could contest meanwhile is not there any more', async () => {
    const thief = await newDeviceAt(old);
    const ceremony = await askByWords(thief, owner.words);
    const run = await away();
    now += 40 * DAY;
    await comeBack({ ...run, to: { ...run.to, token: await old.token() } });
    await lookAtAll(old.cosigner);
    await expect(repairDevice(thief, owner.words, ceremony)).rejects.toEqual(code('SessionUnknown'));
    expect(await run.to.client.ask({ kind: 'ceremonies' }, 'ceremonies')).toMatchObject({ ceremonies: [] });
  });
});
