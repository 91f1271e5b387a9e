/** Two messages: this browser's request out to the recovery page, and its answer in. */
import { useMemo } from 'preact/hooks';
import { decode, encode } from '../../protocol/codec.ts';
import { offlineMessage } from '../../protocol/offline.ts';
import { ReadMessage } from './read.tsx';
import { ShowMessage } from './show.tsx';

export function Exchange({
  request,
  name,
  onAnswer,
}: {
  /** As the device encoded it. */
  request: Uint8Array;
  /** Of the file. */
  name: string;
  /** As the device decodes it. */
  onAnswer: (answer: Uint8Array) => void;
}) {
  const message = useMemo(() => decode(offlineMessage, request), [request]);
  return (
    <div class="columns columns--2">
      <div class="stack">
        <p class="text">
          <b class="strong">1.</b> Open the recovery page, on another device or in a private window, and take
          this request there. It shows what is asked before you type a word.
        </p>
        <ShowMessage message={message} name={name} />
      </div>
      <div class="stack">
        <p class="text">
          <b class="strong">2.</b> Bring its answer back. Keep this tab open until then: its one-time numbers
          live here only, for an hour.
        </p>
        <ReadMessage
          label="The answer from the recovery page"
          onMessage={(answer) => onAnswer(encode(offlineMessage, answer))}
        />
      </div>
    </div>
  );
}
