/** The device's side of keygen against a real cosigner over TLS: how it ends well, and every way in which it does not. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { load } from '../../src/crypto/load.ts';
import { Connection } from '../../src/device/connection.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import type { Request } from '../../src/protocol/messages.ts';
import { RecoveryKeygen } from '../../src/recovery/onboarding.ts';
import { newWords } from '../../src/recovery/words.ts';
import { type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { type Death, databaseOf, Killed, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { termsOf } from '../support/terms.ts';

const code = (name: string) => expect.objectContaining({ code: name });
let folder: string;
let running: Running;
beforeAll(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
});
afterAll(async () => {
  await running.stop();
  removeFolder(folder);
});

const stores = ['vault', 'session', 'pending', 'wallet', 'requests', 'transactions', 'settings'] as const;
async function rowCounts(profile: Profile) {
  const db = await databaseOf(profile);
  const counts: Partial<Record<(typeof stores)[number], number>> = {};
  for (const store of stores) {
    const { length } = await db.all(store);
    if (length > 0) counts[store] = length;
  }
  return counts;
}

test('three parties make a wallet, and its addresses follow from the certificate', async () => {
  const profile = newProfile();
  const worker = await Worker.start(profile);
  expect(await worker.call('state', null)).toMatchObject({ phase: 'empty' });
  const certificate = await onboard(worker, await linkOf(running));
  const { network, groupKey, chainCode } = verifyCertificate(await load(), certificate);
  const { address } = deriveKey({ network, groupKey, chainCode, account: 0 }, 0, 0);
  expect(await worker.call('receiveAddress', null)).toEqual({ address, uri: `bitcoin:${address}`, index: 0 });
  expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
  await expect(worker.call('tryPairing', { uri: await linkOf(running), network: 'regtest' })).rejects.toEqual(
    code('WalletExists'),
  );
  await expect(onboard(worker, await linkOf(running))).rejects.toEqual(code('WalletExists'));

  await worker.call('lock', null);
  expect(profile.session.size).toBe(0);
  await expect(worker.call('receiveAddress', null)).rejects.toEqual(code('Locked'));
  await expect(worker.call('unlock', { password: 'another password' })).rejects.toEqual(
    code('WrongPassword'),
  );
  await worker.call('unlock', { password: PASSWORD });
  expect((await worker.call('receiveAddress', null)).address).toBe(address);
  worker.kill();
});

test('VaultDamaged: the stored certificate of another wallet cannot swap the addresses', async () => {
  const [mine, theirs] = [newProfile(), newProfile()];
  for (const profile of [mine, theirs]) {
    const worker = await Worker.start(profile);
    await onboard(worker, await linkOf(running));
    await worker.call('lock', null);
    worker.kill();
  }
  const other = await (await databaseOf(theirs)).get('wallet', 'wallet');
  await (await databaseOf(mine)).write([{ store: 'wallet', key: 'wallet', value: other }]);
  const worker = await Worker.start(mine);
  await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code('VaultDamaged'));
  expect(await worker.call('state', null)).toMatchObject({ phase: 'locked' });
  worker.kill();
});

test('VaultDamaged while unlocked: the next worker wakes locked and says why on unlock', async () => {
  const profile = newProfile();
  const worker = await Worker.start(profile);
  await onboard(worker, await linkOf(running));
  worker.kill();
  const db = await databaseOf(profile);
  const vault = (await db.get('vault', 'vault'))!;
  await db.write([{ store: 'vault', key: 'vault', value: { ...vault, wallet: new Uint8Array(32) } }]);
  const next = await Worker.start(profile);
  expect(await next.call('state', null)).toMatchObject({ phase: 'locked' });
  expect(profile.session.size).toBe(0);
  await db.write([{ store: 'vault', key: 'vault', value: { ...vault, shareId: 2 } }]);
  await expect(next.call('unlock', { password: PASSWORD })).rejects.toEqual(code('VaultDamaged'));
  next.kill();
});

describe('audit-24, attack-08: a worker killed at any boundary', () => {
  /** What the page does when the worker died under it: asks for the certificate, else begins again. */
  async function carryOn(profile: Profile): Promise<void> {
    const counts = await rowCounts(profile);
    if (counts.wallet === undefined && counts.pending === undefined) {
      expect(counts, 'nothing is stored before certifying').toEqual({});
    }
    const worker = await Worker.start(profile);
    let state = await worker.call('state', null);
    if (state.phase === 'locked') {
      await worker.call('unlock', { password: PASSWORD });
      state = await worker.call('state', null);
    }
    if (counts.wallet === undefined) {
      const none = counts.pending === undefined ? 'NoWallet' : 'Pending';
      if (state.phase !== 'unlocked') {
        await expect(worker.call('receiveAddress', null)).rejects.toEqual(code(none));
      }
    }
    const { certificate } = await worker.call('keygenResume', null);
    if (certificate === null) await onboard(worker, await linkOf(running));
    expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
    expect((await worker.call('receiveAddress', null)).address).toMatch(/^bcrt1p/);
    expect(await rowCounts(profile)).toMatchObject({ vault: 1, wallet: 1 });
    expect(await rowCounts(profile)).not.toHaveProperty('pending');
    worker.kill();
  }

  const deaths: Death[] = [];
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; at <= 3; at++) deaths.push({ by: 'write', at, when });
    for (let at = 1; at <= 12; at++) deaths.push({ by: 'frame', at, when });
  }
  test.each(deaths)('$when $by $at: resumes or begins again, never half a wallet', async (death) => {
    const profile = newProfile();
    const worker = await Worker.start(profile, { death });
    await expect(onboard(worker, await linkOf(running))).rejects.toBeInstanceOf(Killed);
    await carryOn(profile);
  });

  test('the deaths above cover a whole keygen', async () => {
    const worker = await Worker.start(newProfile());
    await onboard(worker, await linkOf(running));
    // Vault and pending key; the unlock session's key; the wallet. Handshake, hello, and the four rounds.
    expect(worker.life.db.writes).toBeGreaterThanOrEqual(3);
    expect(worker.life.frames).toBeGreaterThanOrEqual(12);
    worker.kill();
  });

  test('killed after certifying with the browser closed: the password and the cosigner bring the wallet', async () => {
    const profile = newProfile();
    const worker = await Worker.start(profile, { death: { by: 'frame', at: 12, when: 'before' } });
    await expect(onboard(worker, await linkOf(running))).rejects.toBeInstanceOf(Killed);
    profile.session.clear();
    const next = await Worker.start(profile);
    expect(await next.call('state', null)).toMatchObject({ phase: 'locked', network: 'regtest' });
    await expect(next.call('keygenResume', null)).rejects.toEqual(code('Locked'));
    await next.call('unlock', { password: PASSWORD });
    expect((await next.call('keygenResume', null)).certificate).not.toBeNull();
    expect(await next.call('state', null)).toMatchObject({ phase: 'unlocked' });
    next.kill();
  });
});

