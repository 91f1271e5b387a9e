/** Unlock: the password, and what is never asked here. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ThreeShares } from '../../device/port.ts';
import type { Network } from '../../protocol/networks.ts';
import { useCall } from '../device.tsx';
import { NetworkBadge, Rime } from '../parts/frame.tsx';
import { Mark } from '../parts/mark.tsx';
import { FailureNotice, FieldError } from '../parts/notice.tsx';
import { wordsFor } from '../words.ts';

export function Unlock({ shares, network }: { shares: ThreeShares; network: Network }) {
  const [password, setPassword] = useState('');
  const unlock = useCall('unlock');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (password === '' || unlock.busy) return;
    await unlock.run({ password });
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
          <p class="small">Your device share is asleep.</p>
        </div>
      </main>
      <form class="actions" onSubmit={submit}>
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
          {unlock.busy ? 'Unlocking…' : 'Unlock'}
        </button>
        <p class="caption centred">Never your recovery words.</p>
      </form>
    </>
  );
}
