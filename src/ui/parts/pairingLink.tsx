/** The field for a cosigner's pairing link, typed, pasted or scanned: read as it is written, without connecting, and refused beneath. */
import { useState } from 'preact/hooks';
import type { PairingView } from '../../device/port.ts';
import { type Failure, useCall } from '../device.tsx';
import { wordsFor } from '../words.ts';
import { useScanner } from './camera.tsx';
import { FieldError } from './notice.tsx';

export interface PairingLink {
  /** As written. */
  readonly text: string;
  readonly uri: string;
  /** What the link says; null while it says nothing that can be used. */
  readonly link: PairingView | null;
  readonly error: Failure | null;
  /** Answers what it says, as `link` does. */
  write(text: string): Promise<PairingView | null>;
}

export function usePairingLink(): PairingLink {
  const read = useCall('readPairing');
  const [text, setText] = useState('');
  const [link, setLink] = useState<PairingView | null>(null);
  const write = async (written: string) => {
    setText(written);
    setLink(null);
    read.reset();
    const uri = written.trim();
    const view = uri === '' ? null : await read.run({ uri });
    if (view !== null) setLink(view);
    return view;
  };
  return { text, uri: text.trim(), link, error: read.error, write };
}

export const PAIRING_FIELD = 'pairing';

export function PairingField({
  pairing: { text, error, write },
  note,
  onWrite = write,
}: {
  pairing: PairingLink;
  /** Where the link is found. */
  note: string;
  onWrite?: (text: string) => unknown;
}) {
  const bad = error !== null;
  const [otherCode, setOtherCode] = useState(false);
  const scanner = useScanner((seen) => {
    const isLink = /^hoarfrost:/i.test(seen);
    setOtherCode(!isLink);
    if (!isLink) return;
    scanner.stop();
    void onWrite(seen);
  }, 'Paste the link or type it.');
  const beneath = `${PAIRING_FIELD}-error`;
  return (
    <div class="field">
      <label class="field__label" for={PAIRING_FIELD}>
        Pairing link <span class="caption">{note}</span>
      </label>
      <div class={bad ? 'input input--bad' : 'input'}>
        <input
          id={PAIRING_FIELD}
          class="code"
          value={text}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          placeholder="hoarfrost:"
          aria-invalid={bad}
          aria-describedby={bad ? beneath : undefined}
          onInput={(event) => void onWrite(event.currentTarget.value)}
        />
      </div>
      {scanner.view}
      {scanner.looking && otherCode && (
        <p class="hint" role="status">
          <span>The camera reads a code, but no pairing link.</span>
        </p>
      )}
      <div class="cluster">{scanner.button}</div>
      {error !== null && (
        <FieldError id={beneath} code={error.code}>
          {wordsFor(error.code).happened} {wordsFor(error.code).next}
        </FieldError>
      )}
    </div>
  );
}
