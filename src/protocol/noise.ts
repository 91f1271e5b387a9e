/**
 * Noise_IK_25519_AESGCM_SHA256 (Noise Protocol Framework revision 34, sections 5 and 7.5), over primitives that are handed in:
 * WebCrypto's unless the caller has others.
 *
 *   <- s
 *   -> e, es, s, ss      96 bytes, empty payload
 *   <- e, ee, se         48 bytes, empty payload
 *
 * Message 1 can be replayed, so its receiver must do nothing of consequence before the first transport message decrypts.
 */
import { concat } from './bytes.ts';
import { ensure, HoarfrostError } from './errors.ts';
import { NOISE_MESSAGE_MAX, NOISE_PLAINTEXT_MAX } from './limits.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** `Key`: an X25519 private key as the primitives hold it. WebCrypto's need not be extractable. */
export interface NoiseKeyPair<Key = CryptoKey> {
  readonly privateKey: Key;
  readonly publicKey: Bytes;
}

/** An answer at once, where there is one, spares a frame its way through another thread, which costs more than the work. */
type Soon<T> = T | Promise<T>;

export interface NoisePrimitives<Key> {
  generate(): Soon<NoiseKeyPair<Key>>;
  /** 32 bytes; all zeros, or an exception, for a key of low order. */
  x25519(local: Key, remote: Bytes): Soon<Bytes>;
  sha256(data: Bytes): Soon<Bytes>;
  hmacSha256(key: Bytes, data: Bytes): Soon<Bytes>;
  /** AES-256-GCM. Wipes `raw`. */
  aesGcm(raw: Bytes): Soon<NoiseCipher>;
}

export interface NoiseCipher {
  encrypt(iv: Bytes, ad: Bytes, plaintext: Bytes): Soon<Bytes>;
  /** Throws, or rejects, unless the tag is right. */
  decrypt(iv: Bytes, ad: Bytes, ciphertext: Bytes): Soon<Bytes>;
}

export const HANDSHAKE_1_LENGTH = 96;
export const HANDSHAKE_2_LENGTH = 48;

const NAME = new TextEncoder().encode('Noise_IK_25519_AESGCM_SHA256');
const EMPTY: Bytes = new Uint8Array(0);

export async function generateNoiseKeyPair(extractable = false): Promise<NoiseKeyPair> {
  const pair = (await crypto.subtle.generateKey('X25519', extractable, ['deriveBits'])) as CryptoKeyPair;
  return {
    privateKey: pair.privateKey,
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
  };
}

export const webPrimitives: NoisePrimitives<CryptoKey> = {
  generate: () => generateNoiseKeyPair(),
  async x25519(local, remote) {
    const key = await crypto.subtle.importKey('raw', remote, 'X25519', true, []);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: key }, local, 256));
  },
  sha256: async (data) => new Uint8Array(await crypto.subtle.digest('SHA-256', data)),
  async hmacSha256(key, data) {
    const k = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return new Uint8Array(await crypto.subtle.sign('HMAC', k, data));
  },
  async aesGcm(raw) {
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
    raw.fill(0);
    const params = (iv: Bytes, additionalData: Bytes) => ({ name: 'AES-GCM', iv, additionalData });
    return {
      async encrypt(iv, ad, plaintext) {
        return new Uint8Array(await crypto.subtle.encrypt(params(iv, ad), key, plaintext));
      },
      async decrypt(iv, ad, ciphertext) {
        return new Uint8Array(await crypto.subtle.decrypt(params(iv, ad), key, ciphertext));
      },
    };
  },
};

export interface Initiation {
  /** Message 1. */
  message: Bytes;
  /** Takes message 2. Throws `WrongCosignerKey` if it was not made with the pinned key. */
  complete(message2: Bytes): Promise<NoiseTransport>;
}

