/** Keygen over the wire: real TLS, Noise and SQLite; the test plays device and recovery. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import { keygenFetchHash } from '../../src/frost/proofs.ts';
import { encodePolicy } from '../../src/policy/document.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  Client,
  enrol,
  newDevice,
  partiesFor,
  pay,
  policyOf,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });
let folder: string;
let running: Running;
beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

async function fetchProof(client: Client, session: Uint8Array, host: Secret) {
  const signer = await load();
  const hash = keygenFetchHash(client.transport.handshakeHash, session);
  return Uint8Array.from(signer.schnorrSign(host, hash, systemRandom(32)));
}

describe('keygen', () => {
  test('three parties make a wallet that survives a restart, under the policy the device brought', async () => {
    const { device, client } = await newDevice(running);
    expect(device.keys.hostKeys[1]).toEqual(running.cosigner.identity.hostKey);
    const { document, spentInWindows } = await client.ask({ kind: 'policy' }, 'policy');
    expect(document).toEqual(encodePolicy(policyOf()));
    expect(spentInWindows).toEqual([0n]);

    await running.stop();
    running = await startCosigner({ folder });
    const again = await Client.shake(addressOf(running), device.noise);
    expect(await again.hello()).toMatchObject({ enrolled: true, epoch: 0, policyVersion: 1 });
    await pay(again, device, 1000n);
  });

  test('a token enrols once; unknown, used and expired ones say so', async () => {
    const token = await running.token();
    const connect = async () => {
      const noise = await generateNoiseKeyPair();
      return { noise, client: await Client.connect(addressOf(running), noise) };
    };
    const first = await connect();
    await enrol(first.client, first.noise, token);
    const second = await connect();
    await expect(enrol(second.client, second.noise, token)).rejects.toEqual(code('TokenUnknown'));
    await expect(enrol(second.client, second.noise, 'never-made')).rejects.toEqual(code('TokenUnknown'));
    const expired = await running.token(-1);
    await expect(enrol(second.client, second.noise, expired)).rejects.toEqual(code('TokenExpired'));
    await enrol(second.client, second.noise, await running.token());
  });

  test.each(['hello', 'round1', 'round2'] as const)(
    'audit-24 a device that dies after %s leaves nothing behind and starts again with the same token',
    async (until) => {
      const token = await running.token();
      const noise = await generateNoiseKeyPair();
      const client = await Client.connect(addressOf(running), noise);
      await expect(enrol(client, noise, token, { until })).rejects.toThrow('stopped');
      await client.close();
      expect(await running.cosigner.store.walletOfDevice(noise.publicKey)).toBeNull();
      expect(readdirSync(join(folder, 'epoch-keys'))).toEqual([]);
      const again = await Client.connect(addressOf(running), noise);
      await enrol(again, noise, token);
    },
  );

  test('rounds live in one connection: another one, or another round, knows no session', async () => {
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(addressOf(running), noise);
    await expect(enrol(client, noise, await running.token(), { until: 'hello' })).rejects.toThrow('stopped');
    const other = await Client.connect(addressOf(running), noise);
    const empty = { device: new Uint8Array(0), recovery: new Uint8Array(0) };
    await expect(other.ask({ kind: 'keygenRound1', ...empty }, 'party')).rejects.toEqual(
      code('SessionUnknown'),
    );
    await expect(client.ask({ kind: 'keygenRound2', ...empty }, 'party')).rejects.toEqual(
      code('SessionUnknown'),
    );
    await expect(client.ask({ kind: 'keygenCertify', ...empty }, 'certificate')).rejects.toEqual(
      code('SessionUnknown'),
    );
  });

  test('a keygen that failed is over, and its token is free again', async () => {
    const token = await running.token();
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(addressOf(running), noise);
    // More often than the uses that a token has at a time: each must be given back.
    for (let i = 0; i < 6; i++) {
      await expect(enrol(client, noise, token, { until: 'hello' })).rejects.toThrow('stopped');
      const junk = { device: new Uint8Array(9), recovery: new Uint8Array(9) };
      await expect(client.ask({ kind: 'keygenRound1', ...junk }, 'party')).rejects.toEqual(
        code('BadEncoding'),
      );
      await expect(client.ask({ kind: 'keygenRound1', ...junk }, 'party')).rejects.toEqual(
        code('SessionUnknown'),
      );
    }
    await enrol(client, noise, token);
  });

  test('audit-12 one token is used by few keygens at a time', async () => {
    const token = await running.token();
    const outcomes: string[] = [];
    const clients: Client[] = [];
    for (let i = 0; i < 6; i++) {
      const noise = await generateNoiseKeyPair();
      const client = await Client.connect(addressOf(running), noise);
      clients.push(client);
      await enrol(client, noise, token, { until: 'hello' }).catch((e) => outcomes.push(e.code ?? e.message));
    }
    expect(outcomes.filter((o) => o === 'RateLimited')).toHaveLength(2);
    // A connection that ends gives its use back.
    for (const client of clients) await client.close();
    const noise = await generateNoiseKeyPair();
    await enrol(await Client.connect(addressOf(running), noise), noise, token);
  });

  test('the device hello must name this channel and bring a first policy of this network', async () => {
    const noise = await generateNoiseKeyPair();
    const client = await Client.connect(addressOf(running), noise);
    const token = await running.token();
    const stolen = await partiesFor(await generateNoiseKeyPair(), encodePolicy(policyOf()));
    await expect(enrol(client, noise, token, { selves: stolen })).rejects.toEqual(code('Unauthorised'));
    await expect(enrol(client, noise, token, { policy: policyOf({ network: 'mainnet' }) })).rejects.toEqual(
      code('WrongNetwork'),
    );
    await expect(enrol(client, noise, token, { policy: policyOf({ version: 2 }) })).rejects.toEqual(
      code('WrongVersion'),
    );
    await expect(
      enrol(client, noise, token, {
        selves: await partiesFor(noise, Uint8Array.of(...encodePolicy(policyOf()), 0)),
      }),
    ).rejects.toEqual(code('BadEncoding'));
    await enrol(client, noise, token);
  });

  test('an enrolled device does not enrol again', async () => {
    const { device, client } = await newDevice(running);
    await expect(enrol(client, device.noise, await running.token())).rejects.toEqual(code('WalletExists'));
  });
});

describe('keygenFetch', () => {
  let device: TestDevice;
  let stranger: Client;
  const ask = (session: Uint8Array, id: number, proof: Uint8Array) =>
    stranger.ask(
      { kind: 'keygenFetch', session: Uint8Array.from(session), id, proof: Uint8Array.from(proof) },
      'certificate',
    );
  beforeEach(async () => {
    ({ device } = await newDevice(running));
    stranger = await Client.connect(addressOf(running), await generateNoiseKeyPair());
  });

  test('a party that proves its host key gets the certificate, over any channel', async () => {
    const { session } = device.keys;
    for (const [id, host] of [
      [1, device.host],
      [3, device.recoveryHost],
    ] as const) {
      const { certificate } = await ask(session, id, await fetchProof(stranger, session, host));
      expect(certificate).toEqual(device.certificate);
    }
  });

  test('audit-02 unknown session, foreign key, other id and another connection are one answer', async () => {
    const { session } = device.keys;
    const other = await Client.connect(addressOf(running), await generateNoiseKeyPair());
    const { device: foreign } = await newDevice(running);
    const unknown = systemRandom(32);
    const refusals = await Promise.all([
      ask(unknown, 1, await fetchProof(stranger, unknown, device.host)).catch((e) => e),
    ]);
    for (const [asked, id, proof] of [
      [session, 1, await fetchProof(stranger, session, foreign.host)],
      [session, 2, await fetchProof(stranger, session, device.host)],
      [session, 0, await fetchProof(stranger, session, device.host)],
      [session, 9, await fetchProof(stranger, session, device.host)],
      [session, 1, await fetchProof(other, session, device.host)],
    ] as const) {
      refusals.push(await ask(asked, id, proof).catch((e) => e));
    }
    for (const refusal of refusals) {
      expect([refusal.code, refusal.detail, refusal.retryAfterMs]).toEqual([
        'SessionUnknown',
        undefined,
        undefined,
      ]);
    }
  });
});

describe('what lies on disk', () => {
  test('audit-10 the share is in no file in any form but sealed; the search itself works', async () => {
    const { device } = await newDevice(running);
    const store = running.cosigner.store;
    const id = (await store.walletOfDevice(device.noise.publicKey))!;
    const sealed = await store.viewWallet(id, (view) => view.sealedShare());
    const share = await running.cosigner.keyWrap.open(id, 0, sealed);
    const raw = Buffer.from(share.expose());
    const signer = await load();
    expect(Uint8Array.from(signer.publicKey(share))).toEqual(device.keys.verifyingShares[1]);
    await running.cosigner.store.check();

    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    const everything = Buffer.concat([...files, Buffer.from(running.logLines.join(''))]);
    const forms = (secret: Buffer) => [
      secret,
      Buffer.from(secret).reverse(),
      Buffer.from(secret.toString('hex')),
      Buffer.from(secret.toString('base64').replace(/=+$/, '')),
    ];
    for (const form of forms(raw)) expect(everything.includes(form)).toBe(false);
    // Positive control: what is meant to lie there is found the same way.
    expect(forms(Buffer.from(sealed)).map((form) => everything.includes(form))).toContain(true);
    expect(everything.includes(Buffer.from(device.keys.groupKey))).toBe(true);
    expect(running.logLines.join('')).toContain('wallet enrolled');
  });

  test('log lines name no wallet, device or key', async () => {
    const { device, client } = await newDevice(running);
    await pay(client, device, 1000n);
    const log = running.logLines.join('').toLowerCase();
    expect(log).toContain('"request":"sign"');
    for (const known of [
      device.keys.wallet,
      device.keys.session,
      device.noise.publicKey,
      device.keys.groupKey,
    ]) {
      expect(log).not.toContain(Buffer.from(known).toString('hex'));
    }
  });
});
