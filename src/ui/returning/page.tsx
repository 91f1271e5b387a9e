/**
 * A new browser, or one whose password is forgotten, on its way into its old wallet: the words ask, the others hear of it,
 * time passes, and the share is made anew. It takes days, so every screen says what is waited for and what may be closed.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DeviceState, ReturnView } from '../../device/port.ts';
import { encode } from '../../protocol/codec.ts';
import { type OfflineMessage, offlineMessage } from '../../protocol/offline.ts';
import { useCall } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { ReadMessage } from '../offline/read.tsx';
import { Relay } from '../offline/relay.tsx';
import { Heading, NetworkBadge } from '../parts/frame.tsx';
import { LOGO, Mark } from '../parts/mark.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { PasswordField } from '../parts/password.tsx';
import { waitText } from '../times.ts';
import { wordsOnReturn } from '../words.ts';
import { Beginning } from './beginning.tsx';
import { StopPayments } from './freeze.tsx';

const LOOK_EVERY_MS = 60_000;
const ROUNDS = 3;

/** `state` changes whenever the device says something new: then this looks again where it stands. */
export function ReturningPage({ state, host }: { state: DeviceState; host: Host }) {
  const ask = useCall('returning');
  const [view, setView] = useState<ReturnView | null | undefined>(undefined);
  const [done, setDone] = useState(false);
  // The last step ends in a wallet and in no way back any more: what shows the step waits for its answer, not for that.
  const steps = useRef(0);
  const look = () =>
    void ask.run(null).then((found) => found !== null && steps.current === 0 && setView(found.view));
  useEffect(look, [state]);
  const step = async (work: () => Promise<void>) => {
    steps.current += 1;
    await work();
    steps.current -= 1;
    look();
  };

  if (done) {
    return (
      <Frame state={state}>
        <Heading class="display">You are back in your wallet</Heading>
        <Notice tone="ok" icon="check">
          <b>This browser has a share of its own, and the lost one has been struck off.</b> New shares take
          the place of all three within the minute; your words stay as they are.
        </Notice>
        <div>
          <button type="button" class="btn btn--primary" onClick={() => host.openWallet()}>
            Open the wallet
          </button>
        </div>
      </Frame>
    );
  }
  if (view === undefined) {
    return (
      <Frame state={state}>
        <p class="lede" role="status">
          Waking the wallet…
        </p>
        {ask.error !== null && <FailureNotice failure={ask.error} onRetry={look} />}
      </Frame>
    );
  }
  return (
    <Frame state={state}>
      {view === null ? (
        <Beginning onBegun={look} />
      ) : (
        <>
          {view.asked ? (
            <Waiting view={view} onChange={look} step={step} onDone={() => setDone(true)} />
          ) : (
            <Asking view={view} onChange={look} />
          )}
          <GiveUp onGone={look} />
        </>
      )}
    </Frame>
  );
}

function Frame({ state, children }: { state: DeviceState; children: ComponentChildren }) {
  const shares = state.phase === 'empty' ? LOGO : state.shares;
  return (
    <div class="plainpage">
      <header class="between">
        <div class="page__brand">
          <Mark shares={shares} /> Hoarfrost <span class="page__where">Back into your wallet</span>
        </div>
      </header>
      <main class="stack">{children}</main>
    </div>
  );
}

/** Whose share it will be: what the recovery page shows must be this. */
function NewDevice({ view }: { view: ReturnView }) {
  return (
    <section class="card stack" aria-label="This browser">
      <div class="between">
        <b class="strong">This browser’s new fingerprint</b>
        <NetworkBadge network={view.network} />
      </div>
      <Fingerprint hex={view.fingerprint} />
      <p class="small">
        The recovery page shows a fingerprint before you type your words. It must be this one, every group.
      </p>
    </section>
  );
}

