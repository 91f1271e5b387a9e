/** Sending and what came of it. Closing the popup stops nothing; a restarted worker goes on from the request. */
import { useEffect, useState } from 'preact/hooks';
import type { PaymentProgress, ReviewView, ThreeShares, WalletView } from '../../device/port.ts';
import { shortText } from '../addressText.ts';
import { useCall, useClient, useLink } from '../device.tsx';
import { CopyButton, type StepState, Steps } from '../parts/controls.tsx';
import { Heading, NetworkBadge, Rime } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Mark } from '../parts/mark.tsx';
import { Amount, ShortAddress } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { momentText, tookText } from '../times.ts';
import { wordsFor } from '../words.ts';
import { notSent } from './activityList.tsx';
import { ByCosigner } from './byCosigner.tsx';

const POLL_MS = 1500;
const SLOW_MS = 20_000;

/** How far along each step of a payment is. */
export function sendingSteps(progress: PaymentProgress | null): [StepState, StepState, StepState] {
  switch (progress?.state ?? 'pressed') {
    case 'requested':
    case 'pressed':
    case 'failed':
      return ['now', 'todo', 'todo'];
    case 'attempted':
      return ['done', 'now', 'todo'];
    case 'signed':
      return ['done', 'done', 'now'];
    case 'broadcast':
    case 'confirmed':
    case 'received':
      return ['done', 'done', 'done'];
  }
}

export function Sending({
  shares,
  wallet,
  review,
  onHome,
  onDetail,
  onReview,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  review: ReviewView;
  onHome: () => void;
  onDetail: () => void;
  /** The press has run out before anything was signed: it takes a new one. */
  onReview: () => void;
}) {
  const { progress, slow } = useProgress(review.request);
  const link = useLink();
  const [slept, setSlept] = useState(false);
  useEffect(() => {
    if (link !== 'open') setSlept(true);
  }, [link]);

  const state = progress?.state;
  if (state === 'failed')
    return <NotSent review={review} progress={progress} wallet={wallet} onHome={onHome} />;
  if (state === 'broadcast' || state === 'confirmed') {
    return <Sent {...{ shares, wallet, review, progress, onHome, onDetail }} />;
  }
  const [device, cosigner, network] = sendingSteps(progress);
  const deferred = progress?.verdict?.kind === 'waits' ? progress.verdict : null;
  return (
    <>
      <div class="topbar">
        <Heading class="topbar__name title">Sending</Heading>
        <NetworkBadge network={wallet.network} />
      </div>
      <main class="screen screen--loose">
        <div class="moment">
          <Mark
            shares={{
              device: device === 'done' ? 'lit' : 'growing',
              cosigner: cosigner === 'done' ? 'lit' : cosigner === 'now' ? 'growing' : shares.cosigner,
              recovery: shares.recovery,
            }}
            size="xl"
            label={
              cosigner === 'now'
                ? 'Device has signed. Cosigner is signing'
                : cosigner === 'done'
                  ? 'Both have signed'
                  : 'Device is signing'
            }
          />
          <PaidTo review={review} />
        </div>
        {deferred !== null ? (
          <Notice tone="caution" icon="wait">
            <b>Your cosigner waits.</b> Nothing was signed so far. Ready{' '}
            {momentText(deferred.until, Date.now())}.
          </Notice>
        ) : state === 'requested' ? (
          <Notice tone="caution" icon="clock">
            <b>Your press has run out.</b> Nothing was signed. Nothing left your wallet. Review it once more
            and press again, or leave it.
          </Notice>
        ) : progress?.error != null ? (
          <>
            <FailureNotice failure={{ code: progress.error, detail: '', retryAfterMs: 0 }} />
            {progress.error === 'RouteUnavailable' && <ByCosigner request={review.request} />}
          </>
        ) : (
          slept && (
            <Notice tone="info" icon="refresh">
              <b>The browser put the wallet to sleep.</b> Nothing was sent twice. It goes on from your
              request.
            </Notice>
          )
        )}
        {deferred === null && slow && progress?.error == null && state !== 'requested' && (
          <Notice tone="caution" icon="clock">
            <b>This takes longer than usual.</b> Nothing is sent twice. The wallet keeps trying; you can close
            this.
          </Notice>
        )}
        {state !== 'requested' && (
          <>
            <div class="card card--roomy">
              <Steps
                label="Progress"
                steps={[
                  { name: 'Device share signed', state: device },
                  { name: 'Cosigner checks and signs', state: cosigner },
                  { name: 'Handed to the network', state: network },
                ].map((step) => (step.state === 'now' ? { ...step, time: 'now' } : step))}
              />
            </div>
            <p class="caption centred">
              You can close this. It goes on, and the result will be here when you come back.
            </p>
          </>
        )}
      </main>
      {(slow || deferred !== null || state === 'requested') && (
        <div class="actions">
          {state === 'requested' && (
            <button type="button" class="btn btn--primary" onClick={onReview}>
              Review it again
            </button>
          )}
          <button type="button" class="btn btn--second" onClick={onHome}>
            Back to the wallet
          </button>
        </div>
      )}
    </>
  );
}

