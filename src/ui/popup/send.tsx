/** Send: to whom, how much, at which fee. Nothing here asks the cosigner for anything but rates. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { FeePresets, PaymentDraft, ReviewView, WalletView } from '../../device/port.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { readTarget } from '../addressText.ts';
import { amountInput, btcText, parseAmount, parseRate, rateText, satsText, type Unit } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { Segmented } from '../parts/controls.tsx';
import { SubBar } from '../parts/frame.tsx';
import { Amount } from '../parts/money.tsx';
import { FailureNotice, FieldError } from '../parts/notice.tsx';
import { wordsFor } from '../words.ts';
import { type FeeChoice, Fees, useRates } from './fees.tsx';
import { UNITS } from './home.tsx';

/** What was typed, kept while Review is looked at. */
export interface SendForm {
  to: string;
  amount: string;
  unit: Unit;
  all: boolean;
  fee: FeeChoice;
  rate: string;
}

export const emptyForm = (unit: Unit): SendForm => ({
  to: '',
  amount: '',
  unit,
  all: false,
  fee: 'fast',
  rate: '',
});

type Field = 'to' | 'amount' | 'rate';
/** Errors that belong under a field; the others stand above the button. */
const FIELD_OF: Partial<Record<ErrorCode, Field>> = {
  BadAddress: 'to',
  WrongNetwork: 'to',
  BadAmount: 'amount',
  Dust: 'amount',
  InsufficientFunds: 'amount',
  BadFee: 'rate',
};

/** The draft that the form stands for, or the first field that is not right. */
export function draftOf(form: SendForm, presets: FeePresets | null): PaymentDraft | ErrorCode {
  const target = readTarget(form.to);
  if (target === null || target.address === '') return 'BadAddress';
  const amount = form.all ? 'all' : parseAmount(form.amount, form.unit);
  if (amount === null || amount === 0n) return 'BadAmount';
  const feeRate = form.fee === 'custom' ? parseRate(form.rate) : (presets?.[form.fee] ?? null);
  if (feeRate === null || (presets !== null && feeRate < presets.floor)) return 'BadFee';
  return { address: target.address, amount, feeRate };
}

