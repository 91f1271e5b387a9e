/** Notices: what happened, what is safe, what to do next. */
import type { ComponentChildren } from 'preact';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Failure } from '../device.tsx';
import { waitText } from '../times.ts';
import { type ErrorWords, wordsFor } from '../words.ts';
import { Icon, type IconName } from './icon.tsx';

export type Tone = 'ok' | 'info' | 'caution' | 'danger';

export function Notice({
  tone,
  icon,
  children,
}: {
  tone?: Tone;
  icon: IconName;
  children: ComponentChildren;
}) {
  return (
    <div
      class={tone === undefined ? 'notice' : `notice notice--${tone}`}
      role={tone === 'danger' ? 'alert' : 'status'}
    >
      <Icon name={icon} />
      <div class="grow">{children}</div>
    </div>
  );
}

/** An error in its three sentences, with the way on if pressing again may help. */
export function FailureNotice({
  failure,
  words = wordsFor(failure.code),
  onRetry,
  retryName = 'Try again',
}: {
  failure: Failure;
  /** Where the code means something of its own. */
  words?: ErrorWords;
  onRetry?: () => void;
  retryName?: string;
}) {
  const { happened, safe, next } = words;
  return (
    <div class="notice notice--caution" role="alert" data-code={failure.code}>
      <Icon name="alert" />
      <div class="grow">
        <b>{happened}</b> {safe} {next}
        {failure.retryAfterMs > 0 && ` Possible again in ${waitText(failure.retryAfterMs)}.`}
        {onRetry !== undefined && (
          <div>
            <button type="button" class="link" onClick={onRetry}>
              <Icon name="refresh" small />
              {retryName}
            </button>
          </div>
        )}
      </div>
    </div>
  );
}

/** Under a field, tied to it by `aria-describedby`. `code` where the device said what is wrong. */
export function FieldError({
  id,
  code,
  children,
}: {
  id: string;
  code?: ErrorCode;
  children: ComponentChildren;
}) {
  return (
    <p class="hint hint--bad" id={id} role="alert" data-code={code}>
      <Icon name="alert" />
      <span>{children}</span>
    </p>
  );
}
