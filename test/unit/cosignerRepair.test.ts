/** What a cosigner does for a lost device and for a lost kit, over either store: real TLS and Noise; the test plays everybody else. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { openPostgres } from '../../src/cosigner/stores/postgres.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { advance, firstEpoch } from '../../src/frost/epoch.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import { keysFromWords, newWords, type RecoveryKeys } from '../../src/recovery/words.ts';
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
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import {
  askByDevice,
  askByWords,
  byDevice,
  byWords,
  hostKeyOf,
  type NewDevice,
  newDeviceAt,
  repairDevice,
  repairKit,
  said,
} from '../support/repairing.ts';
import { MovedClock } from '../support/returning.ts';
import { newOwner, type Owner } from '../support/takeover.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const DAY = 86_400_000;
const policy = policyOf({ delay: DAY });

describe('sqlite', () => suite());

await describeReal('postgres', ['postgres'], () => {
  let server: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  suite(async () => {
    await server.sql(`CREATE DATABASE repair${++made}`);
    return openPostgres(server.url(`repair${made}`));
  });
});

function suite(store?: () => Promise<Store>): void {
  let folder: string;
  let clock: MovedClock;
  let running: Running;
  let owner: Owner;

  beforeEach(async () => {
    folder = testFolder();
    clock = new MovedClock(START);
    running = await startCosigner({ folder, clock, ...(store === undefined ? {} : { store }) });
    owner = await newOwner(running, policy);
  });
  afterEach(async () => {
    await running.stop();
    removeFolder(folder);
  });

  /** The words ask, and the delay passes. */
  async function ripe(): Promise<{ newcomer: NewDevice; ceremony: Uint8Array<ArrayBuffer> }> {
    const newcomer = await newDeviceAt(running);
    const ceremony = await askByWords(newcomer, owner.words);
    await clock.pass(running, DAY);
    return { newcomer, ceremony };
  }
  const asDevice = ({ noise, host }: NewDevice, share: Secret): TestDevice => ({
    ...owner.device,
    noise,
    host,
    share,
  });
  const signs = async (client: Client, device: TestDevice) => {
    const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
    return askToSign(client, device, body);
  };

  describe('a lost device', () => {
    test('attack-23 is replaced: the new one signs, the lost one is nobody, on its open connection too', async () => {
      const { newcomer, ceremony } = await ripe();
      const { approve, share } = await repairDevice(newcomer, owner.words, ceremony);
      await pay(owner.client, owner.device, 1000n);
      const record = await approve();
      const signer = await load();
      const epoch = advance(signer, firstEpoch(signer, owner.device.keys), record);
      expect(epoch.hostKeys[0]).toEqual(await hostKeyOf(newcomer.host));
      expect(epoch.noiseKeys[0]).toEqual(newcomer.noise.publicKey);

      await expect(signs(owner.client, owner.device)).rejects.toEqual(code('NotEnrolled'));
      await expect(owner.client.ask({ kind: 'scan' }, 'scanned')).rejects.toEqual(code('NotEnrolled'));
      const back = await Client.shake(addressOf(running), owner.device.noise);
      expect(await back.hello()).toMatchObject({ enrolled: false });

      const device = asDevice(newcomer, share);
      const client = await Client.shake(addressOf(running), newcomer.noise);
      expect(await client.hello()).toMatchObject({ enrolled: true, epoch: 0, head: epoch.head });
      await pay(client, device, 1000n);
      expect(await client.ask({ kind: 'records' }, 'records')).toMatchObject({ records: [record] });
      // The lost one's share on the new one's wallet, from a channel of its own: no proof helps.
      await expect(signs(back, owner.device)).rejects.toEqual(code('NotEnrolled'));
    });

    test('nothing of it is told before the ceremony is ripe, to another device, or of none', async () => {
      const newcomer = await newDeviceAt(running);
      const ceremony = await askByWords(newcomer, owner.words);
      await expect(repairDevice(newcomer, owner.words, ceremony)).rejects.toEqual(code('CeremonyWaits'));
      await clock.pass(running, DAY);
      const other = await newDeviceAt(running);
      const foreign = { ...other, host: newcomer.host };
      for (const [at, id] of [
        [foreign, ceremony],
        [other, ceremony],
        [newcomer, systemRandom(32)],
      ] as const)
        await expect(repairDevice(at, owner.words, id)).rejects.toEqual(code('SessionUnknown'));
      // Nor to the device that it would replace.
      const asOld = { ...newcomer, client: owner.client };
      await expect(repairDevice(asOld, owner.words, ceremony)).rejects.toEqual(code('SessionUnknown'));
      await repairDevice(newcomer, owner.words, ceremony);
    });

    test('contested, also at the last moment, it is not replaced', async () => {
      const { newcomer, ceremony } = await ripe();
      const { approve } = await repairDevice(newcomer, owner.words, ceremony);
      await byDevice(owner.client, owner.device, said(ceremony, 'contest', clock.time));
      await expect(approve()).rejects.toEqual(code('CeremonyWaits'));
      await expect(repairDevice(newcomer, owner.words, ceremony)).rejects.toEqual(code('CeremonyWaits'));
      expect(await running.cosigner.store.walletOfDevice(newcomer.noise.publicKey)).toBeNull();
    });

    test('is replaced once', async () => {
      const { newcomer, ceremony } = await ripe();
      const first = await repairDevice(newcomer, owner.words, ceremony);
      await first.approve();
      await expect(first.approve()).rejects.toEqual(code('SessionUnknown'));
      const twin = { ...newcomer, client: await Client.shake(addressOf(running), newcomer.noise) };
      await twin.client.hello();
      await expect(repairDevice(twin, owner.words, ceremony)).rejects.toEqual(code('SessionUnknown'));
    });

    test('the rounds die with the connection, and begin again', async () => {
      const { newcomer, ceremony } = await ripe();
      await repairDevice(newcomer, owner.words, ceremony);
      await newcomer.client.close();
      const client = await Client.connect(addressOf(running), newcomer.noise);
      const junk = new Uint8Array(1);
      await expect(
        client.ask({ kind: 'repairSplit', open: junk, delta: junk }, 'repairSplit'),
      ).rejects.toEqual(code('SessionUnknown'));
      await expect(
        client.ask({ kind: 'repairApprove', sum: junk, certify: junk, approval: junk }, 'repaired'),
      ).rejects.toEqual(code('SessionUnknown'));
      const { approve } = await repairDevice({ ...newcomer, client }, owner.words, ceremony);
      await approve();
    });

    test('a change that came first makes the rounds stale, and they change nothing', async () => {
      const { newcomer, ceremony } = await ripe();
      const other = await newDeviceAt(running);
      const second = await askByWords(other, owner.words);
      await clock.pass(running, DAY);
      const [slow, fast] = [
        await repairDevice(newcomer, owner.words, ceremony),
        await repairDevice(other, owner.words, second),
      ];
      await fast.approve();
      await expect(slow.approve()).rejects.toEqual(code('EpochStale'));
      await pay(await Client.connect(addressOf(running), other.noise), asDevice(other, fast.share), 1000n);
    });

    test('attack-18 of a wrong summand, sum or certificate nothing is stored', async () => {
      const { newcomer, ceremony } = await ripe();
      const other = await newOwner(running, policy);
      const at = await newDeviceAt(running);
      const foreign = await askByWords(at, other.words);
      await clock.pass(running, DAY);
      let theirs: { sum: Uint8Array; certify: Uint8Array; approval: Uint8Array } | undefined;
      let theirDelta: Uint8Array<ArrayBuffer> | undefined;
      await repairDevice(at, other.words, foreign, {
        delta: (delta) => (theirDelta = delta),
        approve: (request) => (theirs = request),
      });
      const attempt = async (spoil: Parameters<typeof repairDevice>[3]) =>
        (await repairDevice(newcomer, owner.words, ceremony, spoil)).approve();
      await expect(attempt({ delta: () => theirDelta! })).rejects.toEqual(code('BadSignature'));
      for (const part of ['sum', 'certify', 'approval'] as const)
        await expect(
          attempt({ approve: (request) => ({ ...request, [part]: theirs![part] }) }),
        ).rejects.toMatchObject({
          code: expect.stringMatching(/BadSignature|WrongSession|TranscriptMismatch/),
        });
      expect(await running.cosigner.store.walletOfDevice(newcomer.noise.publicKey)).toBeNull();
      await pay(owner.client, owner.device, 1000n);
      await attempt({});
    });

    test('only the keys that the ceremony names get in', async () => {
      const { newcomer, ceremony } = await ripe();
      const thief = { ...newcomer, host: Secret.own(systemRandom(32)) };
      await expect(repairDevice(thief, owner.words, ceremony)).rejects.toEqual(code('BadSignature'));
      const { publicKey } = (await newDeviceAt(running)).noise;
      const noise = { ...newcomer.noise, publicKey };
      await expect(repairDevice({ ...newcomer, noise }, owner.words, ceremony)).rejects.toEqual(
        code('Unauthorised'),
      );
    });
  });

  describe('a lost kit', () => {
    let kit: RecoveryKeys;
    beforeEach(async () => {
      kit = await keysFromWords(newWords());
    });
    const purpose = async () => ({
      kind: 'replaceKit' as const,
      hostKey: await hostKeyOf(kit.host),
      encryptionKey: kit.encryption.publicKey,
    });

    test('attack-23 is replaced by device and cosigner; the old words can do nothing', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await expect(repairKit(owner, kit, ceremony)).rejects.toEqual(code('CeremonyWaits'));
      await clock.pass(running, DAY);
      const { approve, share } = await repairKit(owner, kit, ceremony);
      const record = await approve();
      const signer = await load();
      expect(signer.publicKey(share)).toEqual(owner.device.keys.verifyingShares[2]);
      const { certificate } = owner.device;
      const back = await recoverAtEpoch(signer, kit.encryption.privateKey, certificate, [[record]]);
      expect(back.share.expose()).toEqual(share.expose());
      const old = recoverAtEpoch(signer, owner.words.encryption.privateKey, certificate, [[record]]);
      await expect(old).rejects.toEqual(code('BadWords'));

      const thief = await newDeviceAt(running);
      await expect(askByWords(thief, owner.words)).rejects.toEqual(code('SessionUnknown'));
      const mine = await newDeviceAt(running);
      const again = await askByWords(mine, kit);
      await clock.pass(running, DAY);
      await (await repairDevice(mine, kit, again)).approve();
    });

    test('words that are stolen stop it within the delay', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await byWords(owner.client, owner.words, said(ceremony, 'contest', clock.time));
      await clock.pass(running, DAY);
      await expect(repairKit(owner, kit, ceremony)).rejects.toEqual(code('CeremonyWaits'));
    });

    test('only by the wallet’s own device, for the keys that the ceremony names', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const other = await newOwner(running, policy);
      await expect(repairKit(other, kit, ceremony)).rejects.toEqual(code('SessionUnknown'));
      const forged = await keysFromWords(newWords());
      await expect(repairKit(owner, forged, ceremony)).rejects.toEqual(code('BadSignature'));
      const mixed = { host: kit.host, encryption: forged.encryption };
      await expect(repairKit(owner, mixed, ceremony)).rejects.toEqual(code('Unauthorised'));
      await (await repairKit(owner, kit, ceremony)).approve();
    });
  });
}
