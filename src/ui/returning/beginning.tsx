/** The first step back into a wallet: which cosigner it has, and a password for the share that is to come. */
import { useState } from 'preact/hooks';
import { NETWORKS, type Network } from '../../protocol/networks.ts';
import { useCall } from '../device.tsx';
import { NETWORK_NAMES } from '../networkNames.ts';
import { Segmented } from '../parts/controls.tsx';
import { Heading, NetworkBadge } from '../parts/frame.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { PAIRING_FIELD, PairingField, usePairingLink } from '../parts/pairingLink.tsx';
import { missingOf, NewPassword } from '../parts/password.tsx';

const CHOICES = NETWORKS.map((network) => [network, NETWORK_NAMES[network]] as const);

export function Beginning({ onBegun }: { onBegun: () => void }) {
  const pairing = usePairingLink();
  const { uri, link } = pairing;
  const [chosen, setChosen] = useState<Network>('mainnet');
  const [password, setPassword] = useState('');
  const [repeat, setRepeat] = useState('');
  const [tried, setTried] = useState(false);
  const begin = useCall('returnBegin');
  const network = link?.network ?? chosen;

  const write = (text: string) => {
    begin.reset();
    return pairing.write(text);
  };
  const go = async () => {
    setTried(true);
    if (link === null) return document.getElementById(PAIRING_FIELD)?.focus();
    const missing = missingOf(password, repeat);
    if (missing !== null) return document.getElementById(missing)?.focus();
    if (begin.busy) return;
    if ((await begin.run({ uri, network, password })) !== null) onBegun();
  };
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">I have a wallet and lost its browser</Heading>
        <p class="lede">
          A browser that is gone, or a forgotten password: it is the same. Your cosigner and your recovery
          words give this browser a share, and the lost one stops working.
        </p>
      </div>
      <Notice tone="ok" icon="check">
        <b>Your addresses and your money stay where they are.</b> You need your recovery words, the recovery
        page, a pairing link from your cosigner, and patience: words alone wait as long as you laid down.
      </Notice>
      <div class="stack form-column">
        <PairingField
          pairing={pairing}
          note="Of the cosigner that this wallet has; no token is needed"
          onWrite={write}
        />
        {link !== null && (
          <section class="card stack" aria-label="Your cosigner">
            <div class="between">
              <b class="strong">{link.host}</b>
              {link.network !== null && <NetworkBadge network={link.network} />}
            </div>
            <Fingerprint hex={link.fingerprint} />
            <p class="small">
              Is this the fingerprint on your cosigner’s own screen, or on your kit? A cosigner may have
              changed its own since the kit was printed: then its screen counts.
            </p>
            {link.network === null && (
              <Segmented label="Network" value={chosen} options={CHOICES} onChange={setChosen} />
            )}
          </section>
        )}
        <NewPassword
          name="A password for this browser"
          password={password}
          repeat={repeat}
          tried={tried}
          onPassword={setPassword}
          onRepeat={setRepeat}
          onEnter={() => void go()}
        />
        {begin.error !== null && <FailureNotice failure={begin.error} onRetry={() => void go()} />}
        <div>
          <button type="button" class="btn btn--primary" aria-disabled={begin.busy} onClick={() => void go()}>
            {begin.busy ? 'Making the keys…' : 'It matches, make this browser’s keys'}
          </button>
        </div>
      </div>
    </>
  );
}
