/** The device's half of signing with recovery, by hand: what a test may spoil before it is sent. */
import { hex } from '@scure/base';
import { type Account, deriveKey } from '../../src/bitcoin/descriptor.ts';
import { buildPayment } from '../../src/bitcoin/psbt.ts';
import { readTask } from '../../src/bitcoin/task.ts';
import type { Random } from '../../src/crypto/random.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { offlineRequestHash } from '../../src/frost/proofs.ts';
import { type Committed, commitAll, finishAll } from '../../src/frost/signing.ts';
import { encode } from '../../src/protocol/codec.ts';
import {
  type OfflineOf,
  type OfflineSignBody,
  type OfflineTask,
  offlineSignBody,
} from '../../src/protocol/offline.ts';
import type { RecoveryKeys } from '../../src/recovery/words.ts';
import type { Life } from './shares.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export function accountOf({ born }: Life): Account {
  const { network, groupKey, chainCode } = born.record;
  return { network, groupKey, chainCode, account: 0 };
}

/** As the words that are valid now give them. */
export function keysOf({ words, holders }: Life): RecoveryKeys {
  return { host: holders[2].host, encryption: words };
}

export function bundleOf({ born, records }: Life) {
  return { certificate: born.certificate, copies: [[...records[1]], [...records[2]]] };
}

/** Two coins of the account to somebody else, with change. */
export function paymentTask(life: Life, random: Random): OfflineTask {
  const account = accountOf(life);
  const coin = (index: number) => ({
    outpoint: { txid: hex.encode(random(32)), vout: 0 },
    value: 60_000n,
    branch: 0 as const,
    index,
    height: 1,
    coinbase: false,
  });
  const { script } = deriveKey({ ...account, account: 5 }, 0, 0);
  const psbt = buildPayment({
    account,
    coins: [coin(0), coin(1)],
    outputs: [{ script, value: 100_000n }],
    change: { path: { branch: 1, index: 0 }, value: 19_000n },
    randomness: random(4),
  });
  return { kind: 'payment', psbt, receive: 2, change: 0 };
}

/** A request as the device makes it, and what it keeps. */
export function requestOf(
  signer: SignerModule,
  life: Life,
  task: OfflineTask,
  random: Random,
  spoil: (body: OfflineSignBody) => OfflineSignBody = (body) => body,
) {
  const { epoch, holders } = life;
  const { inputs } = readTask(task, accountOf(life));
  const attempt = {
    groupKey: epoch.groupKey,
    handshakeHash: random(32),
    attempt: random(16) as Bytes,
    epoch: epoch.number,
  };
  const committed = commitAll(signer, holders[0].share, attempt, inputs, random);
  const commitments = committed.commitments.map((pair) => Uint8Array.from(pair));
  const said = { bundle: bundleOf(life), epoch: epoch.number, attempt: attempt.attempt, task, commitments };
  const body = encode(offlineSignBody, spoil(said));
  const signature = Uint8Array.from(
    signer.schnorrSign(holders[0].host, offlineRequestHash(body), random(32)),
  );
  const message: OfflineOf<'sign'> = { kind: 'sign', body, signature };
  return { message, attempt, committed, inputs };
}

/** The device's last step. Throws what `finishAll` throws. */
export function finish(
  signer: SignerModule,
  life: Life,
  { attempt, committed, inputs }: ReturnType<typeof requestOf> & { committed: Committed },
  { commitments, shares }: OfflineOf<'signed'>,
): Uint8Array[] {
  const verifyingShare = life.epoch.verifyingShares[2];
  const peer = { id: 3 as const, verifyingShare, commitments, shares };
  return finishAll(signer, 1, life.holders[0].share, attempt, inputs, committed, peer);
}
