/**
 * What one authenticated device may ask. Its Noise static key names its wallet, and no request can name another; a device
 * without a wallet may only make one, or fetch the certificate of one whose host key it proves.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { SUITE } from '../crypto/signer.ts';
import { equalVar } from '../protocol/bytes.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/keygen.ts';
import { MESSAGE_MAX } from '../protocol/limits.ts';
import type { Answer, Request } from '../protocol/messages.ts';
import { actByDevice, actByWords } from './acts.ts';
import { evaluate, policyInForce } from './authorise.ts';
import { ceremoniesOf, ceremonyStatus } from './ceremonies.ts';
import type { Cosigner } from './cosigner.ts';
import { inEqualTime } from './equalTime.ts';
import { cancelHold, holdsOf } from './holds.ts';
import type { OwnChannelKey } from './identity.ts';
import { fetchCertificate, Keygen } from './keygen.ts';
import { changePolicy, policyVersions } from './policies.ts';
import { receiptsFrom } from './receipts.ts';
import { Refresh, refreshDone, refreshStatus, testSign } from './refresh.ts';
import { Repair } from './repair.ts';
import { type Peer, sign } from './sign.ts';
import type { AnnouncedKey, Bytes } from './store.ts';
import { approveTakeover, handOver, recordsOf, Takeover } from './takeover.ts';
import { WalletChain } from './walletChain.ts';

/** Enough for keygen, which is all that a stranger may send. */
const STRANGER_MESSAGE_MAX = 64 << 10;
/** A message costs one of its rate, and one more for every so many bytes. */
const BYTES_AT_COST = 64 << 10;
/** An act of the words: a signature to verify, and a wallet to look for. */
const WORDS_COST = 20;
/** What a kind costs on top: curve arithmetic of keygen, questions to the chain source. */
const EXTRA_COST: Partial<Record<Request['kind'], number>> = {
  keygenHello: 9,
  keygenRound1: 2,
  keygenRound2: 2,
  keygenCertify: 2,
  keygenFetch: 9,
  scan: 4,
  transaction: 2,
  broadcast: 4,
  changePolicy: 4,
  refreshOpen: 4,
  refreshReveal: 2,
  refreshCertify: 4,
  refreshStatus: 4,
  testSign: 2,
  actByDevice: 4,
  ceremony: 9,
  refreshDone: 2,
  repairOpen: 9,
  repairSplit: 4,
  repairApprove: 4,
  takeoverOpen: 9,
  takeoverFinish: 9,
  takeoverApprove: 4,
  handOver: 4,
};

/** Of a PSBT, for one more: each of its inputs is derived, hashed and signed, and its row stays as long as the epoch. */
const PSBT_BYTES_AT_COST = 2 << 10;

function extraCost(request: Request): number {
  const psbt = request.kind === 'sign' ? request.body : request.kind === 'evaluate' ? request.psbt : null;
  return (EXTRA_COST[request.kind] ?? 0) + Math.floor((psbt?.length ?? 0) / PSBT_BYTES_AT_COST);
}

/** What can name a wallet, a session, a token or a ceremony that is not the asker's own. */
const NAMES_OTHERS: ReadonlySet<Request['kind']> = new Set<Request['kind']>([
  'keygenHello',
  'keygenFetch',
  'repairOpen',
  'takeoverOpen',
  'actByWords',
  'ceremony',
]);

export class Session {
  readonly #cosigner: Cosigner;
  readonly #peer: Peer;
  readonly #address: string;
  readonly #keygen: Keygen;
  readonly #refresh: Refresh;
  readonly #repair: Repair;
  readonly #takeover: Takeover;
  readonly #chain: WalletChain;
  #greeted = false;
  #wallet: Bytes | null = null;

  constructor(cosigner: Cosigner, peer: Peer & { address: string }) {
    this.#cosigner = cosigner;
    this.#peer = peer;
    this.#address = peer.address;
    this.#keygen = new Keygen(cosigner, peer);
    this.#refresh = new Refresh(cosigner);
    this.#repair = new Repair(cosigner, peer.deviceKey, this.#refresh);
    this.#takeover = new Takeover(cosigner, peer);
    this.#chain = new WalletChain(cosigner);
  }

