/**
 * Versions of a policy and who may make the next one (DESIGN section 4). The device alone may tighten; whatever allows more also
 * needs the recovery words, or the cosigner's statement of the ceremony that allowed it. The words alone may freeze, and no more:
 * by an order that names no version, since who has only the words may not know the policy.
 */
import { ceremonyAct } from '../protocol/ceremony.ts';
import { blob, bytes, decode, option, struct, type TypeOf, u32 } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { POLICY_MAX } from '../protocol/limits.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { wordsActHash } from './ceremony.ts';
import { compare } from './compare.ts';
import { decodePolicy, encodePolicy, type Policy, policyHash } from './document.ts';

const signature = bytes(64);
/** A tag, a network, 16 random bytes. */
const FREEZE_MAX = 32;

/** A version after the first, which the keygen certificate carries. */
export const signedPolicy = struct({
  document: blob(POLICY_MAX),
  /** Of the share that the device signs with. */
  epoch: u32,
  /** BIP-340 by share 1 and by recovery's host key over `policyChangeHash`; where there is `freeze`, over `wordsActHash` of it. */
  device: option(signature),
  recovery: option(signature),
  /** A `freeze` of protocol/ceremony, encoded: the words' order, instead of all other signatures. */
  freeze: option(blob(FREEZE_MAX)),
  /** A ceremony and the cosigner's BIP-340 signature over `policyCeremonyHash`. */
  ceremony: option(struct({ id: bytes(32), signature })),
});
export type SignedPolicy = TypeOf<typeof signedPolicy>;

/** Whose signatures count. */
export interface PolicyKeys {
  /** The wallet's id, 32 bytes. */
  readonly wallet: Uint8Array;
  /** x(Y1) of an epoch, or null for an epoch that never was. */
  readonly device: (epoch: number) => Uint8Array | null;
  /** Host keys, x-only: any of them will do. */
  readonly recovery: readonly Uint8Array[];
  readonly cosigner: readonly Uint8Array[];
}

export type Verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** What device and recovery sign: the new policy as the successor of the one before it, in this wallet. */
export function policyChangeHash(wallet: Uint8Array, previous: Policy, next: Policy): Uint8Array {
  return taggedHash('hoarfrost/policy-change', wallet, policyHash(previous), policyHash(next));
}

export function policyCeremonyHash(
  wallet: Uint8Array,
  previous: Policy,
  next: Policy,
  ceremony: Uint8Array,
): Uint8Array {
  const change = policyChangeHash(wallet, previous, next);
  return taggedHash('hoarfrost/policy-ceremony', ceremony, change);
}

/**
 * The policy that `signed` makes of `previous`. `WrongVersion` unless it is the next one, `WrongNetwork`, `Unauthorised` if a
 * signature is bad or the ones that are there do not reach.
 */
export function nextPolicy(
  verify: Verify,
  keys: PolicyKeys,
  previous: Policy,
  { document, epoch, device, recovery, freeze, ceremony }: SignedPolicy,
): Policy {
  const next = decodePolicy(document);
  ensure(next.version === previous.version + 1, 'WrongVersion', { detail: 'policy' });
  const change = compare(previous, next);
  const hash = freeze === null ? policyChangeHash(keys.wallet, previous, next) : wordsActHash(freeze);
  const deviceKey = device === null ? null : keys.device(epoch);
  const by = (any: readonly Uint8Array[], message: Uint8Array, signature: Uint8Array) =>
    any.some((key) => verify(key, message, signature));
  const good =
    (device === null || (deviceKey !== null && verify(deviceKey, hash, device))) &&
    (recovery === null || by(keys.recovery, hash, recovery)) &&
    (ceremony === null ||
      by(keys.cosigner, policyCeremonyHash(keys.wallet, previous, next, ceremony.id), ceremony.signature));
  ensure(good, 'Unauthorised', { detail: 'policy signature' });
  const reaches =
    freeze === null
      ? device !== null && (change === 'tighter' || recovery !== null || ceremony !== null)
      : device === null && recovery !== null && ceremony === null && isFreezeOf(previous, next, freeze);
  ensure(reaches, 'Unauthorised', { detail: `policy is ${change}` });
  return next;
}

/** What an order to freeze makes of a policy. */
export function frozen(previous: Policy): Policy {
  return { ...previous, version: previous.version + 1, frozen: true };
}

function isFreezeOf(previous: Policy, next: Policy, order: Uint8Array): boolean {
  const act = decode(ceremonyAct, order);
  return (
    act.kind === 'freeze' &&
    act.network === next.network &&
    String(encodePolicy(next)) === String(encodePolicy(frozen(previous)))
  );
}
