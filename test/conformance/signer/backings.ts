import { createNobleSigner } from '../../../src/crypto/nobleSigner.ts';
import type { Signer } from '../../../src/crypto/signer.ts';

export interface Backing {
  readonly name: string;
  /** A fresh signer each time: handles of one are foreign to another. */
  readonly create: () => Signer;
  /** Whole sessions compared with the oracle. */
  readonly sessions: number;
}

/** `SIGNER_SESSIONS` sets the number of whole sessions of the property tests, the same for every backing. */
const asked = process.env.SIGNER_SESSIONS;
export const sessionsOr = (usual: number): number => (asked === undefined ? usual : Number(asked));

export const noble: Backing = { name: 'noble', create: createNobleSigner, sessions: sessionsOr(30) };
