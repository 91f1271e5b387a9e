/**
 * The device's side of the key's birth (DESIGN section 2). Recovery's messages come from the onboarding page and go on
 * to the cosigner unread, over one connection that is never mended: whatever fails before the device certifies, the next
 * try starts anew and nothing was stored. Share and transcript are durable before the device's certificate signature
 * leaves; from then on the certificate can be fetched, and until it is here there is no wallet and no address.
 */
import { Secret, withSecrets } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import * as frost from '../frost/keygen.ts';
import { keygenFetchHash } from '../frost/proofs.ts';
import { firstPolicy, policyDocument } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, isHoarfrostError } from '../protocol/errors.ts';
import { keygenHello, signedBody } from '../protocol/keygen.ts';
import type { Network } from '../protocol/networks.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../protocol/noise.ts';
import type { KeygenTerms } from '../protocol/terms.ts';
import { Connection } from './connection.ts';
import type { Database } from './database.ts';
import { sleep } from './deadline.ts';
import type { Environment } from './environment.ts';
import type { Cosigner, Pairing } from './pairing.ts';
import { derivePasswordKey, type PasswordKey, sealVault, type Vault, vaultChanges } from './vault.ts';
import { newWallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const FIRST_EPOCH = 0;
const ASK_AGAIN_MS = 1_500;
const MONEY_MAX = 2_100_000_000_000_000n;

/** Between our certificate signature and the full certificate. The share is in the vault already. */
export interface PendingKey {
  readonly cosigner: Cosigner;
  readonly network: Network;
  readonly session: Bytes;
  readonly transcript: Bytes;
}

export interface KeygenArguments {
  readonly pairing: Pairing;
  readonly network: Network;
  readonly password: string;
  readonly terms: KeygenTerms;
  readonly recoveryHello: Bytes;
}

type Stage =
  | { at: 'hello'; state: frost.AwaitingHellos; messages: Bytes[] }
  | { at: 'round1'; state: frost.AwaitingRound1; messages: Bytes[] }
  | { at: 'round2'; state: frost.AwaitingRound2; messages: Bytes[] }
  | { at: 'over' };

interface Parts {
  readonly db: Database;
  readonly env: Environment;
  readonly signer: Signer;
}

/** One try. All of it is in memory until `certify`. */
export class Keygen {
  readonly pairing: Pairing;
  readonly network: Network;
  readonly #parts: Parts;
  readonly #password: PasswordKey;
  readonly #channel: NoiseKeyPair;
  readonly #host: Secret;
  readonly #connection: Connection;
  #stage: Stage;

  private constructor(
    parts: Parts,
    args: KeygenArguments,
    own: {
      password: PasswordKey;
      channel: NoiseKeyPair;
      host: Secret;
      connection: Connection;
      stage: Stage;
    },
  ) {
    this.pairing = args.pairing;
    this.network = args.network;
    this.#parts = parts;
    this.#password = own.password;
    this.#channel = own.channel;
    this.#host = own.host;
    this.#connection = own.connection;
    this.#stage = own.stage;
    // Between two rounds nobody else would notice.
    void this.closed.then(() => this.#stage.at !== 'over' && this.stop());
  }

  /** Answers the three hellos in id order. `TokenUnknown`, `TokenExpired`, `WrongNetwork`, `WeakPassword`, `WrongCosignerKey`, `CosignerUnreachable`. */
  static async start(parts: Parts, args: KeygenArguments): Promise<{ keygen: Keygen; hellos: Bytes[] }> {
    const { env, signer } = parts;
    const { pairing, network } = args;
    ensure(pairing.token !== null, 'TokenUnknown');
    ensure(pairing.network === null || pairing.network === network, 'WrongNetwork');
    const { dailyLimit } = args.terms;
    ensure(dailyLimit > 0n && dailyLimit <= MONEY_MAX, 'BadAmount', { detail: 'daily limit' });
    const password = await derivePasswordKey(args.password, env.random);
    const channel = await generateNoiseKeyPair(true);
    const { connection } = await Connection.open({ cosigner: pairing, network, local: channel, env });
    const host = Secret.own(env.random(32));
    try {
      const policy = encode(policyDocument, firstPolicy(network, args.terms, env.now()));
      const self: frost.KeygenSelf = {
        id: 1,
        network,
        host,
        encryption: await generateNoiseKeyPair(),
        noiseKey: channel.publicKey,
        policy,
      };
      const [state, device] = frost.openKeygen(signer, self, env.random);
      const recovery = args.recoveryHello;
      const { message } = await connection.request(
        { kind: 'keygenHello', token: pairing.token, device, recovery },
        'party',
      );
      checkCosigner(message, pairing);
      const hellos = [device, message, recovery];
      const stage: Stage = { at: 'hello', state, messages: hellos };
      return {
        keygen: new Keygen(parts, args, { password, channel, host, connection, stage }),
        hellos,
      };
    } catch (e) {
      host.wipe();
      connection.close();
      throw e;
    }
  }

  /** Recovery's round 1 in, all three out. */
  round1(recovery: Bytes): Promise<Bytes[]> {
    return this.#step('hello', async ({ state, messages }) => {
      const { signer, env } = this.#parts;
      const [next, device] = frost.keygenRound1(signer, state, messages, env.random);
      const kind = 'keygenRound1';
      try {
        const { message } = await this.#connection.request({ kind, device, recovery }, 'party');
        return { at: 'round1', state: next, messages: [device, message, recovery] };
      } catch (e) {
        frost.dropKeygen(signer, next);
        throw e;
      }
    });
  }

  /** Recovery's round 2 in, all three out. */
  round2(recovery: Bytes): Promise<Bytes[]> {
    return this.#step('round1', async ({ state, messages }) => {
      const { signer, env } = this.#parts;
      const [next, device] = await frost.keygenRound2(signer, state, messages, env.random);
      const kind = 'keygenRound2';
      try {
        const { message } = await this.#connection.request({ kind, device, recovery }, 'party');
        return { at: 'round2', state: next, messages: [device, message, recovery] };
      } catch (e) {
        frost.dropKeygen(signer, next);
        throw e;
      }
    });
  }

  /**
   * Recovery has certified. `onDurable` gets the data key once vault and transcript are on disk and before our signature
   * leaves. Answers the full certificate, stored as the wallet. After `CosignerUnreachable`, `ChannelClosed` or
   * `DeadlineExceeded` the key may well live: `resumeKeygen` asks.
   */
  async certify(recovery: Bytes, onDurable: (dataKey: Secret) => Promise<void>): Promise<Bytes> {
    const stage = this.#take('round2');
    const { db, env, signer } = this.#parts;
    try {
      const [finished, device] = await frost.keygenFinish(signer, stage.state, stage.messages, env.random);
      const { share } = finished.result;
      let pending: PendingKey;
      try {
        frost.checkCertify(signer, finished, recovery, 3);
        const { session, transcript } = finished;
        const { host, port, noiseKey, hostKey } = this.pairing;
        pending = { cosigner: { host, port, noiseKey, hostKey }, network: this.network, session, transcript };
        const { vault, dataKey } = await sealVault({
          password: this.#password,
          context: { wallet: frost.walletOf(transcript), network: this.network },
          epoch: FIRST_EPOCH,
          share,
          host: this.#host,
          channel: this.#channel,
          random: env.random,
        });
        try {
          await db.write([...vaultChanges(vault), { store: 'pending', key: 'pending', value: pending }]);
          await onDurable(dataKey);
        } finally {
          dataKey.wipe();
        }
      } finally {
        share.wipe();
        this.#host.wipe();
      }
      const message = { kind: 'keygenCertify' as const, device, recovery };
      const { certificate } = await this.#connection.request(message, 'certificate');
      await keepWallet(this.#parts, pending, certificate);
      return certificate;
    } finally {
      this.#forget();
    }
  }

  /** Forgets everything. What was certified stays pending. */
  stop(): void {
    const stage = this.#stage;
    this.#stage = { at: 'over' };
    if (stage.at === 'round1' || stage.at === 'round2') frost.dropKeygen(this.#parts.signer, stage.state);
    this.#forget();
  }

  /** Resolves when the connection, and so this try, is gone. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  /** Takes the stage out, so that a second call in the meantime, or one after a failure, finds nothing. */
  #take<A extends Stage['at']>(at: A): Extract<Stage, { at: A }> {
    const stage = this.#stage;
    ensure(stage.at === at, 'WrongSession', { detail: `keygen is at ${stage.at}` });
    this.#stage = { at: 'over' };
    return stage as Extract<Stage, { at: A }>;
  }

  async #step<A extends 'hello' | 'round1'>(
    at: A,
    step: (stage: Extract<Stage, { at: A }>) => Promise<Exclude<Stage, { at: 'over' }>>,
  ): Promise<Bytes[]> {
    const stage = this.#take(at);
    try {
      const next = await step(stage);
      this.#stage = next;
      return next.messages;
    } catch (e) {
      this.#forget();
      throw e;
    }
  }

  #forget(): void {
    this.#host.wipe();
    this.#connection.close();
  }
}

