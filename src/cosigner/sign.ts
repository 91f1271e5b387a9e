/**
 * Signing (DESIGN section 3): proof, authorisation, then nonces and shares in one go, the answer stored, the answer sent. No
 * nonce outlives the call, and nothing is ever computed twice for one attempt.
 */

import { signProofHash, signRequestHash } from '../frost/proofs.ts';
import { answerAll } from '../frost/signing.ts';
import { decode, encode } from '../protocol/codec.ts';
import { ensure } from '../protocol/errors.ts';
import { type Answer, answer, type Request, signBody } from '../protocol/messages.ts';
import { authorise } from './authorise.ts';
import type { Cosigner } from './cosigner.ts';
import type { Bytes } from './store.ts';

/** `Unauthorised` without a proof by share 1 on this very connection, before anything else is looked at. */
export async function sign(
  cosigner: Cosigner,
  id: Bytes,
  handshakeHash: Bytes,
  { body, proof }: Extract<Request, { kind: 'sign' }>,
): Promise<Answer> {
  const { store, wallets, keyWrap, signer, random } = cosigner;
  const { record, sealed } = await store.viewWallet(id, async (view) => ({
    record: view.wallet,
    sealed: await view.sealedShare(),
  }));
  const wallet = wallets.read(cosigner, record);
  const key = wallet.deviceShareKey.subarray(1);
  ensure(signer.schnorrVerify(key, signProofHash(handshakeHash, body), proof), 'Unauthorised', {
    detail: 'proof',
  });

  const asked = decode(signBody, body);
  const request = signRequestHash(body);
  const authorised = await authorise(cosigner, record, wallet, request, asked);
  if (authorised.kind === 'settled') return authorised.answer;

  const { inputs, digest, receipt } = authorised;
  const attempt = {
    groupKey: wallet.keys.groupKey,
    handshakeHash,
    attempt: asked.attempt,
    epoch: record.epoch,
  };
  const peer = { id: 1, commitments: asked.commitments } as const;
  const share = await keyWrap.open(id, record.epoch, sealed);
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
  await store.withWallet(id, (tx) => tx.storeAnswer(request, encode(answer, signed)));
  return signed;
}
