/** Signing as a device meets it: over the wire, against the real store and the real signer. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { masterFingerprint } from '../../src/bitcoin/descriptor.ts';
import { parsePsbt } from '../../src/bitcoin/psbt.ts';
import { summarise, summaryDigest } from '../../src/bitcoin/summary.ts';
import type { Clock } from '../../src/cosigner/clock.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import { receiptHash, signProofHash } from '../../src/frost/proofs.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { INPUTS_MAX } from '../../src/protocol/limits.ts';
import { type Receipt, receiptBody, signBody } from '../../src/protocol/messages.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  Client,
  coinsOf,
  finish,
  newDevice,
  payment,
  policyOf,
  type Running,
  removeFolder,
  START,
  signRequest,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const HOUR = 3_600_000;

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
let now = START;
const clock: Clock = { now: () => now, monotonic: () => performance.now() };

/** Every row of every table, to see that a refusal left nothing. */
function snapshot(): string {
  const db = new DatabaseSync(join(folder, 'cosigner.sqlite'), { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const rows = tables.map(({ name }) => db.prepare(`SELECT * FROM "${name}"`).all());
  db.close();
  return JSON.stringify(rows, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v));
}

const spent = async () => (await client.ask({ kind: 'policy' }, 'policy')).spentInWindows;

beforeEach(async () => {
  now = START;
  folder = testFolder();
  running = await startCosigner({ folder, clock });
  ({ device, client } = await newDevice(running));
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

async function restartWith(signer?: Signer): Promise<void> {
  await running.stop();
  running = await startCosigner({ folder, clock, ...(signer === undefined ? {} : { signer }) });
  client = await Client.connect(addressOf(running), device.noise);
}

describe('sign', () => {
  test.each([1, 3, 7])('%i inputs in one round trip, each signature valid under BIP-340', async (count) => {
    const psbt = payment(device, { amount: 1000n, coins: coinsOf(count, 400_000n) });
    const attempted = await attemptOf(client, device, psbt);
    const answer = await askToSign(client, device, attempted.body);
    expect(answer.shares).toHaveLength(count);
    const { transaction } = await finish(client, device, attempted, answer);
    expect(transaction.length).toBeGreaterThan(100);
    const summary = summarise(parsePsbt(psbt), device.account, { receive: 0, change: 0 });
    expect(answer.digest).toEqual(summaryDigest(summary));
  });

  test('evaluate says what sign will do, and writes nothing', async () => {
    const psbt = payment(device, { amount: 600_000n });
    const before = snapshot();
    const first = await client.ask({ kind: 'evaluate', psbt }, 'evaluated');
    expect(first.verdict).toEqual({ kind: 'signs', leftInWindow: 1_000_000n - 600_500n });
    expect(snapshot()).toBe(before);
    const answer = await askToSign(client, device, (await attemptOf(client, device, psbt)).body);
    expect(answer.digest).toEqual(first.digest);

    const over = await client.ask(
      { kind: 'evaluate', psbt: payment(device, { amount: 600_000n }) },
      'evaluated',
    );
    expect(over.verdict).toEqual({ kind: 'refuses', rule: 'window:0', over: 201_000n });
  });

  test('a payment over the daily limit is refused, with its receipt and no attempt', async () => {
    const coins = coinsOf(2, 900_000n);
    const { body } = await attemptOf(client, device, payment(device, { amount: 1_000_000n, coins }));
    const refused = await client.ask(await signRequest(client, device, body), 'refused');
    expect(refused.verdict).toEqual({ kind: 'refuses', rule: 'window:0', over: 500n });
    expect(await spent()).toEqual([0n]);
    // Refused is not used: within the limit the same commitments may still be signed with.
    const smaller = await attemptOf(client, device, payment(device, { amount: 999_000n, coins }), {
      commitments: decode(signBody, body).commitments,
    });
    await askToSign(client, device, smaller.body);
  });

  test('a fee over the cap is refused', async () => {
    const psbt = payment(device, { amount: 1000n, fee: 200_001n });
    const { body } = await attemptOf(client, device, psbt);
    const refused = await client.ask(await signRequest(client, device, body), 'refused');
    expect(refused.verdict).toMatchObject({ kind: 'refuses', rule: 'feeRate' });
  });

  test('the window rolls on, and a clock that jumps back frees nothing', async () => {
    const pay = async (amount: bigint) => {
      const { body } = await attemptOf(client, device, payment(device, { amount }));
      return client.ask(await signRequest(client, device, body), 'signed');
    };
    await pay(600_000n);
    now += 23 * HOUR;
    await expect(pay(600_000n)).rejects.toThrow('refused');
    now -= 47 * HOUR;
    await expect(pay(600_000n)).rejects.toThrow('refused');
    now += 49 * HOUR;
    await pay(600_000n);
  });

  test('audit: limits come from the PSBT that is signed; change is own by derivation, not by position', async () => {
    const psbt = payment(device, { amount: 300_000n });
    const attempted = await attemptOf(client, device, psbt);
    await askToSign(client, device, attempted.body);
    expect(await spent()).toEqual([300_500n]);
    const stranger = await newDevice(running);
    const foreign = payment(stranger.device, { amount: 1000n });
    const { body } = await attemptOf(stranger.client, stranger.device, foreign);
    const asked = await signRequest(client, device, body);
    const before = snapshot();
    await expect(client.ask(asked, 'signed')).rejects.toEqual(code('ForeignInput'));
    expect(snapshot()).toBe(before);
  });
});

describe('store, never recompute', () => {
  test('attack-13 audit-16 the identical request gets the identical answer, on any connection, for ever', async () => {
    const attempted = await attemptOf(client, device, payment(device, { amount: 1000n }));
    const first = await askToSign(client, device, attempted.body);
    const before = snapshot();
    expect(await askToSign(client, device, attempted.body)).toEqual(first);
    const other = await Client.connect(addressOf(running), device.noise);
    expect(await askToSign(other, device, attempted.body)).toEqual(first);
    await restartWith();
    expect(await askToSign(client, device, attempted.body)).toEqual(first);
    expect(snapshot()).toBe(before);
  });

  test('attack-14 the same commitments with anything else are AttemptReused', async () => {
    const coins = coinsOf(2, 500_000n);
    const attempted = await attemptOf(client, device, payment(device, { amount: 1000n, coins }));
    await askToSign(client, device, attempted.body);
    const before = snapshot();
    const body = decode(signBody, attempted.body);
    const [a, b] = body.commitments as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
    const fresh = (await attemptOf(client, device, attempted.psbt)).committed.commitments as (typeof a)[];
    const others = [
      { ...body, psbt: payment(device, { amount: 1001n, coins }) },
      { ...body, attempt: systemRandom(16) },
      { ...body, commitments: [b, a] },
      { ...body, commitments: [a, fresh[1]!] },
      { ...body, commitments: [fresh[0]!, a] },
      { ...body, commitments: [fresh[0]!, fresh[0]!] },
    ];
    for (const other of others) {
      await expect(askToSign(client, device, encode(signBody, other))).rejects.toEqual(code('AttemptReused'));
    }
    expect(snapshot()).toBe(before);
  });

  test('an attempt whose answer was lost is AttemptBurned; a fresh one at the same spend costs nothing again', async () => {
    const real = await load();
    let broken = true;
    const signer: Signer = {
      ...real,
      signShare(args) {
        if (broken) throw new Error('power cut');
        return real.signShare(args);
      },
    };
    await restartWith(signer);
    const psbt = payment(device, { amount: 600_000n });
    const attempted = await attemptOf(client, device, psbt);
    await expect(askToSign(client, device, attempted.body)).rejects.toEqual(code('Internal'));
    broken = false;
    await expect(askToSign(client, device, attempted.body)).rejects.toEqual(code('AttemptBurned'));
    await restartWith();
    await expect(askToSign(client, device, attempted.body)).rejects.toEqual(code('AttemptBurned'));
    expect(await spent()).toEqual([600_500n]);

    const fresh = await attemptOf(client, device, psbt);
    await finish(client, device, fresh, await askToSign(client, device, fresh.body));
    expect(await spent()).toEqual([600_500n]);
  });

  test('a replacement of the same coins costs what it loses more; other coins cost in full', async () => {
    const coins = coinsOf(1, 900_000n);
    const sign = async (psbt: Uint8Array<ArrayBuffer>) =>
      askToSign(client, device, (await attemptOf(client, device, psbt)).body);
    await sign(payment(device, { amount: 100_000n, fee: 500n, coins }));
    await sign(payment(device, { amount: 100_000n, fee: 700n, coins }));
    expect(await spent()).toEqual([100_700n]);
    await sign(payment(device, { amount: 50_000n, coins }));
    expect(await spent()).toEqual([100_700n]);
    await sign(payment(device, { amount: 100_000n, fee: 500n }));
    expect(await spent()).toEqual([201_200n]);
  });

  test('20 parallel signs over four connections never pass the limit, and all nonces differ', async () => {
    const clients = [client];
    while (clients.length < 4) clients.push(await Client.connect(addressOf(running), device.noise));
    const commitments: string[] = [];
    const one = async (c: Client) => {
      const { body } = await attemptOf(c, device, payment(device, { amount: 99_500n }));
      try {
        const answer = await c.ask(await signRequest(c, device, body), 'signed');
        commitments.push(...answer.commitments.map(String));
        return 1;
      } catch (e) {
        expect(String(e)).toContain('refused');
        return 0;
      }
    };
    const signed = await Promise.all(
      clients.map(async (c) => {
        let count = 0;
        for (let i = 0; i < 5; i++) count += await one(c);
        return count;
      }),
    );
    expect(signed.reduce((a, b) => a + b, 0)).toBe(10);
    expect(await spent()).toEqual([1_000_000n]);
    expect(new Set(commitments).size).toBe(10);
  });
});

describe('who may ask', () => {
  test('attack-20 a request without proof by share 1 on this connection is Unauthorised, and nothing of it was read', async () => {
    const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
    const other = await Client.connect(addressOf(running), device.noise);
    const foreign = await newDevice(running);
    const before = snapshot();
    const proofs = [
      new Uint8Array(64),
      await proofOf(other, device),
      await proofOf(client, foreign.device),
      await proofOf(client, { share: device.recoveryShare }),
      await proofOf(client, { share: device.host }),
      await proofOf(client, device, (await attemptOf(client, device, payment(device, { amount: 1n }))).body),
    ];
    async function proofOf(on: Client, { share }: Pick<TestDevice, 'share'>, of = body) {
      const hash = signProofHash(on.transport.handshakeHash, of);
      return Uint8Array.from((await load()).schnorrSign(share, hash, systemRandom(32)));
    }
    for (const proof of proofs) {
      await expect(client.ask({ kind: 'sign', body, proof }, 'signed')).rejects.toEqual(code('Unauthorised'));
    }
    const junk = new Uint8Array(40).fill(255);
    await expect(client.ask({ kind: 'sign', body: junk, proof: proofs[1]! }, 'signed')).rejects.toEqual(
      code('Unauthorised'),
    );
    await expect(client.ask(await signRequest(client, device, junk), 'signed')).rejects.toEqual(
      code('TooLarge'),
    );
    expect(snapshot()).toBe(before);
    await askToSign(client, device, body);
  });

  test('attack-20 another epoch, another wallet’s coins, or a number of commitments that does not fit is refused, and nothing was written', async () => {
    const psbt = payment(device, { amount: 1000n });
    const foreign = await newDevice(running);
    const before = snapshot();
    const stale = await attemptOf(client, device, psbt, { epoch: 1 });
    await expect(askToSign(client, device, stale.body)).rejects.toEqual(code('EpochStale'));
    const few = await attemptOf(client, device, psbt, { commitments: [] });
    await expect(askToSign(client, device, few.body)).rejects.toEqual(code('BadEncoding'));
    const theirs = payment(foreign.device, { amount: 1000n });
    const { body } = await attemptOf(foreign.client, foreign.device, theirs);
    await expect(askToSign(client, device, body)).rejects.toEqual(code('ForeignInput'));
    // Their coins again, claimed to be ours.
    const [ours, others] = [device, foreign.device].map(({ account }) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(masterFingerprint(account));
      return bytes.toString('hex');
    }) as [string, string];
    const claimed = Uint8Array.from(
      Buffer.from(Buffer.from(theirs).toString('hex').replaceAll(others, ours), 'hex'),
    );
    expect(claimed).not.toEqual(theirs);
    const stolen = encode(signBody, { ...decode(signBody, body), psbt: claimed });
    await expect(askToSign(client, device, stolen)).rejects.toEqual(code('ForeignInput'));
    expect(snapshot()).toBe(before);
  });

  test('attack-07 commitments that are no points are refused, and nothing was written', async () => {
    const psbt = payment(device, { amount: 1000n });
    const good = (await attemptOf(client, device, psbt)).committed.commitments[0]!;
    const before = snapshot();
    for (const fill of [0, 4, 255]) {
      for (const half of [0, 33]) {
        const pair = Uint8Array.from(good).fill(fill, half, half + 33);
        const { body } = await attemptOf(client, device, psbt, { commitments: [pair] });
        await expect(askToSign(client, device, body)).rejects.toEqual(code('BadEncoding'));
      }
    }
    expect(snapshot()).toBe(before);
  });

  test('as many inputs as a payment may have are signed in one round trip', async () => {
    const psbt = payment(device, { amount: 1000n, fee: 60_000n, coins: coinsOf(INPUTS_MAX, 2_000n) });
    const attempted = await attemptOf(client, device, psbt);
    await finish(client, device, attempted, await askToSign(client, device, attempted.body));
  });

  test('audit-19 a certificate moved to another wallet in the database is BadCertificate, not a policy', async () => {
    const loose = await newDevice(running, policyOf({ windows: [] }));
    await running.stop();
    const db = new DatabaseSync(join(folder, 'cosigner.sqlite'));
    db.prepare('UPDATE wallet SET certificate = ? WHERE device_key = ?').run(
      loose.device.certificate,
      device.noise.publicKey,
    );
    db.close();
    running = await startCosigner({ folder, clock });
    client = await Client.shake(addressOf(running), device.noise);
    await expect(client.hello()).rejects.toEqual(code('BadCertificate'));
    const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
    await expect(askToSign(client, device, body)).rejects.toEqual(code('BadCertificate'));
  });
});

describe('receipts', () => {
  test('every decision is a link, signed by the host key, and counts what was charged', async () => {
    const signer = await load();
    const heard: Receipt[] = [];
    for (const amount of [100_000n, 2_000_000n, 200_000n]) {
      const psbt = payment(device, { amount, coins: coinsOf(1, 3_000_000n) });
      const { body } = await attemptOf(client, device, psbt);
      const asked = await signRequest(client, device, body);
      const { receipt } = await client.ask(asked, amount === 2_000_000n ? 'refused' : 'signed');
      heard.push(receipt);
    }
    const { receipts } = await client.ask({ kind: 'receipts', from: 1 }, 'receipts');
    expect(receipts).toEqual(heard);
    expect((await client.ask({ kind: 'receipts', from: 3 }, 'receipts')).receipts).toEqual(heard.slice(2));

    let previous = new Uint8Array(32);
    const bodies = receipts.map(({ body, signature }, i) => {
      expect(signer.schnorrVerify(device.keys.hostKeys[1], receiptHash(body), signature)).toBe(true);
      const receipt = decode(receiptBody, body);
      expect(receipt).toMatchObject({
        sequence: i + 1,
        previous,
        wallet: device.keys.wallet,
        policyVersion: 1,
      });
      previous = receiptHash(body);
      return receipt;
    });
    expect(bodies.map(({ before, after, verdict }) => [before, after, verdict.kind])).toEqual([
      [0n, 100_500n, 'signs'],
      [100_500n, 100_500n, 'refuses'],
      [100_500n, 301_000n, 'signs'],
    ]);
  });
});
