/** Three shares forming: what is happening in plain words, and what to do if it stops. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ShardState, ThreeShares } from '../../device/port.ts';
import { type Failure, failureOf, useClient } from '../device.tsx';
import { type Step, type StepState, Steps } from '../parts/controls.tsx';
import { Shardlet } from '../parts/mark.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { tookText } from '../times.ts';
import { type FormingPlan, type FormingProgress, type FormingStage, formShares } from './forming.ts';
import { Page } from './page.tsx';
import type { RecoverySteps } from './recoveryPort.ts';

const STEPS: [FormingStage, string, string][] = [
  [
    'numbers',
    'Each share chose its own secret number',
    'Your cosigner is asked, and your password is made into a lock.',
  ],
  ['pieces', 'They sent each other sealed pieces', 'Each piece opens for one share only.'],
  [
    'record',
    'All three sign the same record of what was said',
    'If even one letter differed, this stops and no wallet is made.',
  ],
  [
    'check',
    'Recovery opens its share from the record, then the words are wiped',
    'Checked from the words you typed.',
  ],
];

export function FormingStep({
  plan,
  recovery,
  cosignerHost,
  onStop,
  onDone,
  children,
}: {
  plan: FormingPlan;
  recovery: RecoverySteps;
  cosignerHost: string | null;
  /** Nothing was made. `failure` is what stopped it, if not the user. */
  onStop: (failure: Failure | null) => void;
  onDone: () => void;
  /** What there is to do meanwhile, where recovery is played elsewhere. */
  children?: ComponentChildren;
}) {
  const client = useClient();
  const [progress, setProgress] = useState<FormingProgress>({ step: 'numbers', restarts: 0 });
  const [failure, setFailure] = useState<Failure | null>(null);
  const [attempt, setAttempt] = useState(0);
  const [stopping, setStopping] = useState(false);
  const marks = useRef(new Map<FormingStage, number>());

  useEffect(() => {
    let alive = true;
    setFailure(null);
    const follow = (next: FormingProgress) => {
      if (next.step === 'numbers') marks.current.clear();
      marks.current.set(next.step, performance.now());
      if (alive) setProgress(next);
    };
    formShares(client, recovery, plan, follow, attempt > 0).then(
      () => alive && onDone(),
      (e) => alive && setFailure(failureOf(e)),
    );
    return () => {
      alive = false;
    };
  }, [attempt]);

  const stop = async () => {
    setStopping(true);
    await client.call('keygenStop', null).catch(() => undefined);
    recovery.wipe();
    onStop(failure);
  };
  const at = progress.step === 'done' ? STEPS.length : STEPS.findIndex(([step]) => step === progress.step);
  const steps = STEPS.map(([step, name, more], i): Step => {
    const state: StepState = i < at ? 'done' : i > at ? 'todo' : failure === null ? 'now' : 'stuck';
    const time = timeOf(marks.current, step, STEPS[i + 1]?.[0] ?? 'done', state);
    return { name, state, ...(time === null ? {} : { time }), ...(i === at ? { more } : {}) };
  });
  const growing: ShardState = failure === null ? 'growing' : 'none';
  const shares: ThreeShares = {
    device: at >= 3 ? 'lit' : growing,
    cosigner: at >= 3 ? 'lit' : failure?.code === 'CosignerUnreachable' ? 'away' : growing,
    recovery: at >= 4 ? 'rest' : growing,
  };
  return (
    <Page
      step={4}
      shares={shares}
      title="Your shares are forming"
      lede="They are made apart. The key is never put together, not even here."
      note="Keep this tab open. If it is closed before all three have signed, no wallet is made and it starts again from the beginning."
      foot={
        <>
          {at < 3 && (
            <button type="button" class="btn btn--quiet" disabled={stopping} onClick={() => void stop()}>
              Stop
            </button>
          )}
          <span class="caption" role="status">
            Step {Math.min(at + 1, STEPS.length)} of {STEPS.length}.
            {children === undefined && ' Usually under 5 seconds.'}
          </span>
        </>
      }
    >
      <div class="columns columns--shares">
        <ShareCard state={shares.device} name="Device" text="This browser, under your password." />
        <ShareCard
          state={shares.cosigner}
          name="Cosigner"
          text={cosignerHost ?? 'The server of your link.'}
        />
        <ShareCard state={shares.recovery} name="Recovery" text="From the words you typed." paper />
      </div>
      {children}
      {progress.restarts > 0 && failure === null && (
        <Notice tone="info" icon="refresh">
          <b>The connection ended in the middle.</b> Nothing of that attempt was kept. It began again from
          your words.
        </Notice>
      )}
      <Steps steps={steps} label="Progress" />
      {failure !== null && <FailureNotice failure={failure} onRetry={() => setAttempt(attempt + 1)} />}
    </Page>
  );
}

function timeOf(
  marks: Map<FormingStage, number>,
  step: FormingStage,
  next: FormingStage,
  state: StepState,
): string | null {
  const [from, to] = [marks.get(step), marks.get(next)];
  if (state === 'now') return 'now';
  return state === 'done' && from !== undefined && to !== undefined ? tookText(to - from) : null;
}

function ShareCard({
  state,
  name,
  text,
  paper = false,
}: {
  state: ShardState;
  name: string;
  text: string;
  paper?: boolean;
}) {
  return (
    <div class={`card sharecard sharecard--big${paper ? ' card--paper' : ''}`}>
      <Shardlet state={state} />
      <b class="title">{name}</b>
      <p class="small">{text}</p>
    </div>
  );
}
