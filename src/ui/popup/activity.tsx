/** Activity, whole and searchable, and one payment of it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ActivityView, PortMethods, ReviewView, ThreeShares, WalletView } from '../../device/port.ts';
import { countText, type Unit } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { MainBar, NetworkBadge, SubBar } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Address, Amount } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { momentText } from '../times.ts';
import { ActivityList, activityName, activityStatus, matchesSearch, notSent } from './activityList.tsx';
import { ByCosigner } from './byCosigner.tsx';
import { TransactionFact } from './sending.tsx';

/** More confirmations than this change nothing for anybody. */
const SETTLED = 6;

export function Activity({
  shares,
  wallet,
  unit,
  onOpen,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  unit: Unit;
  onOpen: (id: string) => void;
}) {
  const [search, setSearch] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.target === field.current) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
  const found = wallet.activity.filter((item) => matchesSearch(item, search));
  return (
    <>
      <MainBar shares={shares} title="Activity">
        <NetworkBadge network={wallet.network} />
      </MainBar>
      <main class="screen">
        {wallet.activity.length > 0 && (
          <div class="input">
            <input
              ref={field}
              type="search"
              aria-label="Search activity"
              placeholder="Search: address, amount, id"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Escape' || search === '') return;
                event.preventDefault();
                setSearch('');
              }}
            />
          </div>
        )}
        {found.length > 0 ? (
          <ActivityList items={found} unit={unit} onOpen={onOpen} />
        ) : (
          <div class="moment grow">
            <p class="small">{search === '' ? 'Nothing here yet.' : 'Nothing like that.'}</p>
          </div>
        )}
      </main>
    </>
  );
}

type DetailView = PortMethods['activityDetail'][1];

export function Detail({
  wallet,
  id,
  unit,
  onBack,
  onReview,
}: {
  wallet: WalletView;
  id: string;
  unit: Unit;
  onBack: () => void;
  onReview: (review: ReviewView) => void;
}) {
  const evaluate = useCall('evaluate');
  const press = useCall('press');
  const ask = useCall('activityDetail');
  const [detail, setDetail] = useState<DetailView | null>(null);
  // A row that has moved on in the meantime is newer than what was asked for.
  const row = wallet.activity.find((item) => item.id === id);
  const load = () => void ask.run({ id }).then((answer) => answer !== null && setDetail(answer));
  useEffect(load, [id, row?.state, row?.height]);
  const item: ActivityView | null = row ?? detail;
  return (
    <>
      <SubBar title="Payment" onBack={onBack}>
        {item !== null && <StateBadge item={item} />}
      </SubBar>
      <main class="screen">
        {ask.error !== null && <FailureNotice failure={ask.error} onRetry={load} />}
        {item === null
          ? ask.busy && (
              <p class="small centred" role="status">
                Looking it up…
              </p>
            )
          : [<Sum item={item} unit={unit} key="sum" />, <Facts item={item} unit={unit} key="facts" />]}
        {item !== null && (item.state === 'failed' || item.state === 'signed') && item.error !== null && (
          <FailureNotice failure={{ code: item.error, detail: '', retryAfterMs: 0 }} />
        )}
        {item?.state === 'broadcast' && !item.shown && wallet.route !== null && (
          <Notice tone="info" icon="clock">
            <b>Your server took it, and your cosigner’s node has not heard of it.</b> If that lasts, the
            server keeps it from the network, or is not of this one. To send it again pays nothing twice.
          </Notice>
        )}
        {item !== null && waitsForSender(item, wallet) && <ByCosigner request={id} />}
        {evaluate.error !== null && <FailureNotice failure={evaluate.error} />}
        {press.error !== null && <FailureNotice failure={press.error} />}
      </main>
      {item?.state === 'requested' && (
        <div class="actions">
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={evaluate.busy}
            onClick={() =>
              void evaluate.run({ request: id }).then((review) => review !== null && onReview(review))
            }
          >
            {evaluate.busy ? 'Asking your cosigner…' : 'Review it again'}
          </button>
        </div>
      )}
      {item?.state === 'signed' && (
        <div class="actions">
          <button
            type="button"
            class="btn btn--second"
            aria-disabled={press.busy}
            onClick={() => void press.run({ request: id })}
          >
            Hand it to the network again
          </button>
        </div>
      )}
    </>
  );
}

/** Given to a server of the user's own, and for all that is known not to the network. */
function waitsForSender({ state, error, shown }: ActivityView, { route }: WalletView): boolean {
  if (state === 'broadcast') return route !== null && !shown;
  return error === 'RouteUnavailable' || error === 'RouteRejected';
}

function Sum({ item, unit }: { item: ActivityView; unit: Unit }) {
  const now = Date.now();
  const incoming = item.direction === 'in';
  return (
    <section class="balance stack stack--tight" aria-label={activityName(item)}>
      <span class="label">{activityName(item)}</span>
      <p class={incoming ? 'amount--leaves amount--in' : 'amount--leaves'}>
        <Amount
          sats={item.amount}
          unit={unit}
          sign={item.state === 'failed' || item.direction === 'self' ? '' : incoming ? '+' : '−'}
        />
      </p>
      <p class="small">
        {momentText(item.time, now)}
        {item.height === 0 && ` · ${activityStatus(item, now)}`}
      </p>
    </section>
  );
}

function Facts({ item, unit }: { item: ActivityView; unit: Unit }) {
  const signed = item.direction !== 'in' && ['signed', 'broadcast', 'confirmed'].includes(item.state);
  return (
    <div class="card">
      <dl class="facts">
        {item.address !== null && (
          <div class="facts__wide">
            <dt>{item.direction === 'out' ? 'To' : 'At your address'}</dt>
            <dd>
              <Address address={item.address} />
            </dd>
          </div>
        )}
        {item.fee !== null && item.direction !== 'in' && (
          <div>
            <dt>Fee</dt>
            <dd>
              <Amount sats={item.fee} unit={unit} />
            </dd>
          </div>
        )}
        {signed && (
          <div>
            <dt>Signed by</dt>
            <dd>Device and cosigner</dd>
          </div>
        )}
        <div>
          <dt>Block</dt>
          <dd>
            {item.height === 0 ? 'Not yet' : countText(item.height)}
            {item.height > 0 && (
              <span class="caption">
                {item.confirmations >= SETTLED
                  ? `${SETTLED}+ confirmations`
                  : item.confirmations === 1
                    ? '1 confirmation'
                    : `${item.confirmations} confirmations`}
              </span>
            )}
          </dd>
        </div>
        {item.txid !== null && <TransactionFact txid={item.txid} />}
      </dl>
    </div>
  );
}

function StateBadge({ item }: { item: ActivityView }) {
  if (item.state === 'failed') {
    return (
      <span class="badge badge--danger">
        <Icon name="x" /> {notSent(item)}
      </span>
    );
  }
  if (item.height === 0) {
    return (
      <span class="badge badge--caution">
        <Icon name="clock" /> Not in a block yet
      </span>
    );
  }
  return item.confirmations >= SETTLED ? (
    <span class="badge badge--ok">
      <Icon name="check" /> Settled
    </span>
  ) : (
    <span class="badge badge--info">
      <Icon name="block" /> In a block
    </span>
  );
}
