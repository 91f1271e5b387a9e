/** Moving to a new key: a new wallet is made, every coin goes there, and then it is the one in use. Goes on wherever it stopped. */
import { useEffect, useState } from 'preact/hooks';
import type { FeePresets, ReviewView, SweepView, WalletView } from '../../device/port.ts';
import { countText, parseRate, rateText } from '../amounts.ts';
import { useCall, useClient } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { NetworkBadge, SubBar } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Amount } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { type FeeChoice, Fees, useRates } from './fees.tsx';

const STEPS = ['Make the new key', 'Send every coin to it', 'Wait for blocks', 'Use the new key'] as const;
const STEP_OF = { move: 1, wait: 2, done: 3 } as const;

export function Sweep({
  wallet,
  host,
  onReview,
  onBack,
}: {
  wallet: WalletView;
  host: Host;
  onReview: (review: ReviewView, presets: FeePresets | null) => void;
  onBack: () => void;
}) {
  const client = useClient();
  const ask = useCall('sweep');
  const [sweep, setSweep] = useState<SweepView | null>(null);
  const look = () => void ask.run(null).then(setSweep);
  useEffect(() => {
    look();
    return client.onEvent((event) => event.kind === 'state' && look());
  }, [client]);
  const step = sweep === null ? 0 : STEP_OF[sweep.stage];
  return (
    <>
      <SubBar title="Move to a new key" onBack={onBack}>
        <NetworkBadge network={wallet.network} />
      </SubBar>
      <main class="screen">
        <ol class="trail" aria-label="Steps">
          {STEPS.map((name, i) => (
            <li
              key={name}
              data-state={i < step ? 'done' : undefined}
              aria-current={i === step ? 'step' : undefined}
            >
              <span class="step__dot">{i < step ? <Icon name="check" /> : i + 1}</span>
              {name}
            </li>
          ))}
        </ol>
        {ask.error !== null && <FailureNotice failure={ask.error} onRetry={look} />}
        {sweep === null ? <NewKey host={host} onAdopted={setSweep} /> : null}
        {sweep?.stage === 'move' && <Move sweep={sweep} onReview={onReview} />}
        {sweep?.stage === 'wait' && <Wait sweep={sweep} wallet={wallet} />}
        {sweep?.stage === 'done' && <Finish sweep={sweep} inUse={host.generation === 'current'} />}
      </main>
    </>
  );
}

function NewKey({ host, onAdopted }: { host: Host; onAdopted: (sweep: SweepView) => void }) {
  const adopt = useCall('sweepAdopt');
  const code = adopt.error?.code;
  return (
    <>
      <p class="small">
        If someone may have seen your words, or you no longer trust the cosigner, only a fresh key helps. You
        make a new wallet with new words beside this one, then send everything to it.
      </p>
      <Notice icon="paper">
        <b>Have new paper ready.</b> The old words stay good for the old key alone. Nothing moves before you
        press.
      </Notice>
      <button type="button" class="btn btn--primary" onClick={() => void host.openOnboarding('next')}>
        Make the new key
      </button>
      <button
        type="button"
        class="btn btn--second"
        aria-disabled={adopt.busy}
        onClick={() => void adopt.run(null).then((view) => view !== null && onAdopted(view))}
      >
        It is made: go on
      </button>
      {code === 'NoWallet' || code === 'Pending' ? (
        <Notice tone="caution" icon="alert">
          <b>The new wallet is not made yet.</b> Nothing has moved. Press “Make the new key” and finish there.
        </Notice>
      ) : code === 'Locked' ? (
        <Notice tone="caution" icon="lock">
          <b>The new wallet is locked.</b> Nothing has moved. Unlock it once, then press “It is made” again.
          <div>
            <button type="button" class="link" onClick={() => host.openWallet('next')}>
              Open the new wallet
            </button>
          </div>
        </Notice>
      ) : (
        adopt.error !== null && <FailureNotice failure={adopt.error} />
      )}
    </>
  );
}

