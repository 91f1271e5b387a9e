import { wasmChecked } from './signer/backings.ts';
import { keygenRefusals } from './signer/keygenRefusals.ts';
import { properties } from './signer/properties.ts';
import { signingRefusals } from './signer/signingRefusals.ts';
import { vectors } from './signer/vectorSuite.ts';

vectors(wasmChecked);
keygenRefusals(wasmChecked);
signingRefusals(wasmChecked);
properties(wasmChecked);
