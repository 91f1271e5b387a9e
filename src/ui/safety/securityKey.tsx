/** A security key beside the password: added, and taken away again. Offered only where the browser can. */
import { useEffect, useState } from 'preact/hooks';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { KeyNotice, useKeyPrompt } from '../parts/keyPrompt.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { PasswordField } from '../parts/password.tsx';
import { canUseSecurityKeys, newSecurityKey } from '../securityKey.ts';
import { wordsFor } from '../words.ts';
import type { Unlocked } from './page.tsx';

/** Null until it is known: until then no key may be asked for, or the two requests would meet. */
export function useCanUseSecurityKeys(): boolean | null {
  const [able, setAble] = useState<boolean | null>(null);
  useEffect(() => {
    let here = true;
    void canUseSecurityKeys().then((answer) => here && setAble(answer));
    return () => {
      here = false;
    };
  }, []);
  return able;
}

export function SecurityKeyScreen({ state }: { state: Unlocked }) {
  const able = useCanUseSecurityKeys();
  const present = state.securityKey !== null;
  return (
    <section class="stack form-column">
      <div class="stack stack--2">
        <Heading class="display">{present ? 'Password and security key' : 'Add a security key'}</Heading>
        <p class="lede">
          {present
            ? 'Unlocking takes both. Neither opens this browser’s share alone.'
            : 'From then on unlocking takes both: your password and the key. Whoever copies this browser’s files needs the key in hand, too.'}
        </p>
      </div>
      {able === null ? null : !able ? (
        <Notice icon="info">
          <b>This browser does not let extensions use security keys.</b> Your password goes on protecting this
          share.
        </Notice>
      ) : (
        <KeyForm state={state} present={present} />
      )}
    </section>
  );
}

function KeyForm({ state, present }: { state: Unlocked; present: boolean }) {
  const [password, setPassword] = useState('');
  const set = useCall('setSecurityKey');
  const key = useKeyPrompt();
  const wrong = set.error?.code === 'WrongPassword';
  const busy = set.busy || key.asking;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    if (password === '') {
      document.getElementById('current-password')?.focus();
      return;
    }
    const factor = await key.factor(state.securityKey);
    if (factor === undefined) return;
    const securityKey = present ? null : await key.run(newSecurityKey);
    if (securityKey === undefined) return;
    await set.run({ password, factor, securityKey });
    setPassword('');
  };
  return (
    <form class="stack" onSubmit={submit}>
      {!present && (
        <Notice tone="caution" icon="alert">
          <b>A lost security key is then a lost device.</b> Your money stays safe: your cosigner and your
          words give a new browser a share. It takes as long as your rules say.
        </Notice>
      )}
      <div class="field">
        <PasswordField
          id="current-password"
          name="Password"
          autocomplete="current-password"
          value={password}
          onInput={setPassword}
          bad={wrong}
          describedBy={wrong ? 'current-error' : undefined}
        />
        {wrong && (
          <FieldError id="current-error" code="WrongPassword">
            {wordsFor('WrongPassword').happened} Nothing has changed.
          </FieldError>
        )}
      </div>
      {key.problem !== null && <KeyNotice problem={key.problem} />}
      {set.error !== null && !wrong && <FailureNotice failure={set.error} />}
      <button type="submit" class="btn btn--primary" aria-disabled={busy || password === ''}>
        {key.asking
          ? 'Waiting for the key…'
          : present
            ? 'Take the security key away'
            : 'Add the security key'}
      </button>
    </form>
  );
}
