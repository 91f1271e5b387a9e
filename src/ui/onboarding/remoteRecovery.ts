/**
 * Recovery played on another device: each of its steps is a message to be taken to the recovery page, and an answer to be
 * brought back. The words are made, written down and typed there; nothing here ever sees one. No DOM.
 */
import { hex } from '@scure/base';
import { ensure, HoarfrostError } from '../../protocol/errors.ts';
import type { Network } from '../../protocol/networks.ts';
import type { OfflineMessage, OfflineOf } from '../../protocol/offline.ts';
import type { KeygenTerms } from '../../protocol/terms.ts';
import type { RecoverySteps } from './recoveryPort.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Round = OfflineOf<'keygenSaid'>['round'];

/** What the person is to carry. */
export interface Errand {
  /** To the recovery page. */
  readonly message: OfflineMessage;
  /** Which of its answers comes back; null where it is done and says so on its own screen. */
  readonly awaits: Round | null;
  /** From 1. */
  readonly number: number;
}

/** Messages to the recovery page in all. */
export const ERRANDS = 5;

export class RemoteRecovery implements RecoverySteps {
  readonly #cosigner: { readonly host: string; readonly fingerprint: string };
  readonly #onErrand: (errand: Errand | null) => void;
  #due: { awaits: Round | null; done(message: Bytes): void; fail(e: HoarfrostError): void } | null = null;

  /** `cosigner`: as its pairing link names it. `onErrand` hears what to carry next, null while nothing is. */
  constructor(cosigner: { host: string; fingerprint: string }, onErrand: (errand: Errand | null) => void) {
    this.#cosigner = cosigner;
    this.#onErrand = onErrand;
  }

  begin(_words: string[], network: Network, terms: KeygenTerms): Promise<Uint8Array> {
    const { host, fingerprint } = this.#cosigner;
    const cosigner = Uint8Array.from(hex.decode(fingerprint));
    return this.#carry({ kind: 'keygenStart', network, terms, host, cosigner }, 'hello', 1);
  }

  round1(hellos: Uint8Array[]): Promise<Uint8Array> {
    return this.#carry(heard('hello', hellos), 'round1', 2);
  }

  round2(round1s: Uint8Array[]): Promise<Uint8Array> {
    return this.#carry(heard('round1', round1s), 'round2', 3);
  }

  certify(round2s: Uint8Array[]): Promise<Uint8Array> {
    return this.#carry(heard('round2', round2s), 'certify', 4);
  }

  /** Resolves when the person has seen the recovery page say that its share is there. */
  async finish(certificate: Uint8Array): Promise<void> {
    await this.#carry({ kind: 'keygenDone', certificate: Uint8Array.from(certificate) }, null, ERRANDS);
  }

  /** The answer of the recovery page. `WrongSession` for another than is due, which changes nothing. */
  hear(message: OfflineMessage): void {
    const fits = message.kind === 'keygenSaid' && message.round === this.#due?.awaits;
    ensure(fits, 'WrongSession', { detail: `offline ${message.kind}` });
    this.#settle()?.done(message.message);
  }

  /** The person says that the recovery page is done. */
  seen(): void {
    if (this.#due?.awaits === null) this.#settle()?.done(new Uint8Array(0));
  }

  /** Ends the step that waits by an error after which nobody begins again by himself. */
  wipe(): void {
    this.#settle()?.fail(new HoarfrostError('NoWallet', { detail: 'stopped' }));
  }

  #carry(message: OfflineMessage, awaits: Round | null, number: number): Promise<Bytes> {
    this.wipe();
    const { promise, resolve, reject } = Promise.withResolvers<Bytes>();
    this.#due = { awaits, done: resolve, fail: reject };
    this.#onErrand({ message, awaits, number });
    return promise;
  }

  #settle() {
    const due = this.#due;
    this.#due = null;
    if (due !== null) this.#onErrand(null);
    return due;
  }
}

function heard(round: 'hello' | 'round1' | 'round2', messages: Uint8Array[]): OfflineMessage {
  return { kind: 'keygenHeard', round, messages: messages.map((message) => Uint8Array.from(message)) };
}
