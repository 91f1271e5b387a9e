import { expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { wordsActHash } from '../../src/policy/ceremony.ts';
import { type CeremonyAct, ceremonyAct, wordsAct } from '../../src/protocol/ceremony.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { openSitting } from '../../src/recovery/sitting.ts';
import { keysFromWords, newWords } from '../../src/recovery/words.ts';
import { seededRandom } from '../support/parties.ts';
import { secretsOf } from '../support/shares.ts';

const random = seededRandom('recovery act');
const bytes = (fill: number) => new Uint8Array(32).fill(fill);

test('the words sign the very act that was shown, whatever it says, and leave no secret behind', async () => {
  const signer = await load();
  const words = newWords();
  const { host } = await keysFromWords(words);
  const purpose = { kind: 'replaceDevice', hostKey: bytes(1), noiseKey: bytes(2) } as const;
  const acts: CeremonyAct[] = [
    { kind: 'open', network: 'regtest', wallet: null, purpose, random: new Uint8Array(16) },
    { kind: 'say', ceremony: bytes(3), says: 'contest', at: 5 },
    { kind: 'freeze', network: 'regtest', random: new Uint8Array(16) },
  ];
  for (const act of acts) {
    const sitting = openSitting(signer, { kind: 'act', act: encode(ceremonyAct, act) }, random);
    expect(sitting).toMatchObject({ asked: { kind: 'act', act }, rounds: 1 });
    await expect(sitting.begin(Array(12).fill('zoo'))).rejects.toMatchObject({ code: 'BadWords' });
    const { result, left } = await secretsOf(() => sitting.begin(words));
    expect(left).toEqual([]);
    const said = result as { kind: 'acted'; message: Uint8Array };
    const signed = decode(wordsAct, said.message);
    expect(decode(ceremonyAct, signed.act)).toEqual(act);
    expect(signed.hostKey).toEqual(signer.publicKey(host).slice(1));
    expect(signer.schnorrVerify(signed.hostKey, wordsActHash(signed.act), signed.signature)).toBe(true);
    await expect(sitting.next({ kind: 'act', act: signed.act })).rejects.toMatchObject({
      code: 'WrongSession',
    });
  }
  const junk = { kind: 'act', act: new Uint8Array(3) } as const;
  expect(() => openSitting(signer, junk, random)).toThrow('BadEncoding');
});
