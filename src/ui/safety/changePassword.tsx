/** Another password for this browser's share. */
import { useRef, useState } from 'preact/hooks';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { KeyNotice, useKeyPrompt } from '../parts/keyPrompt.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { missingOf, NewPassword, PasswordField } from '../parts/password.tsx';
import { wordsFor } from '../words.ts';
import type { Unlocked } from './page.tsx';

export function ChangePassword({ state }: { state: Unlocked }) {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [repeat, setRepeat] = useState('');
  const [tried, setTried] = useState(false);
  const [done, setDone] = useState(false);
  const change = useCall('changePassword');
  const key = useKeyPrompt();
  const field = useRef<HTMLInputElement>(null);
  const wrong = change.error?.code === 'WrongPassword';

  const submit = async (event: Event) => {
    event.preventDefault();
    if (change.busy || key.asking) return;
    setTried(true);
    const missing = current === '' ? 'current-password' : missingOf(next, repeat);
    if (missing !== null) {
      document.getElementById(missing)?.focus();
      return;
    }
    const factor = await key.factor(state.securityKey);
    if (factor === undefined) return;
    if (await change.run({ password: current, factor, next })) {
      setDone(true);
      return;
    }
    setCurrent('');
    field.current?.focus();
  };
  if (done) return <Done />;
  return (
    <form class="stack form-column" onSubmit={submit}>
      <div class="stack stack--2">
        <Heading class="display">Change the password</Heading>
        <p class="lede">
          It opens this browser’s share and nothing else. Your recovery words are not asked here.
        </p>
      </div>
      <div class="field">
        <PasswordField
          id="current-password"
          name="Password now"
          autocomplete="current-password"
          value={current}
          onInput={setCurrent}
          bad={wrong}
          describedBy={wrong ? 'current-error' : undefined}
          onEnter={() => document.getElementById('new-password')?.focus()}
          field={field}
        />
        {wrong && (
          <FieldError id="current-error" code="WrongPassword">
            {wordsFor('WrongPassword').happened} Nothing has changed.
          </FieldError>
        )}
      </div>
      <NewPassword
        name="New password"
        {...{ password: next, repeat, tried }}
        onPassword={setNext}
        onRepeat={setRepeat}
      />
      {key.problem !== null && <KeyNotice problem={key.problem} />}
      {change.error !== null && !wrong && <FailureNotice failure={change.error} />}
      <button type="submit" class="btn btn--primary" aria-disabled={change.busy || key.asking}>
        {change.busy ? 'Changing…' : 'Change the password'}
      </button>
    </form>
  );
}

function Done() {
  return (
    <section class="stack form-column">
      <Heading class="display">The password is changed</Heading>
      <Notice tone="ok" icon="check">
        From now on only the new one opens this browser’s share. A copy of this profile that was made earlier
        still opens with the old one.
      </Notice>
      <a class="btn btn--primary" href="#centre">
        Back to safety
      </a>
    </section>
  );
}
