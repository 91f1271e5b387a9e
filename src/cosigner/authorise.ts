/**
 * What a PSBT may do (DESIGN sections 3 and 4): the cosigner reads it itself, computes every sighash itself, and puts policy,
 * ledger and receipt into one transaction, before a nonce exists.
 */
import { deriveKey } from '../bitcoin/descriptor.ts';
import { messageToSign, toSign } from '../bitcoin/message.ts';
import { parsePsbt } from '../bitcoin/psbt.ts';
import {
  COMPLETED_BY_OTHERS,
  deriveClaimed,
  type InputToSign,
  sighashes,
  WHOLE_TRANSACTION,
} from '../bitcoin/sighash.ts';
import { type Summary, summarise, summaryDigest } from '../bitcoin/summary.ts';
import { txidOf } from '../bitcoin/transaction.ts';
import { checkCommitments } from '../frost/signing.ts';
import { encodePolicy, type Policy } from '../policy/document.ts';
import {
  type Evaluation,
  evaluate as evaluatePolicy,
  ownOutpoints,
  windowsSince,
} from '../policy/evaluate.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { GAP_OWN_OUTPUT } from '../protocol/limits.ts';
import { type Answer, answer, type MessageBody, type Receipt, type SignBody } from '../protocol/messages.ts';
import { taggedHash } from '../protocol/sha256.ts';
import { isContested } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { defer, holdOf } from './holds.ts';
import { appendReceipt, decisionTime, limitDecisions, limitRefusals } from './receipts.ts';
import type { Bytes, WalletRecord, WalletTx, WalletView } from './store.ts';
import { raiseUnseen, unseenTotal } from './unseen.ts';
import type { Wallet } from './wallet.ts';

/** A PSBT as this wallet's account reads it. */
interface Reading {
  readonly inputs: InputToSign[];
  readonly summary: Summary;
  readonly digest: Bytes;
}

export type Authorised =
  /** There is an answer already, or none to be had: refused, or stored for this very request. */
  | { kind: 'settled'; answer: Answer }
  /** Ledger, reserves and receipt are in the transaction: once it is durable, sign or never. */
  | {
      kind: 'sign';
      asked: Pick<Asked, 'attempt' | 'epoch' | 'commitments'>;
      inputs: InputToSign[];
      digest: Bytes;
      receipt: Receipt;
      sealed: Bytes;
    };

type Asked = Pick<SignBody, 'attempt' | 'epoch' | 'ledger' | 'commitments'>;

/** What would be decided, with nothing written. */
export async function evaluate(cosigner: Cosigner, id: Bytes, psbt: Bytes): Promise<Answer> {
  const { store, wallets, policies } = cosigner;
  return store.viewWallet(id, async (view) => {
    const wallet = await wallets.read(cosigner, view);
    const policy = await policies.inForce(cosigner, view, wallet);
    const { summary, digest } = readPsbt(cosigner, wallet, view.wallet, psbt);
    const { verdict } = await judge(cosigner, view, policy, summary, await decisionTime(cosigner, view));
    return { kind: 'evaluated', digest, verdict };
  });
}

/**
 * Decides, in its transaction, a signing request whose proof has been checked. `AttemptBurned`: this very request was let
 * through once and its answer is lost. `AttemptReused`: its commitments belong to another. `EpochStale`,
 * `RateLimited`, and what reading the PSBT throws.
 */
