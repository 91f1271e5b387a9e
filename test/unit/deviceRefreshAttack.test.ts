/** New shares under attack from outside the protocol: restored profiles, a generator that repeats, and who searches afterwards. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '@scure/base';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { SIGNER_WASM } from '../../src/crypto/signer.wasm.generated.ts';
import { createWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { Connection } from '../../src/device/connection.ts';
import { decode } from '../../src/protocol/codec.ts';
import { epochRecord } from '../../src/protocol/epoch.ts';
import { type Request, signBody } from '../../src/protocol/messages.ts';
import { find } from '../memory/search.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { copyOf, databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { filesBelow, type Haystack, search } from '../support/forms.ts';
import { linkOf, onboard } from '../support/onboard.ts';
import { seededRandom } from '../support/parties.ts';

const payee = addressOf(PAYEE, 'regtest')!;
const { signer, memory } = createWasmSigner(
  new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(Buffer.from(SIGNER_WASM, 'base64'))), {}),
);
let folder: string;
let running: Running;
let profile: Profile;
const workers: Worker[] = [];

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder, signer });
  profile = newProfile();
  profile.clock.wall = Date.now();
  const coins = Array.from({ length: 9 }, (_, index) => ({
    outpoint: { txid: `${index + 1}`.repeat(64), vout: index },
    value: 500_000n,
    branch: 0 as const,
    index: 0,
    height: 10,
    coinbase: false,
  }));
  running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 3 };
  running.chain.broadcast = async (transaction) => hex.encode(txidOf(parseTransaction(transaction)));
  const worker = await start();
  await onboard(worker, await linkOf(running));
  await worker.call('refresh', null);
  worker.kill();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const worker of workers.splice(0)) worker.kill();
  await running.stop();
  removeFolder(folder);
});

async function start(options: Parameters<typeof Worker.start>[1] = {}, of = profile): Promise<Worker> {
  const worker = await Worker.start(of, { signer, ...options });
  workers.push(worker);
  return worker;
}

async function pay(worker: Worker, amount: bigint) {
  const { request } = await worker.call('draft', { address: payee, amount, feeRate: 2000 });
  await worker.call('press', { request });
  return vi.waitFor(
    async () => {
      const payment = await worker.call('payment', { request });
      if (payment.state !== 'broadcast' && payment.state !== 'failed') throw new Error(payment.state);
      return payment;
    },
    { timeout: 60_000, interval: 20 },
  );
}

test('attack-14: restored profiles, and workers whose generator repeats itself, never commit the same pair twice', async () => {
  const uses = new Map<string, Set<string>>();
  const use = (pair: Uint8Array, message: string) => {
    const name = hex.encode(pair);
    uses.set(name, (uses.get(name) ?? new Set()).add(message));
  };
  const original = Connection.prototype.request;
  let atCertify: () => Promise<void> = async () => {};
  vi.spyOn(Connection.prototype, 'request').mockImplementation(async function (
    this: Connection,
    asked: Request,
    ...kinds
  ) {
    if (asked.kind === 'sign')
      for (const [i, pair] of decode(signBody, asked.body).commitments.entries())
        use(pair, `${hex.encode(asked.body)}/${i}`);
    if (asked.kind === 'testSign')
      use(asked.commitment, `test ${asked.epoch} ${hex.encode(this.handshakeHash)}`);
    const answer = await original.call(this, asked, ...kinds);
    if (asked.kind === 'refreshCertify') await atCertify();
    return answer as never;
  });
  const stuck = () => ({ random: seededRandom('stuck') });
  const old = await copyOf(profile);
  const [first, twin] = [await start(stuck()), await start(stuck(), old)];
  await Promise.all([pay(first, 1000n), pay(twin, 2000n)]);
  const copies: Profile[] = [];
  atCertify = async () => void copies.push(await copyOf(profile));
  await first.call('refreshShares', null);
  atCertify = async () => {};
  await pay(first, 3000n);
  for (const worker of [first, twin]) worker.kill();
  // From the middle of it, twice, and from before it.
  for (const copy of [copies[0]!, await copyOf(copies[0]!), old]) {
    const worker = await start(stuck(), copy);
    await pay(worker, 4000n);
    await pay(worker, 5000n);
    worker.kill();
  }
  expect(uses.size).toBeGreaterThan(7);
  expect([...uses.values()].filter(({ size }) => size > 1)).toEqual([]);
});

/** All rows that the device has, as bytes of every kind of value. */
async function rowsOf(of: Profile): Promise<Haystack[]> {
  const db = await databaseOf(of);
  const stores = [
    'vault',
    'shares',
    'records',
    'change',
    'pending',
    'wallet',
    'requests',
    'transactions',
    'settings',
  ] as const;
  const found: Haystack[] = [];
  const bytesIn = (value: unknown): Uint8Array[] =>
    value instanceof Uint8Array
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.values(value).flatMap(bytesIn)
        : [Buffer.from(String(value))];
  for (const store of stores)
    for (const row of await db.all(store))
      found.push({ name: `device/${store}`, bytes: Buffer.concat(bytesIn(row)) });
  return found;
}

