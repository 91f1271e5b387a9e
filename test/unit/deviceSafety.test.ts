/** What the safety centre and the lock's screens ask of the device, against a real cosigner. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { Connection } from '../../src/device/connection.ts';
import type { ReceiptView } from '../../src/device/port.ts';
import { Vault } from '../../src/device/vault.ts';
import { verifyCertificate } from '../../src/frost/keygen.ts';
import { receiptHash } from '../../src/frost/proofs.ts';
import { followRecords } from '../../src/frost/records.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { type Receipt, receiptBody } from '../../src/protocol/messages.ts';
import { offlineMessage } from '../../src/protocol/offline.ts';
import { offlineText, readOffline } from '../../src/protocol/offlineText.ts';
import { encodePort } from '../../src/protocol/portCodec.ts';
import { readExported } from '../../src/protocol/publicState.ts';
import { type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { search } from '../support/forms.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';

const NEXT = 'evening ferry lantern';
const code = (name: string) => expect.objectContaining({ code: name });

let folder: string;
let running: Running;
let profile: Profile;
let worker: Worker;
let certificate: Uint8Array;
let vaults: Vault[];

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  vaults = [];
  const open = Vault.open.bind(Vault);
  vi.spyOn(Vault, 'open').mockImplementation(async (...args) => {
    const vault = await open(...args);
    vaults.push(vault);
    return vault;
  });
  worker = await Worker.start(profile);
  certificate = await onboard(worker, await linkOf(running));
});
afterEach(async () => {
  vi.restoreAllMocks();
  worker.kill();
  await running.stop();
  removeFolder(folder);
});

describe('receipts', () => {
  /** Each stricter rule is a receipt. */
  const tighten = async (...limits: bigint[]) => {
    for (const dailyLimit of limits) {
      const rules = await worker.call('rules', null);
      await worker.call('setRules', { ...rules, dailyLimit });
    }
  };
  /** A cosigner that answers the question for receipts otherwise. */
  const tell = (change: (receipts: Receipt[]) => Receipt[]) => {
    const original = Connection.prototype.request;
    vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
      this: Connection,
      ...args: unknown[]
    ) {
      const answer = await original.apply(this, args as never);
      return answer.kind === 'receipts' ? { ...answer, receipts: change(answer.receipts) } : answer;
    } as never);
  };
  const numbers = (items: ReceiptView[]) => items.map(({ sequence }) => sequence);

  test('the newest first, each what it was about, and in one row', async () => {
    await tighten(900_000n, 800_000n, 700_000n);
    const { items, total, broken } = await worker.call('receipts', null);
    expect(broken).toBe(false);
    expect(numbers(items)).toEqual(Array.from({ length: total }, (_, i) => total - i));
    expect(items.slice(0, 3).map(({ kind }) => kind)).toEqual(['policy', 'policy', 'policy']);
    expect(items[0]).toMatchObject({ charged: 0n, txid: '00'.repeat(32) });
  });

  test('how far they were followed is kept: what comes later must follow from there', async () => {
    await tighten(900_000n, 800_000n);
    const { total } = await worker.call('receipts', null);
    await tighten(700_000n);
    expect(await worker.call('receipts', null)).toMatchObject({ total: total + 1, broken: false });
    // Forgotten, though it was shown before.
    tell((receipts) => receipts.filter((_, i) => i < receipts.length - 1).slice(0, total));
    expect(await worker.call('receipts', null)).toMatchObject({ broken: true, items: [] });
    const state = await worker.call('state', null);
    expect(state).toMatchObject({ wallet: { receiptsBroken: true } });
  });

  test.each<[string, (r: Receipt[]) => Receipt[]]>([
    ['one is left out', (r) => r.filter((_, i) => i !== 1)],
    ['two change places', (r) => [r[1]!, r[0]!, ...r.slice(2)]],
    ['one is not signed', (r) => r.map((x, i) => (i === 1 ? { ...x, signature: new Uint8Array(64) } : x))],
    ['one is told twice', (r) => (r.length === 0 ? r : [r[0]!, ...r])],
  ])('a row in which %s is called broken', async (_name, change) => {
    await tighten(900_000n, 800_000n, 700_000n);
    tell(change);
    expect(await worker.call('receipts', null)).toMatchObject({ broken: true, items: [] });
  });

  test('another row of the same length, signed anew, is called broken', async () => {
    await tighten(900_000n, 800_000n);
    await worker.call('receipts', null);
    const { identity, signer } = running.cosigner;
    tell((receipts) => {
      let previous: Uint8Array<ArrayBuffer> = new Uint8Array(32);
      return receipts.map((receipt) => {
        const told = decode(receiptBody, receipt.body);
        const body = encode(receiptBody, { ...told, previous, at: told.at + 1 });
        previous = receiptHash(body);
        const signature = signer.schnorrSign(identity.host, previous, new Uint8Array(32));
        return { body, signature: Uint8Array.from(signature) };
      });
    });
    expect(await worker.call('receipts', null)).toMatchObject({ broken: true, items: [] });
  });

  test('a cosigner that does not answer breaks nothing', async () => {
    await tighten(900_000n);
    await running.stop();
    await expect(worker.call('receipts', null)).rejects.toThrow();
    expect(await worker.call('state', null)).toMatchObject({ wallet: { receiptsBroken: false } });
    running = await startCosigner({ folder });
  });
});

