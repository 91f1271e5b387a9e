/**
 * Spend without the cosigner: draft, request to the recovery page, answer, one last look, and a signed transaction that any
 * door to the network will carry.
 */
import { hex } from '@scure/base';
import { useRef, useState } from 'preact/hooks';
import type { ReviewView, WalletView } from '../../device/port.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { feeWeight, percentOf, rateText, satsText } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { ConfirmButton } from '../parts/confirmButton.tsx';
import { CopyButton } from '../parts/controls.tsx';
import { Heading, NetworkBadge } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Address, Amount } from '../parts/money.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { draftOf, type SendForm } from '../popup/send.tsx';
import { wordsFor, wordsOfServer } from '../words.ts';
import { Exchange } from './exchange.tsx';
import { save } from './show.tsx';

type Stage =
  | { at: 'form' }
  | { at: 'exchange'; review: ReviewView; message: Uint8Array }
  | { at: 'confirm'; review: ReviewView; answer: Uint8Array }
  | { at: 'signed'; review: ReviewView; txid: string; transaction: Uint8Array };

export function Spend({ wallet, initial }: { wallet: WalletView; initial: SendForm }) {
  const [stage, go] = useState<Stage>({ at: 'form' });
  const [form, setForm] = useState(initial);
  const draft = useCall('draft');
  const ask = useCall('offlineRequest');
  const finish = useCall('offlineFinish');
  const [wrong, setWrong] = useState<ErrorCode | null>(null);

  const request = async (review: ReviewView) => {
    const asked = await ask.run({ request: review.request });
    if (asked !== null) go({ at: 'exchange', review, message: asked.message });
  };
  const begin = async () => {
    const wanted = draftOf(form, null);
    setWrong(typeof wanted === 'string' ? wanted : null);
    if (typeof wanted === 'string' || draft.busy) return;
    const review = await draft.run(wanted);
    if (review !== null) await request(review);
  };
  const sign = async (review: ReviewView, message: Uint8Array) => {
    const signed = await finish.run({ request: review.request, message });
    if (signed !== null) go({ at: 'signed', review, ...signed });
  };
  const again = () => {
    finish.reset();
    go({ at: 'form' });
  };

  switch (stage.at) {
    case 'form': {
      const code = wrong ?? draft.error?.code ?? ask.error?.code ?? null;
      return (
        <Form
          wallet={wallet}
          form={form}
          code={code}
          busy={draft.busy || ask.busy}
          onForm={(next) => {
            setWrong(null);
            draft.reset();
            ask.reset();
            setForm(next);
          }}
          onDone={() => void begin()}
        />
      );
    }
    case 'exchange':
      return (
        <>
          <Heading class="display">Take the request to your recovery page</Heading>
          <Effect review={stage.review} wallet={wallet} />
          <Exchange
            request={stage.message}
            name="hoarfrost-request.txt"
            onAnswer={(answer) => go({ at: 'confirm', review: stage.review, answer })}
          />
        </>
      );
    case 'confirm':
      return (
        <Confirm
          wallet={wallet}
          review={stage.review}
          busy={finish.busy}
          failed={finish.error !== null}
          onConfirm={() => void sign(stage.review, stage.answer)}
        >
          {finish.error !== null && (
            <FailureNotice failure={finish.error} retryName="Make a new request" onRetry={again} />
          )}
        </Confirm>
      );
    case 'signed':
      return <Signed {...stage} wallet={wallet} />;
  }
}

function Form({
  wallet,
  form,
  code,
  busy,
  onForm,
  onDone,
}: {
  wallet: WalletView;
  form: SendForm;
  code: ErrorCode | null;
  busy: boolean;
  onForm: (form: SendForm) => void;
  onDone: () => void;
}) {
  const field = (name: 'to' | 'amount' | 'rate', label: string, hint: string) => (
    <div class="field">
      <label class="field__label" for={`offline-${name}`}>
        {label} <span class="caption">{hint}</span>
      </label>
      <div class="input">
        <input
          id={`offline-${name}`}
          value={name === 'amount' && form.all ? 'All' : form[name]}
          readOnly={name === 'amount' && form.all}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => onForm({ ...form, [name]: event.currentTarget.value })}
        />
      </div>
    </div>
  );
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Your money never needed its permission</Heading>
        <p class="lede">
          This browser and your recovery words are two of three. That is enough to spend, even with the
          cosigner gone. No limit applies.
        </p>
      </div>
      <div class="stack form-column">
        {field('to', 'To', 'Bitcoin address')}
        {field('amount', 'Amount', `sats, of ${satsText(wallet.confirmed)}`)}
        <button type="button" class="link" onClick={() => onForm({ ...form, all: !form.all, amount: '' })}>
          {form.all ? 'Set an amount' : 'Send all'}
        </button>
        {field('rate', 'Fee rate', 'sat/vB; look up what blocks take now')}
        {code !== null && (
          <FieldError id="offline-form-error" code={code}>
            {wordsFor(code).happened} {wordsFor(code).next}
          </FieldError>
        )}
        <div>
          <button type="button" class="btn btn--primary" aria-disabled={busy} onClick={onDone}>
            {busy ? 'Preparing…' : 'Make the request'}
          </button>
        </div>
      </div>
    </>
  );
}