export function Send({
  wallet,
  form,
  onForm,
  onReview,
  onBack,
}: {
  wallet: WalletView;
  form: SendForm;
  onForm: (form: SendForm) => void;
  onReview: (review: ReviewView, presets: FeePresets | null) => void;
  onBack: () => void;
}) {
  const rates = useRates();
  const draft = useCall('draft');
  const { presets } = rates;
  const [wrong, setWrong] = useState<ErrorCode | null>(null);
  // Review was pressed before the rates were there.
  const [pressed, setPressed] = useState(false);
  useEffect(() => {
    if (pressed && presets !== null) void review();
  }, [pressed, presets]);
  useEffect(() => {
    if (rates.error !== null) setPressed(false);
  }, [rates.error]);
  const to = useRef<HTMLInputElement>(null);
  const amount = useRef<HTMLInputElement>(null);
  const rate = useRef<HTMLInputElement>(null);
  const fee = useRef<HTMLDivElement>(null);

  const change = (part: Partial<SendForm>) => {
    setWrong(null);
    setPressed(false);
    draft.reset();
    onForm({ ...form, ...part });
  };
  const changeTo = (text: string) => {
    const asked = readTarget(text)?.amount ?? null;
    change(asked === null ? { to: text } : { to: text, all: false, amount: amountInput(asked, form.unit) });
  };
  const changeUnit = (unit: Unit) => {
    const sats = parseAmount(form.amount, form.unit);
    change({ unit, amount: sats === null ? form.amount : amountInput(sats, unit) });
  };
  const show = (code: ErrorCode) => {
    setWrong(code);
    ({ to, amount, rate })[FIELD_OF[code] ?? 'to'].current?.focus();
  };
  const review = async () => {
    if (draft.busy) return;
    const wanted = draftOf(form, presets);
    if (wanted === 'BadFee' && presets === null && form.fee !== 'custom') {
      setPressed(true);
      if (!rates.busy) rates.load();
      return;
    }
    setPressed(false);
    if (typeof wanted === 'string') return show(wanted);
    const answer = await draft.run(wanted);
    if (answer !== null) onReview(answer, presets);
  };

  const code = wrong ?? draft.error?.code ?? null;
  const field = code === null ? null : (FIELD_OF[code] ?? null);
  const fieldError = (of: Field) =>
    code !== null &&
    field === of && (
      <FieldError id={`${of}-error`} code={code}>
        {wordsFor(code).happened} {wordsFor(code).next}
      </FieldError>
    );
  const describe = (of: Field) =>
    field === of ? { 'aria-invalid': true, 'aria-describedby': `${of}-error` } : { 'aria-invalid': false };
  const sats = parseAmount(form.amount, form.unit);
  const preparing = draft.busy || pressed;
  return (
    <>
      <SubBar title="Send" onBack={onBack}>
        <span class="small">
          <Amount sats={wallet.confirmed} unit={form.unit} />
        </span>
      </SubBar>
      <main class="screen">
        <div class="field">
          <label class="field__label" for="to">
            To <span class="caption">Address or payment link</span>
          </label>
          <div class={field === 'to' ? 'input input--bad' : 'input'}>
            <input
              id="to"
              ref={to}
              class="code"
              value={form.to}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              onInput={(event) => changeTo(event.currentTarget.value)}
              onKeyDown={(event) => nextOnEnter(event, amount.current)}
              {...describe('to')}
            />
          </div>
          {fieldError('to')}
        </div>
        <div class="field">
          <div class="field__label">
            <label for="amount">Amount</label>
            <button type="button" class="link" onClick={() => change({ all: !form.all, amount: '' })}>
              {form.all ? 'Set an amount' : 'Send all'}
            </button>
          </div>
          <div class={`input input--amount${field === 'amount' ? ' input--bad' : ''}`}>
            <input
              id="amount"
              ref={amount}
              inputMode={form.unit === 'sats' ? 'numeric' : 'decimal'}
              autocomplete="off"
              value={form.all ? 'All' : form.amount}
              readOnly={form.all}
              onInput={(event) => change({ amount: event.currentTarget.value })}
              onKeyDown={(event) => nextOnEnter(event, chosenIn(fee.current))}
              {...describe('amount')}
            />
            <Segmented label="Unit" value={form.unit} options={UNITS} onChange={changeUnit} />
          </div>
          {fieldError('amount') || (
            <p class="hint">
              <span>
                {form.all
                  ? 'Everything in the wallet, less the fee.'
                  : sats === null
                    ? ''
                    : form.unit === 'sats'
                      ? btcText(sats)
                      : satsText(sats)}
              </span>
            </p>
          )}
        </div>
        <div class="field" ref={fee}>
          <span class="field__label">
            <span id="fee-label">Fee</span> <span class="caption">In sats on the next screen</span>
          </span>
          <Fees
            presets={presets}
            value={form.fee}
            labelledBy="fee-label"
            onChange={(fee) => change({ fee })}
          />
          {form.fee === 'custom' && (
            <div class={field === 'rate' ? 'input input--bad' : 'input'}>
              <input
                id="rate"
                ref={rate}
                aria-label="Fee rate in sat/vB"
                inputMode="decimal"
                autocomplete="off"
                value={form.rate}
                onInput={(event) => change({ rate: event.currentTarget.value })}
                {...describe('rate')}
              />
              <span class="caption nowrap">
                {presets === null
                  ? 'sat/vB'
                  : `sat/vB, from ${rateText(presets.floor).replace(' sat/vB', '')}`}
              </span>
            </div>
          )}
          {fieldError('rate')}
          {rates.busy && (
            <p class="hint" role="status">
              Asking for today’s rates…
            </p>
          )}
        </div>
        {rates.error !== null && presets === null && (
          <FailureNotice failure={rates.error} onRetry={rates.load} />
        )}
        {draft.error !== null && field === null && <FailureNotice failure={draft.error} onRetry={review} />}
      </main>
      <div class="actions">
        <button type="button" class="btn btn--primary" aria-disabled={preparing} onClick={review}>
          {preparing ? 'Preparing…' : 'Review'}
        </button>
      </div>
    </>
  );
}

/** The one radio of a group that Tab would stop at. */
function chosenIn(field: HTMLElement | null): HTMLElement | null {
  return field?.querySelector<HTMLElement>('[role="radio"][aria-checked="true"]') ?? null;
}

/** Enter in a field goes to the next field; it never sends. */
function nextOnEnter(event: KeyboardEvent, next: HTMLElement | null): void {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  next?.focus();
}
