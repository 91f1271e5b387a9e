/** The cosigner as a process of its own: `main.ts`, a real node behind it, and what is left when it is killed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chainOf, type RunningCosigner, startCosigner as startProcess } from '../../scripts/cosigner.ts';
import { root } from '../../scripts/setup/paths.ts';
import { type Regtest, startRegtest } from '../../scripts/setup/regtest.ts';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { buildPayment } from '../../src/bitcoin/psbt.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { keygenFetchHash, receiptHash } from '../../src/frost/proofs.ts';
import { encodePolicy } from '../../src/policy/document.ts';
import { decode } from '../../src/protocol/codec.ts';
import { CLOSE } from '../../src/protocol/frames.ts';
import { type Receipt, receiptBody } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  type Address,
  addressOf,
  askToSign,
  attemptOf,
  Client,
  enrol,
  finish,
  PAYEE,
  partiesFor,
  pay,
  payment,
  policyOf,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
  testTls,
  within,
} from '../support/cosigner.ts';
import type { Step } from '../support/dyingCosigner.ts';
import { describeReal } from '../support/real.ts';

const code = (name: string) => expect.objectContaining({ code: name });

function readPairing(uri: string): Address & { token: string } {
  const { port, query } = /^hoarfrost:127\.0\.0\.1:(?<port>\d+)\?(?<query>\S+)$/.exec(uri)!.groups as Record<
    string,
    string
  >;
  const fields = new URLSearchParams(query);
  const noiseKey = Uint8Array.from(Buffer.from(fields.get('k')!, 'hex'));
  return { port: Number(port), noiseKey, token: fields.get('t')! };
}

describe('command line', () => {
  const main = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'src/cosigner/main.ts'), ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });

  test('help, and complaints that name the setting', () => {
    expect(main('--help').stdout).toContain('--tls-cert');
    const bad = main('serve', '--network', 'mars');
    expect([bad.status, bad.stderr]).toEqual([1, expect.stringContaining('BadConfiguration: network')]);
    expect(bad.stderr).not.toContain('    at ');
  });

  test('audit-09 a certificate that does not fit, and a port in use, are named', async () => {
    const folder = testFolder();
    const { certFile, keyFile, caFile } = await testTls;
    const serve = (...args: string[]) =>
      main('serve', '--data', folder, '--chain', 'esplora:http://127.0.0.1:1', '--tls-key', keyFile, ...args);
    expect(serve('--tls-cert', caFile, '--port', '0').stderr).toContain('BadConfiguration: tls-cert');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const busy = serve('--tls-cert', certFile, '--port', String(port));
    expect([busy.status, busy.stderr]).toEqual([1, expect.stringContaining('BadConfiguration: port')]);
    taken.close();
    removeFolder(folder);
  });
});

await describeReal('beside a real node', ['bitcoind', 'openssl'], () => {
  let node: Regtest;
  let folder: string;
  let cosigner: RunningCosigner;
  let device: TestDevice;
  const start = async () =>
    startProcess({ folder, network: 'regtest', chain: chainOf(node), tls: await testTls });
  const connect = (noise: NoiseKeyPair = device.noise) =>
    Client.connect(readPairing(cosigner.pairing), noise);

  beforeAll(async () => {
    node = await startRegtest();
    folder = testFolder();
    cosigner = await start();
    const noise = await generateNoiseKeyPair();
    const client = await connect(noise);
    device = await enrol(client, noise, readPairing(cosigner.pairing).token);
    await client.close();
  });
  afterAll(async () => {
    await cosigner?.stop();
    await node?.stop();
    removeFolder(folder);
  });

  test('a coin arrives, is noticed, spent by two of three, and mined', async () => {
    const client = await connect();
    await client.ask({ kind: 'scan' }, 'scanned');
    const { address } = deriveKey(device.account, 0, 0);
    await node.fund(address, 500_000n);
    await node.mine(1);
    const scanned = await client.ask({ kind: 'scan' }, 'scanned');
    expect(scanned).toMatchObject({ nextReceive: 1, nextChange: 0 });
    const [coin] = scanned.coins;
    expect(coin).toMatchObject({ value: 500_000n, branch: 0, index: 0 });

    const psbt = buildPayment({
      account: device.account,
      coins: [
        {
          ...coin!,
          branch: 0,
          outpoint: { txid: Buffer.from(coin!.outpoint.txid).toString('hex'), vout: coin!.outpoint.vout },
        },
      ],
      outputs: [{ script: PAYEE, value: 200_000n }],
      change: { path: { branch: 1, index: 0 }, value: 299_000n },
      randomness: systemRandom(4),
    });
    const attempted = await attemptOf(client, device, psbt);
    const finished = await finish(client, device, attempted, await askToSign(client, device, attempted.body));
    const { txid } = await client.ask({ kind: 'broadcast', transaction: finished.transaction }, 'broadcast');
    expect(Buffer.from(txid).toString('hex')).toBe(finished.txid);
    const [block] = await node.mine(1);
    const mined = await node.rpc<{ tx: { txid: string; vin: { txinwitness: string[] }[] }[] }>('getblock', [
      block,
      2,
    ]);
    const found = mined.tx.find((tx) => tx.txid === finished.txid);
    expect(found?.vin.map((vin) => vin.txinwitness.map((item) => item.length))).toEqual([[128]]);

    const after = await client.ask({ kind: 'scan' }, 'scanned');
    expect(after.coins.map((c) => [c.value, c.branch])).toEqual([[299_000n, 1]]);
    expect(after.nextChange).toBe(1);
    const known = await client.ask({ kind: 'transaction', txid }, 'transaction');
    expect(known.height).toBeGreaterThan(0);
    const heard = () => client.ask({ kind: 'fees' }, 'fees').then(() => client.notices.at(-1));
    await expect.poll(heard, { interval: 100 }).toMatchObject({ kind: 'chain' });
  });

  test('a second link is made beside the running server, and enrols another wallet', async () => {
    const printed = spawnSync(
      process.execPath,
      [
        join(root, 'src/cosigner/main.ts'),
        'token',
        '--data',
        folder,
        '--port',
        String(readPairing(cosigner.pairing).port),
      ],
      { encoding: 'utf8', timeout: 60_000 },
    );
    const link = readPairing(printed.stdout.split('\n')[0]!);
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(link, noise);
    const other = await enrol(client, noise, link.token);
    expect(other.keys.wallet).not.toEqual(device.keys.wallet);
    await pay(client, other, 1000n);
  });

  test('audit-11 SIGTERM closes with 1001 and ends; the same folder goes on where it was', async () => {
    const client = await connect();
    const attempted = await attemptOf(client, device, payment(device, { amount: 1000n }));
    const signed = await askToSign(client, device, attempted.body);
    const stopped = cosigner.stop();
    expect(await within('close', client.socket.closed)).toMatchObject({ code: CLOSE.draining });
    await stopped;
    expect(cosigner.log()).toContain('"event":"stopped"');
    cosigner = await start();
    const again = await connect();
    expect(await askToSign(again, device, attempted.body)).toEqual(signed);
  });

  test('SIGUSR2 changes the log level, SIGUSR1 opens no debugger', async () => {
    process.kill(cosigner.pid, 'SIGUSR1');
    process.kill(cosigner.pid, 'SIGUSR2');
    await expect.poll(() => cosigner.log()).toContain('"to":"debug"');
    expect(cosigner.log()).not.toContain('Debugger');
  });

  test('kill -9 under load: every acknowledged answer stays, the chain of receipts is whole, charges and reserves agree', async () => {
    for (let round = 0; round < 3; round++) {
      const client = await connect();
      const answered: { body: Uint8Array<ArrayBuffer>; answer: unknown }[] = [];
      const asked: Uint8Array<ArrayBuffer>[] = [];
      const load = (async () => {
        for (;;) {
          const { body } = await attemptOf(client, device, payment(device, { amount: 1000n }));
          asked.push(body);
          answered.push({ body, answer: await askToSign(client, device, body) });
        }
      })().catch(() => {});
      while (answered.length < 3 + 2 * round) await new Promise((resolve) => setTimeout(resolve, 5));
      await cosigner.kill();
      await within('load', load);
      cosigner = await start();
      const again = await connect();
      for (const { body, answer } of answered) expect(await askToSign(again, device, body)).toEqual(answer);
      const lost = asked.filter((body) => !answered.some((a) => a.body === body));
      for (const body of lost) {
        const outcome = await askToSign(again, device, body).then(
          () => 'signed',
          (e) => e.code,
        );
        expect(['signed', 'AttemptBurned']).toContain(outcome);
      }
      await checkLedger(join(folder, 'cosigner.sqlite'), again, device);
    }
  });
});

/** What must hold whatever happened: read from the database itself. */
async function checkLedger(path: string, client: Client, device: TestDevice): Promise<void> {
  const db = new DatabaseSync(path, { readOnly: true });
  const id = device.keys.wallet;
  const sum = (table: string) =>
    db.prepare(`SELECT coalesce(sum(amount), 0) AS total FROM ${table} WHERE wallet = ?`).get(id)!
      .total as number;
  const charged = sum('charge');
  expect(sum('reserve')).toBe(charged);
  const torn = db
    .prepare(
      'SELECT count(*) AS n FROM attempt a WHERE NOT EXISTS (SELECT 1 FROM commitment c WHERE c.request = a.request)',
    )
    .get()!.n;
  expect(torn).toBe(0);
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  db.close();

  const signer = await load();
  const receipts: Receipt[] = [];
  for (let more = true; more; ) {
    const page = await client.ask({ kind: 'receipts', from: receipts.length + 1 }, 'receipts');
    receipts.push(...page.receipts);
    more = page.receipts.length > 0;
  }
  let previous = new Uint8Array(32);
  let after = 0n;
  for (const [i, { body, signature }] of receipts.entries()) {
    const receipt = decode(receiptBody, body);
    expect(receipt).toMatchObject({ sequence: i + 1, previous, before: after });
    expect(signer.schnorrVerify(device.keys.hostKeys[1], receiptHash(body), signature)).toBe(true);
    previous = receiptHash(body);
    after = receipt.after;
  }
  expect(after).toBe(BigInt(charged));
}

