/**
 * One account below the group key: BIP-32 public derivation, BIP-86 output keys, and the descriptor that opens it as
 * watch-only elsewhere. Public data throughout.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hmac } from '@noble/hashes/hmac.js';
import { ripemd160 } from '@noble/hashes/legacy.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { base58check, hex } from '@scure/base';
import { ensure } from '../protocol/errors.ts';
import type { Network } from '../protocol/networks.ts';
import { addressOf } from './address.ts';
import { withChecksum } from './checksum.ts';
import { type Curve, nobleCurve } from './curve.ts';
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

/** What is derived of one key, as bytes: 32 of `derivation`, T, the sum of I_L along the path; 32 of each x; 34 of script. */
export interface KeyParts {
  readonly derivation: Uint8Array;
  /** x of K0 + T*G. */
  readonly internalKey: Uint8Array;
  /** x of the BIP-86 output key. */
  readonly outputKey: Uint8Array;
  readonly script: Uint8Array;
}

/** Thousands are remembered, and an array costs more than what is in it: all parts are views of one. */
export class DerivedKey implements KeyParts {
  readonly branch: Branch;
  readonly index: number;
  readonly #network: Network;
  /** The script, which ends with the output key; the internal key; T. */
  readonly #parts = new Uint8Array(98);

  constructor({ branch, index }: OwnPath, network: Network, { script, internalKey, derivation }: KeyParts) {
    this.branch = branch;
    this.index = index;
    this.#network = network;
    this.#parts.set(script);
    this.#parts.set(internalKey, 34);
    this.#parts.set(derivation, 66);
  }

  get script(): Uint8Array {
    return this.#parts.subarray(0, 34);
  }

  get outputKey(): Uint8Array {
    return this.#parts.subarray(2, 34);
  }

  get internalKey(): Uint8Array {
    return this.#parts.subarray(34, 66);
  }

  get derivation(): Uint8Array {
    return this.#parts.subarray(66);
  }

