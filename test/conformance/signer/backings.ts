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
  /** Sessions open at once. */
  readonly open: number;
}

/**
 * `SIGNER_SESSIONS` sets the number of whole sessions of every backing; the oracle takes 10 ms for each. The long form:
 *   SIGNER_SESSIONS=1000000 npx vitest run test/conformance/signer.wasm.test.ts -t 'whole sessions'
 */
const asked = process.env.SIGNER_SESSIONS;
const sessions = (usual: number, ci: number): number =>
  Number(asked ?? (process.env.CI === 'true' ? ci : usual));

export const noble: Backing = {
  name: 'noble',
  create: createNobleSigner,
  sessions: sessions(30, 100),
  open: 50,
};

export const wasm: Backing = {
  name: 'wasm',
  create: loadWasmSigner,
  sessions: sessions(100, 5_000),
  open: 1_000,
};

/** The same sources with the run-time checks of their invariants. */
export const wasmChecked: Backing = {
  name: 'wasm, checked build',
  create: () => {
    const bytes = buildVariant({ name: 'signer-checked', entry: 'index.ts', define: ['CHECKS'] });
    return createWasmSigner(new WebAssembly.Instance(new WebAssembly.Module(bytes), {})).signer;
  },
  sessions: sessions(30, 500),
  open: 1_000,
};
