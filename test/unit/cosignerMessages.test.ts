/** Texts that are signed for an address, over the wire: BIP-322 *simple*, made by the cosigner from the text, and never a spend. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deriveKey } from '../../src/bitcoin/descriptor.ts';
import { encodeMessageSignature, messageToSign, verifyMessage } from '../../src/bitcoin/message.ts';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { messageProofHash, signProofHash } from '../../src/frost/proofs.ts';
import { type Committed, commitAll, finishAll } from '../../src/frost/signing.ts';
import { ceremonyId, deviceActHash, wordsActHash } from '../../src/policy/ceremony.ts';
import { encodePolicy, type Policy } from '../../src/policy/document.ts';
import { policyChangeHash, signedPolicy } from '../../src/policy/versions.ts';
import { ceremonyAct, wordsAct } from '../../src/protocol/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { GAP_OWN_OUTPUT, SIGNED_TEXT_MAX } from '../../src/protocol/limits.ts';
import {
  type AnswerOf,
  type MessageBody,
  messageBody,
  receiptBody,
  signBody,
} from '../../src/protocol/messages.ts';
import {
  addressOf,
  askToSign,
  attemptOf,
  type Bytes,
  Client,
  newDevice,
  payment,
  policyOf,
  type Running,
  removeFolder,
  startCosigner,
  type TestDevice,
  testFolder,
} from '../support/cosigner.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const TEXT = 'I am the owner of this address. ✓';

let folder: string;
let running: Running;
let device: TestDevice;
let client: Client;
beforeEach(async () => {
  folder = testFolder();
  running = await startCosigner({ folder });
  ({ device, client } = await newDevice(running));
});
afterEach(async () => {
  await running.stop();
  removeFolder(folder);
});

const attemptFor = (attempt: Bytes) => ({
  groupKey: device.keys.groupKey,
  handshakeHash: client.transport.handshakeHash,
  attempt,
  epoch: 0,
});

async function prepared(change: Partial<MessageBody> = {}) {
  const signer = await load();
  const { branch = 0, index = 0, message = TEXT } = change;
  const input = messageToSign(deriveKey(device.account, branch as 0 | 1, index), message);
  const attempt = systemRandom(16);
  const committed = commitAll(signer, device.share, attemptFor(attempt), [input], systemRandom);
  const commitment = Uint8Array.from(committed.commitments[0]!);
  const { ledger } = client;
  const body = encode(messageBody, {
    attempt,
    epoch: 0,
    ledger,
    branch,
    index,
    message,
    commitment,
    ...change,
  });
  return { body, input, attempt, committed };
}

async function ask<K extends 'signed' | 'refused'>(body: Bytes, kind: K): Promise<AnswerOf<K>> {
  const signer = await load();
  const hash = messageProofHash(client.transport.handshakeHash, body);
  const proof = Uint8Array.from(signer.schnorrSign(device.share, hash, systemRandom(32)));
  return client.ask({ kind: 'signMessage', body, proof }, kind);
}

async function finished(
  made: { input: ReturnType<typeof messageToSign>; attempt: Bytes; committed: Committed },
  { commitments, shares }: AnswerOf<'signed'>,
): Promise<string> {
  const signer = await load();
  const peer = { id: 2, verifyingShare: device.keys.verifyingShares[1], commitments, shares } as const;
  const at = attemptFor(made.attempt);
  const [signature] = finishAll(signer, 1, device.share, at, [made.input], made.committed, peer);
  return encodeMessageSignature(signature!);
}

const spent = async () => (await client.ask({ kind: 'policy' }, 'policy')).spentInWindows;

test('BIP-322: a text is signed by two of three, in one round trip; it costs nothing and has its receipt', async () => {
  for (const [branch, index, message] of [
    [0, 0, TEXT],
    [1, 7, ''],
    [0, GAP_OWN_OUTPUT - 1, 'x'.repeat(SIGNED_TEXT_MAX)],
  ] as const) {
    const made = await prepared({ branch, index, message });
    const answer = await ask(made.body, 'signed');
    expect(answer.digest).toEqual(Uint8Array.from(made.input.sighash));
    const { address } = deriveKey(device.account, branch, index);
    expect(verifyMessage(address, 'regtest', message, await finished(made, answer))).toBe('valid');
    expect(decode(receiptBody, answer.receipt.body)).toMatchObject({
      before: 0n,
      after: 0n,
      verdict: { kind: 'signs', leftInWindow: null },
    });
  }
  expect(await spent()).toEqual([0n]);
});

test('attack-13 the same request is told the same, and its commitments sign nothing else: no other text, no payment', async () => {
  const { body } = await prepared();
  const answer = await ask(body, 'signed');
  expect(await ask(body, 'signed')).toEqual(answer);
  const { commitment } = decode(messageBody, body);
  const other = await prepared({ commitment, message: 'another' });
  await expect(ask(other.body, 'signed')).rejects.toEqual(code('AttemptReused'));
  const psbt = payment(device, { amount: 1000n });
  const pays = await attemptOf(client, device, psbt, { commitments: [commitment] });
  await expect(askToSign(client, device, pays.body)).rejects.toEqual(code('AttemptReused'));

  const paid = await attemptOf(client, device, psbt);
  await askToSign(client, device, paid.body);
  const again = await prepared({ commitment: decode(signBody, paid.body).commitments[0]! });
  await expect(ask(again.body, 'signed')).rejects.toEqual(code('AttemptReused'));
});

test('attack-20 a proof for a text is none for a payment, and the other way about; nor is one request read as the other', async () => {
  const signer = await load();
  const { body } = await prepared();
  const pays = (await attemptOf(client, device, payment(device, { amount: 1000n }))).body;
  const prove = (hash: Uint8Array) =>
    Uint8Array.from(signer.schnorrSign(device.share, hash, systemRandom(32)));
  const { handshakeHash } = client.transport;
  const text = { kind: 'signMessage', body, proof: prove(signProofHash(handshakeHash, body)) } as const;
  await expect(client.ask(text, 'signed')).rejects.toEqual(code('Unauthorised'));
  const payed = { kind: 'sign', body: pays, proof: prove(messageProofHash(handshakeHash, pays)) } as const;
  await expect(client.ask(payed, 'signed')).rejects.toEqual(code('Unauthorised'));
  await expect(askToSign(client, device, body)).rejects.toBeInstanceOf(Error);
  await expect(ask(pays, 'signed')).rejects.toBeInstanceOf(Error);
  expect(await client.ask({ kind: 'receipts', from: 1 }, 'receipts')).toMatchObject({ receipts: [] });
});

test('another epoch, another ledger, no point, an address far ahead or of no branch is refused', async () => {
  const refused = async (change: Partial<MessageBody>, name: string) => {
    const made = await prepared();
    const body = encode(messageBody, { ...decode(messageBody, made.body), ...change });
    await expect(ask(body, 'signed')).rejects.toEqual(code(name));
  };
  await refused({ epoch: 1 }, 'EpochStale');
  await refused({ ledger: systemRandom(16) }, 'AttemptBurned');
  await refused({ commitment: new Uint8Array(66) }, 'BadEncoding');
  await refused({ index: GAP_OWN_OUTPUT }, 'BadAddress');
  await refused({ branch: 2 }, 'BadAddress');
});

test('texts count among the decisions that a wallet may have', async () => {
  await running.stop();
  running = await startCosigner({ folder, limits: { decisions: { most: 2, inMs: 60_000 } } });
  client = await Client.connect(addressOf(running), device.noise);
  for (const message of ['one', 'two']) await ask((await prepared({ message })).body, 'signed');
  await expect(ask((await prepared({ message: 'three' })).body, 'signed')).rejects.toEqual(
    code('RateLimited'),
  );
});

test('a frozen wallet signs no text', async () => {
  const signer = await load();
  const frozen: Policy = { ...policyOf(), version: 2, frozen: true };
  const hash = policyChangeHash(device.keys.wallet, policyOf(), frozen);
  const signed = encode(signedPolicy, {
    document: encodePolicy(frozen),
    epoch: 0,
    device: Uint8Array.from(signer.schnorrSign(device.share, hash, systemRandom(32))),
    recovery: null,
    freeze: null,
    ceremony: null,
  });
  await client.ask({ kind: 'changePolicy', signed }, 'done');
  expect(await ask((await prepared()).body, 'refused')).toMatchObject({ verdict: { rule: 'frozen' } });
});

test('while a ceremony is contested no text is signed', async () => {
  const signer = await load();
  const sign = (key: Secret, hash: Uint8Array) =>
    Uint8Array.from(signer.schnorrSign(key, hash, systemRandom(32)));
  const noiseKey = systemRandom(32);
  const hostKey = Uint8Array.from(signer.publicKey(Secret.own(systemRandom(32))).subarray(1));
  const purpose = { kind: 'replaceDevice', hostKey, noiseKey } as const;
  const act = encode(ceremonyAct, {
    kind: 'open',
    network: 'regtest',
    wallet: null,
    purpose,
    random: systemRandom(16),
  });
  const message = encode(wordsAct, {
    hostKey: device.keys.hostKeys[2],
    act,
    signature: sign(device.recoveryHost, wordsActHash(act)),
  });
  await client.ask({ kind: 'actByWords', message }, 'ceremony');
  await ask((await prepared()).body, 'signed');
  const no = encode(ceremonyAct, { kind: 'say', ceremony: ceremonyId(act), says: 'contest', at: Date.now() });
  const proof = sign(device.share, deviceActHash(client.transport.handshakeHash, no));
  await client.ask({ kind: 'actByDevice', act: no, proof }, 'ceremony');
  expect(await ask((await prepared()).body, 'refused')).toMatchObject({ verdict: { rule: 'contested' } });
});
