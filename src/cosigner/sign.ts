/**
 * Signing (DESIGN section 3): proof, authorisation, then nonces and shares in one go, the answer stored, the answer sent. No
 * nonce outlives the call, and nothing is ever computed twice for one attempt.
 */
import type { Epoch } from '../frost/epoch.ts';
import { messageProofHash, messageRequestHash, signProofHash, signRequestHash } from '../frost/proofs.ts';
import { answerAll } from '../frost/signing.ts';
import { equalVar } from '../protocol/bytes.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { type Answer, answer, messageBody, type Request, signBody } from '../protocol/messages.ts';
import { authorise, authoriseMessage } from './authorise.ts';
import type { Cosigner } from './cosigner.ts';
import type { OwnChannelKey } from './identity.ts';
import type { Bytes } from './store.ts';
import { deviceShareKey } from './wallet.ts';

/** At the other end of a connection. */
export interface Peer {
  /** Its authenticated Noise static. */
  readonly deviceKey: Bytes;
  readonly handshakeHash: Bytes;
  /** Ours: the one that it was reached by. */
  readonly channelKey: OwnChannelKey;
}

/**
 * `Unauthorised` without a proof by share 1 on this very connection, before anything else is looked at; `NotEnrolled` if
 * another device has taken the place of this one.
 */
export async function sign(
  cosigner: Cosigner,
  id: Bytes,
  { deviceKey, handshakeHash }: Pick<Peer, 'deviceKey' | 'handshakeHash'>,
  { kind, body, proof }: Extract<Request, { kind: 'sign' | 'signMessage' }>,
): Promise<Answer> {
  const { store, wallets, signer, random } = cosigner;
  const payment = kind === 'sign';
  const request = payment ? signRequestHash(body) : messageRequestHash(body);
  const proved = (payment ? signProofHash : messageProofHash)(handshakeHash, body);
  // One transaction from the proof to the receipt: it sees one wallet, and costs one look at it.
  const authorised = await store.withWallet(id, async (tx) => {
    ensure(equalVar(tx.wallet.deviceKey, deviceKey), 'NotEnrolled', { detail: 'another device' });
    const wallet = await wallets.read(cosigner, tx);
    const provedIn = (epoch: Epoch) => signer.schnorrVerify(deviceShareKey(epoch), proved, proof);
    if (!provedIn(wallet.epoch)) {
      // Who proves a share of before is only left behind.
      ensure(!wallet.epochs.some(provedIn), 'EpochStale');
      throw new HoarfrostError('Unauthorised', { detail: 'proof' });
    }
    const decided = payment
      ? await authorise(cosigner, tx, wallet, request, decode(signBody, body))
      : await authoriseMessage(cosigner, tx, wallet, request, decode(messageBody, body));
    return { ...decided, wallet };
  });
  if (authorised.kind === 'settled') return authorised.answer;

  const { wallet, asked, inputs, digest, receipt, sealed } = authorised;
  const epoch = asked.epoch;
  const attempt = {
    groupKey: wallet.keys.groupKey,
    handshakeHash,
    attempt: asked.attempt,
    epoch,
  };
  const peer = { id: 1, commitments: asked.commitments } as const;
  const share = await openShare(cosigner, id, epoch, sealed);
  let signed: Answer;
  try {
    const { commitments, shares } = answerAll(signer, 2, share, attempt, inputs, peer, random);
    signed = {
      kind: 'signed',
      digest,
      commitments: commitments.map((c) => Uint8Array.from(c)),
      shares: shares.map((s) => Uint8Array.from(s)),
      receipt,
    };
  } finally {
    share.wipe();
  }
  await store.withWallet(id, async (tx) => {
    ensure(tx.wallet.epoch === epoch, 'EpochStale');
    await tx.storeAnswer(request, encode(answer, signed));
  });
  return signed;
}

/** `EpochStale` rather than a share that is gone, where a refresh came between the ledger and this. */
async function openShare({ store, keyWrap }: Cosigner, id: Bytes, epoch: number, sealed: Bytes) {
  try {
    return await keyWrap.open(id, epoch, sealed);
  } catch (e) {
    const now = await store.viewWallet(id, async (view) => view.wallet.epoch);
    ensure(now === epoch, 'EpochStale');
    throw e;
  }
}
