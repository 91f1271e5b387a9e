/** The popup: what is shown follows the device's phase; within an open wallet, one route at a time. */
import { useEffect, useState } from 'preact/hooks';
import type { DeviceState, FeePresets, ReviewView } from '../../device/port.ts';
import type { Unit } from '../amounts.ts';
import { DeviceProvider, useDeviceState, useLink } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { offlineHash } from '../offline/hash.ts';
import { type MainPlace, Nav, Rime } from '../parts/frame.tsx';
import { LOGO, Mark } from '../parts/mark.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import type { DeviceClient } from '../portClient.ts';
import { readUnit, setUnit } from '../preferences.ts';
import { Activity, Detail } from './activity.tsx';
import { Home } from './home.tsx';
import { Receive } from './receive.tsx';
import { Review } from './review.tsx';
import { emptyForm, Send } from './send.tsx';
import { Mismatch, Sending } from './sending.tsx';
import { Settings } from './settings.tsx';
import { Stale } from './stale.tsx';
import { Sweep } from './sweep.tsx';
import { Unlock } from './unlock.tsx';

export function Popup({ client, host }: { client: DeviceClient; host: Host }) {
  return (
    <DeviceProvider value={client}>
      <Phase host={host} />
    </DeviceProvider>
  );
}

function Phase({ host }: { host: Host }) {
  const { state, error, ask } = useDeviceState();
  const link = useLink();
  if (state === null) return <Waking error={error !== null} onAsk={ask} />;
  return (
    <>
      {link === 'lost' && (
        <Notice tone="caution" icon="refresh">
          <b>The wallet’s background does not answer.</b> Your money is safe. Trying again.
        </Notice>
      )}
      {host.generation !== 'current' && (
        <Notice tone="info" icon="info">
          {host.generation === 'next'
            ? 'This is the new key. It is in use once the coins have moved.'
            : 'This is the key before the one in use. Coins that still come to it can be moved too.'}
        </Notice>
      )}
      <Screen state={state} host={host} />
    </>
  );
}

function Screen({ state, host }: { state: DeviceState; host: Host }) {
  switch (state.phase) {
    case 'empty':
      return (
        <Welcome
          title="A Bitcoin key in three places"
          text="One share here, one with a cosigner, one on paper. Any two can sign. None of them is the key."
          action="Create a wallet"
          onPress={() => void host.openOnboarding()}
        />
      );
    case 'onboarding':
      return (
        <Welcome
          title="Setting up"
          text="A tab is making this wallet. Go on there; if you closed it, it starts again from the beginning."
          action="Open the setup tab"
          onPress={() => void host.openOnboarding()}
        />
      );
    case 'returning':
      return (
        <Welcome
          title="On the way back"
          text="This browser is to take the place of a lost one. It may take days; a tab tells how long."
          action="See how far it is"
          onPress={() => void host.openReplacement()}
        />
      );
    case 'locked':
      return <Unlock state={state} host={host} />;
    case 'unlocked':
      return <Wallet state={state} host={host} />;
  }
}

function Waking({ error, onAsk }: { error: boolean; onAsk: () => void }) {
  return (
    <main class="screen screen--center">
      <Mark shares={LOGO} size="xl" />
      <h1 class="visually-hidden">Hoarfrost</h1>
      {error ? (
        <FailureNotice failure={{ code: 'DeadlineExceeded', detail: '', retryAfterMs: 0 }} onRetry={onAsk} />
      ) : (
        <p class="small" role="status">
          Waking the wallet…
        </p>
      )}
    </main>
  );
}

function Welcome({
  title,
  text,
  action,
  onPress,
}: {
  title: string;
  text: string;
  action: string;
  onPress: () => void;
}) {
  return (
    <>
      <Rime />
      <main class="screen screen--center">
        <Mark shares={LOGO} size="xl" />
        <div class="stack stack--2">
          <h1 class="headline">{title}</h1>
          <p class="small measure">{text}</p>
        </div>
      </main>
      <div class="actions">
        <button type="button" class="btn btn--primary" onClick={onPress}>
          {action}
        </button>
      </div>
    </>
  );
}

