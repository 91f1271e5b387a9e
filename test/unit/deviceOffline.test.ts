/** The device signing with recovery in the cosigner's place: against the real recovery steps, with the cosigner stopped. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hex } from '@scure/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressOf } from '../../src/bitcoin/address.ts';
import { verifyMessage } from '../../src/bitcoin/message.ts';
import { networkParams } from '../../src/bitcoin/network.ts';
import { parseTransaction, txidOf } from '../../src/bitcoin/transaction.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { OFFLINE_NONCE_LIFETIME_MS } from '../../src/protocol/limits.ts';
import { type OfflineOf, offlineMessage } from '../../src/protocol/offline.ts';
import { openSitting } from '../../src/recovery/sitting.ts';
import { newWords } from '../../src/recovery/words.ts';
import { PAYEE, type Running, removeFolder, startCosigner, testFolder } from '../support/cosigner.ts';
import { databaseOf, newProfile, type Profile, Worker } from '../support/deviceHost.ts';
import { linkOf, onboard, PASSWORD } from '../support/onboard.ts';
import { secretsOf } from '../support/shares.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const payee = addressOf(PAYEE, 'regtest')!;

let folder: string;
let running: Running;
let profile: Profile;
let worker: Worker;
let words: string[];

beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  profile = newProfile();
  profile.clock.wall = Date.now();
  worker = await Worker.start(profile);
  words = newWords();
  await onboard(worker, await linkOf(running), words);
  const coins = [0, 1].map((index) => ({
    outpoint: { txid: `${index + 1}`.repeat(64), vout: index },
    value: 500_000n,
    branch: 0 as const,
    index,
    height: 10,
    coinbase: false,
  }));
  running.chain.scanned = { ...running.chain.scanned, coins, nextReceive: 3 };
  await worker.call('refresh', null);
  await running.stop();
});
afterEach(async () => {
  vi.restoreAllMocks();
  worker.kill();
  await running.stop();
  removeFolder(folder);
});

const draft = (amount = 100_000n) => worker.call('draft', { address: payee, amount, feeRate: 2000 });
const ask = (request: string) => worker.call('offlineRequest', { request });
const give = (request: string, message: Uint8Array) => worker.call('offlineFinish', { request, message });

/** The recovery page's answer to a message, as it travels. */
async function answer(message: Uint8Array, typed = words): Promise<Uint8Array<ArrayBuffer>> {
  const sitting = openSitting(await load(), decode(offlineMessage, message), systemRandom);
  return encode(offlineMessage, await sitting.begin(typed));
}

function spoiled(
  message: Uint8Array,
  change: (said: OfflineOf<'signed'>) => Partial<OfflineOf<'signed'>>,
): Uint8Array {
  const said = decode(offlineMessage, message) as OfflineOf<'signed'>;
  return encode(offlineMessage, { ...said, ...change(said) });
}