/** Step 1: the words ask the cosigner. */
function Asking({ view, onChange }: { view: ReturnView; onChange: () => void }) {
  const question = useCall('returnQuestion');
  const answer = useCall('returnAnswer');
  const [message, setMessage] = useState<Uint8Array | null>(null);
  useEffect(() => void question.run(null).then((q) => q !== null && setMessage(q.message)), []);
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Let your words ask</Heading>
        <p class="lede">
          Your recovery words sign a request to {view.cosignerHost}: let this browser take the place of the
          lost one. Whoever can contest it is told.
        </p>
      </div>
      <NewDevice view={view} />
      {question.error !== null && <FailureNotice failure={question.error} />}
      {answer.error !== null && (
        <FailureNotice failure={answer.error} words={wordsOnReturn(answer.error.code)} />
      )}
      {message !== null && (
        <Relay
          message={message}
          round={1}
          rounds={1}
          busy={answer.busy}
          onAnswer={(said) => void answer.run({ message: said }).then(onChange)}
        />
      )}
    </>
  );
}

interface WaitingProps {
  view: ReturnView;
  onChange: () => void;
  /** Runs a step that nothing on this page may interrupt. Its work never rejects. */
  step: (work: () => Promise<void>) => Promise<void>;
  onDone: () => void;
}

