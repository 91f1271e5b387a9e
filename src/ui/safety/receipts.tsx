/** Receipts: what the cosigner signed, refused and changed, and whether it stands in one unbroken row. */
import { useEffect, useState } from 'preact/hooks';
import type { PortMethods, ReceiptView } from '../../device/port.ts';
import { countText } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Amount } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { momentText } from '../times.ts';

const KINDS: Record<ReceiptView['kind'], { name: string; icon: IconName; tone: string }> = {
  signed: { name: 'Signed a payment', icon: 'check', tone: ' row__icon--ok' },
  waits: { name: 'A payment waits', icon: 'wait', tone: ' row__icon--caution' },
  refused: { name: 'Refused a payment', icon: 'stop', tone: ' row__icon--danger' },
  policy: { name: 'Rules changed', icon: 'pen', tone: '' },
  cancelled: { name: 'Called a payment off', icon: 'undo', tone: '' },
  ceremony: { name: 'A ceremony moved on', icon: 'user', tone: ' row__icon--caution' },
};

export function Receipts() {
  const ask = useCall('receipts');
  const [answer, setAnswer] = useState<PortMethods['receipts'][1] | null>(null);
  const read = () => void ask.run(null).then((got) => got !== null && setAnswer(got));
  // Once, when the screen appears; what comes later is read by the button.
  useEffect(read, [ask.run]);
  return (
    <section class="stack measure-page">
      <div class="stack stack--2">
        <Heading class="display">Receipts</Heading>
        <p class="lede">
          Everything your cosigner decided, signed by it. Each names the one before, so none can be taken out.
        </p>
      </div>
      {ask.busy && (
        <p class="small" role="status">
          Reading and checking…
        </p>
      )}
      {ask.error !== null && <FailureNotice failure={ask.error} onRetry={read} />}
      {answer?.broken === true && <BrokenReceipts />}
      {answer !== null && !answer.broken && (
        <>
          <Notice tone="ok" icon="check">
            {answer.total === 0
              ? 'Nothing has been decided yet.'
              : `${countText(answer.total)} in an unbroken row, checked just now.`}
          </Notice>
          {answer.items.length > 0 && (
            <ol class="card card--flush list receipts" aria-label="Receipts">
              {answer.items.map((item) => (
                <Row item={item} key={item.sequence} />
              ))}
            </ol>
          )}
        </>
      )}
    </section>
  );
}

function Row({ item }: { item: ReceiptView }) {
  const { name, icon, tone } = KINDS[item.kind];
  return (
    <li class="row row--tight">
      <span class={`row__icon${tone}`}>
        <Icon name={icon} />
      </span>
      <span class="row__main">
        <span class="row__title">{name}</span>
        <span class="row__sub">
          {momentText(item.at, Date.now())} · no. {countText(item.sequence)}
        </span>
      </span>
      {item.charged > 0n && (
        <span class="row__end">
          <Amount sats={item.charged} unit="sats" />
        </span>
      )}
    </li>
  );
}

export function BrokenReceipts() {
  return (
    <Notice tone="danger" icon="alert">
      <b>Your cosigner’s receipts do not follow from one another.</b> It was set back to an older state, or it
      told two stories. Your money is safe: it cannot spend without this browser. Ask who runs it; if they
      cannot say why, move to another cosigner.
    </Notice>
  );
}
