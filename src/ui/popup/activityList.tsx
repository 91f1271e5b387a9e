/** Rows of what happened, on Home and on Activity. */
import type { ActivityView } from '../../device/port.ts';
import { shortText } from '../addressText.ts';
import type { Unit } from '../amounts.ts';
import { Icon } from '../parts/icon.tsx';
import { Amount, ShortAddress } from '../parts/money.tsx';
import { momentText } from '../times.ts';

/** Where a payment stands, in words. */
export function activityStatus(item: ActivityView, now: number): string {
  switch (item.state) {
    case 'requested':
      return 'Not confirmed by you yet';
    case 'pressed':
    case 'attempted':
      return 'Being signed';
    case 'signed':
      return item.error === 'RouteUnavailable'
        ? 'Signed, not yet taken by your server'
        : 'Signed, on its way to the network';
    case 'broadcast':
      return 'Not in a block yet';
    case 'failed':
      return notSent(item);
    case 'received':
    case 'confirmed':
      return item.height === 0 ? 'Arriving, not in a block yet' : momentText(item.time, now);
  }
}

export function activityName(item: ActivityView): string {
  if (item.direction === 'in') return 'Received';
  if (item.direction === 'self') return 'To yourself';
  return item.state === 'failed' ? notSent(item) : 'Sent';
}

/** What was signed may be sent by whoever has it. */
export function notSent({ txid }: { txid: string | null }): string {
  return txid === null ? 'Not sent' : 'Not sent yet';
}

export function ActivityList({
  items,
  unit,
  onOpen,
}: {
  items: ActivityView[];
  unit: Unit;
  onOpen: (id: string) => void;
}) {
  const now = Date.now();
  return (
    <div class="list">
      {items.map((item) => (
        <button type="button" class="row row--bare" key={item.id} onClick={() => onOpen(item.id)}>
          <span class={item.direction === 'in' ? 'row__icon row__icon--accent' : 'row__icon'}>
            <Icon name={item.state === 'failed' ? 'x' : item.direction === 'in' ? 'receive' : 'send'} />
          </span>
          <span class="row__main">
            <span class="row__title">
              {item.address === null || item.direction === 'in' ? (
                activityName(item)
              ) : (
                <ShortAddress address={item.address} />
              )}
            </span>
            <span class="row__sub">{activityStatus(item, now)}</span>
          </span>
          <span class="row__end">
            <span class={item.direction === 'in' ? 'amount--in' : ''}>
              <Amount
                sats={item.amount}
                unit={unit}
                sign={
                  item.state === 'failed' || item.direction === 'self'
                    ? ''
                    : item.direction === 'in'
                      ? '+'
                      : '−'
                }
              />
            </span>
          </span>
        </button>
      ))}
    </div>
  );
}

/** Whether a row answers to what was typed into the search. */
export function matchesSearch(item: ActivityView, search: string): boolean {
  const bare = search.replace(/\s/g, '').toLowerCase();
  if (bare === '') return true;
  return [
    item.address ?? '',
    shortText(item.address ?? ''),
    item.txid ?? '',
    item.amount.toString(),
    activityName(item),
  ]
    .map((text) => text.replace(/\s/g, '').toLowerCase())
    .some((text) => text.includes(bare));
}
