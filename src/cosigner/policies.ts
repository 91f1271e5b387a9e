/**
 * The policy in force: the first one from the certificate and every signed version after it, all verified at every evaluation. So
 * whoever writes to the database can neither loosen it nor, once a receipt names a version, go back behind that.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { encodePolicy, type Policy, policyHash } from '../policy/document.ts';
import { frozen, nextPolicy, type PolicyKeys, type SignedPolicy, signedPolicy } from '../policy/versions.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { POLICY_VERSIONS_ALONE_MAX, POLICY_VERSIONS_MAX } from '../protocol/limits.ts';
import type { Answer } from '../protocol/messages.ts';
import { sha256, taggedHash } from '../protocol/sha256.ts';
import { finishCeremony, type Inside, ripeCeremony } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { enqueueNotice } from './notices.ts';
import { appendReceipt, bodyOf, decisionTime, limitDecisions, limitRefusals } from './receipts.ts';
import { type Bytes, numberKey, type StoredRecord, type WalletView } from './store.ts';
import { deviceShareKey, type Wallet } from './wallet.ts';

const CACHED = 1000;
const NO_SPEND: Bytes = new Uint8Array(32);

/** Remembers which chains of versions were verified, by all their bytes. */
export class Policies {
  readonly #verified = new Map<string, Policy>();

  /** Throws what `nextPolicy` throws, or `WrongVersion` if versions are missing. */
  async inForce({ signer }: Cosigner, view: WalletView, wallet: Wallet): Promise<Policy> {
    const records = await view.records('policy');
    const policy = records.length === 0 ? wallet.firstPolicy : this.#follow(signer, wallet, records);
    const last = await view.lastReceipt();
    const named = last === null ? 0 : bodyOf(last).policyVersion;
    ensure(policy.version >= named, 'WrongVersion', { detail: 'policy older than its receipts' });
    return policy;
  }

  /** Goes on from the longest beginning that was verified before. */
  #follow(signer: Cosigner['signer'], wallet: Wallet, records: readonly StoredRecord[]): Policy {
    let name = bytesToHex(wallet.keys.wallet);
    let policy = wallet.firstPolicy;
    let verified = 0;
    for (const [i, { key, body }] of records.entries()) {
      name = bytesToHex(
        taggedHash('hoarfrost/policy-chain', new TextEncoder().encode(name), sha256(key), body),
      );
      const known = this.#verified.get(name);
      if (known === undefined) continue;
      policy = known;
      verified = i + 1;
    }
    for (const { key, body } of records.slice(verified)) {
      policy = nextPolicy(signer.schnorrVerify, keysEver(wallet), policy, decode(signedPolicy, body));
      ensure(equalVar(key, numberKey(policy.version)), 'WrongVersion', { detail: 'policy' });
    }
    if (verified < records.length) {
      if (this.#verified.size >= CACHED) this.#verified.delete(this.#verified.keys().next().value!);
      this.#verified.set(name, policy);
    }
    return policy;
  }
}

