/** Unlock: the password, and what is never asked here. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { DeviceState } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { NetworkBadge, Rime } from '../parts/frame.tsx';
import { KeyNotice, useKeyPrompt } from '../parts/keyPrompt.tsx';
import { Mark } from '../parts/mark.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { wordsFor } from '../words.ts';
import { Forgotten } from './forgotten.tsx';

type Locked = Extract<DeviceState, { phase: 'locked' }>;

export function Unlock({ state, host }: { state: Locked; host: Host }) {
  const [forgotten, setForgotten] = useState(false);
  if (forgotten) return <Forgotten {...{ state, host }} onBack={() => setForgotten(false)} />;
  return <Form {...{ state, host }} onForgotten={() => setForgotten(true)} />;
}

function Form({ state, host, onForgotten }: { state: Locked; host: Host; onForgotten: () => void }) {
  const { shares, network, securityKey, returning } = state;
  const [password, setPassword] = useState('');
  const alone = useCall('unlock');
  const together = useCall('unlockWithSecurityKey');
  const unlock = securityKey === null ? alone : together;
  const key = useKeyPrompt();
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (password === '' || unlock.busy || key.asking) return;
    if (securityKey === null) {
      await alone.run({ password });
    } else {
      const factor = await key.factor(securityKey);
      if (!factor) return;
      await together.run({ password, factor });
    }
    setPassword('');
    field.current?.focus();
  };
  const wrong = unlock.error?.code === 'WrongPassword';
  return (
    <>
      <Rime />
      <div class="topbar">
        <span class="topbar__name" />
        <NetworkBadge network={network} />
      </div>
      <main class="screen screen--center">
        <Mark shares={shares} size="xl" label="Your device share is locked" />
        <div class="stack stack--tight">
          <h1 class="headline">Locked</h1>
          <p class="small">
            {securityKey === null
              ? 'Your device share is asleep.'
              : 'Your password and your security key wake your device share.'}
          </p>
        </div>
      </main>
      <form class="actions" onSubmit={submit}>
        {returning && (
          <Notice tone="info" icon="wait">
            <b>A new share is under way.</b>{' '}
            <button type="button" class="link" onClick={() => void host.openReplacement()}>
              See how far it is
            </button>
          </Notice>
        )}
        {key.problem !== null && <KeyNotice problem={key.problem} />}
        {unlock.error !== null && !wrong && <FailureNotice failure={unlock.error} />}
        <div class="field">
          <label class="visually-hidden" for="password">
            Password
          </label>
          <div class={wrong ? 'input input--bad' : 'input'}>
            <input
              id="password"
              ref={field}
              type="password"
              placeholder="Password"
              autocomplete="current-password"
              value={password}
              readOnly={unlock.busy}
              aria-invalid={wrong}
              aria-describedby={wrong ? 'password-error' : undefined}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </div>
          {wrong && (
            <FieldError id="password-error" code="WrongPassword">
              {wordsFor('WrongPassword').happened} {wordsFor('WrongPassword').next}
            </FieldError>
          )}
        </div>
        <button type="submit" class="btn btn--primary" aria-disabled={password === '' || unlock.busy}>
          {key.asking ? 'Waiting for the key…' : unlock.busy ? 'Unlocking…' : 'Unlock'}
        </button>
        <div class="between">
          <p class="caption">Never your recovery words.</p>
          <button type="button" class="link" onClick={onForgotten}>
            {securityKey === null ? 'Forgotten?' : 'Forgotten or lost?'}
          </button>
        </div>
      </form>
    </>
  );
}
