/**
 * What device and cosigner say to each other inside the Noise transport: one request, one answer, matched by number.
 * The tags are positions and so append-only.
 */
import { ACT_MAX, authenticator, CEREMONY_EVENTS, ceremonyView, WORDS_ACT_MAX } from './ceremony.ts';
import {
  blob,
  bool,
  bytes,
  list,
  oneOf,
  option,
  struct,
  type TypeOf,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
  union,
} from './codec.ts';
import { type ErrorCode, HoarfrostError } from './errors.ts';
import {
  CEREMONIES_MAX,
  COINS_MAX,
  HISTORY_MAX,
  HOLDS_MAX,
  INPUTS_MAX,
  MESSAGE_MAX,
  POLICY_MAX,
  POLICY_VERSIONS_MAX,
  PSBT_MAX,
  RECORDS_MAX,
  SIGNED_POLICY_MAX,
  SIGNED_TEXT_MAX,
} from './limits.ts';
import { NETWORKS } from './networks.ts';

const hash = bytes(32);
/** Of an error, in bytes. */
const DETAIL_MAX = 256;
/** A signed `channelKeyBody`. */
export const STATEMENT_MAX = 256;
const partyMessage = blob(20_000);
const commitmentPair = bytes(66);
const certificateBytes = blob(40_000);
/** One `epochRecord`, and all that one party keeps, oldest first. */
const recordBytes = blob(2048);
const recordCopy = list(recordBytes, RECORDS_MAX);

/** What the cosigner would do with a PSBT, in the words of policy. */
export const verdict = union({
  signs: struct({ leftInWindow: option(u64) }),
  waits: struct({ until: time, rule: text(64) }),
  refuses: struct({ rule: text(64), over: u64 }),
});
export type WireVerdict = TypeOf<typeof verdict>;

/** What a receipt may say: a verdict about a payment, or what became of the policy or of a payment that waited. */
export const receiptVerdict = union({
  signs: struct({ leftInWindow: option(u64) }),
  waits: struct({ until: time, rule: text(64) }),
  refuses: struct({ rule: text(64), over: u64 }),
  /** A new version of the policy holds; `spend` is zero. */
  changed: struct({ policy: hash }),
  cancelled: struct({}),
  /** Something was said of a ceremony, or time did it (`by` nobody); `spend` is zero. */
  ceremony: struct({ id: hash, event: oneOf(...CEREMONY_EVENTS), by: option(authenticator) }),
});

/** Hash-chained record of one decision, signed by the cosigner's host key. */
export const receiptBody = struct({
  sequence: u32,
  previous: hash,
  wallet: hash,
  /** The unsigned txid. */
  spend: hash,
  policyVersion: u32,
  before: u64,
  after: u64,
  verdict: receiptVerdict,
  at: time,
});
export const receipt = struct({ body: blob(1024), signature: bytes(64) });
export type Receipt = TypeOf<typeof receipt>;

const outpoint = struct({ txid: hash, vout: u32 });

/** Everything of a signing request that the proof under Y1 and the idempotent retry cover. */
export const signBody = struct({
  attempt: bytes(16),
  epoch: u32,
  /** As the hello named it. */
  ledger: bytes(16),
  psbt: blob(PSBT_MAX),
  /** One pair an input, in input order. */
  commitments: list(commitmentPair, INPUTS_MAX),
});
export type SignBody = TypeOf<typeof signBody>;

/** The same of a text: BIP-322 *simple*, for the own address at branch and index. */
export const messageBody = struct({
  attempt: bytes(16),
  epoch: u32,
  ledger: bytes(16),
  branch: u8,
  index: u32,
  message: text(SIGNED_TEXT_MAX),
  commitment: commitmentPair,
});
export type MessageBody = TypeOf<typeof messageBody>;

