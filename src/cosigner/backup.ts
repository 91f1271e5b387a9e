/**
 * Encrypted backups of the store (DESIGN section 7): all that was committed at one moment, never a key of an epoch, of the
 * channel or of the host, which live in files of their own. A share in a backup is sealed under its epoch's key: where that
 * key is gone, so is the share, in every copy.
 *
 * File: header (length, `header`), then chunks (length, AES-256-GCM of `chunk` under the backup's own key; AAD = tag, hash of
 * the header, number of the chunk). The last one says that it is the last, so nothing can be cut off, moved or mixed.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { aeadOpen, aeadSeal, importAeadKey } from '../crypto/aead.ts';
import { deriveKek, KDF_FLOOR } from '../crypto/kdf.ts';
import type { Random } from '../crypto/random.ts';
import { Secret } from '../crypto/secret.ts';
import type { Signer } from '../crypto/signer.ts';
import { verifyCertificate } from '../frost/keygen.ts';
import { concat, equalVar } from '../protocol/bytes.ts';
import {
  blob,
  bytes,
  decode,
  encode,
  list,
  oneOf,
  struct,
  type TypeOf,
  text,
  time,
  u8,
  u32,
  u64,
  union,
} from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { NETWORKS, type Network } from '../protocol/networks.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { bindStore, type Identity, identityName } from './identity.ts';
import { readKeyFile, syncFolder } from './keyFile.ts';
import type { KeyWrap } from './keywrap.ts';
import type { Bytes, Rows, Store, Value } from './store.ts';
import { MIGRATIONS } from './stores/schema.ts';

const MAGIC = 'hoarfrost backup 1';
const HEADER_MAX = 1024;
const VALUE_MAX = 4 << 20;
/** A chunk is sealed once it holds this much: one row more at most. */
const CHUNK = 1 << 20;
const CHUNK_MAX = CHUNK + 2 * VALUE_MAX;
const PASSPHRASE_MIN = 12;

/** What the key of a backup is sealed under: a key file, or a passphrase through Argon2id. */
const under = union({
  keyFile: struct({}),
  passphrase: struct({ memory: u32, passes: u32, lanes: u8, salt: bytes(16) }),
});
type Under = TypeOf<typeof under>;
const header = struct({ magic: text(32), under, sealedKey: blob(128) });

const value = union({
  none: struct({}),
  bytes: struct({ value: blob(VALUE_MAX) }),
  integer: struct({ value: u64 }),
  text: struct({ value: text(4096) }),
});
const chunk = union({
  start: struct({ takenAt: time, network: oneOf(...NETWORKS), identity: bytes(32) }),
  rows: struct({ table: text(64), columns: list(text(64), 64), rows: list(list(value, 64), 10_000) }),
  end: struct({ schema: u32 }),
});

/** What a backup is encrypted with: 32 bytes for this user alone, or a line of text of at least 12 characters. */
export type BackupSecret = { kind: 'keyFile' | 'passphrase'; path: string };

export interface BackupParts {
  readonly identity: Pick<Identity, 'hostKey' | 'channelKeys'>;
  readonly network: Network;
  readonly random: Random;
  readonly signer: Signer;
  readonly keyWrap: KeyWrap;
  readonly now: () => number;
}

export interface BackupContents {
  readonly takenAt: number;
  readonly wallets: number;
  /** How many of their shares this key store can open now. */
  readonly openShares: number;
  readonly rows: ReadonlyMap<string, bigint>;
}

/** Durable when it resolves. `BadConfiguration` for a place that cannot be written, and rather than replace a file. */
export async function backup(
  store: Store,
  { identity, network, random, now }: BackupParts,
  path: string,
  secret: BackupSecret,
): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    {
      await using file = await open(draft, 'wx', 0o600).catch((cause) => {
        throw new HoarfrostError('BadConfiguration', { detail: 'backup: cannot be written there', cause });
      });
      const write = await sealInto(file, secret, random);
      await write({ kind: 'start', takenAt: now(), network, identity: identityName(identity) });
      const schema = await store.dump(async (rows) => {
        for (const part of inChunks(rows)) await write({ kind: 'rows', ...part });
      });
      await write({ kind: 'end', schema });
      await file.sync();
    }
    await link(draft, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
      throw new HoarfrostError('BadConfiguration', { detail: 'backup: there is such a file', cause });
    });
  } finally {
    await unlink(draft).catch(() => {});
  }
  await syncFolder(dirname(path));
}