export async function authorise(
  cosigner: Cosigner,
  tx: WalletTx,
  wallet: Wallet,
  request: Bytes,
  asked: SignBody,
): Promise<Authorised> {
  const { policies, metrics } = cosigner;
  ensureCurrent(tx, asked);
  const { inputs, summary, digest } = readPsbt(cosigner, wallet, tx.wallet, asked.psbt);
  const { settled, commitments } = await lookUp(cosigner, tx, request, asked, inputs.length);
  if (settled !== null) return { kind: 'settled', answer: settled };

  const at = await decisionTime(cosigner, tx);
  await limitDecisions(cosigner, tx, at);
  const policy = await policies.inForce(cosigner, tx, wallet);
  const { verdict, raises, charge, loss } = await judge(cosigner, tx, policy, summary, at);
  const spend = Uint8Array.from(summary.spend);
  const policyVersion = policy.version;
  metrics.count('hoarfrost_decisions_total', { verdict: verdict.kind });
  if (verdict.kind !== 'signs') await limitRefusals(cosigner, tx, at);
  if (verdict.kind === 'refuses') {
    const receipt = await appendReceipt(cosigner, tx, { spend, policyVersion, charge: 0n, verdict, at });
    return { kind: 'settled', answer: { kind: 'refused', digest, verdict, receipt } };
  }
  if (verdict.kind === 'waits') {
    const { until } = verdict;
    return {
      kind: 'settled',
      answer: await defer(cosigner, tx, { spend, loss, policyVersion, until, at }),
    };
  }
  const [receipt, sealed] = await Promise.all([
    appendReceipt(cosigner, tx, { spend, policyVersion, charge, verdict, at }),
    tx.sealedShare(),
    tx.insertAttempt({ request, commitments, spend, at }),
    ...raises.map(({ outpoint, reserve }) => tx.setReserve(outpoint, reserve)),
    raiseUnseen(tx, raises),
    charge > 0n ? tx.charge(charge, at) : undefined,
  ]);
  return { kind: 'sign', asked, inputs, digest, receipt, sealed };
}

/**
 * The same for a text (BIP-322): what is signed is made here from the text and an own address, so it is no spend, costs nothing and
 * is charged nothing. `BadAddress` for an address that is not in use or soon will be.
 */
export async function authoriseMessage(
  cosigner: Cosigner,
  tx: WalletTx,
  wallet: Wallet,
  request: Bytes,
  body: MessageBody,
): Promise<Authorised> {
  const { policies, metrics } = cosigner;
  const asked = { ...body, commitments: [body.commitment] };
  ensureCurrent(tx, asked);
  const { branch, index, message } = body;
  ensure(branch === 0 || branch === 1, 'BadAddress', { detail: 'branch' });
  const next = branch === 0 ? tx.wallet.nextReceive : tx.wallet.nextChange;
  ensure(index < next + GAP_OWN_OUTPUT, 'BadAddress', { detail: 'index' });
  const key = deriveKey(wallet.account, branch, index);
  const input = messageToSign(key, message);
  const digest = Uint8Array.from(input.sighash);
  const { settled, commitments } = await lookUp(cosigner, tx, request, asked, 1);
  if (settled !== null) return { kind: 'settled', answer: settled };

  const at = await decisionTime(cosigner, tx);
  await limitDecisions(cosigner, tx, at);
  const { frozen, version: policyVersion } = await policies.inForce(cosigner, tx, wallet);
  const rule = frozen ? 'frozen' : (await isContested(cosigner, tx)) ? 'contested' : null;
  const spend = Uint8Array.from(txidOf(toSign(key.script, message)));
  metrics.count('hoarfrost_decisions_total', { verdict: rule === null ? 'signs' : 'refuses' });
  if (rule !== null) {
    await limitRefusals(cosigner, tx, at);
    const verdict = { kind: 'refuses', rule, over: 0n } as const;
    const receipt = await appendReceipt(cosigner, tx, { spend, policyVersion, charge: 0n, verdict, at });
    return { kind: 'settled', answer: { kind: 'refused', digest, verdict, receipt } };
  }
  await tx.insertAttempt({ request, commitments, spend, at });
  const verdict = { kind: 'signs', leftInWindow: null } as const;
  const receipt = await appendReceipt(cosigner, tx, { spend, policyVersion, charge: 0n, verdict, at });
  return { kind: 'sign', asked, inputs: [input], digest, receipt, sealed: await tx.sealedShare() };
}