function Move({
  sweep,
  onReview,
}: {
  sweep: SweepView;
  onReview: (review: ReviewView, presets: FeePresets | null) => void;
}) {
  const rates = useRates();
  const draft = useCall('sweepDraft');
  const { presets } = rates;
  const [choice, setChoice] = useState<FeeChoice>('medium');
  const [typed, setTyped] = useState('');
  const rate = choice === 'custom' ? parseRate(typed) : (presets?.[choice] ?? null);
  const ready = rate !== null && !draft.busy;
  const review = async () => {
    if (!ready) return;
    const answer = await draft.run({ feeRate: rate });
    if (answer !== null) onReview(answer, presets);
  };
  return (
    <>
      <section class="stack stack--tight" aria-label="Still on the old key">
        <span class="label">Still on the old key</span>
        <p class="amount--leaves">
          <Amount sats={sweep.left} />
        </p>
        <p class="caption">
          {sweep.coins === 1 ? 'One coin' : `${countText(sweep.coins)} coins`}
          {sweep.coins > 500 && ', 500 at a time, the most valuable first'}
        </p>
      </section>
      <div class="field">
        <span class="field__label">
          <span id="sweep-fee">Fee</span> <span class="caption">In sats on the next screen</span>
        </span>
        <Fees presets={presets} value={choice} labelledBy="sweep-fee" onChange={setChoice} />
        {choice === 'custom' && (
          <div class="input">
            <input
              aria-label="Fee rate in sat/vB"
              inputMode="decimal"
              autocomplete="off"
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
            <span class="caption nowrap">
              sat/vB{presets !== null && `, from ${rateText(presets.floor).replace(' sat/vB', '')}`}
            </span>
          </div>
        )}
      </div>
      {rates.error !== null && presets === null && (
        <FailureNotice failure={rates.error} onRetry={rates.load} />
      )}
      {draft.error !== null && <FailureNotice failure={draft.error} onRetry={() => void review()} />}
      <button type="button" class="btn btn--primary" aria-disabled={!ready} onClick={() => void review()}>
        {draft.busy ? 'Preparing…' : 'Review'}
      </button>
    </>
  );
}

function Wait({ sweep, wallet }: { sweep: SweepView; wallet: WalletView }) {
  const refresh = useCall('refresh');
  return (
    <>
      <Notice icon="clock">
        <b>
          {sweep.underWay > 0
            ? `${sweep.underWay === 1 ? 'One payment waits' : `${countText(sweep.underWay)} payments wait`} for a block.`
            : wallet.incoming > 0n
              ? 'A payment to the old key waits for a block.'
              : 'The chain has not been read lately.'}
        </b>{' '}
        You can close this. It goes on here when you come back.
      </Notice>
      {refresh.error !== null && <FailureNotice failure={refresh.error} />}
      <button
        type="button"
        class="btn btn--second"
        aria-disabled={refresh.busy}
        onClick={() => void refresh.run(null)}
      >
        {refresh.busy ? 'Reading the chain…' : 'Look again'}
      </button>
    </>
  );
}

function Finish({ sweep, inUse }: { sweep: SweepView; inUse: boolean }) {
  return (
    <>
      <Notice tone="ok" icon="check">
        <b>Every coin has left the old key.</b>{' '}
        {sweep.moved > 0n && (
          <>
            <Amount sats={sweep.moved} /> are on the new one.
          </>
        )}
      </Notice>
      {inUse && <UseNewKey />}
    </>
  );
}

function UseNewKey() {
  const finish = useCall('sweepFinish');
  return (
    <>
      <p class="small">
        From here on the wallet is the new one: unlock it with the new password. The old key stays in
        Settings, in case somebody still pays to one of its addresses.
      </p>
      {finish.error !== null && <FailureNotice failure={finish.error} />}
      <button
        type="button"
        class="btn btn--primary"
        aria-disabled={finish.busy}
        onClick={() => void finish.run(null)}
      >
        Use the new key
      </button>
    </>
  );
}
