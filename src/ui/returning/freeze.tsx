/** While it waits whoever has the lost browser may still pay within its limits: the words stop that at once. */
import { useState } from 'preact/hooks';
import { useCall } from '../device.tsx';
import { Relay } from '../offline/relay.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { wordsOnReturn } from '../words.ts';

export function StopPayments() {
  const question = useCall('returnFreeze');
  const answer = useCall('returnAnswer');
  const [message, setMessage] = useState<Uint8Array | null>(null);
  const [done, setDone] = useState(false);
  const ask = async () => {
    answer.reset();
    setMessage((await question.run(null))?.message ?? null);
  };
  if (done) {
    return (
      <Notice tone="ok" icon="check">
        <b>All payments are stopped.</b> Once you are back, this browser and your words lift that together.
      </Notice>
    );
  }
  return (
    <section class="card stack" aria-label="Stop its payments">
      <p class="text">
        <b class="strong">Is the lost browser in other hands?</b> Unlocked it can still pay within your
        limits. Your words stop that at once.
      </p>
      {question.error !== null && <FailureNotice failure={question.error} />}
      {answer.error !== null && (
        <FailureNotice failure={answer.error} words={wordsOnReturn(answer.error.code)} />
      )}
      {message === null ? (
        <div>
          <button type="button" class="btn btn--danger btn--sm" onClick={() => void ask()}>
            Stop all payments
          </button>
        </div>
      ) : (
        <Relay
          message={message}
          round={1}
          rounds={1}
          busy={answer.busy}
          onAnswer={(said) =>
            void answer.run({ message: said }).then((answered) => answered !== null && setDone(true))
          }
        />
      )}
    </section>
  );
}
