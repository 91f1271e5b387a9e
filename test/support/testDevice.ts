import type { Account } from '../../src/bitcoin/descriptor.ts';
import { buildPayment, finalize, parsePsbt } from '../../src/bitcoin/psbt.ts';
import { sighashes } from '../../src/bitcoin/sighash.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { type Epoch, firstEpoch } from '../../src/frost/epoch.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { signProofHash } from '../../src/frost/proofs.ts';
import { type Committed, commitAll, finishAll } from '../../src/frost/signing.ts';
import { firstPolicy, type Policy, policyDocument } from '../../src/policy/document.ts';
import { encode } from '../../src/protocol/codec.ts';
import { type AnswerOf, type Request, signBody } from '../../src/protocol/messages.ts';
import { generateNoiseKeyPair, type NoiseKeyPair } from '../../src/protocol/noise.ts';
import type { Bytes, Client } from './deviceChannel.ts';
import { termsOf } from './terms.ts';

export interface TestDevice {
  readonly noise: NoiseKeyPair;
  readonly host: Secret;
  readonly recoveryHost: Secret;
  readonly certificate: Bytes;
  readonly keys: keygen.KeyRecord;
  /** Where its share stands. */
  readonly epoch: Epoch;
  readonly share: Secret;
  readonly recoveryShare: Secret;
  readonly account: Account;
}

export const START = 1_800_000_000_000;

export function policyOf(change: Partial<Policy> = {}): Policy {
  return { ...firstPolicy('regtest', termsOf(1_000_000n), START - 1000), ...change };
}

/** A keygen in the middle: what the device and the recovery page hold between two rounds. */
export interface Enrolling {
  readonly client: Client;
  readonly selves: [keygen.KeygenSelf, keygen.KeygenSelf];
  readonly noise: NoiseKeyPair;
}

export async function partiesFor(noise: NoiseKeyPair, policy: Bytes): Promise<Enrolling['selves']> {
  const self = async (id: 1 | 3): Promise<keygen.KeygenSelf> => ({
    id,
    network: 'regtest',
    host: Secret.own(systemRandom(32)),
    encryption: await generateNoiseKeyPair(),
    noiseKey: id === 1 ? noise.publicKey : new Uint8Array(0),
    policy: id === 1 ? policy : new Uint8Array(0),
  });
  return [await self(1), await self(3)];
}

/** Stops after the named round, as a killed worker would. */
export async function enrol(
  client: Client,
  noise: NoiseKeyPair,
  token: string,
  options: { policy?: Policy; until?: 'hello' | 'round1' | 'round2'; selves?: Enrolling['selves'] } = {},
): Promise<TestDevice> {
  const signer = await load();
  const selves =
    options.selves ?? (await partiesFor(noise, encode(policyDocument, options.policy ?? policyOf())));
  const [device, recovery] = selves;
  const stop = (at: string) => {
    if (options.until === at) throw new Error(`stopped after ${at}`);
  };
  const pass = async (kind: 'keygenRound1' | 'keygenRound2', a: Bytes, b: Bytes) =>
    (await client.ask({ kind, device: a, recovery: b }, 'party')).message;

  const [d0, dHello] = keygen.openKeygen(signer, device, systemRandom);
  const [r0, rHello] = keygen.openKeygen(signer, recovery, systemRandom);
  const opened = await client.ask({ kind: 'keygenHello', token, device: dHello, recovery: rHello }, 'party');
  const hellos = [dHello, opened.message, rHello];
  stop('hello');
  const [d1, dRound1] = keygen.keygenRound1(signer, d0, hellos, systemRandom);
  const [r1, rRound1] = keygen.keygenRound1(signer, r0, hellos, systemRandom);
  const round1 = [dRound1, await pass('keygenRound1', dRound1, rRound1), rRound1];
  stop('round1');
  const [d2, dRound2] = await keygen.keygenRound2(signer, d1, round1, systemRandom);
  const [r2, rRound2] = await keygen.keygenRound2(signer, r1, round1, systemRandom);
  const round2 = [dRound2, await pass('keygenRound2', dRound2, rRound2), rRound2];
  stop('round2');
  const [d3, dCertify] = await keygen.keygenFinish(signer, d2, round2, systemRandom);
  const [r3, rCertify] = await keygen.keygenFinish(signer, r2, round2, systemRandom);
  const { certificate } = await client.ask(
    { kind: 'keygenCertify', device: dCertify, recovery: rCertify },
    'certificate',
  );
  const keys = keygen.verifyCertificate(signer, certificate);
  return {
    noise,
    host: device.host,
    recoveryHost: recovery.host,
    certificate,
    keys,
    epoch: firstEpoch(signer, keys),
    share: d3.result.share,
    recoveryShare: r3.result.share,
    account: { network: 'regtest', groupKey: keys.groupKey, chainCode: keys.chainCode, account: 0 },
  };
}

