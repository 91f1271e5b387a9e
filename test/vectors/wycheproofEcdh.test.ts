import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { createWasmSigner, loadWasmSigner } from '../../src/crypto/wasmSigner.ts';
import { buildVariant } from '../../wasm/build.ts';
import { refusal, secretOf } from '../conformance/signer/fixture.ts';
import { wycheproofPoint, wycheproofSecret, wycheproofTests } from './wycheproof.ts';

const builds: [string, () => SignerModule][] = [
  ['product', loadWasmSigner],
  [
    'checked build',
    () => {
      const bytes = buildVariant({ name: 'signer-checked', entry: 'index.ts', define: ['CHECKS'] });
      return createWasmSigner(new WebAssembly.Instance(new WebAssembly.Module(bytes), {})).signer;
    },
  ],
];

describe.each(builds)('Wycheproof ECDH secp256k1, %s', (_, load) => {
  const signer = load();

  test('every valid case gives the shared x; every point that is none is refused', () => {
    const seen = { valid: 0, invalid: 0 };
    for (const t of wycheproofTests) {
      const point = wycheproofPoint(t);
      if (point === undefined) {
        const x = hexToBytes(t.public).slice(-64, -32);
        const odd = hexToBytes(t.public).at(-1)! & 1;
        expect([t.tcId, t.result]).toEqual([t.tcId, 'invalid']);
        // Off the curve with an uncompressed y: the x alone may still have a point, the 65 bytes are refused as such.
        for (const bytes of [hexToBytes(t.public).slice(-65), concatBytes(Uint8Array.of(4 + odd), x)]) {
          const act = () => signer.ecdhX(secretOf(wycheproofSecret(t)), bytes);
          expect([t.tcId, refusal(act).code]).toEqual([t.tcId, 'BadEncoding']);
        }
        seen.invalid++;
        continue;
      }
      const act = () => signer.ecdhX(secretOf(wycheproofSecret(t)), point);
      if (t.result === 'invalid') {
        expect([t.tcId, refusal(act).code]).toEqual([t.tcId, 'BadEncoding']);
        seen.invalid++;
      } else {
        expect([t.tcId, act().expose()]).toEqual([t.tcId, Uint8Array.from(hexToBytes(t.shared))]);
        seen.valid++;
      }
    }
    expect(seen.valid).toBeGreaterThanOrEqual(6);
    expect(seen.invalid).toBeGreaterThanOrEqual(2);
  });
});