describe('a payment without the cosigner', () => {
  test('is signed by device and words, and durable before anybody sends it', async () => {
    const { request } = await draft(600_000n);
    const { message } = await ask(request);
    const signed = await give(request, await answer(message));
    const { inputs } = parseTransaction(signed.transaction);
    expect(inputs).toHaveLength(2);
    expect(hex.encode(txidOf(parseTransaction(signed.transaction)))).toBe(signed.txid);
    // The next worker finds it, whatever became of this one.
    worker.kill();
    worker = await Worker.start(profile);
    const detail = await worker.call('activityDetail', { id: request });
    expect(detail).toMatchObject({ state: 'signed', txid: signed.txid });
    expect(detail.transaction).toEqual(signed.transaction);
  });

  test('goes out through a server of the user’s choice, of the right network, once it is signed', async () => {
    const { genesis } = networkParams('regtest');
    const taken: string[] = [];
    const server = createServer(async (ask, reply) => {
      if (ask.method === 'GET') return reply.end(ask.url?.startsWith('/api/block-height/0') ? genesis : '');
      let body = '';
      for await (const part of ask) body += part;
      taken.push(body);
      reply.end(hex.encode(txidOf(parseTransaction(hex.decode(body)))));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
    try {
      const { request } = await draft();
      await expect(worker.call('sendThrough', { request, url })).rejects.toEqual(code('WrongSession'));
      const signed = await give(request, await answer((await ask(request)).message));
      for (const [wrong, error] of [
        ['ftp://127.0.0.1/api', 'BadConfiguration'],
        ['http://127.0.0.1:9/api', 'ChainUnavailable'],
      ] as const)
        await expect(worker.call('sendThrough', { request, url: wrong })).rejects.toEqual(code(error));
      expect(await worker.call('payment', { request })).toMatchObject({ state: 'signed' });
      expect(await worker.call('sendThrough', { request, url })).toEqual({ txid: signed.txid });
      expect(taken).toEqual([hex.encode(signed.transaction)]);
      expect(await worker.call('payment', { request })).toMatchObject({
        state: 'broadcast',
        txid: signed.txid,
      });
    } finally {
      server.close();
    }
  });

  test('an answer is used once', async () => {
    const { request } = await draft();
    const said = await answer((await ask(request)).message);
    await give(request, said);
    await expect(give(request, said)).rejects.toEqual(code('WrongSession'));
    const other = await draft(50_000n);
    await expect(give(other.request, said)).rejects.toEqual(code('NonceConsumed'));
  });

  test('an answer to another request is not used, and does not harm the one that is open', async () => {
    const { request } = await draft();
    const old = await answer((await ask(request)).message);
    const fresh = await answer((await ask(request)).message);
    await expect(give(request, old)).rejects.toEqual(code('WrongSession'));
    await give(request, fresh);
  });

  test('a spoiled answer consumes the nonces: the good one comes too late', async () => {
    const { request } = await draft();
    const said = await answer((await ask(request)).message);
    const flip = (b: Uint8Array<ArrayBuffer>) => b.map((x, i) => (i === b.length - 1 ? x ^ 1 : x));
    for (const [change, error] of [
      [(s: OfflineOf<'signed'>) => ({ shares: s.shares.map(flip) }), 'BadShare'],
      [(s: OfflineOf<'signed'>) => ({ digest: flip(s.digest) }), 'MessageMismatch'],
      [(s: OfflineOf<'signed'>) => ({ shares: s.shares.slice(1) }), 'BadEncoding'],
    ] as const) {
      const open = await answer((await ask(request)).message);
      await expect(give(request, spoiled(open, change))).rejects.toEqual(code(error));
      await expect(give(request, open)).rejects.toEqual(code('NonceConsumed'));
    }
    await expect(give(request, said)).rejects.toEqual(code('NonceConsumed'));
  });

  test('the words of another wallet, or the cosigner’s request, make no answer', async () => {
    const { request } = await draft();
    const { message } = await ask(request);
    await expect(answer(message, newWords())).rejects.toMatchObject({ code: 'BadWords' });
    await expect(give(request, message)).rejects.toEqual(code('WrongSession'));
  });

  test('nonces end with the worker, the lock, an hour, and a clock that jumped', async () => {
    await worker.call('setAutoLock', { minutes: 24 * 60 });
    const { request } = await draft();
    const late = await answer((await ask(request)).message);
    profile.clock.pass(OFFLINE_NONCE_LIFETIME_MS);
    await expect(give(request, late)).rejects.toMatchObject({ code: 'NonceConsumed' });

    const jumped = await answer((await ask(request)).message);
    profile.clock.skew += 10_000;
    await expect(give(request, jumped)).rejects.toMatchObject({ code: 'NonceConsumed' });
    profile.clock.skew = 0;
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
    const open = await draft();

    const locked = await answer((await ask(open.request)).message);
    await worker.call('lock', null);
    await worker.call('unlock', { password: PASSWORD });
    const again = await draft();
    await expect(give(again.request, locked)).rejects.toMatchObject({ code: 'NonceConsumed' });

    const killed = await answer((await ask(again.request)).message);
    worker.kill();
    worker = await Worker.start(profile);
    const last = await draft();
    await expect(give(last.request, killed)).rejects.toMatchObject({ code: 'NonceConsumed' });
  });

  test('coins that another payment took in the meantime are not signed away twice', async () => {
    const first = await draft(900_000n);
    const second = await draft(900_000n);
    const said = await answer((await ask(second.request)).message);
    await expect(give(first.request, said)).rejects.toEqual(code('WrongSession'));
    const mine = await answer((await ask(first.request)).message);
    await give(first.request, mine);
    await expect(ask(second.request)).rejects.toEqual(code('InsufficientFunds'));
  });

  test('of all nonces only those of the open request live, and of all secrets none', async () => {
    const real = await load();
    const live = new Set<unknown>();
    const signer: SignerModule = {
      ...real,
      commit(args) {
        const made = real.commit(args);
        live.add(made.nonces);
        return made;
      },
      dropNonces(nonces) {
        live.delete(nonces);
        real.dropNonces(nonces);
      },
    };
    worker.kill();
    worker = await Worker.start(profile, { signer });
    await ask((await draft()).request);
    expect(live.size).toBe(1);
    await worker.call('lock', null);
    expect(live.size).toBe(0);
    await worker.call('unlock', { password: PASSWORD });
    const { request } = await draft(600_000n);
    const { left, result } = await secretsOf(async () => {
      await Promise.all([ask(request), ask(request)]);
      return ask(request);
    });
    expect(left).toEqual([]);
    expect(live.size).toBe(2);
    await give(request, await answer((result as { message: Uint8Array }).message));
    expect(live.size).toBe(0);
  });
});

describe('the drill', () => {
  test('is verified, kept with its date, and shown', async () => {
    const before = await worker.call('state', null);
    expect(before).toMatchObject({ wallet: { lastDrill: null } });
    const { message, at } = await worker.call('drillRequest', null);
    const done = await worker.call('drillFinish', { message: await answer(message) });
    expect(done.at).toBe(at);
    expect(await worker.call('state', null)).toMatchObject({ wallet: { lastDrill: at } });
    const kept = (await (await databaseOf(profile)).get('drill', 'drill'))!;
    expect(kept).toMatchObject({ at, message: `Hoarfrost drill ${new Date(at).toISOString()}` });
    expect(verifyMessage(kept.address, 'regtest', kept.message, kept.signature)).toBe('valid');
    expect(verifyMessage(kept.address, 'regtest', `${kept.message}.`, kept.signature)).toBe('invalid');
  });

  test('no drill is kept that failed, and none stands in for a payment or the other way about', async () => {
    const { message } = await worker.call('drillRequest', null);
    const flip = (s: OfflineOf<'signed'>) => ({
      shares: s.shares.map((b) => b.map((x, i) => (i === 31 ? x ^ 1 : x))),
    });
    const bad = spoiled(await answer(message), flip);
    await expect(worker.call('drillFinish', { message: bad })).rejects.toEqual(code('BadShare'));
    const { request } = await draft();
    const payment = await answer((await ask(request)).message);
    await expect(worker.call('drillFinish', { message: payment })).rejects.toEqual(code('WrongSession'));
    const drill = await answer((await worker.call('drillRequest', null)).message);
    await expect(give(request, drill)).rejects.toEqual(code('WrongSession'));
    expect(await worker.call('state', null)).toMatchObject({ wallet: { lastDrill: null } });
    expect(await (await databaseOf(profile)).get('drill', 'drill')).toBeNull();
  });
});