function ensureCurrent(tx: WalletTx, { epoch, ledger }: Asked): void {
  ensure(tx.wallet.epoch === epoch, 'EpochStale');
  // What was answered on a ledger that is lost cannot be looked up: no answer is better than a second one.
  ensure(equalVar(tx.wallet.ledger, ledger), 'AttemptBurned', { detail: 'ledger' });
}

/** What this request was answered before, or the names of its commitments, which none had yet. */
async function lookUp(
  { signer }: Cosigner,
  tx: WalletTx,
  request: Bytes,
  asked: Asked,
  inputs: number,
): Promise<{ settled: Answer | null; commitments: Bytes[] }> {
  ensure(asked.commitments.length === inputs, 'BadEncoding', { detail: 'one commitment pair an input' });
  const commitments = asked.commitments.map((pair) => taggedHash('hoarfrost/commitment', pair));
  ensure(
    commitments.length === 1 || new Set(commitments.map(String)).size === commitments.length,
    'AttemptReused',
    { detail: 'pair twice' },
  );
  checkCommitments(signer, asked.commitments);
  // Here and above, what does not wait for each other is asked together: a database across a wire answers it in one go.
  const [before, used] = await Promise.all([
    tx.attempt(request),
    tx.commitmentsUsed(commitments),
    tx.lastReceipt(),
  ]);
  if (before === null) {
    ensure(!used, 'AttemptReused');
    return { settled: null, commitments };
  }
  ensure(before.answer !== null, 'AttemptBurned');
  return { settled: decode(answer, before.answer), commitments };
}

export async function policyInForce(cosigner: Cosigner, id: Bytes): Promise<Answer> {
  const { store, wallets, policies } = cosigner;
  return store.viewWallet(id, async (view) => {
    const policy = await policies.inForce(cosigner, view, await wallets.read(cosigner, view));
    const spentInWindows = await chargedInWindows(view, policy, await decisionTime(cosigner, view));
    return { kind: 'policy', document: encodePolicy(policy), spentInWindows };
  });
}

/** Which of the sighash types may be signed is the policy's to say: `judge`. */
function readPsbt({ signer }: Cosigner, { account }: Wallet, record: WalletRecord, bytes: Bytes): Reading {
  const psbt = parsePsbt(bytes);
  deriveClaimed(signer, psbt, account);
  const inputs = sighashes(psbt, account, COMPLETED_BY_OTHERS);
  const summary = summarise(psbt, account, { receive: record.nextReceive, change: record.nextChange });
  return { inputs, summary, digest: summaryDigest(summary) };
}

async function judge(
  cosigner: Cosigner,
  view: WalletView,
  policy: Policy,
  summary: Summary,
  now: number,
): Promise<Evaluation> {
  const whole = summary.inputs.every(({ sighashType }) => WHOLE_TRANSACTION.includes(sighashType));
  ensure(whole || policy.anyoneCanPay, 'SighashRefused', { detail: 'policy' });
  const [reserved, inWindows, unseen, contested, since] = await Promise.all([
    view.reserves(ownOutpoints(summary)),
    chargedInWindows(view, policy, now),
    policy.unseen === null ? 0n : unseenTotal(view),
    isContested(cosigner, view),
    policy.hold === null ? null : heldSince(view, Uint8Array.from(summary.spend)),
  ]);
  const spent = { reserved, inWindows, unseen, contested, heldSince: since };
  return evaluatePolicy(policy, spent, summary, now);
}

async function heldSince(view: WalletView, spend: Bytes): Promise<number | null> {
  return (await holdOf(view, spend))?.since ?? null;
}

async function chargedInWindows(view: WalletView, policy: Policy, now: number): Promise<bigint[]> {
  const { lostAt } = view.wallet;
  return Promise.all(
    windowsSince(policy, now).map(async (since, i) => {
      const known = await view.chargedSince(since);
      const { limit } = policy.windows[i]!;
      // What was charged before a loss may be anything: the window is full until it has moved past.
      return lostAt !== null && lostAt >= since && known < limit ? limit : known;
    }),
  );
}
