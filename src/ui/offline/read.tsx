/** A message on its way into this page: by camera, file or paste. */
import { useRef, useState } from 'preact/hooks';
import type { OfflineMessage } from '../../protocol/offline.ts';
import { OfflineReader } from '../../protocol/offlineText.ts';
import { failureOf } from '../device.tsx';
import { useScanner } from '../parts/camera.tsx';
import { Icon } from '../parts/icon.tsx';
import { FieldError } from '../parts/notice.tsx';

export function ReadMessage({
  label,
  onMessage,
}: {
  /** What is awaited. */
  label: string;
  onMessage: (message: OfflineMessage) => void;
}) {
  const reader = useRef(new OfflineReader());
  const [progress, setProgress] = useState<{ have: number; parts: number } | null>(null);
  const [bad, setBad] = useState<string | null>(null);
  const [typed, setTyped] = useState('');
  const file = useRef<HTMLInputElement>(null);
  const said = useRef(onMessage);
  said.current = onMessage;

  /** Whether it was a part of a message, whole or not. */
  const push = (text: string): boolean => {
    try {
      const { have, parts, message } = reader.current.push(text);
      setBad(null);
      setProgress({ have, parts });
      if (message !== null) {
        scanner.stop();
        setTyped('');
        said.current(message);
      }
      return true;
    } catch (e) {
      setBad(failureOf(e).code === 'TooLarge' ? 'This is larger than any message.' : NO_MESSAGE);
      return false;
    }
  };
  const scanner = useScanner((text) => {
    if (!push(text)) setBad(null);
  }, 'Open a file or paste the text.');
  const paste = (text: string) => {
    setTyped(text);
    setBad(null);
    if (text.trim() !== '' && push(text)) setTyped('');
  };
  const open = async (chosen: File | undefined) => {
    if (chosen === undefined) return;
    push(chosen.size > FILE_MAX ? '' : await chosen.text());
    if (file.current !== null) file.current.value = '';
  };
  return (
    <section class="card stack offline-message" aria-label={label}>
      <b class="strong">{label}</b>
      {scanner.view}
      {progress !== null && progress.parts > 1 && progress.have < progress.parts && (
        <p class="small" role="status">
          {progress.have} of {progress.parts} parts read.
        </p>
      )}
      <div class="cluster">
        {scanner.button}
        <label class="btn btn--second btn--sm offline-file">
          <Icon name="save" /> Open a file
          <input
            ref={file}
            type="file"
            class="visually-hidden"
            onChange={(event) => void open(event.currentTarget.files?.[0])}
          />
        </label>
      </div>
      <div class="field">
        <label class="field__label" for="offline-text">
          Or paste the text
        </label>
        <div class={bad === null ? 'input' : 'input input--bad'}>
          <input
            id="offline-text"
            class="code"
            value={typed}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            placeholder="HOARFROST:"
            aria-invalid={bad !== null}
            aria-describedby={bad === null ? undefined : 'offline-error'}
            onInput={(event) => paste(event.currentTarget.value)}
          />
        </div>
        {bad !== null && <FieldError id="offline-error">{bad}</FieldError>}
      </div>
    </section>
  );
}

const NO_MESSAGE = 'This is no message of Hoarfrost, or part of it is missing. Take it across again.';
/** No message is larger as text; asked before a file is read at all. */
const FILE_MAX = 8 << 20;