describe('kill -9 at one exact step', () => {
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => {
    child?.kill('SIGKILL');
    removeFolder(folder);
  });

  async function startDying(step: Step): Promise<Address & { token: string; dead: Promise<unknown> }> {
    const script = join(root, 'test/support/dyingCosigner.ts');
    child = spawn(process.execPath, [script, folder, step], { stdio: ['ignore', 'pipe', 'inherit'] });
    const dead = once(child, 'exit');
    const [line] = await within('start', once(createInterface(child.stdout!), 'line'));
    const { port, noiseKey, token } = JSON.parse(line);
    return { port, noiseKey: Uint8Array.from(Buffer.from(noiseKey, 'hex')), token, dead };
  }

  async function enrolled(): Promise<TestDevice> {
    const running = await startCosigner({ folder });
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(addressOf(running), noise);
    const device = await enrol(client, noise, await running.token());
    await running.stop();
    return device;
  }

  const FREE = ['sign: before the ledger', 'sign: inside the ledger'] as const;
  const BURNED = [
    'sign: ledger written',
    'sign: nonces made',
    'sign: shares made',
    'sign: inside the answer',
  ] as const;

  test.each([...FREE, ...BURNED, 'sign: answer stored'] as const)('%s', async (step) => {
    const device = await enrolled();
    const dying = await startDying(step);
    const client = await Client.connect(dying, device.noise);
    const psbt = payment(device, { amount: 600_000n });
    const attempted = await attemptOf(client, device, psbt);
    await expect(askToSign(client, device, attempted.body)).rejects.toThrow('closed');
    expect(await within('death', dying.dead)).toEqual([null, 'SIGKILL']);

    const running = await startCosigner({ folder });
    const again = await Client.connect(addressOf(running), device.noise);
    const spent = async () => (await again.ask({ kind: 'policy' }, 'policy')).spentInWindows[0];
    const free = (FREE as readonly Step[]).includes(step);
    expect(await spent()).toBe(free ? 0n : 600_500n);
    if ((BURNED as readonly Step[]).includes(step)) {
      await expect(askToSign(again, device, attempted.body)).rejects.toEqual(code('AttemptBurned'));
      const fresh = await attemptOf(again, device, psbt);
      await finish(again, device, fresh, await askToSign(again, device, fresh.body));
    } else {
      await finish(again, device, attempted, await askToSign(again, device, attempted.body));
    }
    expect(await spent()).toBe(600_500n);
    await checkLedger(join(folder, 'cosigner.sqlite'), again, device);
    await running.stop();
  });

  test('keygen: key sealed: no wallet, and the token is good for another try', async () => {
    const dying = await startDying('keygen: key sealed');
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(dying, noise);
    await expect(enrol(client, noise, dying.token)).rejects.toThrow('closed');
    await within('death', dying.dead);

    const running = await startCosigner({ folder });
    const again = await Client.shake(addressOf(running), noise);
    expect(await again.hello()).toMatchObject({ enrolled: false });
    const device = await enrol(again, noise, dying.token);
    await pay(again, device, 1000n);
    await running.stop();
  });

  test('keygen: wallet stored: the key lives, and who lost the answer fetches the certificate', async () => {
    const dying = await startDying('keygen: wallet stored');
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(dying, noise);
    const selves = await partiesFor(noise, encodePolicy(policyOf()));
    await expect(enrol(client, noise, dying.token, { selves })).rejects.toThrow('closed');
    await within('death', dying.dead);
    expect(readdirSync(join(folder, 'epoch-keys'))).toHaveLength(1);

    const running = await startCosigner({ folder });
    const again = await Client.shake(addressOf(running), noise);
    expect(await again.hello()).toMatchObject({ enrolled: true });
    const db = new DatabaseSync(join(folder, 'cosigner.sqlite'), { readOnly: true });
    const session = Uint8Array.from(db.prepare('SELECT session FROM wallet').get()!.session as Uint8Array);
    db.close();
    const signer = await load();
    const hash = keygenFetchHash(again.transport.handshakeHash, session);
    const proof = Uint8Array.from(signer.schnorrSign(selves[0].host, hash, systemRandom(32)));
    const { certificate } = await again.ask({ kind: 'keygenFetch', session, id: 1, proof }, 'certificate');
    expect(certificate.length).toBeGreaterThan(500);
    const late = await Client.connect(addressOf(running), await generateNoiseKeyPair());
    await expect(enrol(late, noise, dying.token, { selves })).rejects.toEqual(code('TokenUnknown'));
    await running.stop();
  });
});
