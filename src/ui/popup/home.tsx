/** Home: balance, three shares, two actions, what happened. */
import type { ThreeShares, WalletView } from '../../device/port.ts';
import { countText, type Unit } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { Health, Segmented } from '../parts/controls.tsx';
import { MainBar, NetworkBadge, Rime } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Amount } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { ceremonyTitle, isLive } from '../safety/ceremonies.tsx';
import { momentText } from '../times.ts';
import { ActivityList } from './activityList.tsx';

const SHOWN = 3;
export const UNITS = [
  ['sats', 'sats'],
  ['BTC', 'BTC'],
] as const;

export function Home({
  shares,
  wallet,
  unit,
  onUnit,
  onReceive,
  onSend,
  onActivity,
  onSweep,
  onOpen,
  onSafety,
  onStale,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  unit: Unit;
  onUnit: (unit: Unit) => void;
  onReceive: () => void;
  onSend: () => void;
  onActivity: () => void;
  onSweep: () => void;
  onOpen: (id: string) => void;
  onSafety: () => void;
  /** To what is to be done about a browser that was set back. */
  onStale: () => void;
}) {
  const lock = useCall('lock');
  const refresh = useCall('refresh');
  const read = wallet.syncedAt !== null;
  const empty = read && wallet.confirmed === 0n;
  const failure =
    refresh.error ??
    (wallet.syncError === null ? null : { code: wallet.syncError, detail: '', retryAfterMs: 0 });
  const asked = wallet.ceremonies.find((ceremony) => ceremony.openedBy !== 'device' && isLive(ceremony));
  const silent = shares.cosigner === 'away';
  const stale = wallet.epoch.alert === 'EpochStale';
  const signs = !silent && !stale && !wallet.frozen && shares.device === 'lit';
  return (
    <>
      <Rime />
      <MainBar shares={shares} title="Hoarfrost">
        <NetworkBadge network={wallet.network} />
        <button type="button" class="icon-btn" aria-label="Lock now" onClick={() => void lock.run(null)}>
          <Icon name="lock" />
        </button>
      </MainBar>
      <main class="screen">
        <section class="balance stack stack--tight" aria-label="Balance">
          <div class="between">
            <span class="label">Balance</span>
            <Segmented label="Unit" value={unit} options={UNITS} onChange={onUnit} />
          </div>
          {wallet.syncedAt !== null ? (
            <>
              <p class="amount--balance">
                <Amount sats={wallet.confirmed} unit={unit} />
              </p>
              {wallet.incoming > 0n && (
                <p class="small">
                  <Amount sats={wallet.incoming} unit={unit} sign="+" /> on the way
                </p>
              )}
              {(failure !== null || silent) && (
                <p class="caption">
                  As of {momentText(wallet.syncedAt, Date.now())}, block {countText(wallet.height)}. It may
                  have changed since.
                </p>
              )}
            </>
          ) : (
            <>
              <p class="headline tone-faint">Not read yet</p>
              <p class="caption">
                {failure === null && !silent
                  ? 'Reading the chain through your cosigner…'
                  : 'The chain has not been read.'}
              </p>
            </>
          )}
        </section>
        <div class="cluster cluster--line">
          <button
            type="button"
            class={`btn grow ${empty || !signs ? 'btn--primary' : 'btn--second'}`}
            onClick={onReceive}
          >
            <Icon name="receive" /> Receive
          </button>
          <button
            type="button"
            class={`btn grow ${empty || !signs ? 'btn--second' : 'btn--primary'}`}
            disabled={wallet.confirmed === 0n}
            onClick={onSend}
          >
            <Icon name="send" /> Send
          </button>
        </div>
        <Health shares={shares} />
        {stale && (
          <Notice tone="danger" icon="alert">
            <b>This browser was set back.</b> It may look, and signs nothing with your cosigner.{' '}
            <button type="button" class="link" onClick={onStale}>
              What to do
            </button>
          </Notice>
        )}
        {asked !== undefined && (
          <Notice tone="danger" icon="bell">
            <b>{ceremonyTitle(asked)}.</b> Was it you?{' '}
            <button type="button" class="link" onClick={onSafety}>
              Look at it
            </button>
          </Notice>
        )}
        {wallet.frozen && (
          <Notice tone="caution" icon="stop">
            <b>Payments are frozen.</b> You can receive.{' '}
            <button type="button" class="link" onClick={onSafety}>
              How to lift it
            </button>
          </Notice>
        )}
        {wallet.sweeping && (
          <Notice tone="info" icon="out">
            <b>The coins move to a new key.</b>{' '}
            <button type="button" class="link" onClick={onSweep}>
              See how far it is
            </button>
          </Notice>
        )}
        {failure !== null ? (
          <FailureNotice failure={failure} onRetry={() => void refresh.run(null)} />
        ) : (
          silent && (
            <Notice tone="caution" icon="offline">
              <b>Your cosigner does not answer.</b> Your money is safe, and you can receive. Sending waits
              until it answers; the wallet keeps trying.
            </Notice>
          )
        )}
        {refresh.busy && (
          <p class="caption" role="status">
            Reading the chain…
          </p>
        )}
        {wallet.activity.length > 0 ? (
          <section class="activity grow" aria-label="Activity">
            <div class="between">
              <h2 class="label">Activity</h2>
              {wallet.activity.length > SHOWN && (
                <button type="button" class="link" onClick={onActivity}>
                  See all
                </button>
              )}
            </div>
            <ActivityList items={wallet.activity.slice(0, SHOWN)} unit={unit} onOpen={onOpen} />
          </section>
        ) : (
          read && (
            <div class="moment grow">
              <div class="stack stack--tight">
                <h2 class="title">Nothing here yet</h2>
                <p class="small measure">
                  Start with a small amount. Send a little of it back out, then trust it with more.
                </p>
              </div>
            </div>
          )
        )}
      </main>
    </>
  );
}