describe('the export', () => {
  const exported = async () => {
    const { message } = await worker.call('exportState', null);
    const said = decode(offlineMessage, Uint8Array.from(message));
    if (said.kind !== 'exported') throw new Error(said.kind);
    return { said, state: readExported(said), bytes: Buffer.from(message) };
  };
  /** All bytes that a row holds, by the way to them. */
  const bytesIn = (value: unknown, path: string): [string, Uint8Array][] =>
    value instanceof Uint8Array
      ? [[path, value]]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, inner]) => bytesIn(inner, `${path}.${name}`))
        : [];

  test('has the birth, the records, the rules, the receipts, whom we trust and what was chosen', async () => {
    await worker.call('refreshShares', null);
    const rules = await worker.call('rules', null);
    await worker.call('setRules', { ...rules, dailyLimit: 900_000n });
    await worker.call('setRoute', { url: 'https://esplora.example/api' });
    await worker.call('setAutoLock', { minutes: 30 });
    const { total } = await worker.call('receipts', null);
    const { said, state } = await exported();
    const signer = await load();
    expect(state).toMatchObject({
      version: 1,
      at: profile.clock.wall,
      network: 'regtest',
      receiptCount: total,
      receiptsBroken: false,
      autoLock: 30,
      route: 'https://esplora.example/api',
      drill: null,
      cosignerHost: '127.0.0.1',
      cosignerPort: running.listener.port,
      cosignerHostKey: signer.publicKey(running.cosigner.identity.host).slice(1),
      cosignerStatement: null,
    });
    expect(state.bundle.certificate).toEqual(certificate);
    expect(state.bundle.copies.map((records) => records.length)).toEqual([1]);
    const key = verifyCertificate(signer, state.bundle.certificate);
    const epochs = followRecords(signer, key, state.bundle.copies[0]!);
    expect(epochs.at(-1)).toMatchObject({
      number: 1,
      noiseKeys: [expect.anything(), state.cosignerNoiseKey],
    });
    expect(state.policies).toHaveLength(1);
    expect(state.receipts).toHaveLength(total);
    expect({ descriptor: state.descriptor }).toEqual(await worker.call('descriptor', null));
    // As a file, and back.
    expect(readOffline(offlineText(said))).toEqual(said);
  });

  test('is made without the cosigner too, but for the receipts', async () => {
    await running.stop();
    const { state } = await exported();
    expect(state).toMatchObject({ receipts: null, receiptsBroken: false });
    expect(state.bundle.certificate).toEqual(certificate);
    running = await startCosigner({ folder });
  });

  test('of another version is not read', async () => {
    const { said } = await exported();
    said.state[0] = 2;
    expect(() => readExported(said)).toThrow(code('WrongVersion'));
  });

  test('holds no share and no key, sealed or not, nor the password', async () => {
    await worker.call('refreshShares', null);
    const { bytes, said } = await exported();
    const haystack = [
      { name: 'file', bytes: Buffer.from(offlineText(said)) },
      { name: 'file, decoded', bytes },
    ];
    const vault = vaults.at(-1)!;
    const signer = await load();
    const key = verifyCertificate(signer, Uint8Array.from(certificate));
    const [share, host] = [await vault.share(1), await vault.host()];
    expect(signer.publicKey(host).slice(1)).toEqual(key.hostKeys[0]);
    // The search finds what is there, and what a careless export would have put beside it.
    expect(search(haystack, key.hostKeys[0])).toEqual(['file, decoded: raw']);
    const careless = { ...said, state: Uint8Array.from([...said.state, ...share.expose()]) };
    expect(search([{ name: 'careless', bytes: Buffer.from(careless.state) }], share.expose())).not.toEqual(
      [],
    );

    for (const secret of [share, host]) expect(search(haystack, secret.expose())).toEqual([]);
    const db = await databaseOf(profile);
    const rows = [...bytesIn(await db.all('vault'), 'vault'), ...bytesIn(await db.all('shares'), 'shares')];
    const kept = rows.filter(([path]) => !/\.(wallet|channelPublic)$/.test(path));
    expect(kept.length).toBeGreaterThanOrEqual(5);
    expect(kept.filter(([, value]) => search(haystack, value).length > 0).map(([path]) => path)).toEqual([]);
    for (const { bytes: text } of haystack) expect(text.includes(PASSWORD)).toBe(false);
  });
});

