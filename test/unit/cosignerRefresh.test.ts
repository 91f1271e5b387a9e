/** A new epoch at a real cosigner: what it answers, what it stores, and what is left of the share before. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/cosigner/clock.ts';
import { destroyDoomed } from '../../src/cosigner/epochKeys.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { refreshVoidHash } from '../../src/frost/proofs.ts';
import { followRecords } from '../../src/frost/records.ts';
import { encodePolicy } from '../../src/policy/document.ts';
import { policyChangeHash, signedPolicy } from '../../src/policy/versions.ts';
import { type Codec, encode } from '../../src/protocol/codec.ts';
import { epochCertify } from '../../src/protocol/epoch.ts';
import { refreshOpen, refreshReveal } from '../../src/protocol/refresh.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  type Bytes,
  Client,
  newDevice,
  pay,
  payment,
  policyOf,
  type Running,
  removeFolder,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';
import {
  moved,
  refreshed,
  refreshedFully,
  refreshRounds,
  testCommitment,
  testSignature,
} from '../support/refreshing.ts';
import { forged } from '../support/shares.ts';

const code = (name: string) => expect.objectContaining({ code: name });

let signer: SignerModule;
let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
/** Added to the wall clock. */
let later = 0;
const clock = { ...systemClock, now: () => systemClock.now() + later };

beforeEach(async () => {
  later = 0;
  signer = await load();
  folder = testFolder();
  running = await startCosigner({ folder, clock });
  ({ device, client } = await newDevice(running));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await running.stop();
  removeFolder(folder);
});

const idOf = ({ keys }: TestDevice) => keys.wallet as Bytes;
const view = <T>(look: Parameters<Store['viewWallet']>[1]) =>
  running.cosigner.store.viewWallet(idOf(device), look) as Promise<T>;
const records = async () =>
  (await view<{ body: Bytes }[]>((v) => v.records('epoch'))).map(({ body }) => body);
const keyFiles = () => readdirSync(join(folder, 'epoch-keys'));
const again = () => Client.connect(addressOf(running), device.noise);