/** Events tell it first; asking again covers an event lost with a worker. */
function useProgress(request: string): { progress: PaymentProgress | null; slow: boolean } {
  const client = useClient();
  const [progress, setProgress] = useState<PaymentProgress | null>(null);
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    let alive = true;
    const take = (next: PaymentProgress) => {
      if (alive && next.request === request) setProgress(next);
    };
    const ask = () => void client.call('payment', { request }).then(take, () => undefined);
    ask();
    const poll = setInterval(ask, POLL_MS);
    const slowTimer = setTimeout(() => setSlow(true), SLOW_MS);
    const stop = client.onEvent((event) => event.kind === 'payment' && take(event.progress));
    return () => {
      alive = false;
      clearInterval(poll);
      clearTimeout(slowTimer);
      stop();
    };
  }, [client, request]);
  return { progress, slow };
}

function PaidTo({ review, note }: { review: ReviewView; note?: string }) {
  return (
    <div class="stack stack--tight">
      <p class="amount--leaves">
        <Amount sats={review.amount} />
      </p>
      <p class="small">
        to <ShortAddress address={review.address} />
        {note !== undefined && ` · ${note}`}
      </p>
    </div>
  );
}

function Sent({
  shares,
  wallet,
  review,
  progress,
  onHome,
  onDetail,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  review: ReviewView;
  progress: PaymentProgress | null;
  onHome: () => void;
  onDetail: () => void;
}) {
  return (
    <>
      <Rime />
      <div class="topbar">
        <span class="topbar__name" />
        <NetworkBadge network={wallet.network} />
      </div>
      <main class="screen screen--loose">
        <div class="moment">
          <Mark shares={{ ...shares, device: 'lit', cosigner: 'lit' }} size="xl" />
          <Heading class="headline">Sent</Heading>
          <PaidTo
            review={review}
            note={progress?.state === 'confirmed' ? 'in a block' : 'not in a block yet'}
          />
        </div>
        <div class="card">
          <dl class="facts">
            <div>
              <dt>Signed by</dt>
              <dd>
                Device and cosigner
                {progress?.signMs != null && (
                  <data class="took" value={progress.signMs}>
                    , in {tookText(progress.signMs)}
                  </data>
                )}
              </dd>
            </div>
            <div>
              <dt>Fee</dt>
              <dd>
                <Amount sats={review.fee} />
              </dd>
            </div>
            <div>
              <dt>You have now</dt>
              <dd>
                <Amount sats={review.balanceAfter} />
              </dd>
            </div>
            {progress?.txid != null && <TransactionFact txid={progress.txid} />}
          </dl>
        </div>
      </main>
      <div class="actions actions--pair">
        <button type="button" class="btn btn--second" onClick={onDetail}>
          See the payment
        </button>
        <button type="button" class="btn btn--primary" onClick={onHome}>
          Done
        </button>
      </div>
    </>
  );
}

/** Never a bare hash: under its payment, shortened in the middle, beside Copy. */
export function TransactionFact({ txid }: { txid: string }) {
  return (
    <div>
      <dt>Transaction</dt>
      <dd class="cluster cluster--1">
        <data class="code tone-faint" value={txid}>
          {shortText(txid)}
        </data>
        <CopyButton text={txid} name="Copy transaction id" kind="link" />
      </dd>
    </div>
  );
}

function NotSent({
  review,
  progress,
  wallet,
  onHome,
}: {
  review: ReviewView;
  progress: PaymentProgress | null;
  wallet: WalletView;
  onHome: () => void;
}) {
  const code = progress?.error ?? 'Internal';
  if (code === 'MessageMismatch') return <Mismatch onHome={onHome} />;
  const words = wordsFor(code);
  const title = notSent({ txid: progress?.txid ?? null });
  return (
    <>
      <div class="topbar">
        <Heading class="topbar__name title">{title}</Heading>
        <NetworkBadge network={wallet.network} />
      </div>
      <main class="screen screen--loose">
        <div class="moment">
          <PaidTo review={review} note={title.toLowerCase()} />
        </div>
        <div class="notice notice--caution" role="alert" data-code={code}>
          <Icon name="alert" />
          <span>
            <b>{words.happened}</b> {words.safe} {words.next}
          </span>
        </div>
        {code === 'RouteRejected' && <ByCosigner request={review.request} />}
      </main>
      <div class="actions">
        <button type="button" class="btn btn--primary" onClick={onHome}>
          Back to the wallet
        </button>
      </div>
    </>
  );
}

/** The one screen that shouts. Nothing was signed, and it says so first. */
export function Mismatch({ onHome }: { onHome: () => void }) {
  const lock = useCall('lock');
  return (
    <>
      <div class="topbar">
        <Heading class="topbar__name title">Stopped</Heading>
      </div>
      <main class="screen">
        <div class="stack stack--2" role="alert" data-code="MessageMismatch">
          <span class="row__icon row__icon--danger">
            <Icon name="stop" />
          </span>
          <h2 class="headline">Your cosigner read a different payment</h2>
          <p class="small">
            <b class="strong">Nothing was signed. Nothing left your wallet.</b> Either this browser or the
            cosigner is showing something untrue.
          </p>
        </div>
        <Notice icon="info">
          <b>What to do.</b> Do not try again here. Check the address on another device, then ask whoever runs
          the cosigner.
        </Notice>
      </main>
      <div class="actions">
        <button type="button" class="btn btn--danger" onClick={() => void lock.run(null)}>
          Lock this wallet
        </button>
        <button type="button" class="btn btn--second" onClick={onHome}>
          Back to the wallet
        </button>
      </div>
    </>
  );
}
