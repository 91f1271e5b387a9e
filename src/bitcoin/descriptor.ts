/**
 * One account below the group key: BIP-32 public derivation, BIP-86 output keys, and the descriptor that opens it as
 * watch-only elsewhere. Public data throughout.
 */
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { hmac } from '@noble/hashes/hmac.js';
import { ripemd160 } from '@noble/hashes/legacy.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { base58check, hex } from '@scure/base';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { addressOf } from './address.ts';
import { withChecksum } from './checksum.ts';
import { networkParams } from './network.ts';

export interface Account {
  readonly network: Network;
  /** K0: 33 bytes, untweaked, with its real parity. */
  readonly groupKey: Uint8Array;
  /** 32 bytes. */
  readonly chainCode: Uint8Array;
  readonly account: number;
}

export type Branch = 0 | 1;

/** Where an own script stands: 0 receives, 1 takes change. */
export interface OwnPath {
  branch: Branch;
  index: number;
}

export interface DerivedKey {
  readonly branch: Branch;
  readonly index: number;
  /** T: the sum of I_L along the path, a 32-byte scalar. */
  readonly derivation: Uint8Array;
  /** x of K0 + T*G. 32 bytes. */
  readonly internalKey: Uint8Array;
  /** x of the BIP-86 output key. 32 bytes. */
  readonly outputKey: Uint8Array;
  /** 34 bytes. */
  readonly script: Uint8Array;
  readonly address: string;
}

const { Point } = secp256k1;
type Point = InstanceType<typeof Point>;
const ORDER = Point.Fn.ORDER;
const HARDENED = 0x8000_0000;

/** A public node of BIP-32 that remembers how far it is from K0. */
export interface PublicNode {
  /** With Z = 1, so that its bytes cost no inversion. */
  readonly point: Point;
  readonly chainCode: Uint8Array;
  /** T so far. */
  readonly tweak: bigint;
}

function isIndex(index: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < HARDENED;
}

const multiplyG = (scalar: bigint): Point => (scalar === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(scalar));

/** CKDpub (BIP-32). I_L >= n or a child at infinity is refused: `BadEncoding`, with a chance of 2^-127. */
export function publicChild(parent: PublicNode, index: number): PublicNode {
  ensure(isIndex(index), 'BadEncoding', { detail: 'derivation index' });
  const data = new Uint8Array(37);
  data.set(parent.point.toBytes(true));
  new DataView(data.buffer).setUint32(33, index);
  const digest = hmac(sha512, parent.chainCode, data);
  const left = BigInt(`0x${hex.encode(digest.subarray(0, 32))}`);
  ensure(left < ORDER, 'BadEncoding', { detail: 'derivation' });
  const point = parent.point.add(multiplyG(left));
  ensure(!point.is0(), 'BadEncoding', { detail: 'derivation' });
  return {
    point: Point.fromAffine(point.toAffine()),
    chainCode: digest.subarray(32),
    tweak: (parent.tweak + left) % ORDER,
  };
}

/** Keeps the `max` values used last. */
class Recent<V> {
  readonly #max: number;
  readonly #values = new Map<string, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(id: string, make: () => V): V {
    const value = this.#values.get(id) ?? make();
    this.#values.delete(id);
    this.#values.set(id, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }
}

/** What all keys of an account have in common. */
interface AccountKeys {
  readonly branches: readonly [PublicNode, PublicNode];
  readonly fingerprint: number;
}

/** About 1 kB an entry: one process serves many accounts, and a derivation costs half a millisecond. */
const accountsKept = new Recent<AccountKeys>(4096);
const keysKept = new Recent<DerivedKey>(16_384);

function idOf({ network, groupKey, chainCode, account }: Account): string {
  return `${network}/${hex.encode(groupKey)}/${hex.encode(chainCode)}/${account}`;
}

function keysOf(account: Account): AccountKeys {
  ensure(account.groupKey.length === 33 && account.chainCode.length === 32, 'BadEncoding');
  let point: Point;
  try {
    point = Point.fromBytes(account.groupKey);
  } catch (cause) {
    throw new HoarfrostError('BadEncoding', { detail: 'group key', cause });
  }
  const root = publicChild({ point, chainCode: account.chainCode, tweak: 0n }, account.account);
  const hash = ripemd160(sha256(account.groupKey));
  return {
    branches: [publicChild(root, 0), publicChild(root, 1)],
    fingerprint: new DataView(hash.buffer, hash.byteOffset).getUint32(0),
  };
}

/**
 * The key at `account/branch/index` below K0 (DESIGN section 2, "Tweaks"). Remembered, so that a script met twice costs
 * one derivation; nobody writes into it. `BadEncoding` for a hardened or impossible index.
 */
export function deriveKey(account: Account, branch: Branch, index: number): DerivedKey {
  const id = idOf(account);
  return keysKept.get(`${id}/${branch}/${index}`, () => {
    ensure(branch === 0 || branch === 1, 'BadEncoding', { detail: 'branch' });
    const { branches } = accountsKept.get(id, () => keysOf(account));
    return keyPathOutput(publicChild(branches[branch], index), account.network, { branch, index });
  });
}

/** First four bytes of HASH160(K0), as BIP-174 writes a master key's fingerprint. */
export function masterFingerprint(account: Account): number {
  return accountsKept.get(idOf(account), () => keysOf(account)).fingerprint;
}

/** The BIP-86 output of a derived node: x(P), and x of P + H_TapTweak(x(P))*G with P of even y. */
export function keyPathOutput({ point, tweak }: PublicNode, network: Network, path: OwnPath): DerivedKey {
  const internal = point.toAffine();
  const internalKey = Point.Fp.toBytes(internal.x);
  const tapTweak = BigInt(`0x${hex.encode(schnorr.utils.taggedHash('TapTweak', internalKey))}`);
  ensure(tapTweak < ORDER, 'BadEncoding', { detail: 'taproot tweak' });
  const even = internal.y % 2n === 0n ? point : point.negate();
  const output = even.add(multiplyG(tapTweak));
  ensure(!output.is0(), 'BadEncoding', { detail: 'taproot tweak' });
  const outputKey = Point.Fp.toBytes(output.toAffine().x);
  const script = Uint8Array.of(0x51, 0x20, ...outputKey);
  return {
    ...path,
    derivation: Point.Fn.toBytes(tweak),
    internalKey,
    outputKey,
    script,
    address: addressOf(script, network)!,
  };
}

const base58 = base58check(sha256);

/** K0 and chain code as an extended public key of depth 0 (BIP-32). */
function extendedKey(account: Account): string {
  const out = new Uint8Array(78);
  new DataView(out.buffer).setUint32(0, networkParams(account.network).xpubVersion);
  out.set(account.chainCode, 13);
  out.set(account.groupKey, 45);
  return base58.encode(out);
}

/** `tr(xpub/account/<0;1>/*)#checksum` (BIP-386, BIP-389): opens the account as watch-only elsewhere. */
export function exportDescriptor(account: Account): string {
  return withChecksum(`tr(${extendedKey(account)}/${account.account}/<0;1>/*)`);
}

/** The same as one descriptor a branch: receive, change. */
export function branchDescriptors(account: Account): [string, string] {
  const of = (branch: Branch) => withChecksum(`tr(${extendedKey(account)}/${account.account}/${branch}/*)`);
  return [of(0), of(1)];
}
