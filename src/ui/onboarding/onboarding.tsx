/** Onboarding: one tab owns it, by a Web Lock; a second only watches. Words and password live here, in memory, and nowhere else. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ErrorCode } from '../../protocol/errors.ts';
import { DELAY_MS } from '../../protocol/terms.ts';
import { DeviceProvider, type Failure, useDeviceState } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { Health } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import type { DeviceClient } from '../portClient.ts';
import { ReturningPage } from '../returning/page.tsx';
import { wordsFor } from '../words.ts';
import { ContactStep, type Watch } from './contact.tsx';
import { type Cosigner, CosignerStep } from './cosigner.tsx';
import { FormingStep } from './formingStep.tsx';
import { HeroPage } from './page.tsx';
import { type Guard, PasswordStep } from './password.tsx';
import type { RecoveryActor } from './recoveryPort.ts';
import { PaperStep, SeparateForming, SeparateStep } from './separate.tsx';
import { TypeBackStep, WordsStep } from './words.tsx';

export function Onboarding({
  client,
  host,
  recovery,
}: {
  client: DeviceClient;
  host: Host;
  recovery: RecoveryActor;
}) {
  return (
    <DeviceProvider value={client}>
      <Owned host={host} recovery={recovery} />
    </DeviceProvider>
  );
}

const LOCK = 'hoarfrost-onboarding';
/** Where what stopped it can be put right. */
const STEP_OF: Partial<Record<ErrorCode, 'password' | 'contact'>> = {
  WeakPassword: 'password',
  ContactUnavailable: 'contact',
};

/** True once this tab owns onboarding, false while another does, null before either is known. */
function useOwnership(): boolean | null {
  const [owns, setOwns] = useState<boolean | null>(null);
  useEffect(() => {
    const released = new AbortController();
    const hold = () =>
      new Promise<void>((release) => {
        setOwns(true);
        released.signal.addEventListener('abort', () => release());
      });
    void navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
      if (lock !== null) return hold();
      setOwns(false);
      // When the other tab is closed this one takes its place, from the beginning.
      navigator.locks.request(LOCK, { signal: released.signal }, hold).catch(() => undefined);
    });
    return () => released.abort();
  }, []);
  return owns;
}

