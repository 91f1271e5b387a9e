/** What a cosigner does for a lost device and for a lost kit, over either store: real TLS and Noise; the test plays everybody else. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import { destroyDoomed } from '../../src/cosigner/epochKeys.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { openPostgres } from '../../src/cosigner/stores/postgres.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { advance, firstEpoch } from '../../src/frost/epoch.ts';
import { recoverAtEpoch } from '../../src/frost/records.ts';
import type { RenewedShare } from '../../src/frost/refresh.ts';
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
import { refreshed, testSignature } from '../support/refreshing.ts';
import {
  askByDevice,
  askByWords,
  byDevice,
  byWords,
  hostKeyOf,
  type NewDevice,
  newDeviceAt,
  renewDevice,
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

    test('attack-23 nothing of it is told before the ceremony is ripe, to another device, or of none', async () => {
      const newcomer = await newDeviceAt(running);
      const ceremony = await askByWords(newcomer, owner.words);
      await expect(repairDevice(newcomer, owner.words, ceremony)).rejects.toEqual(code('CeremonyWaits'));
      // Whom it does not name hears not even that it waits.
      const curious = await newDeviceAt(running);
      await expect(repairDevice(curious, owner.words, ceremony)).rejects.toEqual(code('SessionUnknown'));
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

    test('keeps nobody out by new epochs: no refresh under a repair that may begin, and again once it is contested', async () => {
      const { newcomer, ceremony } = await ripe();
      const { approve } = await repairDevice(newcomer, owner.words, ceremony);
      await expect(refreshed(owner.client, owner.device)).rejects.toEqual(code('DeviceBeingReplaced'));
      await byDevice(owner.client, owner.device, said(ceremony, 'contest', clock.time));
      await refreshed(owner.client, owner.device);
      await expect(approve()).rejects.toEqual(code('EpochStale'));
    });

    test('that has begun all the epochs that it may keeps out neither its successor nor the epoch that follows', async () => {
      const { limiter } = running.cosigner;
      Object.assign(limiter, { limits: { ...limiter.limits, refreshes: 0 } });
      await expect(refreshed(owner.client, owner.device)).rejects.toEqual(code('TooLarge'));
      const { newcomer, ceremony } = await ripe();
      const { approve, share } = await repairDevice(newcomer, owner.words, ceremony);
      const epoch = advance(await load(), owner.device.epoch, await approve());
      const client = await Client.connect(addressOf(running), newcomer.noise);
      const next = await refreshed(client, { ...asDevice(newcomer, share), epoch });
      expect(await client.hello()).toMatchObject({ epoch: 1, head: next.epoch.head });
      await expect(refreshed(client, next)).rejects.toEqual(code('TooLarge'));
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
      const { approve, share, next } = await repairKit(owner, kit, ceremony);
      const record = await approve();
      const signer = await load();
      expect(advance(signer, firstEpoch(signer, owner.device.keys), record)).toEqual(next);
      expect(signer.publicKey(share)).toEqual(next.verifyingShares[2]);
      expect(share.expose()).not.toEqual(owner.device.recoveryShare.expose());
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

    /** What the store holds of the epoch, the shares' keys and whose words they are. */
    const standing = async () => {
      const { store } = running.cosigner;
      const { wallet } = owner.device.keys;
      return {
        keys: readdirSync(join(folder, 'epoch-keys')).length,
        ...(await store.viewWallet(wallet, async (view) => ({
          epoch: view.wallet.epoch,
          records: (await view.records('epoch')).length,
        }))),
        words: await Promise.all(
          [owner.words, kit].map(async ({ host }) => {
            const found = await store.walletsOfRecord('recovery', await hostKeyOf(host));
            return found.length;
          }),
        ),
      };
    };

    test('attack-23 begins an epoch in the same commit: the shares that the old paper fits sign nothing, and go', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const before = await standing();
      expect(before).toEqual({ keys: 1, epoch: 0, records: 0, words: [1, 0] });
      const { approve, next, renewed } = await repairKit(owner, kit, ceremony);
      expect(await standing()).toEqual(before);
      await approve();
      expect(await standing()).toEqual({ keys: 2, epoch: 1, records: 1, words: [0, 1] });

      // With the share of before the device is nobody, whichever epoch it names.
      const posing = { ...owner.device, epoch: next };
      for (const old of [owner.device, posing])
        await expect(signs(owner.client, old)).rejects.toEqual(code('EpochStale'));
      const device = { ...owner.device, epoch: next, share: renewed };
      await pay(owner.client, device, 1000n);
      const signature = await testSignature(owner.client, device);
      await owner.client.ask({ kind: 'refreshDone', epoch: 1, signature }, 'retired');
      expect(await standing()).toMatchObject({ keys: 1, epoch: 1 });
      await pay(owner.client, device, 1000n);
    });

    test('attack-18 without the rounds of a new epoch, or with rounds that were used, no kit is made', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const { client } = owner;
      const none = { kind: 'repairOpen', ceremony, hello: new Uint8Array(1) } as const;
      await expect(client.ask(none, 'repairOpened')).rejects.toEqual(code('SessionUnknown'));
      const { approve } = await repairKit(owner, kit, ceremony);
      await expect(client.ask(none, 'repairOpened')).rejects.toEqual(code('SessionUnknown'));
      await expect(approve()).rejects.toEqual(code('SessionUnknown'));
      expect(await standing()).toMatchObject({ epoch: 0, records: 0, words: [1, 0] });
      await pay(owner.client, owner.device, 1000n);
    });

    test('attack-18 a device that would keep its share, or begins another epoch, is refused and changes nothing', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const { share, epoch } = owner.device;
      const slope = Uint8Array.from(epoch.slope);
      for (const [renewed, error] of [
        // The new holder sees it: the sums are of two epochs.
        [(own: RenewedShare) => ({ ...own, share }), 'RepairedShareMismatch'],
        // The cosigner sees it: it knows which epoch it has agreed on.
        [() => ({ share, slope }), 'RefreshInvalid'],
        [(own: RenewedShare) => renewDevice(owner, epoch).then(() => own), 'RefreshInvalid'],
      ] as const)
        await expect(repairKit(owner, kit, ceremony, { renewed })).rejects.toEqual(code(error));
      expect(await standing()).toMatchObject({ keys: 1, epoch: 0, records: 0, words: [1, 0] });
      await (await repairKit(owner, kit, ceremony)).approve();
    });

    test('contested at the last moment nothing of it has happened: no epoch, no words', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const { approve } = await repairKit(owner, kit, ceremony);
      await byWords(owner.client, owner.words, said(ceremony, 'contest', clock.time));
      await expect(approve()).rejects.toEqual(code('CeremonyWaits'));
      expect(await standing()).toMatchObject({ epoch: 0, records: 0, words: [1, 0] });
      // The key that was made for it goes with the next look at the queue.
      await clock.pass(running, DAY);
      await destroyDoomed(running.cosigner);
      expect(await standing()).toMatchObject({ keys: 1 });
    });

    test('a refresh that came first makes it stale, and it changes nothing', async () => {
      const ceremony = await askByDevice(owner, await purpose());
      await clock.pass(running, DAY);
      const { approve } = await repairKit(owner, kit, ceremony);
      const second = await Client.connect(addressOf(running), owner.device.noise);
      const device = await refreshed(second, owner.device);
      await expect(approve()).rejects.toEqual(code('EpochStale'));
      expect(await standing()).toMatchObject({ epoch: 1, records: 1, words: [1, 0] });
      await pay(second, device, 1000n);
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
