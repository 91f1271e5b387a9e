/** Settings: one list, current values on the right. Nothing here can spend, so nothing here is loud. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ThreeShares, WalletView } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { NETWORK_NAMES } from '../networkNames.ts';
import { CopyButton, Segmented } from '../parts/controls.tsx';
import { Crystal } from '../parts/crystal.tsx';
import { MainBar, NetworkBadge } from '../parts/frame.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { readTheme, setTheme, type Theme } from '../preferences.ts';

const LOCK_MINUTES = [1, 5, 15, 30, 60];
const THEMES = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const;

export function Settings({
  shares,
  wallet,
  host,
  onSweep,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  host: Host;
  onSweep: () => void;
}) {
  const [theme, chooseTheme] = useState<Theme>(readTheme);
  const lock = useCall('lock');
  const autoLock = useCall('setAutoLock');
  const minutes = [...new Set([...LOCK_MINUTES, wallet.autoLockMinutes])].sort((a, b) => a - b);
  return (
    <>
      <MainBar shares={shares} title="Settings">
        <span class="caption">Version {host.version}</span>
      </MainBar>
      <main class="screen screen--snug">
        <div class="card card--flush list">
          <div class="row row--tight">
            <span class="glyph tone-faint">
              <Icon name="globe" />
            </span>
            <span class="row__main row__title">Network</span>
            <NetworkBadge network={wallet.network} />
          </div>
          <div class="row row--tight">
            <span class="glyph tone-faint">
              <Icon name="server" />
            </span>
            <span class="row__main row__title">Cosigner</span>
            <span class="row__end">{wallet.cosignerHost}</span>
          </div>
          <div class="row row--tight">
            <span class="crystal-tile crystal-tile--row">
              <Crystal hex={wallet.fingerprint} />
            </span>
            <div class="row__main">
              <span class="row__title">Its fingerprint</span>
              <Fingerprint hex={wallet.fingerprint} />
            </div>
          </div>
        </div>
        <div class="card card--flush list">
          <label class="row row--tight">
            <span class="glyph tone-faint">
              <Icon name="lock" />
            </span>
            <span class="row__main row__title">Lock by itself</span>
            <select
              class="select"
              value={wallet.autoLockMinutes}
              onChange={(event) => void autoLock.run({ minutes: Number(event.currentTarget.value) })}
            >
              {minutes.map((m) => (
                <option key={m} value={m}>
                  After {m} min
                </option>
              ))}
            </select>
          </label>
          <PageRow host={host} icon="pen" anchor="#password">
            <span class="row__main row__title">Change the password</span>
          </PageRow>
          <PageRow host={host} icon="out" anchor="#route">
            <span class="row__main">
              <span class="row__title">Who sends payments</span>
              <span class={wallet.route?.ours === false ? 'row__sub tone-caution' : 'row__sub'}>
                {sender(wallet)}
              </span>
            </span>
          </PageRow>
          <PageRow host={host} icon="save" anchor="#export">
            <span class="row__main row__title">Export</span>
          </PageRow>
          <div class="row row--tight">
            <span class="glyph tone-faint">
              <Icon name="theme" />
            </span>
            <span class="row__main row__title">Theme</span>
            <Segmented
              label="Theme"
              value={theme}
              options={THEMES}
              onChange={(next) => {
                setTheme(next);
                chooseTheme(next);
              }}
            />
          </div>
        </div>
        {autoLock.error !== null && <FailureNotice failure={autoLock.error} />}
        <NewKey {...{ wallet, host, onSweep }} />
        <Descriptor network={NETWORK_NAMES[wallet.network]} />
        <button type="button" class="btn btn--second" onClick={() => void lock.run(null)}>
          <Icon name="lock" /> Lock now
        </button>
        {lock.error !== null && <FailureNotice failure={lock.error} />}
      </main>
    </>
  );
}

/** Opens that part of the safety page. */
function PageRow({
  host,
  icon,
  anchor,
  children,
}: {
  host: Host;
  icon: IconName;
  anchor: string;
  children: ComponentChildren;
}) {
  return (
    <button type="button" class="row row--tight" onClick={() => void host.openPage('safety.html', anchor)}>
      <span class="glyph tone-faint">
        <Icon name={icon} />
      </span>
      {children}
      <span class="row__chev">
        <Icon name="next" />
      </span>
    </button>
  );
}

function sender({ route }: WalletView): string {
  if (route === null) return 'Your cosigner';
  return route.ours ? new URL(route.url).host : 'Nobody until you choose';
}

/** The way to another key, and back to look at the one before. */
function NewKey({ wallet, host, onSweep }: { wallet: WalletView; host: Host; onSweep: () => void }) {
  if (host.generation !== 'current' && !wallet.sweeping) return null;
  return (
    <div class="card stack stack--2">
      <h2 class="label">The key itself</h2>
      <p class="small">
        {wallet.sweeping
          ? 'Its coins move to a new key.'
          : 'If your words may have been seen, or the cosigner is no longer yours to trust, move every coin to a fresh key.'}
      </p>
      <button type="button" class="btn btn--second btn--sm" onClick={onSweep}>
        {wallet.sweeping ? 'See how far it is' : 'Move to a new key'}
      </button>
      {host.generation === 'current' && wallet.hasFormer && (
        <button type="button" class="link" onClick={() => host.openWallet('former')}>
          Open the key before this one
        </button>
      )}
    </div>
  );
}

/** Watch-only, for other wallets: it shows everything and spends nothing. */
function Descriptor({ network }: { network: string }) {
  const ask = useCall('descriptor');
  const [descriptor, setDescriptor] = useState<string | null>(null);
  const shown = useRef<HTMLElement>(null);
  // The button that was pressed is gone: the focus goes where its answer is.
  useLayoutEffect(() => shown.current?.focus(), [descriptor]);
  return (
    <div class="card stack stack--2">
      <h2 class="label">Watch this wallet elsewhere</h2>
      <p class="small">
        Its descriptor opens in Bitcoin Core or Sparrow ({network}). Whoever has it sees all addresses and
        amounts. It cannot spend.
      </p>
      {ask.error !== null && <FailureNotice failure={ask.error} />}
      {descriptor === null ? (
        <button
          type="button"
          class="btn btn--second btn--sm"
          onClick={() =>
            void ask.run(null).then((answer) => answer !== null && setDescriptor(answer.descriptor))
          }
        >
          Export descriptor
        </button>
      ) : (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so a keyboard must reach it */}
          <section class="message-box descriptor" tabIndex={0} aria-label="Descriptor" ref={shown}>
            {descriptor}
          </section>
          <CopyButton text={descriptor} name="Copy descriptor" kind="second" />
        </>
      )}
    </div>
  );
}
