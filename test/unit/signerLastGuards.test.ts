/**
 * Guards that nothing outside the signer reaches, because another one stands before them: each alone, in a build or with a host
 * that leaves the other one out.
 */
import { expect, test } from 'vitest';
import { SIGNER_WASM } from '../../src/crypto/signer.wasm.generated.ts';
import { createWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { buildVariant } from '../../wasm/build.ts';
import { committed, flip, refusal, runKeygen, secretOf } from '../conformance/signer/fixture.ts';

const PRODUCT = Uint8Array.from(Buffer.from(SIGNER_WASM, 'base64'));
const instantiate = (wasm: Uint8Array<ArrayBuffer>) =>
  new WebAssembly.Instance(new WebAssembly.Module(wasm), {});

/** The other party's commitments are the own ones negated, and both have one binding factor: D + rho*E cancel. */
test('attack-12: R = infinity is never signed, though commitments were chosen to cancel', () => {
  const equal = buildVariant({ name: 'signer-equal-factors', entry: 'index.ts', define: ['EQUAL_FACTORS'] });
  for (const [wasm, refused] of [
    [equal, true],
    // The control: binding factors of the two members differ, and nothing cancels.
    [PRODUCT, false],
  ] as const) {
    const { signer } = createWasmSigner(instantiate(wasm));
    const { key } = runKeygen(signer);
    for (const [own, other] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const { pkg, asking } = committed(signer, key, { ids: [own, other] });
      const commitment = Uint8Array.from(pkg.commitments[0]!.commitment);
      commitment[0]! ^= 1;
      commitment[33]! ^= 1;
      const cancelling = { ...pkg, commitments: [pkg.commitments[0]!, { id: other, commitment }] };
      const verify = () =>
        signer.verifyShare({
          id: other,
          verifyingShare: key.verifyingShares[other - 1]!,
          signatureShare: new Uint8Array(32).fill(1),
          package: cancelling,
        });
      expect(refusal(verify).code).toBe(refused ? 'BadEncoding' : 'BadShare');
      const share = secretOf(key.shares[own]);
      const sign = () => signer.signShare({ id: own, share, nonces: asking.nonces, package: cancelling });
      if (refused) expect(refusal(sign).code).toBe('BadEncoding');
      else expect(sign()).toHaveLength(32);
    }
  }
});

test('attack-13: a handle answers once inside the signer too, whatever its host remembers', () => {
  const { exports } = instantiate(PRODUCT);
  const real = exports as unknown as { signShare(id: number, handle: number): number };
  const handles: number[] = [];
  // A host that closes nothing, and brings the first handle again for every later one.
  const forgetful = {
    ...exports,
    dropNonces() {},
    signShare(id: number, handle: number) {
      handles.push(handle);
      return real.signShare(id, handles[0]!);
    },
  };
  const { signer } = createWasmSigner({ exports: forgetful } as unknown as WebAssembly.Instance);
  const { key } = runKeygen(signer);
  const { pkg, asking } = committed(signer, key);
  const other = committed(signer, key).asking;
  const sign = (nonces: typeof asking.nonces, message: Uint8Array) => () =>
    signer.signShare({ id: 1, share: secretOf(key.shares[1]), nonces, package: { ...pkg, message } });
  expect(sign(asking.nonces, pkg.message)()).toHaveLength(32);
  expect(refusal(sign(other.nonces, flip(pkg.message))).code).toBe('NonceConsumed');
  expect(new Set(handles).size).toBe(2);
});
