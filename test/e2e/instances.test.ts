/**
 * Several cosigners beside each other over one PostgreSQL and one folder of keys: one limit, one ledger, one chain of receipts,
 * whichever instance is asked; and what is left when the database is killed under load, or a standby takes its place.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../scripts/setup/postgres.ts';
import { systemClock } from '../../src/cosigner/clock.ts';
import { fenceIn } from '../../src/cosigner/stores/fence.ts';
import { openPostgres } from '../../src/cosigner/stores/postgres.ts';
import type { AnswerOf } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  Client,
  enrol,
  finish,
  newDevice,
  pay,
  payment,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
  within,
} from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';
import { moved, refreshedFully, refreshRounds, testSignature } from '../support/refreshing.ts';
import { keepSigning, receiptsOf } from '../support/traffic.ts';

const DAY = 86_400_000;
/** For what comes by itself, on a machine with other work too. */
const SOON_MS = 60_000;
const code = (name: string) => expect.objectContaining({ code: name });

await describeReal('instances beside each other', ['postgres', 'openssl'], () => {
  let server: PostgresServer;
  let folder: string;
  let instances: Running[];
  let databases = 0;
  /** Added to the wall clock of every instance. */
  let later = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + later };
  /** Beside the keys, as each instance has it. */
  const fence = () => fenceIn(join(folder, 'epoch-keys'));

  const startOver = (url: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        startCosigner({ folder, clock, store: () => openPostgres(url, { clock, fence: fence() }) }),
      ),
    );
  const connect = (device: TestDevice, at: number) =>
    Client.connect(addressOf(instances[at % instances.length]!), device.noise);

  beforeEach(() => {
    folder = testFolder();
    instances = [];
    later = 0;
  });
  afterEach(async () => {
    for (const instance of instances) await instance.stop();
    removeFolder(folder);
  });

  describe('one server', () => {
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server?.stop());
    beforeEach(async () => {
      const name = `instances${++databases}`;
      await server.sql(`CREATE DATABASE ${name}`);
      instances = await startOver(server.url(name), 3);
    });

    test('a refresh at one instance is the epoch at all: asked about elsewhere, signed in elsewhere, void elsewhere', async () => {
      const { device, client } = await newDevice(instances[0]!);
      const other = await connect(device, 1);
      const lost = await refreshRounds(client, device);
      await other.ask({ kind: 'refreshStatus', session: lost.finished.pending.session }, 'voided');
      const certify = (message: Uint8Array<ArrayBuffer>) =>
        client.ask({ kind: 'refreshCertify', message }, 'party');
      await expect(certify(lost.message)).rejects.toEqual(code('SessionUnknown'));
      await pay(other, device, 1000n);

      const certified = await refreshRounds(client, device);
      const { message } = await certify(certified.message);
      const { session } = certified.finished.pending;
      expect(await other.ask({ kind: 'refreshStatus', session }, 'party')).toMatchObject({ message });
      const next = await moved(device, certified, message);
      await pay(other, next, 1000n);
      const { body } = await attemptOf(other, device, payment(device, { amount: 1000n }));
      await expect(askToSign(other, device, body)).rejects.toEqual(code('EpochStale'));
      const signature = await testSignature(other, next);
      const third = await connect(device, 2);
      expect(await third.ask({ kind: 'refreshDone', epoch: 1, signature }, 'retired')).toMatchObject({
        epoch: 1,
      });
      await pay(third, next, 1000n);
      await pay(client, await refreshedFully(third, next), 1000n);
    });

    test('100 parallel spends of one wallet through three instances never exceed the limit, and the receipts are one chain', async () => {
      const { device } = await newDevice(instances[0]!);
      const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => connect(device, i)));
      // 32 of them fit a limit of 1,000,000.
      const amount = 30_500n;
      let left = 100;
      let signed = 0;
      let refused = 0;
      await Promise.all(
        clients.map(async (client) => {
          while (left-- > 0) {
            const { body } = await attemptOf(client, device, payment(device, { amount, fee: 500n }));
            await askToSign(client, device, body).then(
              () => signed++,
              (e: Error) => {
                expect(e.message).toContain('refused');
                refused++;
              },
            );
          }
        }),
      );
      expect([signed, refused]).toEqual([32, 68]);
      const spent = (await clients[0]!.ask({ kind: 'policy' }, 'policy')).spentInWindows[0];
      expect(spent).toBe(32n * 31_000n);
      const receipts = await receiptsOf(clients[2]!, device);
      expect(receipts).toHaveLength(100);
      expect(receipts.at(-1)!.after).toBe(spent);
    });

    test('attack-15 the same request to all instances at once is answered with one answer, or burned; afterwards each tells it again', async () => {
      const { device } = await newDevice(instances[0]!);
      const clients = await Promise.all([0, 1, 2].map((i) => connect(device, i)));
      for (let round = 0; round < 5; round++) {
        const { body } = await attemptOf(clients[0]!, device, payment(device, { amount: 1000n }));
        const all = await Promise.all(clients.map((client) => outcome(askToSign(client, device, body))));
        const answers = all.filter((a) => typeof a !== 'string');
        expect(answers.length).toBeGreaterThan(0);
        for (const a of all) expect(a === 'AttemptBurned' || a).toEqual(a === 'AttemptBurned' || answers[0]);
        for (const client of clients) expect(await askToSign(client, device, body)).toEqual(answers[0]);
      }
      expect(await receiptsOf(clients[0]!, device)).toHaveLength(5);
    });

    test('a wallet made at one instance is served by all; one token makes one wallet, wherever it is shown', async () => {
      const token = await instances[0]!.token();
      const made = await Promise.allSettled(
        instances.map(async (instance) => {
          const noise = await generateNoiseKeyPair();
          return enrol(await Client.connect(addressOf(instance), noise), noise, token);
        }),
      );
      const [done] = made.filter((m) => m.status === 'fulfilled');
      expect(made.filter((m) => m.status === 'rejected').map((m) => m.reason.code)).toEqual([
        'TokenUnknown',
        'TokenUnknown',
      ]);
      for (const i of [0, 1, 2]) await pay(await connect(done!.value, i), done!.value, 1000n);
    });

    test('an instance with keys of its own is another cosigner, and refused', async () => {
      const other = testFolder();
      const url = server.url(`instances${databases}`);
      const started = startCosigner({ folder: other, store: () => openPostgres(url) });
      await expect(started).rejects.toEqual(code('BadConfiguration'));
      removeFolder(other);
    });

    test('audit-22 the server killed under load, and back: no acknowledged answer is lost, and the instances go on by themselves', async () => {
      const { device } = await newDevice(instances[0]!);
      const load = keepSigning(device, (i) => connect(device, i), 3);
      await within('load', load.until(6), SOON_MS);
      await server.kill();
      await sleep(300);
      await server.restart();
      const before = load.answered.length;
      await within('recovery', load.until(before + 3), SOON_MS);
      await load.stop();
      const client = await connect(device, 1);
      for (const { body, answer } of load.answered) {
        expect(await askToSign(client, device, body)).toEqual(answer);
      }
      await receiptsOf(client, device);
    });
  });

  describe('a standby takes over', () => {
    let standby: PostgresServer;
    beforeEach(async () => {
      server = await startPostgres();
      await server.sql('CREATE DATABASE wallets');
    });
    afterEach(async () => {
      for (const instance of instances.splice(0)) await instance.stop();
      await standby?.stop();
      await server?.stop();
    });
    const both = (query = '') => `postgres://${server.login}@${server.host},${standby.host}/wallets${query}`;
    /** Until a server answers so. */
    const says = (answer: string, at: PostgresServer, command: string, database?: string) =>
      expect.poll(() => at.sql(command, database).catch(String), { interval: 100 }).toBe(answer);
    /** What was decided has come over. */
    const hasReceipts = (count: number) =>
      says(`${count}`, standby, 'SELECT count(*) FROM receipt', 'wallets');

    test('a synchronous one: no acknowledged write is lost', async () => {
      standby = await server.standby({ name: 'second' });
      await server.sql("ALTER SYSTEM SET synchronous_standby_names = 'second'");
      await server.sql('SELECT pg_reload_conf()');
      await says('sync', server, 'SELECT sync_state FROM pg_stat_replication');
      instances = await startOver(both('?failover=synchronous'), 2);
      const { device } = await newDevice(instances[0]!);
      const load = keepSigning(device, (i) => connect(device, i), 3);
      await within('load', load.until(6), SOON_MS);
      await server.kill();
      await standby.promote();
      await within('takeover', load.until(load.answered.length + 3), SOON_MS);
      await load.stop();
      const client = await connect(device, 1);
      for (const { body, answer } of load.answered) {
        expect(await askToSign(client, device, body)).toEqual(answer);
      }
      await receiptsOf(client, device);
    });

    test('attack-14 one that may lack the last commits: windows are full, no earlier request is answered, no token holds', async () => {
      standby = await server.standby();
      instances = await startOver(both(), 2);
      const { device, client: first } = await newDevice(instances[0]!);
      await pay(first, device, 1000n);
      await expect(openPostgres(standby.url('wallets'))).rejects.toMatchObject({ detail: 'in recovery' });
      // The standby has what there was; from here on it hears nothing any more.
      await hasReceipts(1);
      await standby.sql("ALTER SYSTEM SET primary_conninfo = ''");
      await standby.sql('SELECT pg_reload_conf()');
      await says('0', server, 'SELECT count(*) FROM pg_stat_replication');
      const attempted = await attemptOf(first, device, payment(device, { amount: 900_000n }));
      await finish(first, device, attempted, await askToSign(first, device, attempted.body));
      const token = await instances[0]!.token();
      await server.kill();
      await standby.promote();

      const again = await connect(device, 1);
      expect(await receiptsOf(again, device)).toHaveLength(1);
      await expect(askToSign(again, device, attempted.body)).rejects.toEqual(code('AttemptBurned'));
      const fresh = await attemptOf(again, device, payment(device, { amount: 1000n }));
      await expect(askToSign(again, device, fresh.body)).rejects.toThrow('refused');
      const noise = await generateNoiseKeyPair();
      const stranger = await Client.connect(addressOf(instances[0]!), noise);
      await expect(enrol(stranger, noise, token)).rejects.toEqual(code('TokenUnknown'));
      // Another instance learns of it by itself, and once is enough.
      const other = await connect(device, 0);
      expect(other.ledger).toEqual(again.ledger);

      later = DAY + 60_000;
      await pay(await connect(device, 0), device, 1000n);
    });

    test('attack-14 an old primary that lives on is left by all instances once one has seen the new one, and refused when it comes back', async () => {
      standby = await server.standby();
      const [behind] = await startOver(server.url('wallets'), 1);
      instances.push(behind!);
      const { device, client: there } = await newDevice(behind!);
      await pay(there, device, 1000n);
      await hasReceipts(1);
      // Nobody stops the old one: it is cut off from the standby alone, and says that it is the primary.
      await standby.promote();
      await pay(there, device, 1000n);
      instances.push(...(await startOver(standby.url('wallets'), 1)));
      const stale = await attemptOf(there, device, payment(device, { amount: 1000n }));
      await expect(askToSign(there, device, stale.body)).rejects.toEqual(code('StoreUnavailable'));
      await expect(behind!.cosigner.store.check()).rejects.toMatchObject({ detail: 'an old primary' });
      await expect(openPostgres(server.url('wallets'), { fence: fence() })).rejects.toMatchObject({
        detail: 'an old primary',
      });
      // Whoever is given both takes the new one, and nothing is signed there before the windows have moved on.
      const url = `postgres://${server.login}@${server.host},${standby.host}/wallets`;
      const [both] = await startOver(url, 1);
      instances.push(both!);
      const client = await Client.connect(addressOf(both!), device.noise);
      const fresh = await attemptOf(client, device, payment(device, { amount: 1000n }));
      await expect(askToSign(client, device, fresh.body)).rejects.toThrow('refused');
      later = DAY + 60_000;
      await pay(client, device, 1000n);
    });
  });
});

/** The answer, or the code of the error. */
async function outcome(asked: Promise<AnswerOf<'signed'>>): Promise<AnswerOf<'signed'> | string> {
  return asked.catch((e) => e.code as string);
}
