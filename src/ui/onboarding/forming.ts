/**
 * Drives keygen between the device (behind the port) and recovery (beside us): it carries opaque messages from one to
 * the other. No DOM. After the worker's death it asks whether the wallet is finished; if not, everything starts afresh
 * from the words, which are still in memory: a round is never repeated within a session.
 */
import { type ErrorCode, isHoarfrostError } from '../../protocol/errors.ts';
import type { Network } from '../../protocol/networks.ts';
import type { KeygenTerms } from '../../protocol/terms.ts';
import type { DeviceClient } from '../portClient.ts';
import type { RecoverySteps } from './recoveryPort.ts';

export interface FormingPlan {
  uri: string;
  network: Network;
  password: string;
  terms: KeygenTerms;
  words: string[];
}

/** Which of the four steps is being taken; `done` when all are. */
export type FormingStage = 'numbers' | 'pieces' | 'record' | 'check' | 'done';

export interface FormingProgress {
  step: FormingStage;
  /** How often it began again. */
  restarts: number;
}

/** Ends of a connection or session that say nothing about the parties: worth a fresh start without asking. */
const INTERRUPTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ChannelClosed',
  'DeadlineExceeded',
  'SessionUnknown',
  'WrongSession',
  'OutOfSequence',
]);
export const RESTARTS_MAX = 8;
const PAUSE_MS = 250;

/**
 * Resolves once recovery has checked the certificate and is wiped. Rejects with what stopped it; calling again looks
 * first whether the wallet was finished after all.
 */
export async function formShares(
  client: DeviceClient,
  recovery: RecoverySteps,
  plan: FormingPlan,
  onProgress: (progress: FormingProgress) => void,
  again = false,
): Promise<void> {
  let interrupted = again;
  for (let restarts = 0; ; restarts++) {
    try {
      const certificate =
        (interrupted ? await resumed(client) : null) ??
        (await oneSession(client, recovery, plan, (step) => onProgress({ step, restarts })));
      onProgress({ step: 'check', restarts });
      await recovery.finish(certificate);
      onProgress({ step: 'done', restarts });
      return;
    } catch (e) {
      if (!isHoarfrostError(e) || !INTERRUPTED.has(e.code) || restarts >= RESTARTS_MAX) throw e;
      interrupted = true;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** Math.min(restarts, 4)));
    }
  }
}

async function resumed(client: DeviceClient): Promise<Uint8Array | null> {
  return (await client.call('keygenResume', null)).certificate;
}

async function oneSession(
  client: DeviceClient,
  recovery: RecoverySteps,
  plan: FormingPlan,
  onStep: (step: FormingStage) => void,
): Promise<Uint8Array> {
  const { uri, network, password, terms } = plan;
  onStep('numbers');
  const recoveryHello = await recovery.begin(plan.words, network, terms);
  const { hellos } = await client.call('keygenStart', { uri, network, password, terms, recoveryHello });
  const round1 = await client.call('keygenRound1', { recovery: await recovery.round1(hellos) });
  onStep('pieces');
  const round2 = await client.call('keygenRound2', { recovery: await recovery.round2(round1.messages) });
  onStep('record');
  const { certificate } = await client.call('keygenCertify', {
    recovery: await recovery.certify(round2.messages),
  });
  return certificate;
}
