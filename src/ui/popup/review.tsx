/** Review: what leaves, who gets it, the fee, what comes back; then the verdict; then the press. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { FeePresets, ReviewView, WalletView } from '../../device/port.ts';
import { feeWeight, parseAmount, percentOf, rateText, satsText } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { ConfirmButton } from '../parts/confirmButton.tsx';
import { NetworkBadge, SubBar } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Address, Amount, ShortAddress } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { feeTime } from './fees.tsx';
import { Verdict, verdictKind } from './verdict.tsx';

export function Review({
  wallet,
  drafted,
  presets,
  onBack,
  onPressed,
  onMismatch,
  onOffline,
}: {
  wallet: WalletView;
  drafted: ReviewView;
  presets: FeePresets | null;
  onBack: () => void;
  onPressed: (review: ReviewView) => void;
  onMismatch: (review: ReviewView) => void;
  /** To make the same payment with the recovery page. */
  onOffline: (review: ReviewView) => void;
}) {
  const [review, setReview] = useState(drafted);
  const evaluate = useCall('evaluate');
  const press = useCall('press');
  const discard = useCall('discard');
  const end = useRef<HTMLDivElement>(null);
  const { request } = drafted;

  const ask = useCallback(() => {
    setReview((shown) => ({ ...shown, verdict: null, verdictError: null }));
    void evaluate.run({ request }).then((answer) => answer !== null && setReview(answer));
  }, [evaluate.run, request]);
  useEffect(ask, [ask]);

  const mismatch = evaluate.error?.code === 'MessageMismatch' || review.verdictError === 'MessageMismatch';
  useEffect(() => {
    if (mismatch) onMismatch(review);
  }, [mismatch]);

  const [open, setOpen] = useState(false);
  const [pressing, setPressing] = useState(false);
  const [typedFee, setTypedFee] = useState('');
  const weight = feeWeight(review.amount, review.fee, review.feeRate, presets?.fast ?? null);
  const feeTyped = weight !== 'typed' || parseAmount(typedFee, 'sats') === review.fee;
  const kind = verdictKind(review, evaluate.error);
  const allowed = (kind === 'signs' || kind === 'waits') && feeTyped && !pressing;

  const leave = () => {
    if (pressing) return;
    void discard.run({ request });
    onBack();
  };
  const offline = () => {
    void discard.run({ request });
    onOffline(review);
  };
  const confirm = async () => {
    setPressing(true);
    const progress = await press.run({ request });
    if (progress !== null) onPressed(review);
    else setPressing(false);
  };
  const sum = <Amount sats={review.amount} />;
  const time = feeTime(review.feeRate, presets);
  const waits = kind === 'waits';
  // To an own address only the fee leaves, as the cosigner counts it too.
  const toSelf = review.outputs.every(({ own }) => own);
  const recipient = toSelf ? 'Your own address' : review.firstTime ? 'New recipient' : 'Recipient';
  return (
    <>
      <SubBar title="Review" onBack={leave}>
        <NetworkBadge network={wallet.network} />
      </SubBar>
      <main class="screen screen--snug">
        <section class="stack stack--tight" aria-label="Leaves your wallet">
          <span class="label">{kind === 'refuses' ? 'Would leave your wallet' : 'Leaves your wallet'}</span>
          <div class="between between--wrap">
            <p class="amount--leaves">
              <Amount sats={toSelf ? review.fee : review.leaves} />
            </p>
            <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
              Details
              <Icon name={open ? 'up' : 'down'} small />
            </button>
          </div>
        </section>
        <div class="card">
          <dl class="facts">
            <div class="facts__wide">
              <dt class="between">
                <span>
                  <b class="strong">{recipient}</b> {kind === 'refuses' ? 'would get' : 'gets'}
                </span>
                <b class="strong">{sum}</b>
              </dt>
              <dd>
                <Address address={review.address} />
              </dd>
            </div>
            <div>
              <dt>
                Fee
                <span class="caption">
                  {rateText(review.feeRate)}
                  {time !== null && `, ${time}`}
                </span>
              </dt>
              <dd>
                <Amount sats={review.fee} />
              </dd>
            </div>
            {review.change > 0n && (
              <div>
                <dt>Comes back to you</dt>
                <dd>
                  <Amount sats={review.change} />
                </dd>
              </div>
            )}
          </dl>
        </div>
        {open && <Ledger review={review} />}
        {review.firstTime && !toSelf && kind !== 'refuses' && (
          <Notice tone="info" icon="user">
            <b>First payment to this address.</b> Compare the strong letters, first and last, with what you
            were given.
          </Notice>
        )}
        {weight !== 'usual' && kind !== 'refuses' && (
          <Notice tone="caution" icon="alert">
            <b>The fee is {percentOf(review.fee, review.amount)} of what you send.</b>{' '}
            {weight === 'high'
              ? 'A slower rate costs less.'
              : 'If you mean it, type the fee in sats below. A slower rate costs less.'}
          </Notice>
        )}
        {weight === 'typed' && kind !== 'refuses' && (
          <div class="field">
            <label class="field__label" for="typed-fee">
              Type the fee <span class="caption">{satsText(review.fee)}</span>
            </label>
            <div class="input">
              <input
                id="typed-fee"
                inputMode="numeric"
                autocomplete="off"
                value={typedFee}
                onInput={(event) => setTypedFee(event.currentTarget.value)}
              />
            </div>
          </div>
        )}
        <Verdict review={review} failure={evaluate.error} onAskAgain={ask} onOffline={offline} />
        {press.error !== null && <FailureNotice failure={press.error} />}
        <div ref={end} class="end-of-request" />
      </main>
      <div class="actions actions--pair">
        {kind === 'refuses' ? (
          <button type="button" class="btn btn--primary" onClick={leave}>
            Change the payment
          </button>
        ) : (
          <>
            <button type="button" class="btn btn--second" onClick={leave}>
              Not now
            </button>
            <ConfirmButton
              allowed={allowed}
              content={`${request} ${kind} ${review.verdict?.kind === 'signs' ? review.verdict.leftInWindow : ''}`}
              end={end}
              unread="Read to the end first"
              onConfirm={() => void confirm()}
              hold={waits ? 'Hold to start the wait' : <>Hold to send {sum}</>}
              twice={waits ? 'Press twice to start the wait' : <>Press twice to send {sum}</>}
              again={waits ? 'Press again to start the wait' : <>Press again to send {sum}</>}
            />
          </>
        )}
      </div>
    </>
  );
}

/** Inputs and outputs, one press away. */
function Ledger({ review }: { review: ReviewView }) {
  return (
    <section class="card card--flush ledger" aria-label="Inputs and outputs">
      <div class="list">
        <p class="ledger__head">
          Spends {review.inputs.length === 1 ? '1 coin' : `${review.inputs.length} coins`} of yours
        </p>
        {review.inputs.map((input) => (
          <div class="row" key={`${input.txid}:${input.vout}`}>
            <span class="row__main">
              <span class="code tone-faint">
                {input.txid.slice(0, 4)} {input.txid.slice(4, 8)} … {input.txid.slice(-4)}:{input.vout}
              </span>
            </span>
            <span class="row__end">
              <Amount sats={input.value} />
            </span>
          </div>
        ))}
        <p class="ledger__head">Makes</p>
        {review.outputs.map((output, i) => (
          <div class="row" key={i}>
            <span class="row__main">
              <span class="row__title">{output.own ? 'Back to you, at a new address' : 'Recipient'}</span>
              <ShortAddress address={output.address} />
            </span>
            <span class="row__end">
              <Amount sats={output.value} />
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}