/**
 * Reads all of it: every chunk opens and none is missing, it is this cosigner's, and each wallet's certificate verifies.
 * Errors: `WrongPassword`, `BadEncoding` (damaged, cut short, not a backup), `BadConfiguration` (of another cosigner),
 * `WrongNetwork`, `WrongVersion` (of a newer schema), `BadCertificate`.
 */
export async function verifyBackup(
  parts: BackupParts,
  path: string,
  secret: BackupSecret,
): Promise<BackupContents> {
  let takenAt = 0;
  const rows = new Map<string, bigint>();
  const epochs = new Map<string, bigint>();
  let openShares = 0;
  for await (const part of openFrom(path, secret)) {
    if (part.kind === 'start') {
      ensure(equalVar(part.identity, identityName(parts.identity)), 'BadConfiguration', {
        detail: 'data: backup of another cosigner',
      });
      ensure(part.network === parts.network, 'WrongNetwork', { detail: 'backup' });
      takenAt = part.takenAt;
    }
    if (part.kind === 'end') {
      ensure(part.schema <= MIGRATIONS.length, 'WrongVersion', { detail: 'backup of a newer version' });
    }
    if (part.kind !== 'rows') continue;
    rows.set(part.table, (rows.get(part.table) ?? 0n) + BigInt(part.rows.length));
    for (const row of part.rows.map((r) => named(part.columns, r))) {
      if (part.table === 'wallet') {
        const { wallet } = verifyCertificate(parts.signer, row.certificate as Bytes);
        ensure(equalVar(wallet, row.id as Bytes), 'BadCertificate');
        epochs.set(bytesToHex(wallet), row.epoch as bigint);
      } else if (part.table === 'share') {
        const id = row.wallet as Bytes;
        // Wallets come before what refers to them.
        if (epochs.get(bytesToHex(id)) !== row.epoch) continue;
        if (await opens(parts.keyWrap, id, Number(row.epoch), row.sealed as Bytes)) openShares++;
      }
    }
  }
  return { takenAt, wallets: epochs.size, openShares, rows };
}

/**
 * Fills an empty store with all of it, or leaves it empty. What came after the backup is lost, and the store says so: no
 * request of before is answered any more, windows are full until they have moved past now, tokens and waiting payments are
 * void. Shares that the key store cannot open any more are restored all the same, for the wallet's records lead to repair;
 * the caller says `ShareUnrecoverable`.
 */
export async function restore(
  store: Store,
  parts: BackupParts,
  path: string,
  secret: BackupSecret,
): Promise<BackupContents> {
  const contents = await verifyBackup(parts, path, secret);
  const { identity, random, now } = parts;
  await store.fill(() => rowsFrom(path, secret), random(16), now());
  await bindStore(store, identity, random);
  return contents;
}

async function* rowsFrom(path: string, secret: BackupSecret): AsyncIterable<Rows> {
  for await (const part of openFrom(path, secret)) {
    if (part.kind !== 'rows') continue;
    yield { ...part, rows: part.rows.map((row) => row.map(storeValue)) };
  }
}

async function opens(keyWrap: KeyWrap, wallet: Bytes, epoch: number, sealed: Bytes): Promise<boolean> {
  try {
    (await keyWrap.open(wallet, epoch, sealed)).wipe();
    return true;
  } catch (e) {
    if (e instanceof HoarfrostError && e.code === 'ShareUnrecoverable') return false;
    throw e;
  }
}

// --- the file ------------------------------------------------------------------------------------------------------

type Chunk = TypeOf<typeof chunk>;

/** Writes the header; answers what writes the chunks. */
async function sealInto(
  file: FileHandle,
  secret: BackupSecret,
  random: Random,
): Promise<(part: Chunk) => Promise<void>> {
  const own = Secret.own(random(32));
  try {
    const { memory, passes, lanes } = KDF_FLOOR;
    const by: Under =
      secret.kind === 'keyFile'
        ? { kind: 'keyFile' }
        : { kind: 'passphrase', memory, passes, lanes, salt: random(16) };
    const sealedKey = await aeadSeal(await wrappingKey(secret, by), own, encode(under, by), random);
    const head = encode(header, { magic: MAGIC, under: by, sealedKey });
    const key = await importAeadKey(own);
    await file.write(concat(uint32(head.length), head));
    let number = 0;
    return async (part) => {
      const sealed = await aeadSeal(key, Secret.own(encode(chunk, part)), aad(head, number++), random);
      await file.write(concat(uint32(sealed.length), sealed));
    };
  } finally {
    own.wipe();
  }
}

