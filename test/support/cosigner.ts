/**
 * A cosigner as its owner would run it, on loopback and in a folder of the test, and a device that speaks to it over real TLS
 * and Noise, with recovery beside it. The chain alone is the test's own: signing asks none, and the adapters have their tests.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { localTls } from '../../scripts/setup/ca.ts';
import { cache } from '../../scripts/setup/paths.ts';
import type { Account } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import type { AccountScan, ChainSource } from '../../src/chain/source.ts';
import { Announcements } from '../../src/cosigner/announcements.ts';
import { type Clock, systemClock } from '../../src/cosigner/clock.ts';
import type { Timing } from '../../src/cosigner/connection.ts';
import type { Cosigner } from '../../src/cosigner/cosigner.ts';
import { identityName, openIdentity } from '../../src/cosigner/identity.ts';
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
import { Secret } from '../../src/crypto/secret.ts';
import { type Signer, SUITE } from '../../src/crypto/signer.ts';
import { type Epoch, firstEpoch } from '../../src/frost/epoch.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { signProofHash } from '../../src/frost/proofs.ts';
import { type Committed, commitAll, finishAll } from '../../src/frost/signing.ts';
import { firstPolicy, type Policy, policyDocument } from '../../src/policy/document.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { CHANNEL_PATH, Joiner, PROLOGUE, SUBPROTOCOL, splitMessage } from '../../src/protocol/frames.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/keygen.ts';
import {
  type Answer,
  type AnswerOf,
  answer,
  errorOf,
  type Notice,
  notice,
  type Request,
  request,
  signBody,
} from '../../src/protocol/messages.ts';
import {
  generateNoiseKeyPair,
  initiate,
  type NoiseKeyPair,
  type NoiseTransport,
} from '../../src/protocol/noise.ts';
import { termsOf } from './terms.ts';

export type Bytes = Uint8Array<ArrayBuffer>;
const DEADLINE_MS = 20_000;

/** Rejects after the deadline: no wait in a test is endless. */
export function within<T>(what: string, promise: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// --- the server ----------------------------------------------------------------------------------------------------

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

/** One folder a worker: two that make it at once would take it from each other. */
export const testTls = localTls(join(cache, `tls-test-${process.env.VITEST_POOL_ID ?? 0}`));

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
  await parts.store.bind(identityName(parts.identity), random(16));
  const cosigner = options.around?.(parts) ?? parts;
  const listener = await Listener.open(cosigner, {
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    host: '127.0.0.1',
    port: options.port ?? 0,
    connections: 1000,
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

// --- the device's end of the channel -------------------------------------------------------------------------------

export interface Address {
  port: number;
  noiseKey: Bytes;
  /** Own address: all of 127.0.0.0/8 is this machine. */
  from?: string;
}

export const addressOf = ({ listener, cosigner }: Running): Address => ({
  port: listener.port,
  noiseKey: cosigner.identity.noise.publicKey,
});

/** A TLS WebSocket that has shaken no hands yet. Frames are queued from the first moment on. */
export class RawSocket {
  readonly ws: WebSocket;
  readonly frames: Bytes[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => {};

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data: Buffer) => {
      this.frames.push(Uint8Array.from(data));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  static async open(port: number, protocol = SUBPROTOCOL, from = '127.0.0.1'): Promise<RawSocket> {
    const { caFile } = await testTls;
    const ws = new WebSocket(`wss://127.0.0.1:${port}${CHANNEL_PATH}`, protocol, {
      ca: readFileSync(caFile),
      perMessageDeflate: false,
      localAddress: from,
    });
    const socket = new RawSocket(ws);
    await within(
      'open',
      new Promise<void>((resolve, reject) => {
        ws.once('open', resolve);
        ws.once('error', reject);
      }),
    );
    ws.on('error', () => {});
    return socket;
  }

  /** The next frame, or null once the socket is closed. */
  async next(): Promise<Bytes | null> {
    while (this.frames.length === 0) {
      if (this.ws.readyState === WebSocket.CLOSED) return null;
      await within(
        'frame',
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
    return this.frames.shift()!;
  }

  close(): Promise<{ code: number; reason: string }> {
    this.ws.close();
    return within('close', this.closed);
  }
}

/** One request at a time over a finished handshake. */
export class Client {
  readonly socket: RawSocket;
  readonly transport: NoiseTransport;
  readonly notices: Notice[] = [];
  readonly frames: Bytes[] = [];
  /** As the last hello named it. */
  ledger: Bytes = new Uint8Array(16);
  /** Number of the last answer. */
  answered = 0;
  #number = 0;

  constructor(socket: RawSocket, transport: NoiseTransport) {
    this.socket = socket;
    this.transport = transport;
  }

  /** Handshake only: nothing said yet. */
  static async shake(address: Address, local: NoiseKeyPair): Promise<Client> {
    const socket = await RawSocket.open(address.port, SUBPROTOCOL, address.from);
    const handshake = await initiate({ local, remote: address.noiseKey, prologue: PROLOGUE });
    socket.ws.send(handshake.message);
    const message2 = await socket.next();
    if (message2 === null) throw new Error(`closed: ${(await socket.closed).reason}`);
    return new Client(socket, await handshake.complete(message2));
  }

  static async connect(address: Address, local: NoiseKeyPair): Promise<Client> {
    const client = await Client.shake(address, local);
    await client.hello();
    return client;
  }

  async hello(network: 'regtest' | 'mainnet' = 'regtest'): Promise<AnswerOf<'hello'>> {
    const asked = { kind: 'hello', version: PROTOCOL_VERSION, suite: SUITE, network } as const;
    const hello = await this.ask(asked, 'hello');
    this.ledger = hello.ledger;
    return hello;
  }

  /** Throws an error answer as the error it names. */
  async ask<K extends Answer['kind']>(message: Request, kind: K): Promise<AnswerOf<K>> {
    await this.send(encode(request, message));
    const got = await this.receive();
    if (this.answered !== this.#number) throw new Error('answer to another request');
    if (got.kind === 'error') throw errorOf(got);
    if (got.kind !== kind) throw new Error(`${got.kind} for ${message.kind}`);
    return got as AnswerOf<K>;
  }

  async send(message: Bytes): Promise<void> {
    for (const part of splitMessage(++this.#number, message)) await this.sendPlain(part);
  }

  async sendPlain(plaintext: Bytes): Promise<void> {
    this.socket.ws.send(await this.transport.seal(plaintext));
  }

  async receive(): Promise<Answer> {
    const joiner = new Joiner();
    for (;;) {
      const frame = await this.socket.next();
      if (frame === null) throw new Error(`closed: ${(await this.socket.closed).reason}`);
      this.frames.push(frame);
      const whole = joiner.push(await this.transport.open(frame));
      if (whole === null) continue;
      if (whole.number === 0) {
        this.notices.push(decode(notice, whole.message));
        continue;
      }
      this.answered = whole.number;
      return decode(answer, whole.message);
    }
  }

  close() {
    return this.socket.close();
  }
}

// --- device and recovery -------------------------------------------------------------------------------------------

export interface TestDevice {
  readonly noise: NoiseKeyPair;
  readonly host: Secret;
  readonly recoveryHost: Secret;
  readonly certificate: Bytes;
  readonly keys: keygen.KeyRecord;
  /** Where its share stands. */
  readonly epoch: Epoch;
  readonly share: Secret;
  readonly recoveryShare: Secret;
  readonly account: Account;
}

export const START = 1_800_000_000_000;

export function policyOf(change: Partial<Policy> = {}): Policy {
  return { ...firstPolicy('regtest', termsOf(1_000_000n), START - 1000), ...change };
}

/** A keygen in the middle: what the device and the recovery page hold between two rounds. */
export interface Enrolling {
  readonly client: Client;
  readonly selves: [keygen.KeygenSelf, keygen.KeygenSelf];
  readonly noise: NoiseKeyPair;
}

export async function partiesFor(noise: NoiseKeyPair, policy: Bytes): Promise<Enrolling['selves']> {
  const self = async (id: 1 | 3): Promise<keygen.KeygenSelf> => ({
    id,
    network: 'regtest',
    host: Secret.own(systemRandom(32)),
    encryption: await generateNoiseKeyPair(),
    noiseKey: id === 1 ? noise.publicKey : new Uint8Array(0),
    policy: id === 1 ? policy : new Uint8Array(0),
  });
  return [await self(1), await self(3)];
}

/** Stops after the named round, as a killed worker would. */
export async function enrol(
  client: Client,
  noise: NoiseKeyPair,
  token: string,
  options: { policy?: Policy; until?: 'hello' | 'round1' | 'round2'; selves?: Enrolling['selves'] } = {},
): Promise<TestDevice> {
  const signer = await load();
  const selves =
    options.selves ?? (await partiesFor(noise, encode(policyDocument, options.policy ?? policyOf())));
  const [device, recovery] = selves;
  const stop = (at: string) => {
    if (options.until === at) throw new Error(`stopped after ${at}`);
  };
  const pass = async (kind: 'keygenRound1' | 'keygenRound2', a: Bytes, b: Bytes) =>
    (await client.ask({ kind, device: a, recovery: b }, 'party')).message;

  const [d0, dHello] = keygen.openKeygen(signer, device, systemRandom);
  const [r0, rHello] = keygen.openKeygen(signer, recovery, systemRandom);
  const opened = await client.ask({ kind: 'keygenHello', token, device: dHello, recovery: rHello }, 'party');
  const hellos = [dHello, opened.message, rHello];
  stop('hello');
  const [d1, dRound1] = keygen.keygenRound1(signer, d0, hellos, systemRandom);
  const [r1, rRound1] = keygen.keygenRound1(signer, r0, hellos, systemRandom);
  const round1 = [dRound1, await pass('keygenRound1', dRound1, rRound1), rRound1];
  stop('round1');
  const [d2, dRound2] = await keygen.keygenRound2(signer, d1, round1, systemRandom);
  const [r2, rRound2] = await keygen.keygenRound2(signer, r1, round1, systemRandom);
  const round2 = [dRound2, await pass('keygenRound2', dRound2, rRound2), rRound2];
  stop('round2');
  const [d3, dCertify] = await keygen.keygenFinish(signer, d2, round2, systemRandom);
  const [r3, rCertify] = await keygen.keygenFinish(signer, r2, round2, systemRandom);
  const { certificate } = await client.ask(
    { kind: 'keygenCertify', device: dCertify, recovery: rCertify },
    'certificate',
  );
  const keys = keygen.verifyCertificate(signer, certificate);
  return {
    noise,
    host: device.host,
    recoveryHost: recovery.host,
    certificate,
    keys,
    epoch: firstEpoch(signer, keys),
    share: d3.result.share,
    recoveryShare: r3.result.share,
    account: { network: 'regtest', groupKey: keys.groupKey, chainCode: keys.chainCode, account: 0 },
  };
}

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

// --- payments ------------------------------------------------------------------------------------------------------

let coinCount = 0;

/** Coins that nobody has seen: signing believes the sighash, not the chain. */
export function coinsOf(count: number, value: bigint) {
  return Array.from({ length: count }, (_, i) => ({
    outpoint: { txid: (++coinCount).toString(16).padStart(64, '0'), vout: i },
    value,
    branch: 0 as const,
    index: i,
    height: 1,
    coinbase: false,
  }));
}

/** Somebody else's Taproot script. */
export const PAYEE = Uint8Array.of(
  0x51,
  0x20,
  ...Buffer.from('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0', 'hex'),
);

/** Pays `amount` to somebody else and `fee` to miners; the rest comes back. */
export function payment(
  { account }: Pick<TestDevice, 'account'>,
  args: { amount: bigint; fee?: bigint; coins?: ReturnType<typeof coinsOf> },
): Bytes {
  const { amount, fee = 500n, coins = coinsOf(1, 1_000_000n) } = args;
  const back = coins.reduce((sum, { value }) => sum + value, 0n) - amount - fee;
  return buildPayment({
    account,
    coins,
    outputs: [{ script: PAYEE, value: amount }],
    change: back > 0n ? { path: { branch: 1, index: 0 }, value: back } : null,
    randomness: systemRandom(4),
  });
}

export interface Attempted {
  readonly body: Bytes;
  readonly psbt: Bytes;
  readonly committed: Committed;
  readonly inputs: ReturnType<typeof sighashes>;
  readonly attempt: Bytes;
}

/** The device's first half: commitments over the PSBT. */
export async function attemptOf(
  client: Client,
  { account, share, keys, epoch: { number } }: TestDevice,
  psbt: Bytes,
  change: { epoch?: number; commitments?: Uint8Array[] } = {},
): Promise<Attempted> {
  const signer = await load();
  const attempt = systemRandom(16);
  const inputs = sighashes(parsePsbt(psbt), account);
  const { handshakeHash } = client.transport;
  const at = { groupKey: keys.groupKey, handshakeHash, attempt, epoch: number };
  const committed = commitAll(signer, share, at, inputs, systemRandom);
  const commitments = (change.commitments ?? committed.commitments).map((c) => Uint8Array.from(c));
  const { ledger } = client;
  const body = encode(signBody, { attempt, epoch: change.epoch ?? number, ledger, psbt, commitments });
  return { body, psbt, committed, inputs, attempt };
}

/** The request, proved on this very connection. */
export async function signRequest(client: Client, { share }: TestDevice, body: Bytes): Promise<Request> {
  const signer = await load();
  const hash = signProofHash(client.transport.handshakeHash, body);
  return { kind: 'sign', body, proof: Uint8Array.from(signer.schnorrSign(share, hash, systemRandom(32))) };
}

export async function askToSign(
  client: Client,
  device: TestDevice,
  body: Bytes,
): Promise<AnswerOf<'signed'>> {
  return client.ask(await signRequest(client, device, body), 'signed');
}

/** The device's second half: the finished transaction, each signature verified under BIP-340. */
export async function finish(
  client: Client,
  { share, keys, epoch }: TestDevice,
  { psbt, committed, inputs, attempt }: Attempted,
  { commitments, shares }: Pick<AnswerOf<'signed'>, 'commitments' | 'shares'>,
) {
  const signer = await load();
  const { handshakeHash } = client.transport;
  const at = { groupKey: keys.groupKey, handshakeHash, attempt, epoch: epoch.number };
  const peer = { id: 2, verifyingShare: epoch.verifyingShares[1], commitments, shares } as const;
  const signatures = finishAll(signer, 1, share, at, inputs, committed, peer);
  for (const [i, signature] of signatures.entries()) {
    if (!signer.schnorrVerify(inputs[i]!.expectedKey, inputs[i]!.sighash, signature))
      throw new Error('signature');
  }
  return finalize(psbt, signatures);
}

/** A whole payment. */
export async function pay(client: Client, device: TestDevice, amount: bigint) {
  const attempted = await attemptOf(client, device, payment(device, { amount }));
  return finish(client, device, attempted, await askToSign(client, device, attempted.body));
}