/** Device's side. `ephemeral` is handed in only by tests. */
export async function initiate(args: {
  local: NoiseKeyPair;
  remote: Bytes;
  prologue: Bytes;
  ephemeral?: NoiseKeyPair;
}): Promise<Initiation> {
  const { local, remote } = args;
  const state = await SymmetricState.start(webPrimitives, args.prologue);
  const e = args.ephemeral ?? (await generateNoiseKeyPair());
  await state.mixHash(remote);
  await state.mixHash(e.publicKey);
  await state.mixDh(e, remote);
  const s = await state.encryptAndHash(local.publicKey);
  await state.mixDh(local, remote);
  const payload = await state.encryptAndHash(EMPTY);
  return {
    message: concat(e.publicKey, s, payload),
    async complete(message2) {
      ensure(message2.length === HANDSHAKE_2_LENGTH, 'BadEncoding', { detail: 'handshake length' });
      try {
        const re = message2.slice(0, 32);
        await state.mixHash(re);
        await state.mixDh(e, re);
        await state.mixDh(local, re);
        await state.decryptAndHash(message2.slice(32));
      } catch (cause) {
        throw new HoarfrostError('WrongCosignerKey', { cause });
      }
      const [send, receive] = await state.split();
      return new NoiseTransport(state.h, send, receive);
    },
  };
}

/** Cosigner's side. Throws `Unauthorised` if message 1 was not made for `local`. */
export async function respond<Key>(args: {
  primitives: NoisePrimitives<Key>;
  local: NoiseKeyPair<Key>;
  prologue: Bytes;
  message1: Bytes;
  ephemeral?: NoiseKeyPair<Key>;
}): Promise<{ remote: Bytes; message: Bytes; transport: NoiseTransport }> {
  const { primitives, local, message1 } = args;
  ensure(message1.length === HANDSHAKE_1_LENGTH, 'BadEncoding', { detail: 'handshake length' });
  const state = await SymmetricState.start(primitives, args.prologue);
  await state.mixHash(local.publicKey);
  const re = message1.slice(0, 32);
  let remote: Bytes;
  try {
    await state.mixHash(re);
    await state.mixDh(local, re);
    remote = await state.decryptAndHash(message1.slice(32, 80));
    await state.mixDh(local, remote);
    await state.decryptAndHash(message1.slice(80));
  } catch (cause) {
    throw new HoarfrostError('Unauthorised', { cause });
  }
  const e = args.ephemeral ?? (await primitives.generate());
  await state.mixHash(e.publicKey);
  await state.mixDh(e, re);
  await state.mixDh(e, remote);
  const payload = await state.encryptAndHash(EMPTY);
  const [receive, send] = await state.split();
  return {
    remote,
    message: concat(e.publicKey, payload),
    transport: new NoiseTransport(state.h, send, receive),
  };
}

/** An idle connection would keep its last frames in memory otherwise, up to 64 KB each. */
const forget = () => {};

/**
 * The two cipher states after the split. Messages are numbered by their order alone: a lost, repeated, reordered or
 * altered one does not decrypt, and after the first failure nothing does.
 */
export class NoiseTransport {
  /** 32 bytes that name this very connection: what channel proofs sign. */
  readonly handshakeHash: Bytes;
  readonly #send: CipherState;
  readonly #receive: CipherState;
  #sending: Promise<unknown> = Promise.resolve();
  #receiving: Promise<unknown> = Promise.resolve();
  #broken = false;

  constructor(handshakeHash: Bytes, send: CipherState, receive: CipherState) {
    this.handshakeHash = handshakeHash;
    this.#send = send;
    this.#receive = receive;
  }

  /** At most 65,519 bytes in. Results come in the order of the calls. */
  seal(plaintext: Bytes): Promise<Bytes> {
    ensure(plaintext.length <= NOISE_PLAINTEXT_MAX, 'TooLarge');
    const sealed = this.#sending.then(() => this.#send.encrypt(EMPTY, plaintext));
    this.#sending = sealed.then(forget, forget);
    return sealed;
  }