/** Step 2: time passes; step 3 once it has. */
function Waiting({ view, onChange, step, onDone }: WaitingProps) {
  const look = useCall('returnLook');
  const lookAgain = () => void look.run(null).then(onChange);
  useEffect(() => {
    lookAgain();
    const timer = setInterval(lookAgain, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const phase = view.ceremony?.phase;
  if (phase === 'ripe' || phase === 'done') return <Taking view={view} step={step} onDone={onDone} />;
  const stands = phase ?? (look.error?.code === 'SessionUnknown' ? 'none' : 'unknown');
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">{HEADINGS[stands]}</Heading>
        <p class="lede">{LEDES[stands]}</p>
        {view.ceremony !== null && phase !== 'void' && (
          <p class="text" role="status">
            {phase === 'contested' ? 'Unless two agree before, the words win in ' : 'Ready in '}
            <b class="strong">{waitText(view.ceremony.leftMs)}</b>.
          </p>
        )}
      </div>
      {look.error !== null && (
        <FailureNotice
          failure={look.error}
          words={wordsOnReturn(look.error.code)}
          {...(stands === 'none' ? {} : { onRetry: lookAgain })}
        />
      )}
      <NewDevice view={view} />
      <StopPayments />
      <div>
        <button type="button" class="btn btn--second" aria-disabled={look.busy} onClick={lookAgain}>
          {look.busy ? 'Asking…' : 'Ask the cosigner again'}
        </button>
      </div>
    </>
  );
}

const HEADINGS = {
  unknown: 'Asking the cosigner',
  none: 'Nothing was asked for',
  waiting: 'Now it waits',
  contested: 'Somebody contests it',
  void: 'It was called off',
} as const;

const LEDES = {
  unknown: 'It knows how long it is until this browser may take its place.',
  none: 'Your words signed the request, and nobody here has a wallet that they speak for.',
  waiting:
    'The delay protects you from a thief of the paper. Close this tab and the browser if you like, and come back when it is over. If your contact agrees it is over at once.',
  contested:
    'The lost browser or your contact said no. Was it you? Otherwise somebody has your old browser: its payments are stopped until this is settled.',
  void: 'Two of three were against it, or its time ran out. You can give up below and begin anew.',
} as const;

/** Step 3: three messages, and the share is here. */
function Taking({ view, step, onDone }: Omit<WaitingProps, 'onChange'>) {
  const start = useCall('returnStart');
  const answer = useCall('returnAnswer');
  const [password, setPassword] = useState('');
  const [saved, setSaved] = useState<Uint8Array | null>(null);
  const [relay, setRelay] = useState<{ message: Uint8Array; round: number } | null>(null);

  const begin = async () => {
    if (password === '' || start.busy) return;
    answer.reset();
    setRelay(null);
    const begun = await start.run({ password, saved });
    if (begun === null) return;
    if (begun.message === null) return onDone();
    setPassword('');
    setRelay({ message: begun.message, round: 1 });
  };
  const next = async (said: Uint8Array) => {
    if (relay === null) return;
    const result = await answer.run({ message: said });
    if (result === null) return;
    if (result.message === null) return onDone();
    setRelay({ message: result.message, round: relay.round + 1 });
  };
  const wrong = start.error?.code === 'WrongPassword';
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Make the new share</Heading>
        <p class="lede">
          Cosigner and recovery page make it together, in three messages. Neither learns it. Have the words at
          hand: the connection is held for ten minutes.
        </p>
      </div>
      {relay === null && <NewDevice view={view} />}
      {start.error !== null && !wrong && (
        <FailureNotice failure={start.error} words={wordsOnReturn(start.error.code)} />
      )}
      {answer.error !== null && (
        <FailureNotice
          failure={answer.error}
          retryName="Begin this step again"
          onRetry={() => {
            answer.reset();
            setRelay(null);
          }}
        />
      )}
      {relay === null ? (
        <>
          <form
            class="stack form-column"
            onSubmit={(event) => {
              event.preventDefault();
              void step(begin);
            }}
          >
            <div class="field">
              <PasswordField
                id="password"
                name="The password that you chose for this browser"
                autocomplete="current-password"
                value={password}
                onInput={setPassword}
                bad={wrong}
                describedBy={wrong ? 'password-error' : undefined}
              />
              {wrong && (
                <p class="hint hint--bad" id="password-error">
                  That is not the password that you chose when you began here.
                </p>
              )}
            </div>
            <div>
              <button type="submit" class="btn btn--primary" aria-disabled={password === '' || start.busy}>
                {start.busy ? 'Asking the cosigner…' : 'I have the recovery page and the words'}
              </button>
            </div>
          </form>
          <SavedRecords onRead={setSaved} />
        </>
      ) : (
        <Relay
          {...relay}
          rounds={ROUNDS}
          busy={answer.busy}
          onAnswer={(said) => void step(() => next(said))}
        />
      )}
    </>
  );
}

/** A file that the lost browser saved: where the cosigner's copy of the records leads nowhere, this one does. */
function SavedRecords({ onRead }: { onRead: (message: Uint8Array | null) => void }) {
  const [stage, setStage] = useState<'offered' | 'asked' | 'wrong' | 'read'>('offered');
  const read = (message: OfflineMessage) => {
    if (message.kind !== 'exported') return setStage('wrong');
    onRead(encode(offlineMessage, message));
    setStage('read');
  };
  switch (stage) {
    case 'offered':
      return (
        <button type="button" class="link" onClick={() => setStage('asked')}>
          I have a file of public records from the lost browser
        </button>
      );
    case 'asked':
    case 'wrong':
      return (
        <>
          {stage === 'wrong' && (
            <Notice tone="caution" icon="alert">
              <b>This is another message.</b> Look for a file that begins with hoarfrost-public.
            </Notice>
          )}
          <ReadMessage label="The public records that you saved" onMessage={read} />
        </>
      );
    case 'read':
      return (
        <Notice tone="ok" icon="check">
          <b>The public records are at hand.</b> They help where your cosigner’s copy is damaged.
          <div>
            <button
              type="button"
              class="link"
              onClick={() => {
                onRead(null);
                setStage('offered');
              }}
            >
              Go on without them
            </button>
          </div>
        </Notice>
      );
  }
}

function GiveUp({ onGone }: { onGone: () => void }) {
  const stop = useCall('returnStop');
  const [asked, setAsked] = useState(false);
  return (
    <div class="cluster">
      {asked ? (
        <>
          <span class="small">This browser forgets its new keys; what was waited for is lost.</span>
          <button
            type="button"
            class="btn btn--second btn--sm"
            onClick={() => void stop.run(null).then(onGone)}
          >
            Yes, give up
          </button>
          <button type="button" class="link" onClick={() => setAsked(false)}>
            Keep waiting
          </button>
        </>
      ) : (
        <button type="button" class="link" onClick={() => setAsked(true)}>
          Give up here
        </button>
      )}
    </div>
  );
}
