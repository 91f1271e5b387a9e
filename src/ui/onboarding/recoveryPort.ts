/**
 * The recovery party as the onboarding screens see it. `ui` may not import `recovery`: the onboarding entrypoint, which
 * mounts both, hands it in. Messages are opaque bytes signed by recovery's host key; the screens only carry them.
 */
import type { Network } from '../../protocol/networks.ts';
import type { KeygenTerms } from '../../protocol/terms.ts';
import type { WordTools } from '../parts/words.tsx';

/** Recovery's part in keygen, wherever it is played. */
export interface RecoverySteps {
  /**
   * Derives recovery's keys from the words as they were typed back and opens a new session. Answers the hello. `BadWords`.
   * A key with another first policy than that of `terms` is never certified: `TranscriptMismatch`.
   */
  begin(words: string[], network: Network, terms: KeygenTerms): Promise<Uint8Array>;
  round1(hellos: Uint8Array[]): Promise<Uint8Array>;
  round2(round1s: Uint8Array[]): Promise<Uint8Array>;
  certify(round2s: Uint8Array[]): Promise<Uint8Array>;
  finish(certificate: Uint8Array): Promise<void>;
  /** Forgets words, keys and session. */
  wipe(): void;
}

/** Recovery played in the onboarding page, words and all. */
export interface RecoveryActor extends RecoverySteps, WordTools {
  /** Twelve fresh BIP-39 words. */
  newWords(): Promise<string[]>;
}
