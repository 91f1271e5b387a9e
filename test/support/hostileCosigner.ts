/** A peer that holds the pinned key and says what it likes: the device's socket, with a script at the other end. */
import type { Socket } from '../../src/device/environment.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { Joiner, PROLOGUE, splitMessage } from '../../src/protocol/frames.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/keygen.ts';
import { type Answer, type AnswerOf, answer, type Request, request } from '../../src/protocol/messages.ts';
import { type NoiseKeyPair, type NoiseTransport, respond, webPrimitives } from '../../src/protocol/noise.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface Script {
  /** Before the device may send anything. `never` leaves it waiting. */
  open?: 'open' | 'never' | { close: number };
  /** What answers message 1; null is silence. */
  handshake?: (message2: Bytes) => Bytes | { close: number } | null;
  hello?: Answer;
  /** What answers a request; null is silence. */
  answer?: (asked: Request, number: number, peer: HostileSocket) => Answer | null;
}

export const helloAnswer: AnswerOf<'hello'> = {
  kind: 'hello',
  version: PROTOCOL_VERSION,
  enrolled: true,
  epoch: 0,
  head: new Uint8Array(32),
  ledger: new Uint8Array(16),
  policyVersion: 1,
  time: 0,
  channelKey: null,
};

export class HostileSocket implements Socket {
  binaryType = 'arraybuffer';
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  /** Once the device has closed it. */
  closedWith: number | null | undefined;
  readonly asked: Request[] = [];
  readonly #key: NoiseKeyPair;
  readonly #script: Script;
  readonly #joiner = new Joiner();
  #transport: NoiseTransport | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(key: NoiseKeyPair, script: Script) {
    this.#key = key;
    this.#script = script;
    const { open = 'open' } = script;
    queueMicrotask(() => {
      if (open === 'open') this.onopen?.();
      else if (open !== 'never') this.onclose?.({ code: open.close });
    });
  }

  send(frame: Bytes): void {
    this.#work = this.#work.then(() => this.#hear(frame));
  }

  close(code?: number): void {
    this.closedWith ??= code ?? null;
  }

  /** The connection breaks. */
  drop(code = 1006): void {
    this.onclose?.({ code });
  }

  /** Raw, as an ingress would put it on the wire. */
  deliver(frame: Bytes | string): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : frame.slice().buffer });
  }

  async say(number: number, what: Answer): Promise<void> {
    for (const part of splitMessage(number, encode(answer, what))) {
      this.deliver(await this.#transport!.seal(part));
    }
  }

  async #hear(frame: Bytes): Promise<void> {
    if (this.#transport === undefined) {
      const { message, transport } = await respond({
        primitives: webPrimitives,
        local: this.#key,
        prologue: PROLOGUE,
        message1: frame,
      });
      this.#transport = transport;
      const reply = (this.#script.handshake ?? ((m) => m))(message);
      if (reply === null) return;
      if ('close' in reply) this.onclose?.({ code: reply.close });
      else this.deliver(reply);
      return;
    }
    const joined = this.#joiner.push(await this.#transport.open(frame));
    if (joined === null) return;
    const asked = decode(request, joined.message);
    this.asked.push(asked);
    const reply =
      this.#script.answer === undefined || asked.kind === 'hello'
        ? (this.#script.hello ?? helloAnswer)
        : this.#script.answer(asked, joined.number, this);
    if (reply !== null) await this.say(joined.number, reply);
  }
}