function Owned({ host, recovery }: { host: Host; recovery: RecoveryActor }) {
  const owns = useOwnership();
  const { state, error, ask } = useDeviceState();
  const [step, setStep] = useState<
    | 'welcome'
    | 'cosigner'
    | 'password'
    | 'contact'
    | 'paper'
    | 'separate'
    | 'words'
    | 'typeBack'
    | 'forming'
    | 'formingApart'
    | 'done'
  >('welcome');
  const [cosigner, setCosigner] = useState<Cosigner | null>(null);
  const [guard, setGuard] = useState<Guard | null>(null);
  const [watch, setWatch] = useState<Watch>({ delay: DELAY_MS.usual, contact: null });
  const [words, setWords] = useState<string[]>([]);
  const [typed, setTyped] = useState<string[]>([]);
  const [stopped, setStopped] = useState<Failure | null>(null);
  const [returns, setReturns] = useState(() => location.hash === '#replace');
  const latest = useRef(recovery);

  const forget = () => {
    latest.current.wipe();
    setGuard(null);
    setWords([]);
    setTyped([]);
  };
  const makeWords = () =>
    void recovery.newWords().then((fresh) => {
      setWords(fresh);
      setStep('words');
    });
  useEffect(() => {
    const wipe = () => latest.current.wipe();
    addEventListener('pagehide', wipe);
    return () => removeEventListener('pagehide', wipe);
  }, []);

  // From then on to its end, when the phase is another one.
  useEffect(() => {
    if (state?.phase === 'returning') setReturns(true);
  }, [state?.phase]);

  if (state === null || owns === null) {
    return (
      <HeroPage title="A Bitcoin key in three places" lede="Waking the wallet…">
        {error !== null && <FailureNotice failure={error} onRetry={ask} />}
      </HeroPage>
    );
  }
  if (step === 'done') {
    return (
      <HeroPage
        title="Your wallet is ready"
        lede="Three shares are made, and the words are wiped from this page. Two of the three sign from now on: this browser and your cosigner."
        caption="Keep the paper where you would keep a passport. The extension never asks for the words again."
      >
        <Health shares={state.shares} />
        {host.generation === 'next' ? (
          <button type="button" class="btn btn--primary" onClick={() => host.openWallet('current')}>
            Go on with moving the coins
          </button>
        ) : (
          <button type="button" class="btn btn--primary" onClick={() => host.openWallet()}>
            Open the wallet
          </button>
        )}
      </HeroPage>
    );
  }
  if (!owns) {
    return (
      <HeroPage
        title="Another tab is setting up the wallet"
        lede="This one only watches. Go on in the other tab; if you close it, you can start here."
      >
        <Health shares={state.shares} />
      </HeroPage>
    );
  }
  if (returns) return <ReturningPage state={state} host={host} />;
  if (
    step !== 'forming' &&
    step !== 'formingApart' &&
    (state.phase === 'locked' || state.phase === 'unlocked')
  ) {
    return (
      <HeroPage
        title="This browser already holds a wallet"
        lede="It was not touched. Open it from the toolbar, or here."
      >
        <button type="button" class="btn btn--primary" onClick={() => host.openWallet()}>
          Open the wallet
        </button>
      </HeroPage>
    );
  }
  switch (step) {
    case 'welcome':
      return (
        <HeroPage
          title="A Bitcoin key in three places"
          lede="One share here, one with a cosigner, one on paper. Any two can sign. None of them is the key."
          caption="About four minutes. Have a pen and paper ready."
        >
          {stopped !== null && <FailureNotice failure={stopped} />}
          <button type="button" class="btn btn--primary" onClick={() => setStep('cosigner')}>
            Create a wallet
          </button>
          <button type="button" class="link" onClick={() => setReturns(true)}>
            I have a wallet and lost its browser
          </button>
        </HeroPage>
      );
    case 'cosigner':
      return (
        <CosignerStep
          initial={cosigner}
          onBack={() => setStep('welcome')}
          onDone={(chosen) => {
            setCosigner(chosen);
            setStep('password');
          }}
        />
      );
    case 'password':
      return (
        <PasswordStep
          problem={stopped?.code === 'WeakPassword' ? wordsFor('WeakPassword').happened : null}
          onBack={() => setStep('cosigner')}
          onDone={(chosen) => {
            setGuard(chosen);
            setStep('contact');
          }}
        />
      );
    case 'contact':
      return (
        <ContactStep
          initial={watch}
          onBack={() => setStep('password')}
          onDone={(chosen) => {
            setWatch(chosen);
            setStep('paper');
          }}
        />
      );
    case 'paper':
      return (
        <PaperStep
          onBack={() => setStep('contact')}
          onChoose={(much) => (much ? setStep('separate') : makeWords())}
        />
      );
    case 'separate':
      return (
        <SeparateStep
          onBack={() => setStep('paper')}
          onHere={makeWords}
          onDone={() => setStep('formingApart')}
        />
      );
    case 'words':
      return <WordsStep words={words} onBack={() => setStep('paper')} onDone={() => setStep('typeBack')} />;
    case 'typeBack':
      return (
        <TypeBackStep
          words={words}
          recovery={recovery}
          onBack={() => setStep('words')}
          onDone={(all) => {
            setTyped(all);
            setStep('forming');
          }}
        />
      );
    case 'forming':
    case 'formingApart': {
      if (cosigner === null || guard === null) return null;
      const { password, dailyLimit } = guard;
      const forming = {
        plan: { ...cosigner, password, terms: { dailyLimit, ...watch } },
        cosignerHost: state.phase === 'onboarding' ? state.cosignerHost : null,
        onDone: () => {
          forget();
          setStep('done');
        },
        onStop: (failure: Failure | null) => {
          forget();
          setStopped(failure);
          setStep(failure === null ? 'welcome' : (STEP_OF[failure.code] ?? 'cosigner'));
        },
      };
      if (step === 'formingApart') return <SeparateForming {...forming} />;
      return <FormingStep {...forming} plan={{ ...forming.plan, words: typed }} recovery={recovery} />;
    }
  }
}
