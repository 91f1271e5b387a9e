import { HoarfrostError } from '../protocol/errors.ts';

/**
 * Bytes that must not leak: they show as `[Secret]` wherever an object is printed, and are overwritten by `wipe()`.
 * Only `crypto` and the callers that hand bytes straight to WebCrypto read them with `expose()`.
 */
export class Secret {
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** Takes ownership of `bytes`: the caller keeps no other reference. */
  static own(bytes: Uint8Array<ArrayBuffer>): Secret {
    return new Secret(bytes);
  }

  /** Copies `bytes` and overwrites the source. */
  static take(bytes: Uint8Array): Secret {
    const copy = Uint8Array.from(bytes);
    bytes.fill(0);
    return new Secret(copy);
  }

  get length(): number {
    return this.expose().length;
  }

  get wiped(): boolean {
    return this.#bytes === undefined;
  }

  /** The live bytes, not a copy. Throws `Internal` after `wipe()`. */
  expose(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === undefined) throw new HoarfrostError('Internal', { detail: 'secret used after wipe' });
    return this.#bytes;
  }

  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return '[Secret]';
  }

  toJSON(): string {
    return '[Secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[Secret]';
  }
}

/** Runs `use`, then wipes the secrets, whatever happened. */
export function withSecrets<T>(secrets: readonly Secret[], use: () => T): T {
  let result: T;
  try {
    result = use();
  } catch (e) {
    for (const s of secrets) s.wipe();
    throw e;
  }
  if (result instanceof Promise) {
    return result.finally(() => {
      for (const s of secrets) s.wipe();
    }) as T;
  }
  for (const s of secrets) s.wipe();
  return result;
}
