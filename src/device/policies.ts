/**
 * The signed versions of the policy, kept beside the wallet as the cosigner tells them, each verified on from the certificate. A
 * cosigner that comes back from a backup may have forgotten some that were made since, and with them a limit that was tightened
 * or a freeze: after each hello it gets those again. What it can no longer take as it was signed then, it gets in a new version.
 */
import { withSecrets } from '../crypto/secret.ts';
import { compare } from '../policy/compare.ts';
import { decodePolicy, encodePolicy, type Policy } from '../policy/document.ts';
import { frozen, nextPolicy, type PolicyKeys, policyChangeHash, signedPolicy } from '../policy/versions.ts';
import { decode, encode } from '../protocol/codec.ts';
import { isHoarfrostError } from '../protocol/errors.ts';
import { mayPass, type SigningParts } from './attempt.ts';
import type { Database } from './database.ts';
import type { Wallet } from './wallet.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface PolicyRecord {
  readonly version: number;
  /** `signedPolicy` of policy/versions. */
  readonly signed: Bytes;
}

export interface PoliciesParts extends SigningParts {
  readonly db: Database;
}

interface Version {
  readonly policy: Policy;
  /** Null for the first, which the certificate carries. */
  readonly signed: Bytes | null;
}

export class Policies {
  readonly #parts: PoliciesParts;
  /** From the first on, without a gap. */
  #versions: Version[];
  #settling: Promise<void> = Promise.resolve();

  private constructor(parts: PoliciesParts) {
    this.#parts = parts;
    this.#versions = [{ policy: decodePolicy(parts.wallet.key.policy), signed: null }];
  }

  /** What does not verify, and what follows it, is as if it were not here: the cosigner tells it again. */
  static async open(parts: PoliciesParts): Promise<Policies> {
    const policies = new Policies(parts);
    const kept = (await parts.db.all('policies')).sort((a, b) => a.version - b.version);
    try {
      for (const { signed } of kept) policies.#versions.push(policies.#following(signed));
    } catch (e) {
      if (!isHoarfrostError(e)) throw e;
    }
    return policies;
  }

  /** The newest that this device knows. */
  get current(): Policy {
    return this.#versions.at(-1)!.policy;
  }

  /** All after the first, in their order: what another cosigner needs to take the wallet over. */
  get signed(): Bytes[] {
    return this.#versions.flatMap(({ signed }) => (signed === null ? [] : [signed]));
  }

  /**
   * Both sides know the same afterwards, where `theirs` is the version that the cosigner named: what it lacks is sent, what this
   * device lacks is fetched. One at a time. A failure that passes waits for the next hello; throws what the cosigner answers else,
   * or what `nextPolicy` says to what it told.
   */
  settle(theirs: number): Promise<void> {
    const settled = this.#settling.then(() => this.#settle(theirs));
    this.#settling = settled.catch(() => {});
    return settled.catch((e) => {
      if (!mayPass(e)) throw e;
    });
  }

  /** Asks for versions that others have made meanwhile. */
  look(): Promise<void> {
    return this.settle(this.current.version + 1);
  }

  async #settle(theirs: number): Promise<void> {
    const { current } = this;
    if (theirs > current.version) return this.#fetch(current.version + 1);
    try {
      for (const { policy, signed } of this.#versions) if (policy.version > theirs) await this.#send(signed!);
    } catch (e) {
      if (!isHoarfrostError(e) || mayPass(e)) throw e;
      // Of an earlier epoch, by the words alone, by a ceremony it has forgotten, or others were faster: its own versions count.
      await this.#fetch(2);
      await this.#tightenTo(current);
    }
  }

  /** Takes over the cosigner's versions from one on, in place of own ones where they differ. */
  async #fetch(from: number): Promise<void> {
    for (let at = from; ; ) {
      const { versions } = await this.#ask({ kind: 'policyVersions', from: at }, 'policyVersions');
      for (const signed of versions) {
        if (String(this.#versions[at - 1]?.signed) !== String(signed)) {
          await this.#keep(this.#versions.slice(0, at - 1), signed);
        }
        at++;
      }
      if (versions.length > 0) continue;
      await this.#forgetAfter(at - 1);
      return;
    }
  }

  /** What the device alone may bring about of what held before. */
  async #tightenTo(before: Policy): Promise<void> {
    const { current } = this;
    const again = { ...before, version: current.version + 1 };
    const next = compare(current, again) === 'tighter' ? again : before.frozen ? frozen(current) : null;
    if (next === null || compare(next, current) === 'tighter') return;
    const { env, signer, vault, wallet } = this.#parts;
    const epoch = wallet.epochs.current.number;
    const hash = policyChangeHash(wallet.key.wallet, current, next);
    const share = await vault.share(epoch);
    const device = withSecrets([share], () =>
      Uint8Array.from(signer.schnorrSign(share, hash, env.random(32))),
    );
    const document = encodePolicy(next);
    const signed = encode(signedPolicy, {
      document,
      epoch,
      device,
      recovery: null,
      freeze: null,
      ceremony: null,
    });
    await this.#keep(this.#versions, signed);
    await this.#send(signed);
  }

  async #send(signed: Bytes): Promise<void> {
    await this.#ask({ kind: 'changePolicy', signed }, 'done');
  }

  async #ask<K extends 'done' | 'policyVersions'>(
    message: { kind: 'changePolicy'; signed: Bytes } | { kind: 'policyVersions'; from: number },
    kind: K,
  ) {
    return (await this.#parts.channel.connection()).request(message, kind);
  }

  /** Durable when it resolves; what followed on `before` else is forgotten. */
  async #keep(before: readonly Version[], signed: Bytes): Promise<void> {
    const made = this.#following(signed, before.at(-1));
    const { version } = made.policy;
    await this.#parts.db.write([{ store: 'policies', key: version, value: { version, signed } }]);
    this.#versions = [...before, made];
    await this.#forgetAfter(version);
  }

  async #forgetAfter(version: number): Promise<void> {
    const kept = await this.#parts.db.all('policies');
    const later = kept.filter((record) => record.version > version);
    await this.#parts.db.write(
      later.map((record) => ({ store: 'policies' as const, key: record.version, value: null })),
    );
    this.#versions = this.#versions.filter(({ policy }) => policy.version <= version);
  }

  /** Throws what `nextPolicy` throws. */
  #following(signed: Bytes, previous = this.#versions.at(-1)): Version {
    const { signer, wallet } = this.#parts;
    const change = decode(signedPolicy, signed);
    return { policy: nextPolicy(signer.schnorrVerify, keysOf(wallet), previous!.policy, change), signed };
  }
}

function keysOf({ key, epochs }: Wallet): PolicyKeys {
  const { all } = epochs;
  return {
    wallet: key.wallet,
    device: (epoch) => all.find(({ number }) => number === epoch)?.verifyingShares[0].subarray(1) ?? null,
    recovery: all.map(({ hostKeys }) => hostKeys[2]),
    cosigner: all.map(({ hostKeys }) => hostKeys[1]),
  };
}
