/**
 * Recovery's part in keygen, played in the onboarding page. Its messages are opaque to whoever carries them; its share
 * is computed only to be checked, from the final transcript's ciphertexts, and wiped: the words and the certificate bring it back.
 */

import { systemRandom } from '../crypto/random.ts';
import type { Signer } from '../crypto/signer.ts';
import * as keygen from '../frost/keygen.ts';
import { decodePolicy, encodePolicy, firstPolicy } from '../policy/document.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { keygenHello } from '../protocol/keygen.ts';
import type { Network } from '../protocol/networks.ts';
import type { KeygenTerms } from '../protocol/terms.ts';
import { keysFromWords, type RecoveryKeys } from './words.ts';

type Bytes = Uint8Array<ArrayBuffer>;

type Stage =
  | { at: 'idle' }
  | { at: 'hellos'; state: keygen.AwaitingHellos }
  | { at: 'round1'; state: keygen.AwaitingRound1 }
  | { at: 'round2'; state: keygen.AwaitingRound2 }
  | { at: 'certified'; finished: keygen.KeygenFinished };

export class RecoveryKeygen {
  readonly #signer: Signer;
  #keys: RecoveryKeys | undefined;
  #terms: KeygenTerms | undefined;
  #stage: Stage = { at: 'idle' };

  constructor(signer: Signer) {
    this.#signer = signer;
  }

  /**
   * Takes the words as typed back, and the terms as chosen in this page. May be called again, with the same
   * or other words, to start a new session.
   */
  async begin(words: readonly string[], network: Network, terms: KeygenTerms): Promise<Bytes> {
    this.wipe();
    this.#terms = terms;
    this.#keys = await keysFromWords(words);
    const self: keygen.KeygenSelf = {
      id: 3,
      network,
      ...this.#keys,
      noiseKey: new Uint8Array(0),
      policy: new Uint8Array(0),
    };
    const [state, hello] = keygen.openKeygen(this.#signer, self, systemRandom);
    this.#stage = { at: 'hellos', state };
    return hello;
  }

  /** Throws `TranscriptMismatch`, and forgets the session, if the device brings another policy than the one chosen. */
  async round1(hellos: Bytes[]): Promise<Bytes> {
    const { state } = this.#at('hellos');
    const [next, message] = keygen.keygenRound1(this.#signer, state, hellos, systemRandom);
    this.#stage = { at: 'round1', state: next };
    try {
      this.#ensureChosen(next.hellos[0]!, state.self.network);
    } catch (e) {
      this.wipe();
      throw e;
    }
    return message;
  }

  /** The window's start is of the device's clock; a window holds before its start too. */
  #ensureChosen(deviceHello: Bytes, network: Network): void {
    const { policy } = decode(keygenHello, deviceHello);
    const start = decodePolicy(policy).windows[0]?.start ?? 0;
    const chosen = encodePolicy(firstPolicy(network, this.#terms!, start));
    ensure(equalVar(policy, chosen), 'TranscriptMismatch', { detail: 'policy', culprit: 1 });
  }

  async round2(round1s: Bytes[]): Promise<Bytes> {
    const { state } = this.#at('round1');
    this.#stage = { at: 'idle' };
    const [next, message] = await keygen.keygenRound2(this.#signer, state, round1s, systemRandom);
    this.#stage = { at: 'round2', state: next };
    return message;
  }

  async certify(round2s: Bytes[]): Promise<Bytes> {
    const { state } = this.#at('round2');
    this.#stage = { at: 'idle' };
    const [finished, message] = await keygen.keygenFinish(this.#signer, state, round2s, systemRandom);
    finished.result.share.wipe();
    this.#stage = { at: 'certified', finished };
    return message;
  }

  /**
   * The last look: the certificate is the one this session signed, and the words alone bring the share back from it.
   * Throws `TranscriptMismatch`, `BadCertificate` or `BadShare`; wipes in every case.
   */
  async finish(certificate: Bytes): Promise<void> {
    try {
      const { finished } = this.#at('certified');
      const record = keygen.verifyCertificate(this.#signer, certificate);
      ensure(keygen.certifies(certificate, finished.transcript), 'TranscriptMismatch');
      const again = await keygen.recoverShare(this.#signer, this.#keys!.encryption.privateKey, certificate);
      again.share.wipe();
      ensure(equalVar(again.groupKey, record.groupKey), 'BadCertificate', { detail: 'group key' });
    } finally {
      this.wipe();
    }
  }

  wipe(): void {
    if (this.#stage.at === 'round1' || this.#stage.at === 'round2')
      keygen.dropKeygen(this.#signer, this.#stage.state);
    this.#keys?.host.wipe();
    this.#keys = undefined;
    this.#stage = { at: 'idle' };
  }

  #at<A extends Stage['at']>(at: A): Extract<Stage, { at: A }> {
    ensure(this.#stage.at === at, 'WrongSession', { detail: `recovery is not at ${at}` });
    return this.#stage as Extract<Stage, { at: A }>;
  }
}