/**
 * After our certificate signature, whatever became of it: the certificate, stored as the wallet, or null if the cosigner
 * knows no such session, so that keygen must begin again. Anything else it says, or silence, leaves the key pending.
 * It is asked twice: what was sent just before the worker died may still be on its way.
 */
export async function resumeKeygen(parts: Parts, vault: Vault): Promise<Bytes | null> {
  const { db, env, signer } = parts;
  const pending = await db.get('pending', 'pending');
  if (pending === null) return null;
  const { cosigner, network, session } = pending;
  const local = await vault.channel();
  const { connection } = await Connection.open({ cosigner, network, local, env });
  try {
    const asked = keygenFetchHash(connection.handshakeHash, session);
    const host = await vault.host();
    const proof = withSecrets([host], () => signer.schnorrSign(host, asked, env.random(32)));
    const message = { kind: 'keygenFetch' as const, session, id: 1, proof: Uint8Array.from(proof) };
    const fetch = async () => (await connection.request(message, 'certificate')).certificate;
    const certificate = (await fetch().catch(nullIfUnknown)) ?? (await later(fetch).catch(nullIfUnknown));
    if (certificate !== null) await keepWallet(parts, pending, certificate);
    return certificate;
  } finally {
    connection.close();
  }
}

async function later<T>(ask: () => Promise<T>): Promise<T> {
  await sleep(ASK_AGAIN_MS);
  return ask();
}

function nullIfUnknown(e: unknown): null {
  if (isHoarfrostError(e) && e.code === 'SessionUnknown') return null;
  throw e;
}

/** The one place where a wallet comes to be. */
async function keepWallet({ db, signer }: Parts, pending: PendingKey, certificate: Bytes): Promise<void> {
  frost.verifyCertificate(signer, certificate);
  ensure(frost.certifies(certificate, pending.transcript), 'TranscriptMismatch');
  await db.write([
    { store: 'wallet', key: 'wallet', value: newWallet(certificate, pending.cosigner, null) },
    { store: 'pending', key: 'pending', value: null },
  ]);
}

/** The cosigner that answers must be the one in the link: both keys. Its signature is checked by round 1. */
function checkCosigner(message: Bytes, { noiseKey, hostKey }: Pairing): void {
  const hello = decode(keygenHello, decode(signedBody, message).body);
  const same = equalVar(hello.noiseKey, noiseKey) && equalVar(hello.hostKey, hostKey);
  ensure(same, 'WrongCosignerKey', { detail: 'hello' });
}