test('attack-22: after signing, a refresh and the lock, no secret of either side is left anywhere', async () => {
  const made: { secret: Secret; bytes: Uint8Array }[] = [];
  const { own, take } = Secret;
  const note = (secret: Secret) => {
    made.push({ secret, bytes: secret.expose().slice() });
    return secret;
  };
  vi.spyOn(Secret, 'own').mockImplementation((bytes) => note(own(bytes)));
  vi.spyOn(Secret, 'take').mockImplementation((bytes) => note(take(bytes)));
  const worker = await start();
  await pay(worker, 1000n);
  await worker.call('refreshShares', null);
  await pay(worker, 1000n);

  // Control: the search finds a secret that lives, wherever it may live.
  const planted = own(systemRandom(32));
  const context = new Uint8Array(0);
  const { nonces } = signer.commit({ share: planted, randomness: systemRandom(64), context });
  const randomness = systemRandom(96);
  const { polynomial } = signer.keygenCommit({ id: 1, session: new Uint8Array(32), randomness });
  expect(find(memory, randomness.slice(0, 32))).toBeDefined();
  signer.dropNonces(nonces);
  signer.dropPolynomial(polynomial);

  await worker.call('lock', null);
  worker.kill();
  vi.restoreAllMocks();

  // Shares, contributions, sums, one-time keys, host key, data key, the key of each new epoch.
  // A public X25519 key comes out of the same call as a shared secret does; two stand in the records.
  const records = [
    ...(await (await databaseOf(profile)).all('records')).map(({ record }) => record),
    ...(await running.cosigner.store.recordsEverywhere('epoch', 9)).map(({ body }) => body),
  ];
  const ephemeral = records.map((record) => String(decode(epochRecord, record).sealed.slice(0, 32)));
  expect(ephemeral).toHaveLength(2);
  const secrets = made.filter(({ bytes }) => bytes.length === 32 && !ephemeral.includes(String(bytes)));
  expect(secrets.length).toBeGreaterThan(20);
  expect(made.filter(({ secret, bytes }) => bytes.length > 0 && !secret.wiped)).toEqual([]);
  const places: Haystack[] = [
    ...(await rowsOf(profile)),
    { name: 'session', bytes: Buffer.from([...profile.session.values()].join()) },
    { name: 'log', bytes: Buffer.from(running.logLines.join('\n')) },
    ...(await filesBelow(folder)).filter(({ name }) => !name.endsWith('.key')),
  ];
  expect(places.length).toBeGreaterThan(6);
  for (const { bytes } of secrets) {
    expect(find(memory, bytes)).toBeUndefined();
    expect(search(places, bytes)).toEqual([]);
  }
  // Among the key files only those of the host, of the channel and of the one epoch that signs.
  const keys = (await filesBelow(folder)).filter(({ name }) => name.endsWith('.key'));
  expect(keys).toHaveLength(3);
  const [row] = await (await databaseOf(profile)).all('shares');
  expect(search(await rowsOf(profile), row!.sealed)).toContain('device/shares: raw');
  expect(readFileSync(join(folder, 'host.key'))).toHaveLength(32);
});