let coinCount = 0;

/** Coins that nobody has seen: signing believes the sighash, not the chain. */
export function coinsOf(count: number, value: bigint) {
  return Array.from({ length: count }, (_, i) => ({
    outpoint: { txid: (++coinCount).toString(16).padStart(64, '0'), vout: i },
    value,
    branch: 0 as const,
    index: i,
    height: 1,
    coinbase: false,
  }));
}

/** Somebody else's Taproot script. */
export const PAYEE = Uint8Array.of(
  0x51,
  0x20,
  ...Buffer.from('50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0', 'hex'),
);

/** Pays `amount` to somebody else and `fee` to miners; the rest comes back. */
export function payment(
  { account }: Pick<TestDevice, 'account'>,
  args: { amount: bigint; fee?: bigint; coins?: ReturnType<typeof coinsOf> },
): Bytes {
  const { amount, fee = 500n, coins = coinsOf(1, 1_000_000n) } = args;
  const back = coins.reduce((sum, { value }) => sum + value, 0n) - amount - fee;
  return buildPayment({
    account,
    coins,
    outputs: [{ script: PAYEE, value: amount }],
    change: back > 0n ? { path: { branch: 1, index: 0 }, value: back } : null,
    randomness: systemRandom(4),
  });
}

export interface Attempted {
  readonly body: Bytes;
  readonly psbt: Bytes;
  readonly committed: Committed;
  readonly inputs: ReturnType<typeof sighashes>;
  readonly attempt: Bytes;
}

/** The device's first half: commitments over the PSBT. */
export async function attemptOf(
  client: Client,
  { account, share, keys, epoch: { number } }: TestDevice,
  psbt: Bytes,
  change: { epoch?: number; commitments?: Uint8Array[] } = {},
): Promise<Attempted> {
  const signer = await load();
  const attempt = systemRandom(16);
  const inputs = sighashes(parsePsbt(psbt), account);
  const { handshakeHash } = client.transport;
  const at = { groupKey: keys.groupKey, handshakeHash, attempt, epoch: number };
  const committed = commitAll(signer, share, at, inputs, systemRandom);
  const commitments = (change.commitments ?? committed.commitments).map((c) => Uint8Array.from(c));
  const { ledger } = client;
  const body = encode(signBody, { attempt, epoch: change.epoch ?? number, ledger, psbt, commitments });
  return { body, psbt, committed, inputs, attempt };
}

/** The request, proved on this very connection. */
export async function signRequest(client: Client, { share }: TestDevice, body: Bytes): Promise<Request> {
  const signer = await load();
  const hash = signProofHash(client.transport.handshakeHash, body);
  return { kind: 'sign', body, proof: Uint8Array.from(signer.schnorrSign(share, hash, systemRandom(32))) };
}

export async function askToSign(
  client: Client,
  device: TestDevice,
  body: Bytes,
): Promise<AnswerOf<'signed'>> {
  return client.ask(await signRequest(client, device, body), 'signed');
}

/** The device's second half: the finished transaction, each signature verified under BIP-340. */
export async function finish(
  client: Client,
  { share, keys, epoch }: TestDevice,
  { psbt, committed, inputs, attempt }: Attempted,
  { commitments, shares }: Pick<AnswerOf<'signed'>, 'commitments' | 'shares'>,
) {
  const signer = await load();
  const { handshakeHash } = client.transport;
  const at = { groupKey: keys.groupKey, handshakeHash, attempt, epoch: epoch.number };
  const peer = { id: 2, verifyingShare: epoch.verifyingShares[1], commitments, shares } as const;
  const signatures = finishAll(signer, 1, share, at, inputs, committed, peer);
  for (const [i, signature] of signatures.entries()) {
    if (!signer.schnorrVerify(inputs[i]!.expectedKey, inputs[i]!.sighash, signature))
      throw new Error('signature');
  }
  return finalize(psbt, signatures);
}

/** A whole payment. */
export async function pay(client: Client, device: TestDevice, amount: bigint) {
  const attempted = await attemptOf(client, device, payment(device, { amount }));
  return finish(client, device, attempted, await askToSign(client, device, attempted.body));
}