describe('the lock at the port', () => {
  const factor = () => new Uint8Array(32).fill(0x11);
  const securityKey = { credential: new Uint8Array(20).fill(9), salt: new Uint8Array(32).fill(4) };

  test('another password, while the wallet stays open', async () => {
    const change = { password: PASSWORD, factor: null, next: NEXT };
    await expect(worker.call('changePassword', { ...change, password: 'no such one' })).rejects.toEqual(
      code('WrongPassword'),
    );
    expect(await worker.call('changePassword', change)).toBe(true);
    expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked' });
    await worker.call('lock', null);
    await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code('WrongPassword'));
    await worker.call('unlock', { password: NEXT });
  });

  test('a security key: named to a locked page, and asked for by every way in', async () => {
    const added = { ...securityKey, factor: factor() };
    await worker.call('setSecurityKey', { password: PASSWORD, factor: null, securityKey: added });
    expect(added.factor).toEqual(new Uint8Array(32));
    expect(await worker.call('state', null)).toMatchObject({ phase: 'unlocked', securityKey });
    await worker.call('lock', null);
    const state = await worker.call('state', null);
    expect(state).toMatchObject({ phase: 'locked', securityKey });
    // What a page hears can cross the port.
    expect(encodePort(state)).toContain('"securityKey"');
    await expect(worker.call('unlock', { password: PASSWORD })).rejects.toEqual(code('SecurityKeyNeeded'));
    const other = { password: PASSWORD, factor: new Uint8Array(32) };
    await expect(worker.call('unlockWithSecurityKey', other)).rejects.toEqual(code('WrongPassword'));
    await worker.call('unlockWithSecurityKey', { password: PASSWORD, factor: factor() });
    await expect(
      worker.call('changePassword', { password: PASSWORD, factor: null, next: NEXT }),
    ).rejects.toEqual(code('SecurityKeyNeeded'));
    await worker.call('setSecurityKey', { password: PASSWORD, factor: factor(), securityKey: null });
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
  });

  test.each([31, 33])('a factor of %s bytes is none', async (length) => {
    const asked = { password: PASSWORD, factor: new Uint8Array(length), next: NEXT };
    await expect(worker.call('changePassword', asked)).rejects.toEqual(code('BadEncoding'));
  });
});