  /** The wallet that this device was last seen to speak for. */
  get wallet(): Bytes | null {
    return this.#wallet;
  }

  get enrolled(): boolean {
    return this.#wallet !== null;
  }

  /** Bytes of the largest request that this device may send now. */
  get messageMax(): number {
    return this.enrolled || this.#takeover.running ? MESSAGE_MAX : STRANGER_MESSAGE_MAX;
  }

  /** Charges for a message of that many bytes before it is read. `RateLimited`. */
  admit(bytes: number): void {
    this.#charge(1 + Math.floor(bytes / BYTES_AT_COST));
  }

  handle(request: Request): Promise<Answer> {
    const answered = () => this.#answer(request);
    return NAMES_OTHERS.has(request.kind) ? inEqualTime(answered) : answered();
  }

  async #answer(request: Request): Promise<Answer> {
    const extra = extraCost(request);
    if (extra > 0) this.#charge(extra);
    if (request.kind === 'hello') return this.#hello(request);
    ensure(this.#greeted, 'OutOfSequence', { detail: 'hello first' });
    switch (request.kind) {
      case 'keygenHello':
        ensure(!this.enrolled, 'WalletExists');
        return { kind: 'party', message: await this.#keygen.hello(request) };
      case 'keygenRound1':
        return { kind: 'party', message: await this.#keygen.round1(request) };
      case 'keygenRound2':
        return { kind: 'party', message: await this.#keygen.round2(request) };
      case 'keygenCertify': {
        const { wallet, certificate } = await this.#keygen.certify(request);
        this.#wallet = wallet;
        return { kind: 'certificate', certificate };
      }
      case 'keygenFetch': {
        const certificate = await fetchCertificate(this.#cosigner, this.#peer.handshakeHash, request);
        return { kind: 'certificate', certificate };
      }
      case 'evaluate':
        return evaluate(this.#cosigner, await this.#own(), request.psbt);
      case 'sign':
      case 'signMessage':
        ensure(this.#wallet !== null, 'NotEnrolled');
        return sign(this.#cosigner, this.#wallet, this.#peer, request);
      case 'scan':
        return this.#chain.scan(await this.#own());
      case 'fees':
        await this.#own();
        return { kind: 'fees', ...(await this.#cosigner.chain.fees()) };
      case 'transaction':
        return this.#chain.transaction(await this.#own(), request.txid);
      case 'broadcast':
        return this.#chain.broadcast(await this.#own(), request.transaction);
      case 'policy':
        return policyInForce(this.#cosigner, await this.#own());
      case 'receipts':
        return receiptsFrom(this.#cosigner, await this.#own(), request.from);
      case 'policyVersions':
        return policyVersions(this.#cosigner, await this.#own(), request.from);
      case 'changePolicy':
        return changePolicy(this.#cosigner, await this.#own(), request.signed);
      case 'holds':
        return holdsOf(this.#cosigner, await this.#own());
      case 'cancelHold':
        return cancelHold(this.#cosigner, await this.#own(), request.ticket);
      case 'refreshOpen':
        return { kind: 'party', message: await this.#refresh.open(await this.#own(), request.message) };
      case 'refreshReveal':
        return { kind: 'party', message: await this.#refresh.reveal(request.message) };
      case 'refreshCertify':
        return { kind: 'party', message: await this.#refresh.certify(await this.#own(), request.message) };
      case 'refreshStatus':
        return refreshStatus(this.#cosigner, await this.#own(), request.session);
      case 'testSign':
        return testSign(this.#cosigner, await this.#own(), this.#peer.handshakeHash, request);
      case 'refreshDone':
        return refreshDone(this.#cosigner, await this.#own(), request);
      case 'repairOpen':
        return this.#repair.open(this.enrolled ? await this.#own() : null, request);
      case 'repairSplit':
        return this.#repair.split(request);
      case 'repairApprove':
        return { kind: 'repaired', record: await this.#repair.approve(request) };
      case 'records':
        return recordsOf(this.#cosigner, await this.#own());
      case 'takeoverOpen':
        ensure(!this.enrolled, 'WalletExists');
        return { kind: 'party', message: await this.#takeover.open(request) };
      case 'takeoverFinish':
        return { kind: 'party', message: await this.#takeover.finish(request) };
      case 'takeoverApprove': {
        const { deviceKey } = this.#peer;
        const { wallet, record } = await approveTakeover(this.#cosigner, deviceKey, request);
        this.#wallet = wallet;
        return { kind: 'repaired', record };
      }
      case 'handOver':
        return handOver(this.#cosigner, await this.#own(), request);
      case 'actByWords': {
        // Anybody may bring it, a device with a wallet too: what counts against strangers counts for each.
        this.#cosigner.limiter.strangers.take(this.#address, WORDS_COST);
        return actByWords(this.#cosigner, request.message);
      }
      case 'actByDevice':
        return actByDevice(this.#cosigner, await this.#own(), this.#peer.handshakeHash, request);
      case 'ceremony':
        return ceremonyStatus(this.#cosigner, request.id);
      case 'ceremonies':
        return ceremoniesOf(this.#cosigner, await this.#own());
      default:
        return unreachable(request);
    }
  }

  /** The connection is gone, and with it what lived in its memory. */
  end(): void {
    this.#keygen.drop();
    this.#refresh.drop();
    this.#repair.drop();
    this.#takeover.drop();
  }

  async #hello(request: Extract<Request, { kind: 'hello' }>): Promise<Answer> {
    const { network, store, clock, wallets, policies } = this.#cosigner;
    ensure(request.version === PROTOCOL_VERSION, 'WrongVersion');
    ensure(request.suite === SUITE, 'WrongSuite');
    ensure(request.network === network, 'WrongNetwork');
    this.#greeted = true;
    this.#wallet = await store.walletOfDevice(this.#peer.deviceKey);
    if (this.#wallet !== null) this.#cosigner.limiter.known.add(this.#address);
    const { ledger, channelKey: announced } = await store.greeting();
    const channelKey = this.#statement(announced);
    const common = {
      kind: 'hello',
      version: PROTOCOL_VERSION,
      ledger,
      time: clock.now(),
      channelKey,
    } as const;
    if (this.#wallet === null)
      return { ...common, enrolled: false, epoch: 0, head: new Uint8Array(32), policyVersion: 0 };
    return store.viewWallet(this.#wallet, async (view) => {
      const wallet = await wallets.read(this.#cosigner, view);
      const { version } = await policies.inForce(this.#cosigner, view, wallet);
      const { number, head } = wallet.epoch;
      return { ...common, enrolled: true, epoch: number, head, policyVersion: version };
    });
  }

  /**
   * Of the key that devices are to pin, and never of one before that which this device has already; nor of a key of ours under
   * the announced number that is not the announced one, which no other instance would answer to. A device without a wallet is to
   * learn whose key its link brought it to.
   */
  #statement(announced: AnnouncedKey | null): Bytes | null {
    const own = this.#peer.channelKey;
    if (!this.enrolled || announced === null || announced.number <= own.number) return own.statement;
    const { channelKeys } = this.#cosigner.identity;
    const isAnnounced = ({ number, noise }: OwnChannelKey) =>
      number === announced.number && equalVar(noise.publicKey, announced.noiseKey);
    return (channelKeys.find(isAnnounced) ?? own).statement;
  }

  /** Anybody can make a device key: until one has a wallet, its address answers for it. */
  #charge(cost: number): void {
    const { devices, strangers } = this.#cosigner.limiter;
    if (this.enrolled) devices.take(bytesToHex(this.#peer.deviceKey), cost);
    else strangers.take(this.#address, cost);
  }

  /** Looked up each time: another device may have taken the place of this one. Signing looks in its own transaction. */
  async #own(): Promise<Bytes> {
    if (this.#wallet !== null) this.#wallet = await this.#cosigner.store.walletOfDevice(this.#peer.deviceKey);
    ensure(this.#wallet !== null, 'NotEnrolled');
    return this.#wallet;
  }
}

function unreachable(request: never): never {
  throw new HoarfrostError('UnknownMessage', { cause: request });
}