/** The chunks in their order, from `start` to `end`, or an error. */
async function* openFrom(path: string, secret: BackupSecret): AsyncIterable<Chunk> {
  await using file = await opened(path);
  const head = await readPart(file, HEADER_MAX);
  const { magic, under: by, sealedKey } = decode(header, head);
  ensure(magic === MAGIC, 'BadEncoding', { detail: 'not a backup' });
  const key = await ownKey(secret, by, sealedKey);
  for (let number = 0; ; number++) {
    const part = await openChunk(key, await readPart(file, CHUNK_MAX), aad(head, number));
    yield part;
    if (part.kind === 'end') return;
  }
}

async function openChunk(key: CryptoKey, sealed: Bytes, context: Bytes): Promise<Chunk> {
  let plain: Secret;
  try {
    plain = await aeadOpen(key, sealed, context);
  } catch (cause) {
    throw new HoarfrostError('BadEncoding', { detail: 'backup is damaged', cause });
  }
  try {
    return decode(chunk, plain.expose());
  } finally {
    plain.wipe();
  }
}

async function ownKey(secret: BackupSecret, by: Under, sealedKey: Bytes): Promise<CryptoKey> {
  ensure(by.kind === secret.kind, 'WrongPassword', { detail: `backup needs its ${by.kind}` });
  const wrapping = await wrappingKey(secret, by);
  let own: Secret;
  try {
    own = await aeadOpen(wrapping, sealedKey, encode(under, by));
  } catch (cause) {
    throw new HoarfrostError('WrongPassword', { detail: 'backup', cause });
  }
  try {
    return await importAeadKey(own);
  } finally {
    own.wipe();
  }
}

async function wrappingKey({ path }: BackupSecret, by: Under): Promise<CryptoKey> {
  if (by.kind === 'passphrase') {
    const passphrase = await readFile(path, 'utf8').catch(() => '');
    const line = passphrase.replace(/\r?\n$/, '');
    ensure(line.length >= PASSPHRASE_MIN, 'BadConfiguration', {
      detail: `backup-passphrase: a file with one line of at least ${PASSPHRASE_MIN} characters`,
    });
    return deriveKek(line, { version: 1, ...by });
  }
  const key = await readKeyFile(path, 'backup-key');
  ensure(key !== null, 'BadConfiguration', { detail: 'backup-key: no such file' });
  try {
    return await importAeadKey(key);
  } finally {
    key.wipe();
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw new HoarfrostError('BadConfiguration', { detail: 'backup: file cannot be read', cause });
  }
}

async function readPart(file: FileHandle, most: number): Promise<Bytes> {
  const size = new DataView((await readExactly(file, 4)).buffer).getUint32(0);
  ensure(size <= most, 'BadEncoding', { detail: 'not a backup' });
  return readExactly(file, size);
}

async function readExactly(file: FileHandle, size: number): Promise<Bytes> {
  const into = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(into, at, size - at);
    ensure(bytesRead > 0, 'BadEncoding', { detail: 'backup is cut short' });
    at += bytesRead;
  }
  return into;
}

function aad(head: Bytes, number: number): Bytes {
  return taggedHash('hoarfrost/backup', head, uint32(number));
}

/** Big-endian, four bytes. */
function uint32(number: number): Bytes {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setUint32(0, number);
  return four;
}

// --- rows ----------------------------------------------------------------------------------------------------------

type WireValue = TypeOf<typeof value>;

function* inChunks({ table, columns, rows }: Rows): Iterable<{
  table: string;
  columns: string[];
  rows: WireValue[][];
}> {
  let part: WireValue[][] = [];
  let size = 0;
  for (const row of rows) {
    part.push(row.map(wireOf));
    size += row.reduce<number>((sum, v) => sum + (v instanceof Uint8Array ? v.length : 64), 0);
    if (size < CHUNK) continue;
    yield { table, columns: [...columns], rows: part };
    part = [];
    size = 0;
  }
  if (part.length > 0) yield { table, columns: [...columns], rows: part };
}

function wireOf(of: Value): WireValue {
  if (of === null) return { kind: 'none' };
  if (of instanceof Uint8Array) return { kind: 'bytes', value: Uint8Array.from(of) };
  if (typeof of === 'string') return { kind: 'text', value: of };
  return { kind: 'integer', value: BigInt(of) };
}

function storeValue(of: WireValue): Value {
  return of.kind === 'none' ? null : of.value;
}

function named(columns: readonly string[], row: readonly WireValue[]): Record<string, Value> {
  return Object.fromEntries(columns.map((column, i) => [column, storeValue(row[i]!)]));
}