export const request = union({
  /** First transport message of every connection: proves the handshake was no replay. */
  hello: struct({ version: u8, suite: text(64), network: oneOf(...NETWORKS) }),
  keygenHello: struct({ token: text(128), device: partyMessage, recovery: partyMessage }),
  keygenRound1: struct({ device: partyMessage, recovery: partyMessage }),
  keygenRound2: struct({ device: partyMessage, recovery: partyMessage }),
  keygenCertify: struct({ device: partyMessage, recovery: partyMessage }),
  /** For who lost the answer: proof is the host key's signature over (handshake hash, session). */
  keygenFetch: struct({ session: hash, id: u8, proof: bytes(64) }),
  evaluate: struct({ psbt: blob(PSBT_MAX) }),
  sign: struct({ body: blob(MESSAGE_MAX), proof: bytes(64) }),
  scan: struct({}),
  fees: struct({}),
  transaction: struct({ txid: hash }),
  broadcast: struct({ transaction: blob(PSBT_MAX) }),
  policy: struct({}),
  receipts: struct({ from: u32 }),
  /** The next version: `signedPolicy` of policy/versions. */
  changePolicy: struct({ signed: blob(SIGNED_POLICY_MAX) }),
  holds: struct({}),
  cancelHold: struct({ ticket: bytes(16) }),
  /** The device begins a new epoch: its three messages of frost/refresh, one after the other on one connection. */
  refreshOpen: struct({ message: partyMessage }),
  refreshReveal: struct({ message: partyMessage }),
  /** The device's new share is durable. The same again, later too, is answered the same. */
  refreshCertify: struct({ message: partyMessage }),
  /** After a certify message whose answer was lost: what became of that session, from now on for good. */
  refreshStatus: struct({ session: hash }),
  /** One signature share under K0, over the hash that this epoch's test is about (frost/epoch `testSignInput`). */
  testSign: struct({ epoch: u32, commitment: commitmentPair }),
  /** The finished test: both sides hold shares of this epoch that fit, and the cosigner destroys the one before. */
  refreshDone: struct({ epoch: u32, signature: bytes(64) }),
  /** What changed the shares of the device's own wallet. */
  records: struct({}),
  /** To a cosigner that shall take over a wallet: its hello of frost/repair is the answer. */
  takeoverOpen: struct({ token: text(128), ceremony: hash }),
  /** All that leads to the present epoch and policy, and device's and recovery's openings and sums. */
  takeoverFinish: struct({
    certificate: certificateBytes,
    records: recordCopy,
    /** The versions after the first: `signedPolicy` of policy/versions. */
    policies: list(blob(SIGNED_POLICY_MAX), POLICY_VERSIONS_MAX),
    opens: list(partyMessage, 2),
    sums: list(partyMessage, 2),
  }),
  /** Device's and recovery's certificates, on this connection or a later one. The same again is answered the same. */
  takeoverApprove: struct({ approvals: list(partyMessage, 2) }),
  /** To the cosigner that is left: the complete record that puts another in its place. It destroys its share. */
  handOver: struct({ record: recordBytes }),
  /** An act that the words have signed, brought by anybody: `wordsAct` of protocol/ceremony. */
  actByWords: struct({ message: blob(WORDS_ACT_MAX) }),
  /** An act of the device; `proof` is share 1's signature over H(`hoarfrost/device-act`, handshake hash, act). */
  actByDevice: struct({ act: blob(ACT_MAX), proof: bytes(64) }),
  /** How a ceremony stands, for who knows its id. */
  ceremony: struct({ id: hash }),
  ceremonies: struct({}),
  /**
   * A lost device's or kit's share, over a ceremony that is ripe: the new holder's hello of frost/repair. For a kit after
   * `refreshReveal` on the same connection, in whose epoch its share is made.
   */
  repairOpen: struct({ ceremony: hash, hello: partyMessage }),
  /** From the other helper: its opening and its summand. */
  repairSplit: struct({ open: partyMessage, delta: partyMessage }),
  /** The other helper's sum, the new holder's certificate and the other helper's own. */
  repairApprove: struct({ sum: partyMessage, certify: partyMessage, approval: partyMessage }),
  /** The signed versions of the policy from one on. */
  policyVersions: struct({ from: u32 }),
  /** A text, and never a hash: `messageBody`, proved as a payment is. Answered as one, where the digest is what both sign. */
  signMessage: struct({ body: blob(SIGNED_TEXT_MAX + 256), proof: bytes(64) }),
});
export type Request = TypeOf<typeof request>;

const coin = struct({
  outpoint,
  value: u64,
  branch: u8,
  index: u32,
  /** 0 while unconfirmed. */
  height: u32,
  coinbase: bool,
});
const historyEntry = struct({
  txid: hash,
  /** 0 while unconfirmed. */
  height: u32,
  time: time,
  received: u64,
  sent: u64,
  fee: option(u64),
  transaction: blob(PSBT_MAX),
});

