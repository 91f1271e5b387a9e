/** A profile that was restored from an older copy: what happened, and the way on. It may be looked at, but signs nothing. */
import type { ThreeShares, WalletView } from '../../device/port.ts';
import type { Host } from '../extensionHost.ts';
import { Heading, NetworkBadge } from '../parts/frame.tsx';
import { Mark } from '../parts/mark.tsx';
import { Notice } from '../parts/notice.tsx';

export function Stale({
  shares,
  wallet,
  host,
  onLook,
}: {
  shares: ThreeShares;
  wallet: WalletView;
  host: Host;
  onLook: () => void;
}) {
  const marked = { ...shares, device: 'lost' } as const;
  return (
    <>
      <div class="topbar">
        <span class="topbar__name" />
        <NetworkBadge network={wallet.network} />
      </div>
      <main class="screen">
        <div class="cluster cluster--3 cluster--line">
          <Mark shares={marked} size="lg" />
          <Heading class="headline">This browser was set back</Heading>
        </div>
        <p class="small">
          Its files are an older copy, from a backup or another machine. Since then the shares were renewed,
          and the one in here no longer fits. That is how a stolen copy is made useless, too.
        </p>
        <Notice tone="ok" icon="check">
          <b>Your money is safe.</b> Nothing was signed and nothing can be, with this share.
        </Notice>
        <section class="card stack stack--2">
          <h2 class="label">What to do</h2>
          <p class="small">
            <b class="strong">Have you still the browser you used last?</b> Go on there. It is the one that
            fits; do not copy its files while it is open.
          </p>
          <p class="small">
            <b class="strong">Is it gone?</b> Then this is a lost device: your cosigner and your recovery
            words give this browser a new share.
          </p>
        </section>
      </main>
      <div class="actions">
        <button type="button" class="btn btn--primary" onClick={() => void host.openReplacement()}>
          Replace this device
        </button>
        <button type="button" class="btn btn--quiet" onClick={onLook}>
          Look at the wallet
        </button>
      </div>
    </>
  );
}
