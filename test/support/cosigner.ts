/**
 * A cosigner as its owner would run it, on loopback and in a folder of the test, and a device that speaks to it over real TLS
 * and Noise, with recovery beside it. The chain alone is the test's own: signing asks none, and the adapters have their tests.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountScan, ChainSource } from '../../src/chain/source.ts';
import { Announcements } from '../../src/cosigner/announcements.ts';
import { type Clock, systemClock } from '../../src/cosigner/clock.ts';
import type { Timing } from '../../src/cosigner/connection.ts';
import type { Cosigner } from '../../src/cosigner/cosigner.ts';
import { bindStore, openIdentity } from '../../src/cosigner/identity.ts';
import { openKeyFolder } from '../../src/cosigner/keywrap.ts';
import { Limiter, type Limits, USUAL_LIMITS } from '../../src/cosigner/limits.ts';
import { Listener } from '../../src/cosigner/listener.ts';
import { createLog } from '../../src/cosigner/log.ts';
import { Metrics } from '../../src/cosigner/metrics.ts';
import { type ContactSetting, openContacts } from '../../src/cosigner/notify/contacts.ts';
import { Policies } from '../../src/cosigner/policies.ts';
import type { Store } from '../../src/cosigner/store.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { issueToken, TokenUse } from '../../src/cosigner/tokens.ts';
import { Wallets } from '../../src/cosigner/wallet.ts';
import { load } from '../../src/crypto/load.ts';
import { type Random, systemRandom } from '../../src/crypto/random.ts';
import type { Signer } from '../../src/crypto/signer.ts';
import type { Policy } from '../../src/policy/document.ts';
import { isHoarfrostError } from '../../src/protocol/errors.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { type Address, Client, testTls } from './deviceChannel.ts';
import { enrol, type TestDevice } from './testDevice.ts';

export * from './deviceChannel.ts';
export * from './testDevice.ts';

/** A chain of one block that the test fills. */
export class TestChain implements ChainSource {
  scanned: AccountScan = {
    height: 100,
    tip: '00'.repeat(32),
    coins: [],
    history: [],
    nextReceive: 0,
    nextChange: 0,
  };
  readonly sent: Uint8Array[] = [];
  /** Transactions that concern no wallet here. */
  readonly foreign = new Map<string, Uint8Array>();
  lost = false;

  async scan(): Promise<AccountScan> {
    return this.scanned;
  }
  async fees() {
    return { fast: 3000, medium: 2000, slow: 1000, floor: 1000 };
  }
  async transaction(txid: string) {
    const found = this.scanned.history.find((entry) => entry.txid === txid);
    const transaction = found?.transaction ?? this.foreign.get(txid);
    return transaction === undefined ? null : { transaction, height: found?.height ?? 1 };
  }
  async broadcast(transaction: Uint8Array): Promise<string> {
    this.sent.push(transaction);
    return 'ab'.repeat(32);
  }
  async height(): Promise<number> {
    if (this.lost) throw new Error('lost');
    return this.scanned.height;
  }
  close(): void {}
}

export interface Running {
  readonly cosigner: Cosigner;
  readonly listener: Listener;
  readonly chain: TestChain;
  readonly logLines: string[];
  readonly folder: string;
  /** A fresh enrolment token. */
  token(lifetimeMs?: number): Promise<string>;
  stop(): Promise<void>;
}

export interface StartOptions {
  folder: string;
  /** Any that is free, unless it is said. */
  port?: number;
  clock?: Clock;
  timing?: Timing;
  connections?: number;
  halfOpen?: number;
  limits?: Partial<Limits>;
  signer?: Signer;
  random?: Random;
  /** Instead of SQLite in the folder, which then holds the keys alone. */
  store?: () => Promise<Store>;
  contacts?: ContactSetting;
  /** Puts something of the test around a part. */
  around?: (cosigner: Cosigner) => Cosigner;
}

export function testFolder(): string {
  return mkdtempSync(join(tmpdir(), 'cosigner-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

const NO_CONTACTS: ContactSetting = { smtp: null, webhooks: null };

/** Tests play many devices from one address; what limits do has tests of its own. */
const PATIENT: Partial<Limits> = {
  addressOpens: { burst: 100_000, perMinute: 100_000 },
  handshakes: { burst: 100_000, perMinute: 100_000 },
  strangers: { burst: 100_000, perMinute: 100_000 },
};

/** Who comes back to a port may find that the system has given it to another test meanwhile, which lets it go when it ends. */
async function listen(...args: Parameters<typeof Listener.open>): Promise<Listener> {
  for (let tries = 200; ; tries--) {
    try {
      return await Listener.open(...args);
    } catch (e) {
      if (tries === 0 || !isHoarfrostError(e) || !e.detail?.startsWith('port')) throw e;
    }
    await sleep(100);
  }
}

/** The parts that `main.ts` puts together, with this test's chain. */
export async function startCosigner(options: StartOptions): Promise<Running> {
  const { folder, clock = systemClock, random = systemRandom } = options;
  const signer = { ...(await load()), ...options.signer };
  const tls = await testTls;
  const logLines: string[] = [];
  const chain = new TestChain();
  const parts: Cosigner = {
    network: 'regtest',
    identity: await openIdentity(folder, true, signer, random),
    store: await (options.store?.() ?? openSqlite(join(folder, 'cosigner.sqlite'))),
    keyWrap: await openKeyFolder(join(folder, 'epoch-keys'), random),
    chain,
    signer,
    random,
    clock,
    log: createLog('debug', clock, (line) => logLines.push(line)),
    metrics: new Metrics(),
    limiter: new Limiter({ ...USUAL_LIMITS, ...PATIENT, ...options.limits }, clock),
    tokenUse: new TokenUse(),
    wallets: new Wallets(),
    policies: new Policies(),
    contacts: openContacts(options.contacts ?? NO_CONTACTS, () => `https://127.0.0.1:${listener.port}`),
    announcements: new Announcements(),
  };
  await bindStore(parts.store, parts.identity, random);
  const cosigner = options.around?.(parts) ?? parts;
  const listener = await listen(cosigner, {
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    host: '127.0.0.1',
    port: options.port ?? 0,
    connections: options.connections ?? 1000,
    halfOpen: options.halfOpen ?? 100,
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
  return {
    cosigner,
    listener,
    chain,
    logLines,
    folder,
    token: async (lifetimeMs = 60_000) => (await issueToken(cosigner.store, random, clock, lifetimeMs)).token,
    async stop() {
      await listener.drain();
      await cosigner.store.close();
    },
  };
}
export const addressOf = ({ listener, cosigner }: Running): Address => ({
  port: listener.port,
  noiseKey: cosigner.identity.channelKeys.at(-1)!.noise.publicKey,
});

/** A running cosigner's new wallet, with a connection of its own. */
export async function newDevice(
  running: Running,
  policy?: Policy,
): Promise<{ device: TestDevice; client: Client }> {
  const noise = await generateNoiseKeyPair();
  const client = await Client.connect(addressOf(running), noise);
  const device = await enrol(client, noise, await running.token(), policy === undefined ? {} : { policy });
  return { device, client };
}
