/** The password that locks this browser's share, and what the cosigner may sign in a day without more. */
import { useState } from 'preact/hooks';
import { parseAmount, satsText } from '../amounts.ts';
import { NO_SHARES } from '../parts/mark.tsx';
import { missingOf, NewPassword } from '../parts/password.tsx';
import { Page } from './page.tsx';

export interface Guard {
  password: string;
  dailyLimit: bigint;
}

const FIRST_LIMIT = '1 000 000';

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
  const [tried, setTried] = useState(false);

  const dailyLimit = parseAmount(limit, 'sats');
  const missing = missingOf(password, repeat);
  const next = () => {
    setTried(true);
    if (missing === null && dailyLimit !== null && dailyLimit > 0n) onDone({ password, dailyLimit });
    else document.getElementById(missing ?? 'daily-limit')?.focus();
  };
  const enter = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    document.getElementById('continue')?.focus();
  };
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
        <NewPassword
          {...{ password, repeat, tried, problem }}
          onPassword={setPassword}
          onRepeat={setRepeat}
          onEnter={() => document.getElementById('daily-limit')?.focus()}
        />
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
              onKeyDown={enter}
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
