import { load } from '../../src/crypto/load.ts';
import { RecoveryKeygen } from '../../src/recovery/onboarding.ts';
import { checkWord, newWords, wordlist } from '../../src/recovery/words.ts';
import { extensionHost } from '../../src/ui/extensionHost.ts';
import { mount } from '../../src/ui/mount.tsx';
import { Onboarding } from '../../src/ui/onboarding/onboarding.tsx';
import type { RecoveryActor } from '../../src/ui/onboarding/recoveryPort.ts';

/** Recovery, played in this page: the one place where `ui` and `recovery` stand side by side. */
const keygen = new RecoveryKeygen(await load());
const recovery: RecoveryActor = {
  newWords: async () => newWords(),
  wordlist,
  checkWord,
  begin: (words, network, terms) => keygen.begin(words, network, terms),
  round1: (hellos) => keygen.round1(hellos as Uint8Array<ArrayBuffer>[]),
  round2: (round1s) => keygen.round2(round1s as Uint8Array<ArrayBuffer>[]),
  certify: (round2s) => keygen.certify(round2s as Uint8Array<ArrayBuffer>[]),
  finish: (certificate) => keygen.finish(certificate as Uint8Array<ArrayBuffer>),
  wipe: () => keygen.wipe(),
};

mount(extensionHost, (client) => <Onboarding client={client} host={extensionHost} recovery={recovery} />);