export const answer = union({
  hello: struct({
    version: u8,
    /** Whether this device's static key belongs to a wallet here. */
    enrolled: bool,
    epoch: u32,
    /** Of the chain of epoch records, as the cosigner follows it; zeros without a wallet. */
    head: hash,
    /** Names the cosigner's ledger of attempts; another one after a restore, and what was asked of the old one is void. */
    ledger: bytes(16),
    policyVersion: u32,
    time: time,
    /** What the signing key says of the channel key that devices are to pin, and to a stranger of the one in use: null for the first. */
    channelKey: option(blob(STATEMENT_MAX)),
  }),
  party: struct({ message: partyMessage }),
  certificate: struct({ certificate: certificateBytes }),
  evaluated: struct({ digest: hash, verdict }),
  signed: struct({
    digest: hash,
    commitments: list(commitmentPair, INPUTS_MAX),
    shares: list(bytes(32), INPUTS_MAX),
    receipt,
  }),
  deferred: struct({ ticket: bytes(16), until: time, receipt }),
  refused: struct({ digest: hash, verdict, receipt }),
  scanned: struct({
    height: u32,
    tip: hash,
    coins: list(coin, COINS_MAX),
    history: list(historyEntry, HISTORY_MAX),
    /** Next unused index of the receive and the change branch. */
    nextReceive: u32,
    nextChange: u32,
  }),
  /** sat/vB in thousandths: next block, about half an hour, about two hours, floor. */
  fees: struct({ fast: u32, medium: u32, slow: u32, floor: u32 }),
  transaction: struct({ transaction: blob(PSBT_MAX), height: u32 }),
  broadcast: struct({ txid: hash }),
  policy: struct({ document: blob(POLICY_MAX), spentInWindows: list(u64, 16) }),
  receipts: struct({ receipts: list(receipt, 256) }),
  error: struct({
    code: text(32),
    culprit: u8,
    detail: text(DETAIL_MAX),
    retryAfterMs: u32,
  }),
  /** To `changePolicy` and `cancelHold`: it is done, and this is its receipt. */
  done: struct({ receipt }),
  /** Payments that wait; `loss` in sats. */
  holds: struct({
    holds: list(struct({ ticket: bytes(16), spend: hash, loss: u64, until: time }), HOLDS_MAX),
  }),
  /** That session never completes: the cosigner's BIP-340 signature over H(`hoarfrost/refresh-void`, wallet, session). */
  voided: struct({ signature: bytes(64) }),
  tested: struct({ commitment: commitmentPair, share: bytes(32) }),
  /** The share before is on its way out for good: its key is destroyed, or about to be. */
  retired: struct({ epoch: u32 }),
  /** The complete record: the new holder's keys stand for that party from here on. */
  repaired: struct({ record: recordBytes }),
  records: struct({ certificate: certificateBytes, records: recordCopy }),
  ceremony: struct({ ceremony: ceremonyView }),
  /** Those under way and the latest that have ended. */
  ceremonies: struct({
    ceremonies: list(ceremonyView, CEREMONIES_MAX),
    /** Where the contact is a webhook: what its messages are authenticated with. */
    webhookKey: option(hash),
  }),
  /** Every wallet of these words signs nothing from now on. */
  frozen: struct({}),
  /** All that leads to the present epoch, and where the cosigner stands as a helper. */
  repairOpened: struct({ certificate: certificateBytes, records: recordCopy, open: partyMessage }),
  repairSplit: struct({ delta: partyMessage, sum: partyMessage }),
  /** Some of them, in their order; none where there is no more. */
  policyVersions: struct({ versions: list(blob(SIGNED_POLICY_MAX), 16) }),
});
export type Answer = TypeOf<typeof answer>;
export type AnswerOf<K extends Answer['kind']> = Extract<Answer, { kind: K }>;

/** What the cosigner may say unasked: the chain moved, or something about this wallet's ceremonies or policy did; ask again. */
export const notice = union({ chain: struct({ height: u32 }), draining: struct({}), ceremony: struct({}) });
export type Notice = TypeOf<typeof notice>;

/** `number` 0 is a notice; a request and its answer share a number that rises by one. */
export const envelope = struct({ number: u32, part: u16, total: u32, chunk: blob(65_500) });

export function errorAnswer(e: unknown): AnswerOf<'error'> {
  const known = e instanceof HoarfrostError ? e : new HoarfrostError('Internal');
  return {
    kind: 'error',
    code: known.code,
    culprit: known.culprit ?? 0,
    detail: startOf(known.detail ?? '', DETAIL_MAX),
    retryAfterMs: known.retryAfterMs ?? 0,
  };
}

/** As many whole characters as fit into `max` bytes of UTF-8. */
function startOf(all: string, max: number): string {
  const { read } = new TextEncoder().encodeInto(all, new Uint8Array(max));
  return all.slice(0, read);
}

export function errorOf(a: AnswerOf<'error'>): HoarfrostError {
  return new HoarfrostError(a.code as ErrorCode, {
    ...(a.culprit === 0 ? {} : { culprit: a.culprit as 1 | 2 | 3 }),
    ...(a.detail === '' ? {} : { detail: a.detail }),
    ...(a.retryAfterMs === 0 ? {} : { retryAfterMs: a.retryAfterMs }),
  });
}
