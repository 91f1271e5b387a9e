/** The password that locks this browser's share, and what the cosigner may sign in a day without more. */
import { useState } from 'preact/hooks';
import { parseAmount, satsText } from '../amounts.ts';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { FieldError } from '../parts/notice.tsx';
import { passwordStrength, STRENGTH_WORDS } from '../passwordStrength.ts';
import { Page } from './page.tsx';

export interface Guard {
  password: string;
  dailyLimit: bigint;
}

const FIRST_LIMIT = '1 000 000';
const FIELDS = ['new-password', 'repeat-password', 'daily-limit'];

export function PasswordStep({
  problem,
  onBack,
  onDone,
}: {
  /** What the device said about an earlier try. */
  problem: string | null;
  onBack: () => void;
  onDone: (guard: Guard) => void;
}) {
  const [password, setPassword] = useState('');
  const [repeat, setRepeat] = useState('');
  const [limit, setLimit] = useState(FIRST_LIMIT);
  const [shown, setShown] = useState(false);
  const [tried, setTried] = useState(false);

  // Preact's types keep each input type apart, and this field changes between two.
  const type = (shown ? 'text' : 'password') as 'password';
  const strength = passwordStrength(password);
  const dailyLimit = parseAmount(limit, 'sats');
  const weak = strength < 2;
  const differs = repeat !== password;
  const ready = !weak && !differs && dailyLimit !== null && dailyLimit > 0n;
  const next = () => {
    setTried(true);
    if (ready) onDone({ password, dailyLimit });
    else document.getElementById(FIELDS[weak ? 0 : differs ? 1 : 2] ?? '')?.focus();
  };
  const enter = (event: KeyboardEvent, field: number) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    document.getElementById(FIELDS[field + 1] ?? 'continue')?.focus();
  };
  const said = password === '' ? '' : STRENGTH_WORDS[strength];
  const badLimit = tried && (dailyLimit === null || dailyLimit === 0n);
  return (
    <Page
      step={1}
      shares={NO_SHARES}
      title="Lock this browser’s share"
      note="Forgotten it? Then this share stays locked for good: a forgotten password is a lost device. The password is never sent anywhere."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <span class="spacer" />
          <button type="button" id="continue" class="btn btn--primary" onClick={next}>
            Continue
          </button>
        </>
      }
    >
      <div class="stack form-column">
        <div class="field">
          <label class="field__label" for="new-password">
            Password
          </label>
          <div class={tried && weak ? 'input input--bad' : 'input'}>
            <input
              id="new-password"
              type={type}
              value={password}
              autocomplete="new-password"
              spellcheck={false}
              aria-invalid={tried && weak}
              aria-describedby="strength"
              onInput={(event) => setPassword(event.currentTarget.value)}
              onKeyDown={(event) => enter(event, 0)}
            />
            <button
              type="button"
              class="icon-btn"
              aria-label={shown ? 'Hide password' : 'Show password'}
              onClick={() => setShown(!shown)}
            >
              <Icon name={shown ? 'hide' : 'eye'} />
            </button>
          </div>
          <div class="strength" aria-hidden="true">
            {[1, 2, 3, 4].map((bar) => (
              <i key={bar} class={strength >= bar ? 'on' : ''} />
            ))}
          </div>
          <p class={tried && weak ? 'hint hint--bad' : 'hint'} id="strength" aria-live="polite">
            <span>
              {said}{' '}
              {said === '' && problem !== null ? problem : 'Longer beats stranger: four plain words will do.'}
            </span>
          </p>
        </div>
        <div class="field">
          <label class="field__label" for="repeat-password">
            Once more
          </label>
          <div class={tried && differs ? 'input input--bad' : 'input'}>
            <input
              id="repeat-password"
              type={type}
              value={repeat}
              autocomplete="new-password"
              spellcheck={false}
              aria-invalid={tried && differs}
              aria-describedby={tried && differs ? 'repeat-error' : undefined}
              onInput={(event) => setRepeat(event.currentTarget.value)}
              onKeyDown={(event) => enter(event, 1)}
            />
          </div>
          {tried && differs && <FieldError id="repeat-error">The two are not the same.</FieldError>}
        </div>
        <div class="field">
          <label class="field__label" for="daily-limit">
            Daily limit <span class="caption">sats in 24 hours</span>
          </label>
          <div class={badLimit ? 'input input--bad' : 'input'}>
            <input
              id="daily-limit"
              inputMode="numeric"
              autocomplete="off"
              value={limit}
              aria-invalid={badLimit}
              aria-describedby="limit-hint"
              onInput={(event) => setLimit(event.currentTarget.value)}
              onKeyDown={(event) => enter(event, 2)}
            />
          </div>
          <p class={badLimit ? 'hint hint--bad' : 'hint'} id="limit-hint">
            <span>
              {dailyLimit === null || dailyLimit === 0n
                ? 'Write whole sats.'
                : `Your cosigner signs up to ${satsText(dailyLimit)} a day, fees included, and refuses more.`}
            </span>
          </p>
        </div>
      </div>
    </Page>
  );
}
