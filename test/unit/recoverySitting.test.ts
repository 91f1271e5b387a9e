import { hex } from '@scure/base';
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { firstPolicy, policyDocument } from '../../src/policy/document.ts';
import { encode } from '../../src/protocol/codec.ts';
import type { OfflineMessage, OfflineOf } from '../../src/protocol/offline.ts';
import { openSitting, type Sitting } from '../../src/recovery/sitting.ts';
import { newWords } from '../../src/recovery/words.ts';
import { paymentTask, requestOf } from '../support/offline.ts';
import { partyOf, seededRandom } from '../support/parties.ts';
import { begin } from '../support/shares.ts';
import { termsOf } from '../support/terms.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const random = seededRandom('recovery sitting');
const code = (c: string) => expect.objectContaining({ code: c });
const TERMS = termsOf(750_000n);

let signer: SignerModule;
beforeAll(async () => {
  signer = await load();
});

/** Device and cosigner of a wallet that is to be, and what the page is shown of them. */
async function birth(limit = TERMS.dailyLimit) {
  const policy = encode(policyDocument, firstPolicy('regtest', termsOf(limit), 1_700_000_000_000));
  const selves = [{ ...(await partyOf(1, random)), policy }, await partyOf(2, random)];
  const start: OfflineOf<'keygenStart'> = {
    kind: 'keygenStart',
    network: 'regtest',
    terms: TERMS,
    host: 'localhost:8443',
    cosigner: selves[1]!.noiseKey,
  };
  const opened = selves.map((self) => keygen.openKeygen(signer, self, random));
  return { start, opened };
}

async function saidBy(step: Promise<OfflineMessage | null>, round: string): Promise<Bytes> {
  const said = (await step) as OfflineOf<'keygenSaid'>;
  expect(said).toMatchObject({ kind: 'keygenSaid', round });
  return said.message;
}

const heard = (
  sitting: Sitting,
  round: 'hello' | 'round1' | 'round2',
  messages: Bytes[],
): Promise<OfflineMessage | null> => sitting.next({ kind: 'keygenHeard', round, messages });

describe('a sitting that makes the words of a new wallet', () => {
  test('shows the terms and the cosigner, takes part in every round, and checks the record at the end', async () => {
    const { start, opened } = await birth();
    const sitting = openSitting(signer, start, random);
    expect(sitting.asked).toEqual({
      kind: 'birth',
      network: 'regtest',
      terms: TERMS,
      host: 'localhost:8443',
      fingerprint: hex.encode(start.cosigner),
    });
    const hellos = [...opened.map(([, m]) => m), await saidBy(sitting.begin(newWords()), 'hello')];
    const first = opened.map(([state]) => keygen.keygenRound1(signer, state, hellos, random));
    const round1 = [...first.map(([, m]) => m), await saidBy(heard(sitting, 'hello', hellos), 'round1')];
    const second = [];
    for (const [state] of first) second.push(await keygen.keygenRound2(signer, state, round1, random));
    const round2 = [...second.map(([, m]) => m), await saidBy(heard(sitting, 'round1', round1), 'round2')];
    const third = [];
    for (const [state] of second) third.push(await keygen.keygenFinish(signer, state, round2, random));
    const certify = [...third.map(([, m]) => m), await saidBy(heard(sitting, 'round2', round2), 'certify')];
    const certificate = keygen.keygenCertificate(signer, third[0]![0], certify);
    expect(await sitting.next({ kind: 'keygenDone', certificate })).toBeNull();
  });

  test('stops before it says more than hello: another limit than was shown, or another cosigner', async () => {
    const { start, opened } = await birth(TERMS.dailyLimit + 1n);
    const greedy = openSitting(signer, start, random);
    const hellos = [...opened.map(([, m]) => m), await saidBy(greedy.begin(newWords()), 'hello')];
    await expect(heard(greedy, 'hello', hellos)).rejects.toEqual(code('TranscriptMismatch'));

    const honest = await birth();
    const other = openSitting(signer, { ...honest.start, cosigner: random(32) as Bytes }, random);
    const others = [...honest.opened.map(([, m]) => m), await saidBy(other.begin(newWords()), 'hello')];
    await expect(heard(other, 'hello', others)).rejects.toEqual(code('TranscriptMismatch'));
  });

  test('a message out of turn is WrongSession, and the sitting goes on', async () => {
    const { start, opened } = await birth();
    const sitting = openSitting(signer, start, random);
    const hellos = [...opened.map(([, m]) => m), await saidBy(sitting.begin(newWords()), 'hello')];
    for (const round of ['round1', 'round2'] as const)
      await expect(heard(sitting, round, hellos)).rejects.toEqual(code('WrongSession'));
    await expect(sitting.next(start)).rejects.toEqual(code('WrongSession'));
    await saidBy(heard(sitting, 'hello', hellos), 'round1');
    sitting.wipe();
    await expect(heard(sitting, 'round1', hellos)).rejects.toEqual(code('WrongSession'));
  });
});

describe('what opens a sitting', () => {
  test('an answer, or a message of the middle, opens nothing', () => {
    for (const message of [
      { kind: 'keygenDone', certificate: new Uint8Array(1) },
      { kind: 'repairHeld', certify: new Uint8Array(1) },
      {
        kind: 'signed',
        attempt: new Uint8Array(16),
        digest: new Uint8Array(32),
        commitments: [],
        shares: [],
      },
    ] as OfflineMessage[])
      expect(() => openSitting(signer, message, random)).toThrow(code('WrongSession'));
  });

  test('words that are not of this wallet may be typed again', async () => {
    const life = await begin(signer, seededRandom('sitting'));
    const { message } = requestOf(signer, life, paymentTask(life, random), random);
    const sitting = openSitting(signer, message, random);
    await expect(sitting.begin(newWords())).rejects.toEqual(code('BadWords'));
    await expect(sitting.begin(newWords().slice(1))).rejects.toEqual(code('BadWords'));
    await expect(sitting.next(message)).rejects.toEqual(code('WrongSession'));
  });
});
