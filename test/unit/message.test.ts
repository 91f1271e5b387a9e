import { schnorr } from '@noble/curves/secp256k1.js';
import { base64 } from '@scure/base';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Account, deriveKey } from '../../src/bitcoin/descriptor.ts';
import { encodeMessageSignature, messageToSign, toSign, verifyMessage } from '../../src/bitcoin/message.ts';
import { keyPathSighash } from '../../src/bitcoin/sighash.ts';
import { load } from '../../src/crypto/load.ts';
import type { SignerModule } from '../../src/crypto/signer.ts';
import { runKeygen, seededRandom } from '../support/parties.ts';
import { signTogether } from '../support/shares.ts';
import { wholeKey } from '../support/wholeKey.ts';

const { account, sign } = wholeKey('message');
const key = deriveKey(account, 0, 3);
const MESSAGE = 'I own this address. Grüße, 冬';

describe('messages for an own address (BIP-322 simple)', () => {
  const signature = encodeMessageSignature(sign(messageToSign(key, MESSAGE)));
  const verdict = (address: string, message: string, text: string) =>
    verifyMessage(address, 'regtest', message, text);

  test('is valid for its address and message, with and without the prefix', () => {
    expect(signature.startsWith('smp')).toBe(true);
    expect(verdict(key.address, MESSAGE, signature)).toBe('valid');
    expect(verdict(key.address, MESSAGE, signature.slice(3))).toBe('valid');
  });

  test('is invalid for another message, another address and another prefix', () => {
    expect(verdict(key.address, `${MESSAGE} `, signature)).toBe('invalid');
    expect(verdict(deriveKey(account, 0, 4).address, MESSAGE, signature)).toBe('invalid');
    expect(verdict(key.address, MESSAGE, `ful${signature.slice(3)}`)).toBe('invalid');
    expect(verdict(key.address, MESSAGE, `pof${signature.slice(3)}`)).toBe('invalid');
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['no items', Uint8Array.of(0)],
    ['trailing bytes', Uint8Array.from([...base64.decode(signature.slice(3)), 0])],
    ['a truncated item', base64.decode(signature.slice(3)).slice(0, 60)],
    ['63 bytes', Uint8Array.of(1, 63, ...new Uint8Array(63))],
  ])('%s is no witness of a Taproot key', (_, witness) => {
    expect(verdict(key.address, MESSAGE, `smp${base64.encode(witness)}`)).toBe('invalid');
  });

  test.each([
    ['ALL', 0x01, 'valid'],
    ['NONE', 0x02, 'invalid'],
    ['SINGLE', 0x03, 'invalid'],
    ['ALL | ANYONECANPAY', 0x81, 'invalid'],
    ['an explicit DEFAULT', 0x00, 'invalid'],
  ])('of 65 bytes, sighash %s is as BIP-322 and BIP-341 say', (_, type, expected) => {
    const spent = [{ script: key.script, value: 0n }];
    const sighash = keyPathSighash(toSign(key.script, MESSAGE), spent)(0, type);
    const made = sign({ ...messageToSign(key, MESSAGE), sighash });
    expect(schnorr.verify(made, sighash, key.outputKey)).toBe(true);
    const text = `smp${base64.encode(Uint8Array.of(1, 65, ...made, type))}`;
    expect(verdict(key.address, MESSAGE, text)).toBe(expected);
  });

  test('a script path is inconclusive, an address of another network refused', () => {
    const text = `smp${base64.encode(Uint8Array.of(2, 1, 0x51, 1, 0xc0))}`;
    expect(verdict(key.address, MESSAGE, text)).toBe('inconclusive');
    expect(() => verifyMessage(key.address, 'mainnet', MESSAGE, signature)).toThrow(
      expect.objectContaining({ code: 'WrongNetwork' }),
    );
  });

  test('half a surrogate pair and a signature of another length are BadEncoding', () => {
    expect(() => messageToSign(key, '\ud83d')).toThrow(expect.objectContaining({ code: 'BadEncoding' }));
    expect(() => encodeMessageSignature(new Uint8Array(65))).toThrow(
      expect.objectContaining({ code: 'BadEncoding' }),
    );
  });
});

describe('the drill', () => {
  let signer: SignerModule;
  beforeAll(async () => {
    signer = await load();
  });

  test('device and recovery sign a message that any BIP-322 verifier accepts', async () => {
    const { finished, record } = await runKeygen(signer, seededRandom('drill'));
    const own: Account = { ...record, account: 0 };
    const address = deriveKey(own, 0, 0);
    const [device, , recovery] = finished.map(({ self, result }) => ({ id: self.id, share: result.share }));
    const signature = signTogether(
      signer,
      { groupKey: record.groupKey, number: 0, verifyingShares: record.verifyingShares },
      [device!, recovery!],
      messageToSign(address, MESSAGE),
      seededRandom('drill nonces'),
    );
    expect(verifyMessage(address.address, 'regtest', MESSAGE, encodeMessageSignature(signature))).toBe(
      'valid',
    );
  });
});
