/** Network and cosigner: the pairing link, pasted or typed, and the fingerprint to compare before anything is trusted. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { PairingView } from '../../device/port.ts';
import { NETWORKS, type Network } from '../../protocol/networks.ts';
import { useCall } from '../device.tsx';
import { NETWORK_NAMES } from '../networkNames.ts';
import { Segmented } from '../parts/controls.tsx';
import { Crystal } from '../parts/crystal.tsx';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { PairingField, usePairingLink } from '../parts/pairingLink.tsx';
import { Page } from './page.tsx';

export interface Cosigner {
  uri: string;
  network: Network;
}

const NETWORK_CHOICES = NETWORKS.map((network) => [network, NETWORK_NAMES[network]] as const);

export function CosignerStep({
  initial,
  onBack,
  onDone,
}: {
  initial: Cosigner | null;
  onBack: () => void;
  onDone: (cosigner: Cosigner) => void;
}) {
  const pairing = usePairingLink();
  const { uri } = pairing;
  const [network, setNetwork] = useState<Network>(initial?.network ?? 'mainnet');
  /** What stands in the link, and then what the cosigner said of itself. */
  const [heard, setHeard] = useState<PairingView | null>(null);
  const answered = heard !== null;
  const link = pairing.link === null ? null : { ...(heard ?? pairing.link), network: pairing.link.network };
  const connect = useCall('tryPairing');
  const fingerprint = useRef<HTMLDivElement>(null);

  const forget = () => {
    setHeard(null);
    connect.reset();
  };
  const write = async (text: string) => {
    forget();
    const view = await pairing.write(text);
    if (view !== null && view.network !== null) setNetwork(view.network);
  };
  useEffect(() => {
    if (initial !== null) void write(initial.uri);
  }, []);

  // The button now says that the fingerprint matches: look there first, so that a second Enter does not say it.
  useLayoutEffect(() => {
    if (answered) fingerprint.current?.focus();
  }, [answered]);

  const next = async () => {
    if (link === null || connect.busy) return;
    if (answered) return onDone({ uri, network });
    const view = await connect.run({ uri, network });
    if (view !== null) setHeard(view);
  };
  return (
    <Page
      step={0}
      shares={NO_SHARES}
      title="Who will cosign for you?"
      note="A cosigner holds one share of three. It can refuse, but it cannot spend, nor keep you from your money. It learns your balance, whom you pay and when."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <span class="spacer" />
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={link === null || connect.busy}
            onClick={() => void next()}
          >
            {connect.busy ? 'Connecting…' : answered ? 'It matches, continue' : 'Connect'}
          </button>
        </>
      }
    >
      <PairingField pairing={pairing} note="Printed by your cosigner when it starts" onWrite={write} />
      {link !== null && (
        <div class="card cluster cluster--3 cluster--line" tabIndex={-1} ref={fingerprint}>
          <span class="crystal-tile crystal-tile--big">
            <Crystal hex={link.fingerprint} />
          </span>
          <div class="grow stack stack--tight">
            <div class="between">
              <b class="strong">{link.host}</b>
              <span role="status">
                {answered ? (
                  <span class="badge badge--ok">
                    <Icon name="check" /> Answered
                  </span>
                ) : (
                  <span class="badge">{connect.busy ? 'Connecting…' : 'Not asked yet'}</span>
                )}
              </span>
            </div>
            <Fingerprint hex={link.fingerprint} />
            <p class="small">
              Is this the fingerprint on your cosigner’s own screen? This browser will accept no other from
              now on.
            </p>
          </div>
        </div>
      )}
      <div class="between between--wrap">
        <span class="label">
          Network
          {link?.network != null && <span class="caption"> · named by the link</span>}
        </span>
        {link?.network != null ? (
          <span class="badge network" data-network={network === 'mainnet' ? 'bitcoin' : 'signet'}>
            {NETWORK_NAMES[network]}
          </span>
        ) : (
          <Segmented
            label="Network"
            value={network}
            options={NETWORK_CHOICES}
            onChange={(chosen) => {
              setNetwork(chosen);
              forget();
            }}
          />
        )}
      </div>
      {connect.error !== null && <FailureNotice failure={connect.error} onRetry={() => void next()} />}
    </Page>
  );
}
