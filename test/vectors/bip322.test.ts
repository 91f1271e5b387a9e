import { hex } from '@scure/base';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/bitcoin/address.ts';
import { messageHash, toSign, toSpend, verifyMessage } from '../../src/bitcoin/message.ts';
import { txidOf } from '../../src/bitcoin/transaction.ts';
import { vectorJson } from './vectors.ts';

interface Signed {
  message: string;
  address: string;
  type: string;
  bip322_signatures: string[];
}
interface Wrong {
  description: string;
  message: string;
  address: string;
  signature: string;
  error_substr: string;
}
interface Hashes {
  message: string;
  address: string;
  message_hash: string;
  to_spend_tx_hash: string;
  to_sign_tx_hash: string;
}

const basic = vectorJson<{ tx_hashes: Hashes[]; simple: Signed[]; error: Wrong[] }>(
  'bip322/basic-test-vectors.json',
);
const generated = vectorJson<{ simple: Signed[]; full: Signed[]; error: Wrong[] }>(
  'bip322/generated-test-vectors.json',
);
const simple = [...basic.simple, ...generated.simple].flatMap((v) =>
  v.bip322_signatures.map((signature) => ({ ...v, signature })),
);

describe('BIP-322', () => {
  test('there are hashes, Taproot signatures and errors in the vectors', () => {
    expect(basic.tx_hashes.length).toBeGreaterThanOrEqual(3);
    expect(simple.filter(({ type }) => type === 'p2tr').length).toBeGreaterThanOrEqual(2);
    expect(basic.error.length + generated.error.length).toBeGreaterThanOrEqual(14);
  });

  test.each(basic.tx_hashes)('message hash, to_spend and to_sign of "$message"', (vector) => {
    const { script } = parseAddress(vector.address, 'mainnet');
    expect({
      message_hash: hex.encode(messageHash(vector.message)),
      to_spend_tx_hash: hex.encode(txidOf(toSpend(script, vector.message))),
      to_sign_tx_hash: hex.encode(txidOf(toSign(script, vector.message))),
    }).toEqual({
      message_hash: vector.message_hash,
      to_spend_tx_hash: vector.to_spend_tx_hash,
      to_sign_tx_hash: vector.to_sign_tx_hash,
    });
  });

  test.each(simple)('simple, $type: "$message" is valid where we can speak for it', (vector) => {
    const verdict = verifyMessage(vector.address, 'mainnet', vector.message, vector.signature);
    expect(verdict).toBe(vector.type === 'p2tr' ? 'valid' : 'inconclusive');
  });

  test.each([...basic.error, ...generated.error])('error: $description', (vector) => {
    const verdict = verifyMessage(vector.address, 'mainnet', vector.message, vector.signature);
    // An ECDSA signature that does not fit is beyond what this wallet reads: never valid, and not called invalid either.
    const ecdsa = vector.error_substr === 'invalid signature' && !vector.address.startsWith('bc1p');
    expect(verdict).toBe(ecdsa && vector.signature !== 'smpAA==' ? 'inconclusive' : 'invalid');
  });

  test.each(generated.full)('a full signature is not read as a simple one', (vector) => {
    expect(verifyMessage(vector.address, 'mainnet', vector.message, vector.bip322_signatures[0]!)).toBe(
      'invalid',
    );
  });
});
