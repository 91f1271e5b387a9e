import type { Signer } from '../../../src/crypto/signer.ts';
import { createWasmSigner, loadWasmSigner } from '../../../src/crypto/wasmSigner.ts';
import { buildVariant } from '../../../wasm/build.ts';
import { createNobleSigner } from '../../support/nobleSigner.ts';

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

export const wasm: Backing = {
  name: 'wasm',
  create: loadWasmSigner,
  sessions: sessionsOr(30),
};

/** The same sources with the run-time checks of their invariants. */
export const wasmChecked: Backing = {
  name: 'wasm, checked build',
  create: () => {
    const bytes = buildVariant({ name: 'signer-checked', entry: 'index.ts', define: ['CHECKS'] });
    return createWasmSigner(new WebAssembly.Instance(new WebAssembly.Module(bytes), {})).signer;
  },
  sessions: sessionsOr(10),
};