describe('a refresh', () => {
  test('the next epoch signs, the key stays, and records lead there after a restart too', async () => {
    expect(await client.hello()).toMatchObject({ epoch: 0, head: device.epoch.head });
    const next = await refreshedFully(client, device);
    expect(next.epoch).toMatchObject({ number: 1, groupKey: device.epoch.groupKey });
    expect(await client.hello()).toMatchObject({ epoch: 1, head: next.epoch.head });
    await pay(client, next, 1000n);

    await running.stop();
    running = await startCosigner({ folder, clock });
    client = await again();
    expect(await client.hello()).toMatchObject({ epoch: 1, head: next.epoch.head });
    expect(followRecords(signer, device.keys, await records()).at(-1)).toEqual(next.epoch);
    const third = await refreshedFully(client, next);
    expect(third.epoch.number).toBe(2);
    await pay(client, third, 1000n);
  });

  test('the share before is destroyed once both new ones are shown to fit, and not before', async () => {
    const before = keyFiles();
    const next = await refreshed(client, device);
    expect(keyFiles()).toEqual(expect.arrayContaining(before));
    const signature = await testSignature(client, next);
    expect(keyFiles()).toHaveLength(2);
    const bad = { kind: 'refreshDone', epoch: 1, signature: new Uint8Array(64) } as const;
    await expect(client.ask(bad, 'retired')).rejects.toEqual(code('BadSignature'));
    expect(keyFiles()).toHaveLength(2);
    for (let twice = 0; twice < 2; twice++)
      expect(await client.ask({ kind: 'refreshDone', epoch: 1, signature }, 'retired')).toMatchObject({
        epoch: 1,
      });
    expect(keyFiles()).toHaveLength(1);
    expect(keyFiles()).not.toEqual(before);
    expect(await running.cosigner.store.recordsEverywhere('destroy', 10)).toEqual([]);
    await pay(client, next, 1000n);
  });

  test('a key that cannot be destroyed now waits in the queue, through a restart, and nobody waits for it', async () => {
    const { keyWrap } = running.cosigner;
    vi.spyOn(keyWrap, 'destroy').mockRejectedValue(new Error('disk'));
    await refreshedFully(client, device);
    expect(keyFiles()).toHaveLength(2);
    expect(await running.cosigner.store.recordsEverywhere('destroy', 10)).toHaveLength(1);
    await running.stop();
    running = await startCosigner({ folder, clock });
    expect(await destroyDoomed(running.cosigner)).toBe(1);
    expect(keyFiles()).toHaveLength(1);
    expect(await destroyDoomed(running.cosigner)).toBe(0);
  });

  test('a share of before signs nothing any more, asks for nothing, and hears EpochStale', async () => {
    const attempted = await attemptOf(client, device, payment(device, { amount: 1000n }));
    await refreshed(client, device);
    await expect(askToSign(client, device, attempted.body)).rejects.toEqual(code('EpochStale'));
    const { own } = await testCommitment(client, device.epoch, device.share);
    const commitment = Uint8Array.from(own.commitments[0]!);
    await expect(client.ask({ kind: 'testSign', epoch: 0, commitment }, 'tested')).rejects.toEqual(
      code('EpochStale'),
    );
    const signature = new Uint8Array(64);
    await expect(client.ask({ kind: 'refreshDone', epoch: 0, signature }, 'retired')).rejects.toEqual(
      code('EpochStale'),
    );
    await expect(refreshRounds(client, device)).rejects.toEqual(code('RefreshInvalid'));
  });

  test('audit: another epoch in the body than the one whose share proves the request is EpochStale', async () => {
    const next = await refreshed(client, device);
    const { body } = await attemptOf(client, next, payment(next, { amount: 1000n }), { epoch: 0 });
    await expect(askToSign(client, next, body)).rejects.toEqual(code('EpochStale'));
    const ahead = await attemptOf(client, next, payment(next, { amount: 1000n }), { epoch: 2 });
    await expect(askToSign(client, next, ahead.body)).rejects.toEqual(code('EpochStale'));
    // Refused before anything was decided.
    expect((await client.ask({ kind: 'receipts', from: 1 }, 'receipts')).receipts).toEqual([]);
  });

  test('a signing that a refresh overtakes between ledger and share ends in EpochStale, and is never answered', async () => {
    const { keyWrap } = running.cosigner;
    const other = await again();
    const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
    const { open } = keyWrap;
    let overtaken = false;
    vi.spyOn(keyWrap, 'open').mockImplementation(async (wallet, epoch, sealed) => {
      if (!overtaken) {
        overtaken = true;
        device = await refreshedFully(other, device);
      }
      return open(wallet, epoch, sealed);
    });
    await expect(client.ask(await signRequest(client, device, body), 'signed')).rejects.toEqual(
      code('EpochStale'),
    );
    await pay(client, device, 1000n);
  });

  test('nor is one that it overtakes between share and answer', async () => {
    const { keyWrap } = running.cosigner;
    const other = await again();
    const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
    const old = await signRequest(client, device, body);
    const { open } = keyWrap;
    let overtaken = false;
    vi.spyOn(keyWrap, 'open').mockImplementation(async (wallet, epoch, sealed) => {
      const share = await open(wallet, epoch, sealed);
      if (!overtaken) {
        overtaken = true;
        device = await refreshedFully(other, device);
      }
      return share;
    });
    await expect(client.ask(old, 'signed')).rejects.toEqual(code('EpochStale'));
    await pay(client, device, 1000n);
  });

  test('policies signed in earlier epochs still hold, and new ones are signed in the present one', async () => {
    const change = (
      from: TestDevice,
      policy: ReturnType<typeof policyOf>,
      old: ReturnType<typeof policyOf>,
    ) =>
      encode(signedPolicy, {
        document: encodePolicy(policy),
        epoch: from.epoch.number,
        device: Uint8Array.from(
          signer.schnorrSign(
            from.share,
            policyChangeHash(idOf(from), old, policy) as Bytes,
            systemRandom(32),
          ),
        ),
        recovery: null,
        freeze: null,
        ceremony: null,
      });
    const first = policyOf();
    const second = { ...first, version: 2, perTransaction: 500_000n };
    await client.ask({ kind: 'changePolicy', signed: change(device, second, first) }, 'done');
    const next = await refreshedFully(client, device);
    await running.stop();
    running = await startCosigner({ folder, clock });
    client = await again();
    expect((await client.ask({ kind: 'policy' }, 'policy')).document).toEqual(encodePolicy(second));
    const third = { ...second, version: 3, perTransaction: 400_000n };
    const stale = client.ask({ kind: 'changePolicy', signed: change(device, third, second) }, 'done');
    await expect(stale).rejects.toEqual(code('EpochStale'));
    await client.ask({ kind: 'changePolicy', signed: change(next, third, second) }, 'done');
  });
});

