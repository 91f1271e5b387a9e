/**
 * One run of the protocol with fixed randomness (docs/protocol.md, "The recorded transcript"): three parties make a key, the
 * device evaluates and signs a payment of two inputs, and both begin a new epoch. The cosigner is the product's own session over a real store.
 */
import { join } from 'node:path';
import { hex } from '@scure/base';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { identityName, type OwnChannelKey, openIdentity } from '../../src/cosigner/identity.ts';
import { writeKeyFile } from '../../src/cosigner/keyFile.ts';
import { nodePrimitives, noiseKeyPair } from '../../src/cosigner/noisePrimitives.ts';
import { Session } from '../../src/cosigner/session.ts';
import { openSqlite } from '../../src/cosigner/stores/sqlite.ts';
import { tokenHash } from '../../src/cosigner/tokens.ts';
import { load } from '../../src/crypto/load.ts';
import type { Random } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { type PartyId, SUITE } from '../../src/crypto/signer.ts';
import { importX25519, x25519PublicKey } from '../../src/crypto/x25519.ts';
import { completeRecord, firstEpoch, testSignInput } from '../../src/frost/epoch.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { signProofHash } from '../../src/frost/proofs.ts';
import { finishRefresh, openRefresh, revealRefresh } from '../../src/frost/refresh.ts';
import { commitAll, finishAll } from '../../src/frost/signing.ts';
import { encodePolicy, firstPolicy } from '../../src/policy/document.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { Joiner, PROLOGUE, splitMessage } from '../../src/protocol/frames.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/keygen.ts';
import { type Answer, answer, type Request, request, signBody } from '../../src/protocol/messages.ts';
import { initiate, type NoiseKeyPair, respond } from '../../src/protocol/noise.ts';
import { type Bytes, PAYEE, type Running, startCosigner } from './cosigner.ts';
import { seededRandom } from './parties.ts';
import { termsOf } from './terms.ts';

export interface Frame {
  from: 'device' | 'cosigner';
  noise: string;
  envelope: string;
  /** Of a message's last part: the whole request or answer. */
  message?: string;
}

export interface RecordedConnection {
  deviceEphemeral: string;
  cosignerEphemeral: string;
  message1: string;
  message2: string;
  handshakeHash: string;
  frames: Frame[];
}

export interface Transcript {
  suite: string;
  clock: number;
  token: string;
  ledger: string;
  parties: Record<string, { host: string; encryption?: string; noise?: string; seed: string }>;
  connections: RecordedConnection[];
  /** Of the first refresh: each message by its sender, and both parties' records. */
  refresh: Record<string, unknown>;
  result: Record<string, unknown>;
}

const CLOCK = 1_800_000_000_000;
const TOKEN = 'transcript';
const LEDGER = fixed('ledger').slice(0, 16);

/** Fixed 32 bytes, one a name. */
function fixed(name: string): Bytes {
  return seededRandom(`transcript/${name}`)(32);
}

async function keysOf(name: string): Promise<NoiseKeyPair> {
  const privateKey = await importX25519(Secret.own(fixed(name)));
  return { privateKey, publicKey: await x25519PublicKey(privateKey) };
}

/** A device's connection to the session, every byte kept. */
class Recorder {
  readonly record: RecordedConnection;
  readonly handshakeHash: Bytes;
  readonly #exchange: (message: Bytes) => Promise<Answer>;

  private constructor(
    record: RecordedConnection,
    handshakeHash: Bytes,
    exchange: (m: Bytes) => Promise<Answer>,
  ) {
    this.record = record;
    this.handshakeHash = handshakeHash;
    this.#exchange = exchange;
  }

