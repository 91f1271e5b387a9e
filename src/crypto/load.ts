import type { SignerModule } from './signer.ts';
import { loadSignerWasm } from './wasmSigner.ts';

let loading: Promise<SignerModule> | undefined;

/** The one signer of this process; synchronous once loaded. */
export function load(): Promise<SignerModule> {
  loading ??= loadSignerWasm();
  return loading;
}