  /** Asked for where somebody looks, and not where a cosigner signs. */
  get address(): string {
    return addressOf(this.script, this.#network)!;
  }
}

const { Fn } = secp256k1.Point;
const HARDENED = 0x8000_0000;
const NO_SCRIPTS = new Uint8Array();

/** A public node of BIP-32 that remembers how far it is from K0. */
export interface PublicNode {
  /** 33 bytes. */
  readonly key: Uint8Array;
  readonly chainCode: Uint8Array;
  /** T so far. */
  readonly tweak: bigint;
}

function isIndex(index: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < HARDENED;
}

/** CKDpub (BIP-32) for each index. I_L >= n or a child at infinity is refused: `BadEncoding`, with a chance of 2^-127. */
export function publicChildren(curve: Curve, parent: PublicNode, indices: readonly number[]): PublicNode[] {
  if (indices.length === 0) return [];
  const digests = indices.map((index) => {
    ensure(isIndex(index), 'BadEncoding', { detail: 'derivation index' });
    const data = new Uint8Array(37);
    data.set(parent.key);
    new DataView(data.buffer).setUint32(33, index);
    return hmac(sha512, parent.chainCode, data);
  });
  const lefts = digests.map((digest) => digest.subarray(0, 32));
  return curve.deriveChildrenVar(parent.key, lefts).map((key, i) => ({
    key,
    chainCode: digests[i]!.subarray(32),
    tweak: Fn.add(parent.tweak, Fn.fromBytes(lefts[i]!)),
  }));
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

  has(id: string): boolean {
    return this.#values.has(id);
  }
}

/** What is remembered of an account. */
interface Known {
  /** No other account has had it. */
  readonly serial: number;
  readonly fingerprint: number;
  branches: readonly [PublicNode, PublicNode] | null;
}

/** Half a kilobyte each: one process serves many accounts. */
const accountsKept = new Recent<Known>(4096);
const keysKept = new Recent<DerivedKey>(16_384);
const knownOf = new WeakMap<Account, Known>();
let serials = 0;

/** Accounts of equal content share what is remembered. */
function know(account: Account): Known {
  let known = knownOf.get(account);
  if (known === undefined) {
    const { network, groupKey, chainCode } = account;
    ensure(groupKey.length === 33 && chainCode.length === 32, 'BadEncoding');
    const id = `${network}/${hex.encode(groupKey)}/${hex.encode(chainCode)}/${account.account}`;
    known = accountsKept.get(id, () => {
      const hash = ripemd160(sha256(groupKey));
      const fingerprint = new DataView(hash.buffer, hash.byteOffset).getUint32(0);
      return { serial: serials++, fingerprint, branches: null };
    });
    knownOf.set(account, known);
  }
  return known;
}

function branchesOf(curve: Curve, account: Account): readonly [PublicNode, PublicNode] {
  const known = know(account);
  if (known.branches === null) {
    const top = { key: account.groupKey, chainCode: account.chainCode, tweak: 0n };
    const [root] = publicChildren(curve, top, [account.account]);
    const [receive, change] = publicChildren(curve, root!, [0, 1]);
    known.branches = [receive!, change!];
  }
  return known.branches;
}

const keyName = (account: Account, { branch, index }: OwnPath) =>
  `${know(account).serial}/${branch}/${index}`;

/**
 * The key at `account/branch/index` below K0 (DESIGN section 2, "Tweaks"). Remembered, so that a script met twice costs
 * one derivation; nobody writes into it. `BadEncoding` for a hardened or impossible index.
 */
export function deriveKey(account: Account, branch: Branch, index: number): DerivedKey {
  const path = { branch, index };
  return keysKept.get(keyName(account, path), () => derive(nobleCurve, account, [path])[0]!);
}

/** Derives what is not remembered of `paths` at once, by a faster curve: `deriveKey` then finds it. */
export function deriveAhead(curve: Curve, account: Account, paths: readonly OwnPath[]): void {
  const missing = paths.filter((path) => !keysKept.has(keyName(account, path)));
  if (missing.length === 0) return;
  for (const key of derive(curve, account, missing)) keysKept.get(keyName(account, key), () => key);
}

function derive(curve: Curve, account: Account, paths: readonly OwnPath[]): DerivedKey[] {
  ensure(
    paths.every(({ branch }) => branch === 0 || branch === 1),
    'BadEncoding',
    { detail: 'branch' },
  );
  const [receive, change] = ([0, 1] as const).map((branch) => paths.filter((path) => path.branch === branch));
  const sorted = [...receive!, ...change!];
  const indicesOf = (some: readonly OwnPath[]) => some.map(({ index }) => index);
  const parents = branchesOf(curve, account);
  const nodes = [
    ...publicChildren(curve, parents[0], indicesOf(receive!)),
    ...publicChildren(curve, parents[1], indicesOf(change!)),
  ];
  return keyPathOutputs(curve, nodes).map((parts, i) => new DerivedKey(sorted[i]!, account.network, parts));
}

/** The BIP-86 outputs of derived nodes: x(P), and x of P + H_TapTweak(x(P))*G with P of even y. */
export function keyPathOutputs(
  curve: Curve,
  nodes: readonly Pick<PublicNode, 'key' | 'tweak'>[],
): KeyParts[] {
  const keys = nodes.map(({ key }) => key);
  return curve.outputKeysVar(keys, NO_SCRIPTS).map((point, i) => {
    const outputKey = point.subarray(1);
    return {
      derivation: Fn.toBytes(nodes[i]!.tweak),
      internalKey: keys[i]!.subarray(1),
      outputKey,
      script: Uint8Array.of(0x51, 0x20, ...outputKey),
    };
  });
}

/** First four bytes of HASH160(K0), as BIP-174 writes a master key's fingerprint. */
export function masterFingerprint(account: Account): number {
  return know(account).fingerprint;
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