  static async open({ cosigner }: Running, name: string): Promise<Recorder> {
    const ends = { device: `${name}/device`, cosigner: `${name}/cosigner` };
    const local = await keysOf('device/noise');
    const channelKey = cosigner.identity.channelKeys[0]!;
    const remote = channelKey.noise.publicKey;
    const started = await initiate({
      local,
      remote,
      prologue: PROLOGUE,
      ephemeral: await keysOf(ends.device),
    });
    const answered = await respond({
      primitives: nodePrimitives,
      local: channelKey.noise,
      prologue: PROLOGUE,
      message1: started.message,
      ephemeral: noiseKeyPair(Secret.own(fixed(ends.cosigner))),
    });
    const device = await started.complete(answered.message);
    const { handshakeHash } = device;
    const session = new Session(cosigner, {
      deviceKey: answered.remote,
      handshakeHash,
      channelKey,
      address: '127.0.0.1',
    });
    const frames: Frame[] = [];
    const pass = async (from: Frame['from'], number: number, message: Bytes): Promise<Bytes> => {
      const [sender, receiver] =
        from === 'device' ? [device, answered.transport] : [answered.transport, device];
      const joiner = new Joiner();
      let whole: Bytes | undefined;
      for (const part of splitMessage(number, message)) {
        const sealed = await sender.seal(part);
        whole = joiner.push(await receiver.open(sealed))?.message;
        frames.push({ from, noise: hex.encode(sealed), envelope: hex.encode(part) });
      }
      frames.at(-1)!.message = hex.encode(whole!);
      return whole!;
    };
    let number = 0;
    const exchange = async (message: Bytes): Promise<Answer> => {
      const heard = await pass('device', ++number, message);
      session.admit(heard.length);
      const said = await session.handle(decode(request, heard));
      return decode(answer, await pass('cosigner', number, encode(answer, said)));
    };
    const record = {
      deviceEphemeral: hex.encode(fixed(ends.device)),
      cosignerEphemeral: hex.encode(fixed(ends.cosigner)),
      message1: hex.encode(started.message),
      message2: hex.encode(answered.message),
      handshakeHash: hex.encode(handshakeHash),
      frames,
    };
    return new Recorder(record, handshakeHash, exchange);
  }

  async ask<K extends Answer['kind']>(message: Request, kind: K): Promise<Extract<Answer, { kind: K }>> {
    const got = await this.#exchange(encode(request, message));
    if (got.kind !== kind) throw new Error(`${got.kind} for ${message.kind}`);
    return got as Extract<Answer, { kind: K }>;
  }

  hello() {
    return this.ask({ kind: 'hello', version: PROTOCOL_VERSION, suite: SUITE, network: 'regtest' }, 'hello');
  }
}

/** `folder`: an empty one, for the cosigner's store and keys. */
export async function makeTranscript(folder: string): Promise<Transcript> {
  const signer = await load();
  await writeKeyFile(join(folder, 'host.key'), Secret.own(fixed('cosigner/host')));
  await writeKeyFile(join(folder, 'noise.key'), Secret.own(fixed('cosigner/noise')));
  const streams: Record<PartyId, Random> = {
    1: seededRandom('device'),
    2: seededRandom('cosigner'),
    3: seededRandom('recovery'),
  };
  const store = openSqlite(join(folder, 'cosigner.sqlite'));
  const identity = await openIdentity(folder, false, signer, streams[2]);
  const [{ number, noise }] = identity.channelKeys as [OwnChannelKey];
  await store.bind(identityName(identity), LEDGER, { number, noiseKey: noise.publicKey });
  await store.addToken(tokenHash(TOKEN), CLOCK + 60_000);
  await store.close();
  // What the cosigner keeps for itself draws from elsewhere: its stream is what the wire shows.
  const running = await startCosigner({
    folder,
    clock: { now: () => CLOCK, monotonic: () => 0 },
    around: (parts) => ({ ...parts, random: streams[2] }),
  });
  try {
    const first = await Recorder.open(running, 'connection/1');
    await first.hello();
    const born = await runKeygen(first, streams);
    const second = await Recorder.open(running, 'connection/2');
    const { ledger } = await second.hello();
    const signed = await runSigning(second, born, ledger, streams[1]);
    const third = await Recorder.open(running, 'connection/3');
    await third.hello();
    const refresh = await runRefresh(third, running, born, streams[1]);
    return {
      suite: SUITE,
      clock: CLOCK,
      token: TOKEN,
      ledger: hex.encode(ledger),
      parties: {
        device: {
          host: hex.encode(fixed('device/host')),
          encryption: hex.encode(fixed('device/encryption')),
          noise: hex.encode(fixed('device/noise')),
          seed: 'device',
        },
        cosigner: {
          host: hex.encode(fixed('cosigner/host')),
          noise: hex.encode(fixed('cosigner/noise')),
          seed: 'cosigner',
        },
        recovery: {
          host: hex.encode(fixed('recovery/host')),
          encryption: hex.encode(fixed('recovery/encryption')),
          seed: 'recovery',
        },
      },
      connections: [first.record, second.record, third.record],
      refresh,
      result: { ...describe(born), ...signed },
    };
  } finally {
    await running.stop();
  }
}

