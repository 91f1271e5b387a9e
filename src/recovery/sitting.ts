/**
 * The recovery page at work: one message from the extension opens a sitting, which says what is asked before a word is typed,
 * takes the words once, answers each message with one of its own, and forgets. Nothing survives it, so a page that is reloaded
 * begins anew and can answer nothing twice with the same nonces.
 */
import { hex } from '@scure/base';
import type { TaskEffect } from '../bitcoin/task.ts';
import type { Random } from '../crypto/random.ts';
import type { SignerModule } from '../crypto/signer.ts';
import { equalVar } from '../protocol/bytes.ts';
import type { CeremonyAct } from '../protocol/ceremony.ts';
import { decode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import { keygenHello, signedBody } from '../protocol/keygen.ts';
import type { Network } from '../protocol/networks.ts';
import type { OfflineMessage, OfflineOf } from '../protocol/offline.ts';
import type { KeygenTerms } from '../protocol/terms.ts';
import { openAct, signAct } from './act.ts';
import { openBundle } from './bundle.ts';
import { answerRequest, openRequest } from './cosign.ts';
import { RecoveryKeygen } from './onboarding.ts';
import * as repair from './repair.ts';
import { keysFromWords, type RecoveryKeys } from './words.ts';

export interface AskedOutput {
  /** Null for a script that has no address; then `script` is all there is to show. */
  readonly address: string | null;
  /** Hex. */
  readonly script: string;
  readonly value: bigint;
  readonly own: boolean;
}

/** What a sitting is for, as it is shown. Amounts in sats, fee rates in thousandths of a sat per vbyte. */
export type Asked =
  | {
      kind: 'payment';
      network: Network;
      epoch: number;
      /** What the wallet is poorer by, the fee included. */
      leaves: bigint;
      fee: bigint;
      feeRate: number;
      coins: number;
      outputs: AskedOutput[];
    }
  | { kind: 'drill'; network: Network; at: number; message: string; address: string }
  | {
      kind: 'repair';
      network: Network;
      target: 'device' | 'cosigner';
      /** The new holder's host key, hex: to be compared with its own screen. */
      fingerprint: string;
    }
  /** `made`: the words were made in an earlier sitting, and are typed from the paper. */
  | { kind: 'kit'; network: Network; made: boolean }
  /** A ceremony's act, to be told by what it is: whose keys it names, and what it would allow. */
  | { kind: 'act'; act: CeremonyAct }
  | {
      kind: 'birth';
      network: Network;
      terms: KeygenTerms;
      /** Of the cosigner: where it answers, and its Noise static in hex. */
      host: string;
      fingerprint: string;
    };

export interface Sitting {
  readonly asked: Asked;
  /** How many messages it answers, the first included. */
  readonly rounds: number;
  /** The first answer. May be called again after it threw, as for words that were not right: `BadWords`. */
  begin(words: readonly string[]): Promise<OfflineMessage>;
  /** The answer to the next message, or null where that was the last word. Another message than is due: `WrongSession`. */
  next(message: OfflineMessage): Promise<OfflineMessage | null>;
  wipe(): void;
}

/** Throws `WrongSession` for a message that opens nothing, and what reading it throws. */
export function openSitting(signer: SignerModule, message: OfflineMessage, random: Random): Sitting {
  switch (message.kind) {
    case 'sign':
      return signing(signer, message, random);
    case 'repairOffer':
      return repairing(signer, message, random);
    case 'kitOffer':
      return kit(signer, message, random);
    case 'keygenStart':
      return birth(signer, message);
    case 'act':
      return acting(signer, message, random);
    default:
      throw notDue(message);
  }
}

function notDue({ kind }: OfflineMessage): HoarfrostError {
  return new HoarfrostError('WrongSession', { detail: `offline ${kind}` });
}

function signing(signer: SignerModule, message: OfflineOf<'sign'>, random: Random): Sitting {
  const opened = openRequest(signer, message);
  const { key, epoch } = opened.wallet;
  return {
    asked: askedOf(opened.read.effect, key.network, epoch.number),
    rounds: 1,
    async begin(words) {
      const { host, encryption } = await keysFromWords(words);
      host.wipe();
      return answerRequest(signer, encryption.privateKey, opened, random);
    },
    next: (other) => Promise.reject(notDue(other)),
    wipe: () => {},
  };
}

function askedOf(effect: TaskEffect, network: Network, epoch: number): Asked {
  if (effect.kind === 'drill') return { ...effect, network };
  const { inputs, outputs, loss, fee, feeRate } = effect.summary;
  return {
    kind: 'payment',
    network,
    epoch,
    leaves: loss,
    fee,
    feeRate: Number(feeRate),
    coins: inputs.length,
    outputs: outputs.map(({ address, script, value, own }) => ({
      address,
      script: hex.encode(script),
      value,
      own: own !== null,
    })),
  };
}

function repairing(signer: SignerModule, message: OfflineOf<'repairOffer'>, random: Random): Sitting {
  const offer = repair.openOffer(signer, message);
  const { id, hostKey } = offer.target;
  let keys: RecoveryKeys | undefined;
  let joined: repair.JoinedOffer | undefined;
  let summed: repair.SummedOffer | undefined;
  const wipe = () => {
    if (joined !== undefined) repair.dropOffer(joined);
    keys?.host.wipe();
    keys = undefined;
    joined = undefined;
    summed = undefined;
  };
  return {
    asked: {
      kind: 'repair',
      network: offer.wallet.key.network,
      target: id === 1 ? 'device' : 'cosigner',
      fingerprint: hex.encode(hostKey),
    },
    rounds: 3,
    async begin(words) {
      wipe();
      keys = await keysFromWords(words);
      const [state, answer] = await repair.joinOffer(signer, keys, offer, random);
      joined = state;
      return answer;
    },
    async next(said) {
      if (said.kind === 'repairDelta' && joined !== undefined) {
        const state = joined;
        joined = undefined;
        const [after, answer] = await repair.sumOffer(signer, state, said, random);
        summed = after;
        return answer;
      }
      if (said.kind !== 'repairHeld' || summed === undefined) throw notDue(said);
      const answer = repair.approveOffer(signer, summed, said, random);
      wipe();
      return answer;
    },
    wipe,
  };
}

function kit(signer: SignerModule, message: OfflineOf<'kitOffer'>, random: Random): Sitting {
  const { network } = openBundle(signer, message.bundle).key;
  const made = message.hostKey !== null;
  let keys: RecoveryKeys | undefined;
  let opened: repair.OpenedKit | undefined;
  const wipe = () => {
    keys?.host.wipe();
    keys = undefined;
    opened = undefined;
  };
  return {
    asked: { kind: 'kit', network, made },
    // Before the ceremony it is only told which keys the words give.
    rounds: made ? 2 : 1,
    async begin(words) {
      wipe();
      keys = await keysFromWords(words);
      const [state, answer] = repair.openKit(signer, keys, message, random);
      opened = state;
      return answer;
    },
    async next(said) {
      if (said.kind !== 'kitSums' || opened === undefined) throw notDue(said);
      const answer = await repair.finishKit(signer, opened, said, random);
      wipe();
      return answer;
    },
    wipe,
  };
}

function acting(signer: SignerModule, message: OfflineOf<'act'>, random: Random): Sitting {
  const opened = openAct(message);
  return {
    asked: { kind: 'act', act: opened.act },
    rounds: 1,
    begin: (words) => signAct(signer, words, opened, random),
    next: (other) => Promise.reject(notDue(other)),
    wipe: () => {},
  };
}

function birth(signer: SignerModule, { network, terms, host, cosigner }: OfflineOf<'keygenStart'>): Sitting {
  const keygen = new RecoveryKeygen(signer);
  type Round = OfflineOf<'keygenSaid'>['round'];
  const said = (round: Round, message: Uint8Array<ArrayBuffer>): OfflineMessage => ({
    kind: 'keygenSaid',
    round,
    message,
  });
  return {
    asked: { kind: 'birth', network, terms, host, fingerprint: hex.encode(cosigner) },
    rounds: 4,
    begin: async (words) => said('hello', await keygen.begin(words, network, terms)),
    async next(heard) {
      if (heard.kind === 'keygenDone') {
        await keygen.finish(heard.certificate);
        return null;
      }
      if (heard.kind !== 'keygenHeard') throw notDue(heard);
      switch (heard.round) {
        case 'hello':
          ensureNamed(heard.messages[1]!, cosigner);
          return said('round1', await keygen.round1(heard.messages));
        case 'round1':
          return said('round2', await keygen.round2(heard.messages));
        case 'round2':
          return said('certify', await keygen.certify(heard.messages));
      }
    },
    wipe: () => keygen.wipe(),
  };
}

/** The cosigner that takes part is the one whose fingerprint was shown: its signature is checked with the rest of the hello. */
function ensureNamed(hello: Uint8Array<ArrayBuffer>, cosigner: Uint8Array<ArrayBuffer>): void {
  const { noiseKey } = decode(keygenHello, decode(signedBody, hello).body);
  ensure(equalVar(noiseKey, cosigner), 'TranscriptMismatch', { detail: 'cosigner', culprit: 2 });
}
