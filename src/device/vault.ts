/**
 * Share 1, the device's host key and its channel key at rest (DESIGN section 6), in two layers. The lock: Argon2id turns the
 * password, and a security key if there is one, into a key that wraps a random data key. The contents: sealed under the data
 * key. A new password or costlier parameters replace the lock alone; a new epoch brings a share of its own. Every field is
 * bound by AAD to all that the record says of it, so none can be swapped for another wallet's, another epoch's or a cheaper
 * derivation's.
 */
import { aeadOpen, aeadSeal } from '../crypto/aead.ts';
import { deriveKek, isWeakerThan, KDF_CURRENT, type KdfCost, type KdfParameters } from '../crypto/kdf.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import { concat } from '../protocol/bytes.ts';
import { blob, bytes, encode, oneOf, option, struct, text, u8, u32 } from '../protocol/codec.ts';
import { ensure, HoarfrostError, isHoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import type { NoiseKeyPair } from '../protocol/noise.ts';
import type { Change, Database } from './database.ts';
import type { VaultVersion1 } from './vaultVersion1.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const DEVICE = 1;
const PASSWORD_MIN = 8;
const NONCE = 12;
const NOTHING = Secret.own(new Uint8Array(0));

export interface VaultContext {
  /** 32 bytes: the wallet's name between its parties. */
  readonly wallet: Bytes;
  readonly network: Network;
}

/** The security key whose secret is mixed into the lock. Nothing here is secret. */
export interface SecurityKey {
  /** The credential's id. */
  readonly credential: Bytes;
  /** 32 bytes that its PRF is evaluated at. */
  readonly salt: Bytes;
}

export interface VaultLock {
  readonly kdf: KdfParameters;
  /** Null where the password opens alone. */
  readonly securityKey: SecurityKey | null;
  /** The data key. */
  readonly sealed: Bytes;
}

export interface VaultRecord extends VaultContext {
  readonly version: 2;
  readonly shareId: number;
  readonly lock: VaultLock;
  /** BIP-340 host identity of this device; under the data key, as all that follows. */
  readonly host: Bytes;
  /** X25519 static of the channel, PKCS#8. */
  readonly channel: Bytes;
  readonly channelPublic: Bytes;
}

/** A row of its own for each epoch: two of them stand side by side while a change of the shares is in doubt. */
export interface SealedShare {
  readonly epoch: number;
  readonly sealed: Bytes;
}

/** A vault as it becomes durable: all of it, or nothing. */
export interface SealedVault {
  readonly record: VaultRecord;
  readonly share: SealedShare;
}

export function vaultChanges({ record, share }: SealedVault): Change[] {
  return [
    { store: 'vault', key: 'vault', value: record },
    { store: 'shares', key: share.epoch, value: share },
  ];
}

/** What the user brings to a lock. `factor` is the security key's PRF output; the caller wipes it. */
export interface Credentials {
  readonly password: string;
  readonly factor: Secret | null;
}

/** A password on its way to a vault: the string is not kept. */
export interface PasswordKey {
  readonly kek: CryptoKey;
  readonly kdf: KdfParameters;
}

/** Throws `WeakPassword` under eight characters. */
export function ensureStrong(password: string): void {
  ensure([...password].length >= PASSWORD_MIN, 'WeakPassword');
}

/** For a vault that the password opens alone. Throws `WeakPassword`. */
export async function derivePasswordKey(password: string, random: Random): Promise<PasswordKey> {
  ensureStrong(password);
  return passwordKey({ password, factor: null }, random, KDF_CURRENT);
}

async function passwordKey(
  { password, factor }: Credentials,
  random: Random,
  cost: KdfCost,
): Promise<PasswordKey> {
  const kdf = { ...cost, salt: random(16) };
  return { kek: await deriveKek(password, kdf, factor), kdf };
}

/** `channel` must be extractable; nothing that the vault gives back is. The caller wipes `share`, `host` and the data key. */
export async function sealVault(args: {
  password: PasswordKey;
  context: VaultContext;
  epoch: number;
  share: Secret;
  host: Secret;
  channel: NoiseKeyPair;
  random: Random;
}): Promise<{ vault: SealedVault; dataKey: Secret }> {
  const { context, epoch, random } = args;
  const dataKey = Secret.own(random(32));
  const { wallet, network } = context;
  const named = { version: 2 as const, shareId: DEVICE, wallet, network };
  const key = await importDataKey(dataKey);
  const iv = random(NONCE);
  const channel = await crypto.subtle.wrapKey('pkcs8', args.channel.privateKey, key, {
    name: 'AES-GCM',
    iv,
    additionalData: contentAad(named, 'channel'),
  });
  const record = {
    ...named,
    lock: await sealLock(named, args.password, null, dataKey, random),
    host: await aeadSeal(key, args.host, contentAad(named, 'host'), random),
    channel: concat(iv, new Uint8Array(channel)),
    channelPublic: args.channel.publicKey,
  };
  const sealed = await aeadSeal(key, args.share, contentAad(named, 'share', epoch), random);
  return { vault: { record, share: { epoch, sealed } }, dataKey };
}

async function sealLock(
  named: Named,
  { kek, kdf }: PasswordKey,
  securityKey: SecurityKey | null,
  dataKey: Secret,
  random: Random,
): Promise<VaultLock> {
  const sealed = await aeadSeal(kek, dataKey, lockAad(named, { kdf, securityKey }), random);
  return { kdf, securityKey, sealed };
}

/**
 * The data key, which the caller wipes. Throws `WrongPassword`, `SecurityKeyNeeded`, or `VaultDamaged` before deriving
 * anything if the parameters were lowered.
 */
export async function unlockVault(record: VaultRecord, { password, factor }: Credentials): Promise<Secret> {
  checkRecord(record);
  const { lock } = record;
  ensure((factor === null) === (lock.securityKey === null), 'SecurityKeyNeeded');
  return unlockWith(record, await deriveKek(password, lock.kdf, factor));
}

/** The same, with the password derived already. */
export async function unlockWith(record: VaultRecord, kek: CryptoKey): Promise<Secret> {
  checkRecord(record);
  const aad = lockAad(record, record.lock);
  try {
    return await aeadOpen(kek, record.lock.sealed, aad);
  } catch (cause) {
    throw new HoarfrostError('WrongPassword', { cause });
  }
}

/** The record with another lock around the same data key. */
export async function relock(
  record: VaultRecord,
  dataKey: Secret,
  credentials: Credentials,
  securityKey: SecurityKey | null,
  random: Random,
  cost: KdfCost,
): Promise<VaultRecord> {
  ensure((credentials.factor === null) === (securityKey === null), 'SecurityKeyNeeded');
  const password = await passwordKey(credentials, random, cost);
  return { ...record, lock: await sealLock(record, password, securityKey, dataKey, random) };
}

/** Whether the lock costs less than `cost` and is to be made anew. */
export function isOutdated({ lock }: VaultRecord, cost: KdfCost): boolean {
  return isWeakerThan(lock.kdf, cost);
}

/** What to ask a locked vault's owner for besides the password. */
export function securityKeyOf(record: VaultRecord | VaultVersion1): SecurityKey | null {
  return record.version === 1 ? null : record.lock.securityKey;
}

/** An unlocked vault: its data key cannot be exported, and each secret is opened only for its use. */
export class Vault {
  readonly context: VaultContext;
  readonly #db: Pick<Database, 'get'>;
  readonly #record: VaultRecord;
  #key: CryptoKey | null;

  private constructor(db: Pick<Database, 'get'>, record: VaultRecord, key: CryptoKey) {
    this.context = record;
    this.#db = db;
    this.#record = record;
    this.#key = key;
  }

  /** The caller wipes `dataKey`. */
  static async open(
    db: Pick<Database, 'get'>,
    record: VaultRecord | VaultVersion1,
    dataKey: Secret,
  ): Promise<Vault> {
    checkRecord(record);
    return new Vault(db, record, await importDataKey(dataKey));
  }

  /** From here on nothing opens, whoever still holds this vault: `Locked`. */
  lock(): void {
    this.#key = null;
  }

  /** The share of an epoch, which the caller wipes. Throws `VaultDamaged` (also if there is none) or `Locked`, as the two below. */
  async share(epoch: number): Promise<Secret> {
    const row = await this.#db.get('shares', epoch);
    ensure(row !== null, 'VaultDamaged', { detail: `no share of epoch ${epoch}` });
    ensure(row.epoch === epoch, 'VaultDamaged', { detail: 'share of another epoch' });
    return this.openShare(row);
  }

  /** The caller wipes it. */
  openShare({ epoch, sealed }: SealedShare): Promise<Secret> {
    return this.#open(sealed, 'share', epoch);
  }

  /** A share of a new epoch on its way to the database. The caller wipes `share`. */
  async sealShare(epoch: number, share: Secret, random: Random): Promise<SealedShare> {
    const sealed = await aeadSeal(this.#unlocked(), share, contentAad(this.#record, 'share', epoch), random);
    return { epoch, sealed };
  }

  /** The caller wipes it. */
  host(): Promise<Secret> {
    return this.#open(this.#record.host, 'host');
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
          additionalData: contentAad(this.#record, 'channel'),
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
    return concat(contentAad(this.#record, 'vouch'), hash);
  }

  #unlocked(): CryptoKey {
    ensure(this.#key !== null, 'Locked');
    return this.#key;
  }

  async #open(sealed: Bytes, what: 'share' | 'host', epoch = 0): Promise<Secret> {
    const key = this.#unlocked();
    try {
      return await aeadOpen(key, sealed, contentAad(this.#record, what, epoch));
    } catch (cause) {
      throw new HoarfrostError('VaultDamaged', { detail: what, cause });
    }
  }
}

function checkRecord(record: VaultRecord | VaultVersion1): asserts record is VaultRecord {
  ensure(record.version === 2, 'WrongVersion', { detail: 'vault' });
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

type Named = Pick<VaultRecord, 'version' | 'wallet' | 'shareId' | 'network'>;

const named = { what: text(16), version: u8, wallet: bytes(32), shareId: u8, network: oneOf(...NETWORKS) };
const lockLabel = struct({
  ...named,
  kdf: struct({ version: u8, memory: u32, passes: u8, lanes: u8, salt: bytes(16) }),
  securityKey: option(struct({ credential: blob(1023), salt: bytes(32) })),
});
const contentLabel = struct({ ...named, epoch: u32 });

function lockAad(record: Named, { kdf, securityKey }: Omit<VaultLock, 'sealed'>): Bytes {
  return labelled(() => encode(lockLabel, { what: 'data-key', ...record, kdf, securityKey }));
}

/** Only a share belongs to an epoch; of the rest it says 0. */
function contentAad(record: Named, what: 'share' | 'host' | 'channel' | 'vouch', epoch = 0): Bytes {
  return labelled(() => encode(contentLabel, { what, ...record, epoch }));
}

function labelled(encoded: () => Bytes): Bytes {
  try {
    return encoded();
  } catch (cause) {
    throw isHoarfrostError(cause) ? new HoarfrostError('VaultDamaged', { detail: 'label', cause }) : cause;
  }
}