describe('a page of the extension', () => {
  const start = async () => {
    const recovery = new RecoveryKeygen(await load());
    const recoveryHello = await recovery.begin(newWords(), 'regtest', termsOf(1n));
    const uri = await linkOf(running);
    return { uri, network: 'regtest', password: PASSWORD, terms: termsOf(1n), recoveryHello } as const;
  };

  test('OtherTab: a second tab only watches', async () => {
    const worker = await Worker.start(newProfile());
    const argument = await start();
    const first = worker.call('keygenStart', argument);
    await expect(worker.call('keygenStart', argument, {})).rejects.toEqual(code('OtherTab'));
    expect((await first).hellos).toHaveLength(3);
    expect(await worker.call('state', null)).toMatchObject({ phase: 'onboarding' });
    await expect(worker.call('keygenStart', argument, {})).rejects.toEqual(code('OtherTab'));
    const recovery = new Uint8Array(1);
    await expect(worker.call('keygenRound1', { recovery }, {})).rejects.toEqual(code('OtherTab'));
    worker.kill();
  });

  test('closing the tab before recovery certifies forgets the session', async () => {
    const profile = newProfile();
    const worker = await Worker.start(profile);
    worker.device.pageOpened();
    await worker.call('keygenStart', await start());
    worker.device.pageClosed(worker.page);
    expect(await worker.call('state', null)).toMatchObject({ phase: 'empty' });
    expect(await rowCounts(profile)).toEqual({});
    worker.kill();
  });
});

