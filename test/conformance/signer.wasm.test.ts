import { wasm, wasmChecked } from './signer/backings.ts';
import { keygenRefusals } from './signer/keygenRefusals.ts';
import { properties } from './signer/properties.ts';
import { signingRefusals } from './signer/signingRefusals.ts';
import { vectors } from './signer/vectorSuite.ts';

for (const backing of [wasm, wasmChecked]) {
  vectors(backing);
  keygenRefusals(backing);
  signingRefusals(backing);
  properties(backing);
}
