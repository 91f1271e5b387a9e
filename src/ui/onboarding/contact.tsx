/** Who hears of it when one of the three alone asks for a change, and how long it has to wait: laid down with the key. */
import { useState } from 'preact/hooks';
import { DELAY_MS, readContact } from '../../protocol/terms.ts';
import { NO_SHARES } from '../parts/mark.tsx';
import { FieldError } from '../parts/notice.tsx';
import { Page } from './page.tsx';

export interface Watch {
  /** Milliseconds. */
  delay: number;
  contact: string | null;
}

const DAY_MS = 86_400_000;
const FIELDS = ['contact', 'delay', 'continue'];

export function ContactStep({
  initial,
  onBack,
  onDone,
}: {
  initial: Watch;
  onBack: () => void;
  onDone: (watch: Watch) => void;
}) {
  const [typed, setTyped] = useState(initial.contact?.replace(/^mailto:/, '') ?? '');
  const [days, setDays] = useState(String(initial.delay / DAY_MS));
  const [tried, setTried] = useState(false);

  const contact = typed.trim() === '' ? null : readContact(typed);
  const badContact = contact === null && typed.trim() !== '';
  const delay = /^\d{1,2}$/.test(days.trim()) ? Number(days) * DAY_MS : 0;
  const badDelay = delay < DELAY_MS.least || delay > DELAY_MS.most;
  const next = () => {
    setTried(true);
    if (!badContact && !badDelay) onDone({ delay, contact });
    else document.getElementById(FIELDS[badContact ? 0 : 1]!)?.focus();
  };
  const enter = (event: KeyboardEvent, field: number) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    document.getElementById(FIELDS[field + 1]!)?.focus();
  };
  return (
    <Page
      step={1}
      shares={NO_SHARES}
      title="Who else should hear of it?"
      note="One share may be lost or stolen one day. To put a new one in its place two of your three must agree, or one must ask and wait. While it waits the others are told, and each can stop it."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <span class="spacer" />
          <button type="button" id="continue" class="btn btn--primary" onClick={next}>
            Continue to the words
          </button>
        </>
      }
    >
      <div class="stack form-column">
        <div class="field">
          <label class="field__label" for="contact">
            Contact <span class="caption">optional</span>
          </label>
          <div class={tried && badContact ? 'input input--bad' : 'input'}>
            <input
              id="contact"
              value={typed}
              inputMode="email"
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              placeholder="name@example.org"
              aria-invalid={tried && badContact}
              aria-describedby="contact-hint"
              onInput={(event) => setTyped(event.currentTarget.value)}
              onKeyDown={(event) => enter(event, 0)}
            />
          </div>
          {tried && badContact ? (
            <FieldError id="contact-hint">This is neither an e-mail address nor an https address.</FieldError>
          ) : (
            <p class="hint" id="contact-hint">
              <span>
                An e-mail address that a thief of this browser does not read: another mailbox of yours, or a
                person you trust. It can stop a change, or agree to one. It cannot spend. Your cosigner learns
                it.
              </span>
            </p>
          )}
        </div>
        <div class="field">
          <label class="field__label" for="delay">
            One alone waits <span class="caption">days, 1 to 30</span>
          </label>
          <div class={tried && badDelay ? 'input input--bad' : 'input'}>
            <input
              id="delay"
              inputMode="numeric"
              autocomplete="off"
              value={days}
              aria-invalid={tried && badDelay}
              aria-describedby="delay-hint"
              onInput={(event) => setDays(event.currentTarget.value)}
              onKeyDown={(event) => enter(event, 1)}
            />
          </div>
          <p class={tried && badDelay ? 'hint hint--bad' : 'hint'} id="delay-hint">
            <span>
              {badDelay
                ? 'Write a number of days from 1 to 30.'
                : 'Longer gives you more time to notice a thief, and makes you wait longer when you lose something yourself.'}
            </span>
          </p>
        </div>
      </div>
    </Page>
  );
}
