/**
 * What this browser and the recovery page do together, in a tab of its own: a popup would close when the other page is looked
 * at. `#drill`, `#kit` and `#move` open what they name, anything else the spending without the cosigner, with a payment filled
 * in if the hash names one.
 */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { DeviceState } from '../../device/port.ts';
import { DeviceProvider, useDeviceState } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { Heading } from '../parts/frame.tsx';
import { LOGO, Mark } from '../parts/mark.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Unlock } from '../popup/unlock.tsx';
import type { DeviceClient } from '../portClient.ts';
import { Drill } from './drill.tsx';
import { formOf } from './hash.ts';
import { NewKit } from './kit.tsx';
import { Move } from './move.tsx';
import { Spend } from './spend.tsx';

export function OfflinePage({ client, host }: { client: DeviceClient; host: Host }) {
  return (
    <DeviceProvider value={client}>
      <Phase host={host} />
    </DeviceProvider>
  );
}

function Phase({ host }: { host: Host }) {
  const { state, error, ask } = useDeviceState();
  const [hash] = useState(() => location.hash);
  const [form] = useState(() => formOf(location.hash));
  if (state === null) {
    return (
      <Frame state={null} host={host} where="">
        <p class="lede" role="status">
          Waking the wallet…
        </p>
        {error !== null && <FailureNotice failure={error} onRetry={ask} />}
      </Frame>
    );
  }
  const where = NAMES[hash] ?? 'Spend without the cosigner';
  switch (state.phase) {
    case 'empty':
    case 'onboarding':
    case 'returning':
      return (
        <Frame state={state} host={host} where={where}>
          <Heading class="display">There is no wallet in this browser yet</Heading>
        </Frame>
      );
    case 'locked':
      return <Unlock state={state} host={host} />;
    case 'unlocked':
      return (
        <Frame state={state} host={host} where={where}>
          {hash === '#drill' ? (
            <Drill wallet={state.wallet} />
          ) : hash === '#kit' ? (
            <NewKit />
          ) : hash === '#move' ? (
            <Move wallet={state.wallet} />
          ) : (
            <Spend wallet={state.wallet} initial={form} />
          )}
        </Frame>
      );
  }
}

const NAMES: Record<string, string> = {
  '#drill': 'Recovery drill',
  '#kit': 'New recovery words',
  '#move': 'Another cosigner',
};

function Frame({
  state,
  host,
  where,
  children,
}: {
  state: DeviceState | null;
  host: Host;
  where: string;
  children: ComponentChildren;
}) {
  return (
    <div class="plainpage">
      <header class="between">
        <div class="page__brand">
          <Mark shares={state?.shares ?? LOGO} /> Hoarfrost <span class="page__where">{where}</span>
        </div>
        <button type="button" class="link" onClick={() => host.openWallet()}>
          Back to the wallet
        </button>
      </header>
      <main class="stack">{children}</main>
    </div>
  );
}