type Born = Awaited<ReturnType<typeof runKeygen>>;

async function runKeygen(channel: Recorder, streams: Record<PartyId, Random>) {
  const signer = await load();
  const self = async (id: 1 | 3, name: string): Promise<keygen.KeygenSelf> => ({
    id,
    network: 'regtest',
    host: Secret.own(fixed(`${name}/host`)),
    encryption: await keysOf(`${name}/encryption`),
    noiseKey: id === 1 ? (await keysOf('device/noise')).publicKey : new Uint8Array(0),
    policy: id === 1 ? encodePolicy(firstPolicy('regtest', termsOf(1_000_000n), CLOCK)) : new Uint8Array(0),
  });
  const [random, words] = [streams[1], streams[3]];
  const pass = async (kind: 'keygenRound1' | 'keygenRound2', device: Bytes, recovery: Bytes) =>
    (await channel.ask({ kind, device, recovery }, 'party')).message;

  const [d0, dHello] = keygen.openKeygen(signer, await self(1, 'device'), random);
  const [r0, rHello] = keygen.openKeygen(signer, await self(3, 'recovery'), words);
  const opened = await channel.ask(
    { kind: 'keygenHello', token: TOKEN, device: dHello, recovery: rHello },
    'party',
  );
  const hellos = [dHello, opened.message, rHello];
  const [d1, dRound1] = keygen.keygenRound1(signer, d0, hellos, random);
  const [r1, rRound1] = keygen.keygenRound1(signer, r0, hellos, words);
  const round1 = [dRound1, await pass('keygenRound1', dRound1, rRound1), rRound1];
  const [d2, dRound2] = await keygen.keygenRound2(signer, d1, round1, random);
  const [r2, rRound2] = await keygen.keygenRound2(signer, r1, round1, words);
  const round2 = [dRound2, await pass('keygenRound2', dRound2, rRound2), rRound2];
  const [d3, device] = await keygen.keygenFinish(signer, d2, round2, random);
  const [r3, recovery] = await keygen.keygenFinish(signer, r2, round2, words);
  const { certificate } = await channel.ask({ kind: 'keygenCertify', device, recovery }, 'certificate');
  const keys = keygen.verifyCertificate(signer, certificate);
  return { certificate, keys, share: d3.result.share, recoveryShare: r3.result.share };
}

