/**
 * The cosigner's side of keygen (DESIGN section 2). The rounds live here, in the memory of one connection, and die with it;
 * the first thing ever stored is the finished wallet, in one transaction that also consumes the token.
 */
import type { Random } from '../crypto/random.ts';
import { Secret, withSecrets } from '../crypto/secret.ts';
import { importX25519, x25519PublicKey } from '../crypto/x25519.ts';
import {
  type AwaitingRound1,
  type AwaitingRound2,
  dropKeygen,
  type KeygenFinished,
  keygenCertificate,
  keygenFinish,
  keygenRound1,
  keygenRound2,
  openKeygen,
  verifyCertificate,
} from '../frost/keygen.ts';
import { keygenFetchHash } from '../frost/proofs.ts';
import { decodePolicy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import {
  keygenCertificate as keygenCertificateCodec,
  keygenHello,
  keygenTranscript,
  signedBody,
} from '../protocol/keygen.ts';
import { KEYGEN_DEADLINE_MS } from '../protocol/limits.ts';
import type { Request } from '../protocol/messages.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';
import type { Cosigner } from './cosigner.ts';
import { beginEnrolment, claimToken, type Enrolment } from './enrolment.ts';
import type { Peer } from './sign.ts';
import type { Bytes } from './store.ts';

const FIRST_EPOCH = 0;

/** What waits for the device's next message. `own` is the message of ours that answers it. */
interface Stages {
  round1: { state: AwaitingRound1; own: Bytes };
  round2: { state: AwaitingRound2; own: Bytes };
  certify: { state: KeygenFinished; own: Bytes };
}
type Stage = { [At in keyof Stages]: { at: At } & Stages[At] }[keyof Stages];

interface Running {
  stage: Stage;
  readonly enrolment: Enrolment;
  readonly timer: NodeJS.Timeout;
}

type Messages = { device: Bytes; recovery: Bytes };

/** At most one keygen a connection. Each step answers with our message of the round just received. */
export class Keygen {
  readonly #cosigner: Cosigner;
  /** The connection's authenticated Noise static. */
  readonly #deviceKey: Bytes;
  /** Ours, which the device pins: by its link. */
  readonly #noiseKey: Bytes;
  #running: Running | undefined;

  constructor(cosigner: Cosigner, { deviceKey, channelKey }: Pick<Peer, 'deviceKey' | 'channelKey'>) {
    this.#cosigner = cosigner;
    this.#deviceKey = deviceKey;
    this.#noiseKey = channelKey.noise.publicKey;
  }

  /** Starts anew, whatever ran before. Answers our hello. */
  async hello(request: Extract<Request, { kind: 'keygenHello' }>): Promise<Bytes> {
    this.drop();
    const { signer, identity, network, random } = this.#cosigner;
    const enrolment = await beginEnrolment(this.#cosigner, request.token);
    try {
      this.#checkDevice(request.device);
      const [opened, own] = openKeygen(
        signer,
        {
          id: 2,
          network,
          host: identity.host,
          encryption: await oneTimeKeys(random),
          noiseKey: this.#noiseKey,
          policy: new Uint8Array(0),
        },
        random,
      );
      const [state, next] = keygenRound1(signer, opened, [request.device, own, request.recovery], random);
      const timer = setTimeout(() => this.drop(), KEYGEN_DEADLINE_MS);
      timer.unref();
      this.#running = { stage: { at: 'round1', state, own: next }, enrolment, timer };
      return own;
    } catch (e) {
      enrolment.release();
      throw e;
    }
  }

  round1({ device, recovery }: Messages): Promise<Bytes> {
    return this.#step('round1', async ({ state, own }) => {
      const { signer, random } = this.#cosigner;
      const [next, message] = await keygenRound2(signer, state, [device, own, recovery], random);
      return { at: 'round2', state: next, own: message };
    });
  }

  round2({ device, recovery }: Messages): Promise<Bytes> {
    return this.#step('round2', async ({ state, own }) => {
      const { signer, random } = this.#cosigner;
      const [next, message] = await keygenFinish(signer, state, [device, own, recovery], random);
      return { at: 'certify', state: next, own: message };
    });
  }

  /** Durable when this resolves: the wallet's id and the full certificate, in which our signature says so. */
  async certify({ device, recovery }: Messages): Promise<{ wallet: Bytes; certificate: Bytes }> {
    const running = this.#running;
    ensure(running?.stage.at === 'certify', 'SessionUnknown');
    try {
      const { signer, store, keyWrap, log, metrics } = this.#cosigner;
      const { enrolment } = running;
      const { state, own } = running.stage;
      const certificate = keygenCertificate(signer, state, [device, own, recovery]);
      const { wallet, session, hostKeys } = verifyCertificate(signer, certificate);
      // The epoch's key first. If the transaction then fails the key stays behind, unused: whether a failed commit
      // truly failed cannot always be known, and destroying the key of a stored share would destroy the share.
      const sealedShare = await keyWrap.seal(wallet, FIRST_EPOCH, state.result.share);
      const token = await claimToken(this.#cosigner, enrolment);
      await store.enrol(
        {
          id: wallet,
          session,
          deviceKey: this.#deviceKey,
          recoveryKey: hostKeys[2],
          certificate,
          epoch: FIRST_EPOCH,
          sealedShare,
          begunAt: enrolment.begunAt,
        },
        token,
      );
      log.info('wallet enrolled');
      metrics.count('hoarfrost_enrolments_total');
      return { wallet, certificate };
    } finally {
      this.drop();
    }
  }

  /** Forgets everything, polynomial and share first. */
  drop(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    running.enrolment.release();
    const { stage } = running;
    if (stage.at === 'certify') stage.state.result.share.wipe();
    else dropKeygen(this.#cosigner.signer, stage.state);
  }

  /** Answers with the stage's own message after its step has succeeded; after a failure there is no keygen any more. */
  async #step<A extends 'round1' | 'round2'>(
    at: A,
    step: (stage: Stages[A]) => Promise<Stage>,
  ): Promise<Bytes> {
    const running = this.#running;
    ensure(running?.stage.at === at, 'SessionUnknown');
    const stage = running.stage as unknown as Stages[A];
    try {
      const next = await step(stage);
      if (this.#running !== running) {
        // Dropped meanwhile, by the deadline or a closed connection.
        if (next.at === 'certify') next.state.result.share.wipe();
        throw new HoarfrostError('DeadlineExceeded');
      }
      running.stage = next;
      return stage.own;
    } catch (e) {
      this.drop();
      throw e;
    }
  }

  /** The device's hello must name this very channel, and bring a first policy that can be kept to. */
  #checkDevice(message: Bytes): void {
    const hello = decode(keygenHello, decode(signedBody, message).body);
    ensure(equalVar(hello.noiseKey, this.#deviceKey), 'Unauthorised', { detail: 'noise key' });
    const policy = decodePolicy(hello.policy);
    ensure(policy.version === 1, 'WrongVersion', { detail: 'policy' });
    ensure(policy.network === this.#cosigner.network, 'WrongNetwork', { detail: 'policy' });
    ensure(this.#cosigner.contacts.serves(policy.contact), 'ContactUnavailable');
  }
}

/**
 * The certificate, for a party that lost it and proves a host key of its session. An unknown session and a bad proof are one
 * answer, after the same signature check.
 */
export async function fetchCertificate(
  { store, signer }: Cosigner,
  handshakeHash: Bytes,
  { session, id, proof }: Extract<Request, { kind: 'keygenFetch' }>,
): Promise<Bytes> {
  const certificate = await store.certificateOfSession(session);
  const key = certificate === null ? null : hostKeyIn(certificate, id);
  const proved = signer.schnorrVerify(key ?? NOBODY, keygenFetchHash(handshakeHash, session), proof);
  ensure(certificate !== null && key !== null && proved, 'SessionUnknown');
  return certificate;
}

/** X25519, from the randomness handed in, so that a recorded keygen can be replayed. */
async function oneTimeKeys(random: Random): Promise<NoiseKeyPair> {
  const secret = Secret.own(random(32));
  const privateKey = await withSecrets([secret], () => importX25519(secret));
  return { privateKey, publicKey: await x25519PublicKey(privateKey) };
}

/** Unverified: whoever fetches a certificate checks it. */
function hostKeyIn(certificate: Bytes, id: number): Bytes | null {
  const { hellos } = decode(keygenTranscript, decode(keygenCertificateCodec, certificate).transcript);
  const hello = hellos[id - 1];
  return hello === undefined ? null : decode(keygenHello, hello).hostKey;
}

/** A key on the curve whose secret nobody knows: x of BIP-341's H. */
const NOBODY: Bytes = Uint8Array.from(
  Buffer.from('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0', 'hex'),
);
