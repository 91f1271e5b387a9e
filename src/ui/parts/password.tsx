/** Passwords: one that is known, and a new one, typed twice and weighed. */
import type { Ref } from 'preact';
import { useState } from 'preact/hooks';
import { passwordStrength, STRENGTH_WORDS } from '../passwordStrength.ts';
import { Icon } from './icon.tsx';
import { FieldError } from './notice.tsx';

/** A labelled field. What is wrong with it stands under it, tied by `describedBy`. */
export function PasswordField({
  id,
  name,
  autocomplete,
  value,
  onInput,
  bad,
  describedBy,
  shown = false,
  onShow,
  onEnter,
  readOnly = false,
  field,
}: {
  id: string;
  name: string;
  autocomplete: 'current-password' | 'new-password';
  value: string;
  onInput: (value: string) => void;
  bad: boolean;
  describedBy?: string | undefined;
  shown?: boolean;
  /** Without it the field has no button for it. */
  onShow?: () => void;
  /** Without it Enter is the form's. */
  onEnter?: () => void;
  readOnly?: boolean;
  field?: Ref<HTMLInputElement>;
}) {
  // Preact's types keep each input type apart, and this field changes between two.
  const type = (shown ? 'text' : 'password') as 'password';
  const enter = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || onEnter === undefined) return;
    event.preventDefault();
    onEnter();
  };
  return (
    <>
      <label class="field__label" for={id}>
        {name}
      </label>
      <div class={bad ? 'input input--bad' : 'input'}>
        <input
          id={id}
          type={type}
          value={value}
          autocomplete={autocomplete}
          spellcheck={false}
          aria-invalid={bad}
          aria-describedby={describedBy}
          readOnly={readOnly}
          onInput={(event) => onInput(event.currentTarget.value)}
          onKeyDown={enter}
          {...(field === undefined ? {} : { ref: field })}
        />
        {onShow !== undefined && (
          <button
            type="button"
            class="icon-btn"
            aria-label={shown ? 'Hide password' : 'Show password'}
            onClick={onShow}
          >
            <Icon name={shown ? 'hide' : 'eye'} />
          </button>
        )}
      </div>
    </>
  );
}

/** The ids of its two fields, in their order. */
export const NEW_PASSWORD_FIELDS = ['new-password', 'repeat-password'] as const;

/** The field to go to before this pair may be used, or null. */
export function missingOf(password: string, repeat: string): (typeof NEW_PASSWORD_FIELDS)[number] | null {
  if (passwordStrength(password) < 2) return 'new-password';
  return repeat === password ? null : 'repeat-password';
}

export function NewPassword({
  name = 'Password',
  password,
  repeat,
  tried,
  problem = null,
  onPassword,
  onRepeat,
  onEnter,
}: {
  name?: string;
  password: string;
  repeat: string;
  /** Whether it was pressed on already: before that nothing is called wrong. */
  tried: boolean;
  /** What the device said about an earlier try. */
  problem?: string | null;
  onPassword: (password: string) => void;
  onRepeat: (repeat: string) => void;
  /** In the second field. */
  onEnter?: () => void;
}) {
  const [shown, setShown] = useState(false);
  const strength = passwordStrength(password);
  const missing = tried ? missingOf(password, repeat) : null;
  const weak = missing === 'new-password';
  const differs = tried && repeat !== password;
  const said = password === '' ? '' : STRENGTH_WORDS[strength];
  return (
    <>
      <div class="field">
        <PasswordField
          id="new-password"
          name={name}
          autocomplete="new-password"
          value={password}
          onInput={onPassword}
          bad={weak}
          describedBy="strength"
          shown={shown}
          onShow={() => setShown(!shown)}
          onEnter={() => document.getElementById('repeat-password')?.focus()}
        />
        <div class="strength" aria-hidden="true">
          {[1, 2, 3, 4].map((bar) => (
            <i key={bar} class={strength >= bar ? 'on' : ''} />
          ))}
        </div>
        <p class={weak ? 'hint hint--bad' : 'hint'} id="strength" aria-live="polite">
          <span>
            {said}{' '}
            {said === '' && problem !== null ? problem : 'Longer beats stranger: four plain words will do.'}
          </span>
        </p>
      </div>
      <div class="field">
        <PasswordField
          id="repeat-password"
          name="Once more"
          autocomplete="new-password"
          value={repeat}
          onInput={onRepeat}
          bad={differs}
          describedBy={differs ? 'repeat-error' : undefined}
          shown={shown}
          {...(onEnter === undefined ? {} : { onEnter })}
        />
        {differs && <FieldError id="repeat-error">The two are not the same.</FieldError>}
      </div>
    </>
  );
}
