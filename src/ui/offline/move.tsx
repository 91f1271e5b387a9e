/** To another cosigner: its link, the words on the recovery page, and the one before forgets its share, if it still lives. */
import { useEffect, useState } from 'preact/hooks';
import type { WalletView } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { PairingField, usePairingLink } from '../parts/pairingLink.tsx';
import { Relay } from './relay.tsx';

interface Begun {
  message: Uint8Array;
  fingerprint: string;
  round: number;
}

export function Move({ wallet }: { wallet: WalletView }) {
  const pending = useCall('moving');
  const resume = useCall('moveResume');
  const start = useCall('moveStart');
  const answer = useCall('moveAnswer');
  const [to, setTo] = useState<string | null>(null);
  const [begun, setBegun] = useState<Begun | null>(null);
  const [done, setDone] = useState(false);
  const look = () => void pending.run(null).then((found) => found !== null && setTo(found.to));
  useEffect(look, [wallet.cosignerHost]);

  const begin = async (uri: string) => {
    answer.reset();
    const first = await start.run({ uri });
    if (first !== null) setBegun({ ...first, round: 1 });
  };
  const next = async (said: Uint8Array) => {
    const result = await answer.run({ message: said });
    if (begun === null) return;
    if (result === null) return look();
    if (result.message === null) return setDone(true);
    setBegun({ ...begun, message: result.message, round: begun.round + 1 });
  };
  if (done || (to !== null && to === wallet.cosignerHost)) {
    return (
      <>
        <Heading class="display">{wallet.cosignerHost} is your cosigner now</Heading>
        <Notice tone="ok" icon="check">
          <b>Addresses and balance are the same.</b> New shares are made within the minute. The cosigner
          before is told to destroy its share as soon as it answers.
        </Notice>
        <Notice tone="info" icon="wait">
          <b>Its limits begin full.</b> It cannot know what was spent before, so it signs nothing that a limit
          counts until your window, usually a day, has passed. This browser and your words can spend
          meanwhile.
        </Notice>
      </>
    );
  }
  if (to !== null) {
    return (
      <>
        <Heading class="display">The move is not finished</Heading>
        <p class="lede">
          {to} has been given all that it needs and has not said yet that it is ready. Nothing is lost.
        </p>
        {resume.error !== null && <FailureNotice failure={resume.error} />}
        <div>
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={resume.busy}
            onClick={() => void resume.run(null).then(look)}
          >
            {resume.busy ? 'Asking…' : 'Ask it again'}
          </button>
        </div>
      </>
    );
  }
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Move to another cosigner</Heading>
        <p class="lede">
          Whether {wallet.cosignerHost} is dead or just not yours any more: this browser and your words are
          two of three, and need nobody’s leave.
        </p>
      </div>
      {answer.error !== null && (
        <FailureNotice
          failure={answer.error}
          retryName="Begin again"
          onRetry={() => {
            answer.reset();
            setBegun(null);
          }}
        />
      )}
      {begun === null ? (
        <LinkForm busy={start.busy} onLink={(uri) => void begin(uri)}>
          {start.error !== null && <FailureNotice failure={start.error} />}
        </LinkForm>
      ) : (
        <>
          <section class="card stack" aria-label="The new cosigner">
            <b class="strong">The new cosigner’s signing key</b>
            <Fingerprint hex={begun.fingerprint} />
            <p class="small">
              The recovery page must show this. Compare both with “h=” in the link on the cosigner’s own
              screen.
            </p>
          </section>
          <Relay {...begun} rounds={3} busy={answer.busy} onAnswer={(said) => void next(said)} />
        </>
      )}
    </>
  );
}

function LinkForm({
  busy,
  onLink,
  children,
}: {
  busy: boolean;
  onLink: (uri: string) => void;
  children: preact.ComponentChildren;
}) {
  const pairing = usePairingLink();
  const { uri, link } = pairing;
  return (
    <div class="stack form-column">
      <PairingField pairing={pairing} note="Printed by the new cosigner, with its token" />
      {link !== null && (
        <section class="card stack" aria-label="The cosigner of this link">
          <b class="strong">{link.host}</b>
          <Fingerprint hex={link.fingerprint} />
        </section>
      )}
      {children}
      <div>
        <button
          type="button"
          class="btn btn--primary"
          aria-disabled={link === null || busy}
          onClick={() => link !== null && !busy && onLink(uri)}
        >
          {busy ? 'Connecting…' : 'It matches, begin the move'}
        </button>
      </div>
    </div>
  );
}