describe('attack-02, attack-08: a certificate', () => {
  test('WrongSession: recovery certified another session, and nothing was stored', async () => {
    const [recovery, other] = [new RecoveryKeygen(await load()), new RecoveryKeygen(await load())];
    const profile = newProfile();
    const worker = await Worker.start(profile);
    const words = newWords();
    /** Both play the same words, in sessions of their own. */
    const run = async (party: RecoveryKeygen) => {
      const start = {
        uri: await linkOf(running),
        network: 'regtest',
        password: PASSWORD,
        terms: termsOf(1n),
        recoveryHello: await party.begin(words, 'regtest', termsOf(1n)),
      } as const;
      const { hellos } = await worker.call('keygenStart', start);
      const r1 = await worker.call('keygenRound1', { recovery: await party.round1(hellos as never) });
      const r2 = await worker.call('keygenRound2', { recovery: await party.round2(r1.messages as never) });
      return party.certify(r2.messages as never);
    };
    const elsewhere = await run(other);
    await run(recovery);
    await expect(worker.call('keygenCertify', { recovery: elsewhere })).rejects.toEqual(code('WrongSession'));
    expect(await rowCounts(profile)).toEqual({});
    worker.kill();
  });

  test('TranscriptMismatch: the full certificate of another wallet, and this one stays Pending', async () => {
    const other = await Worker.start(newProfile());
    const theirs = await onboard(other, await linkOf(running));
    other.kill();
    const profile = newProfile();
    const worker = await Worker.start(profile);
    const original = Connection.prototype.request;
    const lie = vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      asked: Request,
      ...kinds
    ) {
      const answer = await original.call(this, asked, ...kinds);
      return (answer.kind === 'certificate' ? { ...answer, certificate: theirs } : answer) as never;
    });
    try {
      await expect(onboard(worker, await linkOf(running))).rejects.toEqual(code('TranscriptMismatch'));
      await expect(worker.call('receiveAddress', null)).rejects.toEqual(code('Pending'));
      await expect(worker.call('keygenResume', null)).rejects.toEqual(code('TranscriptMismatch'));
      expect(await rowCounts(profile)).toMatchObject({ vault: 1, pending: 1 });
      expect(await rowCounts(profile)).not.toHaveProperty('wallet');
    } finally {
      lie.mockRestore();
    }
    // The cosigner thinks better of it.
    expect((await worker.call('keygenResume', null)).certificate).not.toBeNull();
    expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
    worker.kill();
  });
});

describe('bad input', () => {
  const fresh = () => Worker.start(newProfile());

  test('WrongCosignerKey: another channel key in the link', async () => {
    const worker = await fresh();
    const uri = (await linkOf(running)).replace(/k=[0-9a-f]{64}/, `k=${'42'.repeat(32)}`);
    await expect(worker.call('tryPairing', { uri, network: 'regtest' })).rejects.toEqual(
      code('WrongCosignerKey'),
    );
    await expect(onboard(worker, uri)).rejects.toEqual(code('WrongCosignerKey'));
    worker.kill();
  });

  test('WrongCosignerKey: another signing key in the link', async () => {
    const worker = await fresh();
    const uri = (await linkOf(running)).replace(/h=[0-9a-f]{64}/, `h=${'42'.repeat(32)}`);
    await expect(onboard(worker, uri)).rejects.toEqual(code('WrongCosignerKey'));
    worker.kill();
  });

  test('TokenExpired, TokenUnknown', async () => {
    const worker = await fresh();
    await expect(onboard(worker, await linkOf(running, await running.token(-1)))).rejects.toEqual(
      code('TokenExpired'),
    );
    await expect(onboard(worker, await linkOf(running, 'never-issued'))).rejects.toEqual(
      code('TokenUnknown'),
    );
    const without = (await linkOf(running)).replace(/&t=[^&]+/, '');
    await expect(onboard(worker, without)).rejects.toEqual(code('TokenUnknown'));
    worker.kill();
  });

  test('CosignerUnreachable: nobody there', async () => {
    const worker = await fresh();
    const { network } = running.cosigner;
    const uri = await linkOf(running, 'token', 1);
    await expect(worker.call('tryPairing', { uri, network })).rejects.toEqual(code('CosignerUnreachable'));
    worker.kill();
  });

  test('WrongNetwork: by the link, and by the cosigner if the link does not say', async () => {
    const worker = await fresh();
    const uri = await linkOf(running);
    await expect(worker.call('tryPairing', { uri, network: 'signet' })).rejects.toEqual(code('WrongNetwork'));
    await expect(onboard(worker, uri.replace('n=regtest', 'n=signet'))).rejects.toEqual(code('WrongNetwork'));
    const silent = uri.replace(/&n=[a-z]+/, '');
    await expect(worker.call('tryPairing', { uri: silent, network: 'signet' })).rejects.toEqual(
      code('WrongNetwork'),
    );
    worker.kill();
  });

  test('WeakPassword, and nothing was stored', async () => {
    const profile = newProfile();
    const worker = await Worker.start(profile);
    const start = {
      uri: await linkOf(running),
      network: 'regtest' as const,
      password: 'short',
      terms: termsOf(1n),
      recoveryHello: new Uint8Array(8),
    };
    await expect(worker.call('keygenStart', start)).rejects.toEqual(code('WeakPassword'));
    expect(await rowCounts(profile)).toEqual({});
    worker.kill();
  });
});
