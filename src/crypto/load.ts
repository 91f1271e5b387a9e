import { createNobleSigner } from './nobleSigner.ts';
import type { Signer } from './signer.ts';

let loading: Promise<Signer> | undefined;

/** The one signer of this process; synchronous once loaded. */
export function load(): Promise<Signer> {
  loading ??= Promise.resolve(createNobleSigner());
  return loading;
}