describe('attack-16: one side gone between certifying and knowing', () => {
  test('the same certify message again, on any connection and after a restart, gets the same answer', async () => {
    const certified = await refreshRounds(client, device);
    const ask = (c: Client) => c.ask({ kind: 'refreshCertify', message: certified.message }, 'party');
    const { message } = await ask(client);
    expect((await ask(client)).message).toEqual(message);
    await running.stop();
    running = await startCosigner({ folder, clock });
    client = await again();
    expect((await ask(client)).message).toEqual(message);
    const { session } = certified.finished.pending;
    expect(await client.ask({ kind: 'refreshStatus', session }, 'party')).toEqual({
      kind: 'party',
      message,
    });
    const next = await moved(device, certified, message);
    await pay(client, next, 1000n);
  });

  test('rounds that are gone are void on the cosigner’s signed word, and the old epoch signs', async () => {
    const certified = await refreshRounds(client, device);
    await client.close();
    client = await again();
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await expect(client.ask(asked, 'party')).rejects.toEqual(code('SessionUnknown'));
    const { session } = certified.finished.pending;
    for (let twice = 0; twice < 2; twice++) {
      const { signature } = await client.ask({ kind: 'refreshStatus', session }, 'voided');
      const hash = refreshVoidHash(idOf(device), session);
      expect(signer.schnorrVerify(device.epoch.hostKeys[1], hash, signature)).toBe(true);
    }
    await pay(client, device, 1000n);
    await pay(client, await refreshedFully(client, device), 1000n);
  });

  test('void is for good: the rounds may live on another connection, and still never complete', async () => {
    const certified = await refreshRounds(client, device);
    const { session } = certified.finished.pending;
    const other = await again();
    await other.ask({ kind: 'refreshStatus', session }, 'voided');
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await expect(client.ask(asked, 'party')).rejects.toEqual(code('SessionUnknown'));
    expect(await client.hello()).toMatchObject({ epoch: 0 });
    await pay(client, device, 1000n);
  });

  test('what was certified in an epoch long past is still answered, and never called void', async () => {
    const certified = await refreshRounds(client, device);
    const { session } = certified.finished.pending;
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    const { message } = await client.ask(asked, 'party');
    const next = await refreshedFully(client, await moved(device, certified, message));
    expect(next.epoch.number).toBe(2);
    expect(await client.ask({ kind: 'refreshStatus', session }, 'party')).toMatchObject({ message });
  });

  test('of two refreshes at once one completes, and the other is EpochStale', async () => {
    const other = await again();
    const [a, b] = [await refreshRounds(client, device), await refreshRounds(other, device)];
    const { message } = await client.ask({ kind: 'refreshCertify', message: a.message }, 'party');
    await expect(other.ask({ kind: 'refreshCertify', message: b.message }, 'party')).rejects.toEqual(
      code('EpochStale'),
    );
    const session = b.finished.pending.session;
    await other.ask({ kind: 'refreshStatus', session }, 'voided');
    await pay(client, await moved(device, a, message), 1000n);
  });

  test('also if the other completes while the key of this one is being made, and that key is destroyed', async () => {
    const { keyWrap } = running.cosigner;
    const { seal } = keyWrap;
    const other = await again();
    const [a, b] = [await refreshRounds(client, device), await refreshRounds(other, device)];
    let next: TestDevice | undefined;
    vi.spyOn(keyWrap, 'seal').mockImplementation(async (wallet, epoch, share, name) => {
      if (next === undefined) {
        next = device;
        const { message } = await other.ask({ kind: 'refreshCertify', message: b.message }, 'party');
        next = await moved(device, b, message);
      }
      return seal(wallet, epoch, share, name);
    });
    await expect(client.ask({ kind: 'refreshCertify', message: a.message }, 'party')).rejects.toEqual(
      code('EpochStale'),
    );
    expect(await records()).toHaveLength(1);
    await pay(client, next!, 1000n);
    expect(keyFiles()).toHaveLength(3);
    later += 3_600_000;
    await destroyDoomed(running.cosigner);
    expect(keyFiles()).toHaveLength(2);
    await pay(client, next!, 1000n);
  });

  test('the rounds end with their deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let certified: Awaited<ReturnType<typeof refreshRounds>>;
    try {
      certified = await refreshRounds(client, device);
      vi.advanceTimersByTime(2 * 60_000);
    } finally {
      vi.useRealTimers();
    }
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await expect(client.ask(asked, 'party')).rejects.toEqual(code('SessionUnknown'));
  });

  test('a key that was reserved and never taken is destroyed after a while, and cannot be taken any more', async () => {
    const { keyWrap } = running.cosigner;
    const { seal } = keyWrap;
    const other = await again();
    vi.spyOn(keyWrap, 'seal').mockImplementation(async (wallet, epoch, share, name) => {
      const sealed = await seal(wallet, epoch, share, name);
      // The process stands still for an hour, and another one looks after the queue.
      later += 3_600_000;
      await destroyDoomed(running.cosigner);
      return sealed;
    });
    const certified = await refreshRounds(client, device);
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await expect(client.ask(asked, 'party')).rejects.toEqual(code('StoreUnavailable'));
    expect(keyFiles()).toHaveLength(1);
    expect(await other.hello()).toMatchObject({ epoch: 0 });
    await pay(other, device, 1000n);
  });
});

