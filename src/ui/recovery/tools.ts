/**
 * The recovery party as the page's screens see it. `ui` may not import `recovery`: the page's entrypoint, which mounts both,
 * hands it in. What is asked here is already verified; nothing the screens show is the word of whoever sent the message.
 */
import type { CeremonyAct } from '../../protocol/ceremony.ts';
import type { Network } from '../../protocol/networks.ts';
import type { OfflineMessage } from '../../protocol/offline.ts';
import type { KeygenTerms } from '../../protocol/terms.ts';
import type { WordTools } from '../parts/words.tsx';

export interface AskedOutput {
  readonly address: string | null;
  /** Hex. */
  readonly script: string;
  readonly value: bigint;
  readonly own: boolean;
}

/** Amounts in sats, fee rates in thousandths of a sat per vbyte, fingerprints in hex. */
export type Asked =
  | {
      kind: 'payment';
      network: Network;
      epoch: number;
      leaves: bigint;
      fee: bigint;
      feeRate: number;
      coins: number;
      outputs: AskedOutput[];
    }
  | { kind: 'drill'; network: Network; at: number; message: string; address: string }
  | { kind: 'repair'; network: Network; target: 'device' | 'cosigner'; fingerprint: string }
  | { kind: 'kit'; network: Network; made: boolean }
  | { kind: 'act'; act: CeremonyAct }
  | { kind: 'birth'; network: Network; terms: KeygenTerms; host: string; fingerprint: string };

export type AskedOf<K extends Asked['kind']> = Extract<Asked, { kind: K }>;

export interface Sitting {
  readonly asked: Asked;
  /** How many messages it answers, the first included. */
  readonly rounds: number;
  /** The first answer. May be called again after it threw, as for words that were not right. */
  begin(words: readonly string[]): Promise<OfflineMessage>;
  /** The answer to the next message, or null where that was the last word. */
  next(message: OfflineMessage): Promise<OfflineMessage | null>;
  wipe(): void;
}

export interface RecoveryTools extends WordTools {
  /** Twelve fresh BIP-39 words. */
  newWords(): string[];
  /** Throws what reading the message throws. */
  open(message: OfflineMessage): Sitting;
  /** Of this page. */
  readonly version: string;
}
