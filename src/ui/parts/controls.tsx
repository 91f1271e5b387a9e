/** Small controls: segments, copy, steps of a progress, health of the shares. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ShardState, ThreeShares } from '../../device/port.ts';
import { Icon } from './icon.tsx';
import { Mark } from './mark.tsx';

export function Segmented<V extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: V;
  options: readonly (readonly [V, string])[];
  onChange: (value: V) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset brings a legend and a box
    <div class="segmented" role="group" aria-label={label}>
      {options.map(([option, name]) => (
        <button type="button" key={option} aria-pressed={option === value} onClick={() => onChange(option)}>
          {name}
        </button>
      ))}
    </div>
  );
}

const COPIED_MS = 2000;

/** After the copy it says “Copied” for two seconds. `name` is what it says before. */
export function CopyButton({
  text,
  name,
  kind,
}: {
  text: string;
  name: string;
  kind: 'primary' | 'second' | 'link';
}) {
  const [said, setSaid] = useState<'' | 'Copied' | 'Not copied'>('');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copied = false;
    }
    setSaid(copied ? 'Copied' : 'Not copied');
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(''), COPIED_MS);
  };
  const icon = <Icon name={said === 'Copied' ? 'check' : 'copy'} />;
  if (kind === 'link') {
    return (
      <button
        type="button"
        class="link"
        aria-label={said === '' ? name : said}
        aria-live="polite"
        onClick={copy}
      >
        {icon}
      </button>
    );
  }
  return (
    <button type="button" class={`btn btn--${kind}`} aria-live="polite" onClick={copy}>
      {icon} {said === '' ? name : said}
    </button>
  );
}

export type StepState = 'done' | 'now' | 'todo' | 'stuck';

export interface Step {
  name: string;
  state: StepState;
  /** On the right: what it took, or “now”. */
  time?: string;
  more?: string;
}

export function Steps({ steps, label }: { steps: Step[]; label: string }) {
  return (
    <ol class="steps" aria-live="polite" aria-label={label}>
      {steps.map((step, i) => (
        <li
          class="step"
          data-state={step.state}
          key={step.name}
          {...(step.state === 'now' ? { 'aria-current': 'step' } : {})}
        >
          <span class="step__dot">
            {step.state === 'done' ? (
              <Icon name="check" />
            ) : step.state === 'stuck' ? (
              <Icon name="alert" />
            ) : (
              i + 1
            )}
          </span>
          <span class="step__name">{step.name}</span>
          {step.time !== undefined && <time class="step__time">{step.time}</time>}
          {step.more !== undefined && <span class="step__more">{step.more}</span>}
        </li>
      ))}
    </ol>
  );
}

const STATE_WORDS: Record<ShardState, string> = {
  lit: 'Ready',
  rest: 'At rest',
  locked: 'Locked',
  growing: 'At work',
  away: 'No answer',
  lost: 'Lost',
  none: 'Not made yet',
};
export const SHARE_WORDS: Record<keyof ThreeShares, Record<ShardState, string>> = {
  device: { ...STATE_WORDS, lost: 'To be replaced' },
  cosigner: { ...STATE_WORDS, lit: 'Online', locked: 'Not asked yet' },
  recovery: { ...STATE_WORDS, lit: 'At hand', rest: 'On paper' },
};

/** The three shares: place says which, form says how, words say both. */
export function Health({ shares }: { shares: ThreeShares }) {
  const rows = [
    ['Device', shares.device, SHARE_WORDS.device[shares.device]],
    ['Cosigner', shares.cosigner, SHARE_WORDS.cosigner[shares.cosigner]],
    ['Recovery', shares.recovery, SHARE_WORDS.recovery[shares.recovery]],
  ] as const;
  return (
    <section class="card health" aria-label="Health of the three shares">
      <Mark shares={shares} size="lg" />
      <dl class="health__list">
        {rows.map(([name, state, words]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={state === 'away' ? 'tone-caution' : state === 'lost' ? 'tone-danger' : ''}>
              {state === 'away' && <Icon name="offline" />}
              {state === 'lost' && <Icon name="alert" />}
              {words}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
