import { version } from '../../package.json';
import { load } from '../../src/crypto/load.ts';
import { systemRandom } from '../../src/crypto/random.ts';
import { openSitting } from '../../src/recovery/sitting.ts';
import { checkWord, newWords, wordlist } from '../../src/recovery/words.ts';
import { mountAlone } from '../../src/ui/mountAlone.tsx';
import { RecoveryPage } from '../../src/ui/recovery/page.tsx';

/** The whole page, built into one file by `scripts/recoveryPage.ts`; it is no page of the extension. */
load().then((signer) =>
  mountAlone(
    <RecoveryPage
      tools={{
        version,
        wordlist,
        checkWord,
        newWords,
        open: (message) => openSitting(signer, message, systemRandom),
      }}
    />,
  ),
);
