/** What frames every screen of the recovery page: what it is, whether the network is off, what to look at before typing. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useEscape } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Mark, NO_SHARES } from '../parts/mark.tsx';

const PAPER = { ...NO_SHARES, recovery: 'lit' } as const;

export function Frame({
  version,
  lede,
  onBack,
  action,
  sheet,
  children,
}: {
  version: string;
  lede?: string;
  /** Ends the sitting. Escape does the same. */
  onBack?: () => void;
  action?: ComponentChildren;
  /** What prints in place of the page. */
  sheet?: ComponentChildren;
  children: ComponentChildren;
}) {
  const online = useOnline();
  useEscape(() => onBack?.());
  return (
    <div class="print-page">
      {sheet}
      <div class="plainpage no-print">
        <header class="between">
          <div class="page__brand">
            <Mark shares={PAPER} /> Hoarfrost <span class="page__where">Recovery page · {version}</span>
          </div>
          <span class={online ? 'badge badge--caution' : 'badge badge--ok'} role="status">
            <Icon name={online ? 'globe' : 'offline'} /> {online ? 'Network is on' : 'No network, good'}
          </span>
        </header>
        <div class="columns columns--side grow">
          <main class="stack">{children}</main>
          <aside class="stack" aria-label="Before you type">
            <div class="card stack stack--2">
              <b class="strong">Before you type</b>
              <ul class="bullets">
                <li>
                  <Icon name="offline" />
                  <span>Turn the network off. This page needs none and can reach none.</span>
                </li>
                <li>
                  <Icon name="browser" />
                  <span>Use a private window, with extensions off.</span>
                </li>
                <li>
                  <Icon name="equal" />
                  <span>
                    Compare the SHA-256 of this file with the published one, by a tool of your own: no page
                    can vouch for itself.
                  </span>
                </li>
              </ul>
            </div>
            {lede !== undefined && <p class="caption">{lede}</p>}
            {onBack !== undefined && (
              <button type="button" class="btn btn--quiet" onClick={onBack}>
                Stop and forget
              </button>
            )}
            {action}
          </aside>
        </div>
      </div>
    </div>
  );
}

function useOnline(): boolean {
  const [online, setOnline] = useState(() => navigator.onLine);
  useEffect(() => {
    const change = () => setOnline(navigator.onLine);
    addEventListener('online', change);
    addEventListener('offline', change);
    return () => {
      removeEventListener('online', change);
      removeEventListener('offline', change);
    };
  }, []);
  return online;
}
