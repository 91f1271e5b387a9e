/**
 * The device's part in ceremonies: it knows which are under way, asks for one, agrees or contests as one of the three, and makes the
 * next version of the rules. What allows more than the rules do now is asked for by a ceremony; what allows less is done at once.
 */
import { withSecrets } from '../crypto/secret.ts';
import type { Epoch } from '../frost/epoch.ts';
import { deviceActHash } from '../policy/ceremony.ts';
import { compare } from '../policy/compare.ts';
import { decodePolicy, encodePolicy, type Policy } from '../policy/document.ts';
import { policyChangeHash, type SignedPolicy, signedPolicy } from '../policy/versions.ts';
import { equalVar } from '../protocol/bytes.ts';
import {
  type CeremonyAct,
  type CeremonyPurpose,
  type CeremonyView,
  ceremonyAct,
} from '../protocol/ceremony.ts';
import { encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import type { SigningParts } from './attempt.ts';
import { inSigningEpoch } from './refresh.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface KnownCeremonies {
  /** Those under way and the latest that have ended, newest first. */
  readonly all: readonly CeremonyView[];
  /** As the cosigner says: what changes them needs signatures over the very policy that they follow. */
  readonly policy: Policy;
  readonly webhookKey: Bytes | null;
}

export class Ceremonies {
  readonly #parts: SigningParts;
  #known: KnownCeremonies | null = null;

  constructor(parts: SigningParts) {
    this.#parts = parts;
  }

  /** As last heard, or null before. */
  get known(): KnownCeremonies | null {
    return this.#known;
  }

  /** Asks the cosigner. */
  async look(): Promise<KnownCeremonies> {
    const connection = await this.#parts.channel.connection();
    const { ceremonies, webhookKey } = await connection.request({ kind: 'ceremonies' }, 'ceremonies');
    const { document } = await connection.request({ kind: 'policy' }, 'policy');
    this.#known = { all: ceremonies, policy: decodePolicy(document), webhookKey };
    return this.#known;
  }

  /** Begins one as the device. Throws as the cosigner's `beginCeremony`. */
  open(purpose: CeremonyPurpose): Promise<CeremonyView> {
    const { env, wallet } = this.#parts;
    const { network, wallet: id } = wallet.key;
    return this.#act({ kind: 'open', network, wallet: id, purpose, random: env.random(16) });
  }

  /** `CeremonyEnded`, `SessionUnknown`. */
  say(ceremony: Bytes, says: 'approve' | 'contest'): Promise<CeremonyView> {
    return this.#act({ kind: 'say', ceremony, says, at: this.#parts.env.now() });
  }

  /** An act that the recovery page signed, on its way through this browser; null if it froze the wallet. */
  async bring(message: Bytes): Promise<CeremonyView | null> {
    const connection = await this.#parts.channel.connection();
    const answer = await connection.request({ kind: 'actByWords', message }, 'ceremony', 'frozen');
    return answer.kind === 'frozen' ? null : answer.ceremony;
  }

  /** Makes `change` of the rules in force: at once and null, or by the ceremony that it answers. */
  async changeRules(change: (policy: Policy) => Policy): Promise<CeremonyView | null> {
    const { policy } = await this.look();
    const next = { ...change(policy), version: policy.version + 1 };
    if (compare(policy, next) !== 'tighter') {
      return this.open({ kind: 'loosenPolicy', document: encodePolicy(next) });
    }
    await this.#put(policy, next, null);
    return null;
  }

  /** Puts in force what a ripe ceremony about the rules allowed. `CeremonyWaits`, `CeremonyEnded`, `SessionUnknown`, `WrongVersion`. */
  async carryOut(id: Bytes): Promise<void> {
    const { all, policy } = await this.look();
    const found = all.find((each) => equalVar(each.id, id));
    ensure(found !== undefined && found.purpose.kind === 'loosenPolicy', 'SessionUnknown');
    ensure(found.phase !== 'done' && found.phase !== 'void', 'CeremonyEnded');
    ensure(found.phase === 'ripe', 'CeremonyWaits');
    // Another version has come in between: this one can follow it no more.
    ensure(found.statement !== null, 'WrongVersion', { detail: 'policy' });
    await this.#put(policy, decodePolicy(found.purpose.document), { id, signature: found.statement });
  }

  async #act(act: CeremonyAct): Promise<CeremonyView> {
    const body = encode(ceremonyAct, act);
    const { ceremony } = await this.#inEpoch(async (epoch) => {
      const connection = await this.#parts.channel.connection();
      const proof = await this.#sign(epoch, deviceActHash(connection.handshakeHash, body));
      return connection.request({ kind: 'actByDevice', act: body, proof }, 'ceremony');
    });
    return ceremony;
  }

  async #put(previous: Policy, next: Policy, ceremony: SignedPolicy['ceremony']): Promise<void> {
    const { wallet, channel } = this.#parts;
    const document = encodePolicy(next);
    await this.#inEpoch(async (epoch) => {
      const device = await this.#sign(epoch, policyChangeHash(wallet.key.wallet, previous, next));
      const others = { recovery: null, freeze: null, ceremony };
      const signed = encode(signedPolicy, { document, epoch: epoch.number, device, ...others });
      return (await channel.connection()).request({ kind: 'changePolicy', signed }, 'done');
    });
  }

  #inEpoch<T>(work: (epoch: Epoch) => Promise<T>): Promise<T> {
    const { wallet } = this.#parts;
    return inSigningEpoch({ ...this.#parts, epochs: wallet.epochs }, work);
  }

  async #sign({ number }: Epoch, hash: Uint8Array): Promise<Bytes> {
    const { env, signer, vault } = this.#parts;
    const share = await vault.share(number);
    return withSecrets([share], () => Uint8Array.from(signer.schnorrSign(share, hash, env.random(32))));
  }
}
