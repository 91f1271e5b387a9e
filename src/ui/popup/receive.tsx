/** Receive: a fresh address, four characters a group, four groups a line; the ends are strong. */
import { useEffect, useState } from 'preact/hooks';
import type { PortMethods, WalletView } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { CopyButton } from '../parts/controls.tsx';
import { NetworkBadge, SubBar } from '../parts/frame.tsx';
import { Address } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Qr } from '../parts/qr.tsx';

export function Receive({ wallet, onBack }: { wallet: WalletView; onBack: () => void }) {
  const ask = useCall('receiveAddress');
  const [shown, setShown] = useState<PortMethods['receiveAddress'][1] | null>(null);
  const load = () => void ask.run(null).then((answer) => answer !== null && setShown(answer));
  useEffect(load, []);
  return (
    <>
      <SubBar title="Receive" onBack={onBack}>
        <NetworkBadge network={wallet.network} />
      </SubBar>
      <main class="screen">
        {ask.error !== null && <FailureNotice failure={ask.error} onRetry={load} />}
        {shown === null ? (
          ask.busy && (
            <p class="small centred" role="status">
              {wallet.syncedAt === null
                ? 'Looking at the chain for addresses that were used…'
                : 'Making a fresh address…'}
            </p>
          )
        ) : (
          <>
            <div class="qr-plate qr-plate--receive">
              <Qr text={shown.uri} label="QR code of this address" />
            </div>
            <section class="receive-address" aria-label="Your address">
              <Address address={shown.address} grid />
            </section>
            <p class="caption centred">
              A new address after each payment. Old ones keep working.
              {wallet.network !== 'mainnet' && ' For test coins only.'}
            </p>
          </>
        )}
      </main>
      {shown !== null && (
        <div class="actions">
          <CopyButton text={shown.address} name="Copy address" kind="primary" />
        </div>
      )}
    </>
  );
}
