/** A person who lost the browser: a new one, the recovery page in another window, and messages carried between them. */
import { lookAtAll } from '../../src/cosigner/ceremonies.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { type OfflineMessage, offlineMessage } from '../../src/protocol/offline.ts';
import { openSitting, type Sitting } from '../../src/recovery/sitting.ts';
import type { Running } from './cosigner.ts';
import type { Worker } from './deviceHost.ts';
import { linkOf } from './onboard.ts';

export const NEW_PASSWORD = 'another winter morning';
const HOUR = 3_600_000;

/** A cosigner's clock that a test moves. */
export class MovedClock {
  time: number;

  constructor(time: number) {
    this.time = time;
  }

  now = () => this.time;
  monotonic = () => performance.now();

  /** An hour at a time, with the cosigner looking at its ceremonies, as it does while it runs. */
  async pass(running: Running, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += HOUR) {
      this.time += HOUR;
      await lookAtAll(running.cosigner);
    }
  }
}

/** The recovery page, for as long as it is open. */
export class Page {
  #sitting: Sitting | null = null;
  readonly #words: readonly string[];

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** The answer to a message, typing the words if it is the first. */
  async answer(message: Uint8Array): Promise<Uint8Array> {
    const said = decode(offlineMessage, message);
    let answer: OfflineMessage | null;
    if (
      said.kind === 'act' ||
      said.kind === 'sign' ||
      said.kind === 'repairOffer' ||
      said.kind === 'kitOffer'
    ) {
      this.#sitting?.wipe();
      this.#sitting = openSitting(await load(), said, systemRandom);
      answer = await this.#sitting.begin(this.#words);
    } else {
      answer = await this.#sitting!.next(said);
    }
    return encode(offlineMessage, answer!);
  }

  close(): void {
    this.#sitting?.wipe();
    this.#sitting = null;
  }
}

/** The new device asks, in the words' name. */
export async function askToReturn(worker: Worker, running: Running, words: readonly string[]): Promise<void> {
  const uri = await linkOf(running, 'none');
  const { message } = await worker.call('returnBegin', { uri, network: 'regtest', password: NEW_PASSWORD });
  await worker.call('returnAnswer', { message: await new Page(words).answer(message) });
}

/** From a ripe ceremony to the wallet, or to whatever stops it. */
export async function takePlace(
  worker: Worker,
  words: readonly string[],
  saved: Uint8Array | null = null,
): Promise<void> {
  const page = new Page(words);
  try {
    let { message } = await worker.call('returnStart', { password: NEW_PASSWORD, saved });
    while (message !== null) {
      ({ message } = await worker.call('returnAnswer', { message: await page.answer(message) }));
    }
  } finally {
    page.close();
  }
}

/** New words are made, and the device asks for them. */
export async function askForKit(worker: Worker, kit: readonly string[]): Promise<void> {
  const { message } = await worker.call('kitWords', null);
  await worker.call('kitAsk', { message: await new Page(kit).answer(message) });
}

/** From a ripe ceremony to the new words in place. */
export async function replaceKit(worker: Worker, kit: readonly string[]): Promise<void> {
  const page = new Page(kit);
  try {
    let { message }: { message: Uint8Array | null } = await worker.call('kitStart', null);
    while (message !== null) {
      ({ message } = await worker.call('kitAnswer', { message: await page.answer(message) }));
    }
  } finally {
    page.close();
  }
}
