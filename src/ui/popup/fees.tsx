/** Fee presets as one radio group: arrow keys move in it, `1` to `4` choose from anywhere on the screen. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { FeePresets } from '../../device/port.ts';
import { rateText } from '../amounts.ts';
import { type Failure, useCall } from '../device.tsx';

export type FeeChoice = 'fast' | 'medium' | 'slow' | 'custom';

export const FEE_CHOICES: readonly FeeChoice[] = ['fast', 'medium', 'slow', 'custom'];
const TIMES: Record<FeeChoice, string> = {
  fast: '10 min',
  medium: '30 min',
  slow: '2 hours',
  custom: 'Custom',
};

/** When a payment at this rate is likely to be in a block. */
export function feeTime(rate: number, presets: FeePresets | null): string | null {
  if (presets === null) return null;
  if (rate >= presets.fast) return 'about 10 min';
  if (rate >= presets.medium) return 'about 30 min';
  if (rate >= presets.slow) return 'about 2 hours';
  return 'more than 2 hours';
}

export interface Rates {
  /** Null until they have come. */
  presets: FeePresets | null;
  busy: boolean;
  /** Why they have not come. */
  error: Failure | null;
  load(): void;
}

/** Today's rates, asked for as the screen opens. */
export function useRates(): Rates {
  const { run, busy, error } = useCall('fees');
  const [presets, setPresets] = useState<FeePresets | null>(null);
  const load = () => void run(null).then((answer) => answer !== null && setPresets(answer));
  useEffect(load, []);
  return { presets, busy, error, load };
}

export function Fees({
  presets,
  value,
  onChange,
  labelledBy,
}: {
  presets: FeePresets | null;
  value: FeeChoice;
  onChange: (choice: FeeChoice) => void;
  labelledBy: string;
}) {
  const group = useRef<HTMLDivElement>(null);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const choice = FEE_CHOICES['1234'.indexOf(event.key)];
      if (choice !== undefined) latest.current(choice);
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);

  const arrow = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (FEE_CHOICES.indexOf(value) + step + FEE_CHOICES.length) % FEE_CHOICES.length;
    onChange(FEE_CHOICES[next] ?? 'fast');
    (group.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="fees" role="radiogroup" aria-labelledby={labelledBy} ref={group} onKeyDown={arrow}>
      {FEE_CHOICES.map((choice) => (
        // biome-ignore lint/a11y/useSemanticElements: one tab stop and our own keys
        <button
          type="button"
          class="fee"
          role="radio"
          key={choice}
          aria-checked={choice === value}
          tabIndex={choice === value ? 0 : -1}
          onClick={() => onChange(choice)}
        >
          <b>{TIMES[choice]}</b>
          {choice === 'custom' ? 'sat/vB' : presets === null ? '…' : rateText(presets[choice])}
        </button>
      ))}
    </div>
  );
}
