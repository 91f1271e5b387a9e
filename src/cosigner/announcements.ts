import type { Bytes } from './store.ts';

/** Within this process: something about a wallet's ceremonies or policy changed that its devices have not asked about. */
export class Announcements {
  readonly #heard = new Set<(wallet: Bytes) => void>();

  listen(hear: (wallet: Bytes) => void): void {
    this.#heard.add(hear);
  }

  /** After the change is durable. */
  tell(wallet: Bytes): void {
    for (const hear of this.#heard) hear(wallet);
  }
}