function Effect({ review, wallet }: { review: ReviewView; wallet: WalletView }) {
  return (
    <section class="card" aria-label="What this payment does">
      <dl class="facts">
        <div class="facts__wide">
          <dt class="between">
            <span>{review.firstTime ? 'New recipient gets' : 'Recipient gets'}</span>
            <b class="strong">
              <Amount sats={review.amount} />
            </b>
          </dt>
          <dd>
            <Address address={review.address} />
          </dd>
        </div>
        <div>
          <dt>
            Fee
            <span class="caption">{rateText(review.feeRate)}</span>
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
        <div>
          <dt>Network</dt>
          <dd>
            <NetworkBadge network={wallet.network} />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Confirm({
  wallet,
  review,
  busy,
  failed,
  onConfirm,
  children,
}: {
  wallet: WalletView;
  review: ReviewView;
  busy: boolean;
  failed: boolean;
  onConfirm: () => void;
  children: preact.ComponentChildren;
}) {
  const end = useRef<HTMLDivElement>(null);
  const sum = <Amount sats={review.amount} />;
  return (
    <>
      <Heading class="display">Sign and send</Heading>
      <p class="lede">
        The answer is here. Your words have signed their half; this browser’s half is missing.
      </p>
      <Effect review={review} wallet={wallet} />
      {feeWeight(review.amount, review.fee, review.feeRate, null) !== 'usual' && (
        <Notice tone="caution" icon="alert">
          <b>The fee is {percentOf(review.fee, review.amount)} of what you send.</b> A slower rate costs less.
        </Notice>
      )}
      {children}
      <div ref={end} class="end-of-request" />
      {!failed && (
        <div class="form-column">
          <ConfirmButton
            allowed={!busy}
            content={review.request}
            end={end}
            unread="Read to the end first"
            onConfirm={onConfirm}
            hold={<>Hold to send {sum}</>}
            twice={<>Press twice to send {sum}</>}
            again={<>Press again to send {sum}</>}
          />
        </div>
      )}
    </>
  );
}

function Signed({
  wallet,
  review,
  txid,
  transaction,
}: Extract<Stage, { at: 'signed' }> & { wallet: WalletView }) {
  const text = hex.encode(transaction);
  const send = useCall('sendThrough');
  const [url, setUrl] = useState('');
  const [sent, setSent] = useState(false);
  const carry = async () => {
    if (send.busy || url.trim() === '') return;
    setSent((await send.run({ request: review.request, url: url.trim() })) !== null);
  };
  return (
    <>
      <Heading class="display">Signed</Heading>
      <Notice tone="ok" icon="check">
        <b>
          <Amount sats={review.amount} /> are on their way as soon as one door to the network has this
          transaction.
        </b>{' '}
        It is kept in this wallet.{' '}
        {wallet.route === null
          ? 'Your cosigner will be asked to send it when it answers; you need not wait for it.'
          : 'The server that you chose for sending is asked to take it.'}
      </Notice>
      <section class="card stack" aria-label="The signed transaction">
        <p class="text">
          Give it to any Bitcoin node, or paste it where a block explorer says “broadcast transaction”.
          Whoever carries it cannot change it.
        </p>
        <p class="message-box descriptor">{text}</p>
        <p class="caption">
          Transaction{' '}
          <data class="code" value={txid}>
            {txid.slice(0, 4)} {txid.slice(4, 8)} … {txid.slice(-4)}
          </data>
        </p>
        <div class="cluster">
          <CopyButton text={text} name="Copy the transaction" kind="primary" />
          <button
            type="button"
            class="btn btn--second"
            onClick={() => save(text, `transaction-${txid.slice(0, 8)}.txt`)}
          >
            <Icon name="save" /> Save as a file
          </button>
        </div>
      </section>
      <section class="card stack" aria-label="Send it from here">
        <div class="field">
          <label class="field__label" for="esplora">
            Or send it from here <span class="caption">an Esplora server’s address, up to /api</span>
          </label>
          <div class="input">
            <input
              id="esplora"
              class="code"
              value={url}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              placeholder="https://"
              onInput={(event) => setUrl(event.currentTarget.value)}
            />
          </div>
          <p class="hint">
            <span>It learns this payment, and the network address that it came from.</span>
          </p>
        </div>
        {send.error !== null && (
          <FailureNotice
            failure={send.error}
            words={wordsOfServer(send.error, 'The signed transaction is kept, and nothing was sent twice.')}
          />
        )}
        {sent ? (
          <Notice tone="ok" icon="check">
            <b>The server took it.</b> It shows under Activity once your cosigner, or another look at the
            chain, sees it in a block.
          </Notice>
        ) : (
          <div>
            <button
              type="button"
              class="btn btn--second"
              aria-disabled={send.busy}
              onClick={() => void carry()}
            >
              {send.busy ? 'Sending…' : 'Send it'}
            </button>
          </div>
        )}
      </section>
    </>
  );
}
