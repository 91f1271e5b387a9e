/**
 * Noise_IK_25519_AESGCM_SHA256 (Noise Protocol Framework revision 34, sections 5 and 7.5) in WebCrypto.
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

export interface NoiseKeyPair {
  /** X25519, usable for `deriveBits`; need not be extractable. */
  readonly privateKey: CryptoKey;
  readonly publicKey: Bytes;
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
  const e = args.ephemeral ?? (await generateNoiseKeyPair());
  const state = await SymmetricState.start(args.prologue);
  await state.mixHash(remote);
  await state.mixHash(e.publicKey);
  await state.mixKey(await dh(e, remote));
  const s = await state.encryptAndHash(local.publicKey);
  await state.mixKey(await dh(local, remote));
  const payload = await state.encryptAndHash(EMPTY);
  return {
    message: concat(e.publicKey, s, payload),
    async complete(message2) {
      ensure(message2.length === HANDSHAKE_2_LENGTH, 'BadEncoding', { detail: 'handshake length' });
      try {
        const re = message2.slice(0, 32);
        await state.mixHash(re);
        await state.mixKey(await dh(e, re));
        await state.mixKey(await dh(local, re));
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
export async function respond(args: {
  local: NoiseKeyPair;
  prologue: Bytes;
  message1: Bytes;
  ephemeral?: NoiseKeyPair;
}): Promise<{ remote: Bytes; message: Bytes; transport: NoiseTransport }> {
  const { local, message1 } = args;
  ensure(message1.length === HANDSHAKE_1_LENGTH, 'BadEncoding', { detail: 'handshake length' });
  const state = await SymmetricState.start(args.prologue);
  await state.mixHash(local.publicKey);
  const re = message1.slice(0, 32);
  let remote: Bytes;
  try {
    await state.mixHash(re);
    await state.mixKey(await dh(local, re));
    remote = await state.decryptAndHash(message1.slice(32, 80));
    await state.mixKey(await dh(local, remote));
    await state.decryptAndHash(message1.slice(80));
  } catch (cause) {
    throw new HoarfrostError('Unauthorised', { cause });
  }
  const e = args.ephemeral ?? (await generateNoiseKeyPair());
  await state.mixHash(e.publicKey);
  await state.mixKey(await dh(e, re));
  await state.mixKey(await dh(e, remote));
  const payload = await state.encryptAndHash(EMPTY);
  const [receive, send] = await state.split();
  return {
    remote,
    message: concat(e.publicKey, payload),
    transport: new NoiseTransport(state.h, send, receive),
  };
}

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
    this.#sending = sealed.catch(() => {});
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
    this.#receiving = opened.catch(() => {});
    return opened;
  }
}

class CipherState {
  readonly #key: CryptoKey;
  #n = 0;

  constructor(key: CryptoKey) {
    this.#key = key;
  }

  static async of(raw: Bytes): Promise<CipherState> {
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
    raw.fill(0);
    return new CipherState(key);
  }

  async encrypt(ad: Bytes, plaintext: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.encrypt(this.#next(ad), this.#key, plaintext));
  }

  async decrypt(ad: Bytes, ciphertext: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.decrypt(this.#next(ad), this.#key, ciphertext));
  }

  /** AESGCM's nonce: 32 zero bits, then n as 64 bits big-endian. A connection ends long before 2^53. */
  #next(ad: Bytes): AesGcmParams {
    const iv = new Uint8Array(12);
    new DataView(iv.buffer).setBigUint64(4, BigInt(this.#n++));
    return { name: 'AES-GCM', iv, additionalData: ad };
  }
}

class SymmetricState {
  h: Bytes;
  #ck: Bytes;
  #cipher: CipherState | undefined;

  private constructor(h: Bytes) {
    this.h = h;
    this.#ck = h.slice();
  }

  static async start(prologue: Bytes): Promise<SymmetricState> {
    // 28 characters: shorter than a hash, so padded with zeros (section 5.2).
    const h = new Uint8Array(32);
    h.set(NAME);
    const state = new SymmetricState(h);
    await state.mixHash(prologue);
    return state;
  }

  async mixHash(data: Bytes): Promise<void> {
    this.h = new Uint8Array(await crypto.subtle.digest('SHA-256', concat(this.h, data)));
  }

  /** Wipes `input`. */
  async mixKey(input: Bytes): Promise<void> {
    const [ck, k] = await hkdf(this.#ck, input);
    input.fill(0);
    this.#ck.fill(0);
    this.#ck = ck;
    this.#cipher = await CipherState.of(k);
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
    const [k1, k2] = await hkdf(this.#ck, EMPTY);
    this.#ck.fill(0);
    return [await CipherState.of(k1), await CipherState.of(k2)];
  }
}

/** Noise's HKDF with two outputs (section 4.3). */
async function hkdf(ck: Bytes, input: Bytes): Promise<[Bytes, Bytes]> {
  const temp = await hmac(ck, input);
  const first = await hmac(temp, Uint8Array.of(1));
  const second = await hmac(temp, concat(first, Uint8Array.of(2)));
  temp.fill(0);
  return [first, second];
}

async function hmac(key: Bytes, data: Bytes): Promise<Bytes> {
  const k = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', k, data));
}

/** WebCrypto refuses low-order keys by an exception; a runtime that does not is caught here. */
async function dh(local: NoiseKeyPair, remote: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', remote, 'X25519', true, []);
  const out = new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'X25519', public: key }, local.privateKey, 256),
  );
  ensure(
    out.some((b) => b !== 0),
    'BadEncoding',
    { detail: 'low-order key' },
  );
  return out;
}