/** Puts the next version in force at once, with its receipt. `PolicyFull`, and what `nextPolicy` throws. */
export async function changePolicy(cosigner: Cosigner, id: Bytes, signed: Bytes): Promise<Answer> {
  const { store, wallets, policies, signer, metrics, contacts, announcements } = cosigner;
  const receipt = await store.withWallet(id, async (tx) => {
    const at = await decisionTime(cosigner, tx);
    const wallet = await wallets.read(cosigner, tx);
    const previous = await policies.inForce(cosigner, tx, wallet);
    const change = decode(signedPolicy, signed);
    ensure(change.device === null || change.epoch === tx.wallet.epoch, 'EpochStale');
    // The words alone have a way of their own, which no device stands in.
    ensure(change.freeze === null, 'Unauthorised', { detail: 'policy signature' });
    const next = nextPolicy(signer.schnorrVerify, keysNow(wallet), previous, change);
    // Whoever asks too much must not keep it from being frozen; what is frozen is not frozen again, so that is one version more.
    const freezes = next.frozen && !previous.frozen;
    if (!freezes) {
      await limitDecisions(cosigner, tx, at);
      await limitRefusals(cosigner, tx, at);
      const alone = change.recovery === null && change.ceremony === null;
      ensure(next.version <= (alone ? POLICY_VERSIONS_ALONE_MAX : POLICY_VERSIONS_MAX), 'PolicyFull');
    }
    ensure(next.contact === previous.contact || contacts.serves(next.contact), 'ContactUnavailable');
    if (change.ceremony !== null) {
      // The statement is over this very policy; what it cannot know is what was said since it was given.
      await ripeCeremony(cosigner, tx, change.ceremony.id, 'loosenPolicy');
      await finishCeremony(cosigner, tx, change.ceremony.id);
    }
    await tx.putRecord('policy', numberKey(next.version), signed);
    return appendReceipt(cosigner, tx, {
      spend: NO_SPEND,
      policyVersion: next.version,
      charge: 0n,
      verdict: { kind: 'changed', policy: policyHash(next) },
      at,
    });
  });
  metrics.count('hoarfrost_decisions_total', { verdict: 'changed' });
  announcements.tell(id);
  return { kind: 'done', receipt };
}

/**
 * Nothing is signed from now on, by the words alone and at once: no limit on decisions stands in the way. Of a wallet that is frozen
 * it changes nothing. `Unauthorised` for an order that was carried out before: to lift it takes two, and no copy undoes that.
 */
export async function freezeByWords(
  cosigner: Cosigner,
  { tx, wallet, policy }: Inside,
  { body, signature }: { body: Bytes; signature: Bytes },
): Promise<void> {
  const orders = (await tx.records('policy')).map((record) => decode(signedPolicy, record.body).freeze);
  if (policy.frozen) return;
  ensure(!orders.some((order) => order !== null && equalVar(order, body)), 'Unauthorised', {
    detail: 'order carried out before',
  });
  const change: SignedPolicy = {
    document: encodePolicy(frozen(policy)),
    epoch: tx.wallet.epoch,
    device: null,
    recovery: signature,
    freeze: body,
    ceremony: null,
  };
  const next = nextPolicy(cosigner.signer.schnorrVerify, keysNow(wallet), policy, change);
  await tx.putRecord('policy', numberKey(next.version), encode(signedPolicy, change));
  await appendReceipt(cosigner, tx, {
    spend: NO_SPEND,
    policyVersion: next.version,
    charge: 0n,
    verdict: { kind: 'changed', policy: policyHash(next) },
    at: await decisionTime(cosigner, tx),
  });
  await enqueueNotice(cosigner, tx, next, null, 'frozen');
}

/** Versions in one answer. */
const PAGE = 16;

/** For a device that was away when others made them. */
export async function policyVersions({ store }: Cosigner, id: Bytes, from: number): Promise<Answer> {
  const versions = await store.viewWallet(id, (view) => view.records('policy'));
  // The first one, which the certificate carries, is not among them.
  const page = versions.slice(Math.max(0, from - 2)).slice(0, PAGE);
  return { kind: 'policyVersions', versions: page.map(({ body }) => body) };
}

/** Whose signatures make a version now. */
function keysNow({ epoch }: Wallet): PolicyKeys {
  return {
    wallet: epoch.wallet,
    device: (number) => (number === epoch.number ? deviceShareKey(epoch) : null),
    recovery: [epoch.hostKeys[2]],
    cosigner: [epoch.hostKeys[1]],
  };
}

/** Whose signatures may stand under a version that was accepted in its time: holders change, versions stay. */
function keysEver({ epochs, epoch }: Wallet): PolicyKeys {
  return {
    wallet: epoch.wallet,
    device(number) {
      const then = epochs.find((each) => each.number === number);
      return then === undefined ? null : deviceShareKey(then);
    },
    recovery: epochs.map(({ hostKeys }) => hostKeys[2]),
    cosigner: epochs.map(({ hostKeys }) => hostKeys[1]),
  };
}
