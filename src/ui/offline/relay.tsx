/** Several messages to the recovery page and back, one after the other: what stays open there, and what to bring next. */
import { useMemo } from 'preact/hooks';
import { decode, encode } from '../../protocol/codec.ts';
import { offlineMessage } from '../../protocol/offline.ts';
import { Heading } from '../parts/frame.tsx';
import { ReadMessage } from './read.tsx';
import { ShowMessage } from './show.tsx';

export function Relay({
  message,
  round,
  rounds,
  busy,
  onAnswer,
}: {
  /** As the device encoded it. */
  message: Uint8Array;
  /** From 1. */
  round: number;
  rounds: number;
  busy: boolean;
  /** As the device decodes it. */
  onAnswer: (answer: Uint8Array) => void;
}) {
  const decoded = useMemo(() => decode(offlineMessage, message), [message]);
  const title = rounds === 1 ? 'Message to the recovery page' : `Message ${round} of ${rounds}`;
  return (
    <section class="stack" key={round} aria-label={title}>
      <Heading class="headline">{title}</Heading>
      <p class="text">
        {round === 1
          ? 'Open the recovery page on another device or in a private window, and take this message there. It shows what is asked before you type a word.'
          : 'Leave the recovery page open, and take this one there too.'}{' '}
        Keep this tab open until {rounds === 1 ? 'its' : 'the last'} answer is here.
      </p>
      <div class="columns columns--2">
        <ShowMessage message={decoded} name={`hoarfrost-message-${round}.txt`} />
        {busy ? (
          <p class="lede" role="status">
            Working on it…
          </p>
        ) : (
          <ReadMessage
            label={rounds === 1 ? 'Answer from the recovery page' : `Answer ${round} from the recovery page`}
            onMessage={(answer) => onAnswer(encode(offlineMessage, answer))}
          />
        )}
      </div>
    </section>
  );
}
