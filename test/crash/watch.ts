/**
 * What must hold whatever dies: kept outside of every process that may be killed, and fed from what crosses the device's end
 * of the channel, before it leaves and as it arrives.
 */
import { hex } from '@scure/base';
import type { Store } from '../../src/cosigner/store.ts';
import { Connection } from '../../src/device/connection.ts';
import { receiptHash, signRequestHash } from '../../src/frost/proofs.ts';
import { decode } from '../../src/protocol/codec.ts';
import {
  type Answer,
  type Receipt,
  type Request,
  receiptBody,
  signBody,
} from '../../src/protocol/messages.ts';

export class Watch {
  /** What each commitment pair, of either party, was asked or answered for. */
  readonly #uses = new Map<string, string>();
  /** Hashes of receipts that a device has, by wallet and number. */
  readonly #receipts = new Map<string, Map<number, string>>();
  readonly violations: string[] = [];
  now = '';

  constructor() {
    const watch = this;
    const original = Connection.prototype.request;
    Connection.prototype.request = async function (this: Connection, asked: Request, ...kinds) {
      watch.#asked(asked);
      const answer = await original.call(this, asked, ...kinds);
      watch.#answered(asked, answer);
      return answer as never;
    };
  }

  found(what: string): void {
    this.violations.push(`${this.now}: ${what}`);
  }

  /** No receipt that a device holds is gone from the cosigner, or is another one there. */
  async checkReceipts(store: Store, wallet: Uint8Array<ArrayBuffer>): Promise<void> {
    const known = this.#receipts.get(hex.encode(wallet)) ?? new Map();
    const from = Math.max(1, ...known.keys()) - 20;
    const kept = await store.viewWallet(wallet, (view) => view.receipts(Math.max(1, from), 1000));
    for (const [sequence, hash] of known) {
      if (sequence < from) continue;
      const there = kept.find((receipt) => receipt.sequence === sequence);
      if (there === undefined) this.found(`receipt ${sequence} lost`);
      else if (hex.encode(receiptHash(there.body)) !== hash) this.found(`receipt ${sequence} changed`);
    }
  }

  #asked(asked: Request): void {
    if (asked.kind === 'sign') {
      const { commitments } = decode(signBody, asked.body);
      for (const [i, pair] of commitments.entries()) this.#use(pair, signId(asked.body, i));
    } else if (asked.kind === 'testSign') this.#use(asked.commitment, testId(asked));
  }

  #answered(asked: Request, answer: Answer): void {
    if (asked.kind === 'sign' && 'receipt' in answer) this.#keep(answer.receipt);
    if (asked.kind === 'sign' && answer.kind === 'signed')
      for (const [i, pair] of answer.commitments.entries()) this.#use(pair, signId(asked.body, i));
    if (asked.kind === 'testSign' && answer.kind === 'tested') this.#use(answer.commitment, testId(asked));
  }

  #use(pair: Uint8Array, message: string): void {
    const name = hex.encode(pair);
    const before = this.#uses.get(name);
    if (before !== undefined && before !== message) this.found('commitment under two messages');
    this.#uses.set(name, message);
  }

  #keep({ body }: Receipt): void {
    const { wallet, sequence } = decode(receiptBody, body);
    const name = hex.encode(wallet);
    const known = this.#receipts.get(name) ?? new Map<number, string>();
    const hash = hex.encode(receiptHash(body));
    const before = known.get(sequence);
    if (before !== undefined && before !== hash) this.found(`two receipts with number ${sequence}`);
    this.#receipts.set(name, known.set(sequence, hash));
  }
}

function signId(body: Uint8Array, input: number): string {
  return `${hex.encode(signRequestHash(body))}/${input}`;
}

function testId({ epoch, commitment }: Extract<Request, { kind: 'testSign' }>): string {
  return `test ${epoch} ${hex.encode(commitment)}`;
}