/** Device and cosigner begin epoch 1, and show that their new shares fit. */
async function runRefresh(channel: Recorder, { cosigner }: Running, born: Born, random: Random) {
  const signer = await load();
  const epoch = firstEpoch(signer, born.keys);
  const self = { id: 1, host: Secret.own(fixed('device/host')), epoch } as const;
  const pass = async (
    kind: 'refreshOpen' | 'refreshReveal' | 'refreshCertify',
    message: Bytes,
  ): Promise<Bytes> => (await channel.ask({ kind, message }, 'party')).message;

  const [d0, open] = await openRefresh(signer, self, random);
  const theirOpen = await pass('refreshOpen', open);
  const [d1, reveal] = await revealRefresh(signer, d0, theirOpen, random);
  const theirReveal = await pass('refreshReveal', reveal);
  const [finished, certify] = await finishRefresh(signer, d1, born.share, theirReveal, random);
  const theirCertify = await pass('refreshCertify', certify);
  const record = completeRecord(signer, epoch, finished.pending, [{ from: 2, message: theirCertify }]);

  const { next, share } = finished;
  const { groupKey, number, verifyingShares } = next;
  const inputs = [testSignInput(next)];
  const attempt = { groupKey, handshakeHash: channel.handshakeHash, attempt: random(16), epoch: number };
  const own = commitAll(signer, share, attempt, inputs, random);
  const commitment = Uint8Array.from(own.commitments[0]!);
  const tested = await channel.ask({ kind: 'testSign', epoch: number, commitment }, 'tested');
  const peer = {
    id: 2,
    verifyingShare: verifyingShares[1],
    commitments: [tested.commitment],
    shares: [tested.share],
  } as const;
  const signature = Uint8Array.from(finishAll(signer, 1, share, attempt, inputs, own, peer)[0]!);
  await channel.ask({ kind: 'refreshDone', epoch: number, signature }, 'retired');

  const { wallet } = born.keys;
  const { sealed, kept } = await cosigner.store.viewWallet(wallet, async (view) => ({
    sealed: await view.sealedShare(),
    kept: (await view.records('epoch'))[0]!.body,
  }));
  const cosignerShare = await cosigner.keyWrap.open(wallet, number, sealed);
  return {
    open: { device: hex.encode(open), cosigner: hex.encode(theirOpen) },
    reveal: { device: hex.encode(reveal), cosigner: hex.encode(theirReveal) },
    certify: { device: hex.encode(certify), cosigner: hex.encode(theirCertify) },
    record: { device: hex.encode(record), cosigner: hex.encode(kept) },
    slope: hex.encode(next.slope),
    verifyingShares: verifyingShares.map((y) => hex.encode(y)),
    test: { sighash: hex.encode(inputs[0]!.sighash), signature: hex.encode(signature) },
    deviceShare: hex.encode(share.expose()),
    cosignerShare: hex.encode(cosignerShare.expose()),
  };
}

function describe({ certificate, keys, share, recoveryShare }: Born) {
  return {
    certificate: hex.encode(certificate),
    session: hex.encode(keys.session),
    wallet: hex.encode(keys.wallet),
    chainCode: hex.encode(keys.chainCode),
    groupKey: hex.encode(keys.groupKey),
    verifyingShares: keys.verifyingShares.map((y) => hex.encode(y)),
    deviceShare: hex.encode(share.expose()),
    recoveryShare: hex.encode(recoveryShare.expose()),
  };
}

async function runSigning(channel: Recorder, { keys, share }: Born, ledger: Bytes, random: Random) {
  const signer = await load();
  const { groupKey, chainCode } = keys;
  const account = { network: 'regtest', groupKey, chainCode, account: 0 } as const;
  const coins = [0, 1].map((i) => ({
    outpoint: { txid: hex.encode(fixed(`coin/${i}`)), vout: i },
    value: 400_000n,
    branch: 0 as const,
    index: i,
    height: 1,
    coinbase: false,
  }));
  const psbt = buildPayment({
    account,
    coins,
    outputs: [{ script: PAYEE, value: 500_000n }],
    change: { path: { branch: 1, index: 0 }, value: 299_000n },
    randomness: Uint8Array.of(0, 0, 0, 1),
  });
  await channel.ask({ kind: 'evaluate', psbt }, 'evaluated');
  const inputs = sighashes(parsePsbt(psbt), account);
  const attempt = random(16);
  const { handshakeHash } = channel;
  const at = { groupKey, handshakeHash, attempt, epoch: 0 };
  const committed = commitAll(signer, share, at, inputs, random);
  const commitments = committed.commitments.map((c) => Uint8Array.from(c));
  const body = encode(signBody, { attempt, epoch: 0, ledger, psbt, commitments });
  const proof = Uint8Array.from(signer.schnorrSign(share, signProofHash(handshakeHash, body), random(32)));
  const got = await channel.ask({ kind: 'sign', body, proof }, 'signed');
  const peer = { id: 2, verifyingShare: keys.verifyingShares[1], ...got } as const;
  const signatures = finishAll(signer, 1, share, at, inputs, committed, peer);
  return {
    psbt: hex.encode(psbt),
    inputs: inputs.map(({ sighash, expectedKey, tweak }, i) => ({
      sighash: hex.encode(sighash),
      derivation: hex.encode(tweak.derivation),
      key: hex.encode(expectedKey),
      signature: hex.encode(signatures[i]!),
    })),
    transaction: hex.encode(finalize(psbt, signatures).transaction),
  };
}