  /** Throws `OutOfSequence`, for good, on the first message that is not the next one. */
  open(message: Bytes): Promise<Bytes> {
    ensure(message.length <= NOISE_MESSAGE_MAX, 'TooLarge');
    const opened = this.#receiving.then(async () => {
      ensure(!this.#broken, 'OutOfSequence');
      try {
        return await this.#receive.decrypt(EMPTY, message);
      } catch (cause) {
        this.#broken = true;
        throw new HoarfrostError('OutOfSequence', { cause });
      }
    });
    this.#receiving = opened.then(forget, forget);
    return opened;
  }
}

class CipherState {
  readonly #cipher: NoiseCipher;
  #n = 0;

  constructor(cipher: NoiseCipher) {
    this.#cipher = cipher;
  }

  encrypt(ad: Bytes, plaintext: Bytes): Soon<Bytes> {
    return this.#cipher.encrypt(this.#next(), ad, plaintext);
  }

  decrypt(ad: Bytes, ciphertext: Bytes): Soon<Bytes> {
    return this.#cipher.decrypt(this.#next(), ad, ciphertext);
  }

  /** AESGCM's nonce: 32 zero bits, then n as 64 bits big-endian. A connection ends long before 2^53. */
  #next(): Bytes {
    const iv = new Uint8Array(12);
    new DataView(iv.buffer).setBigUint64(4, BigInt(this.#n++));
    return iv;
  }
}

class SymmetricState<Key> {
  h: Bytes;
  readonly #primitives: NoisePrimitives<Key>;
  #ck: Bytes;
  #cipher: CipherState | undefined;

  private constructor(primitives: NoisePrimitives<Key>, h: Bytes) {
    this.#primitives = primitives;
    this.h = h;
    this.#ck = h.slice();
  }

  static async start<Key>(primitives: NoisePrimitives<Key>, prologue: Bytes): Promise<SymmetricState<Key>> {
    // 28 characters: shorter than a hash, so padded with zeros (section 5.2).
    const h = new Uint8Array(32);
    h.set(NAME);
    const state = new SymmetricState(primitives, h);
    await state.mixHash(prologue);
    return state;
  }

  async mixHash(data: Bytes): Promise<void> {
    this.h = await this.#primitives.sha256(concat(this.h, data));
  }

  /** MixKey of a Diffie-Hellman result. A library that does not refuse a key of low order is caught here. */
  async mixDh(local: NoiseKeyPair<Key>, remote: Bytes): Promise<void> {
    const shared = await this.#primitives.x25519(local.privateKey, remote);
    ensure(
      shared.some((byte) => byte !== 0),
      'BadEncoding',
      { detail: 'low-order key' },
    );
    const [ck, k] = await this.#hkdf(shared);
    shared.fill(0);
    this.#ck.fill(0);
    this.#ck = ck;
    this.#cipher = new CipherState(await this.#primitives.aesGcm(k));
  }

  async encryptAndHash(plaintext: Bytes): Promise<Bytes> {
    const ciphertext = await this.#cipher!.encrypt(this.h, plaintext);
    await this.mixHash(ciphertext);
    return ciphertext;
  }

  async decryptAndHash(ciphertext: Bytes): Promise<Bytes> {
    const plaintext = await this.#cipher!.decrypt(this.h, ciphertext);
    await this.mixHash(ciphertext);
    return plaintext;
  }

  /** Initiator's sending key first. */
  async split(): Promise<[CipherState, CipherState]> {
    const [k1, k2] = await this.#hkdf(EMPTY);
    this.#ck.fill(0);
    const { aesGcm } = this.#primitives;
    return [new CipherState(await aesGcm(k1)), new CipherState(await aesGcm(k2))];
  }

  /** Noise's HKDF with two outputs (section 4.3). */
  async #hkdf(input: Bytes): Promise<[Bytes, Bytes]> {
    const { hmacSha256 } = this.#primitives;
    const temp = await hmacSha256(this.#ck, input);
    const first = await hmacSha256(temp, Uint8Array.of(1));
    const second = await hmacSha256(temp, concat(first, Uint8Array.of(2)));
    temp.fill(0);
    return [first, second];
  }
}