type Route =
  | { at: MainPlace }
  | { at: 'receive' }
  | { at: 'send' }
  | { at: 'review'; review: ReviewView; presets: FeePresets | null }
  | { at: 'sending'; review: ReviewView }
  | { at: 'mismatch' }
  | { at: 'sweep' }
  | { at: 'detail'; id: string; from: 'home' | 'activity' };

function Wallet({ state, host }: { state: Extract<DeviceState, { phase: 'unlocked' }>; host: Host }) {
  const { shares, wallet } = state;
  const [route, go] = useState<Route>({ at: 'home' });
  const [unit, chooseUnit] = useState<Unit>(readUnit);
  const [form, setForm] = useState(() => emptyForm(unit));
  const [looksOnly, lookOnly] = useState(false);
  const home = () => go({ at: 'home' });
  const changeUnit = (next: Unit) => {
    setUnit(next);
    chooseUnit(next);
    setForm(emptyForm(next));
  };
  // A screen starts at its top, wherever the one before was scrolled to.
  useEffect(() => document.querySelector('.screen')?.scrollTo(0, 0), [route.at]);

  if (wallet.epoch.alert === 'EpochStale' && !looksOnly) {
    return <Stale {...{ shares, wallet, host }} onLook={() => lookOnly(true)} />;
  }
  switch (route.at) {
    case 'home':
    case 'activity':
    case 'settings':
      return (
        <>
          {route.at === 'home' && (
            <Home
              {...{ shares, wallet, unit }}
              onUnit={changeUnit}
              onReceive={() => go({ at: 'receive' })}
              onSend={() => go({ at: 'send' })}
              onActivity={() => go({ at: 'activity' })}
              onSweep={() => go({ at: 'sweep' })}
              onOpen={(id) => go({ at: 'detail', id, from: 'home' })}
              onSafety={() => void host.openPage('safety.html')}
              onStale={() => lookOnly(false)}
            />
          )}
          {route.at === 'activity' && (
            <Activity
              {...{ shares, wallet, unit }}
              onOpen={(id) => go({ at: 'detail', id, from: 'activity' })}
            />
          )}
          {route.at === 'settings' && (
            <Settings {...{ shares, wallet, host }} onSweep={() => go({ at: 'sweep' })} />
          )}
          <Nav
            at={route.at}
            onGo={(place) => (place === 'safety' ? void host.openPage('safety.html') : go({ at: place }))}
          />
        </>
      );
    case 'receive':
      return <Receive wallet={wallet} onBack={home} />;
    case 'send':
      return (
        <Send
          {...{ wallet, form }}
          onForm={setForm}
          onBack={home}
          onReview={(review, presets) => go({ at: 'review', review, presets })}
        />
      );
    case 'review':
      return (
        <Review
          wallet={wallet}
          drafted={route.review}
          presets={route.presets}
          onBack={() => go({ at: 'send' })}
          onMismatch={() => go({ at: 'mismatch' })}
          onOffline={(review) => void host.openPage('offline.html', offlineHash(review))}
          onPressed={(review) => {
            setForm(emptyForm(unit));
            go({ at: 'sending', review });
          }}
        />
      );
    case 'sending':
      return (
        <Sending
          {...{ shares, wallet }}
          review={route.review}
          onHome={home}
          onDetail={() => go({ at: 'detail', id: route.review.request, from: 'home' })}
          onReview={() => go({ at: 'review', review: route.review, presets: null })}
        />
      );
    case 'sweep':
      return (
        <Sweep
          {...{ wallet, host }}
          onBack={home}
          onReview={(review, presets) => go({ at: 'review', review, presets })}
        />
      );
    case 'mismatch':
      return <Mismatch onHome={home} />;
    case 'detail':
      return (
        <Detail
          {...{ wallet, unit }}
          id={route.id}
          onBack={() => go({ at: route.from })}
          onReview={(review) => go({ at: 'review', review, presets: null })}
        />
      );
  }
}
