/**
 * The safety centre, in a tab: three shares, what keeps them well, and the doors out. The hash says which of its screens is
 * shown, so that the browser's own way back leads back.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { DeviceState } from '../../device/port.ts';
import { DeviceProvider, useDeviceState } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { Heading, NetworkBadge } from '../parts/frame.tsx';
import { LOGO, Mark } from '../parts/mark.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Unlock } from '../popup/unlock.tsx';
import type { DeviceClient } from '../portClient.ts';
import { Centre } from './centre.tsx';
import { ChangePassword } from './changePassword.tsx';
import { ExportScreen } from './export.tsx';
import { Receipts } from './receipts.tsx';
import { RouteScreen } from './route.tsx';
import { RulesScreen } from './rules.tsx';
import { SecurityKeyScreen } from './securityKey.tsx';

export function SafetyPage({ client, host }: { client: DeviceClient; host: Host }) {
  return (
    <DeviceProvider value={client}>
      <Phase host={host} />
    </DeviceProvider>
  );
}

export type Unlocked = Extract<DeviceState, { phase: 'unlocked' }>;

const NAMES: Record<string, string> = {
  '#receipts': 'Receipts',
  '#rules': 'Rules',
  '#password': 'Password',
  '#security-key': 'Security key',
  '#route': 'Sending',
  '#export': 'Export',
};

function useHash(): string {
  const [hash, setHash] = useState(() => location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash;
}

function Phase({ host }: { host: Host }) {
  const { state, error, ask } = useDeviceState();
  const hash = useHash();
  if (state === null) {
    return (
      <Frame state={null} host={host} where="Safety">
        <p class="lede" role="status">
          Waking the wallet…
        </p>
        {error !== null && <FailureNotice failure={error} onRetry={ask} />}
      </Frame>
    );
  }
  switch (state.phase) {
    case 'locked':
      return <Unlock state={state} host={host} />;
    case 'unlocked':
      return (
        <Frame state={state} host={host} where={NAMES[hash] ?? 'Safety'} inner={hash in NAMES}>
          <Screen hash={hash} state={state} host={host} />
        </Frame>
      );
    default:
      return (
        <Frame state={state} host={host} where="Safety">
          <Heading class="display">There is no wallet in this browser yet</Heading>
        </Frame>
      );
  }
}

function Screen({ hash, state, host }: { hash: string; state: Unlocked; host: Host }) {
  switch (hash) {
    case '#receipts':
      return <Receipts />;
    case '#rules':
      return <RulesScreen />;
    case '#password':
      return <ChangePassword state={state} />;
    case '#security-key':
      return <SecurityKeyScreen state={state} />;
    case '#export':
      return <ExportScreen />;
    case '#route':
      return <RouteScreen state={state} host={host} />;
    default:
      return <Centre state={state} host={host} />;
  }
}

function Frame({
  state,
  host,
  where,
  inner = false,
  children,
}: {
  state: DeviceState | null;
  host: Host;
  where: string;
  /** Whether it is one step in from the centre. */
  inner?: boolean;
  children: ComponentChildren;
}) {
  return (
    <div class="plainpage plainpage--airy">
      <header class="between">
        <div class="page__brand">
          <Mark shares={state?.shares ?? LOGO} /> Hoarfrost <span class="page__where">{where}</span>
        </div>
        <div class="cluster">
          {inner ? (
            <a class="link" href="#centre">
              Back to safety
            </a>
          ) : (
            <button type="button" class="link" onClick={() => host.openWallet()}>
              Back to the wallet
            </button>
          )}
          {state?.phase === 'unlocked' && <NetworkBadge network={state.wallet.network} />}
        </div>
      </header>
      <main class="stack stack--safety">{children}</main>
    </div>
  );
}
