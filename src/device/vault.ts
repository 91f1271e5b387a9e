/**
 * Share 1, the device's host key and its channel key at rest (DESIGN section 6): Argon2id turns the password into a key
 * that wraps a random data key, which seals the rest. Everything is bound by AAD to what the record says it is, so no
 * field can be swapped for another wallet's, another epoch's or a cheaper derivation.
 */
import { aeadOpen, aeadSeal } from '../crypto/aead.ts';
import { deriveKek, KDF_FLOOR, type KdfParameters } from '../crypto/kdf.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import { concat } from '../protocol/bytes.ts';
import { bytes, encode, oneOf, struct, text, u8, u32 } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const PASSWORD_MIN = 8;
const NONCE = 12;
const NOTHING = Secret.own(new Uint8Array(0));

export interface VaultContext {
  /** 32 bytes: the wallet's name between its parties. */
  readonly wallet: Bytes;
  readonly network: Network;
  readonly epoch: number;
}

export interface VaultRecord extends VaultContext {
  readonly version: 1;
  readonly kdf: KdfParameters;
  readonly shareId: number;
  /** Under the password. */
  readonly dataKey: Bytes;
  /** Under the data key, as all that follows. */
  readonly share: Bytes;
  /** BIP-340 host identity of this device. */
  readonly host: Bytes;
  /** X25519 static of the channel, PKCS#8. */
  readonly channel: Bytes;
  readonly channelPublic: Bytes;
}

/** A password on its way to a vault: the string is not kept. */
export interface PasswordKey {
  readonly kek: CryptoKey;
  readonly kdf: KdfParameters;
}

/** Throws `WeakPassword` under eight characters. */
export async function derivePasswordKey(password: string, random: Random): Promise<PasswordKey> {
  ensure([...password].length >= PASSWORD_MIN, 'WeakPassword');
  const kdf = { ...KDF_FLOOR, salt: random(16) };
  return { kek: await deriveKek(password, kdf), kdf };
}

/** `channel` must be extractable; nothing that the vault gives back is. The caller wipes `share`, `host` and the data key. */
export async function sealVault(args: {
  password: PasswordKey;
  context: VaultContext;
  share: Secret;
  host: Secret;
  channel: NoiseKeyPair;
  random: Random;
}): Promise<{ record: VaultRecord; dataKey: Secret }> {
  const { password, context, random } = args;
  const dataKey = Secret.own(random(32));
  const label = { version: 1 as const, kdf: password.kdf, shareId: DEVICE, ...context };
  const key = await importDataKey(dataKey);
  const iv = random(NONCE);
  const channel = await crypto.subtle.wrapKey('pkcs8', args.channel.privateKey, key, {
    name: 'AES-GCM',
    iv,
    additionalData: aad(label, 'channel'),
  });
  const record = {
    ...label,
    dataKey: await aeadSeal(password.kek, dataKey, aad(label, 'data-key'), random),
    share: await aeadSeal(key, args.share, aad(label, 'share'), random),
    host: await aeadSeal(key, args.host, aad(label, 'host'), random),
    channel: concat(iv, new Uint8Array(channel)),
    channelPublic: args.channel.publicKey,
  };
  return { record, dataKey };
}

/** The data key. Throws `WrongPassword`, or `VaultDamaged` before deriving anything if the parameters were lowered. */
export async function unlockVault(record: VaultRecord, password: string): Promise<Secret> {
  checkRecord(record);
  const kek = await deriveKek(password, record.kdf);
  try {
    return await aeadOpen(kek, record.dataKey, aad(record, 'data-key'));
  } catch (cause) {
    throw new HoarfrostError('WrongPassword', { cause });
  }
}

/** An unlocked vault: its data key cannot be exported, and each secret is opened only for its use. */
export class Vault {
  readonly context: VaultContext;
  readonly #record: VaultRecord;
  #key: CryptoKey | null;

  private constructor(record: VaultRecord, key: CryptoKey) {
    this.context = record;
    this.#record = record;
    this.#key = key;
  }

  /** The caller wipes `dataKey`. */
  static async open(record: VaultRecord, dataKey: Secret): Promise<Vault> {
    checkRecord(record);
    return new Vault(record, await importDataKey(dataKey));
  }

  /** From here on nothing opens, whoever still holds this vault: `Locked`. */
  lock(): void {
    this.#key = null;
  }

  /** Throws `VaultDamaged` or `Locked`, as the two below. The caller wipes it. */
  share(): Promise<Secret> {
    return this.#open('share');
  }

  /** The caller wipes it. */
  host(): Promise<Secret> {
    return this.#open('host');
  }

  async channel(): Promise<NoiseKeyPair> {
    const { channel, channelPublic } = this.#record;
    const key = this.#unlocked();
    try {
      const privateKey = await crypto.subtle.unwrapKey(
        'pkcs8',
        channel.subarray(NONCE),
        key,
        {
          name: 'AES-GCM',
          iv: channel.subarray(0, NONCE),
          additionalData: aad(this.#record, 'channel'),
        },
        'X25519',
        false,
        ['deriveBits'],
      );
      return { privateKey, publicKey: channelPublic };
    } catch (cause) {
      throw new HoarfrostError('VaultDamaged', { detail: 'channel', cause });
    }
  }

  /** A seal over `hash` that nobody can make without the data key: what stands in the open was put there by us. */
  async vouch(hash: Bytes): Promise<Bytes> {
    return aeadSeal(this.#unlocked(), NOTHING, this.#vouched(hash));
  }

  /** Throws `VaultDamaged` unless `seal` is ours, over this hash. */
  async ensureOurs(hash: Bytes, seal: Bytes): Promise<void> {
    const key = this.#unlocked();
    try {
      await aeadOpen(key, seal, this.#vouched(hash));
    } catch (cause) {
      throw new HoarfrostError('VaultDamaged', { detail: 'seal', cause });
    }
  }

  #vouched(hash: Bytes): Bytes {
    return concat(aad(this.#record, 'vouch'), hash);
  }

  #unlocked(): CryptoKey {
    ensure(this.#key !== null, 'Locked');
    return this.#key;
  }

  async #open(what: 'share' | 'host'): Promise<Secret> {
    const key = this.#unlocked();
    try {
      return await aeadOpen(key, this.#record[what], aad(this.#record, what));
    } catch (cause) {
      throw new HoarfrostError('VaultDamaged', { detail: what, cause });
    }
  }
}

function checkRecord(record: VaultRecord): void {
  ensure(record.version === 1, 'WrongVersion', { detail: 'vault' });
  ensure(record.shareId === DEVICE, 'VaultDamaged', { detail: 'share id' });
}

function importDataKey(dataKey: Secret): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', dataKey.expose(), 'AES-GCM', false, [
    'encrypt',
    'decrypt',
    'wrapKey',
    'unwrapKey',
  ]);
}

const label = struct({
  what: text(16),
  version: u8,
  kdf: struct({ version: u8, memory: u32, passes: u8, lanes: u8, salt: bytes(16) }),
  wallet: bytes(32),
  shareId: u8,
  network: oneOf(...NETWORKS),
  epoch: u32,
});

function aad(
  record: Pick<VaultRecord, 'version' | 'kdf' | 'wallet' | 'shareId' | 'network' | 'epoch'>,
  what: 'data-key' | 'share' | 'host' | 'channel' | 'vouch',
): Bytes {
  try {
    return encode(label, { what, ...record });
  } catch (cause) {
    throw isHoarfrostError(cause) ? new HoarfrostError('VaultDamaged', { detail: 'label', cause }) : cause;
  }
}
