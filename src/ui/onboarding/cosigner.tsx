/** Network and cosigner: the pairing link, pasted or typed, and the fingerprint to compare before anything is trusted. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PairingView } from '../../device/port.ts';
import { NETWORKS, type Network } from '../../protocol/networks.ts';
import { useCall } from '../device.tsx';
import { NETWORK_NAMES } from '../networkNames.ts';
import { Segmented } from '../parts/controls.tsx';
import { Crystal } from '../parts/crystal.tsx';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice, FieldError } from '../parts/notice.tsx';
import { wordsFor } from '../words.ts';
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
  const [uri, setUri] = useState(initial?.uri ?? '');
  const [network, setNetwork] = useState<Network>(initial?.network ?? 'mainnet');
  const [link, setLink] = useState<PairingView | null>(null);
  const [answered, setAnswered] = useState(false);
  const read = useCall('readPairing');
  const connect = useCall('tryPairing');
  const fingerprint = useRef<HTMLDivElement>(null);

  const readLink = (text: string) => {
    setUri(text);
    setLink(null);
    setAnswered(false);
    connect.reset();
    read.reset();
    if (text.trim() === '') return;
    void read.run({ uri: text.trim() }).then((view) => {
      if (view === null) return;
      setLink(view);
      if (view.network !== null) setNetwork(view.network);
    });
  };
  useEffect(() => {
    if (initial !== null) readLink(initial.uri);
  }, []);

  // The button now says that the fingerprint matches: look there first, so that a second Enter does not say it.
  useEffect(() => {
    if (answered) fingerprint.current?.focus();
  }, [answered]);

  const next = async () => {
    if (link === null || connect.busy) return;
    if (answered) return onDone({ uri: uri.trim(), network });
    const view = await connect.run({ uri: uri.trim(), network });
    if (view === null) return;
    setLink({ ...view, network: link.network });
    setAnswered(true);
  };
  const bad = read.error !== null;
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
      <div class="field">
        <label class="field__label" for="pairing">
          Pairing link <span class="caption">Printed by your cosigner when it starts</span>
        </label>
        <div class={bad ? 'input input--bad' : 'input'}>
          <input
            id="pairing"
            class="code"
            value={uri}
            spellcheck={false}
            autocomplete="off"
            autocapitalize="off"
            placeholder="hoarfrost:"
            aria-invalid={bad}
            aria-describedby={bad ? 'pairing-error' : undefined}
            onInput={(event) => readLink(event.currentTarget.value)}
          />
        </div>
        {read.error !== null && (
          <FieldError id="pairing-error" code={read.error.code}>
            {wordsFor(read.error.code).happened} {wordsFor(read.error.code).next}
          </FieldError>
        )}
      </div>
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
              setAnswered(false);
              connect.reset();
            }}
          />
        )}
      </div>
      {connect.error !== null && <FailureNotice failure={connect.error} onRetry={() => void next()} />}
    </Page>
  );
}
