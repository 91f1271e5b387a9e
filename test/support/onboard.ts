/** A user who onboards: the words typed back in the page, the device behind its port, a real cosigner. */
import { announcedKey } from '../../src/cosigner/identity.ts';
import { pairingUri } from '../../src/cosigner/tokens.ts';
import { load } from '../../src/crypto/load.ts';
import { RecoveryKeygen } from '../../src/recovery/onboarding.ts';
import { newWords } from '../../src/recovery/words.ts';
import type { Bytes, Running } from './cosigner.ts';
import type { Worker } from './deviceHost.ts';
import { termsOf } from './terms.ts';

export const PASSWORD = 'winter morning train';
export const DAILY_LIMIT = 1_000_000n;

/** A fresh link, as the cosigner's command prints it. */
export async function linkOf(
  running: Running,
  token?: string,
  port = running.listener.port,
): Promise<string> {
  const { identity, network, store } = running.cosigner;
  const { noise } = announcedKey(identity, (await store.greeting()).channelKey);
  const keys = { hostKey: identity.hostKey, noiseKey: noise.publicKey };
  const address = { host: '127.0.0.1', port };
  return pairingUri(address, keys, token ?? (await running.token()), network);
}

/** The onboarding page from the typed words to the certificate. */
export async function onboard(worker: Worker, uri: string, words = newWords()): Promise<Bytes> {
  const recovery = new RecoveryKeygen(await load());
  const terms = termsOf(DAILY_LIMIT);
  const recoveryHello = await recovery.begin(words, 'regtest', terms);
  const hear = (messages: Uint8Array[]) => messages as Bytes[];
  try {
    const start = {
      uri,
      network: 'regtest',
      password: PASSWORD,
      terms,
      recoveryHello,
    } as const;
    const { hellos } = await worker.call('keygenStart', start);
    const r1 = await worker.call('keygenRound1', { recovery: await recovery.round1(hear(hellos)) });
    const r2 = await worker.call('keygenRound2', { recovery: await recovery.round2(hear(r1.messages)) });
    const certify = await recovery.certify(hear(r2.messages));
    const { certificate } = await worker.call('keygenCertify', { recovery: certify });
    await recovery.finish(certificate as Bytes);
    return certificate as Bytes;
  } finally {
    recovery.wipe();
  }
}
