/** The recovery words: shown, written by hand, typed back; in this page, which plays the paper. */
import { useState } from 'preact/hooks';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { ShownWords, TypedWords } from '../parts/words.tsx';
import { Page } from './page.tsx';
import type { RecoveryActor } from './recoveryPort.ts';

export function WordsStep({
  words,
  onBack,
  onDone,
}: {
  words: string[];
  onBack: () => void;
  onDone: () => void;
}) {
  return (
    <Page
      step={2}
      shares={NO_SHARES}
      title="Write down your recovery words"
      lede="They open the third share. Alone they cannot spend."
      note="These words are typed in two places only: here, and on the recovery page. The extension never asks for them again. Anything else that asks is a thief."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <span class="spacer" />
          <button type="button" class="btn btn--primary" onClick={onDone}>
            I have written them down
          </button>
        </>
      }
    >
      <ShownWords words={words} />
      <ul class="bullets">
        <li>
          <Icon name="pen" />
          <span>
            <b>Pen on paper.</b> No photo, no cloud note, no clipboard: there is no copy button on purpose.
          </span>
        </li>
        <li>
          <Icon name="browser" />
          <span>
            <b>This page plays the paper.</b> It holds the words until the three shares have formed, then
            wipes them.
          </span>
        </li>
      </ul>
    </Page>
  );
}

export function TypeBackStep({
  words,
  recovery,
  onBack,
  onDone,
}: {
  words: string[];
  recovery: RecoveryActor;
  onBack: () => void;
  onDone: (typed: string[]) => void;
}) {
  const [whole, setWhole] = useState<string[] | null>(null);
  return (
    <Page
      step={3}
      shares={NO_SHARES}
      title="Type the twelve back"
      lede="From the paper. The third share is made from what you type."
      note="A paper nobody has read is a hope, not a backup."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Show the words again
          </button>
          <span class="spacer" />
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={whole === null}
            onClick={() => whole !== null && onDone(whole)}
          >
            Form the three shares
          </button>
        </>
      }
    >
      <TypedWords count={words.length} wanted={words} tools={recovery} onWords={setWhole} />
    </Page>
  );
}
