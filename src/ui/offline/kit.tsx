/** New recovery words for the same wallet: made on the recovery page, allowed by a ceremony, put in place by browser and cosigner. */
import { useEffect, useState } from 'preact/hooks';
import type { CeremonyInfo } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { waitText } from '../times.ts';
import { Relay } from './relay.tsx';

const LOOK_EVERY_MS = 60_000;

export function NewKit() {
  const ask = useCall('kit');
  const stop = useCall('kitStop');
  const [ceremony, setCeremony] = useState<CeremonyInfo | null | undefined>(undefined);
  const [done, setDone] = useState(false);
  const look = () => void ask.run(null).then((found) => found !== null && setCeremony(found.ceremony));
  useEffect(() => {
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (done) {
    return (
      <>
        <Heading class="display">The new words are in place</Heading>
        <Notice tone="ok" icon="check">
          <b>The old paper opens nothing any more.</b> New shares take the place of all three within the
          minute. Destroy the old paper, and do a drill with the new one soon.
        </Notice>
      </>
    );
  }
  const ended = ceremony?.phase === 'void' || ceremony?.phase === 'done';
  return (
    <>
      {ask.error !== null && <FailureNotice failure={ask.error} onRetry={look} />}
      {ceremony === undefined ? null : ceremony === null || ended ? (
        <Making onAsked={setCeremony} />
      ) : ceremony.phase === 'ripe' ? (
        <Placing onDone={() => setDone(true)} />
      ) : (
        <Waiting ceremony={ceremony} busy={ask.busy} onLook={look} />
      )}
      {ceremony != null && !ended && (
        <div>
          <button
            type="button"
            class="link"
            onClick={() => void stop.run(null).then(() => setCeremony(null))}
          >
            Begin with other words
          </button>
        </div>
      )}
    </>
  );
}

function Making({ onAsked }: { onAsked: (ceremony: CeremonyInfo) => void }) {
  const words = useCall('kitWords');
  const ask = useCall('kitAsk');
  const [message, setMessage] = useState<Uint8Array | null>(null);
  const start = () => void words.run(null).then((found) => found !== null && setMessage(found.message));
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">New recovery words</Heading>
        <p class="lede">
          For a paper that is lost, or that somebody has seen. Addresses and balance stay. Your contact can
          agree at once; otherwise it waits as long as you laid down, and the old words may contest.
        </p>
      </div>
      {words.error !== null && <FailureNotice failure={words.error} onRetry={start} />}
      {ask.error !== null && <FailureNotice failure={ask.error} />}
      {message === null ? (
        <div>
          <button type="button" class="btn btn--primary" aria-disabled={words.busy} onClick={start}>
            Make new words
          </button>
        </div>
      ) : (
        <Relay
          message={message}
          round={1}
          rounds={1}
          busy={ask.busy}
          onAnswer={(answer) =>
            void ask.run({ message: answer }).then((asked) => asked !== null && onAsked(asked))
          }
        />
      )}
    </>
  );
}

function Waiting({ ceremony, busy, onLook }: { ceremony: CeremonyInfo; busy: boolean; onLook: () => void }) {
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">
          {ceremony.phase === 'contested' ? 'Somebody contests it' : 'Now it waits'}
        </Heading>
        <p class="lede">Keep the new paper. Until they are in place the old words are the ones that count.</p>
        <p class="text" role="status">
          {ceremony.phase === 'contested' ? 'Settled at the latest in ' : 'Ready in '}
          <b class="strong">{waitText(ceremony.leftMs)}</b>.
        </p>
      </div>
      <div>
        <button type="button" class="btn btn--second" aria-disabled={busy} onClick={onLook}>
          {busy ? 'Asking…' : 'Ask the cosigner again'}
        </button>
      </div>
    </>
  );
}

function Placing({ onDone }: { onDone: () => void }) {
  const start = useCall('kitStart');
  const answer = useCall('kitAnswer');
  const [relay, setRelay] = useState<{ message: Uint8Array; round: number } | null>(null);
  const begin = () => {
    answer.reset();
    void start.run(null).then((begun) => begun !== null && setRelay({ message: begun.message, round: 1 }));
  };
  const next = async (said: Uint8Array) => {
    const result = await answer.run({ message: said });
    if (result === null || relay === null) return;
    if (result.message === null) return onDone();
    setRelay({ message: result.message, round: relay.round + 1 });
  };
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Put the new words in place</Heading>
        <p class="lede">
          Type them once more on the recovery page, from the new paper. Two messages, and the old words are
          nothing any more.
        </p>
      </div>
      {start.error !== null && <FailureNotice failure={start.error} onRetry={begin} />}
      {answer.error !== null && (
        <FailureNotice
          failure={answer.error}
          retryName="Begin this step again"
          onRetry={() => {
            setRelay(null);
            begin();
          }}
        />
      )}
      {relay === null ? (
        <div>
          <button type="button" class="btn btn--primary" aria-disabled={start.busy} onClick={begin}>
            I have the new paper
          </button>
        </div>
      ) : (
        <Relay {...relay} rounds={2} busy={answer.busy} onAnswer={(said) => void next(said)} />
      )}
    </>
  );
}
