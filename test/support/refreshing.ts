/** The device's side of a refresh by hand, over a real connection: each message can be stopped at, spoilt or sent again. */

import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import type { Secret } from '../../src/crypto/secret.ts';
import { advance, completeRecord, type Epoch, testSignInput } from '../../src/frost/epoch.ts';
import { finishRefresh, openRefresh, type RefreshFinished, revealRefresh } from '../../src/frost/refresh.ts';
import { commitAll, finishAll } from '../../src/frost/signing.ts';
import type { Bytes, Client, TestDevice } from './cosigner.ts';

export interface Certified {
  readonly finished: RefreshFinished;
  /** Our certify message. */
  readonly message: Bytes;
}

/** What a test changes on the way up. */
export type SpoilUp = Partial<Record<'open' | 'reveal', (message: Bytes) => Bytes>>;

/** Up to our certify message, which has not left. */
export async function refreshRounds(
  client: Client,
  device: Pick<TestDevice, 'host' | 'epoch' | 'share'>,
  spoil: SpoilUp = {},
): Promise<Certified> {
  const signer = await load();
  const { host, epoch, share } = device;
  const [d0, open] = await openRefresh(signer, { id: 1, host, epoch }, systemRandom);
  const opened = await client.ask({ kind: 'refreshOpen', message: spoil.open?.(open) ?? open }, 'party');
  const [d1, reveal] = await revealRefresh(signer, d0, opened.message, systemRandom);
  const asked = { kind: 'refreshReveal', message: spoil.reveal?.(reveal) ?? reveal } as const;
  const revealed = await client.ask(asked, 'party');
  const [finished, message] = await finishRefresh(signer, d1, share, revealed.message, systemRandom);
  return { finished, message };
}

/** The device in its next epoch, by the cosigner's certify message. */
export async function moved(device: TestDevice, { finished }: Certified, answer: Bytes): Promise<TestDevice> {
  const signer = await load();
  const record = completeRecord(signer, device.epoch, finished.pending, [{ from: 2, message: answer }]);
  return { ...device, epoch: advance(signer, device.epoch, record), share: finished.share };
}

export async function refreshed(client: Client, device: TestDevice): Promise<TestDevice> {
  const certified = await refreshRounds(client, device);
  const { message } = await client.ask({ kind: 'refreshCertify', message: certified.message }, 'party');
  return moved(device, certified, message);
}

/** The signature under K0 that shows both shares of the epoch to fit. */
export async function testSignature(client: Client, device: TestDevice): Promise<Bytes> {
  const signer = await load();
  const { epoch, share } = device;
  const { attempt, own, inputs } = await testCommitment(client, epoch, share);
  const commitment = Uint8Array.from(own.commitments[0]!);
  const tested = await client.ask({ kind: 'testSign', epoch: epoch.number, commitment }, 'tested');
  const verifyingShare = epoch.verifyingShares[1];
  const peer = { id: 2, verifyingShare, commitments: [tested.commitment], shares: [tested.share] } as const;
  return Uint8Array.from(finishAll(signer, 1, share, attempt, inputs, own, peer)[0]!);
}

export async function testCommitment(client: Client, epoch: Epoch, share: Secret) {
  const signer = await load();
  const inputs = [testSignInput(epoch)];
  const { handshakeHash } = client.transport;
  const attempt = {
    groupKey: epoch.groupKey,
    handshakeHash,
    attempt: systemRandom(16),
    epoch: epoch.number,
  };
  return { attempt, inputs, own: commitAll(signer, share, attempt, inputs, systemRandom) };
}

/** To its end: the cosigner's old share is gone. */
export async function refreshedFully(client: Client, device: TestDevice): Promise<TestDevice> {
  const next = await refreshed(client, device);
  const signature = await testSignature(client, next);
  await client.ask({ kind: 'refreshDone', epoch: next.epoch.number, signature }, 'retired');
  return next;
}
