/** Recovery certifies what the user chose in its page, not what the device says was chosen. */
import { expect, test } from 'vitest';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import * as keygen from '../../src/frost/keygen.ts';
import { encodePolicy, firstPolicy, type Policy } from '../../src/policy/document.ts';
import { DELAY_MS } from '../../src/protocol/terms.ts';
import { RecoveryKeygen } from '../../src/recovery/onboarding.ts';
import { newWords } from '../../src/recovery/words.ts';
import { partyOf } from '../support/parties.ts';
import { termsOf } from '../support/terms.ts';

const NOW = 1_800_000_000_000;
const chosen = firstPolicy('regtest', termsOf(5_000n), NOW);
const [window] = chosen.windows;

/** Recovery's answer to the hello of a device that says `policy`. */
async function answerTo(policy: Uint8Array<ArrayBuffer>) {
  const signer = await load();
  const recovery = new RecoveryKeygen(signer);
  const own = await recovery.begin(newWords(), 'regtest', termsOf(5_000n));
  const [device, cosigner] = [await partyOf(1, systemRandom), await partyOf(2, systemRandom)];
  const hellos = [{ ...device, policy }, cosigner].map(
    (self) => keygen.openKeygen(signer, self, systemRandom)[1],
  );
  try {
    return await recovery.round1([...hellos, own]);
  } finally {
    await expect(recovery.begin(newWords(), 'regtest', termsOf(5_000n))).resolves.toBeInstanceOf(Uint8Array);
    recovery.wipe();
  }
}

test('the policy of the limit chosen is answered, from whenever the device says that it is', async () => {
  await expect(answerTo(encodePolicy(chosen))).resolves.toBeInstanceOf(Uint8Array);
});

test.each<[string, Policy]>([
  ['of a higher limit', firstPolicy('regtest', termsOf(5_001n), NOW)],
  ['of a lower limit', firstPolicy('regtest', termsOf(4_999n), NOW)],
  ['of another delay', { ...chosen, delay: DELAY_MS.least }],
  ['with a contact of its own', { ...chosen, contact: 'mailto:thief@example.org' }],
  ['of no limit', { ...chosen, windows: [] }],
  ['whose window is shorter', { ...chosen, windows: [{ ...window!, interval: 1n }] }],
  ['with a higher fee cap', { ...chosen, feeAbsolute: chosen.feeAbsolute + 1n }],
  ['that lets others complete', { ...chosen, anyoneCanPay: true }],
  ['of another network', { ...chosen, network: 'signet' }],
])('TranscriptMismatch: a policy %s', async (_name, policy) => {
  await expect(answerTo(encodePolicy(policy))).rejects.toMatchObject({
    code: 'TranscriptMismatch',
    culprit: 1,
  });
});

test('a policy that is none is refused', async () => {
  await expect(answerTo(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'WrongVersion' });
});