describe('attack-17: a refresh that does not follow from the epoch before', () => {
  const as =
    <T>(tag: string, codec: Codec<T>, change: (said: T) => T) =>
    (message: Bytes) =>
      forged(signer, [{ host: device.host }], `hoarfrost/${tag}`, codec, change)(message, 1);

  test.each([
    ['a raised threshold', { threshold: 3 }, 'RefreshInvalid'],
    ['a lowered threshold', { threshold: 1 }, 'RefreshInvalid'],
    ['a stale epoch', { epoch: 0 }, 'RefreshInvalid'],
    ['an epoch skipped', { epoch: 2 }, 'RefreshInvalid'],
    ['another head', { previous: new Uint8Array(32) }, 'RefreshInvalid'],
    ['another wallet', { wallet: new Uint8Array(32) }, 'RefreshInvalid'],
    ['another sender', { id: 2 }, 'BadIdentifier'],
    ['another suite', { suite: 'other' }, 'WrongSuite'],
    ['another version', { version: 9 }, 'WrongVersion'],
  ] as const)('%s is refused at once', async (_, change, expected) => {
    const open = as('refresh-open', refreshOpen, (said) => ({ ...said, ...change }));
    await expect(refreshRounds(client, device, { open })).rejects.toEqual(code(expected));
    expect(await client.hello()).toMatchObject({ epoch: 0 });
  });

  test.each([
    ['a constant term', (c: Bytes[]) => [c[1]!, c[1]!]],
    ['a lowered degree', (c: Bytes[]) => [c[0]!]],
    ['a raised degree', (c: Bytes[]) => [...c, c[1]!]],
  ] as const)('%s is refused before anything is stored; key and addresses stay', async (_, change) => {
    const reveal = as('refresh-reveal', refreshReveal, (said) => ({
      ...said,
      coefficients: change(said.coefficients),
    }));
    const certified = await refreshRounds(client, device, { reveal });
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await expect(client.ask(asked, 'party')).rejects.toEqual(
      expect.objectContaining({ code: 'RefreshInvalid', culprit: 1 }),
    );
    expect(await client.hello()).toMatchObject({ epoch: 0, head: device.epoch.head });
    expect(await records()).toEqual([]);
    expect(keyFiles()).toHaveLength(1);
    await pay(client, device, 1000n);
  });

  test('a certificate over another record is refused, and nothing is stored', async () => {
    const certified = await refreshRounds(client, device);
    const message = as('epoch-certify', epochCertify, (said) => ({
      ...said,
      record: Uint8Array.from(said.record, (b, i) => (i === said.record.length - 1 ? b ^ 1 : b)),
    }))(certified.message);
    await expect(client.ask({ kind: 'refreshCertify', message }, 'party')).rejects.toEqual(
      code('RefreshInvalid'),
    );
    expect(keyFiles()).toHaveLength(1);
    await pay(client, device, 1000n);
  });

  test('another wallet’s device can neither ask about a session nor certify it', async () => {
    const stranger = await newDevice(running);
    const certified = await refreshRounds(client, device);
    const asked = { kind: 'refreshCertify', message: certified.message } as const;
    await client.ask(asked, 'party');
    await expect(stranger.client.ask(asked, 'party')).rejects.toEqual(code('SessionUnknown'));
    const { session } = certified.finished.pending;
    await stranger.client.ask({ kind: 'refreshStatus', session }, 'voided');
    expect(await client.ask({ kind: 'refreshStatus', session }, 'party')).toMatchObject({ kind: 'party' });
  });

  test('a database that was moved back or forth opens nothing: the row and the records must agree', async () => {
    await refreshedFully(client, device);
    const { store } = running.cosigner;
    const [record] = await records();
    const key = Uint8Array.of(0, 0, 0, 1);
    await store.withWallet(idOf(device), (tx) => tx.deleteRecord('epoch', key));
    await expect(client.hello()).rejects.toEqual(code('RecordsCorrupt'));
    const spoilt = record!.slice();
    spoilt[spoilt.length - 100]! ^= 1;
    await store.withWallet(idOf(device), (tx) => tx.putRecord('epoch', key, spoilt));
    await expect(client.hello()).rejects.toMatchObject({ code: expect.stringMatching(/Bad|Refresh/) });
  });
});

describe('the test signature', () => {
  test('attack-14 a commitment is answered once: the same again gets the same share, in no other epoch another', async () => {
    const next = await refreshed(client, device);
    const { own } = await testCommitment(client, next.epoch, next.share);
    const commitment = Uint8Array.from(own.commitments[0]!);
    const ask = (c: Client) => c.ask({ kind: 'testSign', epoch: 1, commitment }, 'tested');
    const tested = await ask(client);
    expect(await ask(await again())).toEqual(tested);
    const psbt = payment(next, { amount: 1000n });
    const { body } = await attemptOf(client, next, psbt, { commitments: [commitment] });
    await expect(askToSign(client, next, body)).rejects.toEqual(code('AttemptReused'));
  });

  test('attack-14 a commitment of a payment is not answered by a test', async () => {
    const next = await refreshed(client, device);
    const attempted = await attemptOf(client, next, payment(next, { amount: 1000n }));
    await askToSign(client, next, attempted.body);
    const commitment = Uint8Array.from(attempted.committed.commitments[0]!);
    await expect(client.ask({ kind: 'testSign', epoch: 1, commitment }, 'tested')).rejects.toEqual(
      code('AttemptReused'),
    );
  });
});
