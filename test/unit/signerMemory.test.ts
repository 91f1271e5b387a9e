import { randomBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { SIGNER_WASM } from '../../src/crypto/signer.wasm.generated.ts';
import { createWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { buildVariant } from '../../wasm/build.ts';
import { secretOf } from '../conformance/signer/fixture.ts';
import { oracleNonces } from '../conformance/signer/oracle.ts';
import { CALLS } from '../memory/calls.ts';
import { find } from '../memory/search.ts';

const load = (wasm: Uint8Array<ArrayBuffer>) =>
  createWasmSigner(new WebAssembly.Instance(new WebAssembly.Module(wasm), {}));

describe('attack-22: no call leaves a secret in linear memory', () => {
  const product = Uint8Array.from(Buffer.from(SIGNER_WASM, 'base64'));

  test.each(CALLS)('$name', ({ run }) => {
    const { signer, memory } = load(product);
    const left = run(signer).map((secret) => find(memory, secret));
    expect(left.filter((at) => at !== undefined)).toEqual([]);
  });

  // The same search where the module does not wipe: it must find what it looks for.
  const control = () => buildVariant({ name: 'signer-keeping', entry: 'index.ts', define: ['KEEP_SCRATCH'] });

  test.each(CALLS)('control, nothing wiped: $name is found', ({ run }) => {
    const { signer, memory } = load(control());
    const left = run(signer).map((secret) => find(memory, secret));
    expect(left.some((at) => at !== undefined)).toBe(true);
  });

  test('live nonces and polynomials are found, and only while they live', () => {
    const { signer, memory } = load(product);
    const share = randomBytes(32);
    const randomness = randomBytes(64);
    const { hiding, binding } = oracleNonces(1, share, randomness, new Uint8Array(0)).nonces;
    const { nonces } = signer.commit({ share: secretOf(share), randomness, context: new Uint8Array(0) });
    expect([hiding, binding].map((s) => find(memory, s) !== undefined)).toEqual([true, true]);
    signer.dropNonces(nonces);
    expect([hiding, binding].map((s) => find(memory, s))).toEqual([undefined, undefined]);
    const coefficients = randomBytes(96);
    const { polynomial } = signer.keygenCommit({
      id: 1,
      session: randomness.slice(0, 32),
      randomness: coefficients,
    });
    const parts = [coefficients.slice(0, 32), coefficients.slice(32, 64)];
    expect(parts.map((s) => find(memory, s) !== undefined)).toEqual([true, true]);
    signer.dropPolynomial(polynomial);
    expect(parts.map((s) => find(memory, s))).toEqual([undefined, undefined]);
  });
});
